//! Row S22: a leaked code costs its owner nothing that can be prevented: short life, used once, bound to what made it, guessing
//! stopped, repeats told, nothing in the log. Source: S \[15\], \[69\].

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use onescan_domain::merchants::{TerminalRole, TerminalTrust};
use onescan_platforms::merchants::NewTerminal;
use serde_json::{Value, json};
use tracing_subscriber::EnvFilter;

use crate::steps::unknown_digits;
use crate::support::builders::MerchantCast;
use crate::support::shown::items;
use crate::support::{Cast, TestApp, on_both};

/// Sixty seconds shown and fifteen for a scan in flight.
const LIFE_MS: i64 = 75_000;
const LOCK_MS: i64 = 15 * 60_000;

async fn limited_till(app: &TestApp, merchant: &MerchantCast, role: TerminalRole) -> String {
    let new = NewTerminal {
        store: merchant.store.id,
        name: "Kiosk".to_owned(),
        role,
        trust: TerminalTrust::Limited,
        may_assert_paid: true,
    };
    app.services
        .merchants
        .add_terminal(merchant.merchant.id, new)
        .await
        .unwrap()
        .unwrap()
        .1
        .text
}

async fn alarms(app: &TestApp) -> Vec<Value> {
    let operator = app.operator_key().await;
    let list = app.get("/v1/alarms").bearer(&operator).send().await.ok(200);
    items(&list).clone()
}

async fn alarms_of(app: &TestApp, token: &str) -> Vec<Value> {
    let list = app.get("/v1/people/me/alarms").bearer(token).send().await.ok(200);
    items(&list).clone()
}

/// Four codes leave the terminal open, the fifth stops it.
async fn check_lock(app: &TestApp, cast: &Cast, key: &str, guess: impl AsyncFn(String)) {
    for number in 0..5 {
        assert!(alarms(app).await.is_empty(), "an alarm after {number} codes");
        guess(unknown_digits(number)).await;
    }
    let good = app.show_user_code(&cast.person.token, "phone").await;
    app.clock.advance_ms(1_500);
    let answer = app.scan(key, &good.digits, None).await;
    let problem = answer.problem(429, "terminal-locked");
    assert_eq!(problem["retryable"], true);
    assert_eq!(answer.header("retry-after"), Some("899"));
    let answer = app.paying(key, &good.digits, 100, "A-1").send().await;
    answer.problem(429, "terminal-locked");
    assert_eq!(answer.header("retry-after"), Some("899"));

    let alarms = alarms(app).await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0]["kind"], "terminal_locked");
    assert_eq!(alarms[0].get("person"), None);
    // The person whose code was refused has not lost it; another terminal takes it.
    let (_, other) = app
        .terminal(&cast.merchant.store, "Till 2", TerminalRole::Cashier)
        .await;
    app.paid(&other, &good.digits, 100, "A-2").await;

    app.clock.advance_ms(LOCK_MS - 1_500);
    let fresh = app.show_user_code(&cast.person.token, "phone").await;
    app.paid(key, &fresh.digits, 100, "A-3").await;
}

on_both! {
    async fn s22_a_code_lives_for_sixty_seconds_and_fifteen_of_grace(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        assert_eq!(shown.whole["shown_until"], "2026-11-23T09:01:00.000Z");
        assert_eq!(shown.whole["pay_until"], "2026-11-23T09:01:15.000Z");
        let late = app.show_user_code(&cast.person.token, "tablet").await;
        app.clock.advance_ms(LIFE_MS - 1);
        app.paid(key, &shown.digits, 100, "A-1").await;
        app.clock.advance_ms(1);
        app.scan(key, &late.digits, None).await.problem(410, "code-expired");
        let call = app.paying(key, &late.digits, 100, "A-2");
        app.changes_nothing(call).await.problem(410, "code-expired");
    }

    async fn s22_the_life_of_a_code_is_configured(app: TestApp) {
        let app = app.restarted(|config| (config.codes.shown_seconds, config.codes.grace_seconds) = (20, 5)).await;
        let cast = app.cast().await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        assert_eq!(shown.whole["pay_until"], "2026-11-23T09:00:25.000Z");
        app.clock.advance_ms(25_000);
        let answer = app.paying(&cast.merchant.cashier_key, &shown.digits, 100, "A-1").send().await;
        answer.problem(410, "code-expired");
    }

    async fn s22_a_code_is_used_once_and_a_refused_payment_uses_it_up(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        app.paid(key, &shown.digits, 100, "A-1").await;
        app.paying(key, &shown.digits, 100, "A-2").send().await.problem(409, "code-used");
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_900);

        let shown = app.show_user_code(&cast.person.token, "phone").await;
        app.paying(key, &shown.digits, 100_000, "A-3").send().await.problem(422, "insufficient-funds");
        app.top_up(cast.person.person.account, 1_000_000).await;
        app.paying(key, &shown.digits, 100, "A-4").send().await.problem(409, "code-used");
    }

    async fn s22_a_new_code_ends_the_one_before_the_last_of_its_device(app: TestApp) {
        let cast = app.cast().await;
        let (token, key) = (&cast.person.token, &cast.merchant.cashier_key);
        let tablet = app.show_user_code(token, "tablet").await;
        let first = app.show_user_code(token, "phone").await;
        let second = app.show_user_code(token, "phone").await;
        app.scan(key, &first.digits, None).await.expect(200);
        let third = app.show_user_code(token, "phone").await;
        app.scan(key, &first.digits, None).await.problem(410, "code-expired");
        let call = app.paying(key, &first.digits, 100, "A-1");
        app.changes_nothing(call).await.problem(410, "code-expired");
        // Of another device nothing ended, and the last two of this one are good.
        for (at, shown) in [&tablet, &second, &third].into_iter().enumerate() {
            app.paid(key, &shown.digits, 100, &format!("B-{at}")).await;
        }
    }

    async fn s22_a_code_is_bound_to_the_person_it_was_made_for(app: TestApp) {
        let cast = app.cast().await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        // Another person with a device of the same name ends nothing.
        for _ in 0..3 {
            app.show_institution_code(&cast.member, "phone").await;
        }
        app.paid(&cast.merchant.cashier_key, &shown.digits, 100, "A-1").await;
    }

    async fn s22_five_unknown_codes_that_are_scanned_lock_the_terminal(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let guess = async |digits: String| drop(app.scan(key, &digits, None).await.problem(404, "code-unknown"));
        check_lock(&app, &cast, key, guess).await;
    }

    async fn s22_five_unknown_codes_that_are_paid_with_lock_the_terminal(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let guess = async |digits: String| {
            app.paying(key, &digits, 100, &digits).send().await.problem(404, "code-unknown");
        };
        check_lock(&app, &cast, key, guess).await;
    }

    async fn s22_an_invoice_terminal_cannot_guess_either(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.invoice_key;
        for number in 0..2 {
            app.second_scan(key, &unknown_digits(number)).await.problem(404, "code-unknown");
        }
        for number in 2..5 {
            let digits = unknown_digits(number);
            app.assert_paid(key, &digits, 100, &digits).await.problem(404, "code-unknown");
        }
        let good = app.show_user_code(&cast.person.token, "phone").await;
        let answer = app.second_scan(key, &good.digits).await;
        answer.problem(429, "terminal-locked");
        assert_eq!(answer.header("retry-after"), Some("900"));
        app.assert_paid(key, &good.digits, 100, "P-1").await.problem(429, "terminal-locked");
        assert_eq!(alarms(&app).await.len(), 1);
        // The cashier's terminal is another one.
        app.paid(&cast.merchant.cashier_key, &good.digits, 100, "A-1").await;
    }

    async fn s22_guesses_that_come_at_once_are_all_counted(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let guesses = (0..12).map(|number| {
            let call = app.post("/v1/scans").bearer(key).json(&json!({"code": unknown_digits(number)}));
            tokio::spawn(call.send())
        });
        for guess in guesses.collect::<Vec<_>>() {
            guess.await.unwrap();
        }
        let good = app.show_user_code(&cast.person.token, "phone").await;
        app.scan(key, &good.digits, None).await.problem(429, "terminal-locked");
    }

    async fn s22_a_good_code_ends_the_streak_but_not_the_count_of_the_hour(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        for number in 0..20 {
            if number % 4 == 0 {
                let good = app.show_user_code(&cast.person.token, "phone").await;
                app.paid(key, &good.digits, 100, &format!("A-{number}")).await;
            }
            app.scan(key, &unknown_digits(number), None).await.problem(404, "code-unknown");
        }
        app.scan(key, &unknown_digits(20), None).await.problem(429, "terminal-locked");
        assert_eq!(alarms(&app).await.len(), 1);
    }

    async fn s22_mistyped_codes_are_not_guesses(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        for _ in 0..6 {
            app.scan(key, "281234567890123450", None).await.problem(422, "code-mistyped");
        }
        let good = app.show_user_code(&cast.person.token, "phone").await;
        app.scan(key, &good.digits, None).await.expect(200);
    }

    async fn s22_paying_again_with_a_used_code_is_told_to_the_person(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let paid = app.paid(key, &shown.digits, 100, "A-1").await;
        // A till that repeats its own request is no thief.
        app.paid(key, &shown.digits, 100, "A-1").await;
        assert!(alarms_of(&app, &cast.person.token).await.is_empty());
        app.paying(key, &shown.digits, 9_900, "A-2").send().await.problem(409, "code-used");
        let alarms = alarms_of(&app, &cast.person.token).await;
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert_eq!(alarms[0]["kind"], "code_repeated");
        assert_eq!(alarms[0]["payment"], paid["payment"]["id"]);
        assert_eq!(alarms[0]["terminal"], cast.merchant.cashier.id.to_string());
        assert!(alarms_of(&app, &cast.member.token).await.is_empty());
    }

    async fn s22_scanning_a_used_code_elsewhere_is_told_to_the_person(app: TestApp) {
        let cast = app.cast().await;
        let other = app.merchant("Far away", "5812").await;
        let shown = app.show_institution_code(&cast.member, "phone").await;
        app.paid(&cast.merchant.cashier_key, &shown.digits, 100, "A-1").await;
        // The till that was paid may well scan twice.
        app.scan(&cast.merchant.cashier_key, &shown.digits, None).await.problem(409, "code-used");
        assert!(alarms_of(&app, &cast.member.token).await.is_empty());
        let problem = app.scan(&other.cashier_key, &shown.digits, None).await.problem(409, "code-used");
        // The other merchant does not learn where.
        assert_eq!(problem.get("payment"), None);
        let alarms = alarms_of(&app, &cast.member.token).await;
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert_eq!(alarms[0]["terminal"], other.cashier.id.to_string());
    }

    async fn s22_a_terminal_of_limited_trust_cannot_tell_codes_apart(app: TestApp) {
        let cast = app.cast().await;
        let till = limited_till(&app, &cast.merchant, TerminalRole::Cashier).await;
        let invoices = limited_till(&app, &cast.merchant, TerminalRole::Invoice).await;
        let (used, expired) = (
            app.show_user_code(&cast.person.token, "phone").await,
            app.show_user_code(&cast.person.token, "tablet").await,
        );
        app.paying(&cast.merchant.cashier_key, &used.digits, 1_000_000, "A-1").send().await.problem(422, "limit-exceeded");
        let left = app.show_institution_code(&cast.member, "phone").await;
        let mut member = cast.member.member.clone();
        member.state = onescan_domain::institutions::MemberState::Left;
        app.services.institutions.change_member(member).await.unwrap().unwrap();
        let paused = app.person("zhao.min").await;
        let stopped = app.show_user_code(&paused.token, "phone").await;
        let path = format!("/v1/code-records/{}", paused.record.id.as_str());
        app.patch(&path).bearer(&paused.token).json(&json!({"state": "paused"})).send().await.expect(200);
        app.clock.advance_ms(LIFE_MS);

        let (unknown, foreign) = (unknown_digits(1), onescan_domain::codes::CodeText::from_parts(77, 1));
        let all = [
            &used.digits, &expired.digits, &left.digits, &stopped.digits, &unknown, foreign.as_str()
        ];
        let mut bodies = std::collections::BTreeSet::new();
        for (at, digits) in all.into_iter().enumerate() {
            let answers = [
                app.scan(&till, digits, Some(100)).await,
                app.paying(&till, digits, 100, &format!("B-{at}")).send().await,
                app.second_scan(&invoices, digits).await,
            ];
            for answer in answers {
                let mut problem = answer.problem(409, "code-invalid");
                problem.as_object_mut().unwrap().remove("instance");
                bodies.insert(problem.to_string());
                let headers = answer.headers.keys().map(ToString::to_string);
                bodies.insert(headers.collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(bodies.len(), 2, "{bodies:#?}");
    }

    async fn s22_logs_never_contain_whole_codes(app: TestApp) {
        let log = log();
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let used = app.show_user_code(&cast.person.token, "phone").await;
        let expired = app.show_user_code(&cast.person.token, "tablet").await;
        let unknown = unknown_digits(3);
        app.scan(key, &used.digits, Some(100)).await.expect(200);
        app.paid(key, &used.digits, 100, "A-1").await;
        app.paying(key, &used.digits, 900, "A-2").send().await.expect(409);
        app.second_scan(&cast.merchant.invoice_key, &used.digits).await.expect(200);
        app.scan(key, &unknown, None).await.expect(404);
        app.paying(key, &unknown, 100, "A-3").send().await.expect(404);
        // In a path too, where digits have no business.
        app.get(&format!("/v1/service-codes/{}", expired.digits)).bearer(&cast.person.token).send().await.expect(404);
        app.get(&format!("/c/{}", expired.digits)).send().await.expect(404);
        app.post("/v1/scans").bearer(key).json(&json!({"code": expired.digits, "x": 1})).send().await.expect(400);
        app.clock.advance_ms(LIFE_MS);
        app.paying(key, &expired.digits, 100, "A-4").send().await.expect(410);
        app.settle().await;

        let log = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
        assert!(log.contains("answered"), "the log is not heard");
        for secret in [&used.digits, &expired.digits, &unknown, key, &cast.person.token] {
            let body = if secret.len() == 18 { &secret[2..17] } else { secret };
            let line = log.lines().find(|line| line.contains(body));
            assert_eq!(line, None);
        }
    }

    async fn s22_a_revoked_key_is_refused_at_once(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        // Two servers of one database; each remembers the terminal it saw a moment ago.
        let second = app.restarted(|_| {}).await;
        for (server, order) in [(&app, "A-1"), (&second, "A-2")] {
            let shown = server.show_user_code(&cast.person.token, "phone").await;
            server.paid(key, &shown.digits, 100, order).await;
        }
        let revoked = cast.merchant.cashier_key.split('.').next().unwrap().parse().unwrap();
        assert!(app.services.access.revoke_key(revoked).await.unwrap());
        for server in [&app, &second] {
            let shown = server.show_user_code(&cast.person.token, "phone").await;
            let call = server.paying(key, &shown.digits, 100, "A-3");
            server.changes_nothing(call).await.problem(401, "unauthenticated");
            // Not even what was answered before is answered again.
            let call = server.paying(key, &shown.digits, 100, "A-1");
            server.changes_nothing(call).await.problem(401, "unauthenticated");
            server.scan(key, &shown.digits, None).await.problem(401, "unauthenticated");
        }
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_800);
    }

    async fn s22_a_stopped_record_stops_its_codes_at_once(app: TestApp) {
        let cast = app.cast().await;
        let key = &cast.merchant.cashier_key;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let path = format!("/v1/code-records/{}", cast.person.record.id.as_str());
        let change = |state: &str| app.patch(&path).bearer(&cast.person.token).json(&json!({"state": state}));
        change("paused").send().await.expect(200);
        let call = app.paying(key, &shown.digits, 100, "A-1");
        app.changes_nothing(call).await.problem(409, "record-inactive");
        change("active").send().await.expect(200);
        app.paid(key, &shown.digits, 100, "A-1").await;
        change("closed").send().await.expect(200);
        change("active").send().await.problem(409, "wrong-state");
        let asked = json!({"kind": "user", "device": "phone"});
        let call = app.post("/v1/service-codes").bearer(&cast.person.token).json(&asked);
        app.changes_nothing(call).await.problem(409, "record-inactive");
    }
}

type Log = Arc<Mutex<Vec<u8>>>;

/// Everything that any thread of this program logs, at every level.
fn log() -> Log {
    #[derive(Clone)]
    struct Kept(Log);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    static LOG: OnceLock<Log> = OnceLock::new();
    let started = || {
        let kept = Kept(Log::default());
        let log = kept.0.clone();
        let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new("trace"));
        lines.with_writer(move || kept.clone()).init();
        log
    };
    LOG.get_or_init(started).clone()
}
