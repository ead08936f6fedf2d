//! The database behind the platforms' store ports: SQLite inside the program, or PostgreSQL.
//!
//! The seam knows no table but the names of those that are kept in memory (`recall`): [`db`] opens, reads and writes, [`tx`] runs statements, [`statement`] holds
//! SQL written once for both engines, [`migrate`] brings the schema forward. The tables are known by the
//! modules that carry the platforms' names; [`Store`] is the one type behind all their ports.
//!
//! **Invariant:** nothing outside [`statement`]'s renderings, `sqlite`, `postgres` and `migrations/`
//! depends on which engine runs.

mod access;
mod accounts;
mod audit;
pub mod codes;
pub mod config;
pub mod db;
mod decode;
mod deliveries;
pub mod documents;
pub mod error;
mod gather;
mod idempotency;
mod institutions;
mod invoicing;
mod issuer;
mod journeys;
mod ledger;
mod merchants;
pub mod migrate;
mod outbox;
pub mod payments;
mod people;
mod postgres;
mod postgres_error;
mod postgres_value;
mod profiles;
mod recall;
mod render;
mod ride_codes;
mod rides;
pub mod settings;
mod single;
pub mod sql;
mod sqlite;
pub mod statement;
pub mod stats;
mod taxes;
pub mod testing;
pub mod tx;
mod writer;

use std::sync::Arc;

use crate::db::Db;
use crate::gather::Gathering;
use crate::statement::Statement;

/// The tables behind the platforms' ports. A handle; clones share the database.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
    records: Arc<codes::Records>,
    profiles: Arc<profiles::OfRecords>,
    waiting: Arc<Waiting>,
}

/// What waits for a transaction together.
#[derive(Debug, Default)]
struct Waiting {
    codes: Gathering<onescan_platforms::codes::NewCode, ()>,
    payments: payments::Payments,
    rides: payments::Rides,
}

impl Store {
    /// `db`: migrated with [`migrate::MIGRATIONS`].
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self {
            db,
            records: Arc::default(),
            profiles: Arc::default(),
            waiting: Arc::default(),
        }
    }

    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }
}

/// Every statement of the tables' modules, for the tests that look at all of them.
#[must_use]
pub fn statements() -> Vec<(&'static str, &'static Statement)> {
    let modules = [
        ("access", access::ALL),
        ("accounts", accounts::ALL),
        ("audit", audit::ALL),
        ("codes", codes::ALL),
        ("deliveries", deliveries::ALL),
        ("idempotency", idempotency::ALL),
        ("institutions", institutions::ALL),
        ("invoicing", invoicing::ALL),
        ("issuer", issuer::ALL),
        ("ledger", ledger::ALL),
        ("merchants", merchants::ALL),
        ("outbox", outbox::ALL),
        ("people", people::ALL),
        ("profiles", profiles::ALL),
        ("rides", rides::applications::ALL),
        ("rides", rides::bill_mails::ALL),
        ("rides", rides::bill_schedules::ALL),
        ("rides", rides::bills::ALL),
        ("rides", rides::orders::ALL),
        ("rides", rides::policies::ALL),
        ("rides", rides::deciders::ALL),
        ("settings", settings::ALL),
        ("taxes", taxes::ALL),
    ];
    let of_payments = payments::STATEMENTS.iter().map(|all| ("payments", *all));
    let of_ride_codes = ride_codes::STATEMENTS.iter().map(|all| ("ride_codes", *all));
    let of_journeys = journeys::STATEMENTS.iter().map(|all| ("journeys", *all));
    let modules = modules
        .into_iter()
        .chain(of_payments)
        .chain(of_ride_codes)
        .chain(of_journeys);
    let pairs = modules.flat_map(|(module, all)| all.iter().map(move |statement| (module, *statement)));
    pairs.collect()
}
