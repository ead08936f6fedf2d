//! Row S21: each platform elsewhere is killed and started again under load; no payment and no invoice is lost, and none is
//! made twice.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use onescan_app::http_client::{Ask, Client, Told};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::restart::{Cast, cast, post, text};
use crate::s20_issuing::german_setup;
use crate::support::program::{Program, Running};

const WORKERS: usize = 6;
/// Minor units.
const PRICE: i64 = 50;
/// How often it is looked whether every payment has its invoice, once nobody disturbs any more.
const LOOKS: usize = 200;
/// How long the load goes on before, between and after the kills.
const MEANWHILE: Duration = Duration::from_millis(700);

#[derive(Debug, Default)]
struct Ledger {
    /// Payments that were answered as paid.
    paid: Vec<String>,
    /// What was answered with "try again", or not at all.
    open: Vec<Ask>,
    /// How often each such answer came.
    told: Vec<u16>,
}

/// A service with an address that stays.
struct Service {
    platform: &'static str,
    config: PathBuf,
    address: SocketAddr,
}

impl Service {
    fn start(&self, program: &Program) -> Running {
        let (config, listen) = (self.config.to_str().unwrap(), self.address.to_string());
        let arguments = [
            "--config",
            config,
            "serve",
            "--only",
            self.platform,
            "--listen",
            &listen,
        ];
        program.start(&arguments)
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Configurations of the four services and of the server that uses them.
fn services(program: &Program) -> (Vec<Service>, PathBuf) {
    let addresses = [free_address(), free_address(), free_address(), free_address()];
    let write = |name: &str, places: &[(&str, SocketAddr)]| {
        let places: String = places
            .iter()
            .map(|(name, address)| format!("{name} = \"http://{address}\"\n"))
            .collect();
        let path = program.path().join(format!("{name}.toml"));
        std::fs::write(&path, format!("[platforms]\nallow_plain_loopback = true\n{places}")).unwrap();
        path
    };
    let [codes, profiles, payments, invoicing] = addresses;
    let services = vec![
        Service {
            platform: "codes",
            config: write("codes", &[]),
            address: codes,
        },
        Service {
            platform: "profiles",
            config: write("profiles", &[]),
            address: profiles,
        },
        Service {
            platform: "payments",
            config: write("payments", &[("codes", codes)]),
            address: payments,
        },
        Service {
            platform: "invoicing",
            config: write("invoicing", &[]),
            address: invoicing,
        },
    ];
    let places = [
        ("codes", codes),
        ("profiles", profiles),
        ("payments", payments),
        ("invoicing", invoicing),
    ];
    let whole = write("whole", &places);
    (services, whole)
}

async fn pay_on(worker: usize, address: SocketAddr, cast: Cast, ledger: Arc<Mutex<Ledger>>, over: Arc<AtomicBool>) {
    let mut client = Client::connect(address).await.unwrap();
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let wanted = json!({"kind": "user", "device": format!("phone-{worker}")});
        let code = client
            .ask(&post("/v1/service-codes", &cast.person, None, wanted))
            .await
            .unwrap();
        if code.status != 201 {
            assert!(
                code.status == 503 || code.body["code"] == "outcome-unknown",
                "{} {}",
                code.status,
                code.body
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        }
        let order = format!("F-{worker}-{number}");
        let sale = json!({
            "code": code.body["digits"], "order_number": order, "amount": {"amount_minor": PRICE, "currency": "EUR"},
        });
        let request = post("/v1/payments", &cast.till, Some(order), sale);
        let told = client.ask(&request).await.unwrap();
        let mut ledger = ledger.lock().await;
        match told {
            Told { status: 201, body } => {
                assert_eq!(body["payment"]["state"], "paid", "{body}");
                ledger.paid.push(text(&body["payment"]["id"]));
            }
            Told { status, body } => {
                assert_eq!(body["retryable"], true, "{status} {body}");
                ledger.told.push(status);
                ledger.open.push(request);
            }
        }
    }
}

/// Every payment of the merchant is invoiced by itself, to the details of the person who paid.
async fn invoice_everything(client: &mut Client, cast: &Cast, back_office: &str) {
    let setup = Ask {
        method: "PUT".parse().unwrap(),
        ..post(
            &format!("/v1/merchants/{}/tax-setup", cast.merchant),
            back_office,
            None,
            german_setup("automatic"),
        )
    };
    let entered = client.ask(&setup).await.unwrap();
    assert_eq!(entered.status, 200, "{}", entered.body);
    let details = json!({"title_kind": "personal", "title": "Ada Berg", "country": "DE", "email": "ada@berg.example"});
    let made = client
        .ask(&post("/v1/invoice-profiles", &cast.person, None, details))
        .await
        .unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
}

/// The merchant's invoices, all pages.
async fn invoices(client: &mut Client, cast: &Cast, back_office: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let ask = Ask {
            method: "GET".parse().unwrap(),
            body: None,
            ..post(
                &format!("/v1/merchants/{}/invoices?limit=100{after}", cast.merchant),
                back_office,
                None,
                Value::Null,
            )
        };
        let page = client.ask(&ask).await.unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        all.extend(page.body["items"].as_array().unwrap().iter().cloned());
        match page.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return all,
        }
    }
}

/// The invoices, once all of `count` payments have theirs and no application is under way.
async fn all_issued(client: &mut Client, cast: &Cast, back_office: &str, count: usize) -> Vec<Value> {
    let mut open = Value::Null;
    for _ in 0..LOOKS {
        let all = invoices(client, cast, back_office).await;
        let issued = all.iter().filter(|one| one["state"] == "issued").count();
        if issued >= count && issued == all.len() {
            return all;
        }
        let waiting = all.iter().find(|one| one["state"] != "issued").cloned();
        open = json!({"issued": issued, "applied": all.len(), "paid": count, "one that waits": waiting});
        tokio::time::sleep(MEANWHILE).await;
    }
    panic!("not every payment was invoiced: {open:#}");
}

/// Each payment has one invoice, and each number stands once.
async fn expect_an_invoice_each(client: &mut Client, cast: &Cast, back_office: &str, count: usize) {
    let issued = all_issued(client, cast, back_office, count).await;
    assert_eq!(issued.len(), count, "an invoice for each payment");
    let all_different = |field: &str| {
        let values: BTreeSet<&str> = issued.iter().map(|one| one[field].as_str().unwrap()).collect();
        assert_eq!(values.len(), count, "{field}");
    };
    all_different("payment");
    all_different("number");
}

/// Kills each service in turn, and starts it again a moment later.
async fn kill_each(program: &Program, services: &[Service], running: &mut [Running]) {
    for (service, running) in services.iter().zip(running) {
        tokio::time::sleep(MEANWHILE).await;
        running.kill();
        tokio::time::sleep(MEANWHILE / 2).await;
        *running = tokio::task::block_in_place(|| service.start(program));
    }
    tokio::time::sleep(MEANWHILE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s21_platforms_killed_under_load_lose_and_double_nothing() {
    let program = Program::new();
    let (services, whole) = services(&program);
    let mut running: Vec<Running> = services.iter().map(|service| service.start(&program)).collect();
    let server = program.start(&["--config", whole.to_str().unwrap(), "serve", "--listen", "127.0.0.1:0"]);
    let cast = cast(&program, &server).await;
    let back_office = text(&program.json(&["merchant", "back-office", &cast.merchant])["key"]);
    let mut client = Client::connect(server.address).await.unwrap();
    invoice_everything(&mut client, &cast, &back_office).await;

    let (ledger, over) = (
        Arc::new(Mutex::new(Ledger::default())),
        Arc::new(AtomicBool::new(false)),
    );
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(pay_on(
            worker,
            server.address,
            cast.clone(),
            ledger.clone(),
            over.clone(),
        ));
    }
    kill_each(&program, &services, &mut running).await;
    over.store(true, Ordering::Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }

    let ledger = std::mem::take(&mut *ledger.lock().await);
    assert!(ledger.paid.len() >= 20, "there was load: {}", ledger.paid.len());
    for payment in &ledger.paid {
        let ask = Ask {
            method: "GET".parse().unwrap(),
            body: None,
            ..post(&format!("/v1/payments/{payment}"), &cast.till, None, Value::Null)
        };
        assert_eq!(client.ask(&ask).await.unwrap().body["state"], "paid", "{payment}");
    }
    // What was open comes to one payment each.
    for request in &ledger.open {
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
    let count = ledger.paid.len() + ledger.open.len();
    expect_an_invoice_each(&mut client, &cast, &back_office, count).await;
    println!(
        "{} paid at once, {} asked for again after {:?}",
        ledger.paid.len(),
        ledger.open.len(),
        ledger.told
    );
    assert_eq!(server.stop(), 0);
    for service in running {
        assert_eq!(service.stop(), 0);
    }
    let verified = program.run(&["verify"]);
    assert_eq!(verified.status, 0, "{}", verified.stdout);
    let left = 100_000 - PRICE * i64::try_from(count).unwrap();
    let shown = program.json(&["person", "show", "ada.berg"]);
    assert_eq!(shown["available"], format!("{}.{:02} EUR", left / 100, left % 100));
}
