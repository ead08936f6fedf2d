//! Row S07: an institution's administrator applies for its code record and profiles, gets the result or a rendered initial code
//! to hand out; members come through their institution, or are tied one by one. Source: S claims 7, 9, \[53\]-\[57\], \[65\]-\[66\].

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onescan_domain::institutions::MemberRole;
use serde_json::{Value, json};

use crate::support::builders::{InstitutionCast, MemberCast};
use crate::support::decoders::{Decoders, QR};
use crate::support::shown::{items, text};
use crate::support::{Cast, TestApp, on_both};

/// An institution that nobody applied for yet, with an administrator, and 1,000.00.
async fn founded(app: &TestApp, name: &str, parent: Option<&str>) -> (String, Value) {
    let operator = app.operator_key().await;
    let asked = json!({"name": name, "currency": "CNY", "time_zone": "Asia/Shanghai", "parent": parent});
    let made = app
        .post("/v1/institutions")
        .bearer(&operator)
        .json(&asked)
        .send()
        .await
        .ok(201);
    let id = text(&made, "/id").to_owned();
    let path = format!("/v1/institutions/{id}/accounts/top-ups");
    let call = app
        .post(&path)
        .bearer(&operator)
        .idempotency_key(&format!("top-up {name}").replace(' ', "-"));
    call.json(&json!({"amount": {"amount_minor": 100_000, "currency": "CNY"}}))
        .send()
        .await
        .expect(201);
    (id, made)
}

/// A person as member; the token of a fresh session and the member.
async fn taken_in(app: &TestApp, institution: &str, login: &str, role: &str) -> (String, Value) {
    let token = app.register_over_http(json!({"login": login, "name": login})).await;
    let operator = app.operator_key().await;
    let path = format!("/v1/institutions/{institution}/members");
    let asked = json!({"login": login, "role": role});
    (
        token,
        app.post(&path).bearer(&operator).json(&asked).send().await.ok(201),
    )
}

async fn show(app: &TestApp, token: &str, institution: &str) -> crate::support::http::Answer {
    let asked = json!({"kind": "institution", "institution": institution, "device": "phone"});
    app.post("/v1/service-codes").bearer(token).json(&asked).send().await
}

async fn allow_everything(app: &TestApp, token: &str, institution: &str) {
    let path = format!("/v1/institutions/{institution}/scenarios");
    app.post(&path)
        .bearer(token)
        .json(&json!({"name": "Anything"}))
        .send()
        .await
        .expect(201);
}

fn member_path(cast: &Cast, member: &MemberCast) -> String {
    format!(
        "/v1/institutions/{}/members/{}",
        cast.institution.institution.id, member.member.id
    )
}

fn record_path(institution: &InstitutionCast) -> String {
    format!("/v1/institutions/{}/code-record", institution.institution.id)
}

on_both! {
    async fn s07_an_administrator_applies_and_members_pay_through_their_institution(app: TestApp) {
        let merchant = app.merchant("Corner Canteen", "5812").await;
        let (institution, made) = founded(&app, "Example Technology", None).await;
        let (boss, _) = taken_in(&app, &institution, "han.meimei", "administrator").await;
        let (employee, _) = taken_in(&app, &institution, "wang.fang", "employee").await;
        show(&app, &employee, &institution).await.problem(409, "not-enabled");

        let path = format!("/v1/institutions/{institution}/code-record");
        app.changes_nothing(app.post(&path).bearer(&employee)).await.problem(404, "not-found");
        let enabled = app.post(&path).bearer(&boss).send().await.ok(201);
        assert_eq!(enabled["record"]["kind"], "institution");
        assert_eq!(enabled["record"]["members"], "through_institution");
        assert_eq!(enabled["record"]["account"], made["account"]);
        assert_eq!(enabled.get("code"), None);
        assert_eq!(app.get(&path).bearer(&boss).send().await.ok(200), enabled["record"]);
        allow_everything(&app, &boss, &institution).await;

        // The profile belongs to the record; whoever applied gets the result.
        let profile = json!({"record": enabled["record"]["id"], "title_kind": "company", "title": "Example Technology",
            "tax_number": "91330106MA2CFLDG4R"});
        let profile = app.post("/v1/invoice-profiles").bearer(&boss).json(&profile).send().await.ok(201);
        assert_eq!(profile["record"], enabled["record"]["id"]);

        let shown = show(&app, &employee, &institution).await.ok(201);
        let paid = app.paid(&merchant.cashier_key, text(&shown, "/digits"), 2_500, "A-1").await;
        assert_eq!(paid["profile"]["profile"]["title"], "Example Technology");
        assert_eq!(app.posted(&boss, text(&made, "/account")).await, 97_500);
    }

    async fn s07_the_application_answers_with_a_rendered_code_to_hand_out(app: TestApp) {
        let merchant = app.merchant("Corner Canteen", "5812").await;
        let (institution, _) = founded(&app, "Example Technology", None).await;
        let (boss, _) = taken_in(&app, &institution, "han.meimei", "administrator").await;
        let (employee, member) = taken_in(&app, &institution, "wang.fang", "employee").await;
        let path = format!("/v1/institutions/{institution}/code-record");
        let asked = json!({"members": "assigned", "initial_code_for": member["id"], "render": ["qr.png"]});
        let enabled = app.post(&path).bearer(&boss).json(&asked).send().await.ok(201);
        assert_eq!(enabled["record"]["members"], "assigned");
        let picture = BASE64_STANDARD.decode(text(&enabled["code"]["renderings"]["qr.png"], "/base64")).unwrap();
        let read = Decoders::new().read_png(QR, &picture);
        assert_eq!(read, text(&enabled, "/code/digits"));

        allow_everything(&app, &boss, &institution).await;
        let paid = app.paid(&merchant.cashier_key, &read, 2_500, "A-1").await;
        let payment = format!("/v1/payments/{}", text(&paid, "/payment/id"));
        let seen = app.get(&payment).bearer(&boss).send().await.ok(200);
        assert_eq!((&seen["payer"]["member"], &seen["payer"]["person"]), (&member["id"], &member["person"]));
        // Whom the code was handed out to is tied to the record from now on.
        show(&app, &employee, &institution).await.expect(201);
    }

    async fn s07_members_of_a_sub_institution_find_the_record_above(app: TestApp) {
        let merchant = app.merchant("Corner Canteen", "5812").await;
        let (root, made) = founded(&app, "Group", None).await;
        let (middle, _) = founded(&app, "Company", Some(&root)).await;
        let (leaf, _) = founded(&app, "Branch", Some(&middle)).await;
        let (boss, _) = taken_in(&app, &root, "han.meimei", "administrator").await;
        let (employee, member) = taken_in(&app, &leaf, "wang.fang", "employee").await;
        let path = format!("/v1/institutions/{root}/code-record");
        let enabled = app.post(&path).bearer(&boss).send().await.ok(201);
        allow_everything(&app, &boss, &root).await;

        let listed = app.get("/v1/code-records").bearer(&employee).send().await.ok(200);
        assert_eq!(items(&listed)[0]["id"], enabled["record"]["id"]);
        assert_eq!(items(&listed)[0]["institution_name"], "Branch");
        let shown = show(&app, &employee, &leaf).await.ok(201);
        app.paid(&merchant.cashier_key, text(&shown, "/digits"), 2_500, "A-1").await;
        assert_eq!(app.posted(&boss, text(&made, "/account")).await, 97_500);
        let list = app.get(&format!("/v1/institutions/{root}/payments")).bearer(&boss).send().await.ok(200);
        assert_eq!(items(&list)[0]["payer"]["member"], member["id"]);

        // A nearer record comes first from now on.
        let path = format!("/v1/institutions/{middle}/code-record");
        let nearer = app.post(&path).bearer(&boss).send().await.ok(201);
        allow_everything(&app, &boss, &middle).await;
        let shown = show(&app, &employee, &leaf).await.ok(201);
        app.paid(&merchant.cashier_key, text(&shown, "/digits"), 1_000, "A-2").await;
        assert_eq!(app.posted(&boss, text(&made, "/account")).await, 97_500);
        assert_eq!(app.posted(&boss, text(&nearer, "/record/account")).await, 99_000);
    }

    async fn s07_members_are_tied_one_by_one(app: TestApp) {
        let cast = app.cast().await;
        let (boss, key) = (&cast.administrator.token, &cast.merchant.cashier_key);
        let path = record_path(&cast.institution);
        let change = json!({"members": "assigned"});
        let before = app.show_institution_code(&cast.member, "phone").await;
        let record = app.patch(&path).bearer(boss).json(&change).send().await.ok(200);
        assert_eq!(record["members"], "assigned");
        // Whoever is not tied cannot show a code, nor use one that was shown before.
        app.ask_institution_code(&cast.member, "phone").await.problem(409, "not-tied");
        app.scan(key, &before.digits, None).await.problem(409, "not-tied");

        let member = format!("{path}/members/{}", cast.member.member.id);
        app.put(&member).bearer(boss).send().await.expect(204);
        app.put(&member).bearer(boss).send().await.expect(204);
        let tied = app.get(&format!("{path}/members")).bearer(boss).send().await.ok(200);
        assert_eq!(items(&tied), &[json!({"member": cast.member.member.id.to_string()})]);
        let shown = app.show_institution_code(&cast.member, "phone").await;
        app.paid(key, &shown.digits, 1_000, "A-1").await;
        app.ask_institution_code(&cast.administrator, "phone").await.problem(409, "not-tied");

        let shown = app.show_institution_code(&cast.member, "phone").await;
        app.delete(&member).bearer(boss).send().await.expect(204);
        let call = app.paying(key, &shown.digits, 1_000, "A-2");
        app.changes_nothing(call).await.problem(409, "not-tied");
        app.ask_institution_code(&cast.member, "phone").await.problem(409, "not-tied");
    }

    async fn s07_a_member_who_left_is_refused_at_once_and_works_again_when_retaken(app: TestApp) {
        let cast = app.cast().await;
        let (boss, key) = (&cast.administrator.token, &cast.merchant.cashier_key);
        let path = member_path(&cast, &cast.member);
        let change = |state: &str| app.patch(&path).bearer(boss).json(&json!({"state": state}));
        let shown = app.show_institution_code(&cast.member, "phone").await;

        change("left").send().await.expect(200);
        app.scan(key, &shown.digits, None).await.problem(409, "not-tied");
        let call = app.paying(key, &shown.digits, 1_000, "A-1");
        app.changes_nothing(call).await.problem(409, "not-tied");
        app.ask_institution_code(&cast.member, "phone").await.problem(409, "not-tied");
        let records = app.get("/v1/code-records").bearer(&cast.member.token).send().await.ok(200);
        assert!(items(&records).is_empty(), "{records}");

        let back = change("active").send().await.ok(200);
        assert_eq!(back["id"], cast.member.member.id.to_string());
        let shown = app.show_institution_code(&cast.member, "phone").await;
        app.paid(key, &shown.digits, 1_000, "A-1").await;
    }

    async fn s07_whoever_left_was_an_administrator(app: TestApp) {
        let cast = app.cast().await;
        let second = app.member(&cast.institution, "deputy", MemberRole::Administrator).await;
        let path = member_path(&cast, &cast.administrator);
        app.patch(&path).bearer(&second.token).json(&json!({"state": "left"})).send().await.expect(200);
        let record = record_path(&cast.institution);
        let call = app.patch(&record).bearer(&cast.administrator.token).json(&json!({"state": "paused"}));
        app.changes_nothing(call).await.problem(404, "not-found");
        // One stays.
        let path = member_path(&cast, &second);
        for change in [json!({"state": "left"}), json!({"role": "employee"})] {
            let call = app.patch(&path).bearer(&second.token).json(&change);
            app.changes_nothing(call).await.problem(409, "last-administrator");
        }
    }

    async fn s07_applying_again_answers_with_the_same_record(app: TestApp) {
        let cast = app.cast().await;
        let path = record_path(&cast.institution);
        let call = app.post(&path).bearer(&cast.administrator.token);
        let again = app.changes_nothing(call).await.ok(201);
        assert_eq!(again["record"]["id"], cast.institution.record.id.as_str());
        // The institution's own program may do what its administrator may.
        let call = app.post(&path).bearer(&cast.institution.key);
        assert_eq!(app.changes_nothing(call).await.ok(201), again);
    }

    async fn s07_a_stranger_is_not_tied(app: TestApp) {
        let cast = app.cast().await;
        let other = app.institution("Somebody else").await;
        let stranger = app.member(&other, "stranger", MemberRole::Administrator).await;
        let path = format!("{}/members/{}", record_path(&cast.institution), stranger.member.id);
        let call = app.put(&path).bearer(&cast.administrator.token);
        app.changes_nothing(call).await.problem(404, "not-found");
        let asked = json!({"initial_code_for": stranger.member.id.to_string()});
        let call = app.post(&record_path(&cast.institution)).bearer(&cast.administrator.token).json(&asked);
        app.changes_nothing(call).await.problem(404, "not-found");
        show(&app, &stranger.token, &cast.institution.institution.id.to_string()).await.problem(409, "not-tied");
    }
}
