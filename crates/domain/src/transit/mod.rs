//! Public transport as a GTFS feed tells it: stops, lines, service days and zone fares. Pure: the texts are handed in.
//!
//! Fares are those of `fare_attributes` and `fare_rules`. Prices are read as decimal numbers into whole minor units of
//! their currency, so that 150 yen are 150 and 1.50 euro are 150 too. Positions become millionths of a degree.

mod csv;
mod fares;
mod feed;
mod network;
mod ways;

pub use csv::{FeedError, FeedFaults, Table};
pub use fares::{Fare, FareQuestion, FareRule, Fares};
pub use feed::{Agency, FILES, Feed, Line, Service, Stop, StopTime, parse_time};
pub use network::{At, Network, Quote};
pub use ways::Way;
