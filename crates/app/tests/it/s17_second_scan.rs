//! Row S17: a cashier without invoicing, and an invoice terminal that scans the same code again. Figure 6.

use onescan_domain::merchants::{TerminalRole, TerminalTrust};
use onescan_platforms::merchants::NewTerminal;
use serde_json::{Value, json};

use crate::steps::{cny, payment_id, unknown_digits};
use crate::support::{TestApp, on_both};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

on_both! {
    async fn s17_outside_its_period_a_code_is_invalid(app: TestApp) {
        let cast = app.cast().await;
        let terminal = &cast.merchant.invoice_key;
        app.second_scan(terminal, &unknown_digits(1)).await.problem(404, "code-unknown");

        let unpaid = app.own_digits(&cast.person).await;
        let paid = app.digits_on(&cast.person.token, None, "tablet").await;
        app.charge(&cast.merchant.cashier_key, &paid, 1_000, "A-1").await.expect(201);
        app.clock.advance_ms(75_000);
        app.second_scan(terminal, &unpaid).await.problem(410, "code-expired");
        app.clock.advance_ms(DAY_MS - 75_000 - 1);
        assert_eq!(app.second_scan(terminal, &paid).await.ok(200)["status"], "paid");
        app.clock.advance_ms(1);
        app.second_scan(terminal, &paid).await.problem(410, "code-expired");
    }

    async fn s17_an_unpaid_code_says_so_and_tells_nothing_else(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        let scanned = app.second_scan(&cast.merchant.invoice_key, &code.digits).await.ok(200);
        assert_eq!(scanned, json!({"status": "unpaid"}));
        // Looking does not spend it.
        app.charge(&cast.merchant.cashier_key, &code.digits, 1_000, "A-1").await.expect(201);
    }

    async fn s17_a_paid_code_hands_over_the_details_and_then_is_issued(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let terminal = &cast.merchant.invoice_key;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        let body = json!({"code": code.digits, "amount": cny(1_000), "order_number": "A-1", "profile": "later"});
        let paid = app.paying_with(&cast.merchant.cashier_key, &body, "A-1").send().await.ok(201);

        // The pay window is over, the invoice window is not.
        app.clock.advance_ms(75_000);
        let first = app.second_scan(terminal, &code.digits).await.ok(200);
        assert_eq!(first["status"], "paid");
        assert_eq!(first["payment"], paid["payment"]);
        assert_eq!(first["profile"]["profile"]["title"], "Li Lei Trading");
        assert_eq!(app.code_status(&cast.person.token, &code.id).await, "invoice_issued");

        let second = app.second_scan(terminal, &code.digits).await.ok(200);
        assert_eq!(second["status"], "invoice_issued");
        assert_eq!(second["invoice"]["payment"], paid["payment"]["id"]);
        assert_eq!(second["invoice"]["issued_at"], "2026-11-23T09:01:15.000Z");
        assert_eq!(second["payment"], paid["payment"]);
        assert_eq!(second["profile"], Value::Null, "an issued reminder, not the details again: {second}");
    }

    async fn s17_another_merchants_terminal_gets_nothing(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let other = app.merchant("Tailor", "5651").await;
        let digits = app.own_digits(&cast.person).await;
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.expect(201);
        let refused = app.second_scan(&other.invoice_key, &digits).await;
        refused.problem(410, "code-expired");
        assert!(!refused.text().contains("Li Lei"), "{}", refused.text());
        app.assert_paid(&other.invoice_key, &digits, 1_000, "cash-1").await.problem(409, "code-used");
        assert_eq!(app.second_scan(&cast.merchant.invoice_key, &digits).await.ok(200)["status"], "paid");
    }

    async fn s17_a_code_whose_payment_was_refused_is_used(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        app.charge(&cast.merchant.cashier_key, &digits, 99_999_999, "A-1").await.problem(422, "limit-exceeded");
        app.second_scan(&cast.merchant.invoice_key, &digits).await.problem(409, "code-used");
        app.assert_paid(&cast.merchant.invoice_key, &digits, 1_000, "cash-1").await.problem(409, "code-used");
    }

    async fn s17_only_an_invoice_terminal_scans_again(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        app.second_scan(&cast.merchant.cashier_key, &digits).await.problem(403, "wrong-role");
        app.scan(&cast.merchant.invoice_key, &digits, None).await.problem(403, "wrong-role");
        app.charge(&cast.merchant.invoice_key, &digits, 1_000, "A-1").await.problem(403, "wrong-role");
        app.second_scan(&cast.person.token, &digits).await.problem(403, "wrong-role");
    }

    async fn s17_paid_elsewhere_is_asserted_without_moving_money(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let (till, terminal) = (&cast.merchant.cashier_key, &cast.merchant.invoice_key);
        let token = &cast.person.token;
        let code = app.show_user_code(token, "phone").await;
        assert_eq!(app.second_scan(terminal, &code.digits).await.ok(200)["status"], "unpaid");

        let marked = app.assert_paid(terminal, &code.digits, 2_500, "cash-1").await.ok(201);
        assert_eq!(marked["payment"]["state"], "paid_elsewhere");
        assert_eq!(marked["payment"]["amount"], cny(2_500));
        assert_eq!((&marked["payment"]["means"], &marked["payment"]["reference"]), (&json!("cash"), &json!("drawer 2")));
        assert_eq!(marked["profile"]["profile"]["title"], "Li Lei Trading");

        // The details were handed over, so the code reads as invoice issued.
        assert_eq!(app.code_status(token, &code.id).await, "invoice_issued");
        assert_eq!(app.second_scan(terminal, &code.digits).await.ok(200)["status"], "invoice_issued");

        // No money is booked, and the code is dead for payment.
        let transfers = app.list_of(token, &format!("/v1/accounts/{}/transfers", cast.person.person.account)).await;
        assert_eq!(transfers.len(), 1, "the top-up alone: {transfers:?}");
        app.settle().await;
        assert_eq!(app.account(cast.merchant.merchant.account).await.posted_minor, 0);
        app.scan(till, &code.digits, None).await.problem(409, "code-used");
        app.charge(till, &code.digits, 2_500, "A-1").await.problem(409, "code-used");
        app.refund(till, &payment_id(&marked), "R-1", 100).await.problem(409, "wrong-state");

        // The person sees what was asserted of them.
        let history = app.history(token).await;
        assert_eq!(history.len(), 1);
        assert_eq!(history[0]["state"], "paid_elsewhere");
        assert_eq!(history[0]["means"], "cash");
        assert_eq!(history[0]["reference"], "drawer 2");
        assert_eq!(history[0]["terminal"], cast.merchant.invoice.id.to_string());
    }

    async fn s17_asserting_needs_the_right_and_every_field(app: TestApp) {
        let cast = app.cast().await;
        let new = NewTerminal {
            store: cast.merchant.store.id,
            name: "Kiosk".to_owned(),
            role: TerminalRole::Invoice,
            trust: TerminalTrust::Full,
            may_assert_paid: false,
        };
        let merchants = &app.services.merchants;
        let (_, kiosk) = merchants.add_terminal(cast.merchant.merchant.id, new).await.unwrap().unwrap();
        let digits = app.own_digits(&cast.person).await;
        app.assert_paid(&kiosk.text, &digits, 1_000, "cash-1").await.problem(403, "not-allowed");
        app.assert_paid(&cast.merchant.cashier_key, &digits, 1_000, "cash-1").await.problem(403, "wrong-role");

        let terminal = &cast.merchant.invoice_key;
        let send = async |body: Value| {
            let call = app.post("/v1/invoice-scans/paid").bearer(terminal).idempotency_key("cash-2");
            call.json(&body).send().await
        };
        send(json!({"code": digits, "amount": cny(1_000)})).await.problem(400, "unreadable");
        send(json!({"code": digits, "means": "cash"})).await.problem(400, "unreadable");
        send(json!({"code": digits, "amount": cny(0), "means": "cash"})).await.problem(422, "invalid-fields");
        send(json!({"code": digits, "amount": cny(1_000), "means": " "})).await.problem(422, "invalid-fields");
        let body = json!({"code": digits, "amount": cny(1_000), "means": "cash"});
        let without_key = app.post("/v1/invoice-scans/paid").bearer(terminal).json(&body).send().await;
        without_key.problem(400, "idempotency-key-missing");
        assert!(app.history(&cast.person.token).await.is_empty());
        send(body).await.expect(201);
    }

    async fn s17_an_assertion_that_is_repeated_is_one(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.person.record, "Li Lei Trading", &[]).await;
        let terminal = &cast.merchant.invoice_key;
        let digits = app.own_digits(&cast.person).await;
        let first = app.assert_paid(terminal, &digits, 1_000, "cash-1").await;
        assert_eq!(first.header("idempotent-replayed"), None);
        app.clock.advance_ms(100_000);
        let again = app.assert_paid(terminal, &digits, 1_000, "cash-1").await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.ok(201), first.ok(201));
        app.assert_paid(terminal, &digits, 1_001, "cash-1").await.problem(409, "idempotency-key-conflict");
        app.assert_paid(terminal, &digits, 1_000, "cash-2").await.problem(409, "code-used");
        assert_eq!(app.history(&cast.person.token).await.len(), 1);
    }

    async fn s17_a_paid_code_cannot_be_asserted(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.own_digits(&cast.person).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        app.assert_paid(&cast.merchant.invoice_key, &digits, 1_000, "cash-1").await.problem(409, "code-used");
        let seen = app.see_payment(&cast.person.token, &payment_id(&paid)).await.ok(200);
        assert_eq!(seen["state"], "paid");
    }

    /// An assertion must not be a way to try digits: it counts like a scan.
    async fn s17_guessing_by_assertion_stops_the_terminal(app: TestApp) {
        let cast = app.cast().await;
        let terminal = &cast.merchant.invoice_key;
        let good = app.own_digits(&cast.person).await;
        for number in 0..5 {
            let refused = app.assert_paid(terminal, &unknown_digits(number), 1_000, &format!("cash-{number}")).await;
            refused.problem(404, "code-unknown");
        }
        let locked = app.assert_paid(terminal, &good, 1_000, "cash-good").await;
        locked.problem(429, "terminal-locked");
        assert_eq!(locked.header("retry-after"), Some("900"));
        app.second_scan(terminal, &good).await.problem(429, "terminal-locked");
    }

    async fn s17_cash_may_change_hands_after_the_pay_window_but_not_days_later(app: TestApp) {
        let cast = app.cast().await;
        let terminal = &cast.merchant.invoice_key;
        let slow = app.own_digits(&cast.person).await;
        let forgotten = app.digits_on(&cast.person.token, None, "tablet").await;
        app.clock.advance_ms(10 * 75_000);
        let first = app.assert_paid(terminal, &slow, 1_000, "cash-1").await.ok(201);
        app.clock.advance_ms(DAY_MS - 10 * 75_000);
        app.assert_paid(terminal, &forgotten, 1_000, "cash-2").await.problem(410, "code-expired");
        assert_eq!(app.assert_paid(terminal, &slow, 1_000, "cash-1").await.ok(201), first, "a repeat gets its answer");
    }
}
