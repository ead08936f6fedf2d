//! One server under load with everything the rows need: people, tills, codes in stock, and what was paid so far.

use std::mem;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;

use super::bill::{self, Billed};
use super::load::{self, Load, Once, Outcome};
use super::machine;
use super::prepare::{self, Prepared};
use super::report::{Check, Engine, Memory, Payers, Row};
use super::server::Server;
use super::work::{self, CODE_MARK, DEVICE_MARK, MakeCodes, NUMBER_MARK, Pay, PayUntilKilled, Rides, Stock, Template};

/// Codes live for twelve minutes in the bench; older ones are not begun with.
const CODE_AGE_MAX: Duration = Duration::from_secs(9 * 60);
/// Payments a second that the first round makes codes for.
const FIRST_RATE: f64 = 20_000.0;
const MAKING_CONNECTIONS: usize = 64;

pub struct Site {
    pub engine: Engine,
    pub server: Server,
    idle_mb: f64,
    prepared: Prepared,
    many: Codes,
    hot: Codes,
    tills: Vec<Template>,
    next_order: usize,
    rides: Vec<Template>,
    next_ride: usize,
}

/// The codes of one kind of payers.
struct Codes {
    requests: Vec<Template>,
    stock: Stock,
    /// Codes that were asked for.
    asked: usize,
    /// Payments that were answered with success.
    paid: u64,
}

impl Codes {
    fn new(requests: Vec<Vec<u8>>) -> Self {
        let template = |bytes| Template::new(bytes, &[DEVICE_MARK]);
        Self {
            requests: requests.into_iter().map(template).collect(),
            stock: Stock::new(),
            asked: 0,
            paid: 0,
        }
    }
}

impl Site {
    /// Starts a server on fresh data and fills it.
    pub fn start(engine: Engine, folder: &Path, database: Option<&str>, people: usize) -> Result<Self> {
        let server = Server::start(folder, database)?;
        let idle_mb = machine::resident_mb(server.process())?;
        eprintln!("── {}: preparing {people} people", engine.name());
        let mut prepared = prepare::prepare(&server, people)?;
        Ok(Self {
            engine,
            idle_mb,
            many: Codes::new(mem::take(&mut prepared.code_requests)),
            hot: Codes::new(mem::take(&mut prepared.hot_code_requests)),
            rides: mem::take(&mut prepared.ride_requests)
                .into_iter()
                .map(|bytes| Template::new(bytes, &[NUMBER_MARK]))
                .collect(),
            next_ride: 0,
            tills: prepared.tills.iter().map(|key| till(key)).collect(),
            server,
            prepared,
            next_order: 0,
        })
    }

    pub fn make_codes(&mut self, payers: Payers, load: &Load, count_max: usize) -> Result<Outcome> {
        let codes = match payers {
            Payers::Many => &mut self.many,
            Payers::Hot => &mut self.hot,
        };
        let mut source = MakeCodes {
            requests: &mut codes.requests,
            stock: &mut codes.stock,
            next: &mut codes.asked,
            count_max,
            unreadable: 0,
        };
        let outcome = load::drive(self.server.address, load, &mut source)?;
        if source.unreadable > 0 {
            bail!("{} answers hold no code of {} digits", source.unreadable, work::CODE);
        }
        Ok(outcome)
    }

    /// Makes as many codes as the load can pay with, and a third more. `expected`: payments a second as far as known.
    pub fn fill_stock(&mut self, payers: Payers, load: &Load, expected: Option<f64>) -> Result<()> {
        let rate = match load.arrivals {
            load::Arrivals::Open { per_second } => per_second,
            load::Arrivals::Closed => expected.unwrap_or(FIRST_RATE.min(4_000.0 * load.connections as f64)),
        };
        let wanted = (rate * (load.warm_up + load.window).as_secs_f64() * 1.33) as usize + load.connections;
        self.ensure_codes(payers, wanted)
    }

    fn ensure_codes(&mut self, payers: Payers, wanted: usize) -> Result<()> {
        let stock = match payers {
            Payers::Many => &mut self.many.stock,
            Payers::Hot => &mut self.hot.stock,
        };
        work::drop_old(stock, CODE_AGE_MAX);
        let missing = wanted.saturating_sub(stock.len());
        if missing > 0 {
            let outcome = self.make_codes(payers, &Load::until_done(MAKING_CONNECTIONS), missing)?;
            self.expect_clean(&outcome, "making codes beforehand")?;
        }
        Ok(())
    }

    /// Rides that the institution pays, from its one account.
    pub fn ride(&mut self, load: &Load) -> Result<Outcome> {
        let mut source = Rides {
            requests: &mut self.rides,
            next: &mut self.next_ride,
        };
        let outcome = load::drive(self.server.address, load, &mut source)?;
        self.hot.paid += outcome.succeeded;
        Ok(outcome)
    }

    /// Rides of one month, billed by a server that was just started.
    pub fn bill(&mut self, rides: usize) -> Result<Billed> {
        let billed = bill::measure(self.engine, &mut self.server, &self.prepared, rides)?;
        self.hot.paid += rides as u64;
        Ok(billed)
    }

    pub fn pay(&mut self, payers: Payers, load: &Load) -> Result<Outcome> {
        let codes = match payers {
            Payers::Many => &mut self.many,
            Payers::Hot => &mut self.hot,
        };
        let mut source = Pay {
            tills: &mut self.tills,
            stock: &mut codes.stock,
            next: &mut self.next_order,
        };
        let outcome = load::drive(self.server.address, load, &mut source)?;
        codes.paid += outcome.succeeded;
        Ok(outcome)
    }

    /// Whether the accounts were debited once for every answer so far: each payment is one minor unit.
    pub fn count_payments(&self, payers: Payers, row: Row) -> Result<Check> {
        let (server, operator) = (&self.server, self.prepared.operator.as_str());
        let (spent, answered) = match payers {
            Payers::Many => (
                prepare::spent(server, operator, &self.prepared.accounts)?,
                self.many.paid,
            ),
            Payers::Hot => (
                prepare::spent(server, operator, [&self.prepared.hot_account])?,
                self.hot.paid,
            ),
        };
        Ok(Check {
            what: format!("payments after {row}"),
            found: format!("{answered} answered so far, {spent} on the accounts"),
            holds: spent == answered,
        })
    }

    /// A load of a bench has no refusals; one that has measures something else.
    pub fn expect_clean(&self, outcome: &Outcome, what: &str) -> Result<()> {
        if outcome.is_clean() && outcome.succeeded > 0 {
            return Ok(());
        }
        let Outcome {
            succeeded,
            refused,
            lost,
            refusal,
            ..
        } = outcome;
        bail!(
            "{}, {what}: {succeeded} answered, {lost} lost, refused by status: {refused:?}; the first: {}",
            self.engine.name(),
            refusal.as_deref().unwrap_or("none")
        )
    }

    pub fn memory(&self) -> Result<Memory> {
        Ok(Memory {
            engine: self.engine,
            idle_mb: self.idle_mb,
            loaded_mb: machine::resident_mb(self.server.process())?,
        })
    }

    /// `onescan verify` beside the running server.
    pub fn verify(&self) -> Result<Check> {
        let said = self.server.command(&["verify"])?;
        let broken: Vec<String> = said
            .as_array()
            .into_iter()
            .flatten()
            .filter(|invariant| {
                invariant["breaches"]
                    .as_array()
                    .is_none_or(|breaches| !breaches.is_empty())
            })
            .map(Value::to_string)
            .collect();
        let known = said.as_array().map_or(0, Vec::len);
        Ok(Check {
            what: format!(
                "{}: `onescan verify` after {} payments",
                self.engine.name(),
                self.many.paid + self.hot.paid
            ),
            found: if broken.is_empty() {
                format!("{known} invariants hold")
            } else {
                broken.join("; ")
            },
            holds: broken.is_empty() && known > 0,
        })
    }

    /// Kills the server in the middle of a load, starts it again, and asks for every answered payment by its order number.
    pub fn kill_in_mid_load(&mut self, answers: usize) -> Result<Check> {
        self.ensure_codes(Payers::Many, answers * 2)?;
        let (address, server) = (self.server.address, &mut self.server);
        let mut kill = || server.kill();
        let mut source = PayUntilKilled {
            pay: Pay {
                tills: &mut self.tills,
                stock: &mut self.many.stock,
                next: &mut self.next_order,
            },
            answers_max: answers,
            kill: &mut kill,
            answered: Vec::new(),
        };
        let outcome = load::drive(address, &Load::until_done(64), &mut source)?;
        let answered = source.answered;
        self.server.restart()?;
        let requests = answered
            .iter()
            .map(|order| prepare::order_request(&self.prepared.tills[order % self.prepared.tills.len()], *order));
        let mut once = Once::new(requests.collect());
        let asked = load::drive(self.server.address, &Load::until_done(16), &mut once)?;
        self.expect_clean(&asked, "asking for payments after the restart")?;
        let found = once
            .answers
            .into_iter()
            .flatten()
            .filter(|(_, body)| prepare::is_paid(body));
        let missing = answered.len() - found.count();
        Ok(Check {
            what: format!("{}: killed in mid-load, started again", self.engine.name()),
            found: format!(
                "{} payments were answered before, {missing} of them are missing; {} requests under way were lost",
                answered.len(),
                outcome.lost
            ),
            holds: missing == 0 && answered.len() >= answers,
        })
    }
}

fn till(key: &str) -> Template {
    Template::new(prepare::payment(key), &[CODE_MARK, NUMBER_MARK])
}
