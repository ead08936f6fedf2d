//! The platforms of the patents and what joins them: per platform its contract, its in-process form, and the port its
//! in-process form needs from the store.
//!
//! | module | platform | contract | port |
//! |---|---|---|---|
//! | [`codes`] | service platform | [`codes::Codes`] | [`codes::CodeStore`] |
//! | [`profiles`] | management platform | [`profiles::Profiles`] | [`profiles::ProfileStore`] |
//! | [`payments`] | payment platform | [`payments::Payments`] | [`payments::PaymentStore`] |
//! | [`invoicing`] | invoice platform | [`invoicing::Invoicing`] | [`invoicing::InvoiceStore`] |
//! | [`processing`] | processing platform | – | – |
//!
//! [`ride_codes`] issues what a ride provider's gates read, and takes in what they saw; [`journeys`] makes rides and orders of it.
//! [`people`], [`institutions`], [`merchants`] and [`access`] keep who everybody is.
//!
//! **Invariant:** [`processing`] knows the contracts only, never an in-process form: any platform can be remote (S21).
//! **Invariant:** no database transaction spans two platforms.

pub mod access;
pub mod batch;
pub mod codes;
pub mod env;
pub mod error;
pub mod expressions;
pub mod institutions;
pub mod invoicing;
pub mod journeys;
pub mod merchants;
pub mod payments;
pub mod people;
pub mod processing;
pub mod profiles;
pub mod ride_codes;
pub mod rides;
pub mod services;
pub mod trace;
