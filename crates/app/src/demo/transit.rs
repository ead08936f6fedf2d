//! The demo's own transit network: a metro, a bus and a night bus of an invented town with three fare zones.

use onescan_domain::transit::{Feed, FeedFaults};
use onescan_platforms::error::Result as PlatformResult;
use onescan_platforms::journeys::pack;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("transit/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "agency.txt",
    "stops.txt",
    "routes.txt",
    "calendar.txt",
    "calendar_dates.txt",
    "trips.txt",
    "stop_times.txt",
    "fare_attributes.txt",
    "fare_rules.txt",
];

pub fn feed() -> Result<Feed, FeedFaults> {
    Feed::read(|name| FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text))
}

/// The feed as a provider hands it over.
pub fn archive() -> PlatformResult<Vec<u8>> {
    pack(FILES.iter().copied())
}
