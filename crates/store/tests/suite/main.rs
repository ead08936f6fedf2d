//! The ports behave alike on both engines; each test runs on SQLite, and on PostgreSQL where
//! `ONESCAN_TEST_POSTGRES_URL` names a server.

mod access;
mod institutions;
mod merchants;
mod people;
mod profiles;
mod statements;
mod support;
