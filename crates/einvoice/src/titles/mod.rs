//! The buyer's details in the forms that people use: the tax administration's title QR, amounts in Chinese
//! capitals, and what of a profile stands where on an invoice.
//!
//! Row S20. Source: the State Taxation Administration's QR specification of 2017.

pub mod capitals;
pub mod profile;
pub mod title_qr;
