//! Row S06: invoice keywords become profiles with ids of their own, several to a record; who entered them gets the result.
//! Source: S claims 5-6, \[46\]-\[51\], \[95\].

use serde_json::{Value, json};

use crate::support::shown::{items, text};
use crate::support::{TestApp, on_both};

fn company() -> Value {
    json!({
        "title_kind": "company", "title": "杭州示例科技有限公司", "tax_number": "91310115MA1K000003",
        "address": "文三路 90 号", "telephone": "0571-1234567", "bank_name": "示例银行", "bank_account": "33001234567",
        "vat_id": "DE123456789", "postcode": "310012", "city": "杭州市", "country": "CN",
        "electronic_address": "0204:991-01234-56", "buyer_reference": "K-7", "email": "fapiao@example.org", "preferred": true
    })
}

fn personal() -> Value {
    json!({"title_kind": "personal", "title": "李雷"})
}

async fn add(app: &TestApp, token: &str, profile: &Value) -> Value {
    app.post("/v1/invoice-profiles")
        .bearer(token)
        .json(profile)
        .send()
        .await
        .ok(201)
}

async fn list(app: &TestApp, token: &str) -> Vec<Value> {
    let list = app.get("/v1/invoice-profiles").bearer(token).send().await.ok(200);
    items(&list).clone()
}

on_both! {
    async fn s06_several_profiles_of_one_record_have_ids_of_their_own(app: TestApp) {
        let person = app.person("li.lei").await;
        let first = add(&app, &person.token, &company()).await;
        let second = add(&app, &person.token, &personal()).await;
        assert_ne!(first["id"], second["id"]);
        for profile in [&first, &second] {
            assert_eq!(profile["record"], person.record.id.as_str());
        }
        // Every field comes back to who entered it.
        for (field, value) in company().as_object().unwrap() {
            assert_eq!(&first[field], value, "{field}");
        }
        let listed = list(&app, &person.token).await;
        assert_eq!(listed, [first.clone(), second.clone()]);
        for profile in [first, second] {
            let path = format!("/v1/invoice-profiles/{}", text(&profile, "/id"));
            assert_eq!(app.get(&path).bearer(&person.token).send().await.ok(200), profile);
        }
    }

    async fn s06_all_wrong_fields_are_named_at_once(app: TestApp) {
        let person = app.person("li.lei").await;
        let wrong = json!({
            "title_kind": "company", "title": " ", "tax_number": "12 34", "address": "a\u{0}b", "email": "nobody",
            "telephone": "1".repeat(41), "bank_name": "x".repeat(101), "bank_account": "y".repeat(65),
            "scenarios": ["scn_01kb6x2x8s0g00000000000000"]
        });
        let call = app.post("/v1/invoice-profiles").bearer(&person.token).json(&wrong);
        let problem = app.changes_nothing(call).await.problem(422, "invalid-fields");
        let mut named: Vec<_> = items_of(&problem).collect();
        named.sort_unstable();
        let expected =
            ["address", "bank_account", "bank_name", "email", "scenarios[0]", "tax_number", "telephone", "title"];
        assert_eq!(named, expected);
    }

    async fn s06_a_company_needs_a_tax_number(app: TestApp) {
        let person = app.person("li.lei").await;
        let wrong = json!({"title_kind": "company", "title": "Nordlicht GmbH"});
        let call = app.post("/v1/invoice-profiles").bearer(&person.token).json(&wrong);
        assert_eq!(app.changes_nothing(call).await.problem(422, "invalid-fields")["field"], "tax_number");
    }

    async fn s06_numbers_are_checked_by_the_rules_of_their_country(app: TestApp) {
        let person = app.person("li.lei").await;
        let cases = [
            ("CN", "91310115MA1K000004", "", "tax_number"),
            ("CN", "", "DE123456789", "tax_number"),
            ("DE", "", "DE12345678", "vat_id"),
            ("UK", "12345", "", "country"),
        ];
        for (country, tax_number, vat_id, expected) in cases {
            let mut profile = json!({"title_kind": "company", "title": "x", "country": country});
            for (field, value) in [("tax_number", tax_number), ("vat_id", vat_id)] {
                if !value.is_empty() {
                    profile[field] = value.into();
                }
            }
            let call = app.post("/v1/invoice-profiles").bearer(&person.token).json(&profile);
            assert_eq!(app.changes_nothing(call).await.problem(422, "invalid-fields")["field"], expected, "{profile}");
        }
    }

    async fn s06_a_buyer_by_the_european_standard_comes_back_in_written_form(app: TestApp) {
        let person = app.person("li.lei").await;
        let typed = json!({
            "title_kind": "company", "title": "Nordlicht Beispiel GmbH", "vat_id": "de 123 456 789", "address": "Kai 1",
            "postcode": "20457", "city": "Hamburg", "country": "de", "electronic_address": "9930:DE123456789",
            "buyer_reference": "04011000-12345-03"
        });
        let mut kept = typed.clone();
        kept["vat_id"] = "DE123456789".into();
        kept["country"] = "DE".into();
        let added = add(&app, &person.token, &typed).await;
        for (field, value) in kept.as_object().unwrap() {
            assert_eq!(&added[field], value, "{field}");
        }
        assert_eq!(list(&app, &person.token).await, [added]);
    }

    async fn s06_one_profile_is_preferred(app: TestApp) {
        let person = app.person("li.lei").await;
        let first = add(&app, &person.token, &company()).await;
        let mut second = personal();
        second["preferred"] = true.into();
        let second = add(&app, &person.token, &second).await;
        let marks: Vec<_> = list(&app, &person.token).await;
        let mark = |id: &Value| marks.iter().find(|profile| profile["id"] == *id).unwrap()["preferred"].clone();
        assert_eq!((mark(&first["id"]), mark(&second["id"])), (json!(false), json!(true)));
    }

    async fn s06_a_profile_is_replaced_and_removed(app: TestApp) {
        let person = app.person("li.lei").await;
        let first = add(&app, &person.token, &company()).await;
        let path = format!("/v1/invoice-profiles/{}", text(&first, "/id"));
        app.clock.advance_ms(1_000);
        let replaced = app.put(&path).bearer(&person.token).json(&personal()).send().await.ok(200);
        assert_eq!((&replaced["id"], &replaced["created_at"]), (&first["id"], &first["created_at"]));
        assert_eq!((&replaced["title"], replaced.get("tax_number")), (&json!("李雷"), None));
        assert_eq!(list(&app, &person.token).await, [replaced]);

        app.delete(&path).bearer(&person.token).send().await.expect(204);
        assert!(list(&app, &person.token).await.is_empty());
        app.get(&path).bearer(&person.token).send().await.problem(404, "not-found");
        app.put(&path).bearer(&person.token).json(&personal()).send().await.problem(404, "not-found");
        app.delete(&path).bearer(&person.token).send().await.problem(404, "not-found");
    }

    async fn s06_the_entered_profile_reaches_the_till(app: TestApp) {
        let cast = app.cast().await;
        add(&app, &cast.person.token, &company()).await;
        let shown = app.show_user_code(&cast.person.token, "phone").await;
        let paid = app.paid(&cast.merchant.cashier_key, &shown.digits, 900, "A-1").await;
        assert_eq!(paid["profile"]["status"], "settled");
        let mut expected = company();
        expected.as_object_mut().unwrap().remove("preferred");
        assert_eq!(paid["profile"]["profile"], expected);
    }

    async fn s06_a_profile_needs_a_record(app: TestApp) {
        app.register("new.here").await;
        let token = app.sign_in("new.here").await;
        let call = app.post("/v1/invoice-profiles").bearer(&token).json(&personal());
        app.changes_nothing(call).await.problem(409, "not-enabled");
        // Another's record is as good as none.
        let other = app.person("li.lei").await;
        let mut profile = personal();
        profile["record"] = other.record.id.as_str().into();
        let call = app.post("/v1/invoice-profiles").bearer(&token).json(&profile);
        app.changes_nothing(call).await.problem(404, "not-found");
    }
}

fn items_of(problem: &Value) -> impl Iterator<Item = &str> {
    problem["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| text(reason, "/field"))
}
