//! The database behind the platforms' store ports: SQLite inside the program, or PostgreSQL.
//!
//! The seam knows no table: [`db`] opens, reads and writes, [`tx`] runs statements, [`statement`] holds
//! SQL written once for both engines, [`migrate`] brings the schema forward. The tables are known by the
//! modules that carry the platforms' names; [`Store`] is the one type behind all their ports.
//!
//! **Invariant:** nothing outside [`statement`]'s renderings, `sqlite`, `postgres` and `migrations/`
//! depends on which engine runs.

pub mod access;
pub mod accounts;
pub mod config;
pub mod db;
mod decode;
pub mod error;
pub mod institutions;
pub mod invoicing;
pub mod merchants;
pub mod migrate;

pub mod people;
mod postgres;
mod postgres_error;
mod postgres_value;
pub mod profiles;
mod render;
pub mod settings;
mod single;
pub mod sql;
mod sqlite;
pub mod statement;
pub mod stats;
pub mod testing;
pub mod tx;
mod writer;

use crate::db::Db;

/// The tables behind the platforms' ports. A handle; clones share the database.
#[derive(Debug, Clone)]
pub struct Store {
    db: Db,
}

impl Store {
    /// `db`: migrated with [`migrate::MIGRATIONS`].
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }
}
