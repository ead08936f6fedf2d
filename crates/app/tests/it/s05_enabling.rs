//! Row S05: enabling reads what the person agreed to and nothing else; the consent is kept, seen and withdrawn; the answer is
//! the result, or at once an initial code. Source: S claim 4, \[41\]-\[45\].

use serde_json::{Value, json};

use crate::support::shown::{Shown, items, text};
use crate::support::{TestApp, on_both};

async fn registered(app: &TestApp) -> String {
    let person = json!({"login": "mei", "name": "韩梅梅", "email": "mei@example.org",
        "identity": {"kind": "credential", "number": "110101199003074477"}});
    app.register_over_http(person).await
}

async fn enable(app: &TestApp, token: &str, asked: Value) -> Value {
    app.post("/v1/code-records")
        .bearer(token)
        .json(&asked)
        .send()
        .await
        .ok(201)
}

async fn profiles(app: &TestApp, token: &str) -> Vec<Value> {
    let list = app.get("/v1/invoice-profiles").bearer(token).send().await.ok(200);
    items(&list).clone()
}

async fn consents(app: &TestApp, token: &str) -> Vec<Value> {
    let list = app.get("/v1/people/me/consents").bearer(token).send().await.ok(200);
    items(&list).clone()
}

on_both! {
    async fn s05_without_consent_the_record_is_made_from_the_identity_id_alone(app: TestApp) {
        let token = registered(&app).await;
        let enabled = app.post("/v1/code-records").bearer(&token).send().await.ok(201);
        assert_eq!(enabled["record"]["state"], "active");
        assert_eq!(enabled.get("code"), None);
        assert!(profiles(&app, &token).await.is_empty());
        assert!(consents(&app, &token).await.is_empty());
        // Name and address stand where the person entered them, and nowhere else.
        assert_eq!(app.columns_with("mei@example.org").await, ["people.email"]);
        assert_eq!(app.columns_with("韩梅梅").await, ["accounts.name", "people.name"]);
        app.show_user_code(&token, "phone").await;
    }

    async fn s05_with_consent_name_and_email_become_a_first_profile(app: TestApp) {
        let token = registered(&app).await;
        let enabled = enable(&app, &token, json!({"consent_fields": ["name", "email"]})).await;
        let profiles = profiles(&app, &token).await;
        assert_eq!(profiles.len(), 1, "{profiles:?}");
        let profile = &profiles[0];
        assert_eq!(profile["record"], enabled["record"]["id"]);
        assert_eq!(profile["title_kind"], "personal");
        assert_eq!((&profile["title"], &profile["email"]), (&json!("韩梅梅"), &json!("mei@example.org")));
        assert_eq!(profile["preferred"], true);
    }

    async fn s05_only_what_was_agreed_is_read(app: TestApp) {
        let token = registered(&app).await;
        enable(&app, &token, json!({"consent_fields": ["name"]})).await;
        let profiles = profiles(&app, &token).await;
        assert_eq!(profiles[0]["title"], "韩梅梅");
        assert_eq!(profiles[0].get("email"), None);
        assert_eq!(app.columns_with("mei@example.org").await, ["people.email"]);
        assert_eq!(consents(&app, &token).await[0]["fields"], json!(["name"]));
    }

    async fn s05_a_consent_is_seen_withdrawn_and_kept(app: TestApp) {
        let token = registered(&app).await;
        enable(&app, &token, json!({"consent_fields": ["name", "email"]})).await;
        let given = consents(&app, &token).await;
        assert_eq!(given.len(), 1, "{given:?}");
        assert_eq!((&given[0]["purpose"], &given[0]["fields"]), (&json!("code_record"), &json!(["name", "email"])));
        assert_eq!(given[0]["given_at"], "2026-11-23T09:00:00.000Z");
        assert_eq!(given[0].get("withdrawn_at"), None);

        let path = format!("/v1/people/me/consents/{}", text(&given[0], "/id"));
        app.clock.advance_ms(60_000);
        app.delete(&path).bearer(&token).send().await.expect(204);
        let withdrawn = consents(&app, &token).await;
        assert_eq!(withdrawn[0]["withdrawn_at"], "2026-11-23T09:01:00.000Z");
        assert_eq!(withdrawn[0]["given_at"], given[0]["given_at"]);

        // Again: nothing changes, the first time counts.
        app.clock.advance_ms(60_000);
        app.delete(&path).bearer(&token).send().await.expect(204);
        assert_eq!(consents(&app, &token).await, withdrawn);
    }

    async fn s05_another_persons_consent_is_not_there(app: TestApp) {
        let token = registered(&app).await;
        enable(&app, &token, json!({"consent_fields": ["name"]})).await;
        let given = consents(&app, &token).await;
        let other = app.person("li.lei").await;
        let path = format!("/v1/people/me/consents/{}", text(&given[0], "/id"));
        app.delete(&path).bearer(&other.token).send().await.problem(404, "not-found");
        assert_eq!(consents(&app, &token).await, given);
    }

    async fn s05_enabling_answers_at_once_with_an_initial_code(app: TestApp) {
        let cast = app.cast().await;
        let token = registered(&app).await;
        let asked = json!({"initial_code": true, "device": "phone-1", "render": ["qr.svg"]});
        let enabled = enable(&app, &token, asked).await;
        let shown = Shown::of(enabled["code"].clone());
        assert_eq!(shown.whole["kind"], "user");
        assert!(text(&shown.whole, "/renderings/qr.svg/text").starts_with("<svg"), "{enabled}");
        // It is a code like any other: here the account is empty.
        let refused = app.paying(&cast.merchant.cashier_key, &shown.digits, 100, "A-1").send().await;
        refused.problem(422, "insufficient-funds");
        assert_eq!(app.query("select device, address from codes").await, [["phone-1", "192.0.2.7"]]);
    }

    async fn s05_an_unreadable_wish_names_every_field(app: TestApp) {
        let token = registered(&app).await;
        let asked = json!({"consent_fields": ["name", "telephone"], "initial_code": true, "render": ["fax"]});
        let call = app.post("/v1/code-records").bearer(&token).json(&asked);
        let problem = app.changes_nothing(call).await.problem(422, "invalid-fields");
        let named = problem["reasons"].as_array().unwrap().iter().map(|reason| text(reason, "/field"));
        assert_eq!(named.collect::<Vec<_>>(), ["consent_fields[1]", "render[0]", "device"]);
    }
}
