//! The ports behave alike on both engines; each test runs on SQLite, and on PostgreSQL where
//! `ONESCAN_TEST_POSTGRES_URL` names a server.

mod access;
mod catalogue;
mod codes;
mod institutions;
mod ledger;
mod merchants;
mod migrations;
mod payments;
mod people;
mod profiles;
mod shop;
mod statements;
mod support;
