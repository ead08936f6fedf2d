//! Numbers by which tax offices and networks know a party: their shapes and check characters. Whether a number is
//! registered only its office can say.
//!
//! Row S20.

pub mod credit_code;
mod electronic_address;
pub mod lists;
pub mod vat_id;

pub use electronic_address::{ElectronicAddress, ElectronicAddressError};
