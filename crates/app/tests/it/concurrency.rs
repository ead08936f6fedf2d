//! Many at once: one code pays once, nothing is overspent, a full queue says so, and who hangs up has paid all the same.

use axum::http::StatusCode;
use onescan_domain::institutions::MemberRole;
use onescan_domain::merchants::TerminalRole;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::steps::{cny, payment_id};
use crate::support::http::{Answer, Call};
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

/// Sends all of them at the same time; the answers in the same order.
async fn at_once(calls: Vec<Call>) -> Vec<Answer> {
    let mut sent = JoinSet::new();
    for (place, call) in calls.into_iter().enumerate() {
        sent.spawn(async move { (place, call.send().await) });
    }
    let mut answers = sent.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

/// Codes of one person, each from a device of its own, so that none takes another's place.
async fn many_codes(app: &TestApp, token: &str, number: usize) -> Vec<String> {
    let mut codes = Vec::new();
    for device in 0..number {
        codes.push(app.digits_on(token, None, &format!("device-{device}")).await);
    }
    codes
}

on_both! {
    async fn two_tills_with_one_code_at_once_and_one_wins(app: TestApp) {
        let cast = app.cast().await;
        let (_, second_till) = app.terminal(&cast.merchant.store, "Till 2", TerminalRole::Cashier).await;
        let other = app.merchant("Tailor", "5651").await;
        let tills = [&cast.merchant.cashier_key, &second_till, &other.cashier_key];
        let codes = many_codes(&app, &cast.person.token, 20).await;
        let mut calls = Vec::new();
        for (number, digits) in codes.iter().enumerate() {
            for (place, till) in tills.iter().enumerate() {
                calls.push(app.paying(till, digits, 100, &format!("A-{number}-{place}")));
            }
        }
        let answers = at_once(calls).await;
        for per_code in answers.chunks(tills.len()) {
            assert_eq!(count(per_code, 201), 1, "one wins");
            for lost in per_code.iter().filter(|answer| answer.status != 201) {
                lost.problem(409, "code-used");
            }
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 98_000);
    }

    async fn a_till_and_an_assertion_at_once_and_one_wins(app: TestApp) {
        let cast = app.cast().await;
        let codes = many_codes(&app, &cast.person.token, 10).await;
        let mut calls = Vec::new();
        for (number, digits) in codes.iter().enumerate() {
            calls.push(app.paying(&cast.merchant.cashier_key, digits, 100, &format!("A-{number}")));
            let body = json!({"code": digits, "amount": cny(100), "means": "cash"});
            let assert = app.post("/v1/invoice-scans/paid").bearer(&cast.merchant.invoice_key);
            calls.push(assert.idempotency_key(&format!("cash-{number}")).json(&body));
        }
        let answers = at_once(calls).await;
        let mut by_code = 0;
        for pair in answers.chunks(2) {
            assert_eq!((count(pair, 201), count(pair, 409)), (1, 1), "{} {}", pair[0].text(), pair[1].text());
            by_code += i64::from(pair[0].status == 201);
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 100_000 - 100 * by_code);
    }

    async fn the_same_request_many_times_at_once_is_one_payment(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let calls = vec![app.paying(&cast.merchant.cashier_key, &digits, 1_000, "A-1"); 16];
        let answers = at_once(calls).await;
        let first = payment_id(&answers[0].ok(201));
        assert!(answers.iter().all(|answer| payment_id(&answer.ok(201)) == first));
        let fresh = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none());
        assert_eq!(fresh.count(), 1);
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 99_000);
    }

    async fn two_codes_for_one_order_number_at_once_and_one_wins(app: TestApp) {
        let cast = app.cast().await;
        let codes = many_codes(&app, &cast.person.token, 8).await;
        let call = |(number, digits): (usize, &String)| {
            let body = json!({"code": digits, "amount": cny(1_000), "order_number": "A-1"});
            app.paying_with(&cast.merchant.cashier_key, &body, &format!("key-{number}"))
        };
        let answers = at_once(codes.iter().enumerate().map(call).collect()).await;
        assert_eq!(count(&answers, 201), 1);
        for lost in answers.iter().filter(|answer| answer.status != 201) {
            lost.problem(409, "order-number-conflict");
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 99_000);
    }

    async fn a_limit_is_never_passed(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.person.record;
        for scenario in app.services.codes.scenarios(record.bucket, &record.id).await.unwrap() {
            app.services.codes.remove_scenario(record.bucket, &record.id, scenario.id).await.unwrap();
        }
        app.scenario(record, "Pocket money", "", "amount_day <= 10500\ncount_day <= 30\n").await;
        let codes = many_codes(&app, &cast.person.token, 50).await;
        let call = |(number, digits): (usize, &String)| {
            app.paying(&cast.merchant.cashier_key, digits, 1_000, &format!("A-{number}"))
        };
        let answers = at_once(codes.iter().enumerate().map(call).collect()).await;
        assert_eq!(count(&answers, 201), 10);
        for barred in answers.iter().filter(|answer| answer.status != 201) {
            let problem = barred.problem(422, "limit-exceeded");
            assert_eq!(problem["reasons"][0]["left"], 500, "{problem}");
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 90_000);
    }

    async fn an_account_is_never_overdrawn(app: TestApp) {
        let cast = app.cast().await;
        let poor = app.person("poor").await;
        app.top_up(poor.person.account, 12_345).await;
        let codes = many_codes(&app, &poor.token, 50).await;
        let call = |(number, digits): (usize, &String)| {
            let capture = if number % 2 == 0 { "now" } else { "later" };
            let order = format!("A-{number}");
            let body = json!({"code": digits, "amount": cny(1_000), "order_number": order, "capture": capture});
            app.paying_with(&cast.merchant.cashier_key, &body, &order)
        };
        let answers = at_once(codes.iter().enumerate().map(call).collect()).await;
        assert_eq!(count(&answers, 201), 12);
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.problem(422, "insufficient-funds");
        }
        assert_eq!(app.account(poor.person.account).await.available_minor(), 345);
    }

    async fn a_hot_institution_account_stays_exact(app: TestApp) {
        let cast = app.cast().await;
        let mut calls = Vec::new();
        for number in 0..6 {
            let member = app.member(&cast.institution, &format!("member.{number}"), MemberRole::Employee).await;
            for device in 0..6 {
                let (token, institution) = (&member.token, Some(member.member.institution));
                let digits = app.digits_on(token, institution, &format!("device-{device}")).await;
                calls.push(app.paying(&cast.merchant.cashier_key, &digits, 2_000, &format!("A-{number}-{device}")));
            }
        }
        let answers = at_once(calls).await;
        assert_eq!(count(&answers, 201), answers.len(), "six times 20.00 are a day's 120.00");
        let account = cast.institution.institution.account;
        assert_eq!(app.account(account).await.posted_minor, 1_000_000 - 36 * 2_000);
        app.settle().await;
        assert_eq!(app.account(cast.merchant.merchant.account).await.posted_minor, 36 * 2_000);
    }

    async fn refunds_at_once_never_pass_what_was_paid(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let path = format!("/v1/payments/{}/refunds", payment_id(&paid));
        let call = |number: usize| {
            let number = format!("R-{number}");
            let body = json!({"number": number, "amount": cny(150)});
            app.post(&path).bearer(&cast.merchant.cashier_key).idempotency_key(&number).json(&body)
        };
        let answers = at_once((0..20).map(call).collect()).await;
        assert_eq!(count(&answers, 201), 6);
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.problem(422, "amount-too-large");
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 99_900);
    }

    async fn held_money_is_resolved_once(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let held = app.hold(till, &app.own_digits(&cast.person).await, 1_000, "A-1").await.ok(201);
        let payment = payment_id(&held);
        let call = |number: usize| {
            let what = ["captures", "voids", "reversals"][number % 3];
            let path = format!("/v1/payments/{payment}/{what}");
            app.post(&path).bearer(till).idempotency_key(&format!("key-{number}"))
        };
        let answers = at_once((0..12).map(call).collect()).await;
        let state = text(&app.see_payment(till, &payment).await.ok(200), "/state").to_owned();
        // A captured payment may still be reversed.
        let expected = if state == "reversed" { 1..=2 } else { 1..=1 };
        assert!(expected.contains(&count(&answers, 201)), "{state}");
        for lost in answers.iter().filter(|answer| answer.status != 201) {
            lost.problem(409, "wrong-state");
        }
        let account = app.account(cast.person.person.account).await;
        let left = if state == "paid" { 99_000 } else { 100_000 };
        assert_eq!((account.posted_minor, account.held_minor), (left, 0), "{state}");
    }

    async fn a_question_is_answered_once(app: TestApp) {
        let cast = app.cast().await;
        let mut profiles = Vec::new();
        for title in ["Home", "Work", "Club"] {
            profiles.push(app.profile(&cast.person.record, title, &[]).await.id.to_string());
        }
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let question = text(&app.questions(&cast.person.token).await[0], "/id").to_owned();
        let call = |number: usize| {
            let path = format!("/v1/people/me/choices/{question}");
            app.post(&path).bearer(&cast.person.token).json(&json!({"profile": profiles[number % 3]}))
        };
        let answers = at_once((0..9).map(call).collect()).await;
        let chosen: Vec<Value> =
            answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.json()["chosen"].clone()).collect();
        assert_eq!(chosen.len(), 3, "the first answer, and its repeats");
        assert!(chosen.iter().all(|profile| *profile == chosen[0]), "{chosen:?}");
        let told = app.fetch_profile(&cast.merchant.cashier_key, &payment_id(&paid)).await.ok(200);
        let title = ["Home", "Work", "Club"][profiles.iter().position(|id| *id == chosen[0]).unwrap()];
        assert_eq!(told["profile"]["title"], title);
    }

    async fn two_invoice_terminals_at_once_and_one_gets_the_details(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let digits = app.own_digits(&cast.person).await;
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.expect(201);
        let call = app.post("/v1/invoice-scans").bearer(&cast.merchant.invoice_key).json(&json!({"code": digits}));
        let answers = at_once(vec![call; 6]).await;
        let mut told: Vec<String> = answers.iter().map(|answer| text(&answer.ok(200), "/status").to_owned()).collect();
        told.sort();
        assert_eq!(told[told.len() - 2..], ["invoice_issued", "paid"], "{told:?}");
    }

    async fn a_full_queue_refuses_at_once_and_a_repeat_is_taken_later(app: TestApp) {
        let cast = app.cast().await;
        let app = app.restarted(|config| {
            config.queues.payments_waiting_max = 2;
            config.queues.payments_batch_max = 1;
        }).await;
        let till = &cast.merchant.cashier_key;
        let codes = many_codes(&app, &cast.person.token, 30).await;
        // The till is known, so that the others reach the queue without waiting for anything.
        app.charge(till, &codes[0], 100, "A-0").await.expect(201);
        let call = |number: usize| app.paying(till, &codes[number], 100, &format!("A-{number}"));
        let answers = at_once((1..30).map(call).collect()).await;
        let busy = count(&answers, 503);
        assert!(busy > 0 && count(&answers, 201) == answers.len() - busy, "{busy} of {}", answers.len());
        for answer in answers.iter().filter(|answer| answer.status == StatusCode::SERVICE_UNAVAILABLE) {
            assert_eq!(answer.problem(503, "busy")["retryable"], true);
            assert_eq!(answer.header("retry-after"), Some("1"));
        }
        for (number, answer) in (1..30).zip(&answers) {
            let again = call(number).send().await;
            again.expect(201);
            assert_eq!(again.header("idempotent-replayed").is_some(), answer.status == 201, "busy means not done");
        }
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 97_000);
    }

    async fn who_hangs_up_has_paid_all_the_same(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let codes = many_codes(&app, &cast.person.token, 21).await;
        app.charge(till, &codes[0], 100, "A-0").await.expect(201);
        for (number, digits) in codes.iter().enumerate().skip(1) {
            // Gone after a few looks at the answer that is not there yet.
            let mut sending = Box::pin(app.paying(till, digits, 100, &format!("A-{number}")).send());
            for _ in 0..number {
                tokio::select! {
                    biased;
                    _ = &mut sending => break,
                    () = tokio::task::yield_now() => {}
                }
            }
        }
        let mut done_before = 0;
        for (number, digits) in codes.iter().enumerate().skip(1) {
            let again = app.charge(till, digits, 100, &format!("A-{number}")).await;
            assert_eq!(again.ok(201)["payment"]["state"], "paid");
            done_before += usize::from(again.header("idempotent-replayed").is_some());
        }
        assert_eq!(done_before, 20, "what was sent was done");
        assert_eq!(app.account(cast.person.person.account).await.posted_minor, 97_900);
    }
}
