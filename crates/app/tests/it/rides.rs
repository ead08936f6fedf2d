//! What tests of rides share: a company that pays for the metro, and its member on it.

use serde_json::{Value, json};

use crate::steps::cny;
use crate::support::TestApp;
use crate::support::builders::Cast;
use crate::support::http::{Answer, Call};
use crate::support::machine::START_MS;

pub const MINUTE_MS: i64 = 60_000;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// The usual company with a travel type `metro`; its merchant is the ride provider.
pub struct Metro {
    pub cast: Cast,
    /// Id of the travel type.
    pub kind: String,
}

/// An instant as the API writes it.
pub fn moment(at_ms: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(at_ms).unwrap();
    format!("{instant:.3}")
}

impl Metro {
    /// `fields`: what the travel type is made with besides code and name.
    pub async fn open(app: &TestApp, fields: Value) -> Self {
        let cast = app.cast().await;
        let mut body = json!({ "code": "metro", "name": "Metro" });
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let path = format!("/v1/institutions/{}/travel-types", cast.institution.institution.id);
        let kind = app
            .post(&path)
            .bearer(&cast.administrator.token)
            .json(&body)
            .send()
            .await
            .ok(201);
        let kind = kind["id"].as_str().unwrap().to_owned();
        Self { cast, kind }
    }

    /// For so many rides within a day from the start of the test; `None`: standing.
    pub fn application(&self, rides: Option<i64>) -> Value {
        json!({
            "travel_type": self.kind, "purpose": "Trade fair", "rides": rides,
            "valid_from": moment(START_MS), "valid_until": moment(START_MS + DAY_MS)
        })
    }

    /// The member applies; the answer's id.
    pub async fn apply(&self, app: &TestApp, rides: Option<i64>) -> String {
        let made = self.applying(app, &self.application(rides)).send().await.ok(201);
        made["id"].as_str().unwrap().to_owned()
    }

    pub fn applying(&self, app: &TestApp, body: &Value) -> Call {
        app.post("/v1/people/me/travel-applications")
            .bearer(&self.cast.member.token)
            .json(body)
    }

    pub async fn form(&self, app: &TestApp, id: &str) -> Value {
        let path = format!("/v1/people/me/travel-applications/{id}");
        app.get(&path).bearer(&self.cast.member.token).send().await.ok(200)
    }

    pub async fn state(&self, app: &TestApp, id: &str) -> Value {
        self.form(app, id).await["application"]["state"].clone()
    }

    pub async fn policy(&self, app: &TestApp, rules: &[&str]) -> Value {
        let path = format!("{}/policies", self.type_path());
        let body = json!({ "rules": rules });
        app.post(&path)
            .bearer(&self.cast.administrator.token)
            .json(&body)
            .send()
            .await
            .ok(201)
    }

    pub fn type_path(&self) -> String {
        format!(
            "/v1/institutions/{}/travel-types/{}",
            self.cast.institution.institution.id, self.kind
        )
    }

    pub fn provider_path(&self, rest: &str) -> String {
        format!("/v1/merchants/{}/{rest}", self.cast.merchant.merchant.id)
    }

    /// A metro ride of the member that starts now, as its provider tells it.
    pub fn ride(&self, app: &TestApp, number: &str, minor: i64) -> Value {
        let now = app.now_ms();
        json!({
            "number": number, "person": self.cast.member.person.id.to_string(), "amount": cny(minor),
            "start": { "at": moment(now), "place": "West Lake", "city": "杭州" },
            "end": { "at": moment(now + 20 * MINUTE_MS), "place": "East Station" },
            "extension": { "travel_type": "metro" }
        })
    }

    pub fn telling(&self, app: &TestApp, ride: &Value) -> Call {
        app.post(&self.provider_path("rides"))
            .bearer(&self.cast.merchant.key)
            .json(ride)
    }

    pub async fn tell(&self, app: &TestApp, number: &str, minor: i64) -> Value {
        self.telling(app, &self.ride(app, number, minor)).send().await.ok(201)
    }

    pub async fn consult(&self, app: &TestApp) -> Value {
        let body = json!({
            "person": self.cast.member.person.id.to_string(), "travel_type": "metro", "city": "杭州"
        });
        let path = self.provider_path("ride-consultations");
        app.post(&path)
            .bearer(&self.cast.merchant.key)
            .json(&body)
            .send()
            .await
            .ok(201)
    }

    pub async fn agree(&self, app: &TestApp, cap_minor: i64) {
        let body = json!({ "cap": cny(cap_minor) });
        let call = app
            .put("/v1/people/me/ride-consent")
            .bearer(&self.cast.member.token)
            .json(&body);
        call.send().await.ok(200);
    }

    pub async fn my(&self, app: &TestApp, what: &str) -> Value {
        let path = format!("/v1/people/me/{what}");
        app.get(&path).bearer(&self.cast.member.token).send().await.ok(200)
    }

    /// What the company and the member have.
    pub async fn balances(&self, app: &TestApp) -> (i64, i64) {
        let company = app.account(self.cast.institution.institution.account).await;
        let member = app.account(self.cast.member.person.account).await;
        (company.posted_minor, member.posted_minor)
    }

    pub async fn refund(&self, app: &TestApp, ride: &Value, number: &str, minor: i64) -> Answer {
        let path = self.provider_path(&format!("rides/{}/refunds", ride["id"].as_str().unwrap()));
        let body = json!({ "number": number, "amount": cny(minor) });
        app.post(&path).bearer(&self.cast.merchant.key).json(&body).send().await
    }
}
