//! What a matched ride costs, and how it stands in its order.

use onescan_domain::money::Money;
use onescan_domain::rides::matching::{Journey, MatchedRide, RideEnd};
use onescan_domain::rides::order::{RideDetails, RidePoint};
use onescan_domain::transit::{Network, Quote};

use super::RideSetup;

/// An end that nobody saw, as it stands on a bill.
const NOT_SEEN: &str = "—";

/// A provider's fares and places.
#[derive(Debug, Clone, Copy)]
pub struct Pricing<'p> {
    pub setup: &'p RideSetup,
    pub network: Option<&'p Network>,
}

impl Pricing<'_> {
    /// `None`: neither feed nor set-up has a fare for it. An open ride has none yet.
    pub fn quote(&self, ride: &MatchedRide) -> Option<Quote> {
        let plain = |price: Money| Quote {
            price,
            line: String::new(),
        };
        let (setup, network) = (self.setup, self.network);
        let single = setup.single_fare.map(plain);
        match (ride.journey, &ride.start, &ride.end) {
            (Journey::Open, _, _) => None,
            (Journey::Single, start, _) => {
                let by_feed = || network?.single(&start.as_ref()?.station);
                single.or_else(by_feed)
            }
            (Journey::Complete, start, end) => {
                let by_feed = || network?.fare(&start.as_ref()?.station, &end.as_ref()?.station);
                by_feed().or(single)
            }
            (Journey::NoExit | Journey::NoEntry, start, end) => {
                let known = start.as_ref().or(end.as_ref());
                let by_feed = || network?.maximum(&known?.station);
                let maximum = setup.maximum_fare.or_else(by_feed).map(plain);
                maximum.or(single)
            }
        }
    }

    /// Both ends, as the gates saw them; gates whose clocks disagree may not let a ride end before it begins.
    pub fn details(&self, ride: &MatchedRide, line: &str) -> RideDetails {
        let known = ride.start.as_ref().or(ride.end.as_ref());
        let unseen = RidePoint {
            at: known.map_or(0, |end| end.at),
            place: NOT_SEEN.to_owned(),
            stop: String::new(),
            city: self.setup.city.clone(),
        };
        let point = |end: &Option<RideEnd>| end.as_ref().map_or_else(|| unseen.clone(), |end| self.point(end));
        let start = point(&ride.start);
        let mut end = match ride.journey {
            Journey::Single => start.clone(),
            Journey::Open | Journey::Complete | Journey::NoExit | Journey::NoEntry => point(&ride.end),
        };
        end.at = end.at.max(start.at);
        RideDetails {
            start,
            end,
            line: line.to_owned(),
            distance_m: None,
            companions: None,
        }
    }

    fn point(&self, end: &RideEnd) -> RidePoint {
        let place = self.network.map(|network| network.place(&end.station));
        let (place, stop) = place.unwrap_or((&end.station, &end.station));
        RidePoint {
            at: end.at,
            place: place.to_owned(),
            stop: stop.to_owned(),
            city: self.setup.city.clone(),
        }
    }

    /// The name of the line with this id.
    pub fn line(&self, id: &str) -> String {
        let known = self.network.and_then(|network| network.line(id));
        known.map_or_else(|| id.to_owned(), |line| line.name.clone())
    }
}
