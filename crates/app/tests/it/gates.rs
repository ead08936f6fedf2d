//! What tests of journeys share: a provider's feed, and gates that sign what they see and hand it over when they like.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_domain::merchants::TerminalRole;
use onescan_domain::rides::tap::TapKind;
use onescan_gate::journal::{ACCEPTED, Head, Record};
use onescan_gate::keys::SigningKey;
use onescan_platforms::journeys::pack;
use serde_json::{Value, json};

use crate::rides::Metro;
use crate::support::TestApp;
use crate::support::http::Answer;

/// A metro line with two zones and a bus: short rides 2.00 yuan, long ones 4.50, the bus 1.00.
pub const FILES: [(&str, &str); 8] = [
    (
        "agency.txt",
        "agency_id,agency_name,agency_timezone\nm,Metro,Asia/Shanghai\n",
    ),
    (
        "stops.txt",
        "stop_id,stop_name,zone_id\nlake,West Lake,A\ntower,Tower,A\nfair,Fair Grounds,B\n",
    ),
    (
        "routes.txt",
        "route_id,route_short_name,route_type\nM1,M1,1\nB7,Bus 7,3\n",
    ),
    ("calendar_dates.txt", "service_id,date,exception_type\nd,20261123,1\n"),
    ("trips.txt", "route_id,service_id,trip_id\nM1,d,t1\nB7,d,t2\n"),
    (
        "stop_times.txt",
        "trip_id,stop_id,stop_sequence\nt1,lake,1\nt1,tower,2\nt1,fair,3\nt2,lake,1\nt2,tower,2\n",
    ),
    (
        "fare_attributes.txt",
        "fare_id,price,currency_type\nshort,2.00,CNY\nlong,4.50,CNY\nbus,1.00,CNY\n",
    ),
    (
        "fare_rules.txt",
        "fare_id,route_id,origin_id,destination_id\nshort,M1,A,A\nshort,M1,B,B\nlong,M1,A,B\nlong,M1,B,A\nbus,B7,,\n",
    ),
];

pub fn archive() -> Vec<u8> {
    pack(FILES).unwrap()
}

/// The same feed under another agency's name.
pub fn archive_of(agency: &str) -> Vec<u8> {
    let named = FILES.map(|(name, text)| (name, text.replacen("m,Metro", &format!("m,{agency}"), 1)));
    pack(named.iter().map(|(name, text)| (*name, text.as_str()))).unwrap()
}

pub async fn import(app: &TestApp, metro: &Metro, name: &str, archive: Vec<u8>) -> Answer {
    let call = app
        .post(&metro.provider_path(&format!("ride-feeds?name={name}")))
        .bearer(&metro.cast.merchant.key);
    call.body("application/zip", archive).send().await
}

/// A gate of the metro at a station; what it saw lies in its journal until it is handed over.
pub struct StationGate {
    terminal: String,
    pub key: String,
    signing: SigningKey,
    journal: String,
    head: Head,
    station: String,
    kind: TapKind,
    /// How far its clock is ahead.
    pub ahead_ms: i64,
}

impl StationGate {
    pub async fn open(app: &TestApp, metro: &Metro, station: &str, kind: TapKind, seed: u8) -> Self {
        let name = format!("{station} {}", kind.name());
        let store = &metro.cast.merchant.store;
        let (terminal, key) = app.terminal(store, &name, TerminalRole::Gate).await;
        let signing = SigningKey::ed25519(&[seed; 32]);
        let public = URL_SAFE_NO_PAD.encode(signing.public().bytes());
        let body = json!({"algorithm": "ed25519", "public_key": public});
        let opening = app.post("/v1/gate-journals").bearer(&key).json(&body);
        let journal = opening.send().await.ok(200);
        Self {
            terminal: terminal.id.to_string(),
            key,
            signing,
            journal: journal["journal"].as_str().unwrap().to_owned(),
            head: Head::START,
            station: station.to_owned(),
            kind,
            ahead_ms: 0,
        }
    }

    /// Lets the code through.
    pub fn tap(&mut self, app: &TestApp, code: String) -> Vec<u8> {
        let record = Record {
            sequence: self.head.sequence + 1,
            previous: self.head.hash,
            gate: self.terminal.clone(),
            kind: self.kind,
            station: self.station.clone(),
            at: app.now_ms() + self.ahead_ms,
            verdict: ACCEPTED.to_owned(),
            incomplete: false,
            code,
        };
        let record = record.sign(&self.signing);
        self.head = self.head.after(&record);
        record
    }

    pub async fn upload(&self, app: &TestApp, records: &[Vec<u8>]) -> Value {
        let records: Vec<String> = records.iter().map(|record| URL_SAFE_NO_PAD.encode(record)).collect();
        let body = json!({"journal": self.journal, "records": records});
        let call = app.post("/v1/ride-taps").bearer(&self.key).json(&body);
        call.send().await.ok(200)
    }

    /// Lets the code through, hands over at once, and the server works on it.
    pub async fn pass(&mut self, app: &TestApp, code: String) {
        let record = self.tap(app, code);
        self.upload(app, &[record]).await;
        app.work_on_taps().await;
    }
}
