//! Row S01: every access makes a code of its own. Source: S claim 1, \[60\]-\[62\].

use serde_json::json;

use crate::support::shown::{Shown, items};
use crate::support::{TestApp, on_both};

on_both! {
    async fn s01_each_access_has_a_code_of_its_own(app: TestApp) {
        let cast = app.cast().await;
        let first = app.show_user_code(&cast.person.token, "phone").await;
        let second = app.show_user_code(&cast.person.token, "phone").await;
        assert_ne!(first.digits, second.digits);
        assert_ne!(first.id, second.id);
        for shown in [&first, &second] {
            assert_eq!(shown.digits.len(), 18, "{shown:?}");
            assert!(shown.digits.bytes().all(|digit| digit.is_ascii_digit()), "{shown:?}");
        }
        // The other kind of access has its own too.
        let third = app.show_institution_code(&cast.member, "phone").await;
        assert_eq!(third.whole["kind"], "institution");
        assert_ne!(third.digits, second.digits);
    }

    async fn s01_a_hundred_accesses_at_once_have_a_hundred_codes(app: TestApp) {
        let person = app.person("li.lei").await;
        let call = app.post("/v1/service-codes").bearer(&person.token);
        let all = (0..100).map(|number| {
            let asked = json!({"kind": "user", "device": format!("phone-{}", number % 7)});
            tokio::spawn(call.clone().json(&asked).send())
        });
        let mut digits = std::collections::BTreeSet::new();
        for answer in all.collect::<Vec<_>>() {
            digits.insert(Shown::of(answer.await.unwrap().ok(201)).digits);
        }
        assert_eq!(digits.len(), 100);
        assert_eq!(app.row_counts().await["codes"], 100);
    }

    async fn s01_the_code_is_of_the_access_that_asked(app: TestApp) {
        let person = app.person("li.lei").await;
        app.clock.advance_ms(90_000);
        let asked = json!({"kind": "user", "device": "phone-7", "location": "杭州东站"});
        let call = app.post("/v1/service-codes").bearer(&person.token).json(&asked);
        let shown = Shown::of(call.called_from("203.0.113.9").send().await.ok(201));
        assert_eq!(shown.whole["created_at"], "2026-11-23T09:01:30.000Z");
        assert_eq!(shown.whole["shown_until"], "2026-11-23T09:02:30.000Z");
        let rows = app.query("select id, record_id, person_id, device, address, location, created_at from codes").await;
        let expected = [
            shown.id.strip_prefix("cod_").unwrap(),
            person.record.id.as_str(),
            &person.person.id.stored(),
            "phone-7",
            "203.0.113.9",
            "杭州东站",
            &app.now_ms().to_string(),
        ];
        assert_eq!(rows, [expected]);
    }

    async fn s01_digits_are_never_stored(app: TestApp) {
        let cast = app.cast().await;
        let user = app.show_user_code(&cast.person.token, "phone").await;
        let institution = app.show_institution_code(&cast.member, "phone").await;
        app.paid(&cast.merchant.cashier_key, &user.digits, 1_200, "A-1").await;
        app.settle().await;
        for digits in [&user.digits, &institution.digits] {
            let body = &digits[2..17];
            assert_eq!(app.columns_with(digits).await, Vec::<String>::new());
            assert_eq!(app.columns_with(body).await, Vec::<String>::new());
        }
        // The search would find what is there.
        let id = user.id.strip_prefix("cod_").unwrap();
        assert_eq!(app.columns_with(id).await, ["code_devices.latest_id", "codes.id", "payments.code_id"]);
    }

    async fn s01_who_is_not_signed_in_gets_no_code(app: TestApp) {
        let cast = app.cast().await;
        let asked = json!({"kind": "user", "device": "phone"});
        let call = || app.post("/v1/service-codes").json(&asked);
        app.changes_nothing(call()).await.problem(401, "unauthenticated");
        app.changes_nothing(call().bearer("ses_nonsense.00")).await.problem(401, "unauthenticated");
        app.changes_nothing(call().bearer(&cast.merchant.cashier_key)).await.problem(403, "wrong-role");
        app.changes_nothing(call().bearer(&cast.institution.key)).await.problem(403, "wrong-role");

        app.delete("/v1/sessions/current").bearer(&cast.person.token).send().await.expect(204);
        app.changes_nothing(call().bearer(&cast.person.token)).await.problem(401, "unauthenticated");
    }

    async fn s01_a_session_ends_after_twelve_hours(app: TestApp) {
        let person = app.person("li.lei").await;
        let asked = json!({"kind": "user", "device": "phone"});
        let call = || app.post("/v1/service-codes").bearer(&person.token).json(&asked);
        app.clock.advance_ms(12 * 3_600_000 - 1);
        call().send().await.expect(201);
        app.clock.advance_ms(1);
        call().send().await.problem(401, "unauthenticated");
    }

    async fn s01_without_a_record_there_is_no_code(app: TestApp) {
        app.register("new.here").await;
        let token = app.sign_in("new.here").await;
        let asked = json!({"kind": "user", "device": "phone"});
        let call = app.post("/v1/service-codes").bearer(&token).json(&asked);
        app.changes_nothing(call).await.problem(409, "not-enabled");
        let records = app.get("/v1/code-records").bearer(&token).send().await.ok(200);
        assert!(items(&records).is_empty(), "{records}");
    }
}
