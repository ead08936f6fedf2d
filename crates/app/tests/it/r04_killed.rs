//! Row R04: a server that is killed while gates hand over what they saw ends with exactly one order a ride all the same.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_app::env::SystemClock;
use onescan_app::http_client::{Ask, Client};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::code;
use onescan_gate::journal::{ACCEPTED, Head, Record};
use onescan_gate::keys::SigningKey;
use onescan_platforms::env::Clock;
use onescan_store::config::DbConfig;
use onescan_store::testing::{POSTGRES_URL, TestDatabase};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::gates::FILES;
use crate::r05_decider::{now, since};
use crate::restart::{post, text};
use crate::support::program::{Program, Running};

const SERVE: &[&str] = &["serve", "--listen", "127.0.0.1:0"];
const RIDERS: usize = 4;
const RIDES: usize = 8;
/// Records of one upload.
const RECORDS_AT_ONCE: usize = 3;
/// Uploads that are answered before the server is killed.
const ENOUGH: usize = 3;
/// What a killed server had taken is taken again after a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// A gate's journal and how much of it was answered.
struct GateLog {
    key: String,
    journal: String,
    terminal: String,
    signing: SigningKey,
    head: Head,
    station: &'static str,
    kind: TapKind,
    records: Vec<String>,
    answered: usize,
}

struct Rider {
    login: String,
    phone: SigningKey,
    entitlement: Vec<u8>,
    counter: u32,
}

struct Stage {
    program: Program,
    provider: String,
    office: String,
    gates: Vec<GateLog>,
    riders: Vec<Rider>,
}

async fn ask(address: SocketAddr, ask: &Ask) -> Value {
    let mut client = Client::connect(address).await.unwrap();
    let told = client.ask(ask).await.unwrap();
    assert!((200..300).contains(&told.status), "{} {}", told.status, told.body);
    told.body
}

fn get(path: &str, bearer: &str) -> Ask {
    Ask {
        method: "GET".parse().unwrap(),
        body: None,
        ..post(path, bearer, None, Value::Null)
    }
}

impl Stage {
    async fn set(program: Program, server: &Running) -> Self {
        let metro = program.json(&["merchant", "create", "Metro", "--category", "4111", "--currency", "CNY"]);
        let provider = text(&metro["id"]);
        let office = text(&program.json(&["merchant", "back-office", &provider])["key"]);
        let store = text(&program.json(&["merchant", "store", &provider, "Lines", "--city", "杭州"])["id"]);
        let folder = program.path().join("feed");
        std::fs::create_dir(&folder).unwrap();
        for (name, content) in FILES {
            std::fs::write(folder.join(name), content).unwrap();
        }
        program.json(&["gtfs", "import", "feed", "--merchant", &provider]);
        let mut stage = Self {
            program,
            provider,
            office,
            gates: Vec::new(),
            riders: Vec::new(),
        };
        let places = [
            ("lake", TapKind::Entry),
            ("tower", TapKind::Exit),
            ("fair", TapKind::Exit),
        ];
        for (number, (station, kind)) in places.into_iter().enumerate() {
            stage.open_gate(server, &store, number as u8, station, kind).await;
        }
        for number in 0..RIDERS {
            stage.enrol(server, number).await;
        }
        stage
    }

    async fn open_gate(&mut self, server: &Running, store: &str, number: u8, station: &'static str, kind: TapKind) {
        let name = format!("Gate {number}");
        let made = [
            "merchant",
            "terminal",
            &self.provider,
            &name,
            "--store",
            store,
            "--role",
            "gate",
        ];
        let made = self.program.json(&made);
        let key = text(&made["key"]);
        let signing = SigningKey::ed25519(&[number + 1; 32]);
        let public = URL_SAFE_NO_PAD.encode(signing.public().bytes());
        let opening = json!({"algorithm": "ed25519", "public_key": public});
        let opened = ask(server.address, &post("/v1/gate-journals", &key, None, opening)).await;
        self.gates.push(GateLog {
            terminal: text(&made["terminal"]),
            journal: text(&opened["journal"]),
            key,
            signing,
            head: Head::START,
            station,
            kind,
            records: Vec::new(),
            answered: 0,
        });
    }

    async fn enrol(&mut self, server: &Running, number: usize) {
        let login = format!("rider.{number}");
        let person = self
            .program
            .json(&["person", "create", "Rider", &login, "--currency", "CNY"]);
        self.program.json(&["top-up", &login, "1000"]);
        let login_body = json!({"login": login, "password": person["first_password"]});
        let signing_in = Ask {
            bearer: None,
            ..post("/v1/sessions", "", None, login_body)
        };
        let token = text(&ask(server.address, &signing_in).await["token"]);
        let phone = SigningKey::ed25519(&[100 + number as u8; 32]);
        let key = URL_SAFE_NO_PAD.encode(phone.public().bytes());
        let device = json!({"name": "Phone", "algorithm": "ed25519", "public_key": key});
        let device = text(&ask(server.address, &post("/v1/ride-devices", &token, None, device)).await["id"]);
        let path = format!("/v1/ride-devices/{device}/entitlements");
        let issuing = Ask {
            body: None,
            ..post(&path, &token, None, Value::Null)
        };
        let issued = ask(server.address, &issuing).await;
        self.riders.push(Rider {
            login,
            phone,
            entitlement: URL_SAFE_NO_PAD.decode(text(&issued["entitlement"])).unwrap(),
            counter: 0,
        });
    }

    /// Everybody rides from the lake, now to the tower for 1.00, now to the fair for 4.50.
    fn ride(&mut self) {
        let begin = SystemClock.now_ms();
        for number in 0..RIDES {
            for rider in 0..RIDERS {
                self.pass(rider, 0, begin + 2_000 * number as i64);
                self.pass(rider, 1 + number % 2, begin + 2_000 * number as i64 + 1_000);
            }
        }
    }

    fn pass(&mut self, rider: usize, gate: usize, at: i64) {
        let (rider, gate) = (&mut self.riders[rider], &mut self.gates[gate]);
        rider.counter += 1;
        let record = Record {
            sequence: gate.head.sequence + 1,
            previous: gate.head.hash,
            gate: gate.terminal.clone(),
            kind: gate.kind,
            station: gate.station.to_owned(),
            at,
            verdict: ACCEPTED.to_owned(),
            incomplete: false,
            code: code::show(&rider.entitlement, (at / 1_000) as u32, rider.counter, &rider.phone),
        };
        let record = record.sign(&gate.signing);
        gate.head = gate.head.after(&record);
        gate.records.push(URL_SAFE_NO_PAD.encode(record));
    }

    /// All gates hand over at once; the server is killed in the middle where `enough` says so.
    async fn hand_over(&mut self, server: &mut Running, enough: Option<usize>) {
        let answered = Arc::new(AtomicUsize::new(0));
        let reached = Arc::new(Notify::new());
        let mut uploads = JoinSet::new();
        for gate in std::mem::take(&mut self.gates) {
            let (answered, reached) = (answered.clone(), reached.clone());
            uploads.spawn(upload(gate, server.address, enough, answered, reached));
        }
        if enough.is_some() {
            reached.notified().await;
            server.kill();
        }
        while let Some(gate) = uploads.join_next().await {
            self.gates.push(gate.unwrap());
        }
    }

    async fn rides(&self, server: &Running) -> Vec<Value> {
        let path = format!("/v1/merchants/{}/tap-rides?limit=200", self.provider);
        ask(server.address, &get(&path, &self.office)).await["items"]
            .as_array()
            .unwrap()
            .clone()
    }

    /// Waits until so many rides have their order.
    async fn wait_for(&self, server: &Running, orders: usize) -> Vec<Value> {
        let begun = now();
        loop {
            let rides = self.rides(server).await;
            let ordered = rides.iter().filter(|ride| ride["state"] == "ordered").count();
            if ordered >= orders {
                return rides;
            }
            assert!(
                since(begun) < PATIENCE,
                "{ordered} of {orders} rides have an order: {rides:?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Uploads what was not answered, and the records before once more; returns when all is answered or nobody answers.
async fn upload(
    mut gate: GateLog,
    address: SocketAddr,
    enough: Option<usize>,
    answered: Arc<AtomicUsize>,
    reached: Arc<Notify>,
) -> GateLog {
    gate.answered = gate.answered.saturating_sub(RECORDS_AT_ONCE);
    let Ok(mut client) = Client::connect(address).await else {
        return gate;
    };
    while gate.answered < gate.records.len() {
        let until = (gate.answered + RECORDS_AT_ONCE).min(gate.records.len());
        let body = json!({"journal": gate.journal, "records": gate.records[gate.answered..until]});
        match client.ask(&post("/v1/ride-taps", &gate.key, None, body)).await {
            Ok(told) => {
                assert_eq!((told.status, &told.body["wrong"]), (200, &json!([])), "{}", told.body);
                gate.answered = until;
                let count = answered.fetch_add(1, Ordering::SeqCst) + 1;
                if Some(count) == enough {
                    reached.notify_one();
                }
            }
            Err(_) => return gate,
        }
    }
    gate
}

async fn a_server_killed_while_taps_come_in_ends_in_one_order_a_ride(program: Program) {
    let mut server = program.start(SERVE);
    let mut stage = Stage::set(program, &server).await;
    stage.ride();
    stage.hand_over(&mut server, Some(ENOUGH)).await;
    // Twice more, while rides of the taps before are being made into orders.
    for _ in 0..2 {
        let mut server = stage.program.start(SERVE);
        stage.hand_over(&mut server, Some(ENOUGH)).await;
    }
    let mut server = stage.program.start(SERVE);
    stage.hand_over(&mut server, None).await;
    let rides = stage.wait_for(&server, RIDERS * RIDES).await;
    assert_eq!(rides.len(), RIDERS * RIDES);
    let orders: BTreeSet<String> = rides.iter().map(|ride| text(&ride["ride"])).collect();
    assert_eq!(orders.len(), rides.len(), "an order of its own");
    let told = ask(
        server.address,
        &get(
            &format!("/v1/merchants/{}/rides?limit=200", stage.provider),
            &stage.office,
        ),
    )
    .await;
    let told = told["items"].as_array().unwrap();
    assert!(told.iter().all(|order| order["state"] == "paid_by_person"), "{told:?}");
    let kept =
        |order: &Value| order["amount"]["amount_minor"].as_i64().unwrap() - order["refunded_minor"].as_i64().unwrap();
    let standing = told
        .iter()
        .filter(|order| orders.contains(order["id"].as_str().unwrap()));
    assert_eq!(
        standing.map(kept).sum::<i64>(),
        (RIDERS * RIDES / 2 * (100 + 450)) as i64
    );
    let given_back = told
        .iter()
        .filter(|order| !orders.contains(order["id"].as_str().unwrap()));
    assert_eq!(
        given_back.map(kept).sum::<i64>(),
        0,
        "orders of rides that became others"
    );
    assert_eq!(server.stop(), 0);
    let verified = stage.program.run(&["verify"]);
    assert_eq!(verified.status, 0, "{}", verified.stdout);
    for rider in &stage.riders {
        let shown = stage.program.json(&["person", "show", &rider.login]);
        assert_eq!(shown["available"], "978.00 CNY", "four rides for 1.00, four for 4.50");
    }
}

#[tokio::test]
async fn r04_a_server_killed_while_taps_come_in_ends_in_one_order_a_ride_sqlite() {
    a_server_killed_while_taps_come_in_ends_in_one_order_a_ride(Program::new()).await;
}

#[tokio::test]
async fn r04_a_server_killed_while_taps_come_in_ends_in_one_order_a_ride_postgres() {
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
    a_server_killed_while_taps_come_in_ends_in_one_order_a_ride(program).await;
}
