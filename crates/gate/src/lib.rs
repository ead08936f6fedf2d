//! Ride codes: what an issuer signs, what a device shows, what a gate decides, and the journal it keeps. Row R04.
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | algorithms, keys, fingerprints |
//! | [`code`] | the text of a ride code: made and read |
//! | [`verify`] | the gate's decision, in the order of [`refusal::Refusal`] |
//! | [`memory`] | what a gate remembers: counters and open journeys |
//! | [`deny`] | the deny list and its signed documents |
//! | [`journal`] | the signed chain of what a gate saw |
//!
//! **Invariant:** no IO, clock or randomness: time is a parameter, keys come as bytes. Gate and issuer run the same code.

pub mod base45;
pub mod code;
mod cose;
pub mod deny;
pub mod journal;
pub mod keys;
pub mod memory;
pub mod refusal;
pub mod verify;
