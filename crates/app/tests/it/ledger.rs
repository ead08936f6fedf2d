//! The ledger over HTTP: top-up, allotment, holds and what becomes of them, refunds, reversal. DESIGN section 5.

use onescan_domain::ids::AccountId;
use onescan_domain::institutions::MemberRole;
use onescan_platforms::payments::PaymentStore;
use serde_json::{Value, json};

use crate::steps::{cny, payment_id};
use crate::support::builders::Cast;
use crate::support::http::Answer;
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

const HOLD_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// What is posted, what is held, and what can be spent, as the account's owner sees it.
async fn books(app: &TestApp, token: &str, account: AccountId) -> (i64, i64, i64) {
    let view = app
        .get(&format!("/v1/accounts/{account}"))
        .bearer(token)
        .send()
        .await
        .ok(200);
    let minor = |name: &str| view[name].as_i64().unwrap();
    (minor("posted_minor"), minor("held_minor"), minor("available_minor"))
}

async fn person_books(app: &TestApp, cast: &Cast) -> (i64, i64, i64) {
    books(app, &cast.person.token, cast.person.person.account).await
}

async fn merchant_posted(app: &TestApp, cast: &Cast) -> i64 {
    app.settle().await;
    books(app, &cast.merchant.key, cast.merchant.merchant.account).await.0
}

async fn allot(app: &TestApp, token: &str, institution: impl ToString, body: &Value, key: &str) -> Answer {
    let path = format!("/v1/institutions/{}/accounts/allotments", institution.to_string());
    app.post(&path)
        .bearer(token)
        .idempotency_key(key)
        .json(body)
        .send()
        .await
}

/// The person's 10.00, held.
async fn held(app: &TestApp, cast: &Cast, order: &str) -> String {
    let digits = app.own_digits(&cast.person).await;
    payment_id(
        &app.hold(&cast.merchant.cashier_key, &digits, 1_000, order)
            .await
            .ok(201),
    )
}

/// The person's 10.00, paid.
async fn paid(app: &TestApp, cast: &Cast, order: &str) -> String {
    app.clock.advance_ms(1);
    let digits = app.own_digits(&cast.person).await;
    payment_id(
        &app.charge(&cast.merchant.cashier_key, &digits, 1_000, order)
            .await
            .ok(201),
    )
}

async fn state_of(app: &TestApp, cast: &Cast, payment: &str) -> String {
    text(&app.see_payment(&cast.person.token, payment).await.ok(200), "/state").to_owned()
}

on_both! {
    async fn a_top_up_is_one_transfer_however_often_it_is_sent(app: TestApp) {
        let cast = app.cast().await;
        let operator = app.operator_key().await;
        app.clock.advance_ms(1);
        let top_up = async |key: &str, minor: i64| {
            let path = format!("/v1/people/{}/top-ups", cast.person.person.id);
            app.post(&path).bearer(&operator).idempotency_key(key).json(&json!({"amount": cny(minor)})).send().await
        };
        let first = top_up("bank-1", 5_000).await;
        let transfer = first.ok(201);
        assert_eq!(transfer["kind"], "top_up");
        assert_eq!(transfer["credit"], cast.person.person.account.to_string());
        let again = top_up("bank-1", 5_000).await;
        assert_eq!((again.ok(201), again.header("idempotent-replayed")), (transfer.clone(), Some("true")));
        top_up("bank-1", 5_001).await.problem(409, "idempotency-key-conflict");
        top_up("bank-2", 0).await.problem(422, "invalid-fields");
        assert_eq!(person_books(&app, &cast).await, (105_000, 0, 105_000));
        let path = format!("/v1/accounts/{}/transfers", cast.person.person.account);
        assert_eq!(app.list_of(&cast.person.token, &path).await[0], transfer, "newest first");
    }

    async fn only_the_operator_tops_up(app: TestApp) {
        let cast = app.cast().await;
        let institution = cast.institution.institution.id;
        let path = format!("/v1/institutions/{institution}/accounts/top-ups");
        let body = json!({"amount": cny(5_000)});
        let send = async |token: &str| app.post(&path).bearer(token).idempotency_key("k").json(&body).send().await;
        for token in [&cast.administrator.token, &cast.institution.key] {
            send(token).await.problem(403, "not-allowed");
        }
        send(&cast.member.token).await.problem(404, "not-found");
        send(&app.operator_key().await).await.expect(201);
        let account = cast.institution.institution.account;
        assert_eq!(books(&app, &cast.administrator.token, account).await.0, 1_005_000);
    }

    async fn an_allotment_moves_money_inside_the_institution_and_never_more_than_there_is(app: TestApp) {
        let cast = app.cast().await;
        let (institution, token) = (cast.institution.institution.id, &cast.administrator.token);
        let path = format!("/v1/institutions/{institution}/members/{}/account", cast.member.member.id);
        let account = app.post(&path).bearer(token).send().await.ok(201);
        assert_eq!(account["kind"], "member");
        let dedicated = text(&account, "/id").to_owned();

        let body = json!({"to": dedicated, "amount": cny(30_000)});
        let moved = allot(&app, token, institution, &body, "a-1").await.ok(201);
        assert_eq!((&moved["kind"], &moved["credit"]), (&json!("allotment"), &json!(dedicated)));
        assert_eq!(allot(&app, token, institution, &body, "a-1").await.ok(201), moved, "a repeat is the same");
        let dedicated_id: AccountId = dedicated.parse().unwrap();
        assert_eq!(books(&app, &cast.member.token, dedicated_id).await, (30_000, 0, 30_000));
        assert_eq!(books(&app, token, cast.institution.institution.account).await.0, 970_000);

        let body = json!({"to": dedicated, "amount": cny(970_001)});
        let refused = allot(&app, token, institution, &body, "a-2").await.problem(422, "insufficient-funds");
        assert_eq!(refused["reasons"][0]["left"], 970_000);
        let euro = json!({"to": dedicated, "amount": {"amount_minor": 1, "currency": "EUR"}});
        allot(&app, token, institution, &euro, "a-3").await.problem(422, "currency-mismatch");
        let back = json!({"from": dedicated, "to": cast.institution.institution.account.to_string(), "amount": cny(30_000)});
        allot(&app, token, institution, &back, "a-4").await.expect(201);
        assert_eq!(books(&app, token, cast.institution.institution.account).await.0, 1_000_000);
    }

    async fn an_allotment_reaches_nobody_elses_account(app: TestApp) {
        let cast = app.cast().await;
        let (institution, token) = (cast.institution.institution.id, &cast.administrator.token);
        let other = app.institution("Another").await;
        app.top_up(other.institution.account, 50_000).await;
        for foreign in [other.institution.account, cast.person.person.account, cast.merchant.merchant.account] {
            let body = json!({"to": foreign.to_string(), "amount": cny(1_000)});
            allot(&app, token, institution, &body, "a-1").await.problem(404, "not-found");
            let body = json!({"from": foreign.to_string(), "to": cast.institution.institution.account.to_string(), "amount": cny(1)});
            allot(&app, token, institution, &body, "a-2").await.problem(404, "not-found");
        }
        let body = json!({"to": other.institution.account.to_string(), "amount": cny(1_000)});
        allot(&app, token, other.institution.id, &body, "a-3").await.problem(404, "not-found");
        let stranger = app.member(&other, "stranger", MemberRole::Administrator).await;
        let path = format!("/v1/accounts/{}", cast.institution.institution.account);
        app.get(&path).bearer(&stranger.token).send().await.problem(404, "not-found");
    }

    async fn held_money_cannot_be_spent_and_the_merchant_has_nothing_yet(app: TestApp) {
        let cast = app.cast().await;
        let payment = held(&app, &cast, "A-1").await;
        assert_eq!(person_books(&app, &cast).await, (100_000, 1_000, 99_000));
        assert_eq!(merchant_posted(&app, &cast).await, 0);
        let seen = app.see_payment(&cast.person.token, &payment).await.ok(200);
        assert_eq!(seen["held_until"], "2026-11-30T09:00:00.000Z");
        let digits = app.own_digits(&cast.person).await;
        let refused = app.charge(&cast.merchant.cashier_key, &digits, 99_001, "A-2").await;
        refused.problem(422, "insufficient-funds");
    }

    async fn a_capture_takes_all_or_a_part_and_releases_the_rest(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let whole = held(&app, &cast, "A-1").await;
        let captured = app.change(till, &whole, "captures", "c-1", &Value::Null).await.ok(201);
        assert_eq!((&captured["state"], &captured["amount"]), (&json!("paid"), &cny(1_000)));
        assert_eq!(person_books(&app, &cast).await, (99_000, 0, 99_000));

        let part = held(&app, &cast, "A-2").await;
        let body = json!({"amount": cny(1_001)});
        let refused = app.change(till, &part, "captures", "c-2", &body).await.problem(422, "amount-too-large");
        assert_eq!(refused["reasons"][0]["left"], 1_000);
        let body = json!({"amount": cny(400)});
        let captured = app.change(till, &part, "captures", "c-3", &body).await.ok(201);
        assert_eq!((&captured["state"], &captured["amount"]), (&json!("paid"), &cny(400)));
        assert_eq!(person_books(&app, &cast).await, (98_600, 0, 98_600));
        assert_eq!(merchant_posted(&app, &cast).await, 1_400);

        let again = app.change(till, &part, "captures", "c-3", &body).await;
        assert_eq!((again.ok(201), again.header("idempotent-replayed")), (captured, Some("true")));
        app.change(till, &part, "captures", "c-4", &body).await.problem(409, "wrong-state");
        app.change(till, &part, "voids", "v-1", &Value::Null).await.problem(409, "wrong-state");
    }

    async fn a_void_releases_held_money(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let payment = held(&app, &cast, "A-1").await;
        let voided = app.change(till, &payment, "voids", "v-1", &Value::Null).await.ok(201);
        assert_eq!(voided["state"], "voided");
        assert_eq!(person_books(&app, &cast).await, (100_000, 0, 100_000));
        for (what, key) in [("captures", "c-1"), ("voids", "v-2"), ("reversals", "r-1")] {
            app.change(till, &payment, what, key, &Value::Null).await.problem(409, "wrong-state");
        }
        assert_eq!(merchant_posted(&app, &cast).await, 0);
    }

    async fn a_hold_ends_by_itself_and_not_before(app: TestApp) {
        let mut cast = app.cast().await;
        let till = cast.merchant.cashier_key.clone();
        let early = held(&app, &cast, "A-1").await;
        let late = held(&app, &cast, "A-2").await;
        app.clock.advance_ms(HOLD_MS - 1);
        cast.person.token = app.sign_in("li.lei").await;
        assert_eq!(app.store.expire_holds(app.now_ms(), 10).await.unwrap(), 0);
        app.change(&till, &early, "captures", "c-1", &Value::Null).await.expect(201);
        app.clock.advance_ms(1);
        // Before the background came by it is over all the same.
        app.change(&till, &late, "captures", "c-2", &Value::Null).await.problem(409, "wrong-state");
        assert_eq!(app.store.expire_holds(app.now_ms(), 10).await.unwrap(), 1);
        assert_eq!(app.store.expire_holds(app.now_ms(), 10).await.unwrap(), 0, "once");
        assert_eq!(state_of(&app, &cast, &late).await, "expired");
        assert_eq!(person_books(&app, &cast).await, (99_000, 0, 99_000));
    }

    async fn a_released_hold_counts_against_no_limit(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let record = &cast.institution.record;
        app.services.codes.remove_scenario(record.bucket, &record.id, cast.meals.id).await.unwrap();
        app.scenario(record, "One meal", "", "amount_day <= 1000\ncount_day <= 1\n").await;
        let hold = app.hold(till, &app.member_digits(&cast.member).await, 1_000, "A-1").await.ok(201);
        app.charge(till, &app.member_digits(&cast.member).await, 1, "A-2").await.problem(422, "limit-exceeded");
        app.change(till, &payment_id(&hold), "voids", "v-1", &Value::Null).await.expect(201);
        let paid = app.charge(till, &app.member_digits(&cast.member).await, 1_000, "A-3").await.ok(201);
        app.change(till, &payment_id(&paid), "reversals", "r-1", &Value::Null).await.expect(201);
        app.charge(till, &app.member_digits(&cast.member).await, 1_000, "A-4").await.expect(201);
    }

    async fn refunds_return_to_the_account_that_paid_until_nothing_is_left(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let payment = paid(&app, &cast, "A-1").await;
        assert_eq!(merchant_posted(&app, &cast).await, 1_000);

        app.clock.advance_ms(1);
        let part = app.refund(till, &payment, "R-1", 300).await.ok(201);
        assert_eq!(part["refund"]["amount"], cny(300));
        assert_eq!((&part["payment"]["state"], &part["payment"]["refunded_minor"]), (&json!("paid"), &json!(300)));
        assert_eq!(person_books(&app, &cast).await.0, 99_300);
        assert_eq!(merchant_posted(&app, &cast).await, 700);

        let too_much = app.refund(till, &payment, "R-2", 701).await.problem(422, "amount-too-large");
        assert_eq!(too_much["reasons"][0]["left"], 700);
        app.clock.advance_ms(1);
        app.refund(till, &payment, "R-3", 700).await.expect(201);
        app.refund(till, &payment, "R-4", 1).await.problem(422, "amount-too-large");
        assert_eq!(person_books(&app, &cast).await, (100_000, 0, 100_000));
        assert_eq!(merchant_posted(&app, &cast).await, 0);

        let refunds = app.list_of(&cast.person.token, &format!("/v1/payments/{payment}/refunds")).await;
        let numbers: Vec<&Value> = refunds.iter().map(|refund| &refund["number"]).collect();
        assert_eq!(numbers, ["R-1", "R-3"]);
        let path = format!("/v1/accounts/{}/transfers", cast.person.person.account);
        let kinds: Vec<Value> =
            app.list_of(&cast.person.token, &path).await.iter().map(|row| row["kind"].clone()).collect();
        assert_eq!(kinds, ["refund", "refund", "payment", "top_up"]);
    }

    async fn a_refund_number_names_one_refund_for_ever(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let payment = paid(&app, &cast, "A-1").await;
        let send = async |key: &str, number: &str, minor: i64| {
            let body = json!({"number": number, "amount": cny(minor), "reason": "returned"});
            app.change(till, &payment, "refunds", key, &body).await
        };
        let first = send("k-1", "R-1", 100).await;
        let same_key = send("k-1", "R-1", 100).await;
        let same_number = send("k-2", "R-1", 100).await;
        for again in [same_key, same_number] {
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
            assert_eq!(again.ok(201)["refund"], first.ok(201)["refund"]);
        }
        send("k-1", "R-1", 101).await.problem(409, "idempotency-key-conflict");
        send("k-3", "R-1", 101).await.problem(409, "refund-number-conflict");
        assert_eq!(person_books(&app, &cast).await.0, 99_100);
        // Another payment has numbers of its own.
        let other = paid(&app, &cast, "A-2").await;
        app.refund(till, &other, "R-1", 100).await.expect(201);
    }

    async fn a_reversal_undoes_the_payment_and_frees_its_order_number(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let first = paid(&app, &cast, "A-1").await;
        let reversed = app.change(till, &first, "reversals", "r-1", &Value::Null).await.ok(201);
        assert_eq!(reversed["state"], "reversed");
        assert_eq!(person_books(&app, &cast).await, (100_000, 0, 100_000));
        assert_eq!(merchant_posted(&app, &cast).await, 0);
        let again = app.change(till, &first, "reversals", "r-1", &Value::Null).await;
        assert_eq!((again.ok(201), again.header("idempotent-replayed")), (reversed, Some("true")));
        app.change(till, &first, "reversals", "r-2", &Value::Null).await.problem(409, "wrong-state");
        app.refund(till, &first, "R-1", 1).await.problem(409, "wrong-state");

        let digits = app.own_digits(&cast.person).await;
        let body = json!({"code": digits, "amount": cny(700), "order_number": "A-1"});
        let second = app.paying_with(till, &body, "another-key").send().await.ok(201);
        assert_ne!(payment_id(&second), first);
        let found = app.list_of(till, "/v1/payments?order_number=A-1").await;
        assert_eq!(found[0]["id"], second["payment"]["id"]);
    }

    async fn a_refunded_payment_is_not_reversed(app: TestApp) {
        let cast = app.cast().await;
        let payment = paid(&app, &cast, "A-1").await;
        app.refund(&cast.merchant.cashier_key, &payment, "R-1", 1).await.expect(201);
        let reversal = app.change(&cast.merchant.cashier_key, &payment, "reversals", "r-1", &Value::Null).await;
        reversal.problem(409, "wrong-state");
        assert_eq!(state_of(&app, &cast, &payment).await, "paid");
    }

    async fn only_the_seller_changes_a_payment(app: TestApp) {
        let cast = app.cast().await;
        let payment = paid(&app, &cast, "A-1").await;
        let other = app.merchant("Tailor", "5651").await;
        for key in [&other.cashier_key, &other.key] {
            app.refund(key, &payment, "R-1", 1).await.problem(404, "not-found");
            for what in ["reversals", "captures", "voids"] {
                app.change(key, &payment, what, what, &Value::Null).await.problem(404, "not-found");
            }
        }
        for key in [&cast.merchant.invoice_key, &cast.person.token, &cast.institution.key, &app.operator_key().await] {
            app.refund(key, &payment, "R-1", 1).await.problem(403, "wrong-role");
        }
        app.refund(&cast.merchant.key, &payment, "R-1", 1).await.expect(201);
    }

    async fn a_refund_in_another_currency_is_refused(app: TestApp) {
        let cast = app.cast().await;
        let payment = paid(&app, &cast, "A-1").await;
        let body = json!({"number": "R-1", "amount": {"amount_minor": 1, "currency": "EUR"}});
        let refused = app.change(&cast.merchant.cashier_key, &payment, "refunds", "R-1", &body).await;
        refused.problem(422, "currency-mismatch");
    }

    async fn what_a_merchant_sold_adds_up(app: TestApp) {
        let cast = app.cast().await;
        let first = paid(&app, &cast, "A-1").await;
        paid(&app, &cast, "A-2").await;
        app.refund(&cast.merchant.cashier_key, &first, "R-1", 250).await.expect(201);
        assert_eq!(merchant_posted(&app, &cast).await, 1_750);
        let merchant = cast.merchant.merchant.id;
        let sales = app.list_of(&cast.merchant.key, &format!("/v1/merchants/{merchant}/sales")).await;
        assert_eq!(sales.len(), 2);
        let totals = app.get(&format!("/v1/merchants/{merchant}/sales/total")).bearer(&cast.merchant.key).send().await;
        let total = &totals.ok(200)["items"][0];
        let expected = json!({"currency": "CNY", "count": 2, "amount_minor": 2_000, "refunded_minor": 250});
        assert_eq!(*total, expected);
    }
}
