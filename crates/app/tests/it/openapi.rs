//! The API's description: valid, complete, the same as yesterday unless somebody decided otherwise, and true when a program
//! that knows nothing but the description calls a real server.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

use axum::http::Method;
use onescan_app::http_client::{Ask, Client};
use serde_json::{Value, json};

use crate::support::decoders::{python_path, run};
use crate::support::inventory::{Operation, Owner, operations, operations_of};
use crate::support::program::{Program, Running};
use crate::support::shown::text;
use crate::support::{TestApp, on_both};

/// `method path: operation, statuses`, one line each.
fn outline(operations: &[Operation]) -> String {
    let mut outline = String::new();
    for operation in operations {
        let statuses: Vec<&str> = operation.described["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let line = format!(
            "{} {}: {}, {}",
            operation.method,
            operation.path,
            operation.name,
            statuses.join(" ")
        );
        writeln!(outline, "{line}").unwrap();
    }
    outline
}

on_both! {
    async fn paths_methods_and_statuses_are_those_that_were_decided(app: TestApp) {
        insta::assert_snapshot!("outline", outline(&operations(&app).await));
    }

    async fn every_problem_in_the_description_is_explained(app: TestApp) {
        let known = app.get("/problems").send().await.ok(200);
        let known: Vec<&str> =
            known["items"].as_array().unwrap().iter().map(|kind| kind["code"].as_str().unwrap()).collect();
        let mut seen = 0;
        for operation in operations(&app).await {
            for (status, response) in operation.described["responses"].as_object().unwrap() {
                if response.pointer("/content/application~1problem+json").is_none() {
                    assert!(status.starts_with('2'), "{} {status}", operation.name);
                    continue;
                }
                let told = response["description"].as_str().unwrap().split('`').skip(1).step_by(2);
                for code in told {
                    assert!(known.contains(&code), "{code} of {}", operation.name);
                    let kind = app.get(&format!("/problems/{code}")).send().await.ok(200);
                    assert_eq!(kind["status"].to_string(), *status, "{code} of {}", operation.name);
                    seen += 1;
                }
            }
        }
        assert!(seen > 300, "{seen}");
    }

    async fn the_page_to_try_it_needs_no_network(app: TestApp) {
        let document = app.get("/openapi.json").send().await;
        assert_eq!(document.header("content-type"), Some("application/json"));
        let page = app.get("/docs/").send().await;
        page.expect(200);
        let mut pages = vec![page.text()];
        for name in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
            assert!(pages[0].contains(name), "{}", pages[0]);
            let part = app.get(&format!("/docs/{name}")).send().await;
            part.expect(200);
            if name.contains("initializer") {
                pages.push(part.text());
            }
        }
        assert!(pages[1].contains("/openapi.json"), "{}", pages[1]);
        for page in pages {
            let outside = page.split(['"', '\'']).find(|part| part.starts_with("http") || part.starts_with("//"));
            assert_eq!(outside, None);
        }
    }
}

#[test]
fn the_description_is_valid_openapi_3_1() {
    let program = Program::new();
    let document = program.run(&["openapi"]);
    assert_eq!(document.status, 0, "{}", document.stderr);
    let value: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(value["openapi"], "3.1.0");
    let path = program.path().join("openapi.json");
    std::fs::write(&path, &document.stdout).unwrap();
    let mut validator = Command::new(python_path());
    validator
        .args([
            "-m",
            "openapi_spec_validator",
            "--schema",
            "3.1",
            "--validation-errors",
            "all",
        ])
        .arg(&path);
    run(&mut validator);
    // It would find something.
    std::fs::write(
        &path,
        document
            .stdout
            .replacen("\"operationId\"", "\"operationIdd\"", 1)
            .replacen("3.1.0", "3.1.x", 1),
    )
    .unwrap();
    assert!(!validator.output().unwrap().status.success());
}

/// Everybody the API is for, on a server of its own, by the names of their things.
struct Company {
    operator: String,
    person: String,
    /// For an operation that ends it.
    other_session: String,
    administrator: String,
    merchant: String,
    cashier: String,
    invoice: String,
    gate: String,
    ids: BTreeMap<&'static str, String>,
}

struct Api {
    client: Client,
    count: u32,
}

impl Api {
    async fn ask(&mut self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Value {
        self.count += 1;
        let ask = Ask {
            method,
            path: path.to_owned(),
            bearer: bearer.map(str::to_owned),
            idempotency_key: Some(format!("setting-up-{}", self.count)),
            body,
        };
        let told = self.client.ask(&ask).await.unwrap();
        assert!((200..300).contains(&told.status), "{path}: {}", told.body);
        told.body
    }

    async fn post(&mut self, path: &str, bearer: &str, body: Value) -> Value {
        self.ask(Method::POST, path, Some(bearer), Some(body)).await
    }

    async fn get_first(&mut self, path: &str, bearer: &str) -> String {
        let list = self.ask(Method::GET, path, Some(bearer), None).await;
        text(&list, "/items/0/id").to_owned()
    }

    async fn sign_in(&mut self, login: &str) -> String {
        let asked = json!({"login": login, "password": "correct horse battery"});
        let signed_in = self.ask(Method::POST, "/v1/sessions", None, Some(asked)).await;
        text(&signed_in, "/token").to_owned()
    }

    async fn register(&mut self, login: &str) -> Value {
        let asked = json!({"login": login, "name": login, "password": "correct horse battery", "currency": "EUR"});
        self.ask(Method::POST, "/v1/people", None, Some(asked)).await
    }
}

async fn company(server: &Running, operator: String) -> Company {
    let mut api = Api {
        client: Client::connect(server.address).await.unwrap(),
        count: 0,
    };
    let text = |value: &Value, pointer: &str| text(value, pointer).to_owned();
    let amount = json!({"amount": {"amount_minor": 100_000, "currency": "EUR"}});
    let person_view = api.register("mei").await;
    let (person, other_session) = (api.sign_in("mei").await, api.sign_in("mei").await);
    api.post(
        &format!("/v1/people/{}/top-ups", text(&person_view, "/id")),
        &operator,
        amount.clone(),
    )
    .await;
    let enabled = api
        .post("/v1/code-records", &person, json!({"consent_fields": ["name"]}))
        .await;
    for title in ["One", "Two"] {
        api.post(
            "/v1/invoice-profiles",
            &person,
            json!({"title_kind": "personal", "title": title}),
        )
        .await;
    }
    let record = text(&enabled, "/record/id");

    let new = json!({"name": "Nordlicht GmbH", "currency": "EUR", "time_zone": "Europe/Berlin"});
    let institution = text(&api.post("/v1/institutions", &operator, new).await, "/id");
    let of_institution = |rest: &str| format!("/v1/institutions/{institution}/{rest}");
    api.post(&of_institution("accounts/top-ups"), &operator, amount).await;
    api.register("boss").await;
    api.post(
        &of_institution("members"),
        &operator,
        json!({"login": "boss", "role": "administrator"}),
    )
    .await;
    let administrator = api.sign_in("boss").await;
    let member = api
        .post(&of_institution("members"), &administrator, json!({"login": "mei"}))
        .await;
    api.post(&of_institution("code-record"), &administrator, json!({}))
        .await;
    let key = api
        .post(&of_institution("keys"), &administrator, json!({"name": "program"}))
        .await;

    let new = json!({"name": "Corner Canteen", "category": "5812", "currency": "EUR"});
    let merchant_id = text(&api.post("/v1/merchants", &operator, new).await, "/id");
    let of_merchant = |rest: &str| format!("/v1/merchants/{merchant_id}/{rest}");
    let merchant = api
        .post(&of_merchant("keys"), &operator, json!({"name": "back office"}))
        .await;
    let merchant = text(&merchant, "/secret");
    let store = api
        .post(
            &of_merchant("stores"),
            &merchant,
            json!({"name": "Main", "city": "Berlin"}),
        )
        .await;
    let mut terminals = Vec::new();
    for role in ["cashier", "invoice", "cashier", "gate"] {
        let new = json!({"store": store["id"], "name": role, "role": role, "may_assert_paid": role == "invoice"});
        terminals.push(api.post(&of_merchant("terminals"), &merchant, new).await);
    }
    let secret = |terminal: &Value| text(terminal, "/key/secret");

    let code = api
        .post("/v1/service-codes", &person, json!({"kind": "user", "device": "phone"}))
        .await;
    let device_key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let device = json!({"name": "Phone", "algorithm": "ed25519", "public_key": device_key});
    let device = api.post("/v1/ride-devices", &person, device).await;
    let sale =
        json!({"code": code["digits"], "order_number": "A-1", "amount": {"amount_minor": 5_000, "currency": "EUR"}});
    let paid = api.post("/v1/payments", &secret(&terminals[0]), sale).await;
    let ids = BTreeMap::from([
        ("account", text(&person_view, "/account")),
        ("choice", api.get_first("/v1/people/me/choices", &person).await),
        ("consent", api.get_first("/v1/people/me/consents", &person).await),
        ("institution", institution.clone()),
        ("key", text(&key, "/key/id")),
        ("member", text(&member, "/id")),
        ("merchant", merchant_id.clone()),
        ("payment", text(&paid, "/payment/id")),
        ("person", text(&person_view, "/id")),
        ("problem", "limit-exceeded".to_owned()),
        ("profile", api.get_first("/v1/invoice-profiles", &person).await),
        ("ride_device", text(&device, "/id")),
        ("record", record.clone()),
        (
            "scenario",
            api.get_first(&format!("/v1/code-records/{record}/scenarios"), &person)
                .await,
        ),
        ("service_code", text(&code, "/id")),
        ("terminal", text(&terminals[2], "/terminal/id")),
    ]);
    Company {
        operator,
        person,
        other_session,
        administrator,
        merchant,
        cashier: secret(&terminals[0]),
        invoice: secret(&terminals[1]),
        gate: secret(&terminals[3]),
        ids,
    }
}

impl Company {
    /// schemathesis' own configuration: which credential goes where, and which ids name something.
    fn configuration(&self, document: &Value) -> String {
        let mut lines = String::from("[parameters]\n");
        for (name, id) in &self.ids {
            writeln!(lines, "\"path.{name}\" = \"{id}\"").unwrap();
        }
        for operation in operations_of(document) {
            let credential = match operation.owner() {
                _ if operation.name == "signOut" => &self.other_session,
                Owner::Operator => &self.operator,
                Owner::Administrator => &self.administrator,
                Owner::Cashier => &self.cashier,
                Owner::InvoiceTerminal => &self.invoice,
                Owner::Gate => &self.gate,
                Owner::Merchant => &self.merchant,
                Owner::Person => &self.person,
            };
            let name = operation.name;
            write!(lines, "\n[[operations]]\ninclude-operation-id = \"{name}\"\n").unwrap();
            writeln!(lines, "headers = {{ Authorization = \"Bearer {credential}\" }}").unwrap();
        }
        lines
    }
}

/// The description is all that schemathesis knows. No 5xx, nothing undocumented.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn schemathesis_finds_nothing() {
    let program = Program::new();
    let cheap = "[passwords]\nmemory_kib = 8\npasses = 1\n";
    std::fs::write(program.path().join("onescan.toml"), cheap).unwrap();
    let operator = text(&program.json(&["operator", "key"]), "/key").to_owned();
    let server = program.start(&["serve", "--listen", "127.0.0.1:0"]);
    let company = company(&server, operator).await;
    let document = serde_json::from_str(&program.run(&["openapi"]).stdout).unwrap();
    std::fs::write(
        program.path().join("schemathesis.toml"),
        company.configuration(&document),
    )
    .unwrap();

    let address = format!("http://{}/openapi.json", server.address);
    let mut schemathesis = Command::new(python_path());
    schemathesis
        .current_dir(program.path())
        .args(["-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]);
    schemathesis.args([
        "run",
        &address,
        "--seed",
        "1",
        "--max-examples",
        "6",
        "--phases",
        "examples,coverage,fuzzing",
    ]);
    // An answer without an end; row R11 has tests of its own.
    schemathesis.args(["--exclude-operation-id", "followMyRides"]);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
    schemathesis.args([
        "--checks",
        checks,
        "--continue-on-failure",
        "--request-timeout",
        "20",
        "--no-color",
    ]);
    let ran = tokio::task::spawn_blocking(move || schemathesis.output().unwrap())
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    // It did reach what lies behind the credentials.
    assert!(!said.contains("Authentication failed"), "{said}");
    server.stop();
    let verified = program.json(&["verify"]);
    assert!(!verified.to_string().contains("\"holds\":false"), "{verified}");
}
