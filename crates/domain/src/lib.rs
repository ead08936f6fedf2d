//! Values, states and rules of Onescan: what is true whatever database, protocol or clock is around it.
//!
//! **Invariant:** nothing here reads a clock, draws a random number, knows a database, HTTP or JSON, or waits.
//! Every rule is a function of its arguments, so its test needs nothing but data.

pub mod bucket;
pub mod calendar;
pub mod codes;
pub mod geo;
pub mod identity;
pub mod ids;
pub mod institutions;
pub mod invoicing;
pub mod merchants;
pub mod money;
pub mod payments;
pub mod policy;
pub mod profiles;
pub mod rides;
pub mod tax_ids;
pub mod text;
pub mod transit;
