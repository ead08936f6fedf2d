//! Row S13: a code reads as unpaid, then paid, then invoice issued; afterwards a request for the invoice details answers
//! with the issued invoice.

use serde_json::{Value, json};

use crate::steps::payment_id;
use crate::support::http::Answer;
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

async fn issue(app: &TestApp, key: &str, payment: &str, number: Option<&str>) -> Answer {
    let call = app.post(&format!("/v1/payments/{payment}/invoice")).bearer(key);
    match number {
        Some(number) => call.json(&json!({"number": number})).send().await,
        None => call.send().await,
    }
}

async fn invoice_seen_by(app: &TestApp, token: &str, payment: &str) -> Answer {
    app.get(&format!("/v1/payments/{payment}/invoice"))
        .bearer(token)
        .send()
        .await
}

on_both! {
    async fn s13_a_code_is_unpaid_then_paid_then_invoice_issued(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let token = &cast.person.token;
        let code = app.show_user_code(token, "phone").await;
        assert_eq!(app.code_status(token, &code.id).await, "unpaid");

        let paid = app.charge(&cast.merchant.cashier_key, &code.digits, 1_000, "A-1").await.ok(201);
        let payment = payment_id(&paid);
        assert_eq!(app.code_status(token, &code.id).await, "paid");
        invoice_seen_by(&app, token, &payment).await.problem(404, "not-found");

        let issued = issue(&app, &cast.merchant.key, &payment, Some("2026-17")).await.ok(201);
        assert_eq!(app.code_status(token, &code.id).await, "invoice_issued");
        for reader in [token, &cast.merchant.cashier_key, &cast.merchant.key] {
            let seen = invoice_seen_by(&app, reader, &payment).await.ok(200);
            assert_eq!(seen, issued);
            assert_eq!((&seen["number"], &seen["payment"]), (&json!("2026-17"), &json!(payment)));
        }
        app.scan(&cast.merchant.cashier_key, &code.digits, None).await.problem(409, "code-used");
    }

    async fn s13_after_issuance_a_request_for_the_details_answers_with_the_invoice(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let payment = payment_id(&paid);
        let before = app.fetch_profile(&cast.merchant.cashier_key, &payment).await.ok(200);
        assert_eq!((&before["status"], &before["invoice"]), (&json!("settled"), &Value::Null));

        let invoice = issue(&app, &cast.merchant.key, &payment, Some("2026-17")).await.ok(201);
        let after = app.fetch_profile(&cast.merchant.cashier_key, &payment).await.ok(200);
        assert_eq!(after["status"], "issued");
        assert_eq!(after["invoice"], invoice);
        // A terminal that lost the first answer still gets what it said.
        assert_eq!(after["profile"], before["profile"]);
        let scanned = app.second_scan(&cast.merchant.invoice_key, &digits).await.ok(200);
        assert_eq!(scanned["status"], "invoice_issued");
        assert_eq!(scanned["invoice"], invoice);
    }

    async fn s13_a_payment_has_one_invoice_whatever_is_repeated(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let payment = payment_id(&paid);
        let key = &cast.merchant.key;
        let first = issue(&app, key, &payment, None).await.ok(201);
        assert_eq!(first["number"], Value::Null);
        app.clock.advance_ms(1_000);
        assert_eq!(issue(&app, key, &payment, None).await.ok(201), first, "the same again changes nothing");
        let numbered = issue(&app, key, &payment, Some("2026-17")).await.ok(201);
        assert_eq!((&numbered["id"], &numbered["issued_at"]), (&first["id"], &first["issued_at"]));
        assert_eq!(numbered["number"], "2026-17");
        assert_eq!(issue(&app, key, &payment, Some("2026-17")).await.ok(201), numbered);
        issue(&app, key, &payment, Some("2026-18")).await.problem(409, "invoice-issued");
        assert_eq!(invoice_seen_by(&app, key, &payment).await.ok(200), numbered);
    }

    async fn s13_only_a_paid_payment_of_this_merchant_is_invoiced(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let refused = app.charge(till, &app.own_digits(&cast.person).await, 99_999_999, "A-1").await;
        let refused = text(&refused.problem(422, "limit-exceeded"), "/payment").to_owned();
        issue(&app, till, &refused, None).await.problem(409, "wrong-state");

        let held = app.hold(till, &app.own_digits(&cast.person).await, 1_000, "A-2").await.ok(201);
        issue(&app, till, &payment_id(&held), None).await.problem(409, "wrong-state");

        let paid = app.charge(till, &app.own_digits(&cast.person).await, 1_000, "A-3").await.ok(201);
        let other = app.merchant("Tailor", "5651").await;
        for key in [&other.key, &other.cashier_key, &other.invoice_key, &cast.person.token] {
            issue(&app, key, &payment_id(&paid), None).await.problem(404, "not-found");
        }
    }

    async fn s13_a_code_whose_payment_failed_or_was_undone_is_spent(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let token = &cast.person.token;

        let refused = app.show_user_code(token, "phone").await;
        app.charge(till, &refused.digits, 99_999_999, "A-1").await.problem(422, "limit-exceeded");
        assert_eq!(app.code_status(token, &refused.id).await, "spent");

        let reversed = app.show_user_code(token, "phone").await;
        let paid = app.charge(till, &reversed.digits, 1_000, "A-2").await.ok(201);
        app.change(till, &payment_id(&paid), "reversals", "back", &Value::Null).await.expect(201);
        assert_eq!(app.code_status(token, &reversed.id).await, "spent");

        for spent in [&refused, &reversed] {
            app.charge(till, &spent.digits, 500, "A-3").await.problem(409, "code-used");
        }
    }

    async fn s13_the_status_of_a_code_is_its_owners_business(app: TestApp) {
        let cast = app.cast().await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        app.charge(&cast.merchant.cashier_key, &code.digits, 1_000, "A-1").await.expect(201);
        let path = format!("/v1/service-codes/{}", code.id);
        app.get(&path).bearer(&cast.member.token).send().await.problem(404, "not-found");
        app.get(&path).bearer(&cast.merchant.cashier_key).send().await.problem(403, "wrong-role");
    }
}
