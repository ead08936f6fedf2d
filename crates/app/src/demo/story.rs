//! One purchase, told over HTTP in the terminal: every step says what is sent and what is answered, and is checked.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use hyper::Method;
use serde_json::{Value, json};

use super::sheet::{Sheet, SheetRole};
use crate::http_client::{Ask, Client, Told};

/// Who plays: the employee of an institution, and a person with two invoice profiles of their own.
const EMPLOYEE: &str = "jonas.weber";
const COMPANY: &str = "Nordlicht Beispiel GmbH";
const STATION: &str = "Nordbahn Tickets";
const PERSON: &str = "li.lei";
const CANTEEN: &str = "小巷食堂";

/// Plays the story against the server at `address`; returns whether every step was as told.
pub async fn play(address: SocketAddr, sheet: &Sheet) -> Result<bool> {
    let client = Client::connect(address).await?;
    let mut teller = Teller {
        client,
        sheet,
        run: address.port(),
        steps: 0,
        wrong: 0,
    };
    println!("One scan pays and hands over the invoice details, played at http://{address}\n");
    let sale = teller.employee_pays().await?;
    teller.invoice_desk(&sale).await?;
    teller.too_much(&sale).await?;
    teller.money_back(&sale).await?;
    teller.own_code().await?;
    match teller.wrong {
        0 => println!("All {} steps were as told.", teller.steps),
        wrong => println!("{wrong} things in {} steps were NOT as told.", teller.steps),
    }
    Ok(teller.wrong == 0)
}

struct Teller<'s> {
    client: Client,
    sheet: &'s Sheet,
    /// Makes order numbers of several plays on one demo differ.
    run: u16,
    steps: usize,
    wrong: usize,
}

/// The first purchase, as later steps need it.
struct Sale {
    employee: String,
    institution: String,
    digits: String,
    payment: String,
}

impl Teller<'_> {
    async fn employee_pays(&mut self) -> Result<Sale> {
        self.step("Jonas Weber, an employee, signs in on his phone");
        let employee = self.sign_in(EMPLOYEE).await?;
        let institution = self.program(COMPANY)?;

        self.step("He opens the code page: his access alone gets a code of his institution");
        let digits = self
            .code(
                &employee,
                json!({"kind": "institution", "institution": institution, "device": "phone"}),
            )
            .await?;

        self.step(
            "The till at the station scans it: good, and 34.90 is within what his institution permits for travel",
        );
        let till = self.till(STATION, SheetRole::Cashier)?;
        let amount = json!({"amount_minor": 3_490, "currency": "EUR"});
        let scan = self
            .post(&till, "/v1/scans", json!({"code": digits, "amount": amount}), 200)
            .await?;
        self.check("the scenario is Travel", scan.body["scenario"]["name"] == "Travel");
        self.check("the verdict is permitted", scan.body["verdict"] == "permitted");

        self.step("It takes the payment; one answer brings the result and the buyer's details for the invoice");
        let order = format!("STORY-{}-1", self.run);
        let sale = json!({"code": digits, "amount": amount, "order_number": order, "subject": "Day ticket"});
        let paid = self.post(&till, "/v1/payments", sale.clone(), 201).await?;
        self.check("it is paid", paid.body["payment"]["state"] == "paid");
        self.check(
            "the invoice goes to the company",
            paid.body["profile"]["profile"]["title"] == COMPANY,
        );
        let payment = text(&paid, &["payment", "id"])?;

        self.step("The answer was lost? The till sends the same again and gets the same, and nothing is paid twice");
        let again = self.post(&till, "/v1/payments", sale, 201).await?;
        self.check(
            "it is the same payment",
            again.body["payment"]["id"] == payment.as_str(),
        );

        self.step("Somebody photographed the code and tries it for another sale");
        let theft = json!({"code": digits, "amount": amount, "order_number": format!("{order}-x")});
        let refused = self.post(&till, "/v1/payments", theft, 409).await?;
        self.check("one code is one payment", refused.body["code"] == "code-used");
        Ok(Sale {
            employee,
            institution,
            digits,
            payment,
        })
    }

    async fn invoice_desk(&mut self, sale: &Sale) -> Result<()> {
        self.step("The second scan: the invoice desk reads the same code and gets the details");
        let desk = self.till(STATION, SheetRole::Invoice)?;
        let scan = self
            .post(&desk, "/v1/invoice-scans", json!({"code": sale.digits}), 200)
            .await?;
        self.check("the code is paid", scan.body["status"] == "paid");
        self.check(
            "the details are the company's",
            scan.body["profile"]["profile"]["title"] == COMPANY,
        );

        self.step("Scanned once more, it says that the invoice is issued");
        let scan = self
            .post(&desk, "/v1/invoice-scans", json!({"code": sale.digits}), 200)
            .await?;
        self.check("the invoice is issued", scan.body["status"] == "invoice_issued");
        Ok(())
    }

    async fn too_much(&mut self, sale: &Sale) -> Result<()> {
        self.step("Another code for a ticket of 250.00, more than the 200.00 his institution permits");
        let wanted = json!({"kind": "institution", "institution": sale.institution, "device": "phone"});
        let digits = self.code(&sale.employee, wanted).await?;
        let till = self.till(STATION, SheetRole::Cashier)?;
        let sale = json!({
            "code": digits,
            "amount": {"amount_minor": 25_000, "currency": "EUR"},
            "order_number": format!("STORY-{}-2", self.run),
        });
        let refused = self.post(&till, "/v1/payments", sale, 422).await?;
        self.check("the limit is named", refused.body["code"] == "limit-exceeded");
        self.check(
            "with the dimension",
            refused.body["reasons"][0]["dimension"] == "amount",
        );
        Ok(())
    }

    async fn money_back(&mut self, sale: &Sale) -> Result<()> {
        self.step("The train is late: 10.00 goes back to the institution's account");
        let till = self.till(STATION, SheetRole::Cashier)?;
        let refund = json!({"number": "R-1", "amount": {"amount_minor": 1_000, "currency": "EUR"}, "reason": "late"});
        let path = format!("/v1/payments/{}/refunds", sale.payment);
        let refunded = self.post(&till, &path, refund, 201).await?;
        self.check("10.00 is refunded", refunded.body["payment"]["refunded_minor"] == 1_000);
        Ok(())
    }

    async fn own_code(&mut self) -> Result<()> {
        self.step("李雷 pays for lunch with his own money; two of his invoice profiles fit, so he is asked");
        let person = self.sign_in(PERSON).await?;
        let digits = self.code(&person, json!({"kind": "user", "device": "phone"})).await?;
        let till = self.till(CANTEEN, SheetRole::Cashier)?;
        let sale = json!({
            "code": digits,
            "amount": {"amount_minor": 2_600, "currency": "CNY"},
            "order_number": format!("STORY-{}-3", self.run),
        });
        let paid = self.post(&till, "/v1/payments", sale, 201).await?;
        self.check("he is being asked", paid.body["profile"]["status"] == "asking");

        self.step("He chooses on his own page");
        let asked = self.get(&person, "/v1/people/me/choices", 200).await?;
        let choice = &asked.body["items"][0];
        let candidate = &choice["candidates"][1];
        let (choice, title) = (choice["id"].clone(), candidate["title"].clone());
        let path = format!(
            "/v1/people/me/choices/{}",
            choice.as_str().context("the question has an id")?
        );
        self.post(&person, &path, json!({"profile": candidate["profile"]}), 200)
            .await?;

        self.step("The till fetches the details quietly");
        let payment = text(&paid, &["payment", "id"])?;
        let profile = self
            .get(&till, &format!("/v1/payments/{payment}/invoice-profile"), 200)
            .await?;
        self.check(
            "they are the chosen ones",
            profile.body["profile"]["title"] == title && title.is_string(),
        );
        Ok(())
    }

    async fn sign_in(&mut self, login: &str) -> Result<String> {
        let person = self.sheet.people.iter().find(|person| person.login == login);
        let person = person.with_context(|| format!("the demo has no {login}"))?;
        let credentials = json!({"login": login, "password": person.password});
        let told = self
            .ask(Method::POST, None, "/v1/sessions", Some(credentials), 201)
            .await?;
        text(&told, &["token"])
    }

    async fn code(&mut self, token: &str, wanted: Value) -> Result<String> {
        let told = self.post(token, "/v1/service-codes", wanted, 201).await?;
        text(&told, &["digits"])
    }

    fn till(&self, merchant: &str, role: SheetRole) -> Result<String> {
        let found = self
            .sheet
            .tills
            .iter()
            .find(|till| till.merchant == merchant && till.role == role);
        Ok(found
            .with_context(|| format!("the demo has no till of {merchant}"))?
            .key
            .clone())
    }

    fn program(&self, name: &str) -> Result<String> {
        let found = self.sheet.programs.iter().find(|program| program.name == name);
        Ok(found.with_context(|| format!("the demo has no {name}"))?.id.clone())
    }

    fn step(&mut self, title: &str) {
        self.steps += 1;
        println!("{:>2}. {title}", self.steps);
    }

    fn check(&mut self, what: &str, holds: bool) {
        if holds {
            println!("    ✓ {what}");
        } else {
            self.wrong += 1;
            println!("    ✗ NOT SO: {what}");
        }
    }

    async fn post(&mut self, bearer: &str, path: &str, body: Value, status: u16) -> Result<Told> {
        self.ask(Method::POST, Some(bearer), path, Some(body), status).await
    }

    async fn get(&mut self, bearer: &str, path: &str, status: u16) -> Result<Told> {
        self.ask(Method::GET, Some(bearer), path, None, status).await
    }

    /// Asks, prints both sides, and checks the status. The idempotency key is the order's or refund's number.
    async fn ask(
        &mut self,
        method: Method,
        bearer: Option<&str>,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Told> {
        let number = body
            .as_ref()
            .and_then(|body| body["order_number"].as_str().or(body["number"].as_str()));
        let ask = Ask {
            method: method.clone(),
            path: path.to_owned(),
            bearer: bearer.map(str::to_owned),
            idempotency_key: number.map(|number| format!("{}-{number}", self.run)),
            body,
        };
        let sent = ask
            .body
            .as_ref()
            .map_or(String::new(), |body| format!(" {}", shortened(body)));
        println!("    → {method} {path}{sent}");
        let told = self.client.ask(&ask).await?;
        println!("    ← {} {}", told.status, shortened(&told.body));
        if told.status != status {
            self.check(&format!("the answer is {status}"), false);
        }
        Ok(told)
    }
}

fn text(told: &Told, path: &[&str]) -> Result<String> {
    let value = path.iter().fold(&told.body, |value, name| &value[*name]);
    let text = value.as_str();
    Ok(text
        .with_context(|| format!("the answer {} has no {}", told.body, path.join(".")))?
        .to_owned())
}

/// Columns of one side of a step.
const SHOWN_MAX: usize = 400;

/// Of a payment, what the story is about; a program reads the rest.
const PAYMENT_SHOWN: &[&str] = &["id", "state", "amount", "refunded_minor"];

/// For reading: without secrets, and not too long.
fn shortened(body: &Value) -> String {
    let mut body = body.clone();
    for name in ["password", "token"] {
        if let Some(value) = body.get_mut(name) {
            *value = json!("…");
        }
    }
    if let Some(payment) = body.get_mut("payment").and_then(Value::as_object_mut) {
        payment.retain(|name, _| PAYMENT_SHOWN.contains(&name.as_str()));
    }
    let text = body.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
