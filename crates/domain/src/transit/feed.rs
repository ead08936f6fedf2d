//! The files of a feed that rules and fares need; shapes, transfers and translations are left alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::csv::{FeedError, Row, Table};
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
    /// Reads the files that `file` finds by name, such as `stops.txt`. Refuses the first thing that is wrong; what a feed
    /// may leave out is empty.
    pub fn read<'f>(file: impl Fn(&str) -> Option<&'f str>) -> Result<Self, FeedError> {
        let needed = |name: &'static str, columns: &[&'static str]| {
            let text = file(name).ok_or(FeedError::MissingFile { file: name })?;
            Table::parse(name, text)?.needs(columns)
        };
        let optional = |name: &'static str, columns: &[&'static str]| match file(name) {
            Some(text) => Table::parse(name, text)?.needs(columns),
            None => Table::parse(name, ""),
        };
        let agency = needed("agency.txt", &["agency_name", "agency_timezone"])?;
        let mut feed = Self {
            agencies: agency.rows().map(read_agency).collect(),
            ..Self::default()
        };
        feed.read_stops(&needed("stops.txt", &["stop_id"])?)?;
        feed.read_lines(&needed("routes.txt", &["route_id", "route_type"])?)?;
        feed.read_calendar(
            &optional(
                "calendar.txt",
                &["service_id", "monday", "sunday", "start_date", "end_date"],
            )?,
            &optional("calendar_dates.txt", &["service_id", "date", "exception_type"])?,
        )?;
        feed.read_trips(&needed("trips.txt", &["route_id", "service_id", "trip_id"])?)?;
        feed.read_stop_times(&needed("stop_times.txt", &["trip_id", "stop_id", "stop_sequence"])?)?;
        feed.read_fares(
            &optional("fare_attributes.txt", &["fare_id", "price", "currency_type"])?,
            &optional("fare_rules.txt", &["fare_id"])?,
        )?;
        Ok(feed)
    }

    /// By id, or else by name; the first of that name.
    pub fn stop(&self, word: &str) -> Option<&Stop> {
        let by_id = self.stops.iter().find(|stop| stop.id == word);
        by_id.or_else(|| self.stops.iter().find(|stop| stop.name == word))
    }

    fn read_stops(&mut self, table: &Table) -> Result<(), FeedError> {
        let mut known = HashSet::new();
        for row in table.rows() {
            let id = row.read("stop_id", "an id", present)?;
            if !known.insert(id.clone()) {
                return Err(row.twice("stop_id"));
            }
            self.stops.push(Stop {
                name: row.option("stop_name").unwrap_or(&id).to_owned(),
                zone: row.text("zone_id").to_owned(),
                point: row.point()?,
                parent: row.option("parent_station").map(str::to_owned),
                id,
            });
        }
        let orphan = |row: &Row<'_>| {
            row.option("parent_station")
                .is_some_and(|parent| !known.contains(parent))
        };
        match table.rows().find(orphan) {
            Some(row) => Err(row.unknown("parent_station", "stops.txt")),
            None => Ok(()),
        }
    }

    fn read_lines(&mut self, table: &Table) -> Result<(), FeedError> {
        let only = self
            .agencies
            .first()
            .map(|agency| agency.id.clone())
            .unwrap_or_default();
        for row in table.rows() {
            let id = row.read("route_id", "an id", present)?;
            if self.lines.iter().any(|line| line.id == id) {
                return Err(row.twice("route_id"));
            }
            let agency = row.option("agency_id").unwrap_or(&only).to_owned();
            if !self.agencies.iter().any(|known| known.id == agency) {
                return Err(row.unknown("agency_id", "agency.txt"));
            }
            let name = row.option("route_short_name").or(row.option("route_long_name"));
            self.lines.push(Line {
                name: name.unwrap_or(&id).to_owned(),
                agency,
                kind: row.read("route_type", "a number of a kind of line", |text| text.parse().ok())?,
                id,
            });
        }
        Ok(())
    }

    fn read_calendar(&mut self, regular: &Table, exceptions: &Table) -> Result<(), FeedError> {
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
            let service = Service {
                weekdays: WEEKDAYS.map(|weekday| row.text(weekday) == "1"),
                first: row.read("start_date", "a date such as 20261231", compact_day)?,
                last: row.read("end_date", "a date such as 20261231", compact_day)?,
                exceptions: BTreeMap::new(),
            };
            let id = row.read("service_id", "an id", present)?;
            if self.services.insert(id, service).is_some() {
                return Err(row.twice("service_id"));
            }
        }
        for row in exceptions.rows() {
            let day = row.read("date", "a date such as 20261231", compact_day)?;
            let added = row.read("exception_type", "1 or 2", |text| match text {
                "1" => Some(true),
                "2" => Some(false),
                _ => None,
            })?;
            let id = row.read("service_id", "an id", present)?;
            // A service may have no other days than these.
            let never = Service {
                last: -1,
                ..Service::default()
            };
            self.services.entry(id).or_insert(never).exceptions.insert(day, added);
        }
        Ok(())
    }

    fn read_trips(&mut self, table: &Table) -> Result<(), FeedError> {
        for row in table.rows() {
            let (id, line) = (row.read("trip_id", "an id", present)?, row.text("route_id"));
            if !self.lines.iter().any(|known| known.id == line) {
                return Err(row.unknown("route_id", "routes.txt"));
            }
            let service = row.text("service_id");
            if !self.services.contains_key(service) {
                return Err(row.unknown("service_id", "calendar.txt or calendar_dates.txt"));
            }
            if self.trips.insert(id, (line.to_owned(), service.to_owned())).is_some() {
                return Err(row.twice("trip_id"));
            }
        }
        Ok(())
    }

    fn read_stop_times(&mut self, table: &Table) -> Result<(), FeedError> {
        let stops: HashSet<&str> = self.stops.iter().map(|stop| stop.id.as_str()).collect();
        let time = |row: Row<'_>, column| match row.option(column) {
            Some(_) => row.read(column, "a time such as 25:10:00", parse_time).map(Some),
            None => Ok(None),
        };
        for row in table.rows() {
            if !stops.contains(row.text("stop_id")) {
                return Err(row.unknown("stop_id", "stops.txt"));
            }
            if !self.trips.contains_key(row.text("trip_id")) {
                return Err(row.unknown("trip_id", "trips.txt"));
            }
            self.stop_times.push(StopTime {
                trip: row.text("trip_id").to_owned(),
                stop: row.text("stop_id").to_owned(),
                sequence: row.read("stop_sequence", "a whole number", |text| text.parse().ok())?,
                arrival_s: time(row, "arrival_time")?,
                departure_s: time(row, "departure_time")?,
            });
        }
        Ok(())
    }

    fn read_fares(&mut self, prices: &Table, rules: &Table) -> Result<(), FeedError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for row in prices.rows() {
            let id = row.read("fare_id", "an id", present)?;
            let currency = row.read("currency_type", "a currency such as EUR", Currency::parse)?;
            let price =
                Money::parse_decimal(price_text(row.text("price")), currency).map_err(|error| FeedError::Price {
                    file: row.file(),
                    line: row.line,
                    error,
                })?;
            if places.insert(id.clone(), self.fares.all.len()).is_some() {
                return Err(row.twice("fare_id"));
            }
            self.fares.all.push(Fare {
                id,
                price,
                agency: row.option("agency_id").map(str::to_owned),
                rules: Vec::new(),
            });
        }
        for row in rules.rows() {
            let place = places.get(row.text("fare_id"));
            let place = *place.ok_or_else(|| row.unknown("fare_id", "fare_attributes.txt"))?;
            let text = |column| row.option(column).map(str::to_owned);
            if text("route_id").is_some_and(|line| !self.lines.iter().any(|known| known.id == line)) {
                return Err(row.unknown("route_id", "routes.txt"));
            }
            self.fares.all[place].rules.push(FareRule {
                line: text("route_id"),
                origin: text("origin_id"),
                destination: text("destination_id"),
                contains: text("contains_id"),
            });
        }
        Ok(())
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
