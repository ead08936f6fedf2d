//! Row S08: a code is drawn at random and associated with record, device, address, time and place; whatever that dynamic part
//! is, the record behind it stays the same. Source: S claims 2, 8, \[60\]-\[66\].

use onescan_domain::codes::CodeText;
use onescan_platforms::env::Secret;
use serde_json::json;

use crate::support::shown::Shown;
use crate::support::{TestApp, on_both};

on_both! {
    async fn s08_the_same_record_stands_behind_every_device_address_and_time(app: TestApp) {
        let cast = app.cast().await;
        let accesses = [
            ("phone", "192.0.2.7", 0, json!(null)),
            ("phone", "203.0.113.9", 1, json!(null)),
            ("tablet", "203.0.113.9", 60_000, json!("杭州东站")),
            ("browser", "2001:db8::1", 40 * 24 * 3_600_000, json!(null)),
        ];
        let mut shown = Vec::new();
        let token = |at: usize| (at, &cast.person);
        for (at, (device, address, later, location)) in accesses.into_iter().enumerate() {
            app.clock.advance_ms(later);
            let (_, person) = token(at);
            let session = app.sign_in(&person.person.login).await;
            let asked = json!({"kind": "user", "device": device, "location": location});
            let call = app.post("/v1/service-codes").bearer(&session).json(&asked).called_from(address);
            let code = Shown::of(call.send().await.ok(201));
            app.paid(&cast.merchant.cashier_key, &code.digits, 100, &format!("A-{at}")).await;
            shown.push(code.digits);
        }
        shown.sort();
        shown.dedup();
        assert_eq!(shown.len(), 4);
        let records = app.query("select distinct record_id from codes").await;
        assert_eq!(records, [[cast.person.record.id.as_str()]]);
        let paid = app.query("select distinct record_id from payments").await;
        assert_eq!(paid, records);
        let parts = app.query("select device, address, location from codes order by created_at").await;
        let expected = [
            ["phone", "192.0.2.7", ""],
            ["phone", "203.0.113.9", ""],
            ["tablet", "203.0.113.9", "杭州东站"],
            ["browser", "2001:db8::1", ""],
        ];
        assert_eq!(parts, expected);
    }

    async fn s08_digits_do_not_tell_who_or_when(app: TestApp) {
        let cast = app.cast().await;
        let mut digits = Vec::new();
        for at in 0..8 {
            let shown = app.show_user_code(&cast.person.token, &format!("phone-{at}")).await;
            digits.push(shown.digits);
        }
        // One person, one moment: what follows the key's number has nothing in common.
        for (at, one) in digits.iter().enumerate() {
            for other in &digits[at + 1..] {
                let same = one[2..].bytes().zip(other[2..].bytes()).filter(|(one, other)| one == other).count();
                assert!(same < 9, "{one} and {other} agree in {same} of 16 digits");
            }
        }
    }

    async fn s08_a_code_of_another_key_is_unknown(app: TestApp) {
        let cast = app.cast().await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let foreign = CodeText::from_parts(29, CodeText::parse(&shown.digits).unwrap().body());
        let call = app.post("/v1/scans").bearer(&cast.merchant.cashier_key).json(&json!({"code": foreign.as_str()}));
        app.changes_nothing(call).await.problem(404, "code-unknown");
        let call = app.paying(&cast.merchant.cashier_key, foreign.as_str(), 100, "A-1");
        app.changes_nothing(call).await.problem(404, "code-unknown");
        // The right one is still good.
        app.paid(&cast.merchant.cashier_key, &shown.digits, 100, "A-1").await;
    }

    async fn s08_a_server_with_another_secret_does_not_know_the_code(app: TestApp) {
        let cast = app.cast().await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let other = app.restarted(|config| config.secret = Some(Secret::new([8; 32]))).await;
        let scan = other.post("/v1/scans").bearer(&cast.merchant.cashier_key).json(&json!({"code": shown.digits}));
        other.changes_nothing(scan).await.problem(404, "code-unknown");
        app.scan(&cast.merchant.cashier_key, &shown.digits, None).await.expect(200);
    }

    async fn s08_the_key_number_in_front_is_configured(app: TestApp) {
        let app = app.restarted(|config| config.codes.prefix = 61).await;
        let person = app.person("li.lei").await;
        let shown = app.show_user_code(&person.token, "phone").await;
        assert!(shown.digits.starts_with("61"), "{shown:?}");
    }
}
