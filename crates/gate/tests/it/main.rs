//! Ride codes, deny lists and journals as gates meet them.

mod base45;
mod codes;
mod deny;
mod foreign;
mod journal;
mod support;
mod verify;
