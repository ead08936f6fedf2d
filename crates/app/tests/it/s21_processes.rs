//! Row S21: services as processes of their own, with the command that tests contracts, and keys by which they prove themselves.

use std::path::Path;
use std::process::Stdio;

use onescan_app::http_client::{Ask, Client};
use serde_json::{Value, json};

use crate::restart::{post, text};
use crate::support::program::{Program, Running};

const ANY_PORT: &str = "127.0.0.1:0";

fn plain() -> Program {
    let mut program = Program::new();
    program.set("ONESCAN__PLATFORMS__ALLOW_PLAIN_LOOPBACK", "true");
    program
}

fn service(program: &Program, platform: &str) -> Running {
    program.start(&["serve", "--only", platform, "--listen", ANY_PORT])
}

/// The checks of `onescan contract test`, and its exit status.
fn tested(program: &Program, platform: &str, url: &str, more: &[&str]) -> (i32, Vec<Value>) {
    let arguments = [&["contract", "test", "--platform", platform, url, "--json"], more].concat();
    let ran = program.run(&arguments);
    let checks = serde_json::from_str::<Value>(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    (ran.status, checks.as_array().unwrap().clone())
}

fn broken(checks: &[Value]) -> Vec<&Value> {
    checks.iter().filter(|check| check["kept"] != "yes").collect()
}

#[test]
fn s21_our_own_services_keep_their_contracts() {
    let program = plain();
    for (platform, least) in [("codes", 30), ("profiles", 25), ("payments", 40), ("invoicing", 20)] {
        let server = service(&program, platform);
        let (status, checks) = tested(&program, platform, &format!("http://{}", server.address), &[]);
        assert_eq!(broken(&checks), Vec::<&Value>::new(), "{platform}");
        assert_eq!(status, 0);
        assert!(checks.len() >= least, "{platform}: {}", checks.len());
        assert_eq!(server.stop(), 0);
    }
}

#[test]
fn s21_what_falls_short_of_a_contract_is_named() {
    let program = plain();
    let server = service(&program, "codes,profiles");
    // It is no payment service.
    let (status, checks) = tested(&program, "payments", &format!("http://{}", server.address), &[]);
    assert_eq!(status, 1);
    let offers = checks.iter().find(|check| check["call"] == "about").unwrap();
    assert_eq!(offers["kept"], "NO");
    assert!(
        offers["seen"].as_str().unwrap().contains("does not offer payments"),
        "{offers}"
    );
    assert!(
        checks
            .iter()
            .any(|check| check["call"] == "pay" && check["kept"] == "NO"),
        "{checks:#?}"
    );
    // Nobody at all.
    drop(server);
    let ran = program.run(&["contract", "test", "--platform", "codes", "http://127.0.0.1:9"]);
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("no connection to http://127.0.0.1:9"), "{ran:#?}");
}

#[test]
fn s21_without_tls_only_on_the_loopback_and_only_when_said_so() {
    let program = Program::new();
    let ran = program.run(&["serve", "--only", "codes", "--listen", ANY_PORT]);
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stderr.contains("onescan keys make"), "{ran:#?}");
    let refused = |mut program: Program, address: &str| {
        program.set("ONESCAN__PLATFORMS__CODES", address);
        let ran = program.run(&["serve", "--listen", ANY_PORT]);
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains("without TLS"), "{ran:#?}");
    };
    refused(Program::new(), "http://127.0.0.1:9");
    refused(plain(), "http://192.0.2.1:9");
}

#[test]
fn s21_the_doctor_looks_at_platforms_elsewhere() {
    let mut program = plain();
    let server = service(&program, "codes");
    program.set("ONESCAN__PLATFORMS__CODES", &format!("http://{}", server.address));
    program.set("ONESCAN__PLATFORMS__PROFILES", &format!("http://{}", server.address));
    let ran = program.run(&["doctor", "--json"]);
    let looks: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    let look = |what: &str| {
        looks
            .as_array()
            .unwrap()
            .iter()
            .find(|look| look["check"] == what)
            .unwrap()
            .clone()
    };
    assert_eq!(look("codes")["health"], "ok", "{looks:#}");
    assert!(
        look("codes")["seen"].as_str().unwrap().contains("version 1.0"),
        "{looks:#}"
    );
    assert_eq!(look("profiles")["health"], "FAIL", "{looks:#}");
    assert_eq!(ran.status, 1);
}

/// The lines of a log that name the trace of [`PARENT`].
fn traced(path: &Path) -> Vec<Value> {
    let log = std::fs::read_to_string(path).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["trace.id"] == PARENT[3..35]).collect()
}

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn s21_one_trace_is_read_in_the_logs_of_every_process() {
    let mut program = plain();
    program.set("ONESCAN__LOG__FORMAT", "json");
    program.set("ONESCAN__LOG__FILTER", "info,onescan=debug,onescan_web=debug");
    let logs = ["codes.log", "whole.log"].map(|name| program.path().join(name));
    let log = |path: &Path| Stdio::from(std::fs::File::create(path).unwrap());
    let service = program.start_logging(&["serve", "--only", "codes", "--listen", ANY_PORT], log(&logs[0]));
    program.set("ONESCAN__PLATFORMS__CODES", &format!("http://{}", service.address));
    let server = program.start_logging(&["serve", "--listen", ANY_PORT], log(&logs[1]));

    let person = program.json(&["person", "create", "Ada Berg", "ada.berg", "--currency", "EUR"]);
    let mut client = Client::connect(server.address).await.unwrap();
    let credentials = json!({"login": "ada.berg", "password": person["first_password"]});
    let signed_in = Ask {
        bearer: None,
        ..post("/v1/sessions", "", None, credentials)
    };
    let token = text(&client.ask(&signed_in).await.unwrap().body["token"]);
    client.trace(PARENT);
    let enabled = client.ask(&post("/v1/code-records", &token, None, json!({}))).await;
    assert_eq!(enabled.unwrap().status, 201);
    assert_eq!((server.stop(), service.stop()), (0, 0));

    let asked = traced(&logs[0]);
    assert!(
        asked
            .iter()
            .any(|line| line["platform.name"] == "codes" && line["message"] == "asked"),
        "{asked:#?}"
    );
    let answered = traced(&logs[1]);
    assert!(
        answered
            .iter()
            .any(|line| line["http.path"] == "/v1/code-records" && line["http.status"] == 201),
        "{answered:#?}"
    );
}

/// A copy of what a service needs.
fn copy_keys(from: &Path, to: &Path, service: &str, as_service: &str) {
    std::fs::create_dir_all(to).unwrap();
    std::fs::copy(from.join("authorities.pem"), to.join("authorities.pem")).unwrap();
    for ending in ["pem", "key"] {
        std::fs::copy(
            from.join(format!("{service}.{ending}")),
            to.join(format!("{as_service}.{ending}")),
        )
        .unwrap();
    }
}

#[test]
fn s21_services_prove_who_they_are() {
    let mut program = Program::new();
    let made = program.json(&["keys", "make"]);
    assert_eq!(
        made.as_array().unwrap().len(),
        6,
        "the authority and five services: {made}"
    );
    let keys = program.path().join("onescan-data/keys");
    let own = program.path().join("payments-keys");
    copy_keys(&keys, &own, "payments", "payments");
    program.set("ONESCAN__PLATFORMS__KEYS_FOLDER", own.to_str().unwrap());
    let server = service(&program, "payments");
    let url = format!("https://{}", server.address);

    let mut caller = Program::new();
    caller.set("ONESCAN__PLATFORMS__KEYS_FOLDER", keys.to_str().unwrap());
    let (status, checks) = tested(&caller, "payments", &url, &[]);
    assert_eq!((status, broken(&checks)), (0, Vec::new()));

    // Keys of another authority.
    let stranger = Program::new();
    stranger.json(&["keys", "make"]);
    let ran = stranger.run(&["contract", "test", "--platform", "payments", &url]);
    assert_eq!(ran.status, 1, "{ran:#?}");
    assert!(ran.stdout.is_empty(), "{ran:#?}");

    // A service that may not call payments, and one that poses as another.
    let posing = caller.path().join("posing");
    copy_keys(&keys, &posing, "codes", "processing");
    let mut codes = Program::new();
    codes.set("ONESCAN__PLATFORMS__KEYS_FOLDER", posing.to_str().unwrap());
    let (status, checks) = tested(&codes, "payments", &url, &[]);
    assert_eq!(status, 1);
    let pay = checks.iter().find(|check| check["call"] == "pay").unwrap();
    assert!(pay["seen"].as_str().unwrap().contains("403"), "{pay}");
    let ran = caller.run(&["contract", "test", "--platform", "codes", &url]);
    assert_eq!(ran.status, 1, "the payment service is not the code service: {ran:#?}");

    rotate(&caller, &keys, &own, &url);
    assert_eq!(server.stop(), 0);
}

/// Another authority takes over while the server runs, and nobody is refused in between.
fn rotate(caller: &Program, keys: &Path, own: &Path, url: &str) {
    let works = |what: &str| {
        let (status, checks) = tested(caller, "payments", url, &[]);
        assert_eq!((status, broken(&checks)), (0, Vec::new()), "{what}");
    };
    let rotated = |arguments: &[&str]| caller.run(&[&["keys"], arguments].concat()).status;
    let authorities = || {
        std::fs::read_to_string(keys.join("authorities.pem"))
            .unwrap()
            .matches("BEGIN")
            .count()
    };
    assert_eq!(rotated(&["rotate", "--authority"]), 0);
    assert_eq!(authorities(), 2);
    std::fs::copy(keys.join("authorities.pem"), own.join("authorities.pem")).unwrap();
    works("a second authority is trusted");
    assert_eq!(rotated(&["rotate", "--authority"]), 0);
    works("the caller's certificate is of the new authority, the service's of the old");
    copy_keys(keys, own, "payments", "payments");
    works("both are of the new one");
    assert_eq!(rotated(&["retire"]), 0);
    assert_eq!(authorities(), 1);
    copy_keys(keys, own, "payments", "payments");
    works("the old one is gone");
    // What ends soon is told.
    assert_eq!(rotated(&["rotate", "--days", "10"]), 1);
    let shown = caller.run(&["keys", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let service = shown
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["name"] == "payments")
        .unwrap();
    assert_eq!(service["what_to_do"], "onescan keys rotate", "{service}");
}

/// The example of a third party, which ends with this value.
#[derive(Debug)]
struct Example(std::process::Child, String);

impl Example {
    fn start(program: &Program) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../examples/invoice-platform/invoice_platform.py"
        );
        let mut command = std::process::Command::new("python3");
        command
            .args([script, "--port", "0", "--database", "invoices.db"])
            .current_dir(program.path());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut said).unwrap();
        let said: Value = serde_json::from_str(&said).unwrap();
        Self(child, said["address"].as_str().unwrap().to_owned())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn s21_a_third_partys_invoice_platform_keeps_the_contract() {
    let program = Program::new();
    let example = Example::start(&program);
    let (status, checks) = tested(&program, "invoicing", &example.1, &[]);
    assert_eq!(broken(&checks), Vec::<&Value>::new());
    assert_eq!(status, 0);
    assert!(checks.len() >= 20, "{}", checks.len());
}
