//! Amounts that cannot be.

use serde_json::{Value, json};

use crate::steps::cny;
use crate::support::http::Call;
use crate::support::{Cast, TestApp, on_both};

/// Every place where an amount is taken, with the amount's JSON as text: some of it no library would write.
async fn calls(app: &TestApp, cast: &Cast, payment: &str, amount: &str) -> Vec<Call> {
    let operator = app.operator_key().await;
    let code = app.show_user_code(&cast.person.token, "amounts").await.digits;
    let institution = cast.institution.institution.id;
    let member = cast.institution.institution.account;
    let call = |path: &str, credential: &str, fields: &str| {
        let body = format!("{{{fields}\"amount\":{amount}}}");
        let call = app.post(path).bearer(credential).idempotency_key(&app.fresh_text());
        call.body("application/json", body)
    };
    let (till, invoices) = (&cast.merchant.cashier_key, &cast.merchant.invoice_key);
    let code = format!("\"code\":\"{code}\",");
    vec![
        call("/v1/scans", till, &code),
        call("/v1/payments", till, &format!("{code}\"order_number\":\"A-1\",")),
        call(&format!("/v1/payments/{payment}/refunds"), till, "\"number\":\"R-1\","),
        call(
            "/v1/invoice-scans/paid",
            invoices,
            &format!("{code}\"means\":\"cash\","),
        ),
        call(&format!("/v1/people/{}/top-ups", cast.person.person.id), &operator, ""),
        call(
            &format!("/v1/institutions/{institution}/accounts/top-ups"),
            &operator,
            "",
        ),
        call(
            &format!("/v1/institutions/{institution}/accounts/allotments"),
            &cast.administrator.token,
            &format!("\"from\":\"{}\",\"to\":\"{member}\",", dedicated(app, cast).await),
        ),
        call(
            &format!("/v1/code-records/{}/dry-runs", cast.person.record.id.as_str()),
            &cast.person.token,
            "\"category\":\"5812\",",
        ),
    ]
}

async fn dedicated(app: &TestApp, cast: &Cast) -> String {
    let account = app
        .services
        .institutions
        .open_member_account(cast.member.member.id)
        .await;
    account.unwrap().unwrap().to_string()
}

async fn setting(app: &TestApp) -> (Cast, String) {
    let cast = app.cast().await;
    let code = app.show_user_code(&cast.person.token, "phone").await;
    let paid = app.paid(&cast.merchant.cashier_key, &code.digits, 1_000, "first").await;
    dedicated(app, &cast).await;
    (cast, paid["payment"]["id"].as_str().unwrap().to_owned())
}

async fn check(app: &TestApp, cast: &Cast, payment: &str, amount: &str, status: u16, field: &str) {
    for call in calls(app, cast, payment, amount).await {
        let answer = app.changes_nothing(call).await;
        let code = if status == 400 { "unreadable" } else { "invalid-fields" };
        let problem = answer.problem(status, code);
        assert_eq!(problem["field"], field, "{amount}: {problem}");
    }
}

on_both! {
    async fn nothing_and_less(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        for minor in ["0", "-1", "-100", "-9223372036854775808"] {
            let amount = format!("{{\"amount_minor\":{minor},\"currency\":\"CNY\"}}");
            check(&app, &cast, &payment, &amount, 422, "amount.amount_minor").await;
        }
    }

    async fn more_than_there_is(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        let amount = "{\"amount_minor\":9223372036854775807,\"currency\":\"CNY\"}";
        check(&app, &cast, &payment, amount, 422, "amount.amount_minor").await;
    }

    async fn what_is_no_whole_number(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        let wrong = [
            "9223372036854775808", "-9223372036854775809", "99999999999999999999999999", "\"9223372036854775808\"",
            "\"100\"", "12.5", "100.0", "1e3", "null", "true", "[100]", "{}", "\"\"",
        ];
        for minor in wrong {
            let amount = format!("{{\"amount_minor\":{minor},\"currency\":\"CNY\"}}");
            check(&app, &cast, &payment, &amount, 400, "amount.amount_minor").await;
        }
    }

    async fn what_is_no_currency(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        for currency in ["\"XYZ\"", "\"cny\"", "\"CNY \"", "\"\"", "\"\u{ffe5}\"", "\"RMB\"", "null", "156"] {
            let amount = format!("{{\"amount_minor\":100,\"currency\":{currency}}}");
            check(&app, &cast, &payment, &amount, 400, "amount.currency").await;
        }
        for amount in ["{\"amount_minor\":100}", "{\"currency\":\"CNY\"}", "100", "\"1.00 CNY\"", "null", "[]"] {
            for call in calls(&app, &cast, &payment, amount).await {
                let answer = app.changes_nothing(call).await;
                // A scan may leave its amount out.
                match (amount, answer.status.as_u16()) {
                    ("null", 200) => {}
                    _ => drop(answer.problem(400, "unreadable")),
                }
            }
        }
    }

    async fn another_currency(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        let amount = "{\"amount_minor\":100,\"currency\":\"EUR\"}";
        let calls = calls(&app, &cast, &payment, amount).await;
        for call in [&calls[2], &calls[4], &calls[5], &calls[6]] {
            let problem = app.changes_nothing(call.clone()).await.problem(422, "currency-mismatch");
            let reason = &problem["reasons"][0];
            assert_eq!((&reason["seen"], &reason["allowed"]), (&json!("EUR"), &json!("CNY")), "{problem}");
        }
        // A look at the code does not say that it would be permitted.
        let scan = app.changes_nothing(calls[0].clone()).await.ok(200);
        assert_eq!(scan["verdict"], "barred", "{scan}");
        assert_eq!((&scan["reasons"][0]["seen"], &scan["reasons"][0]["allowed"]), (&json!("EUR"), &json!("CNY")));
        assert_eq!(scan["scenario"].get("permitted_minor"), None, "{scan}");
        app.changes_nothing(calls[7].clone()).await.problem(422, "currency-mismatch");
        // Paying with it is a refused payment: no money moved, the code is dead.
        let problem = calls[1].clone().send().await.problem(422, "currency-mismatch");
        assert_eq!(problem["reasons"][0]["allowed"], "CNY", "{problem}");
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_000);
        let refused = problem["payment"].as_str().unwrap();
        let seen = app.see_payment(&cast.person.token, refused).await.ok(200);
        assert_eq!(seen["state"], "refused");
    }

    async fn more_than_was_paid(app: TestApp) {
        let (cast, payment) = setting(&app).await;
        let refund = json!({"number": "R-1", "amount": cny(1_001)});
        let path = format!("/v1/payments/{payment}/refunds");
        let call = app.post(&path).bearer(&cast.merchant.cashier_key).idempotency_key("k").json(&refund);
        let problem: Value = app.changes_nothing(call).await.problem(422, "amount-too-large");
        assert_eq!(problem["reasons"][0]["left"], 1_000);
    }

    async fn balances_do_not_run_over(app: TestApp) {
        let cast = app.cast().await;
        let operator = app.operator_key().await;
        let path = format!("/v1/people/{}/top-ups", cast.person.person.id);
        let most = 1_000_000_000_000_000_i64;
        for number in 0..3 {
            let call = app.post(&path).bearer(&operator).idempotency_key(&format!("k-{number}"));
            call.json(&json!({"amount": cny(most)})).send().await.expect(201);
        }
        let call = app.post(&path).bearer(&operator).idempotency_key("k").json(&json!({"amount": cny(most + 1)}));
        let problem = app.changes_nothing(call).await.problem(422, "invalid-fields");
        assert_eq!(problem["field"], "amount.amount_minor");
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 100_000 + 3 * most);
    }
}
