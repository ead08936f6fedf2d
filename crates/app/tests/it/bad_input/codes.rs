//! Codes that cannot be used.

use onescan_domain::codes::CodeText;
use serde_json::{Value, json};

use crate::steps::{cny, unknown_digits};
use crate::support::http::Call;
use crate::support::{Cast, TestApp, on_both};

/// Every way to show a code to the program.
fn calls(app: &TestApp, cast: &Cast, code: &Value) -> Vec<Call> {
    let post = |path: &str, key: &str, body: Value| app.post(path).bearer(key).idempotency_key("k-1").json(&body);
    let (till, invoices) = (&cast.merchant.cashier_key, &cast.merchant.invoice_key);
    vec![
        post("/v1/scans", till, json!({"code": code})),
        post(
            "/v1/payments",
            till,
            json!({"code": code, "amount": cny(100), "order_number": "A-1"}),
        ),
        post("/v1/invoice-scans", invoices, json!({"code": code})),
        post(
            "/v1/invoice-scans/paid",
            invoices,
            json!({"code": code, "amount": cny(100), "means": "cash"}),
        ),
    ]
}

/// Each is refused in the same words, and writes nothing.
async fn check(app: &TestApp, cast: &Cast, code: &str, status: u16, name: &str) -> String {
    let mut details = Vec::new();
    for call in calls(app, cast, &json!(code)) {
        let problem = app.changes_nothing(call).await.problem(status, name);
        assert_eq!(problem["field"], "code", "{code}");
        details.push(problem["detail"].as_str().unwrap().to_owned());
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
    details.remove(0)
}

on_both! {
    async fn unknown_and_foreign_codes(app: TestApp) {
        let cast = app.cast().await;
        assert_eq!(check(&app, &cast, &unknown_digits(1), 404, "code-unknown").await, "there is no such code");
        let own = app.show_user_code(&cast.person.token, "phone").await;
        let foreign = CodeText::from_parts(77, CodeText::parse(&own.digits).unwrap().body());
        check(&app, &cast, foreign.as_str(), 404, "code-unknown").await;
    }

    async fn mistyped_codes_are_told_what_is_mistyped(app: TestApp) {
        let cast = app.cast().await;
        let good = app.show_user_code(&cast.person.token, "phone").await.digits;
        let wrong_digit = |at: usize| {
            let mut digits = good.clone().into_bytes();
            digits[at] = if digits[at] == b'7' { b'8' } else { b'7' };
            String::from_utf8(digits).unwrap()
        };
        let swapped_at = good.as_bytes().windows(2).position(|pair| pair[0] != pair[1]).unwrap();
        let mut swapped = good.clone().into_bytes();
        swapped.swap(swapped_at, swapped_at + 1);
        let check_digit = "the check digit does not match: a digit is mistyped or two are swapped";
        let fullwidth: String = good.chars().map(|digit| char::from_u32(digit as u32 - 48 + 0xff10).unwrap()).collect();
        let length = |count: usize| format!("a code has 18 digits, this text has {count} characters");
        let no_digit = |at: usize| format!("a code has only digits, but character {at} is not one");
        let cases = [
            (wrong_digit(0), check_digit.to_owned()),
            (wrong_digit(9), check_digit.to_owned()),
            (wrong_digit(17), check_digit.to_owned()),
            (String::from_utf8(swapped).unwrap(), check_digit.to_owned()),
            (String::new(), length(0)),
            (good[1..].to_owned(), length(17)),
            (format!("{good}0"), length(19)),
            (good.repeat(600), length(10_800)),
            (format!("{}x", &good[..17]), no_digit(18)),
            (format!("{}\u{0}", &good[..17]), no_digit(18)),
            (format!("{}\u{202e}", &good[..17]), no_digit(18)),
            (fullwidth, no_digit(1)),
            ("https://example.org/".to_owned(), length(20)),
            ("😀".repeat(18), no_digit(1)),
        ];
        for (code, detail) in cases {
            assert_eq!(check(&app, &cast, &code, 422, "code-mistyped").await, detail, "{code}");
        }
        // As people read it aloud it is right.
        let spoken = format!(" {} {}-{}\u{a0}", &good[..4], &good[4..8], &good[8..]);
        app.paid(&cast.merchant.cashier_key, &spoken, 100, "A-1").await;
    }

    async fn a_code_is_a_text(app: TestApp) {
        let cast = app.cast().await;
        for code in [json!(281_234_567_890_123_456_u64), json!(null), json!(["28"]), json!({"digits": "28"}), json!(true)] {
            for call in calls(&app, &cast, &code) {
                let problem = app.changes_nothing(call).await.problem(400, "unreadable");
                assert_eq!(problem["field"], "code", "{code}");
            }
        }
    }

    async fn expired_codes(app: TestApp) {
        let cast = app.cast().await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        app.clock.advance_ms(75_000);
        // The pay window does not bind whoever was paid in cash.
        for call in calls(&app, &cast, &json!(code.digits)).into_iter().take(3) {
            app.changes_nothing(call).await.problem(410, "code-expired");
        }
        // Days later, when the numbers of time slots have come round, they are not another code's.
        app.clock.advance_ms(60 * 3_600_000);
        for call in calls(&app, &cast, &json!(code.digits)).into_iter().take(3) {
            let answer = app.changes_nothing(call).await;
            assert!(matches!(answer.status.as_u16(), 404 | 410), "{}", answer.text());
        }
    }

    async fn used_codes(app: TestApp) {
        let cast = app.cast().await;
        let other = app.merchant("Far away", "5812").await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        app.paid(&cast.merchant.cashier_key, &code.digits, 100, "first").await;
        let before = app.row_counts().await;
        for merchant in [&cast.merchant, &other] {
            let cast = Cast { merchant: merchant.clone(), ..cast.clone() };
            let calls = calls(&app, &cast, &json!(code.digits));
            for (at, call) in calls.into_iter().enumerate() {
                // The second scan of a paid code is no refusal at its own merchant.
                match (at, merchant.merchant.id == other.merchant.id) {
                    (2, false) => {}
                    (2, true) => drop(call.send().await.problem(410, "code-expired")),
                    _ => drop(call.send().await.problem(409, "code-used")),
                }
            }
        }
        let mut after = app.row_counts().await;
        // The person is told, nothing else is written.
        after.insert("alarms".to_owned(), before["alarms"]);
        assert_eq!(after, before);
        assert_eq!(app.breaches().await, Vec::<String>::new());
        assert_eq!(app.posted(&cast.person.token, cast.person.person.account).await, 99_900);
    }
}
