//! A bill of 100,000 rides (row R09): closed, invoiced, and read by its institution, by a server that was just started on the
//! data. Issue 4.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::http;
use super::machine::{self, now};
use super::prepare::{self, Prepared};
use super::report::Engine;
use super::server::{Server, pause};

pub const RIDES: usize = 100_000;
/// Enough to see that everything works.
pub const RIDES_QUICK: usize = 3_000;
const TOLD_AT_ONCE: usize = 5_000;

/// What one bill took.
#[derive(Debug, Clone)]
pub struct Billed {
    pub engine: Engine,
    pub rides: usize,
    /// From the request until all rides are gathered.
    pub closed_s: f64,
    /// From the request until every form of the document is written.
    pub issued_s: f64,
    /// The list as CSV, asked for afterwards.
    pub listed_s: f64,
    /// The most memory the server ever had.
    pub peak_mb: f64,
    /// Name and bytes of the files.
    pub files: Vec<(&'static str, usize)>,
}

/// Tells the rides, starts the server anew, and has them billed.
pub fn measure(engine: Engine, server: &mut Server, prepared: &Prepared, rides: usize) -> Result<Billed> {
    enter_sides(server, prepared)?;
    tell(server, prepared, rides)?;
    server.restart()?;
    let bills = format!("/v1/institutions/{}/bills", prepared.institution);
    let asked = json!({
        "provider": prepared.merchant, "period": "own", "first_on": "2026-02-01", "until_on": "2026-03-01",
        "currency": "EUR", "issue": "at_once",
    });
    let begun = now();
    let made = prepare::ask(server, vec![prepare::post(&bills, &prepared.operator, None, &asked)])?;
    let made = made.into_iter().next().context("one question has one answer")?;
    let bill = format!("{bills}/{}", prepare::text(&made, "id")?);
    let mut closed_s = None;
    loop {
        let state = state(server, prepared, &bill)?;
        let passed = (now() - begun).as_secs_f64();
        if state["state"] != "closing" {
            closed_s.get_or_insert(passed);
        }
        match state["state"].as_str() {
            Some("closing" | "issuing") => pause(),
            Some("issued") if state["rides"] == rides => break,
            _ => bail!("the bill was not issued: {state}"),
        }
    }
    let issued_s = (now() - begun).as_secs_f64();
    let listing = now();
    let csv = download(server, prepared, &format!("{bill}/rides.csv"))?;
    let listed_s = (now() - listing).as_secs_f64();
    let mut files = vec![("CSV", csv)];
    for (name, path) in [("PDF", "pdf"), ("UBL", "ubl.xml"), ("CII", "cii.xml")] {
        files.push((name, download(server, prepared, &format!("{bill}/{path}"))?));
    }
    Ok(Billed {
        engine,
        rides,
        closed_s: closed_s.unwrap_or(issued_s),
        issued_s,
        listed_s,
        peak_mb: machine::peak_mb(server.process())?,
        files,
    })
}

/// The provider's tax set-up and the institution's invoice profile.
fn enter_sides(server: &Server, prepared: &Prepared) -> Result<()> {
    let setup = json!({
        "legal_name": "Bench Metro GmbH", "street": "Hafen 1", "city": "Berlin", "postcode": "10115", "country": "DE",
        "vat_id": "DE123456789", "email": "rechnung@metro.example", "phone": "+49 30 123456", "language": "de",
        "mode": "on_request", "numbering": { "prefix": "M-", "credit_prefix": "G-", "with_year": true, "width": 6 },
        "rates": [{ "name": "metro", "category": "S", "percent": "7" }],
    });
    let path = format!("/v1/merchants/{}/tax-setup", prepared.merchant);
    let headers = [format!("authorization: Bearer {}", prepared.operator)];
    let put = http::request("PUT", &path, &headers, &setup.to_string());
    let profile = json!({
        "record": prepared.record, "title_kind": "company", "title": "Bench GmbH", "vat_id": "DE999999999",
        "address": "Markt 1", "postcode": "10115", "city": "Berlin", "country": "DE",
    });
    // The operator enters nobody's invoice details.
    let key = server.command(&["institution", "key", &prepared.institution])?;
    let key = prepare::text(&key, "key")?;
    let post = prepare::post("/v1/invoice-profiles", &key, None, &profile);
    prepare::ask(server, vec![put, post]).map(drop)
}

/// Rides of one month, told over the API.
fn tell(server: &Server, prepared: &Prepared, rides: usize) -> Result<()> {
    let path = prepare::rides_of(&prepared.merchant);
    let told: Vec<usize> = (0..rides).collect();
    for numbers in told.chunks(TOLD_AT_ONCE) {
        let requests = numbers.iter().map(|number| {
            let person = &prepared.people[number % prepared.people.len()];
            let (day, minute) = (1 + number % 28, number % 60);
            let from = format!("2026-02-{day:02}T08:{minute:02}:00Z");
            let until = format!("2026-02-{day:02}T09:{minute:02}:00Z");
            let ride = prepare::ride(&format!("BILL-{number:06}"), person, &from, &until);
            prepare::post(&path, &prepared.operator, None, &ride)
        });
        for answer in prepare::ask(server, requests.collect())? {
            if answer["state"] != "paid_by_institution" {
                bail!("a ride of the bill was not paid by the institution: {answer}");
            }
        }
    }
    Ok(())
}

fn state(server: &Server, prepared: &Prepared, bill: &str) -> Result<Value> {
    let answers = prepare::ask(server, vec![prepare::get(bill, &prepared.operator)])?;
    answers.into_iter().next().context("one question has one answer")
}

/// The bytes of the body; files are longer than what the load reads.
fn download(server: &Server, prepared: &Prepared, path: &str) -> Result<usize> {
    let mut stream = TcpStream::connect(server.address)?;
    let headers = format!("authorization: Bearer {}\r\nconnection: close", prepared.operator);
    let request = http::request("GET", path, &[headers], "");
    stream.write_all(&request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let head = head.with_context(|| format!("{path} has no answer"))?;
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("{path} answered {}", String::from_utf8_lossy(&answer[..head.min(200)]));
    }
    Ok(answer.len() - head - 4)
}
