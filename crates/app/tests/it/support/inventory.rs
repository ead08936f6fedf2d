//! Every operation of the API's description with what it takes: ids of things that are there, a body that is right, and the
//! credential of somebody who may.

use std::collections::BTreeMap;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use onescan_domain::ids::ScenarioId;
use onescan_domain::institutions::MemberRole;
use onescan_domain::merchants::TerminalRole;
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_einvoice::titles::title_qr;
use onescan_gate::keys::SigningKey;
use onescan_platforms::profiles::NewProfile;
use serde_json::{Value, json};

use super::builders::{InstitutionCast, MemberCast, MerchantCast, PersonCast};
use super::http::{Answer, Call};
use super::shown::{items, text};
use super::{Cast, TestApp};
use crate::gates;
use crate::s20_issuing::german_setup;
use crate::s20_profile_drafts::title;

/// One entry of the description.
#[derive(Debug, Clone)]
pub struct Operation {
    pub name: String,
    pub method: Method,
    /// With `{names}` of its parameters.
    pub path: String,
    pub described: Value,
}

impl Operation {
    /// Names of the parameters in the path, in their order.
    pub fn parameters(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect()
    }

    /// Who may do it, where it is about their own things.
    pub fn owner(&self) -> Owner {
        let path = self.path.as_str();
        let starts = |prefix: &str| path.starts_with(prefix);
        match path {
            "/v1/institutions"
            | "/v1/merchants"
            | "/v1/alarms"
            | "/v1/platforms"
            | "/v1/people"
            | "/v1/people/{person}/top-ups"
            | "/v1/institutions/{institution}/accounts/top-ups" => Owner::Operator,
            _ if starts("/v1/institutions/") => Owner::Administrator,
            "/v1/terminals/current" | "/v1/scans" => Owner::Cashier,
            "/v1/gate-journals" | "/v1/ride-taps" | "/v1/ride-deny-list" => Owner::Gate,
            _ if starts("/v1/payments") => Owner::Cashier,
            _ if starts("/v1/invoice-scans") => Owner::InvoiceTerminal,
            _ if starts("/v1/merchants/") => Owner::Merchant,
            _ => Owner::Person,
        }
    }

    pub fn media_type(&self) -> Option<&str> {
        let content = self.described.pointer("/requestBody/content")?.as_object()?;
        content.keys().next().map(String::as_str)
    }

    pub fn path_with(&self, ids: &BTreeMap<&'static str, String>) -> String {
        let part = |part: &str| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => ids.get(name).unwrap_or_else(|| panic!("no id for {name}")).clone(),
            None => part.to_owned(),
        };
        self.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

/// Whose credential an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Operator,
    Administrator,
    Cashier,
    InvoiceTerminal,
    Gate,
    Merchant,
    Person,
}

/// All operations of the program's own description.
pub async fn operations(app: &TestApp) -> Vec<Operation> {
    operations_of(&app.get("/openapi.json").send().await.ok(200))
}

/// All operations of a description, in its order.
pub fn operations_of(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, described) in operations.as_object().unwrap() {
            all.push(Operation {
                name: text(described, "/operationId").to_owned(),
                method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
                path: path.clone(),
                described: described.clone(),
            });
        }
    }
    all
}

/// A company and everything the API has ids for.
#[derive(Debug, Clone)]
pub struct Inventory {
    pub ids: BTreeMap<&'static str, String>,
    pub person: PersonCast,
    pub institution: InstitutionCast,
    pub meals: ScenarioId,
    pub administrator: MemberCast,
    pub merchant: MerchantCast,
    pub operator: String,
    pub gate_key: String,
    /// Of the gate's journal.
    pub journal: String,
}

impl Inventory {
    /// Adds what the usual company has not: a consent, profiles, an open question, a paid code, a dedicated account.
    pub async fn of(app: &TestApp, cast: &Cast) -> Self {
        let Cast {
            person,
            institution,
            meals,
            administrator,
            member,
            merchant,
        } = cast.clone();
        let token = &person.token;
        let enabling = json!({"consent_fields": ["name"]});
        app.post("/v1/code-records")
            .bearer(token)
            .json(&enabling)
            .send()
            .await
            .expect(201);
        app.profile(&person.record, "One", &[]).await;
        let (invoice, delivery) = issued(app, cast).await;
        app.profile(&person.record, "Two", &[]).await;
        let list = async |path: &str| items(&app.get(path).bearer(token).send().await.ok(200)).clone();
        let first = |list: Vec<Value>| text(&list[0], "/id").to_owned();
        let code = app.show_user_code(token, "phone").await;
        let paid = app.paid(&merchant.cashier_key, &code.digits, 5_000, "inventory").await;
        let records = format!("/v1/code-records/{}/scenarios", person.record.id.as_str());
        let account = app
            .services
            .institutions
            .open_member_account(member.member.id)
            .await
            .unwrap()
            .unwrap();
        app.top_up(account, 1_000).await;
        let device = ride_device(app);
        let device = app
            .post("/v1/ride-devices")
            .bearer(token)
            .json(&device)
            .send()
            .await
            .ok(201);
        let (_, gate_key) = app.terminal(&merchant.store, "Gate", TerminalRole::Gate).await;
        let journal = gate_journal(app);
        let journal = app
            .post("/v1/gate-journals")
            .bearer(&gate_key)
            .json(&journal)
            .send()
            .await
            .ok(200);
        let mut ids = BTreeMap::from([
            ("account", person.person.account.to_string()),
            ("choice", first(list("/v1/people/me/choices").await)),
            ("consent", first(list("/v1/people/me/consents").await)),
            ("delivery", delivery),
            ("institution", institution.institution.id.to_string()),
            ("invoice", invoice),
            ("key", key_id(&merchant.invoice_key)),
            ("member", member.member.id.to_string()),
            ("merchant", merchant.merchant.id.to_string()),
            ("payment", text(&paid, "/payment/id").to_owned()),
            ("person", person.person.id.to_string()),
            ("problem", "limit-exceeded".to_owned()),
            ("profile", first(list("/v1/invoice-profiles").await)),
            ("record", person.record.id.as_str().to_owned()),
            ("ride_device", text(&device, "/id").to_owned()),
            ("scenario", first(list(&records).await)),
            ("service_code", code.id),
            ("terminal", merchant.invoice.id.to_string()),
        ]);
        let operator = app.operator_key().await;
        let rides = rides(app, cast).await;
        ids.extend(rides);
        feed(app, &cast.merchant).await;
        ids.insert("feed", feed(app, &cast.merchant).await);
        ids.insert("bill", bill(app, cast).await);
        Self {
            ids,
            person,
            institution,
            meals: meals.id,
            administrator,
            merchant,
            operator,
            gate_key,
            journal: text(&journal, "/journal").to_owned(),
        }
    }

    /// Ids for an operation: the same name can mean different things.
    pub fn ids_for(&self, operation: &Operation) -> BTreeMap<&'static str, String> {
        let mut ids = self.ids.clone();
        if operation.path.starts_with("/v1/institutions/") {
            ids.insert("key", key_id(&self.institution.key));
            ids.insert("scenario", self.meals.to_string());
        }
        if operation.path.starts_with("/v1/merchants/{merchant}/keys") {
            ids.insert("key", key_id(&self.merchant.key));
        }
        ids
    }

    /// The credential of somebody who may do it.
    pub fn owner(&self, operation: &Operation) -> &str {
        match operation.owner() {
            Owner::Operator => &self.operator,
            Owner::Administrator => &self.administrator.token,
            Owner::Cashier => &self.merchant.cashier_key,
            Owner::InvoiceTerminal => &self.merchant.invoice_key,
            Owner::Gate => &self.gate_key,
            Owner::Merchant => &self.merchant.key,
            Owner::Person => &self.person.token,
        }
    }

    /// A body that is right; `None`: it takes none. Codes are fresh ones.
    pub async fn body(&self, app: &TestApp, operation: &Operation) -> Option<Value> {
        operation.media_type()?;
        let amount = |minor: i64| json!({"amount_minor": minor, "currency": "CNY"});
        let name = json!({"name": "A name"});
        let (person, merchant) = (&self.ids["person"], &self.ids["merchant"]);
        let code = async || app.show_user_code(&self.person.token, "inventory").await.digits;
        let scenario = json!({"name": "Lunch", "categories": ["5811-5814"], "rules": ["amount <= 3000"]});
        let profile = json!({"title_kind": "company", "title": "Nordlicht GmbH", "tax_number": "91330106MA2CFLDG4R",
            "vat_id": "DE123456789", "address": "Main street 1", "postcode": "310000", "city": "杭州", "country": "CN",
            "telephone": "1", "bank_name": "Bank", "bank_account": "2", "electronic_address": "0204:991-01234-56",
            "buyer_reference": "KST-7",
            "email": "a@example.org"});
        Some(match operation.name.as_str() {
            "enableCodePayment" => json!({"initial_code": true, "device": "phone", "location": "here"}),
            "changeCodeRecord" => json!({"state": "active"}),
            "dryRun" => json!({"amount": amount(100), "category": "5812", "city": "杭州"}),
            "addScenario" | "replaceScenario" | "addInstitutionScenario" | "replaceInstitutionScenario" => scenario,
            "createInstitution" => json!({"name": "Another", "currency": "CNY", "time_zone": "Asia/Shanghai"}),
            "allot" => {
                let member = app
                    .services
                    .institutions
                    .member(self.member_id())
                    .await
                    .unwrap()
                    .unwrap();
                json!({"to": member.account.unwrap().to_string(), "amount": amount(1)})
            }
            "topUpInstitution" | "topUpPerson" => json!({"amount": amount(1)}),
            "enableInstitution" => json!({}),
            "changeInstitutionRecord" => json!({"members": "through_institution"}),
            "addDepartment" | "issueInstitutionKey" | "issueMerchantKey" | "issueTerminalKey" => name,
            "addMember" => {
                let person = app.register(&app.fresh_text()).await;
                json!({"login": person.login, "name": "A member", "employee_number": app.fresh_text()})
            }
            "importMembers" => json!("name,login\nA member,a.member\n"),
            "changeMember" => json!({"name": "A member", "employee_number": "E-18"}),
            "addInvoiceProfile" | "replaceInvoiceProfile" => profile,
            "scanForInvoice" => json!({"code": code().await}),
            "assertPaid" => {
                json!({"code": code().await, "amount": amount(1), "means": "cash", "reference": "drawer 1"})
            }
            "createMerchant" => json!({"name": "Café", "category": "5814", "currency": "CNY"}),
            "addStore" => json!({"name": "Station", "city": "杭州", "category": "5814"}),
            "addTerminal" => {
                json!({"store": self.merchant.store.id.to_string(), "name": "Till", "role": "cashier"})
            }
            "pay" => json!({"code": code().await, "amount": amount(1), "order_number": app.fresh_text(),
                "subject": "tea"}),
            "capture" => json!({"amount": amount(1)}),
            "putTaxSetup" | "previewTaxSetup" => {
                let mut setup = german_setup("on_request");
                setup["tax_number"] = json!("215/5812/3456");
                setup["credit_code"] = json!("91310115MA1K000003");
                setup["logo"] = json!("iVBORw0KGgo=");
                setup
            }
            "moveRedLetter" => json!({"step": "confirm"}),
            "issueInvoice" => json!({"number": "2026-1"}),
            "refund" => json!({"number": app.fresh_text(), "amount": amount(1), "reason": "returned"}),
            "registerPerson" => json!({"login": app.fresh_text(), "name": "Somebody", "currency": "CNY",
                "password": "correct horse battery", "email": "a@example.org", "time_zone": "UTC",
                "language": "en", "identity": {"kind": "credential", "number": app.fresh_text()}}),
            "changeMe" => json!({"name": "Somebody", "email": "a@example.org", "time_zone": "Asia/Shanghai"}),
            "enrolRideDevice" => {
                // There is a most that one person may have.
                let rides = &app.services.ride_codes;
                for device in rides.devices(self.person.person.id).await.unwrap() {
                    if device.id.to_string() != self.ids["ride_device"] {
                        rides.revoke(device.person, device.id).await.unwrap();
                    }
                }
                ride_device(app)
            }
            "importRideFeed" => json!("a feed of these tests"),
            "putRideSetup" => {
                json!({"travel_type": "metro", "city": "杭州", "single_fare": amount(200), "maximum_fare": amount(900),
                "journey_max_minutes": 240, "late_minutes": 720})
            }
            "openGateJournal" => gate_journal(app),
            "uploadRideTaps" => json!({"journal": self.journal, "records": ["AA"]}),
            "choose" => json!({"profile": self.ids["profile"]}),
            "scan" => json!({"code": code().await, "amount": amount(1)}),
            "createServiceCode" => json!({"kind": "user", "device": "phone", "location": "here"}),
            "signIn" => json!({"login": self.person.person.login, "password": super::builders::PASSWORD}),
            "readTitleCode" => json!({"text": title_qr::write(&title()).unwrap()}),
            "readInvoiceBuyer" => json!("<Invoice/>"),
            "addTravelType" => travel_type(&app.fresh_text()),
            "replaceTravelType" => travel_type("metro"),
            "addTravelPolicy" => json!({"rules": ["amount <= 5000"]}),
            "tryRide" => {
                json!({"person": person, "provider": merchant, "amount": amount(100), "start_at": "2026-11-25T08:00:00Z",
                "start_stop": "lake", "end_stop": "fair", "end_city": "上海", "line": "M1", "city": "杭州", "rules": ["amount <= 5000"]})
            }
            "replayRides" => {
                json!({"rules": ["amount <= 5000"], "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"})
            }
            "replaceWorkCalendar" => json!({"days": ["2026-10-01,holiday,National Day"]}),
            "replaceRideFunding" => {
                json!({"steps": [{"source": "member"}, {"source": "institution", "cap_minor": 5_000}]})
            }
            "replaceRideDecider" => json!({"url": "http://127.0.0.1:9/rides", "otherwise": "own_policy"}),
            "ruleOnTravelApplication" => json!({"ruling": "refuse", "reason": "A fair"}),
            "applyForTravel" => {
                let mut asked = new_application(&self.ids["travel_type"]);
                asked["cost_centre"] = "KST-7".into();
                asked
            }
            "switchInstitutionPayment" => json!({"institution_payment": "on"}),
            "giveRideConsent" => json!({"cap": amount(2_000)}),
            "consultRide" => {
                json!({"person": person, "travel_type": "metro", "start_at": "2026-11-25T08:00:00Z", "city": "杭州"})
            }
            "payRide" => {
                let mut told = ride(person, &app.fresh_text());
                told["line"] = "1".into();
                told["start"]["stop"] = "ST-1".into();
                told
            }
            "previewBill" | "closeBill" => {
                let mut asked = new_bill(merchant);
                (asked["currency"], asked["issue"]) = (json!("CNY"), json!("at_once"));
                asked
            }
            "creditBill" => json!({"issue": "at_once"}),
            "putBillSchedule" | "putProviderBillSchedule" => {
                json!({"period": "month", "issue": "at_once", "grace_hours": 48})
            }
            "refundRide" => json!({"number": app.fresh_text(), "amount": amount(1)}),
            other => panic!("what does {other} take?"),
        })
    }

    /// [`Self::ids_for`], and what the operation can do only once made anew.
    pub async fn fresh_ids_for(&self, app: &TestApp, operation: &Operation) -> BTreeMap<&'static str, String> {
        let mut ids = self.ids_for(operation);
        match operation.name.as_str() {
            "issueInvoice" => {
                let code = app.show_user_code(&self.person.token, "inventory").await;
                let paid = app
                    .paid(&self.merchant.cashier_key, &code.digits, 1, &app.fresh_text())
                    .await;
                ids.insert("payment", text(&paid, "/payment/id").to_owned());
                self.choose(app).await;
            }
            "creditBill" => self.refund_billed(app).await,
            "deleteRideFeed" => {
                ids.insert("feed", feed(app, &self.merchant).await);
            }
            "getRideDecider" | "deleteRideDecider" | "renewRideDeciderSecret" | "testRideDecider" => {
                let path = format!("/v1/institutions/{}/ride-decider", ids["institution"]);
                let body = json!({"url": "http://127.0.0.1:9/rides"});
                let put = app.put(&path).bearer(&self.administrator.token).json(&body);
                put.send().await.expect(200);
            }
            "ruleOnTravelApplication" => {
                let made = application(app, &self.person.token, &ids["travel_type"]).await;
                ids.insert("application", made);
            }
            _ => {}
        }
        ids
    }

    /// A refund of a ride in the bill that waits to be credited.
    async fn refund_billed(&self, app: &TestApp) {
        let path = format!(
            "/v1/institutions/{}/bills/{}/rides",
            self.ids["institution"], self.ids["bill"]
        );
        let rides = app.get(&path).bearer(&self.administrator.token).send().await.ok(200);
        let ride = text(&items(&rides)[0], "/ride/id");
        let path = format!("/v1/merchants/{}/rides/{ride}/refunds", self.ids["merchant"]);
        let refund = json!({"number": app.fresh_text(), "amount": {"amount_minor": 1, "currency": "CNY"}});
        let refunded = app.post(&path).bearer(&self.merchant.key).json(&refund).send().await;
        assert!(refunded.status.is_success(), "{}", refunded.text());
    }

    /// Answers the questions that wait for the person.
    async fn choose(&self, app: &TestApp) {
        let token = &self.person.token;
        let path = "/v1/people/me/choices";
        for question in items(&app.get(path).bearer(token).send().await.ok(200)) {
            let path = format!("{path}/{}", text(question, "/id"));
            let chosen = json!({"profile": self.ids["profile"]});
            app.post(&path).bearer(token).json(&chosen).send().await.expect(200);
        }
    }

    fn member_id(&self) -> onescan_domain::ids::MemberId {
        self.ids["member"].parse().unwrap()
    }

    /// The operation by `credential`, with these ids and this body.
    pub fn call(
        &self,
        app: &TestApp,
        operation: &Operation,
        credential: &str,
        ids: &BTreeMap<&'static str, String>,
        body: Option<&Value>,
    ) -> Call {
        let mut path = operation.path_with(ids);
        match operation.name.as_str() {
            "findPaymentByOrder" => path.push_str("?order_number=inventory"),
            "findPerson" => path.push_str("?login=li.lei"),
            _ => {}
        }
        let mut call = app.call(operation.method.clone(), &path).bearer(credential);
        call = call.idempotency_key(&app.fresh_text());
        match (operation.media_type(), body) {
            (Some(kind), Some(_)) if operation.name == "importRideFeed" => call.body(kind, gates::archive()),
            (Some(kind @ ("text/csv" | "application/octet-stream")), Some(Value::String(file))) => {
                call.body(kind, file.as_str())
            }
            (Some(_), Some(body)) => call.json(body),
            (Some(_) | None, _) => call,
        }
    }
}

/// An invoice of the person that was issued here, and one of its deliveries.
async fn issued(app: &TestApp, cast: &Cast) -> (String, String) {
    app.enter_setup(&cast.merchant, &german_setup("on_request")).await;
    let payment = app.paid_order(cast, 700, "inventory-invoice").await;
    let applied = app.apply(cast, &payment, &json!({})).await;
    app.work_on_invoices().await;
    let invoice = text(&applied, "/id").to_owned();
    let path = format!("/v1/invoices/{invoice}/deliveries");
    let deliveries = app.get(&path).bearer(&cast.person.token).send().await.ok(200);
    let delivery = text(&items(&deliveries)[0], "/id").to_owned();
    (invoice, delivery)
}

/// The id of a new feed; the provider's first one is in use, others are not.
async fn feed(app: &TestApp, provider: &MerchantCast) -> String {
    let feeds = &app.services.journeys.feeds;
    let archive = gates::archive_of(&app.fresh_text());
    let feed = feeds.import(provider.merchant.id, "feed", archive).await;
    feed.unwrap().unwrap().id.to_string()
}

/// The person as a member who travels: a travel type that needs approval, a form that waits for it, a ride that was told.
async fn rides(app: &TestApp, cast: &Cast) -> [(&'static str, String); 3] {
    let institution = format!("/v1/institutions/{}", cast.institution.institution.id);
    let administrator = &cast.administrator.token;
    let add = async |path: &str, body: Value| {
        let made = app.post(path).bearer(administrator).json(&body).send().await.ok(201);
        text(&made, "/id").to_owned()
    };
    let member = json!({"login": cast.person.person.login, "name": "A member", "employee_number": "E-99"});
    add(&format!("{institution}/members"), member).await;
    let kind = add(&format!("{institution}/travel-types"), travel_type("metro")).await;
    let waiting = application(app, &cast.person.token, &kind).await;
    let told = ride(&cast.person.person.id.to_string(), "inventory-ride");
    let path = format!("/v1/merchants/{}/rides", cast.merchant.merchant.id);
    let told = app
        .post(&path)
        .bearer(&cast.merchant.key)
        .json(&told)
        .send()
        .await
        .ok(201);
    [
        ("travel_type", kind),
        ("application", waiting),
        ("ride", text(&told, "/id").to_owned()),
    ]
}

/// A bill of one ride that the institution paid, with its invoice.
async fn bill(app: &TestApp, cast: &Cast) -> String {
    let institution = format!("/v1/institutions/{}", cast.institution.institution.id);
    let administrator = &cast.administrator.token;
    let kind = json!({"code": "bus", "name": "Bus"});
    let path = format!("{institution}/travel-types");
    let kind = app.post(&path).bearer(administrator).json(&kind).send().await.ok(201);
    let mut form = new_application(text(&kind, "/id"));
    form.as_object_mut().unwrap().remove("fields");
    let path = "/v1/people/me/travel-applications";
    let applied = app.post(path).bearer(&cast.person.token).json(&form).send().await;
    applied.expect(201);
    let mut told = ride(&cast.person.person.id.to_string(), "inventory-billed");
    told["extension"]["travel_type"] = "bus".into();
    told["start"]["at"] = "2026-11-21T08:00:00Z".into();
    told["end"]["at"] = "2026-11-21T08:20:00Z".into();
    let path = format!("/v1/merchants/{}/rides", cast.merchant.merchant.id);
    app.post(&path)
        .bearer(&cast.merchant.key)
        .json(&told)
        .send()
        .await
        .expect(201);
    let new = NewProfile {
        fields: ProfileFields {
            tax_number: Some("91330106MA2CFLDG4R".to_owned()),
            channel: DeliveryChannel::Email("invoices@technology.example".to_owned()),
            ..ProfileFields::new(TitleKind::Company, "Example Technology")
        },
        scenarios: Vec::new(),
        preferred: true,
    };
    let record = &cast.institution.record;
    let profiles = &app.services.profiles;
    profiles.create(record.bucket, &record.id, new).await.unwrap();
    let path = format!("{institution}/bills");
    let asked = new_bill(&cast.merchant.merchant.id.to_string());
    let made = app.post(&path).bearer(administrator).json(&asked).send().await.ok(202);
    while app.services.bills.work().await.unwrap() > 0 {}
    let schedule = json!({"period": "month"});
    let provider = format!("bill-schedules/{}", cast.merchant.merchant.id);
    for path in ["bill-schedule", &provider] {
        let path = format!("{institution}/{path}");
        let put = app.put(&path).bearer(administrator).json(&schedule).send().await;
        put.expect(200);
    }
    text(&made, "/id").to_owned()
}

fn new_bill(provider: &str) -> Value {
    json!({"provider": provider, "period": "day", "on": "2026-11-21"})
}

fn travel_type(code: &str) -> Value {
    json!({"code": code, "name": "Metro", "approval": {"by": "administrators", "automatic": {"rides_max": 1, "cities": ["上海"]}},
        "form": [{"name": "customer", "label": "Customer", "kind": "choice", "choices": ["ACME"]}]})
}

/// The id of a new form, which waits for approval.
async fn application(app: &TestApp, token: &str, kind: &str) -> String {
    let path = "/v1/people/me/travel-applications";
    let made = app
        .post(path)
        .bearer(token)
        .json(&new_application(kind))
        .send()
        .await
        .ok(201);
    text(&made, "/id").to_owned()
}

fn new_application(kind: &str) -> Value {
    json!({"travel_type": kind, "purpose": "Trade fair", "cities": ["杭州"], "rides": 2, "fields": {"customer": "ACME"},
        "valid_from": "2026-11-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"})
}

fn ride(person: &str, number: &str) -> Value {
    json!({"number": number, "person": person, "amount": {"amount_minor": 1_000, "currency": "CNY"},
        "start": {"at": "2026-11-25T08:00:00Z", "place": "West Lake", "city": "杭州"},
        "end": {"at": "2026-11-25T08:20:00Z", "place": "East Station"}, "extension": {"travel_type": "metro"}})
}

fn fresh_key(app: &TestApp) -> String {
    let key = SigningKey::ed25519(&app.services.env.bytes());
    URL_SAFE_NO_PAD.encode(key.public().bytes())
}

fn ride_device(app: &TestApp) -> Value {
    json!({"name": "Phone", "algorithm": "ed25519", "public_key": fresh_key(app)})
}

fn gate_journal(app: &TestApp) -> Value {
    json!({"algorithm": "ed25519", "public_key": fresh_key(app)})
}

/// The id in front of a key's secret.
pub fn key_id(key: &str) -> String {
    key.split('.').next().unwrap().to_owned()
}

/// An id of the same form that names nothing.
pub fn invented(id: &str) -> String {
    match id.split_once('_') {
        Some((prefix, letters)) if letters.len() == 26 => format!("{prefix}_01kb6x2x8s0g00000000000000"),
        Some((prefix, letters)) => format!("{prefix}_{}", "0".repeat(letters.len())),
        None => id.to_owned(),
    }
}

/// The problem without what differs from request to request.
pub fn comparable(answer: &Answer) -> (u16, Value) {
    let is_json = answer.header("content-type").is_some_and(|kind| kind.contains("json"));
    let mut body = match is_json {
        true => answer.json(),
        false => Value::Null,
    };
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
    }
    (answer.status.as_u16(), body)
}

impl TestApp {
    /// Sixteen letters that nothing is called yet.
    pub fn fresh_text(&self) -> String {
        onescan_platforms::env::hex(&self.services.env.bytes::<8>())
    }

    /// Another company, of whom the first one's things are none of their business.
    pub async fn strangers(&self) -> Cast {
        let person = self.person("stranger").await;
        self.top_up(person.person.account, 100_000).await;
        let institution = self.institution("Strangers").await;
        self.top_up(institution.institution.account, 100_000).await;
        let meals = self.scenario(&institution.record, "Meals", "", "").await;
        let administrator = self
            .member(&institution, "stranger.boss", MemberRole::Administrator)
            .await;
        let member = self.member(&institution, "stranger.member", MemberRole::Employee).await;
        let merchant = self.merchant("Strange shop", "5812").await;
        Cast {
            person,
            institution,
            meals,
            administrator,
            member,
            merchant,
        }
    }
}
