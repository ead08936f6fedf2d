//! The files of a feed that rules and fares need; shapes, transfers and translations are left alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::csv::{FeedError, FeedFaults, Row, Table};
use super::fares::{Fare, FareRule, Fares};
use crate::calendar::{Date, weekday_of_day};
use crate::geo::GeoPoint;
use crate::money::{Currency, Money};

/// The files that a feed is read from; what else is in it is left alone.
pub const FILES: [&str; 9] = [
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

/// Faults of one feed that are told; there may be as many as it has rows.
const FAULTS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agency {
    pub id: String,
    pub name: String,
    /// IANA name.
    pub time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub id: String,
    pub name: String,
    /// Fare zone; empty where there is none.
    pub zone: String,
    pub point: Option<GeoPoint>,
    /// The station that a platform belongs to.
    pub parent: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub id: String,
    /// The short name, or else the long one, or else the id.
    pub name: String,
    pub agency: String,
    /// GTFS route type: 0 tram, 1 metro, 2 rail, 3 bus …
    pub kind: u16,
}

/// The days on which trips run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Service {
    /// From Monday to Sunday.
    pub weekdays: [bool; 7],
    /// Days since 1970, first and last included.
    pub first: i32,
    pub last: i32,
    /// Days added (`true`) and taken away (`false`).
    pub exceptions: BTreeMap<i32, bool>,
}

/// One call of a trip. Times are seconds since noon minus twelve hours of the service day, and may be past 24 hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopTime {
    pub trip: String,
    pub stop: String,
    pub sequence: u32,
    pub arrival_s: Option<u32>,
    pub departure_s: Option<u32>,
}

/// A feed whose references were checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Feed {
    pub agencies: Vec<Agency>,
    pub stops: Vec<Stop>,
    pub lines: Vec<Line>,
    pub services: BTreeMap<String, Service>,
    /// Trips by id: line and service.
    pub trips: BTreeMap<String, (String, String)>,
    pub stop_times: Vec<StopTime>,
    pub fares: Fares,
}

impl Service {
    pub fn runs_on(&self, day: i32) -> bool {
        let weekday = usize::from(weekday_of_day(day)) - 1;
        let regular = (self.first..=self.last).contains(&day) && self.weekdays[weekday];
        self.exceptions.get(&day).copied().unwrap_or(regular)
    }
}

/// Seconds of `25:10:00`, also `5:10:00`.
pub fn parse_time(text: &str) -> Option<u32> {
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = parts.next().is_none() && hours < 100 && minutes < 60 && seconds < 60;
    fits.then_some(hours * 3_600 + minutes * 60 + seconds)
}

impl Feed {
    /// Reads the files that `file` finds by name, such as `stops.txt`, and tells everything that is wrong with them; what a feed
    /// may leave out is empty.
    pub fn read<'f>(file: impl Fn(&str) -> Option<&'f str>) -> Result<Self, FeedFaults> {
        let mut faults = Faults::default();
        let mut table = |name: &'static str, needed: bool, columns: &[&'static str]| {
            let read = match file(name) {
                None if needed => Err(FeedError::MissingFile { file: name }),
                None => Table::parse(name, ""),
                Some(text) => Table::parse(name, text).and_then(|table| table.needs(columns)),
            };
            faults.keep(read)
        };
        let agency = table("agency.txt", true, &["agency_name", "agency_timezone"]);
        let stops = table("stops.txt", true, &["stop_id"]);
        let routes = table("routes.txt", true, &["route_id", "route_type"]);
        let regular = ["service_id", "monday", "sunday", "start_date", "end_date"];
        let regular = table("calendar.txt", false, &regular);
        let exceptions = table("calendar_dates.txt", false, &["service_id", "date", "exception_type"]);
        let trips = table("trips.txt", true, &["route_id", "service_id", "trip_id"]);
        let stop_times = table("stop_times.txt", true, &["trip_id", "stop_id", "stop_sequence"]);
        let prices = table("fare_attributes.txt", false, &["fare_id", "price", "currency_type"]);
        let rules = table("fare_rules.txt", false, &["fare_id"]);
        // Without one of the tables every reference into it would be a fault of its own.
        let (Some(agency), Some(stops), Some(routes), Some(regular), Some(exceptions)) =
            (agency, stops, routes, regular, exceptions)
        else {
            return Err(faults.into());
        };
        let (Some(trips), Some(stop_times), Some(prices), Some(rules)) = (trips, stop_times, prices, rules) else {
            return Err(faults.into());
        };
        let mut feed = Self {
            agencies: agency.rows().map(read_agency).collect(),
            ..Self::default()
        };
        feed.read_stops(&stops, &mut faults);
        feed.read_lines(&routes, &mut faults);
        feed.read_calendar(&regular, &exceptions, &mut faults);
        let line_ids: HashSet<&str> = routes.rows().map(|row| row.text("route_id")).collect();
        feed.read_trips(&trips, &line_ids, &mut faults);
        let stop_ids: HashSet<&str> = stops.rows().map(|row| row.text("stop_id")).collect();
        feed.read_stop_times(&stop_times, &stop_ids, &mut faults);
        feed.read_fares(&prices, &rules, &line_ids, &mut faults);
        match faults.all.is_empty() {
            true => Ok(feed),
            false => Err(faults.into()),
        }
    }

    /// By id, or else by name; the first of that name.
    pub fn stop(&self, word: &str) -> Option<&Stop> {
        let by_id = self.stops.iter().find(|stop| stop.id == word);
        by_id.or_else(|| self.stops.iter().find(|stop| stop.name == word))
    }

    fn read_stops(&mut self, table: &Table, faults: &mut Faults) {
        let known: HashSet<&str> = table.rows().map(|row| row.text("stop_id")).collect();
        let mut seen = HashSet::new();
        for row in table.rows() {
            let stop = || {
                let id = row.read("stop_id", "an id", present)?;
                let orphan = row
                    .option("parent_station")
                    .is_some_and(|parent| !known.contains(parent));
                if orphan {
                    return Err(row.unknown("parent_station", "stops.txt"));
                }
                Ok(Stop {
                    name: row.option("stop_name").unwrap_or(&id).to_owned(),
                    zone: row.text("zone_id").to_owned(),
                    point: row.point()?,
                    parent: row.option("parent_station").map(str::to_owned),
                    id,
                })
            };
            let twice = !seen.insert(row.text("stop_id"));
            let stop = if twice { Err(row.twice("stop_id")) } else { stop() };
            self.stops.extend(faults.keep(stop));
        }
    }

    fn read_lines(&mut self, table: &Table, faults: &mut Faults) {
        let only = self.agencies.first().map(|agency| agency.id.as_str());
        let only = only.unwrap_or_default().to_owned();
        let mut seen = HashSet::new();
        for row in table.rows() {
            let line = || {
                let id = row.read("route_id", "an id", present)?;
                let agency = row.option("agency_id").unwrap_or(&only).to_owned();
                if !self.agencies.iter().any(|known| known.id == agency) {
                    return Err(row.unknown("agency_id", "agency.txt"));
                }
                let name = row.option("route_short_name").or(row.option("route_long_name"));
                Ok(Line {
                    name: name.unwrap_or(&id).to_owned(),
                    agency,
                    kind: row.read("route_type", "a number of a kind of line", |text| text.parse().ok())?,
                    id,
                })
            };
            let twice = !seen.insert(row.text("route_id"));
            let line = if twice { Err(row.twice("route_id")) } else { line() };
            self.lines.extend(faults.keep(line));
        }
    }

    fn read_calendar(&mut self, regular: &Table, exceptions: &Table, faults: &mut Faults) {
        const WEEKDAYS: [&str; 7] = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        for row in regular.rows() {
            let service = || {
                let service = Service {
                    weekdays: WEEKDAYS.map(|weekday| row.text(weekday) == "1"),
                    first: row.read("start_date", "a date such as 20261231", compact_day)?,
                    last: row.read("end_date", "a date such as 20261231", compact_day)?,
                    exceptions: BTreeMap::new(),
                };
                Ok((row.read("service_id", "an id", present)?, service))
            };
            // A faulty one is known all the same, so that its trips are no faults.
            let (id, service) = faults
                .keep(service())
                .unwrap_or_else(|| (row.text("service_id").to_owned(), Service::default()));
            if self.services.insert(id, service).is_some() {
                faults.add(row.twice("service_id"));
            }
        }
        for row in exceptions.rows() {
            let exception = || {
                let day = row.read("date", "a date such as 20261231", compact_day)?;
                let added = row.read("exception_type", "1 or 2", |text| match text {
                    "1" => Some(true),
                    "2" => Some(false),
                    _ => None,
                })?;
                Ok((row.read("service_id", "an id", present)?, day, added))
            };
            // A service may have no other days than these.
            let never = Service {
                last: -1,
                ..Service::default()
            };
            match faults.keep(exception()) {
                Some((id, day, added)) => {
                    self.services.entry(id).or_insert(never).exceptions.insert(day, added);
                }
                None => {
                    self.services.entry(row.text("service_id").to_owned()).or_insert(never);
                }
            }
        }
    }

    fn read_trips(&mut self, table: &Table, line_ids: &HashSet<&str>, faults: &mut Faults) {
        for row in table.rows() {
            let (id, line, service) = (row.text("trip_id"), row.text("route_id"), row.text("service_id"));
            let trip = match () {
                () if id.is_empty() => Err(row.wrong("trip_id", "an id")),
                () if !line_ids.contains(line) => Err(row.unknown("route_id", "routes.txt")),
                () if !self.services.contains_key(service) => {
                    Err(row.unknown("service_id", "calendar.txt or calendar_dates.txt"))
                }
                () if self.trips.contains_key(id) => Err(row.twice("trip_id")),
                () => Ok(()),
            };
            faults.keep(trip);
            self.trips
                .entry(id.to_owned())
                .or_insert((line.to_owned(), service.to_owned()));
        }
    }

    fn read_stop_times(&mut self, table: &Table, stop_ids: &HashSet<&str>, faults: &mut Faults) {
        let time = |row: Row<'_>, column| match row.option(column) {
            Some(_) => row.read(column, "a time such as 25:10:00", parse_time).map(Some),
            None => Ok(None),
        };
        for row in table.rows() {
            let call = || {
                if !stop_ids.contains(row.text("stop_id")) {
                    return Err(row.unknown("stop_id", "stops.txt"));
                }
                if !self.trips.contains_key(row.text("trip_id")) {
                    return Err(row.unknown("trip_id", "trips.txt"));
                }
                Ok(StopTime {
                    trip: row.text("trip_id").to_owned(),
                    stop: row.text("stop_id").to_owned(),
                    sequence: row.read("stop_sequence", "a whole number", |text| text.parse().ok())?,
                    arrival_s: time(row, "arrival_time")?,
                    departure_s: time(row, "departure_time")?,
                })
            };
            let call = call();
            self.stop_times.extend(faults.keep(call));
        }
    }

    fn read_fares(&mut self, prices: &Table, rules: &Table, line_ids: &HashSet<&str>, faults: &mut Faults) {
        let mut places: HashMap<&str, Option<usize>> = HashMap::new();
        for row in prices.rows() {
            let fare = || {
                let id = row.read("fare_id", "an id", present)?;
                let currency = row.read("currency_type", "a currency such as EUR", Currency::parse)?;
                let price = Money::parse_decimal(price_text(row.text("price")), currency);
                let price = price.map_err(|error| FeedError::Price {
                    file: row.file(),
                    line: row.line,
                    error,
                })?;
                if places.contains_key(row.text("fare_id")) {
                    return Err(row.twice("fare_id"));
                }
                Ok(Fare {
                    id,
                    price,
                    agency: row.option("agency_id").map(str::to_owned),
                    rules: Vec::new(),
                })
            };
            let fare = faults.keep(fare());
            let place = fare.is_some().then_some(self.fares.all.len());
            self.fares.all.extend(fare);
            places.entry(row.text("fare_id")).or_insert(place);
        }
        for row in rules.rows() {
            let text = |column| row.option(column).map(str::to_owned);
            let Some(place) = places.get(row.text("fare_id")) else {
                faults.add(row.unknown("fare_id", "fare_attributes.txt"));
                continue;
            };
            if row.option("route_id").is_some_and(|line| !line_ids.contains(line)) {
                faults.add(row.unknown("route_id", "routes.txt"));
                continue;
            }
            if let Some(place) = place {
                self.fares.all[*place].rules.push(FareRule {
                    line: text("route_id"),
                    origin: text("origin_id"),
                    destination: text("destination_id"),
                    contains: text("contains_id"),
                });
            }
        }
    }
}

/// What was found wrong so far.
#[derive(Debug, Default)]
struct Faults {
    all: Vec<FeedError>,
    /// How many are not in it.
    more: usize,
}

impl Faults {
    fn add(&mut self, fault: FeedError) {
        match self.all.len() {
            0..FAULTS_MAX => self.all.push(fault),
            _ => self.more += 1,
        }
    }

    fn keep<T>(&mut self, read: Result<T, FeedError>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(fault) => {
                self.add(fault);
                None
            }
        }
    }
}

impl From<Faults> for FeedFaults {
    fn from(Faults { all, more }: Faults) -> Self {
        Self { all, more }
    }
}

fn read_agency(row: Row<'_>) -> Agency {
    Agency {
        id: row.text("agency_id").to_owned(),
        name: row.text("agency_name").to_owned(),
        time_zone: row.text("agency_timezone").to_owned(),
    }
}

/// Without zeros that stand behind the point for show, as in `150.00` yen.
fn price_text(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

fn present(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn compact_day(text: &str) -> Option<i32> {
    Date::parse_compact(text).map(Date::days)
}

#[cfg(test)]
mod tests;
