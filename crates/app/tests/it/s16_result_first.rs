//! Row S16: the result goes first, and the terminal fetches the details quietly with what the result named.

use serde_json::json;

use crate::steps::{cny, payment_id};
use crate::support::{TestApp, on_both};

on_both! {
    async fn s16_the_result_comes_first_and_names_what_to_fetch(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        let body = json!({"code": digits, "amount": cny(1_000), "order_number": "A-1", "profile": "later"});
        let first = app.paying_with(till, &body, "A-1").send().await;
        let result = first.ok(201);
        assert_eq!(result["payment"]["state"], "paid");
        assert_eq!(result["profile"], json!({"status": "later"}));
        assert!(!first.text().contains("Li Lei"), "{result}");

        let fetched = app.fetch_profile(till, &payment_id(&result)).await.ok(200);
        assert_eq!(fetched["status"], "settled");
        assert_eq!(fetched["profile"]["title"], "Li Lei Trading");
        assert_eq!(app.fetch_profile(till, &payment_id(&result)).await.ok(200), fetched, "again the same");
    }

    async fn s16_nobody_but_the_merchant_fetches_the_details(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let payment = payment_id(&paid);
        let other = app.merchant("Tailor", "5651").await;
        for key in [&other.cashier_key, &other.invoice_key] {
            let refused = app.fetch_profile(key, &payment).await;
            refused.problem(404, "not-found");
            assert!(!refused.text().contains("Li Lei"));
            app.see_payment(key, &payment).await.problem(404, "not-found");
        }
        for token in [&cast.person.token, &cast.institution.key] {
            app.fetch_profile(token, &payment).await.problem(403, "wrong-role");
        }
        // The other till of the same merchant may.
        let (_, second_till) = app
            .terminal(&cast.merchant.store, "Till 2", onescan_domain::merchants::TerminalRole::Cashier)
            .await;
        assert_eq!(app.fetch_profile(&second_till, &payment).await.ok(200)["status"], "settled");
    }

    async fn s16_after_a_lost_answer_the_order_number_finds_the_payment(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let path = "/v1/payments?order_number=A-1";
        assert!(app.list_of(till, path).await.is_empty());
        let paid = app.charge(till, &app.own_digits(&cast.person).await, 1_000, "A-1").await.ok(201);
        let found = app.list_of(till, path).await;
        assert_eq!(found, [paid["payment"].clone()]);
        let other = app.merchant("Tailor", "5651").await;
        assert!(app.list_of(&other.cashier_key, path).await.is_empty(), "order numbers are each merchant's own");
    }

    async fn s16_a_long_wait_ends_at_once_when_nobody_is_asked(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let paid = app.charge(till, &app.own_digits(&cast.person).await, 1_000, "A-1").await.ok(201);
        let path = format!("/v1/payments/{}/invoice-profile", payment_id(&paid));
        let waited = app.get(&format!("{path}?wait_ms=20000")).bearer(till).send().await.ok(200);
        assert_eq!(waited["status"], "none");
        app.get(&format!("{path}?wait_ms=20001")).bearer(till).send().await.problem(422, "invalid-fields");
    }
}
