//! What a ride costs, by zones and lines.

use crate::money::Money;

/// A price with its rules. Without a rule it holds for every ride.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fare {
    pub id: String,
    pub price: Money,
    pub agency: Option<String>,
    pub rules: Vec<FareRule>,
}

/// When a fare holds; what is `None` is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FareRule {
    pub line: Option<String>,
    pub origin: Option<String>,
    pub destination: Option<String>,
    /// Zones that are passed; all rules of a fare that name one must be met together.
    pub contains: Option<String>,
}

/// A ride whose price is asked for: zones of its ends, its line, and the zones passed, where they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FareQuestion<'a> {
    pub agency: &'a str,
    pub line: Option<&'a str>,
    pub origin: &'a str,
    pub destination: &'a str,
    /// With those of the ends; empty: not known.
    pub passed: &'a [&'a str],
}

/// All fares of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fares {
    pub all: Vec<Fare>,
}

impl Fares {
    /// The cheapest fare whose rules the ride meets: a rider may always take it. `None`: the feed has no price for it.
    pub fn price(&self, ride: &FareQuestion<'_>) -> Option<Money> {
        let matching = self.all.iter().filter(|fare| fare.covers(ride));
        matching.map(|fare| fare.price).min_by_key(|price| price.minor)
    }

    /// Whether a fare depends on the zones that are passed.
    pub fn look_at_zones(&self) -> bool {
        let rules = self.all.iter().flat_map(|fare| &fare.rules);
        rules.into_iter().any(|rule| rule.contains.is_some())
    }

    /// The dearest fare that a ride of the line could have cost: due for an incomplete journey. `zone`: of the one end that
    /// is known, whichever end that is.
    pub fn maximum(&self, line: Option<&str>, zone: Option<&str>) -> Option<Money> {
        let possible = self.all.iter().filter(|fare| {
            let could_be = |rule: &FareRule| {
                let same_line = rule.line.is_none() || line.is_none() || rule.line.as_deref() == line;
                let touches = zone.is_none()
                    || [&rule.origin, &rule.destination]
                        .into_iter()
                        .any(|end| end.is_none() || end.as_deref() == zone);
                same_line && touches
            };
            fare.rules.is_empty() || fare.rules.iter().any(could_be)
        });
        possible.map(|fare| fare.price).max_by_key(|price| price.minor)
    }
}

impl Fare {
    fn covers(&self, ride: &FareQuestion<'_>) -> bool {
        let other_agency = self
            .agency
            .as_deref()
            .is_some_and(|agency| !ride.agency.is_empty() && agency != ride.agency);
        if other_agency {
            return false;
        }
        let (containing, plain): (Vec<&FareRule>, Vec<&FareRule>) =
            self.rules.iter().partition(|rule| rule.contains.is_some());
        let by_plain = plain.iter().any(|rule| rule.covers(ride));
        self.rules.is_empty() || by_plain || passes_exactly(&containing, ride)
    }
}

impl FareRule {
    fn covers(&self, ride: &FareQuestion<'_>) -> bool {
        let line = self.line.is_none() || self.line.as_deref() == ride.line;
        let origin = self.origin.as_deref().is_none_or(|zone| zone == ride.origin);
        line && origin && self.destination.as_deref().is_none_or(|zone| zone == ride.destination)
    }
}

/// Whether the zones passed are those of the rules, no more and no fewer.
fn passes_exactly(rules: &[&FareRule], ride: &FareQuestion<'_>) -> bool {
    let zones = || {
        rules
            .iter()
            .filter(|rule| rule.covers(ride))
            .filter_map(|rule| rule.contains.as_deref())
    };
    let all_passed = zones().all(|zone| ride.passed.contains(&zone));
    let no_other = ride.passed.iter().all(|passed| zones().any(|zone| zone == *passed));
    zones().next().is_some() && !ride.passed.is_empty() && all_passed && no_other
}
