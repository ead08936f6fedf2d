//! People who register and show codes over HTTP, and a request that must change nothing.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::TestApp;
use super::builders::{MemberCast, PASSWORD};
use super::http::{Answer, Call};

/// The text behind a pointer such as `/record/id`, which must be there.
#[track_caller]
pub fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {pointer}: {value}"))
}

/// The list behind `items`.
#[track_caller]
pub fn items(list: &Value) -> &Vec<Value> {
    list["items"].as_array().unwrap_or_else(|| panic!("no items: {list}"))
}

/// A code as it was shown.
#[derive(Debug, Clone)]
pub struct Shown {
    pub id: String,
    pub digits: String,
    pub whole: Value,
}

impl Shown {
    #[track_caller]
    pub fn of(whole: Value) -> Self {
        let (id, digits) = (text(&whole, "/id").to_owned(), text(&whole, "/digits").to_owned());
        Self { id, digits, whole }
    }
}

impl TestApp {
    /// Registers somebody and signs them in; the token. `person`: all but password and currency.
    pub async fn register_over_http(&self, mut person: Value) -> String {
        person["password"] = PASSWORD.into();
        person["currency"] = "CNY".into();
        let login = text(&person, "/login").to_owned();
        self.post("/v1/people").json(&person).send().await.expect(201);
        let asked = json!({"login": login, "password": PASSWORD});
        let signed_in = self.post("/v1/sessions").json(&asked).send().await.ok(201);
        text(&signed_in, "/token").to_owned()
    }

    /// A user code of whoever `token` stands for.
    pub async fn show_user_code(&self, token: &str, device: &str) -> Shown {
        let asked = json!({"kind": "user", "device": device});
        Shown::of(
            self.post("/v1/service-codes")
                .bearer(token)
                .json(&asked)
                .send()
                .await
                .ok(201),
        )
    }

    /// A code of the member's institution.
    pub async fn show_institution_code(&self, member: &MemberCast, device: &str) -> Shown {
        Shown::of(self.ask_institution_code(member, device).await.ok(201))
    }

    pub async fn ask_institution_code(&self, member: &MemberCast, device: &str) -> Answer {
        let institution = member.member.institution.to_string();
        let asked = json!({"kind": "institution", "institution": institution, "device": device});
        self.post("/v1/service-codes")
            .bearer(&member.token)
            .json(&asked)
            .send()
            .await
    }

    /// Pays, which must go well.
    pub async fn paid(&self, key: &str, digits: &str, minor: i64, order: &str) -> Value {
        self.paying(key, digits, minor, order).send().await.ok(201)
    }

    /// What an account holds, as `token` may see it.
    pub async fn posted(&self, token: &str, account: impl ToString) -> i64 {
        let path = format!("/v1/accounts/{}", account.to_string());
        let view = self.get(&path).bearer(token).send().await.ok(200);
        view["posted_minor"].as_i64().unwrap()
    }

    /// Sends `call`, and fails where it changed a row of any table or broke an invariant.
    pub async fn changes_nothing(&self, call: Call) -> Answer {
        let before = self.row_counts().await;
        let answer = call.send().await;
        assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.text());
        assert_eq!(self.row_counts().await, before, "{}", answer.text());
        assert_eq!(self.breaches().await, Vec::<String>::new(), "{}", answer.text());
        answer
    }
}
