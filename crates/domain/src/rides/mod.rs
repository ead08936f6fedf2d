//! Rides: what was asked for before ([`application`]), what gates have seen ([`tap`]) and how it becomes rides
//! ([`matching`]), what is to be paid ([`order`]), which account of an institution pays ([`funding`]),
//! and the bills of a period ([`bill`]).
//!
//! How a ride is paid is decided in [`crate::payments::ride`].

pub mod application;
pub mod bill;
pub mod decision;
pub mod funding;
pub mod matching;
pub mod order;
pub mod tap;
