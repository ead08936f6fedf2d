//! Every operation of the API's description with what it takes: ids of things that are there, a body that is right, and the
//! credential of somebody who may.

use std::collections::BTreeMap;

use axum::http::Method;
use onescan_domain::ids::ScenarioId;
use onescan_domain::institutions::MemberRole;
use serde_json::{Value, json};

use super::builders::{InstitutionCast, MemberCast, MerchantCast, PersonCast};
use super::http::{Answer, Call};
use super::shown::{items, text};
use super::{Cast, TestApp};

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
            | "/v1/people"
            | "/v1/people/{person}/top-ups"
            | "/v1/institutions/{institution}/accounts/top-ups" => Owner::Operator,
            _ if starts("/v1/institutions/") => Owner::Administrator,
            "/v1/terminals/current" | "/v1/scans" => Owner::Cashier,
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
        for title in ["One", "Two"] {
            app.profile(&person.record, title, &[]).await;
        }
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
        let ids = BTreeMap::from([
            ("account", person.person.account.to_string()),
            ("choice", first(list("/v1/people/me/choices").await)),
            ("consent", first(list("/v1/people/me/consents").await)),
            ("institution", institution.institution.id.to_string()),
            ("key", key_id(&merchant.invoice_key)),
            ("member", member.member.id.to_string()),
            ("merchant", merchant.merchant.id.to_string()),
            ("payment", text(&paid, "/payment/id").to_owned()),
            ("person", person.person.id.to_string()),
            ("problem", "limit-exceeded".to_owned()),
            ("profile", first(list("/v1/invoice-profiles").await)),
            ("record", person.record.id.as_str().to_owned()),
            ("scenario", first(list(&records).await)),
            ("service_code", code.id),
            ("terminal", merchant.invoice.id.to_string()),
        ]);
        let operator = app.operator_key().await;
        Self {
            ids,
            person,
            institution,
            meals: meals.id,
            administrator,
            merchant,
            operator,
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
            Owner::Merchant => &self.merchant.key,
            Owner::Person => &self.person.token,
        }
    }

    /// A body that is right; `None`: it takes none. Codes are fresh ones.
    pub async fn body(&self, app: &TestApp, operation: &Operation) -> Option<Value> {
        operation.media_type()?;
        let amount = |minor: i64| json!({"amount_minor": minor, "currency": "CNY"});
        let name = json!({"name": "A name"});
        let code = async || app.show_user_code(&self.person.token, "inventory").await.digits;
        let scenario = json!({"name": "Lunch", "categories": ["5811-5814"], "rules": ["amount <= 3000"]});
        let profile = json!({"title_kind": "company", "title": "Nordlicht GmbH", "tax_number": "91330106MA2CFLDG4R",
            "address": "Main street 1", "telephone": "1", "bank_name": "Bank", "bank_account": "2",
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
            "issueInvoice" => json!({"number": "2026-1"}),
            "refund" => json!({"number": app.fresh_text(), "amount": amount(1), "reason": "returned"}),
            "registerPerson" => json!({"login": app.fresh_text(), "name": "Somebody", "currency": "CNY",
                "password": "correct horse battery", "email": "a@example.org", "time_zone": "UTC",
                "language": "en", "identity": {"kind": "credential", "number": app.fresh_text()}}),
            "changeMe" => json!({"name": "Somebody", "email": "a@example.org", "time_zone": "Asia/Shanghai"}),
            "choose" => json!({"profile": self.ids["profile"]}),
            "scan" => json!({"code": code().await, "amount": amount(1)}),
            "createServiceCode" => json!({"kind": "user", "device": "phone", "location": "here"}),
            "signIn" => json!({"login": self.person.person.login, "password": super::builders::PASSWORD}),
            other => panic!("what does {other} take?"),
        })
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
            (Some("text/csv"), Some(Value::String(file))) => call.body("text/csv", file.as_str()),
            (Some(_), Some(body)) => call.json(body),
            (Some(_) | None, _) => call,
        }
    }
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
    let mut body = match answer.body.is_empty() {
        true => Value::Null,
        false => answer.json(),
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
