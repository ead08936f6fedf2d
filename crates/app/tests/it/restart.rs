//! A server that is killed under load keeps every payment it answered, and a repeat settles what was under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use onescan_app::http_client::{Ask, Client, Told};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::support::program::{Program, Running};

const WORKERS: usize = 8;
/// Answered payments after which the server is killed.
const ENOUGH: u32 = 200;

/// Payments that were answered, and requests whose answer never came.
#[derive(Debug, Default)]
struct Ledger {
    answered: Vec<String>,
    unanswered: Vec<Ask>,
}

fn post(path: &str, bearer: &str, key: Option<String>, body: Value) -> Ask {
    Ask {
        method: "POST".parse().unwrap(),
        path: path.to_owned(),
        bearer: Some(bearer.to_owned()),
        idempotency_key: key,
        body: Some(body),
    }
}

async fn pay_until_it_breaks(
    worker: usize,
    address: SocketAddr,
    person: String,
    till: String,
    ledger: Arc<Mutex<Ledger>>,
    count: Arc<AtomicU32>,
) {
    let mut client = Client::connect(address).await.unwrap();
    for number in 0.. {
        let wanted = json!({"kind": "user", "device": format!("phone-{worker}")});
        let Ok(code) = client.ask(&post("/v1/service-codes", &person, None, wanted)).await else {
            return;
        };
        assert_eq!(code.status, 201, "{}", code.body);
        let order = format!("K-{worker}-{number}");
        let sale = json!({
            "code": code.body["digits"], "order_number": order, "amount": {"amount_minor": 1, "currency": "CNY"},
        });
        let request = post("/v1/payments", &till, Some(order), sale);
        match client.ask(&request).await {
            Ok(Told { status: 201, body }) => {
                let id = body["payment"]["id"].as_str().unwrap().to_owned();
                ledger.lock().await.answered.push(id);
                count.fetch_add(1, Ordering::SeqCst);
            }
            Ok(told) => panic!("{} {}", told.status, told.body),
            Err(_) => {
                ledger.lock().await.unanswered.push(request);
                return;
            }
        }
    }
}

async fn sign_in(server: &Running, login: &str) -> String {
    let people = server.said["people"].as_array().unwrap();
    let person = people.iter().find(|person| person["login"] == login).unwrap();
    let mut client = Client::connect(server.address).await.unwrap();
    let body = json!({"login": login, "password": person["password"]});
    let ask = Ask {
        bearer: None,
        ..post("/v1/sessions", "", None, body)
    };
    client.ask(&ask).await.unwrap().body["token"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_killed_server_keeps_every_answered_payment() {
    let program = Program::new();
    let mut server = program.start(&["demo", "--port", "0"]);
    // Nobody to choose a profile for: paying is all there is.
    let person = sign_in(&server, "chen.jing").await;
    let till = server.said["terminals"][0]["key"].as_str().unwrap().to_owned();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let count = Arc::new(AtomicU32::new(0));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (address, person, till) = (server.address, person.clone(), till.clone());
        workers.spawn(pay_until_it_breaks(
            worker,
            address,
            person,
            till,
            ledger.clone(),
            count.clone(),
        ));
    }
    while count.load(Ordering::SeqCst) < ENOUGH {
        tokio::task::yield_now().await;
        if let Some(ended) = workers.try_join_next() {
            ended.unwrap();
            panic!("a worker ended before the server was killed");
        }
    }
    server.kill();
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let ledger = std::mem::take(&mut *ledger.lock().await);

    let server = program.start(&["demo", "--port", "0"]);
    assert_eq!(server.said["fresh"], false);
    let mut client = Client::connect(server.address).await.unwrap();
    for payment in &ledger.answered {
        let path = format!("/v1/payments/{payment}");
        let ask = Ask {
            method: "GET".parse().unwrap(),
            body: None,
            ..post(&path, &till, None, Value::Null)
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
    let verified = program.run(&["verify", "--data", "onescan-data/demo"]);
    assert_eq!(verified.status, 0, "{}", verified.stdout);
    assert!(ledger.answered.len() >= ENOUGH as usize);
}
