//! Whether a service keeps a contract: tests from outside, against ours and anybody's.
//!
//! A promise that falls short does not end the run; what follows from it may fall short too.

mod codes;
mod invoicing;
mod payments;
mod profiles;

use std::fmt::Debug;
use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::RawId;
use onescan_einvoice::Date;
use onescan_platforms::env::{Clock, Entropy};
use onescan_platforms::error::{PlatformError, Result};
use onescan_web::wire;
use onescan_web::wire::client::Connection;
use onescan_web::wire::codes::RemoteCodes;
use onescan_web::wire::invoicing::RemoteInvoicing;
use onescan_web::wire::payments::RemotePayments;
use onescan_web::wire::profiles::RemoteProfiles;

use crate::env::{SystemClock, SystemEntropy};

/// One promise of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub call: String,
    pub promise: String,
    pub kept: bool,
    /// What was answered instead.
    pub seen: String,
}

/// Runs every test of the connection's contract. An error: nobody is there.
pub async fn run(connection: Connection) -> Result<Vec<Check>, String> {
    let connection = Arc::new(connection);
    connection.about().await?;
    let mut trial = Trial::default();
    let version = connection.greet().await;
    trial.check(
        "about",
        "offers the contract in a version that is understood",
        version.is_ok(),
        &version,
    );
    for (call, promise, answered) in wire::client::probe(&connection).await {
        trial.check(&call, promise, answered.is_ok(), &answered);
    }
    match connection.contract().name {
        "codes" => codes::run(&mut trial, &RemoteCodes(connection)).await,
        "profiles" => profiles::run(&mut trial, &RemoteProfiles(connection)).await,
        "payments" => payments::run(&mut trial, &RemotePayments(connection)).await,
        _ => invoicing::run(&mut trial, &RemoteInvoicing(connection)).await,
    }
    Ok(trial.checks)
}

/// The tests so far.
#[derive(Debug, Default)]
struct Trial {
    checks: Vec<Check>,
    entropy: SystemEntropy,
}

impl Trial {
    fn check(&mut self, call: &str, promise: &str, kept: bool, seen: &impl Debug) {
        self.checks.push(Check {
            call: call.to_owned(),
            promise: promise.to_owned(),
            kept,
            seen: if kept { String::new() } else { format!("{seen:?}") },
        });
    }

    /// The answer of a call that must be answered, when `holds` says so of it.
    fn answer<T: Debug>(
        &mut self,
        call: &str,
        promise: &str,
        answer: Result<T>,
        holds: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        match answer {
            Ok(answer) => {
                let kept = holds(&answer);
                self.check(call, promise, kept, &answer);
                Some(answer)
            }
            Err(error) => {
                self.check(call, promise, false, &told(&error));
                None
            }
        }
    }

    fn now(&self) -> i64 {
        SystemClock.now_ms()
    }

    /// In UTC.
    fn today(&self) -> Date {
        let now = jiff::Timestamp::from_millisecond(self.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let date = Date::new(today.year() as u16, today.month() as u8, today.day() as u8);
        date.expect("a civil day is a day")
    }

    /// A fresh id: two runs do not meet.
    fn id(&self) -> RawId {
        let bucket = Bucket::of_hash(0, 1);
        RawId::from_parts(self.now(), bucket, u128::from_be_bytes(self.bytes()))
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}

/// The error with what lies behind it.
fn told(error: &PlatformError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
