//! Fills a fresh server over its API: a merchant with tills, people with money and code records, and an institution whose
//! members they are.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::http;
use super::load::{self, Load, Once};
use super::server::Server;
use super::work::{CODE_MARK, DEVICE_MARK, NUMBER_MARK};

/// Money is kept in this currency; every payment is one minor unit, so that balances count payments.
const CURRENCY: &str = "EUR";
/// On each person's account; the first scenario of a person allows 500,000 a day.
const PERSON_MINOR: u64 = 400_000;
const INSTITUTION_MINOR: u64 = 4_000_000_000;
const TILLS: usize = 16;
/// Within the forms' validity, whenever the bench runs.
const RIDE_FROM: &str = "2030-11-25T08:00:00Z";
const RIDE_UNTIL: &str = "2030-11-25T08:20:00Z";
const FORM_FROM: &str = "2026-01-01T00:00:00Z";
const FORM_UNTIL: &str = "2030-12-01T00:00:00Z";
const CONNECTIONS: usize = 32;
const PASSWORD: &str = "only for the bench 4711";

/// What the loads need.
#[derive(Debug)]
pub struct Prepared {
    pub operator: String,
    /// Keys of cashier terminals.
    pub tills: Vec<String>,
    /// A request per person for a code of their own; the device is filled in.
    pub code_requests: Vec<Vec<u8>>,
    /// A request per member for the institution's code.
    pub hot_code_requests: Vec<Vec<u8>>,
    /// A request per member for a ride of one minor unit that the institution pays; the number is filled in.
    pub ride_requests: Vec<Vec<u8>>,
    pub accounts: Vec<Account>,
    pub hot_account: Account,
    pub merchant: String,
    pub institution: String,
    /// The institution's code record.
    pub record: String,
    /// Ids of the people, who are its members.
    pub people: Vec<String>,
}

/// An account with the money that was put on it.
#[derive(Debug)]
pub struct Account {
    pub id: String,
    pub topped_up: u64,
}

pub fn prepare(server: &Server, people: usize) -> Result<Prepared> {
    let key = server.command(&["operator", "key"])?;
    let api = Api {
        server,
        operator: text(&key, "key")?,
    };
    let (merchant, tills) = api.make_tills()?;
    let people = api.make_people(people)?;
    let tokens = api.sign_in(people.len())?;
    api.enable(&tokens)?;
    let (institution, record, hot_account) = api.make_institution(&people)?;
    api.make_forms(&institution, &tokens)?;
    let number = format!("R{NUMBER_MARK}");
    let rides = people.iter().map(|person| {
        let body = ride(&number, &person.id, RIDE_FROM, RIDE_UNTIL);
        post(&rides_of(&merchant), &api.operator, None, &body)
    });
    let ride_requests = rides.collect();
    let own = json!({ "kind": "user", "device": DEVICE_MARK });
    let through = json!({ "kind": "institution", "institution": institution, "device": DEVICE_MARK });
    let requests = |body: &Value| {
        tokens
            .iter()
            .map(|token| post("/v1/service-codes", token, None, body))
            .collect()
    };
    let ids = people.iter().map(|person| person.id.clone()).collect();
    let accounts = people.into_iter().map(|person| Account {
        id: person.account,
        topped_up: PERSON_MINOR,
    });
    Ok(Prepared {
        tills,
        code_requests: requests(&own),
        hot_code_requests: requests(&through),
        ride_requests,
        accounts: accounts.collect(),
        hot_account,
        merchant,
        institution,
        record,
        people: ids,
        operator: api.operator,
    })
}

/// The empty handler's: ten fields, 300 bytes.
pub fn echo_request() -> Vec<u8> {
    let filler = "abcdefghijklmnopqrstuvwxyz0123456789";
    let body = json!({
        "first": filler, "second": filler, "third": filler, "fourth": filler, "fifth": filler,
        "sixth": 6, "seventh": 7_000_000, "eighth": -8, "ninth": true, "tenth": null,
    });
    http::request("POST", "/v1/echo", &[], &body.to_string())
}

/// A payment's bytes with marks for the code and the numbers.
pub fn payment(key: &str) -> Vec<u8> {
    let body = json!({
        "code": CODE_MARK, "amount": amount(1), "order_number": format!("B{NUMBER_MARK}"), "subject": "tea and a roll",
    });
    post("/v1/payments", key, Some(&format!("b-{NUMBER_MARK}")), &body)
}

/// A ride whose rules are looked at and that the person's standing form pays; one minor unit.
pub fn ride(number: &str, person: &str, from: &str, until: &str) -> Value {
    let end = |at: &str, place: &str| json!({ "at": at, "place": place, "city": "Berlin" });
    json!({
        "number": number, "person": person, "amount": amount(1),
        "start": end(from, "Harbour"), "end": end(until, "University"), "extension": { "travel_type": "metro" },
    })
}

/// Where a provider tells its rides.
pub fn rides_of(merchant: &str) -> String {
    format!("/v1/merchants/{merchant}/rides")
}

/// Asks for the payment behind an order number.
pub fn order_request(key: &str, order: usize) -> Vec<u8> {
    get(&format!("/v1/payments?order_number=B{order:012}"), key)
}

/// Whether the answer to [`order_request`] holds a payment that is paid.
pub fn is_paid(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["items"][0]["state"] == "paid"
}

/// What was spent from the accounts, in minor units.
pub fn spent<'a>(server: &Server, operator: &str, accounts: impl IntoIterator<Item = &'a Account>) -> Result<u64> {
    let accounts: Vec<&Account> = accounts.into_iter().collect();
    let requests = accounts
        .iter()
        .map(|account| get(&format!("/v1/accounts/{}", account.id), operator));
    let answers = ask(server, requests.collect())?;
    let left: i64 = answers
        .iter()
        .filter_map(|answer| answer["posted_minor"].as_i64())
        .sum();
    let topped_up: u64 = accounts.iter().map(|account| account.topped_up).sum();
    topped_up
        .checked_add_signed(-left)
        .context("the accounts hold more than was put on them")
}

struct Api<'s> {
    server: &'s Server,
    operator: String,
}

struct Person {
    id: String,
    account: String,
}

impl Api<'_> {
    /// The merchant's id, and a key of each till.
    fn make_tills(&self) -> Result<(String, Vec<String>)> {
        let new = json!({ "name": "Bench canteen", "category": "5812", "currency": CURRENCY });
        let merchant = text(&self.make("/v1/merchants", &new)?, "id")?;
        let new = json!({ "name": "Main street", "city": "Berlin" });
        let store = text(&self.make(&format!("/v1/merchants/{merchant}/stores"), &new)?, "id")?;
        let path = format!("/v1/merchants/{merchant}/terminals");
        let new =
            (0..TILLS).map(|number| json!({ "store": store, "name": format!("Till {number}"), "role": "cashier" }));
        let made = ask(
            self.server,
            new.map(|new| post(&path, &self.operator, None, &new)).collect(),
        )?;
        let keys = made.iter().map(|terminal| text(&terminal["key"], "secret"));
        Ok((merchant, keys.collect::<Result<_>>()?))
    }

    fn make_people(&self, count: usize) -> Result<Vec<Person>> {
        let new = (0..count).map(|number| {
            let new = json!({
                "login": login(number), "name": format!("Person {number}"), "password": PASSWORD,
                "currency": CURRENCY, "time_zone": "Europe/Berlin",
            });
            post("/v1/people", &self.operator, None, &new)
        });
        let made = ask(self.server, new.collect())?;
        let people = made.iter().map(|person| {
            Ok(Person {
                id: text(person, "id")?,
                account: text(person, "account")?,
            })
        });
        let people: Vec<Person> = people.collect::<Result<_>>()?;
        let money = json!({ "amount": amount(PERSON_MINOR) });
        let top_ups = people.iter().map(|person| {
            let path = format!("/v1/people/{}/top-ups", person.id);
            post(&path, &self.operator, Some(&format!("top-up-{}", person.id)), &money)
        });
        ask(self.server, top_ups.collect())?;
        Ok(people)
    }

    /// A session token per person.
    fn sign_in(&self, count: usize) -> Result<Vec<String>> {
        let sessions = (0..count).map(|number| {
            let body = json!({ "login": login(number), "password": PASSWORD });
            http::request("POST", "/v1/sessions", &[], &body.to_string())
        });
        let sessions = ask(self.server, sessions.collect())?;
        sessions.iter().map(|session| text(session, "token")).collect()
    }

    /// Code records, each with an invoice profile of the person's name.
    fn enable(&self, tokens: &[String]) -> Result<()> {
        let body = json!({ "consent_fields": ["name"] });
        let requests = tokens.iter().map(|token| post("/v1/code-records", token, None, &body));
        ask(self.server, requests.collect()).map(drop)
    }

    /// A travel type with a policy, and a standing form of each member.
    fn make_forms(&self, institution: &str, tokens: &[String]) -> Result<()> {
        let path = format!("/v1/institutions/{institution}/travel-types");
        let kind = text(&self.make(&path, &json!({ "code": "metro", "name": "Metro" }))?, "id")?;
        let rules = json!({ "rules": ["amount <= 5000", "city in Berlin", "clock in 05:00-23:30"] });
        self.make(&format!("{path}/{kind}/policies"), &rules)?;
        let form = json!({
            "travel_type": kind, "purpose": "Bench", "rides": null, "valid_from": FORM_FROM, "valid_until": FORM_UNTIL,
        });
        let requests = tokens
            .iter()
            .map(|token| post("/v1/people/me/travel-applications", token, None, &form));
        ask(self.server, requests.collect()).map(drop)
    }

    /// An institution with everybody as its member, a code record and one scenario. Returns its id, its record's and its account.
    fn make_institution(&self, people: &[Person]) -> Result<(String, String, Account)> {
        let new = json!({ "name": "Bench GmbH", "currency": CURRENCY, "time_zone": "Europe/Berlin" });
        let made = self.make("/v1/institutions", &new)?;
        let (institution, account) = (text(&made, "id")?, text(&made, "account")?);
        let path = format!("/v1/institutions/{institution}");
        let money = json!({ "amount": amount(INSTITUTION_MINOR) });
        let key = Some("top-up-institution");
        ask(
            self.server,
            vec![post(&format!("{path}/accounts/top-ups"), &self.operator, key, &money)],
        )?;
        let record = self.make(
            &format!("{path}/code-record"),
            &json!({ "members": "through_institution" }),
        )?;
        let scenario =
            json!({ "name": "Meals", "categories": ["5812"], "rules": ["amount <= 100000", "amount_day <= 500000"] });
        self.make(&format!("{path}/scenarios"), &scenario)?;
        let members = people.iter().enumerate().map(|(number, person)| {
            let new = json!({ "person": person.id, "name": format!("Member {number}") });
            post(&format!("{path}/members"), &self.operator, None, &new)
        });
        ask(self.server, members.collect())?;
        let account = Account {
            id: account,
            topped_up: INSTITUTION_MINOR,
        };
        Ok((institution, text(&record["record"], "id")?, account))
    }

    fn make(&self, path: &str, new: &Value) -> Result<Value> {
        let answers = ask(self.server, vec![post(path, &self.operator, None, new)])?;
        answers.into_iter().next().context("one question has one answer")
    }
}

fn login(number: usize) -> String {
    format!("bench-{number}")
}

fn amount(minor: u64) -> Value {
    json!({ "amount_minor": minor, "currency": CURRENCY })
}

pub fn post(path: &str, token: &str, idempotency_key: Option<&str>, body: &Value) -> Vec<u8> {
    let mut headers = vec![format!("authorization: Bearer {token}")];
    headers.extend(idempotency_key.map(|key| format!("idempotency-key: {key}")));
    http::request("POST", path, &headers, &body.to_string())
}

pub fn get(path: &str, token: &str) -> Vec<u8> {
    http::request("GET", path, &[format!("authorization: Bearer {token}")], "")
}

/// Asks all of them and reads the answers, in the order of the questions; one refusal fails them all.
pub fn ask(server: &Server, requests: Vec<Vec<u8>>) -> Result<Vec<Value>> {
    let mut once = Once::new(requests);
    let outcome = load::drive(server.address, &Load::until_done(CONNECTIONS), &mut once)?;
    if !outcome.is_clean() {
        bail!(
            "{} requests were lost; refused: {}",
            outcome.lost,
            outcome.refusal.unwrap_or_default()
        );
    }
    let answers = once.answers.into_iter().flatten();
    answers.map(|(_, body)| Ok(serde_json::from_slice(&body)?)).collect()
}

pub fn text(value: &Value, field: &str) -> Result<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.with_context(|| format!("no text `{field}` in {value}"))
}
