//! The same request twice, the same key for another request, order numbers, lost answers. DESIGN section 5.

use serde_json::json;

use crate::steps::{cny, payment_id};
use crate::support::builders::Cast;
use crate::support::{TestApp, on_both};

async fn posted(app: &TestApp, cast: &Cast) -> i64 {
    app.account(cast.person.person.account).await.posted_minor
}

on_both! {
    async fn the_same_payment_twice_is_one_with_one_answer(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let first = app.charge(till, &digits, 1_000, "A-1").await;
        assert_eq!(first.header("idempotent-replayed"), None);
        app.clock.advance_ms(1_000);
        let again = app.charge(till, &digits, 1_000, "A-1").await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.ok(201), first.ok(201));
        assert_eq!(posted(&app, &cast).await, 99_000);
    }

    async fn a_repeat_after_the_codes_time_and_a_restart_gives_the_first_answer(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let first = app.charge(till, &digits, 1_000, "A-1").await.ok(201);
        app.clock.advance_ms(75_000);
        let app = app.restarted(|_| ()).await;
        let again = app.charge(till, &digits, 1_000, "A-1").await;
        assert_eq!((again.ok(201), again.header("idempotent-replayed")), (first, Some("true")));
    }

    async fn a_refused_payment_is_repeated_as_refused(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let first = app.charge(till, &digits, 100_001, "A-1").await;
        let mut refused = first.problem(422, "limit-exceeded");
        // What was refused once stays refused under its key, also when it would be permitted now.
        app.top_up(cast.person.person.account, 1_000_000).await;
        let again = app.charge(till, &digits, 100_001, "A-1").await;
        let mut repeated = again.problem(422, "limit-exceeded");
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        for problem in [&mut refused, &mut repeated] {
            problem["instance"].take();
        }
        assert_eq!(repeated, refused);
        assert_eq!(app.history(&cast.person.token).await.len(), 1);
    }

    async fn a_key_stands_for_one_request(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let other = app.digits_on(&cast.person.token, None, "tablet").await;
        let send = async |digits: &str, minor: i64, order: &str, capture: &str| {
            let body = json!({"code": digits, "amount": cny(minor), "order_number": order, "capture": capture});
            app.paying_with(till, &body, "key-1").send().await
        };
        send(&digits, 1_000, "A-1", "now").await.expect(201);
        send(&digits, 1_001, "A-1", "now").await.problem(409, "idempotency-key-conflict");
        send(&digits, 1_000, "A-2", "now").await.problem(409, "idempotency-key-conflict");
        send(&digits, 1_000, "A-1", "later").await.problem(409, "idempotency-key-conflict");
        send(&other, 1_000, "A-1", "now").await.problem(409, "idempotency-key-conflict");
        send(&digits, 1_000, "A-1", "now").await.expect(201);
        assert_eq!(posted(&app, &cast).await, 99_000);
    }

    async fn keys_of_different_tills_do_not_meet(app: TestApp) {
        let cast = app.cast().await;
        let other = app.merchant("Tailor", "5651").await;
        for till in [&cast.merchant.cashier_key, &other.cashier_key] {
            let digits = app.own_digits(&cast.person).await;
            let paid = app.charge(till, &digits, 1_000, "A-1").await;
            assert_eq!(paid.expect(201).header("idempotent-replayed"), None);
        }
        assert_eq!(posted(&app, &cast).await, 98_000);
    }

    async fn an_order_number_names_one_payment_for_ever(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let body = json!({"code": digits, "amount": cny(1_000), "order_number": "A-1"});
        let first = app.paying_with(till, &body, "key-1").send().await.ok(201);
        // The same sale under another key, as a till that forgot its key sends it.
        let again = app.paying_with(till, &body, "key-2").send().await;
        assert_eq!((again.ok(201), again.header("idempotent-replayed")), (first.clone(), Some("true")));

        let other = app.own_digits(&cast.person).await;
        for (digits, minor) in [(&digits, 1_001), (&other, 1_000)] {
            let body = json!({"code": digits, "amount": cny(minor), "order_number": "A-1"});
            let refused = app.paying_with(till, &body, &format!("key-{minor}-{digits}")).send().await;
            assert_eq!(refused.problem(409, "order-number-conflict")["payment"], payment_id(&first));
        }
        assert_eq!(posted(&app, &cast).await, 99_000);
        // The refused attempt did not spend the other code.
        app.charge(till, &other, 1_000, "A-2").await.expect(201);
    }

    async fn a_refused_attempt_frees_the_order_number_and_a_paid_one_does_not(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let send = async |digits: &str, minor: i64, key: &str| {
            let body = json!({"code": digits, "amount": cny(minor), "order_number": "A-1"});
            app.paying_with(till, &body, key).send().await
        };
        send(&app.own_digits(&cast.person).await, 100_001, "k-1").await.problem(422, "limit-exceeded");
        assert!(app.list_of(till, "/v1/payments?order_number=A-1").await.is_empty());
        send(&app.own_digits(&cast.person).await, 1_000, "k-2").await.expect(201);
        send(&app.own_digits(&cast.person).await, 1_000, "k-3").await.problem(409, "order-number-conflict");
    }

    async fn a_held_payment_keeps_its_order_number(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        app.hold(till, &app.own_digits(&cast.person).await, 1_000, "A-1").await.expect(201);
        let body = json!({"code": app.own_digits(&cast.person).await, "amount": cny(1_000), "order_number": "A-1"});
        app.paying_with(till, &body, "k-2").send().await.problem(409, "order-number-conflict");
    }

    async fn a_used_code_with_another_sale_alarms_its_owner(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(till, &digits, 1_000, "A-1").await.ok(201);
        // The same sale again is no alarm.
        app.charge(till, &digits, 1_000, "A-1").await.expect(201);
        assert!(app.list_of(&cast.person.token, "/v1/people/me/alarms").await.is_empty());
        app.charge(till, &digits, 1_000, "A-2").await.problem(409, "code-used");
        let alarms = app.list_of(&cast.person.token, "/v1/people/me/alarms").await;
        assert_eq!(alarms.len(), 1);
        assert_eq!((&alarms[0]["kind"], &alarms[0]["payment"]), (&json!("code_repeated"), &paid["payment"]["id"]));
    }
}
