//! What gates and rules need of a feed: stops, lines, which lines call where, the way between two stops, and what a ride
//! between two gates costs.

use std::collections::{BTreeMap, BTreeSet};

use super::fares::{FareQuestion, Fares};
use super::feed::{Feed, Line, Stop};
use super::ways::{Way, Ways};
use crate::geo::GeoPoint;
use crate::money::Money;

/// A feed without its timetable. A gate's station is a stop, by id or name, or the line of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    pub stops: Vec<Stop>,
    pub lines: Vec<Line>,
    fares: Fares,
    /// Ids of the lines that call at a stop; at a station those of its platforms.
    calls: BTreeMap<String, BTreeSet<String>>,
    ways: Ways,
}

/// What a network knows of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At<'n> {
    pub id: &'n str,
    pub name: &'n str,
    /// Empty: none.
    pub zone: &'n str,
    pub point: Option<GeoPoint>,
}

/// What a ride costs, and the line it costs that on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub price: Money,
    /// Id of the line; empty where it makes no difference.
    pub line: String,
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy)]
enum Spot<'n> {
    Stop(&'n Stop),
    Vehicle(&'n Line),
}

impl Network {
    pub fn of(feed: Feed) -> Self {
        let parents: BTreeMap<&str, &str> = feed
            .stops
            .iter()
            .filter_map(|stop| Some((stop.id.as_str(), stop.parent.as_deref()?)))
            .collect();
        let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for call in &feed.stop_times {
            let Some((line, _)) = feed.trips.get(&call.trip) else {
                continue;
            };
            let parent = parents.get(call.stop.as_str()).copied();
            for stop in [Some(call.stop.as_str()), parent].into_iter().flatten() {
                let lines = match calls.get_mut(stop) {
                    Some(lines) => lines,
                    None => calls.entry(stop.to_owned()).or_default(),
                };
                if !lines.contains(line) {
                    lines.insert(line.clone());
                }
            }
        }
        Self {
            ways: Ways::of(&feed),
            stops: feed.stops,
            lines: feed.lines,
            fares: feed.fares,
            calls,
        }
    }

    /// The stop by its id, or else by its name. A station without zone or position has those of its first platform.
    pub fn at(&self, word: &str) -> Option<At<'_>> {
        let stop = self.stop(word)?;
        let platform = || self.stops.iter().find(|one| one.parent.as_deref() == Some(&stop.id));
        Some(At {
            id: &stop.id,
            name: &stop.name,
            zone: self.zone(Spot::Stop(stop)),
            point: stop.point.or_else(|| platform().and_then(|platform| platform.point)),
        })
    }

    /// The way from stop to stop along `line` (id or name), or else along any line that calls at both, or else the shortest one
    /// with changes. `None`: the feed does not know a stop, no line leads there, or a stop on the way has no position.
    pub fn way(&self, from: &str, to: &str, line: &str) -> Option<Way> {
        let (from, to) = (self.stop(from)?, self.stop(to)?);
        let line = self.line(line).map(|line| line.id.as_str());
        let asked = line.and_then(|line| self.ways.direct(&from.id, &to.id, Some(line)));
        let direct = || self.ways.direct(&from.id, &to.id, None);
        asked.or_else(direct).or_else(|| self.ways.shortest(&from.id, &to.id))
    }

    /// By id, or else by name; the first of that name.
    pub fn stop(&self, word: &str) -> Option<&Stop> {
        let by_id = self.stops.iter().find(|stop| stop.id == word);
        by_id.or_else(|| self.stops.iter().find(|stop| stop.name == word))
    }

    /// By id, or else by name.
    pub fn line(&self, word: &str) -> Option<&Line> {
        let by_id = self.lines.iter().find(|line| line.id == word);
        by_id.or_else(|| self.lines.iter().find(|line| line.name == word))
    }

    fn spot(&self, station: &str) -> Option<Spot<'_>> {
        let stop = self.stop(station).map(Spot::Stop);
        stop.or_else(|| self.line(station).map(Spot::Vehicle))
    }

    /// The cheapest fare from gate to gate on a line that calls at both, or else on any of theirs. `None`: the feed does not
    /// know a gate or has no price.
    pub fn fare(&self, from: &str, to: &str) -> Option<Quote> {
        let (from, to) = (self.spot(from)?, self.spot(to)?);
        let (here, there) = (self.lines_at(from), self.lines_at(to));
        let both = here.intersection(&there).copied().collect::<BTreeSet<_>>();
        let lines = if both.is_empty() { &here | &there } else { both };
        self.cheapest(&lines, self.zone(from), self.zone(to), |line| {
            self.passed(from, to, line)
        })
    }

    /// Zones on the way, where some fare asks for them; empty: not known.
    fn passed(&self, from: Spot<'_>, to: Spot<'_>, line: Option<&str>) -> BTreeSet<String> {
        let (true, Spot::Stop(from), Spot::Stop(to)) = (self.fares.look_at_zones(), from, to) else {
            return BTreeSet::new();
        };
        let zones = match line {
            Some(line) => self.ways.direct_zones(&from.id, &to.id, line),
            None => self.ways.shortest(&from.id, &to.id).map(|way| way.zones),
        };
        zones.unwrap_or_default()
    }

    /// The fare of one tap: of the vehicle's line, or within the stop's zone.
    pub fn single(&self, station: &str) -> Option<Quote> {
        let spot = self.spot(station)?;
        let zone = self.zone(spot);
        let here = |_: Option<&str>| {
            Some(zone.to_owned())
                .filter(|zone| !zone.is_empty())
                .into_iter()
                .collect()
        };
        self.cheapest(&self.lines_at(spot), zone, zone, here)
    }

    /// The dearest ride that could begin or end at the one gate that is known.
    pub fn maximum(&self, station: &str) -> Option<Money> {
        let spot = self.spot(station)?;
        let zone = Some(self.zone(spot)).filter(|zone| !zone.is_empty());
        let lines = self.lines_at(spot);
        let dearest = lines.iter().filter_map(|line| self.fares.maximum(Some(line), zone));
        let dearest = dearest.max_by_key(|price| price.minor);
        dearest.or_else(|| self.fares.maximum(None, zone))
    }

    /// What stands on a bill for a gate, with the id of its stop where it is one.
    pub fn place<'n>(&'n self, station: &'n str) -> (&'n str, &'n str) {
        match self.spot(station) {
            Some(Spot::Stop(stop)) => (&stop.name, &stop.id),
            Some(Spot::Vehicle(line)) => (&line.name, ""),
            None => (station, ""),
        }
    }

    fn lines_at(&self, spot: Spot<'_>) -> BTreeSet<&str> {
        match spot {
            Spot::Stop(stop) => {
                let lines = self.calls.get(&stop.id);
                lines.into_iter().flatten().map(String::as_str).collect()
            }
            Spot::Vehicle(line) => self.line(&line.id).map(|line| line.id.as_str()).into_iter().collect(),
        }
    }

    /// A station without a zone has that of its first platform.
    fn zone<'n>(&'n self, spot: Spot<'n>) -> &'n str {
        let Spot::Stop(stop) = spot else {
            return "";
        };
        if !stop.zone.is_empty() {
            return &stop.zone;
        }
        let platform = self.stops.iter().find(|one| one.parent.as_deref() == Some(&stop.id));
        platform.map_or("", |platform| &platform.zone)
    }

    /// `passed`: the zones that a ride of a line passes.
    fn cheapest(
        &self,
        lines: &BTreeSet<&str>,
        origin: &str,
        destination: &str,
        passed: impl Fn(Option<&str>) -> BTreeSet<String>,
    ) -> Option<Quote> {
        let any = [None];
        let lines = lines.iter().copied().map(Some).chain(any);
        let quotes = lines.filter_map(|line| {
            let known = line.and_then(|line| self.line(line));
            let passed = passed(line);
            let passed: Vec<&str> = passed.iter().map(String::as_str).collect();
            let price = self.fares.price(&FareQuestion {
                agency: known.map_or("", |line| &line.agency),
                line,
                origin,
                destination,
                passed: &passed,
            })?;
            let line = line.unwrap_or_default().to_owned();
            Some(Quote { price, line })
        });
        quotes.min_by_key(|quote| quote.price.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let files = [
            (
                "agency.txt",
                "agency_id,agency_name,agency_timezone\nm,Metro,Europe/Berlin\n",
            ),
            (
                "stops.txt",
                "stop_id,stop_name,zone_id,parent_station\nh,Harbour,,\nh1,Harbour 1,A,h\na,Airport,C,\nt,Town,B,\nx,Lake,,\n",
            ),
            (
                "routes.txt",
                "route_id,route_short_name,route_type\nM1,M1,1\nB7,Bus 7,3\nM2,M2,1\n",
            ),
            ("calendar_dates.txt", "service_id,date,exception_type\nd,20261125,1\n"),
            ("trips.txt", "route_id,service_id,trip_id\nM1,d,t1\nM2,d,t2\nB7,d,t3\n"),
            (
                "stop_times.txt",
                "trip_id,stop_id,stop_sequence\nt1,h1,1\nt1,a,2\nt2,t,1\nt2,a,2\nt3,x,1\nt3,t,2\n",
            ),
            (
                "fare_attributes.txt",
                "fare_id,price,currency_type\nshort,2.10,EUR\nlong,4.60,EUR\nbus,2.40,EUR\n",
            ),
            (
                "fare_rules.txt",
                "fare_id,route_id,origin_id,destination_id\nlong,M1,A,C\nshort,M1,A,A\nshort,M2,B,C\nlong,M2,C,A\nlong,M1,A,B\nbus,B7,,\n",
            ),
        ];
        let feed = Feed::read(|name| files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text));
        Network::of(feed.unwrap())
    }

    #[test]
    fn a_ride_costs_what_a_line_between_its_gates_costs() {
        let network = network();
        let fare = |from, to| network.fare(from, to).map(|quote| (quote.price.minor, quote.line));
        assert_eq!(fare("h1", "a"), Some((460, "M1".to_owned())));
        // A station takes lines and zone from its platforms; stops go by name too.
        assert_eq!(fare("Harbour", "Airport"), Some((460, "M1".to_owned())));
        assert_eq!(fare("t", "a"), Some((210, "M2".to_owned())));
        // With a change no line calls at both.
        assert_eq!(fare("h", "t"), Some((240, "B7".to_owned())));
        assert_eq!(fare("h", "nowhere"), None);
    }

    #[test]
    fn a_vehicle_has_the_fare_of_its_line_and_a_stop_that_of_its_zone() {
        let network = network();
        let single = |station| network.single(station).map(|quote| (quote.price.minor, quote.line));
        assert_eq!(single("Bus 7"), Some((240, "B7".to_owned())));
        assert_eq!(single("h1"), Some((210, "M1".to_owned())));
        assert_eq!(single("a"), None);
        assert_eq!(network.place("Bus 7"), ("Bus 7", ""));
        assert_eq!(network.place("h"), ("Harbour", "h"));
    }

    #[test]
    fn an_incomplete_journey_costs_the_dearest_that_it_could_have_been() {
        let network = network();
        let maximum = |station| network.maximum(station).map(|price| price.minor);
        assert_eq!(maximum("h1"), Some(460));
        assert_eq!(
            maximum("t"),
            Some(240),
            "the dear ride to zone B is of a line that does not call here"
        );
        assert_eq!(maximum("x"), Some(240));
        assert_eq!(maximum("nowhere"), None);
    }

    /// Three stops in a row and a branch with a change; the zones of both lines are passed, not named as ends.
    #[test]
    fn ways_tell_distance_and_the_zones_that_fares_contain() {
        let files = [
            (
                "agency.txt",
                "agency_id,agency_name,agency_timezone\nm,Metro,Europe/Berlin\n",
            ),
            (
                "stops.txt",
                "stop_id,stop_name,stop_lat,stop_lon,zone_id,parent_station\na,A,52.00,13.00,1,\nb,B,52.01,13.00,2,\nb1,B 1,52.01,13.00,2,b\nc,C,52.02,13.00,3,\nd,D,52.01,13.02,4,\ne,E,,,5,\n",
            ),
            (
                "routes.txt",
                "route_id,route_short_name,route_type\nM1,One,1\nM2,Two,1\n",
            ),
            ("calendar_dates.txt", "service_id,date,exception_type\nx,20261125,1\n"),
            ("trips.txt", "route_id,service_id,trip_id\nM1,x,t1\nM2,x,t2\n"),
            (
                "stop_times.txt",
                "trip_id,stop_id,stop_sequence\nt1,c,3\nt1,a,1\nt1,b,2\nt2,b1,1\nt2,d,2\nt2,e,3\n",
            ),
            (
                "fare_attributes.txt",
                "fare_id,price,currency_type\nthree,3.00,EUR\ntwo,2.00,EUR\nchange,2.50,EUR\n",
            ),
            (
                "fare_rules.txt",
                "fare_id,route_id,origin_id,destination_id,contains_id\nthree,,,,1\nthree,,,,2\nthree,,,,3\ntwo,,,,1\ntwo,,,,2\nchange,,,,1\nchange,,,,2\nchange,,,,4\n",
            ),
        ];
        let feed = Feed::read(|name| files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text));
        let network = Network::of(feed.unwrap());
        let metres = |from, to, line| network.way(from, to, line).map(|way| way.distance_m);
        assert_eq!(metres("a", "c", "One"), Some(2_224));
        assert_eq!(metres("A", "B", ""), Some(1_112));
        assert_eq!(metres("c", "a", ""), None, "no trip leads back");
        // With a change at B, whichever platform.
        let there = network.way("a", "d", "").unwrap();
        assert_eq!(there.distance_m, 1_112 + 1_369);
        assert_eq!(there.zones.into_iter().collect::<Vec<_>>(), ["1", "2", "4"]);
        assert_eq!(metres("d", "e", ""), None, "a stop without a position");
        let fare = |from, to| network.fare(from, to).map(|quote| quote.price.minor);
        assert_eq!(fare("a", "c"), Some(300));
        assert_eq!(fare("a", "b1"), Some(200));
        assert_eq!(fare("a", "d"), Some(250));
        assert_eq!(fare("b", "c"), None, "no fare contains just these zones");
        let at = network.at("b1").unwrap();
        assert_eq!((at.name, at.zone, at.point.is_some()), ("B 1", "2", true));
    }
}
