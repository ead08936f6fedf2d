//! Row R04: `onescan gate` as a process: online, offline, killed in the middle, and back.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_app::env::SystemClock;
use onescan_app::http_client::{Ask, Client};
use onescan_gate::code;
use onescan_gate::keys::SigningKey;
use onescan_platforms::env::Clock;
use serde_json::{Value, json};

use crate::support::program::{Program, Running};

/// A server, a gate's key, and a device with an entitlement.
struct Stage {
    program: Program,
    server: Running,
    gate_key: String,
    office_key: String,
    provider: String,
    phone: SigningKey,
    entitlement: Vec<u8>,
    counter: u32,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

async fn ask(server: &Running, method: &str, path: &str, bearer: Option<&str>, body: Option<Value>) -> Value {
    let mut client = Client::connect(server.address).await.unwrap();
    let ask = Ask {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        bearer: bearer.map(str::to_owned),
        idempotency_key: None,
        body,
    };
    let told = client.ask(&ask).await.unwrap();
    assert!(
        (200..300).contains(&told.status),
        "{path}: {} {}",
        told.status,
        told.body
    );
    told.body
}

impl Stage {
    async fn set() -> Self {
        let program = Program::new();
        let server = program.start(&["serve", "--listen", "127.0.0.1:0"]);
        let person = program.json(&["person", "create", "Ada Berg", "ada.berg", "--currency", "EUR"]);
        let metro = program.json(&["merchant", "create", "Metro", "--category", "4111", "--currency", "EUR"]);
        let provider = text(&metro["id"]);
        let store = program.json(&["merchant", "store", &provider, "Station 1", "--city", "Berlin"]);
        let gate = [
            "merchant",
            "terminal",
            &provider,
            "Gate 1",
            "--store",
            &text(&store["id"]),
            "--role",
            "gate",
        ];
        let gate_key = text(&program.json(&gate)["key"]);
        let office_key = text(&program.json(&["merchant", "back-office", &provider])["key"]);
        let login = json!({"login": "ada.berg", "password": person["first_password"]});
        let token = text(&ask(&server, "POST", "/v1/sessions", None, Some(login)).await["token"]);
        let phone = SigningKey::ed25519(&[8; 32]);
        let key = URL_SAFE_NO_PAD.encode(phone.public().bytes());
        let device = json!({"name": "Phone", "algorithm": "ed25519", "public_key": key});
        let device = text(&ask(&server, "POST", "/v1/ride-devices", Some(&token), Some(device)).await["id"]);
        let path = format!("/v1/ride-devices/{device}/entitlements");
        let issued = ask(&server, "POST", &path, Some(&token), None).await;
        Self {
            gate_key,
            office_key,
            provider,
            phone,
            entitlement: URL_SAFE_NO_PAD.decode(text(&issued["entitlement"])).unwrap(),
            counter: 0,
            program,
            server,
        }
    }

    fn code(&mut self) -> String {
        self.counter += 1;
        let now_s = SystemClock.now_ms() / 1_000;
        code::show(&self.entitlement, now_s as u32, self.counter, &self.phone)
    }

    fn gate(&self, arguments: &[&str]) -> GateProcess {
        let address = self.server.address.to_string();
        let mut all = vec![
            "gate",
            "--json",
            "--station",
            "S1",
            "--server",
            &address,
            "--every",
            "1",
        ];
        all.extend(arguments);
        let mut command = self.program.command(&all);
        command.env("ONESCAN_GATE_KEY", &self.gate_key);
        let piped = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        GateProcess {
            scanner: child.stdin.take().unwrap(),
            verdicts: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    async fn taps(&self) -> Vec<Value> {
        let path = format!("/v1/merchants/{}/ride-taps", self.provider);
        let taps = ask(&self.server, "GET", &path, Some(&self.office_key), None).await;
        taps["items"].as_array().unwrap().clone()
    }
}

struct GateProcess {
    child: Child,
    scanner: ChildStdin,
    verdicts: BufReader<ChildStdout>,
}

impl GateProcess {
    /// Types a code as a scanner does and reads the verdict.
    #[track_caller]
    fn scan(&mut self, code: &str) -> Value {
        writeln!(self.scanner, "{code}").unwrap();
        let mut line = String::new();
        self.verdicts.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The end of its input: the rest is handed over. Returns whether it ended well.
    fn end(self) -> (bool, String) {
        drop(self.scanner);
        let output = self.child.wait_with_output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}

#[tokio::test]
async fn r04_what_a_killed_gate_let_through_is_there_and_arrives() {
    let mut stage = Stage::set().await;
    // The first start needs the server; then it is as if there were none.
    let (well, said) = stage.gate(&["--tap"]).end();
    assert!(well, "{said}");
    let mut opened = Vec::new();
    for round in 0..4_u32 {
        let mut gate = stage.gate(&["--tap", "--offline"]);
        for _ in 0..5 {
            let verdict = gate.scan(&stage.code());
            assert_eq!(verdict["verdict"], "accepted", "{verdict}");
            assert!(verdict["took_us"].as_u64().unwrap() > 0);
            opened.push(verdict["sequence"].as_u64().unwrap());
        }
        let last = stage.counter;
        gate.kill();
        if round == 1 {
            // The power went while a record was being written.
            let journal = stage.program.path().join("onescan-gate/journal");
            let mut file = std::fs::OpenOptions::new().append(true).open(journal).unwrap();
            file.write_all(&[0, 0, 1, 0xf4, 0xd2, 0x84]).unwrap();
        }
        // What it let through before it was killed it does not let through again.
        let mut again = stage.gate(&["--tap", "--offline"]);
        let now_s = SystemClock.now_ms() / 1_000;
        let repeated = code::show(&stage.entitlement, now_s as u32, last, &stage.phone);
        assert_eq!(again.scan(&repeated)["verdict"], "replayed");
        again.kill();
    }
    assert_eq!(stage.taps().await, Vec::<Value>::new());
    let (well, said) = stage.gate(&["--tap"]).end();
    assert!(well && said.is_empty(), "{said}");
    let taps = stage.taps().await;
    let accepted = taps.iter().filter(|tap| tap["verdict"] == "accepted");
    let mut arrived = accepted
        .map(|tap| tap["sequence"].as_u64().unwrap())
        .collect::<Vec<_>>();
    // The list is by arrival; within one upload by the gate's clock, which does not tell records of one millisecond apart.
    arrived.sort_unstable();
    assert_eq!(arrived, opened, "every passage once, none else");
    assert!(taps.iter().all(|tap| tap["chain_broken"] == false));
}

#[tokio::test]
async fn r04_a_gate_that_lost_its_answers_hands_over_again_and_nothing_is_double() {
    let mut stage = Stage::set().await;
    let mut gate = stage.gate(&["--entry"]);
    assert_eq!(gate.scan(&stage.code())["open"], true);
    assert_eq!(gate.scan(&stage.code())["verdict"], "entry-without-exit");
    assert_eq!(gate.scan("no ride code")["verdict"], "not-a-ride-code");
    let (well, said) = gate.end();
    assert!(well, "{said}");
    assert_eq!(stage.taps().await.len(), 3);
    // It forgets that the server has them.
    let known = stage.program.path().join("onescan-gate/known.json");
    let mut content: Value = serde_json::from_slice(&std::fs::read(&known).unwrap()).unwrap();
    content["uploaded"] = json!(0);
    std::fs::write(&known, content.to_string()).unwrap();
    let (well, said) = stage.gate(&["--entry"]).end();
    assert!(well, "{said}");
    assert_eq!(stage.taps().await.len(), 3);
}

#[tokio::test]
async fn r04_gates_of_one_operator_know_what_the_others_saw() {
    let mut stage = Stage::set().await;
    let entered = stage.code();
    let mut entry = stage.gate(&["--entry", "--folder", "gate-1"]);
    assert_eq!(entry.scan(&entered)["open"], true);
    let (well, said) = entry.end();
    assert!(well, "{said}");
    let mut exit = stage.gate(&["--exit", "--folder", "gate-2"]);
    assert_eq!(exit.scan(&entered)["verdict"], "replayed");
    let left = exit.scan(&stage.code());
    assert_eq!((&left["open"], &left["incomplete"]), (&json!(true), &json!(false)));
    exit.kill();
    // Without the entry the gate would have opened and marked the journey.
    let mut alone = stage.gate(&["--exit", "--folder", "gate-3", "--unknown-entry", "refuse"]);
    alone.scan(&stage.code());
    alone.kill();
}

#[test]
fn r04_a_changed_journal_and_a_second_gate_are_refused() {
    let program = Program::new();
    let ran = program.run(&["gate", "--entry", "--station", "S1", "--offline"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    assert!(ran.stderr.contains("has never reached its server"), "{}", ran.stderr);
    std::fs::write(program.path().join("onescan-gate/journal"), [7; 5_000]).unwrap();
    let ran = program.run(&["gate", "--entry", "--station", "S1", "--offline"]);
    assert!(ran.stderr.contains("not this gate's own chain"), "{}", ran.stderr);
    let ran = program.run(&["gate", "--station", "S1", "--offline"]);
    assert_eq!(ran.status, 2, "{ran:?}");
}
