//! The database behind the platforms' store ports: SQLite inside the program, or PostgreSQL.
//!
//! The seam knows no table: [`db`] opens, reads and writes, [`tx`] runs statements, [`statement`] holds
//! SQL written once for both engines, [`migrate`] brings the schema forward.
//!
//! **Invariant:** nothing outside [`statement`]'s renderings, `sqlite`, `postgres` and `migrations/`
//! depends on which engine runs.

pub mod config;
pub mod db;
pub mod error;
pub mod migrate;
mod postgres;
mod postgres_error;
mod postgres_value;
mod render;
pub mod sql;
mod sqlite;
pub mod statement;
pub mod stats;
pub mod testing;
pub mod tx;
mod writer;
