//! Row S12: an amount above the permission is barred with a reminder that says which limit, and the person can pay through
//! another channel; within it the payment runs on.

use onescan_domain::codes::Scenario;
use serde_json::{Value, json};

use crate::steps::cny;
use crate::support::builders::Cast;
use crate::support::machine::START_MS;
use crate::support::{TestApp, on_both};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Puts one scenario for every category in place of the meals.
async fn only(app: &TestApp, cast: &Cast, before: Option<Scenario>, policy: &str) -> Scenario {
    let record = &cast.institution.record;
    let before = before.unwrap_or_else(|| cast.meals.clone());
    app.services
        .codes
        .remove_scenario(record.bucket, &record.id, before.id)
        .await
        .unwrap();
    app.scenario(record, "Rule", "", policy).await
}

/// A fresh code of the member is paid with; `Ok` when permitted, else the reasons.
async fn try_pay(app: &TestApp, cast: &Cast, minor: i64, order: &str) -> Result<Value, Value> {
    let till = &cast.merchant.cashier_key;
    let digits = app.member_digits(&cast.member).await;
    let scan = app.scan(till, &digits, Some(minor)).await.ok(200);
    let answer = app.charge(till, &digits, minor, order).await;
    if answer.status == 201 {
        assert_eq!(scan["verdict"], "permitted", "scan and payment agree");
        return Ok(answer.json());
    }
    let problem = answer.problem(422, "limit-exceeded");
    assert_eq!(scan["verdict"], "barred", "scan and payment agree");
    assert_eq!(
        scan["reasons"], problem["reasons"],
        "scan and payment give the same reasons"
    );
    Err(problem["reasons"].clone())
}

/// Sessions last half a day: the member signs in again at that time.
async fn at(app: &TestApp, cast: &mut Cast, at_ms: i64) {
    app.clock.set_ms(at_ms);
    cast.member.token = app.sign_in(&cast.member.person.login).await;
}

on_both! {
    async fn s12_a_barred_amount_says_which_limit_and_the_person_pays_another_way(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let digits = app.member_digits(&cast.member).await;

        let scan = app.scan(till, &digits, Some(5_001)).await.ok(200);
        assert_eq!(scan["verdict"], "barred");
        let reasons = json!([
            {"dimension": "amount", "operator": "<=", "seen": "5001", "allowed": "5000", "left": 5000},
        ]);
        assert_eq!(scan["reasons"], reasons);
        assert!(app.history(&cast.member.token).await.is_empty(), "looking leaves nothing behind");

        // Looking did not spend the code: within the permission the payment runs on.
        let scan = app.scan(till, &digits, Some(5_000)).await.ok(200);
        assert_eq!(scan["verdict"], "permitted");
        assert_eq!(scan["reasons"], json!([]));
        let paid = app.charge(till, &digits, 5_000, "A-1").await.ok(201);
        assert_eq!(paid["payment"]["state"], "paid");
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 995_000);
    }

    async fn s12_a_barred_payment_spends_the_code_but_not_the_sale(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        app.charge(till, &app.member_digits(&cast.member).await, 4_500, "A-1").await.expect(201);
        app.charge(till, &app.member_digits(&cast.member).await, 4_500, "A-2").await.expect(201);

        let digits = app.member_digits(&cast.member).await;
        let barred = app.charge(till, &digits, 6_000, "A-3").await.problem(422, "limit-exceeded");
        let reasons = json!([
            {"dimension": "amount", "operator": "<=", "seen": "6000", "allowed": "5000", "left": 5000},
            {"dimension": "amount_day", "operator": "<=", "seen": "15000", "allowed": "12000", "left": 3000},
        ]);
        assert_eq!(barred["reasons"], reasons, "all reasons, with what is left today");
        assert_eq!(barred["retryable"], false);
        app.scan(till, &digits, Some(1_000)).await.problem(409, "code-used");
        app.charge(till, &digits, 1_000, "A-4").await.problem(409, "code-used");

        // The same sale, by the person's own code at the same till.
        app.top_up(cast.member.person.account, 10_000).await;
        app.services.processing.enable(&cast.member.person, None, None).await.unwrap();
        let own = app.digits_on(&cast.member.token, None, "phone").await;
        // The first attempt took the idempotency key; another code is another request.
        app.charge(till, &own, 6_000, "A-3").await.problem(409, "idempotency-key-conflict");
        let body = json!({"code": own, "amount": cny(6_000), "order_number": "A-3"});
        let paid = app.paying_with(till, &body, "A-3-again").send().await.ok(201);
        assert_eq!(paid["payment"]["order_number"], "A-3");
        assert_eq!(paid["payment"]["kind"], "user");
        assert_eq!(app.account(cast.member.person.account).await.posted_minor, 4_000);
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 991_000);
    }

    async fn s12_a_barred_person_pays_in_cash_and_still_hands_over_the_invoice_details(app: TestApp) {
        let cast = app.cast().await;
        app.profile(&cast.institution.record, "Example Technology Ltd", &[]).await;
        let digits = app.member_digits(&cast.member).await;
        let scan = app.scan(&cast.merchant.cashier_key, &digits, Some(9_000)).await.ok(200);
        assert_eq!(scan["verdict"], "barred");
        let marked = app.assert_paid(&cast.merchant.invoice_key, &digits, 9_000, "cash-1").await.ok(201);
        assert_eq!(marked["payment"]["state"], "paid_elsewhere");
        assert_eq!(marked["profile"]["profile"]["title"], "Example Technology Ltd");
        assert_eq!(app.account(cast.institution.institution.account).await.posted_minor, 1_000_000);
    }

    /// Each row: a policy, the amount of a second payment after one of 10.00, and the reason why it is barred.
    /// It is Monday, 17:00 in Shanghai, at a restaurant (5812) in 杭州.
    async fn s12_every_dimension_bars_and_permits(app: TestApp) {
        let cast = app.cast().await;
        let merchant = cast.merchant.merchant.id.to_string();
        let reason = |dimension: &str, operator: &str, seen: &str, allowed: &str, left: Option<i64>| {
            let mut reason =
                json!({"dimension": dimension, "operator": operator, "seen": seen, "allowed": allowed});
            if let Some(left) = left {
                reason["left"] = left.into();
            }
            Some(json!([reason]))
        };
        let not_here = format!("merchant not in {merchant}");
        let only_here = format!("merchant in {merchant}");
        let table = [
            ("amount <= 2999", 3_000, reason("amount", "<=", "3000", "2999", Some(2_999))),
            ("amount <= 3000", 3_000, None),
            ("amount >= 1000", 999, reason("amount", ">=", "999", "1000", None)),
            ("amount >= 1000", 1_000, None),
            ("amount_day <= 3999", 3_000, reason("amount_day", "<=", "4000", "3999", Some(2_999))),
            ("amount_day <= 4000", 3_000, None),
            ("amount_month <= 3999", 3_000, reason("amount_month", "<=", "4000", "3999", Some(2_999))),
            ("amount_month <= 4000", 3_000, None),
            ("count_day <= 1", 3_000, reason("count_day", "<=", "2", "1", Some(0))),
            ("count_day <= 2", 3_000, None),
            ("count_month <= 1", 3_000, reason("count_month", "<=", "2", "1", Some(0))),
            ("count_month <= 2", 3_000, None),
        ];
        let mut scenario = None;
        for (number, (policy, minor, expected)) in table.into_iter().enumerate() {
            scenario = Some(only(&app, &cast, scenario, policy).await);
            try_pay(&app, &cast, 1_000, &format!("first-{number}")).await.unwrap();
            let second = try_pay(&app, &cast, minor, &format!("second-{number}")).await;
            assert_eq!(second.err(), expected, "{policy}");
        }
        let table = [
            ("weekday in tue-sun", reason("weekday", "in", "mon", "tue-sun", None)),
            ("weekday in sat-mon", None),
            ("clock in 08:00-16:59", reason("clock", "in", "17:00", "08:00-16:59", None)),
            ("clock in 17:00-17:00", None),
            ("category in 5811,5813-5814", reason("category", "in", "5812", "5811,5813-5814", None)),
            ("category not in 5811,5813-5814", None),
            (&not_here, reason("merchant", "not in", &merchant, &merchant, None)),
            (&only_here, None),
            ("city in 上海,北京", reason("city", "in", "杭州", "上海,北京", None)),
            ("city in 上海,杭州", None),
        ];
        for (number, (policy, expected)) in table.into_iter().enumerate() {
            scenario = Some(only(&app, &cast, scenario, policy).await);
            let paid = try_pay(&app, &cast, 1_000, &format!("place-{number}")).await;
            assert_eq!(paid.err(), expected, "{policy}");
        }
    }

    async fn s12_every_failed_dimension_is_named_and_no_other(app: TestApp) {
        let cast = app.cast().await;
        only(&app, &cast, None, "amount <= 100\ncity in 杭州\nweekday in sun\ncount_day <= 1\n").await;
        let reasons = try_pay(&app, &cast, 500, "A-1").await.unwrap_err();
        let named: Vec<&Value> = reasons.as_array().unwrap().iter().map(|reason| &reason["dimension"]).collect();
        assert_eq!(named, ["amount", "weekday"]);
    }

    async fn s12_the_clock_runs_over_midnight_in_the_records_own_zone(app: TestApp) {
        let cast = app.cast().await;
        only(&app, &cast, None, "clock in 22:00-02:00\n").await;
        let midnight = START_MS + 7 * HOUR_MS;
        let table = [
            (-2 * HOUR_MS - 1, false),
            (-2 * HOUR_MS, true),
            (-1, true),
            (0, true),
            (2 * HOUR_MS, true),
            (2 * HOUR_MS + MINUTE_MS, false),
        ];
        for (number, (after_midnight, permitted)) in table.into_iter().enumerate() {
            app.clock.set_ms(midnight + after_midnight);
            let paid = try_pay(&app, &cast, 500, &format!("A-{number}")).await;
            assert_eq!(paid.is_ok(), permitted, "{after_midnight} ms after midnight in Shanghai: {paid:?}");
        }
    }

    async fn s12_a_day_ends_at_midnight_in_the_records_own_zone(app: TestApp) {
        let mut cast = app.cast().await;
        only(&app, &cast, None, "amount_day <= 1000\ncount_day <= 3\nweekday in mon,tue\n").await;
        try_pay(&app, &cast, 1_000, "A-1").await.unwrap();
        // 16:00 UTC is midnight in Shanghai; UTC's own midnight changes nothing.
        at(&app, &mut cast, START_MS + 7 * HOUR_MS - 1).await;
        let reasons = try_pay(&app, &cast, 1, "A-2").await.unwrap_err();
        assert_eq!(reasons[0]["left"], 0);
        at(&app, &mut cast, START_MS + 7 * HOUR_MS).await;
        try_pay(&app, &cast, 400, "A-3").await.unwrap();
        at(&app, &mut cast, START_MS + 15 * HOUR_MS).await;
        let reasons = try_pay(&app, &cast, 700, "A-4").await.unwrap_err();
        assert_eq!(reasons[0]["left"], 600);
        at(&app, &mut cast, START_MS + 31 * HOUR_MS).await;
        let reasons = try_pay(&app, &cast, 700, "A-5").await.unwrap_err();
        assert_eq!(reasons[0]["dimension"], "weekday", "Wednesday in Shanghai: {reasons}");
    }

    async fn s12_a_month_ends_at_midnight_in_the_records_own_zone(app: TestApp) {
        let mut cast = app.cast().await;
        only(&app, &cast, None, "amount_month <= 1000\ncount_month <= 2\n").await;
        try_pay(&app, &cast, 900, "A-1").await.unwrap();
        let december = START_MS + 7 * DAY_MS + 7 * HOUR_MS;
        at(&app, &mut cast, december - 1).await;
        let reasons = try_pay(&app, &cast, 101, "A-2").await.unwrap_err();
        assert_eq!(reasons[0]["dimension"], "amount_month");
        assert_eq!(reasons[0]["left"], 100);
        at(&app, &mut cast, december).await;
        try_pay(&app, &cast, 900, "A-3").await.unwrap();
        let reasons = try_pay(&app, &cast, 101, "A-4").await.unwrap_err();
        assert_eq!(reasons[0]["seen"], "1001", "a new month counts from nothing: {reasons}");
    }

    async fn s12_a_barred_attempt_does_not_count(app: TestApp) {
        let cast = app.cast().await;
        only(&app, &cast, None, "amount <= 1000\namount_day <= 1500\ncount_day <= 2\n").await;
        for number in 0..3 {
            try_pay(&app, &cast, 1_001, &format!("barred-{number}")).await.unwrap_err();
        }
        try_pay(&app, &cast, 1_000, "A-1").await.unwrap();
        try_pay(&app, &cast, 500, "A-2").await.unwrap();
    }

    async fn s12_a_dry_run_gives_the_same_trace_and_leaves_nothing_behind(app: TestApp) {
        let cast = app.cast().await;
        let rule = "amount <= 5000\namount_day <= 6000\nweekday in mon-fri\ncity in 杭州\n";
        let scenario = only(&app, &cast, None, rule).await;
        try_pay(&app, &cast, 4_000, "A-1").await.unwrap();
        let path = format!("/v1/code-records/{}/dry-runs", cast.institution.record.id.as_str());
        let rehearse = async |minor: i64, at: Option<&str>| {
            let mut body = json!({
                "amount": cny(minor),
                "merchant": cast.merchant.merchant.id.to_string(),
                "city": "杭州",
                "person": cast.member.person.id.to_string(),
            });
            if let Some(at) = at {
                body["at"] = at.into();
            }
            app.post(&path).bearer(&cast.administrator.token).json(&body).send().await.ok(200)
        };

        let barred = rehearse(5_500, None).await;
        assert_eq!(barred["verdict"], "barred");
        assert_eq!(barred["scenario"]["id"], scenario.id.to_string());
        let line = |dimension: &str, operator: &str, seen: &str, allowed: &str, holds: bool, left: Option<i64>| {
            let mut line = json!({"dimension": dimension, "operator": operator, "seen": seen, "allowed": allowed, "holds": holds,
                "verdict": if holds { "holds" } else { "fails" }, "negated": false, "excused": false});
            if let Some(left) = left {
                line["left"] = left.into();
            }
            line
        };
        let trace = json!([
            line("amount", "<=", "5500", "5000", false, Some(5_000)),
            line("amount_day", "<=", "9500", "6000", false, Some(2_000)),
            line("weekday", "in", "mon", "mon-fri", true, None),
            line("city", "in", "杭州", "杭州", true, None),
        ]);
        assert_eq!(barred["trace"], trace, "what holds stands there too");

        // The till is given the failed lines of the same trace.
        let mut failed = trace.as_array().unwrap()[..2].to_vec();
        for word in ["holds", "verdict", "negated", "excused"] {
            failed.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove(word)));
        }
        let reasons = try_pay(&app, &cast, 5_500, "A-2").await.unwrap_err();
        assert_eq!(reasons, json!(failed));

        assert_eq!(rehearse(2_000, None).await["verdict"], "permitted");
        let saturday = rehearse(2_000, Some("2026-11-28T04:00:00Z")).await;
        assert_eq!((&saturday["verdict"], &saturday["trace"][2]["seen"]), (&json!("barred"), &json!("sat")));
        assert_eq!(saturday["trace"][1]["seen"], "2000", "another day counts from nothing");
        try_pay(&app, &cast, 2_000, "A-3").await.unwrap();
    }
}
