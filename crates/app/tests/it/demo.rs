//! `onescan demo`: one command, and everybody can sign in.

use onescan_app::http_client::{Ask, Client, Told};
use onescan_platforms::journeys::{JourneyStore, TapRideState};
use onescan_platforms::payments::{Page, PaymentStore};
use onescan_platforms::rides::RideStore;
use onescan_store::Store;
use onescan_store::config::DbConfig;
use onescan_store::db::Db;
use serde_json::{Value, json};

use crate::support::program::{Program, Running};

async fn ask(server: &Running, method: &str, path: &str, bearer: Option<&str>, body: Option<Value>) -> Told {
    let mut client = Client::connect(server.address).await.unwrap();
    let ask = Ask {
        method: method.parse().unwrap(),
        path: path.to_owned(),
        bearer: bearer.map(str::to_owned),
        idempotency_key: None,
        body,
    };
    client.ask(&ask).await.unwrap()
}

async fn get(server: &Running, path: &str, bearer: &str) -> Told {
    ask(server, "GET", path, Some(bearer), None).await
}

fn list<'v>(said: &'v Value, name: &str) -> &'v Vec<Value> {
    said[name].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn everybody_in_a_new_demo_can_sign_in() {
    let program = Program::new();
    let server = program.start(&["demo", "--port", "0"]);
    assert_eq!(server.said["fresh"], true);
    let people = list(&server.said, "people");
    assert_eq!(people.len(), 13);
    for person in people {
        let credentials = json!({"login": person["login"], "password": person["password"]});
        let told = ask(&server, "POST", "/v1/sessions", None, Some(credentials)).await;
        assert_eq!(told.status, 201, "{person}");
        let me = get(&server, "/v1/people/me", text(&told.body["token"])).await;
        assert_eq!(me.body["name"], person["name"]);
    }
    for terminal in list(&server.said, "terminals") {
        if terminal["role"] == "gate" {
            let list = get(&server, "/v1/ride-deny-list", text(&terminal["key"])).await;
            assert_eq!(list.status, 200, "{terminal}");
            continue;
        }
        let path = match text(&terminal["role"]) {
            "cashier" => "/v1/scans",
            _ => "/v1/invoice-scans",
        };
        // A mistyped code is looked at only after the key was good for this terminal.
        let told = ask(
            &server,
            "POST",
            path,
            Some(text(&terminal["key"])),
            Some(json!({"code": "1"})),
        )
        .await;
        assert_eq!(told.body["code"], "code-mistyped", "{terminal}");
    }
    for program in list(&server.said, "programs") {
        let path = match text(&program["kind"]) {
            "institution" => format!("/v1/institutions/{}", text(&program["id"])),
            "merchant" => format!("/v1/merchants/{}", text(&program["id"])),
            _ => "/v1/alarms".to_owned(),
        };
        let told = get(&server, &path, text(&program["key"])).await;
        assert_eq!(told.status, 200, "{program}: {}", told.body);
    }
    for page in [
        "/",
        "/sign-in",
        "/till/sign-in",
        "/docs/",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/metrics",
    ] {
        assert_eq!(get(&server, page, "").await.status, 200, "{page}");
    }
    assert_eq!(server.stop(), 0);
}

/// Ninety days of rides: paid by the company, by people, owed; one is under way.
async fn rides_of_three_kinds(program: &Program, store: &Store) {
    let merchants = program.json(&["merchant", "list", "--data", "onescan-data/demo"]);
    let metro = merchants
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "Harbour Metro");
    let metro = text(&metro.unwrap()["id"]).parse().unwrap();
    let page = Page {
        after: None,
        limit: 2_000,
    };
    let mut counted = std::collections::BTreeMap::new();
    for order in store.list_orders_of_provider(metro, "", &page).await.unwrap() {
        *counted.entry(order.state.name()).or_insert(0) += 1;
    }
    let of = |state| counted.get(state).copied().unwrap_or(0);
    let kinds = [of("paid_by_institution"), of("paid_by_person"), of("arrears")];
    assert!(kinds[0] > 150 && kinds[1] > 50 && kinds[2] > 0, "{counted:?}");
    let rides = store.list_tap_rides(metro, None, &page).await.unwrap();
    let open = rides.iter().filter(|ride| ride.state == TapRideState::Open).count();
    assert_eq!(open, 1);
    assert!(rides.iter().all(|ride| ride.state != TapRideState::Unpriced));
}

#[tokio::test]
async fn the_past_of_a_demo_is_sound_and_varied() {
    let program = Program::new();
    let server = program.start(&["demo", "--port", "0"]);
    let operator = list(&server.said, "programs")
        .iter()
        .find(|program| program["kind"] == "operator")
        .unwrap();
    let metrics = get(&server, "/metrics", text(&operator["key"])).await;
    assert_eq!(metrics.status, 200);
    drop(server);
    let verified = program.json(&["verify", "--data", "onescan-data/demo"]);
    let holds = verified
        .as_array()
        .unwrap()
        .iter()
        .all(|invariant| invariant["verdict"] == "holds");
    assert!(holds, "{verified:#}");
    let config = DbConfig::sqlite(program.path().join("onescan-data/demo/onescan.db"));
    let store = Store::new(Db::open(&config).await.unwrap());
    let (mut paid, mut refused, mut refunded) = (0, 0, 0);
    rides_of_three_kinds(&program, &store).await;
    for merchant in program
        .json(&["merchant", "list", "--data", "onescan-data/demo"])
        .as_array()
        .unwrap()
    {
        let merchant = text(&merchant["id"]).parse().unwrap();
        for number in 1..600 {
            let order = format!("D-{number:06}");
            let found = PaymentStore::find_by_order(&store, merchant, &order).await;
            match found.unwrap() {
                Some(payment) if payment.paid_at().is_none() => refused += 1,
                Some(payment) if payment.refunded_minor > 0 => refunded += 1,
                Some(_) => paid += 1,
                None => {}
            }
        }
    }
    assert!(
        paid > 150 && refunded > 5,
        "{paid} paid, {refused} refused, {refunded} refunded"
    );
}

#[tokio::test]
async fn a_second_start_keeps_the_data() {
    let program = Program::new();
    let first = program.start(&["demo", "--port", "0"]);
    let people = first.said["people"].clone();
    let terminals: Vec<Value> = list(&first.said, "terminals")
        .iter()
        .map(|terminal| terminal["key"].clone())
        .collect();
    let credentials = json!({"login": "li.lei", "password": people[0]["password"]});
    let told = ask(&first, "POST", "/v1/sessions", None, Some(credentials)).await;
    let token = text(&told.body["token"]).to_owned();
    assert_eq!(first.stop(), 0);
    let second = program.start(&["demo", "--port", "0"]);
    assert_eq!(second.said["fresh"], false);
    let again: Vec<Value> = list(&second.said, "terminals")
        .iter()
        .map(|terminal| terminal["key"].clone())
        .collect();
    assert_eq!(again, terminals);
    assert_eq!(
        get(&second, "/v1/people/me", &token).await.status,
        200,
        "the session is still good"
    );
    drop(second);
    let third = program.start(&["demo", "--port", "0", "--reset"]);
    assert_eq!(third.said["fresh"], true);
    assert_eq!(
        get(&third, "/v1/people/me", &token).await.status,
        401,
        "nothing is left of the old demo"
    );
}

#[test]
fn an_empty_demo_has_an_operator_alone() {
    let program = Program::new();
    let server = program.start(&["demo", "--port", "0", "--empty"]);
    assert_eq!(list(&server.said, "people").len(), 0);
    assert_eq!(list(&server.said, "terminals").len(), 0);
    assert_eq!(list(&server.said, "programs").len(), 1);
}

#[test]
fn other_data_are_never_touched() {
    let program = Program::new();
    program.json(&["person", "create", "Ada", "ada", "--currency", "EUR", "--data", "ours"]);
    for arguments in [
        &["demo", "--data", "ours", "--port", "0"][..],
        &["demo", "--data", "ours", "--reset"],
    ] {
        let ran = program.run(arguments);
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains("holds data that are not a demo's"), "{ran:#?}");
    }
    assert_eq!(
        program
            .json(&["person", "list", "--data", "ours"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_demo_whose_filling_was_broken_off_begins_again() {
    let program = Program::new();
    let folder = program.path().join("half");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("demo.unfinished"), "").unwrap();
    std::fs::write(folder.join("onescan.db"), "half a database").unwrap();
    let server = program.start(&["demo", "--data", "half", "--port", "0"]);
    assert_eq!(server.said["fresh"], true);
    assert_eq!(list(&server.said, "people").len(), 13);
}

#[test]
fn the_story_is_as_told() {
    let program = Program::new();
    let ran = program.run(&["demo", "--story"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.ends_with("All 13 steps were as told.\n"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains("onescan-demo") && !ran.stdout.contains("ses_"),
        "no secret is shown"
    );
    assert!(
        std::fs::read_dir(program.path()).unwrap().next().is_none(),
        "nothing is left of it"
    );
}
