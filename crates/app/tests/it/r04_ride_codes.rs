//! Rows R03, R04: a device is enrolled and gets entitlements; a gate decides without the server; what it accepted arrives later,
//! more than once and out of order, and is a fact.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_domain::merchants::TerminalRole;
use onescan_domain::rides::tap::TapKind;
use onescan_gate::code;
use onescan_gate::deny::{DenyList, Document};
use onescan_gate::journal::{ACCEPTED, Head, Record};
use onescan_gate::keys::{Algorithm, PublicKey, SigningKey};
use onescan_gate::memory::Memory;
use onescan_gate::refusal::Refusal;
use onescan_gate::verify::{Gate, IssuerKey, IssuerKeys, Policy};
use onescan_platforms::env::Clock;
use onescan_platforms::ride_codes::{Denials, DenyReason};
use serde_json::{Value, json};

use crate::support::shown::items;
use crate::support::{TestApp, on_both};

fn text(field: &Value) -> &str {
    field.as_str().unwrap_or_else(|| panic!("no text: {field}"))
}

fn read(field: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(field.as_str().unwrap()).unwrap()
}

fn told(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A person's device: its key, its id, and what it may show.
pub struct Phone {
    pub key: SigningKey,
    pub id: String,
    token: String,
    pub entitlement: Vec<u8>,
}

impl Phone {
    pub async fn enrol(app: &TestApp, token: &str, seed: u8, algorithm: Algorithm) -> Self {
        let key = SigningKey::of_seed(algorithm, &[seed; 32]).unwrap();
        let body = json!({"name": "Phone", "algorithm": algorithm.name(), "public_key": told(&key.public().bytes())});
        let device = app
            .post("/v1/ride-devices")
            .bearer(token)
            .json(&body)
            .send()
            .await
            .ok(201);
        let mut phone = Self {
            key,
            id: text(&device["id"]).to_owned(),
            token: token.to_owned(),
            entitlement: Vec::new(),
        };
        phone.renew(app).await;
        phone
    }

    pub fn entitlements(&self) -> String {
        format!("/v1/ride-devices/{}/entitlements", self.id)
    }

    pub async fn renew(&mut self, app: &TestApp) -> Value {
        let issued = app.post(&self.entitlements()).bearer(&self.token).send().await.ok(201);
        self.entitlement = read(&issued["entitlement"]);
        issued
    }

    pub fn show(&self, app: &TestApp, counter: u32) -> String {
        let now_s = app.clock.now_ms() / 1_000;
        code::show(&self.entitlement, now_s as u32, counter, &self.key)
    }
}

/// A gate as far as the server knows it.
struct GateCast {
    terminal: String,
    key: String,
    signing: SigningKey,
    journal: String,
    /// The provider and its back office's key.
    provider: String,
    office: String,
}

impl GateCast {
    async fn make(app: &TestApp) -> Self {
        let metro = app.merchant("Metro", "4111").await;
        let (terminal, key) = app.terminal(&metro.store, "Gate 1", TerminalRole::Gate).await;
        let signing = SigningKey::ed25519(&[40; 32]);
        let body = json!({"algorithm": "ed25519", "public_key": told(&signing.public().bytes())});
        let journal = app
            .post("/v1/gate-journals")
            .bearer(&key)
            .json(&body)
            .send()
            .await
            .ok(200);
        assert_eq!((&journal["head"], &journal["missing"]), (&json!(0), &json!(0)));
        Self {
            terminal: terminal.id.to_string(),
            key,
            signing,
            journal: text(&journal["journal"]).to_owned(),
            provider: metro.merchant.id.to_string(),
            office: metro.key,
        }
    }

    async fn deny_list(&self, app: &TestApp, since: Option<u64>) -> Document {
        let path = since.map_or_else(String::new, |since| format!("?since={since}"));
        let list = app
            .get(&format!("/v1/ride-deny-list{path}"))
            .bearer(&self.key)
            .send()
            .await
            .ok(200);
        Document::open(&read(&list["document"]), &issuer_keys(app).await).unwrap()
    }

    /// A gate that has fetched everything.
    async fn gate(&self, app: &TestApp) -> Gate {
        Gate {
            policy: Policy::new(Vec::new()),
            keys: issuer_keys(app).await,
            deny: DenyList::of(&self.deny_list(app, None).await),
            memory: Memory::default(),
        }
    }

    fn record(&self, app: &TestApp, head: Head, code: String) -> Vec<u8> {
        let record = Record {
            sequence: head.sequence + 1,
            previous: head.hash,
            gate: self.terminal.clone(),
            kind: TapKind::Entry,
            station: "S1".to_owned(),
            at: app.clock.now_ms(),
            verdict: ACCEPTED.to_owned(),
            incomplete: false,
            code,
        };
        record.sign(&self.signing)
    }

    async fn upload(&self, app: &TestApp, records: &[&Vec<u8>]) -> Value {
        let records = records.iter().map(|record| told(record)).collect::<Vec<_>>();
        let body = json!({"journal": self.journal, "records": records});
        app.post("/v1/ride-taps")
            .bearer(&self.key)
            .json(&body)
            .send()
            .await
            .ok(200)
    }

    async fn taps(&self, app: &TestApp) -> Vec<Value> {
        let path = format!("/v1/merchants/{}/ride-taps", self.provider);
        let list = app.get(&path).bearer(&self.office).send().await.ok(200);
        items(&list).clone()
    }
}

async fn issuer_keys(app: &TestApp) -> IssuerKeys {
    let list = app.get("/v1/ride-issuer-keys").send().await.ok(200);
    let seconds = |field: &Value| text(field).parse::<jiff::Timestamp>().unwrap().as_second();
    IssuerKeys::new(items(&list).iter().map(|item| IssuerKey {
        key: PublicKey::read(Algorithm::Ed25519, &read(&item["public_key"])).unwrap(),
        from_s: seconds(&item["from"]),
        until_s: seconds(&item["until"]),
    }))
}

/// Three records of one journal, with three codes of one device.
fn three(app: &TestApp, gate: &GateCast, phone: &Phone) -> [Vec<u8>; 3] {
    let mut head = Head::START;
    [1, 2, 3].map(|counter| {
        let record = gate.record(app, head, phone.show(app, counter));
        head = head.after(&record);
        record
    })
}

on_both! {
    async fn r04_a_gate_lets_a_device_through_without_the_server(app: TestApp) {
        let person = app.person("li.lei").await;
        let gate = GateCast::make(&app).await;
        for (seed, algorithm) in [(50, Algorithm::Ed25519), (51, Algorithm::P256)] {
            let mut phone = Phone::enrol(&app, &person.token, seed, algorithm).await;
            let issued = phone.renew(&app).await;
            assert_eq!(issued["payer"], "person");
            assert_eq!(issued["cap"], json!({"amount_minor": 10_000, "currency": "CNY"}));
            let mut at_gate = gate.gate(&app).await;
            let now = app.clock.now_ms();
            let passage = at_gate.look(&phone.show(&app, 1), TapKind::Entry, now).unwrap();
            at_gate.admit(&passage, "S1");
            assert_eq!(at_gate.look(&phone.show(&app, 1), TapKind::Exit, now), Err(Refusal::Replayed));
            // Twelve hours later there was no renewal.
            let later = now + 12 * 3_600_000;
            let old = code::show(&phone.entitlement, (later / 1_000) as u32, 2, &phone.key);
            at_gate.policy.list_age_max_s = 100_000;
            assert_eq!(at_gate.look(&old, TapKind::Exit, later), Err(Refusal::EntitlementExpired));
        }
    }

    async fn r04_keys_rotate_and_the_next_is_known_before(app: TestApp) {
        let person = app.person("li.lei").await;
        let mut phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let mut at_gate = gate.gate(&app).await;
        at_gate.policy.list_age_max_s = i64::MAX / 4;
        let first = code::RideCode::read(&phone.show(&app, 1)).unwrap().issuer_key;
        app.clock.advance_ms(30 * 86_400_000);
        let device = phone.id.parse().unwrap();
        let issued = app.services.ride_codes.issue(person.person.id, device).await.unwrap().unwrap();
        phone.entitlement = issued.entitlement;
        let shown = phone.show(&app, 2);
        assert_ne!(code::RideCode::read(&shown).unwrap().issuer_key, first);
        assert!(at_gate.look(&shown, TapKind::Entry, app.clock.now_ms()).is_ok(), "with the keys of a month ago");
    }

    async fn r04_a_revoked_device_is_on_the_next_deny_list(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let mut at_gate = gate.gate(&app).await;
        let empty = at_gate.deny.clone().unwrap();
        assert!(empty.is_empty());
        app.clock.advance_ms(1_000);
        app.delete(&format!("/v1/ride-devices/{}", phone.id)).bearer(&person.token).send().await.expect(204);
        let document = gate.deny_list(&app, Some(empty.version())).await;
        assert_eq!(document.since, Some(empty.version()));
        at_gate.deny = Some(empty.after(&document).unwrap());
        let now = app.clock.now_ms();
        assert_eq!(at_gate.look(&phone.show(&app, 1), TapKind::Entry, now), Err(Refusal::Revoked));
        assert_eq!(gate.deny_list(&app, None).await.added, [phone.key.public().fingerprint()]);
        app.post(&phone.entitlements()).bearer(&person.token).send().await.problem(409, "wrong-state");
        // When nothing of it can be about any more, it leaves the list by itself.
        app.clock.advance_ms(12 * 3_600_000);
        assert!(gate.deny_list(&app, None).await.added.is_empty());
    }

    async fn r04_arrears_take_codes_out_of_use_and_payment_brings_them_back_at_once(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let denials = Denials::new(app.services.env.clone(), app.store.clone());
        denials.deny(person.person.id, DenyReason::Arrears).await.unwrap();
        let denied = gate.deny_list(&app, None).await;
        assert_eq!(denied.added, [phone.key.public().fingerprint()]);
        app.clock.advance_ms(1_000);
        denials.allow(person.person.id, DenyReason::Arrears).await.unwrap();
        assert!(gate.deny_list(&app, None).await.added.is_empty());
        let changes = gate.deny_list(&app, Some(denied.version)).await;
        assert_eq!(changes.removed, [phone.key.public().fingerprint()]);
    }

    async fn r04_what_a_gate_accepted_arrives_once_however_often_it_is_sent(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let [first, second, third] = three(&app, &gate, &phone);
        // The third comes first: the gap is seen, and closed later.
        let told = gate.upload(&app, &[&third]).await;
        assert_eq!((&told["stored"], &told["missing"]), (&json!(1), &json!(2)));
        let told = gate.upload(&app, &[&second, &first, &third, &first]).await;
        assert_eq!((&told["stored"], &told["repeated"], &told["missing"]), (&json!(2), &json!(2), &json!(0)));
        let taps = gate.taps(&app).await;
        assert_eq!(taps.len(), 3);
        for tap in &taps {
            assert_eq!(tap["person"], person.person.id.to_string(), "{tap}");
            assert_eq!((&tap["sound"], &tap["chain_broken"]), (&json!(true), &json!(false)), "{tap}");
            assert_eq!(tap.get("clock_fault"), None, "{tap}");
        }
        let journals = format!("/v1/merchants/{}/gate-journals", gate.provider);
        let journals = app.get(&journals).bearer(&gate.office).send().await.ok(200);
        assert_eq!((&items(&journals)[0]["head"], &items(&journals)[0]["missing"]), (&json!(3), &json!(0)));
        let seen = app.get("/v1/ride-taps").bearer(&gate.key).send().await.ok(200);
        assert_eq!(items(&seen).len(), 3);
        assert_eq!(seen["items"][0].get("person"), None);
    }

    async fn r04_an_accepted_ride_is_kept_also_when_the_device_was_revoked_meanwhile(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let [first, ..] = three(&app, &gate, &phone);
        app.delete(&format!("/v1/ride-devices/{}", phone.id)).bearer(&person.token).send().await.expect(204);
        app.clock.advance_ms(3 * 86_400_000);
        assert_eq!(gate.upload(&app, &[&first]).await["stored"], 1);
        let taps = gate.taps(&app).await;
        assert_eq!((&taps[0]["sound"], &taps[0]["person"]), (&json!(true), &json!(person.person.id.to_string())));
    }

    async fn r04_faults_of_gates_are_kept_beside_what_they_told(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let shown = phone.show(&app, 1);
        let begun = app.clock.now_ms();
        app.clock.set_ms(begun + 600_000);
        let ahead = gate.record(&app, Head::START, shown);
        app.clock.set_ms(begun);
        // Restored from a copy: another record under the same number, and a third that names neither.
        let twin = gate.record(&app, Head::START, phone.show(&app, 2));
        let stray = gate.record(&app, Head { sequence: 1, hash: [9; 32] }, phone.show(&app, 3));
        let told = gate.upload(&app, &[&ahead]).await;
        assert_eq!(told["stored"], 1);
        assert_eq!(gate.upload(&app, &[&twin, &stray]).await["stored"], 2);
        let taps = gate.taps(&app).await;
        let of = |counter: i64| taps.iter().find(|tap| tap["counter"] == counter).unwrap();
        assert_eq!((&of(1)["clock_fault"], &of(1)["sound"]), (&json!("ahead"), &json!(false)));
        assert_eq!((&of(2)["chain_broken"], &of(2)["sound"]), (&json!(true), &json!(true)));
        assert_eq!((&of(3)["chain_broken"], &of(3)["clock_fault"]), (&json!(true), &json!("back")));
    }

    async fn r04_nobody_writes_into_the_journal_of_another(app: TestApp) {
        let person = app.person("li.lei").await;
        let phone = Phone::enrol(&app, &person.token, 50, Algorithm::Ed25519).await;
        let gate = GateCast::make(&app).await;
        let forger = GateCast { signing: SigningKey::ed25519(&[41; 32]), ..GateCast::make(&app).await };
        let [forged, ..] = three(&app, &GateCast { terminal: gate.terminal.clone(), ..forger }, &phone);
        let told = gate.upload(&app, &[&forged]).await;
        assert_eq!((&told["stored"], &told["wrong"]), (&json!(0), &json!([0])));
        let other = GateCast::make(&app).await;
        let body = json!({"journal": "00112233aabbccdd", "records": [self::told(&forged)]});
        app.post("/v1/ride-taps").bearer(&other.key).json(&body).send().await.problem(404, "not-found");
        let path = format!("/v1/merchants/{}/ride-taps", gate.provider);
        app.get(&path).bearer(&other.office).send().await.problem(404, "not-found");
        let cashier = app.merchant("Canteen", "5812").await.cashier_key;
        app.get("/v1/ride-deny-list").bearer(&cashier).send().await.problem(403, "wrong-role");
    }

    async fn r04_devices_are_their_persons(app: TestApp) {
        let (ours, others) = (app.person("li.lei").await, app.person("mei").await);
        let phone = Phone::enrol(&app, &ours.token, 50, Algorithm::Ed25519).await;
        let again = Phone::enrol(&app, &ours.token, 50, Algorithm::Ed25519).await;
        assert_eq!(again.id, phone.id, "the same key is the same device");
        let body = json!({"name": "Copy", "algorithm": "ed25519", "public_key": told(&phone.key.public().bytes())});
        app.post("/v1/ride-devices").bearer(&others.token).json(&body).send().await.problem(409, "taken");
        app.post(&phone.entitlements()).bearer(&others.token).send().await.problem(404, "not-found");
        app.delete(&format!("/v1/ride-devices/{}", phone.id)).bearer(&others.token).send().await.problem(404, "not-found");
        let wrong = json!({"name": "Phone", "algorithm": "p256", "public_key": told(&[7; 33])});
        app.post("/v1/ride-devices").bearer(&ours.token).json(&wrong).send().await.problem(422, "invalid-fields");
        let list = app.get("/v1/ride-devices").bearer(&ours.token).send().await.ok(200);
        assert_eq!(items(&list).len(), 1);
        for seed in 60..69 {
            Phone::enrol(&app, &ours.token, seed, Algorithm::Ed25519).await;
        }
        let more = SigningKey::ed25519(&[70; 32]);
        let more = json!({"name": "Eleventh", "algorithm": "ed25519", "public_key": told(&more.public().bytes())});
        app.post("/v1/ride-devices").bearer(&ours.token).json(&more).send().await.problem(409, "wrong-state");
    }
}
