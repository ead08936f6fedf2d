//! What people, tills and invoice terminals send over HTTP, for the tests of rows S10 to S19 and of the ledger.

use onescan_domain::codes::CodeText;
use onescan_domain::ids::InstitutionId;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::builders::{MemberCast, PersonCast};
use crate::support::http::{Answer, Call};
use crate::support::shown::text;

/// An amount in CNY, as it stands in a body.
pub fn cny(minor: i64) -> Value {
    json!({"amount_minor": minor, "currency": "CNY"})
}

/// Well-formed digits that nobody was ever shown. Another `number`, other digits.
pub fn unknown_digits(number: u64) -> String {
    CodeText::from_parts(28, 400_000_000_000_000 + number)
        .as_str()
        .to_owned()
}

impl TestApp {
    /// The digits of a person's own code, on their phone.
    pub async fn own_digits(&self, person: &PersonCast) -> String {
        self.digits_on(&person.token, None, "phone").await
    }

    /// The digits of an institution's code, on the member's phone.
    pub async fn member_digits(&self, member: &MemberCast) -> String {
        self.digits_on(&member.token, Some(member.member.institution), "phone")
            .await
    }

    /// Codes of one device follow each other: who needs many at once names many devices.
    pub async fn digits_on(&self, token: &str, institution: Option<InstitutionId>, device: &str) -> String {
        let body = match institution {
            Some(institution) => {
                json!({"kind": "institution", "institution": institution.to_string(), "device": device})
            }
            None => json!({"kind": "user", "device": device}),
        };
        let code = self
            .post("/v1/service-codes")
            .bearer(token)
            .json(&body)
            .send()
            .await
            .ok(201);
        code["digits"].as_str().unwrap().to_owned()
    }

    /// A till looks at a code; `minor`: with an amount.
    pub async fn scan(&self, till: &str, digits: &str, minor: Option<i64>) -> Answer {
        let mut body = json!({"code": digits});
        if let Some(minor) = minor {
            body["amount"] = cny(minor);
        }
        self.post("/v1/scans").bearer(till).json(&body).send().await
    }

    /// A payment that is not sent yet. `order` is its idempotency key too.
    pub fn paying(&self, till: &str, digits: &str, minor: i64, order: &str) -> Call {
        let body = json!({"code": digits, "amount": cny(minor), "order_number": order});
        self.paying_with(till, &body, order)
    }

    pub fn paying_with(&self, till: &str, body: &Value, key: &str) -> Call {
        self.post("/v1/payments").bearer(till).idempotency_key(key).json(body)
    }

    /// A till is paid with a code. `order` is the idempotency key too.
    pub async fn charge(&self, till: &str, digits: &str, minor: i64, order: &str) -> Answer {
        self.paying(till, digits, minor, order).send().await
    }

    /// A till has the money held.
    pub async fn hold(&self, till: &str, digits: &str, minor: i64, order: &str) -> Answer {
        let body = json!({"code": digits, "amount": cny(minor), "order_number": order, "capture": "later"});
        self.paying_with(till, &body, order).send().await
    }

    /// An invoice terminal scans a code again.
    pub async fn second_scan(&self, terminal: &str, digits: &str) -> Answer {
        let body = json!({"code": digits});
        self.post("/v1/invoice-scans").bearer(terminal).json(&body).send().await
    }

    /// An invoice terminal asserts that a code's sale was paid in cash.
    pub async fn assert_paid(&self, terminal: &str, digits: &str, minor: i64, key: &str) -> Answer {
        let body = json!({"code": digits, "amount": cny(minor), "means": "cash", "reference": "drawer 2"});
        let call = self
            .post("/v1/invoice-scans/paid")
            .bearer(terminal)
            .idempotency_key(key);
        call.json(&body).send().await
    }

    /// `what` is `refunds`, `reversals`, `captures` or `voids`; `body` null: none.
    pub async fn change(&self, seller: &str, payment: &str, what: &str, key: &str, body: &Value) -> Answer {
        let path = format!("/v1/payments/{payment}/{what}");
        let call = self.post(&path).bearer(seller).idempotency_key(key);
        match body.is_null() {
            true => call.send().await,
            false => call.json(body).send().await,
        }
    }

    pub async fn refund(&self, seller: &str, payment: &str, number: &str, minor: i64) -> Answer {
        let body = json!({"number": number, "amount": cny(minor)});
        self.change(seller, payment, "refunds", number, &body).await
    }

    /// The buyer's details, fetched quietly.
    pub async fn fetch_profile(&self, terminal: &str, payment: &str) -> Answer {
        let path = format!("/v1/payments/{payment}/invoice-profile");
        self.get(&path).bearer(terminal).send().await
    }

    pub async fn see_payment(&self, token: &str, payment: &str) -> Answer {
        self.get(&format!("/v1/payments/{payment}")).bearer(token).send().await
    }

    /// A person's own payments, newest first.
    pub async fn history(&self, token: &str) -> Vec<Value> {
        self.list_of(token, "/v1/people/me/payments").await
    }

    /// The questions a person can still answer.
    pub async fn questions(&self, token: &str) -> Vec<Value> {
        self.list_of(token, "/v1/people/me/choices").await
    }

    pub async fn list_of(&self, token: &str, path: &str) -> Vec<Value> {
        let list = self.get(path).bearer(token).send().await.ok(200);
        list["items"].as_array().unwrap().clone()
    }

    /// Where a person's code stands: `unpaid`, `spent`, `paid`, `invoice_issued`.
    pub async fn code_status(&self, token: &str, code: &str) -> String {
        let path = format!("/v1/service-codes/{code}");
        let status = self.get(&path).bearer(token).send().await.ok(200);
        text(&status, "/status").to_owned()
    }
}

/// The payment's id in the answer to a payment, a second scan or a refund.
#[track_caller]
pub fn payment_id(answer: &Value) -> String {
    text(answer, "/payment/id").to_owned()
}
