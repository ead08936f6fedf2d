//! Rows R03, R04: the ride code page with the network cut. Its picture is read by foreign decoders and taken by a gate.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use onescan_app::env::SystemClock;
use onescan_app::http_client::{Ask, Client};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::deny::{DenyList, Document};
use onescan_gate::keys::{Algorithm, PublicKey};
use onescan_gate::memory::Memory;
use onescan_gate::refusal::Refusal;
use onescan_gate::verify::{Gate, IssuerKey, IssuerKeys, Policy};
use onescan_platforms::env::Clock;
use serde_json::Value;

use super::driver::Browser;
use super::{Stage, check_page};
use crate::support::decoders::{Decoders, QR};

const CODE: &str = "#ride [data-part=code]:not([hidden]) canvas[data-shown-at]";

/// A gate with the issuer's keys and an empty deny list.
async fn gate(stage: &Stage) -> Gate {
    let mut client = Client::connect(stage.server.address).await.unwrap();
    let ask = Ask {
        method: "GET".parse().unwrap(),
        path: "/v1/ride-issuer-keys".to_owned(),
        bearer: None,
        idempotency_key: None,
        body: None,
    };
    let told = client.ask(&ask).await.unwrap().body;
    let text = |field: &Value| field.as_str().unwrap().to_owned();
    let seconds = |field: &Value| text(field).parse::<jiff::Timestamp>().unwrap().as_second();
    let keys = told["items"].as_array().unwrap().iter().map(|item| {
        let bytes = URL_SAFE_NO_PAD.decode(text(&item["public_key"])).unwrap();
        IssuerKey {
            key: PublicKey::read(Algorithm::Ed25519, &bytes).unwrap(),
            from_s: seconds(&item["from"]),
            until_s: seconds(&item["until"]),
        }
    });
    let nobody = Document {
        since: None,
        version: 0,
        issued_at_s: SystemClock.now_ms() / 1_000,
        added: Vec::new(),
        removed: Vec::new(),
    };
    Gate {
        policy: Policy::new(Vec::new()),
        keys: IssuerKeys::new(keys),
        deny: DenyList::of(&nobody),
        memory: Memory::default(),
    }
}

/// The code as a reader sees it: from a picture of the page.
async fn shown(browser: &mut Browser) -> String {
    let picture = browser.picture_of("#ride .ride-qr").await;
    Decoders::new().read_png(QR, &STANDARD.decode(picture).unwrap())
}

#[tokio::test]
async fn r04_the_ride_page_shows_codes_with_the_network_cut_and_a_gate_takes_them() {
    let mut stage = Stage::set();
    let mut gate = gate(&stage).await;
    let mut person = stage.person("sofia.rossi").await;
    person.open(&stage.at("/ride")).await;
    person.wait_for("#ride [data-part=online]:not([hidden])", "").await;
    person.wait_for(CODE, "").await;
    let first = shown(&mut person).await;
    let entered = gate.look(&first, TapKind::Entry, SystemClock.now_ms()).unwrap();
    gate.admit(&entered, "S1");
    check_page(&mut person, "the ride page").await;
    // The worker has what it needs before the network goes.
    let ready = "const done = arguments[arguments.length - 1];
        navigator.serviceWorker.ready.then(() => caches.match('/ride')).then((kept) => done(Boolean(kept)), (e) => done(String(e)));";
    assert_eq!(person.run_async(ready).await, true);

    stage.server.kill();
    person.open(&stage.at("/ride")).await;
    person.wait_for("#ride [data-part=offline]:not([hidden])", "").await;
    person.wait_for(CODE, "").await;
    let second = shown(&mut person).await;
    let now = SystemClock.now_ms();
    assert_eq!(gate.look(&first, TapKind::Exit, now), Err(Refusal::Replayed));
    let left = gate.look(&second, TapKind::Exit, now).unwrap();
    assert_eq!((left.device, left.incomplete.is_none()), (entered.device, true));
    gate.admit(&left, "S2");
    // The key cannot leave the browser.
    let steal = "const done = arguments[arguments.length - 1];
        indexedDB.open('onescan-ride').onsuccess = (opened) => {
          const get = opened.target.result.transaction('ride').objectStore('ride').get('device');
          get.onsuccess = () => crypto.subtle.exportKey('pkcs8', get.result.keys.privateKey)
            .then(() => done('exported'), (error) => done(error.name));
        };";
    assert_eq!(person.run_async(steal).await, "InvalidAccessError");
}

#[tokio::test]
async fn r03_a_device_that_was_revoked_begins_anew_with_another_key() {
    let stage = Stage::set();
    let mut person = stage.person("li.lei").await;
    person.open(&stage.at("/ride")).await;
    person.wait_for(CODE, "").await;
    person.open(&stage.at("/ride")).await;
    person.wait_for(".ride-device", "").await;
    person.click("details.code-card summary").await;
    person.click(".ride-device button").await;
    person.wait_for(".toast", "").await;
    person.wait_for(CODE, "").await;
    person.open(&stage.at("/ride")).await;
    person.wait_for(CODE, "").await;
    assert_eq!(person.count(".ride-device").await, 1);
}
