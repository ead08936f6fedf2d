//! The way from stop to stop along the lines of a feed: how long it is and which fare zones it passes.
//!
//! Platforms of a station are one place. Lengths are those between stops, straight from one to the next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use super::feed::Feed;
use crate::geo::GeoPoint;

/// A way between two stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    pub distance_m: i64,
    /// Of every stop on it, the ends included; without those that have none.
    pub zones: BTreeSet<String>,
}

/// Stops and stations as numbers, and what leads from one to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ways {
    /// The place that a stop belongs to.
    places: HashMap<String, usize>,
    facts: Vec<Place>,
    /// Id of the line and the places its trips call at, each sequence once.
    patterns: Vec<(String, Vec<usize>)>,
    /// From a place to the next one of some trip, in millimetres.
    next: BTreeMap<usize, BTreeMap<usize, i64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    zone: String,
    point: Option<GeoPoint>,
}

impl Ways {
    pub fn of(feed: &Feed) -> Self {
        let mut ways = Self::default();
        let parents: HashMap<&str, &str> = feed
            .stops
            .iter()
            .filter_map(|stop| Some((stop.id.as_str(), stop.parent.as_deref()?)))
            .collect();
        for stop in &feed.stops {
            let root = parents.get(stop.id.as_str()).copied().unwrap_or(&stop.id);
            let place = match ways.places.get(root) {
                Some(place) => *place,
                None => {
                    ways.facts.push(Place::default());
                    ways.places.insert(root.to_owned(), ways.facts.len() - 1);
                    ways.facts.len() - 1
                }
            };
            ways.places.insert(stop.id.clone(), place);
            let facts = &mut ways.facts[place];
            // The station's own, else the first platform's.
            if facts.zone.is_empty() || (stop.id == root && !stop.zone.is_empty()) {
                facts.zone.clone_from(&stop.zone);
            }
            if facts.point.is_none() || (stop.id == root && stop.point.is_some()) {
                facts.point = stop.point;
            }
        }
        ways.add_patterns(feed);
        ways
    }

    fn add_patterns(&mut self, feed: &Feed) {
        let mut calls: BTreeMap<&str, Vec<(u32, usize)>> = BTreeMap::new();
        for call in &feed.stop_times {
            if let Some(place) = self.places.get(&call.stop) {
                calls.entry(&call.trip).or_default().push((call.sequence, *place));
            }
        }
        let mut patterns = BTreeSet::new();
        for (trip, mut calls) in calls {
            let Some((line, _)) = feed.trips.get(trip) else {
                continue;
            };
            calls.sort_unstable();
            let places: Vec<usize> = calls.into_iter().map(|(_, place)| place).collect();
            patterns.insert((line.clone(), places));
        }
        for (_, places) in &patterns {
            for pair in places.windows(2) {
                if let Some(length) = self.length(pair[0], pair[1]) {
                    self.next.entry(pair[0]).or_default().insert(pair[1], length);
                }
            }
        }
        self.patterns = patterns.into_iter().collect();
    }

    /// In millimetres; `None`: a position is not known.
    fn length(&self, from: usize, to: usize) -> Option<i64> {
        Some(self.facts[from].point?.distance_mm(self.facts[to].point?))
    }

    /// Along one line without a change, the shortest; `line`: its id.
    pub fn direct(&self, from: &str, to: &str, line: Option<&str>) -> Option<Way> {
        let sections = self.sections(from, to, line);
        let lengths = sections.filter_map(|section| {
            let pairs = section.windows(2).map(|pair| self.length(pair[0], pair[1]));
            Some((pairs.sum::<Option<i64>>()?, section))
        });
        let (length, section) = lengths.min_by_key(|(length, _)| *length)?;
        Some(self.way(length, section))
    }

    /// The zones of the line's shortest section by stops, whose positions need not be known.
    pub fn direct_zones(&self, from: &str, to: &str, line: &str) -> Option<BTreeSet<String>> {
        let shortest = self
            .sections(from, to, Some(line))
            .min_by_key(|section| section.len())?;
        Some(self.zones(shortest))
    }

    /// The parts of trips that lead from the one to the other.
    fn sections<'w>(&'w self, from: &str, to: &str, line: Option<&'w str>) -> impl Iterator<Item = &'w [usize]> {
        let ends = self.places.get(from).copied().zip(self.places.get(to).copied());
        let patterns = self
            .patterns
            .iter()
            .filter(move |(known, _)| line.is_none_or(|line| line == known));
        patterns.filter_map(move |(_, places)| {
            let (from, to) = ends?;
            let last = places.iter().rposition(|place| *place == to)?;
            let first = places[..=last].iter().rposition(|place| *place == from)?;
            Some(&places[first..=last])
        })
    }

    /// With as many changes as it takes.
    pub fn shortest(&self, from: &str, to: &str) -> Option<Way> {
        let (from, to) = (*self.places.get(from)?, *self.places.get(to)?);
        let mut reached: BTreeMap<usize, (i64, usize)> = BTreeMap::from([(from, (0, from))]);
        let mut open = BinaryHeap::from([Reverse((0_i64, from))]);
        while let Some(Reverse((length, place))) = open.pop() {
            if place == to {
                return Some(self.way(length, &trail(&reached, from, to)));
            }
            if reached.get(&place).is_some_and(|(best, _)| *best < length) {
                continue;
            }
            for (next, step) in self.next.get(&place).into_iter().flatten() {
                let through = length + step;
                if reached.get(next).is_none_or(|(best, _)| through < *best) {
                    reached.insert(*next, (through, place));
                    open.push(Reverse((through, *next)));
                }
            }
        }
        None
    }

    fn way(&self, length_mm: i64, places: &[usize]) -> Way {
        Way {
            distance_m: (length_mm + 500) / 1_000,
            zones: self.zones(places),
        }
    }

    fn zones(&self, places: &[usize]) -> BTreeSet<String> {
        let zones = places.iter().map(|place| &self.facts[*place].zone);
        zones.filter(|zone| !zone.is_empty()).cloned().collect()
    }
}

/// From the end back to the start.
fn trail(reached: &BTreeMap<usize, (i64, usize)>, from: usize, to: usize) -> Vec<usize> {
    let mut trail = vec![to];
    let mut place = to;
    while place != from {
        let Some((_, before)) = reached.get(&place) else { break };
        place = *before;
        trail.push(place);
    }
    trail
}
