//! Row S14: payments asks codes again before it moves money; a failure reaches the terminal and the person.

use onescan_domain::codes::RecordState;
use onescan_domain::institutions::MemberState;
use onescan_domain::policy::Policy;
use serde_json::{Value, json};

use crate::steps::payment_id;
use crate::support::builders::Cast;
use crate::support::{TestApp, on_both};

/// A member's code that was scanned and found good for 10.00.
async fn scanned(app: &TestApp, cast: &Cast) -> String {
    let digits = app.member_digits(&cast.member).await;
    let scan = app.scan(&cast.merchant.cashier_key, &digits, Some(1_000)).await.ok(200);
    assert_eq!(scan["verdict"], "permitted");
    digits
}

async fn check_nothing_moved(app: &TestApp, cast: &Cast) {
    let account = app.account(cast.institution.institution.account).await;
    assert_eq!((account.posted_minor, account.held_minor), (1_000_000, 0));
}

on_both! {
    async fn s14_a_record_paused_after_the_scan_does_not_pay(app: TestApp) {
        let cast = app.cast().await;
        let record = &cast.institution.record;
        for state in [RecordState::Paused, RecordState::Closed] {
            app.services.codes.set_record_state(record.bucket, &record.id, RecordState::Active).await.unwrap();
            let digits = scanned(&app, &cast).await;
            app.services.codes.set_record_state(record.bucket, &record.id, state).await.unwrap();
            let refused = app.charge(&cast.merchant.cashier_key, &digits, 1_000, state.name()).await;
            refused.problem(409, "record-inactive");
        }
        check_nothing_moved(&app, &cast).await;
    }

    async fn s14_a_member_who_left_after_the_scan_does_not_pay(app: TestApp) {
        let cast = app.cast().await;
        let digits = scanned(&app, &cast).await;
        let mut left = cast.member.member.clone();
        left.state = MemberState::Left;
        app.services.institutions.change_member(left).await.unwrap().unwrap();
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.problem(409, "not-tied");
        check_nothing_moved(&app, &cast).await;
    }

    async fn s14_a_code_that_ended_after_the_scan_does_not_pay(app: TestApp) {
        let cast = app.cast().await;
        let digits = scanned(&app, &cast).await;
        app.clock.advance_ms(75_000);
        app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.problem(410, "code-expired");
        check_nothing_moved(&app, &cast).await;
    }

    async fn s14_a_limit_lowered_after_the_scan_holds_and_reaches_terminal_and_person(app: TestApp) {
        let cast = app.cast().await;
        let digits = scanned(&app, &cast).await;
        let mut lowered = cast.meals.clone();
        lowered.policy = Policy::parse("amount <= 999\n").unwrap();
        let record = &cast.institution.record;
        app.services.codes.put_scenario(record.bucket, lowered).await.unwrap();

        let refused = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await;
        let problem = refused.problem(422, "limit-exceeded");
        let reasons = json!([
            {"dimension": "amount", "operator": "<=", "seen": "1000", "allowed": "999", "left": 999},
        ]);
        assert_eq!(problem["reasons"], reasons);

        let history = app.history(&cast.member.token).await;
        let [told] = &history[..] else { panic!("one payment: {history:?}") };
        assert_eq!(told["state"], "refused");
        assert_eq!(told["id"], problem["payment"]);
        assert_eq!(told["merchant"], cast.merchant.merchant.id.to_string());
        assert_eq!(told["refusal"]["code"], "limit-exceeded");
        assert_eq!(told["refusal"]["reasons"], reasons);
        check_nothing_moved(&app, &cast).await;
    }

    async fn s14_a_scenario_removed_after_the_scan_is_missing_and_the_person_is_told(app: TestApp) {
        let cast = app.cast().await;
        let digits = scanned(&app, &cast).await;
        let record = &cast.institution.record;
        app.services.codes.remove_scenario(record.bucket, &record.id, cast.meals.id).await.unwrap();
        let refused = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await;
        let problem = refused.problem(422, "scenario-not-permitted");
        assert_eq!(problem["reasons"], json!([{"dimension": "category", "seen": "5812"}]));
        let history = app.history(&cast.member.token).await;
        assert_eq!(history[0]["refusal"]["code"], "scenario-not-permitted");
        check_nothing_moved(&app, &cast).await;
    }

    async fn s14_an_account_that_was_emptied_after_the_scan_does_not_pay(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.own_digits(&cast.person).await;
        assert_eq!(app.scan(till, &digits, Some(60_000)).await.ok(200)["verdict"], "permitted");
        let tablet = app.digits_on(&cast.person.token, None, "tablet").await;
        app.charge(till, &tablet, 60_000, "A-1").await.expect(201);

        let problem = app.charge(till, &digits, 60_000, "A-2").await.problem(422, "insufficient-funds");
        assert!(!problem.to_string().contains("40000"), "what the account holds is not told to a till: {problem}");
        let history = app.history(&cast.person.token).await;
        let told: Vec<&Value> = history.iter().map(|payment| &payment["state"]).collect();
        assert_eq!(told, ["refused", "paid"], "newest first");
        assert_eq!(history[0]["refusal"]["code"], "insufficient-funds");
    }

    async fn s14_another_currency_than_the_payers_is_refused(app: TestApp) {
        let cast = app.cast().await;
        let body = json!({
            "code": app.own_digits(&cast.person).await,
            "amount": {"amount_minor": 1_000, "currency": "EUR"},
            "order_number": "A-1",
        });
        let refused = app.paying_with(&cast.merchant.cashier_key, &body, "A-1").send().await;
        let problem = refused.problem(422, "currency-mismatch");
        assert_eq!(problem["reasons"], json!([{"field": "amount.currency", "seen": "EUR", "allowed": "CNY"}]));
    }

    /// Source: S \[80\]-\[82\]: the scenario comes from the payment, the account from the record.
    async fn s14_scenario_and_account_are_those_of_the_code_record(app: TestApp) {
        let cast = app.cast().await;
        let digits = app.member_digits(&cast.member).await;
        let paid = app.charge(&cast.merchant.cashier_key, &digits, 1_000, "A-1").await.ok(201);
        let payer = app.history(&cast.member.token).await[0]["payer"].clone();
        assert_eq!(payer["scenario"], cast.meals.id.to_string());
        assert_eq!(payer["account"], cast.institution.institution.account.to_string());
        assert_eq!(payer["member"], cast.member.member.id.to_string());
        for reader in [&cast.administrator.token, &cast.institution.key] {
            assert_eq!(app.see_payment(reader, &payment_id(&paid)).await.ok(200)["payer"], payer);
        }
    }
}
