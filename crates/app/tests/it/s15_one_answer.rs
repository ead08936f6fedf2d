//! Row S15: the payment's success and the buyer's details reach the terminal in one answer.

use serde_json::{Value, json};

use crate::support::{TestApp, on_both};

on_both! {
    async fn s15_result_and_details_come_in_one_answer(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.institution.record, "示例科技有限公司", &[]).await;
        let digits = app.member_digits(&cast.member).await;
        let body = json!({
            "code": digits,
            "amount": {"amount_minor": 1_250, "currency": "CNY"},
            "order_number": "2026-11-23/0017",
            "subject": "面条 ×2",
        });
        let answer = app.paying_with(&cast.merchant.cashier_key, &body, "A-1").send().await.ok(201);
        let payment = &answer["payment"];
        assert_eq!(payment["state"], "paid");
        assert_eq!(payment["amount"], json!({"amount_minor": 1_250, "currency": "CNY"}));
        assert_eq!(payment["order_number"], "2026-11-23/0017");
        assert_eq!(payment["subject"], "面条 ×2");
        assert_eq!(payment["kind"], "institution");
        assert_eq!(payment["paid_at"], "2026-11-23T09:00:00.000Z");
        assert_eq!(answer["profile"]["status"], "settled");
        let details = json!({"title_kind": "company", "title": "示例科技有限公司", "tax_number": "91330106MA2CFLDG4R"});
        assert_eq!(answer["profile"]["profile"], details);
        // Both sides of the money: at once the payer's, a moment later the merchant's.
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 998_750);
        app.settle().await;
        assert_eq!(app.account(cast.merchant.merchant.account).await.posted_minor, 1_250);
    }

    async fn s15_a_buyer_without_details_pays_all_the_same(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let answer = app.charge(&cast.merchant.cashier_key, &digits, 1_250, "A-1").await.ok(201);
        assert_eq!(answer["payment"]["state"], "paid");
        assert_eq!(answer["profile"], json!({"status": "none"}));
    }

    async fn s15_a_refused_payment_hands_over_no_details(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.institution.record, "Example Technology Ltd", &[]).await;
        let digits = app.member_digits(&cast.member).await;
        let refused = app.charge(&cast.merchant.cashier_key, &digits, 5_001, "A-1").await;
        let problem = refused.problem(422, "limit-exceeded");
        assert!(!refused.text().contains("Example Technology"), "{problem}");
        let payment = problem["payment"].as_str().unwrap();
        let fetched = app.fetch_profile(&cast.merchant.cashier_key, payment).await.ok(200);
        assert_eq!(fetched, json!({"status": "none"}));
    }

    async fn s15_held_money_hands_over_the_details_when_it_is_captured(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let till = &cast.merchant.cashier_key;
        let held = app.hold(till, &app.own_digits(&cast.person).await, 1_000, "A-1").await.ok(201);
        assert_eq!(held["payment"]["state"], "authorised");
        assert_eq!(held["profile"]["profile"], Value::Null, "nothing is paid yet: {held}");
        let payment = crate::steps::payment_id(&held);
        assert_eq!(app.fetch_profile(till, &payment).await.ok(200)["status"], "none");
        app.change(till, &payment, "captures", "take", &Value::Null).await.expect(201);
        assert_eq!(app.fetch_profile(till, &payment).await.ok(200)["profile"]["title"], "Li Lei Trading");
    }
}
