//! Rows S02 and S03: a code record is made from the identity id; its id is an encryption of it, or random; identity ids are of
//! three kinds. Source: S claim 2, \[20\], \[22\]-\[25\], \[45\].

use onescan_platforms::codes::RecordIdKind;
use serde_json::{Value, json};

use crate::support::app::Engine;
use crate::support::shown::{items, text};
use crate::support::{TestApp, on_both};

fn passport() -> Value {
    json!({"login": "ada", "name": "Ada", "identity": {"kind": "cross_border_credential", "number": "C01X00T47"}})
}

/// Registers, enables code payment, and tells the record's id.
async fn record_id(app: &TestApp, person: Value) -> String {
    let token = app.register_over_http(person).await;
    let enabled = app.post("/v1/code-records").bearer(&token).send().await.ok(201);
    text(&enabled, "/record/id").to_owned()
}

/// Another installation with the same secret: nothing is shared but configuration.
async fn elsewhere(app: &TestApp, kind: RecordIdKind) -> TestApp {
    let other = TestApp::start(app.engine).await.unwrap();
    // Its random numbers are not those of the first.
    let _: [u8; 64] = other.services.env.bytes();
    other.restarted(|config| config.codes.record_id = kind).await
}

on_both! {
    async fn s02_an_encrypted_record_id_follows_from_the_identity_id(app: TestApp) {
        let app = app.restarted(|config| config.codes.record_id = RecordIdKind::Encrypted).await;
        let here = record_id(&app, passport()).await;
        let there = record_id(&elsewhere(&app, RecordIdKind::Encrypted).await, passport()).await;
        assert_eq!(here, there);
        // It does not show what it is made of.
        assert!(!here.to_lowercase().contains("c01x00t47"), "{here}");
        let other = json!({"login": "bob", "name": "Bob", "identity": {"kind": "credential", "number": "C01X00T47"}});
        assert_ne!(record_id(&app, other).await, here);
    }

    async fn s02_a_random_record_id_does_not(app: TestApp) {
        let app = app.restarted(|config| config.codes.record_id = RecordIdKind::Random).await;
        let here = record_id(&app, passport()).await;
        let there = record_id(&elsewhere(&app, RecordIdKind::Random).await, passport()).await;
        assert_ne!(here, there);
    }

    async fn s02_enabling_again_answers_with_the_same_record(app: TestApp) {
        for (login, kind) in [("encrypted", RecordIdKind::Encrypted), ("random", RecordIdKind::Random)] {
            let app = app.restarted(|config| config.codes.record_id = kind).await;
            let token = app.register_over_http(json!({"login": login, "name": login})).await;
            let first = app.post("/v1/code-records").bearer(&token).send().await.ok(201);
            let app = app.restarted(|_| {}).await;
            let again = app.post("/v1/code-records").bearer(&token).send().await.ok(201);
            assert_eq!(again, first);
            let records = app.get("/v1/code-records").bearer(&token).send().await.ok(200);
            assert_eq!(items(&records), &[first["record"].clone()]);
        }
        // A record keeps its id when the configuration changes.
        assert_eq!(app.row_counts().await["code_records"], 2);
    }

    async fn s02_the_record_holds_identity_id_and_account(app: TestApp) {
        let token = app.register_over_http(passport()).await;
        let me = app.get("/v1/people/me").bearer(&token).send().await.ok(200);
        let record = app.post("/v1/code-records").bearer(&token).send().await.ok(201)["record"].clone();
        assert_eq!(record["account"], me["account"]);
        assert_eq!((&record["kind"], &record["state"]), (&json!("user"), &json!("active")));
        let rows = app.query("select id, holder_id, identity_kind, identity_number, account_id from code_records").await;
        let expected = [
            text(&record, "/id"),
            text(&me, "/id").strip_prefix("per_").unwrap(),
            "cross_border_credential",
            "C01X00T47",
            text(&me, "/account").strip_prefix("acc_").unwrap(),
        ];
        assert_eq!(rows, [expected]);
    }

    async fn s03_identity_ids_are_of_three_kinds(app: TestApp) {
        let kinds = [
            ("user_number", "100200300400", "••••••••0400"),
            ("credential", "110101199003074477", "••••••••••••••4477"),
            ("cross_border_credential", "E1234567/8", "••••••67/8"),
        ];
        let mut records = std::collections::BTreeSet::new();
        for (kind, number, masked) in kinds {
            let person = json!({"login": kind, "name": kind, "identity": {"kind": kind, "number": number}});
            let token = app.register_over_http(person).await;
            let me = app.get("/v1/people/me").bearer(&token).send().await.ok(200);
            assert_eq!((&me["identity_kind"], &me["identity_number"]), (&json!(kind), &json!(masked)));
            let enabled = app.post("/v1/code-records").bearer(&token).send().await.ok(201);
            records.insert(text(&enabled, "/record/id").to_owned());
            let shown = app.show_user_code(&token, "phone").await;
            assert_eq!(shown.digits.len(), 18);
        }
        assert_eq!(records.len(), 3);
        let stored = app.query("select identity_kind, identity_number from code_records order by identity_kind").await;
        let mut expected = kinds.map(|(kind, number, _)| [kind, number]);
        expected.sort();
        assert_eq!(stored, expected);
    }

    async fn s03_one_number_in_two_kinds_is_two_identity_ids(app: TestApp) {
        let person = |login: &str, kind: &str| {
            json!({"login": login, "name": login, "identity": {"kind": kind, "number": "C01X00T47"}})
        };
        let one = record_id(&app, person("one", "credential")).await;
        let two = record_id(&app, person("two", "cross_border_credential")).await;
        assert_ne!(one, two);
        // The same kind and number, in whatever case, is the same person.
        let mut again = person("three", "credential");
        again["identity"]["number"] = "c01x00t47".into();
        again["password"] = "correct horse battery".into();
        again["currency"] = "CNY".into();
        let call = app.post("/v1/people").json(&again);
        let problem = app.changes_nothing(call).await.problem(409, "taken");
        assert_eq!(problem["field"], "identity");
    }

    async fn s03_without_an_identity_a_user_number_is_given_out(app: TestApp) {
        let token = app.register_over_http(json!({"login": "mei", "name": "韩梅梅"})).await;
        let me = app.get("/v1/people/me").bearer(&token).send().await.ok(200);
        assert_eq!(me["identity_kind"], "user_number");
        app.post("/v1/code-records").bearer(&token).send().await.expect(201);
        let stored = app.query("select identity_kind, identity_number from code_records").await;
        assert_eq!(stored[0][0], "user_number");
        assert_eq!(stored[0][1].len(), 12, "{stored:?}");
    }

    async fn s03_numbers_of_no_kind_are_refused(app: TestApp) {
        let engine: Engine = app.engine;
        let cases = [
            ("identity.kind", "passport", "C01X00T47"),
            ("identity.number", "credential", ""),
            ("identity.number", "credential", "C01 X00"),
            ("identity.number", "credential", "a\u{0}b"),
            ("identity.number", "credential", "12345678901234567890123456789012345678901234567890123456789012345"),
        ];
        for (field, kind, number) in cases {
            let person = json!({"login": "eve", "name": "Eve", "password": "correct horse battery", "currency": "CNY",
                "identity": {"kind": kind, "number": number}});
            let answer = app.changes_nothing(app.post("/v1/people").json(&person)).await;
            assert_eq!(answer.problem(422, "invalid-fields")["field"], field, "{engine:?} {kind} {number}");
        }
    }
}
