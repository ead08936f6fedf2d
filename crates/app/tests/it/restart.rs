//! A server that is killed under load keeps every payment it answered, and a repeat settles what was under way.

use std::net::SocketAddr;
use std::sync::Arc;

use onescan_app::http_client::{Ask, Client, Told};
use onescan_store::config::DbConfig;
use onescan_store::testing::{POSTGRES_URL, TestDatabase};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

use crate::support::program::{Program, Running};

const WORKERS: usize = 8;
/// Answered payments after which the server is killed.
const ENOUGH: usize = 200;
const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];

/// Payments that were answered, and requests whose answer never came.
#[derive(Debug, Default)]
struct Ledger {
    answered: Vec<String>,
    unanswered: Vec<Ask>,
}

pub fn post(path: &str, bearer: &str, key: Option<String>, body: Value) -> Ask {
    Ask {
        method: "POST".parse().unwrap(),
        path: path.to_owned(),
        bearer: Some(bearer.to_owned()),
        idempotency_key: key,
        body: Some(body),
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Who pays and where: a session's token, a cashier's key, and the merchant's id.
#[derive(Debug, Clone)]
pub struct Cast {
    pub person: String,
    pub till: String,
    pub merchant: String,
}

/// Makes a person with money and a till from the command line, while the server runs.
pub async fn cast(program: &Program, server: &Running) -> Cast {
    let person = program.json(&["person", "create", "Ada Berg", "ada.berg", "--currency", "EUR"]);
    program.json(&["top-up", "ada.berg", "1000"]);
    let merchant = program.json(&["merchant", "create", "Café", "--category", "5814", "--currency", "EUR"]);
    let merchant = text(&merchant["id"]);
    let store = text(&program.json(&["merchant", "store", &merchant, "Main street", "--city", "Berlin"])["id"]);
    let arguments = [
        "merchant", "terminal", &merchant, "Till 1", "--store", &store, "--role", "cashier",
    ];
    let till = text(&program.json(&arguments)["key"]);
    let mut client = Client::connect(server.address).await.unwrap();
    let credentials = json!({"login": "ada.berg", "password": person["first_password"]});
    let signed_in = Ask {
        bearer: None,
        ..post("/v1/sessions", "", None, credentials)
    };
    let person = text(&client.ask(&signed_in).await.unwrap().body["token"]);
    let enabled = client
        .ask(&post("/v1/code-records", &person, None, json!({})))
        .await
        .unwrap();
    assert_eq!(enabled.status, 201, "{}", enabled.body);
    Cast { person, till, merchant }
}

async fn pay_until_it_breaks(
    worker: usize,
    address: SocketAddr,
    cast: Cast,
    ledger: Arc<Mutex<Ledger>>,
    enough: Arc<Notify>,
) {
    let mut client = Client::connect(address).await.unwrap();
    for number in 0.. {
        let wanted = json!({"kind": "user", "device": format!("phone-{worker}")});
        let Ok(code) = client.ask(&post("/v1/service-codes", &cast.person, None, wanted)).await else {
            return;
        };
        assert_eq!(code.status, 201, "{}", code.body);
        let order = format!("K-{worker}-{number}");
        let sale = json!({
            "code": code.body["digits"], "order_number": order, "amount": {"amount_minor": 1, "currency": "EUR"},
        });
        let request = post("/v1/payments", &cast.till, Some(order), sale);
        match client.ask(&request).await {
            Ok(Told { status: 201, body }) => {
                let answered = &mut ledger.lock().await.answered;
                answered.push(text(&body["payment"]["id"]));
                if answered.len() == ENOUGH {
                    enough.notify_one();
                }
            }
            Ok(told) => panic!("{} {}", told.status, told.body),
            Err(_) => {
                ledger.lock().await.unanswered.push(request);
                return;
            }
        }
    }
}

/// Pays from several connections, kills the server in the middle, and returns what the callers know.
async fn load_and_kill(server: &mut Running, cast: &Cast) -> Ledger {
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let enough = Arc::new(Notify::new());
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(pay_until_it_breaks(
            worker,
            server.address,
            cast.clone(),
            ledger.clone(),
            enough.clone(),
        ));
    }
    tokio::select! {
        () = enough.notified() => {}
        Some(ended) = workers.join_next() => panic!("a worker ended before the server was killed: {ended:?}"),
    }
    server.kill();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    std::mem::take(&mut *ledger.lock().await)
}

async fn a_killed_server_keeps_every_answered_payment(program: Program) {
    let mut server = program.start(SERVE);
    let cast = cast(&program, &server).await;
    let ledger = load_and_kill(&mut server, &cast).await;

    let server = program.start(SERVE);
    let mut client = Client::connect(server.address).await.unwrap();
    for payment in &ledger.answered {
        let ask = post(&format!("/v1/payments/{payment}"), &cast.till, None, Value::Null);
        let ask = Ask {
            method: "GET".parse().unwrap(),
            body: None,
            ..ask
        };
        let told = client.ask(&ask).await.unwrap();
        assert_eq!(told.body["state"], "paid", "{payment}: {}", told.body);
    }
    // Whether it was done before the end or is done now: the same request comes to one payment.
    for request in &ledger.unanswered {
        let first = client.ask(request).await.unwrap();
        let again = client.ask(request).await.unwrap();
        assert_eq!(
            (first.status, again.status),
            (201, 201),
            "{} {}",
            first.body,
            again.body
        );
        assert_eq!(first.body["payment"]["id"], again.body["payment"]["id"]);
    }
    assert_eq!(server.stop(), 0);
    let verified = program.run(&["verify"]);
    assert_eq!(verified.status, 0, "{}", verified.stdout);
    let left = 100_000 - i64::try_from(ledger.answered.len() + ledger.unanswered.len()).unwrap();
    let shown = program.json(&["person", "show", "ada.berg"]);
    assert_eq!(shown["available"], format!("{}.{:02} EUR", left / 100, left % 100));
}

#[tokio::test]
async fn a_killed_server_keeps_every_answered_payment_sqlite() {
    a_killed_server_keeps_every_answered_payment(Program::new()).await;
}

#[tokio::test]
async fn a_killed_server_keeps_every_answered_payment_postgres() {
    let Ok(admin_url) = std::env::var(POSTGRES_URL) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{POSTGRES_URL} must be set in continuous integration"
        );
        println!("left out: needs PostgreSQL; run it with `cargo xtask test`");
        return;
    };
    let database = TestDatabase::postgres(&admin_url).await.unwrap();
    let DbConfig::Postgres(config) = &database.config else {
        panic!("it is PostgreSQL")
    };
    let mut program = Program::new();
    program.set("ONESCAN__DATABASE__URL", &config.url);
    a_killed_server_keeps_every_answered_payment(program).await;
}
