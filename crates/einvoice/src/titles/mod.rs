//! The buyer's details in the forms that people use: ids with their check characters, the tax administration's title QR,
//! amounts in Chinese capitals.
//!
//! Row S20. Source: GB 32100-2015; the State Taxation Administration's QR specification of 2017.

pub mod capitals;
pub mod credit_code;
pub mod title_qr;
pub mod vat_id;
