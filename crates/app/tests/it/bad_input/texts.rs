//! Text of every kind in every text field: taken and given back as it was, or refused with the field's name.

use serde_json::{Value, json};

use crate::support::http::Answer;
use crate::support::inventory::{Inventory, Operation, operations};
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

fn texts() -> Vec<String> {
    let texts = [
        "a\u{0}b",
        "two\nlines",
        "\u{1b}[31mred",
        " \t ",
        "👩‍👩‍👧🎉",
        "שלום עולם",
        "abc\u{202e}txt.exe",
        "e\u{301}\u{20dd}",
        "𠮷野家",
        "\u{feff}\u{200b}x\u{2028}y",
        "'; drop table people; --",
        "<script>alert(1)</script>",
        "{{name}} %s %n \\u0041 ${x}",
    ];
    let mut texts = texts.map(str::to_owned).to_vec();
    texts.push("字".repeat(10_000));
    texts
}

/// Fields that are no free text: ids, codes and words of a list have tests of their own.
const WORDS: &[&str] = &[
    "currency",
    "kind",
    "state",
    "members",
    "role",
    "title_kind",
    "to",
    "store",
    "profile",
    "code",
    "record",
    "person",
    "institution",
    "at",
    "merchant",
    "department",
    "from",
    "account",
    "trust",
    "capture",
    "language",
    "initial_code_for",
    "mode",
    "step",
    "logo",
    "algorithm",
    "by",
    "consultation",
    "first_on",
    "from_at",
    "institution_payment",
    "provider",
    "ruling",
    "otherwise",
    "source",
    "start_at",
    "travel_type",
    "until",
    "until_on",
    "valid_from",
    "valid_until",
];

/// Fields whose text is kept and not shown.
const NOT_SHOWN: &[&str] = &[
    "device",
    "location",
    "password",
    "city",
    "identity/number",
    "login",
    "refundRide/number",
    "tryRide/start_stop",
    "tryRide/end_stop",
    "tryRide/end_city",
    "tryRide/line",
];

/// Pointers of the text fields in a body.
fn fields(body: &Value, at: &str, found: &mut Vec<String>) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                if !WORDS.contains(&name.as_str()) {
                    fields(value, &format!("{at}/{name}"), found);
                }
            }
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                fields(value, &format!("{at}/{place}"), found);
            }
        }
        Value::String(_) => found.push(at.to_owned()),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(members) => members.values().any(|value| holds(value, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether the problem names the field, or one inside it.
fn names(problem: &Value, field: &str) -> bool {
    let first = field.trim_start_matches('/').split('/').next().unwrap();
    let told = problem["reasons"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|reason| &reason["field"]);
    let mut all = told.chain([&problem["field"]]).filter_map(Value::as_str);
    all.any(|told| told.starts_with(first))
}

fn check(operation: &Operation, field: &str, text: &str, answer: &Answer) {
    let what = format!(
        "{} {field} {:?}",
        operation.name,
        text.chars().take(30).collect::<String>()
    );
    let place = format!("{}{field}", operation.name);
    let known = |list: &[&str]| list.iter().any(|name| place.ends_with(name));
    match answer.status.as_u16() {
        200 | 201 => {
            // White text in a field that may be left out is no text.
            let shown = holds(&answer.json(), text.trim()) || text.trim().is_empty();
            assert!(shown || known(NOT_SHOWN), "{what}: {}", answer.text());
        }
        401 | 429 => assert_eq!(operation.name, "signIn", "{what}: {}", answer.text()),
        409 | 422 => assert!(names(&answer.json(), field), "{what}: {}", answer.text()),
        _ => panic!("{what}: {}", answer.text()),
    }
}

/// The description's text fields that no body of ours has.
fn forgotten(document: &Value, operation: &Operation, fields: &[String]) -> Vec<String> {
    let schema = &operation.described["requestBody"]["content"]["application/json"]["schema"];
    let follow = |schema: &Value| match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    let schema = follow(schema);
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    let is_text = |schema: &Value| {
        let schema = follow(schema);
        schema["type"] == "string" || schema["type"] == json!(["string", "null"])
    };
    let texts = properties
        .iter()
        .filter(|(name, schema)| is_text(schema) && !WORDS.contains(&name.as_str()));
    let absent = texts.filter(|(name, _)| !fields.iter().any(|field| field == &format!("/{name}")));
    absent.map(|(name, _)| name.clone()).collect()
}

on_both! {
    async fn every_text_field_takes_every_text_or_names_itself(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let document = app.get("/openapi.json").send().await.ok(200);
        let mut seen = 0;
        for operation in operations(&app).await {
            // The preview takes what the set-up itself takes, and draws it.
            if operation.media_type() != Some("application/json") || operation.name == "previewTaxSetup" {
                continue;
            }
            let body = inventory.body(&app, &operation).await.unwrap();
            let mut all = Vec::new();
            fields(&body, "", &mut all);
            assert_eq!(forgotten(&document, &operation, &all), Vec::<String>::new(), "{}", operation.name);
            for field in &all {
                for content in texts() {
                    let ids = inventory.fresh_ids_for(&app, &operation).await;
                    let mut body = inventory.body(&app, &operation).await.unwrap();
                    *body.pointer_mut(field).unwrap() = content.as_str().into();
                    let owner = inventory.owner(&operation);
                    let answer = inventory.call(&app, &operation, owner, &ids, Some(&body)).send().await;
                    check(&operation, field, &content, &answer);
                    seen += 1;
                }
            }
        }
        assert!(seen > 500, "{seen}");
        assert_eq!(app.breaches().await, Vec::<String>::new());
    }

    async fn a_name_comes_back_wherever_it_is_shown(app: TestApp) {
        let name = "👩‍👩‍👧 Ünïcødé שלום 字";
        let cast = app.cast().await;
        let token = &cast.person.token;
        let call = app.patch("/v1/people/me").bearer(token).json(&json!({"name": format!("  {name}\u{a0}")}));
        assert_eq!(call.send().await.ok(200)["name"], name);
        assert_eq!(app.get("/v1/people/me").bearer(token).send().await.ok(200)["name"], name);
        let profile = json!({"title_kind": "personal", "title": name, "email": "a@exämple.org"});
        app.post("/v1/invoice-profiles").bearer(token).json(&profile).send().await.expect(201);
        let code = app.show_user_code(token, "👩‍👩‍👧").await;
        let sale = json!({"code": code.digits, "amount": {"amount_minor": 100, "currency": "CNY"},
            "order_number": name, "subject": name});
        let call = app.paying_with(&cast.merchant.cashier_key, &sale, "k-1");
        let paid = call.send().await.ok(201);
        for (pointer, value) in [
            ("/payment/order_number", name), ("/payment/subject", name), ("/profile/profile/title", name),
            ("/profile/profile/email", "a@exämple.org"),
        ] {
            assert_eq!(text(&paid, pointer), value);
        }
        // The order number is found again as it is written in a query.
        let query: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = app.get(&format!("/v1/payments?order_number={query}")).bearer(&cast.merchant.cashier_key);
        assert_eq!(found.send().await.ok(200)["items"][0]["id"], paid["payment"]["id"]);
    }

    async fn an_order_number_as_long_as_it_may_be(app: TestApp) {
        let cast = app.cast().await;
        let till = &cast.merchant.cashier_key;
        let sale = |digits: &str, count: usize| {
            json!({"code": digits, "amount": {"amount_minor": 100, "currency": "CNY"}, "order_number": "字".repeat(count)})
        };
        let code = app.show_user_code(&cast.person.token, "phone").await;
        let call = app.paying_with(till, &sale(&code.digits, 65), "k-1");
        let problem = app.changes_nothing(call).await.problem(422, "invalid-fields");
        assert_eq!(problem["field"], "order_number");
        assert_eq!(problem["reasons"][0]["detail"], "has 65 characters, at most 64 are allowed");
        app.paying_with(till, &sale(&code.digits, 64), "k-1").send().await.expect(201);
    }
}
