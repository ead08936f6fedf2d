//! `onescan gtfs`: transit feeds.
//!
//! Row R04.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use onescan_domain::ids::MerchantId;
use onescan_domain::money::Money;
use onescan_domain::transit::{FILES, FareQuestion, Feed, Line, Stop};
use onescan_platforms::journeys::{pack, unpack};
use serde_json::{Value, json};

use super::output::{Format, Output, Record, pad, print, print_json, width};
use super::{Desk, Finding};
use crate::demo::transit;

/// Look at transit feeds (GTFS) and take them in
#[derive(Debug, Subcommand)]
pub enum GtfsCommand {
    /// Read a feed, say what is wrong with it, and print its lines and stops, or the fare of a ride
    ///
    /// Exit status 1: it cannot be read, something is wrong with it, or it has no fare for the ride.
    ///
    /// Example: onescan gtfs show feed/ --from Harbour --to Airport --line M1
    Show(Show),
    /// Take a feed in for a ride provider and put it into use
    ///
    /// Fares, stops and lines of the provider's rides come from it. The same files again change nothing.
    ///
    /// Exit status 1: it cannot be read or something is wrong with it; then nothing is kept.
    ///
    /// Example: onescan gtfs import feed.zip --merchant mer_…
    Import(Import),
}

#[derive(Debug, Args)]
pub struct Import {
    /// A zip archive, or the folder with the feed's files
    feed: PathBuf,
    /// The ride provider
    #[arg(long, value_name = "ID")]
    merchant: MerchantId,
    /// What it is called; the file's name when absent
    #[arg(long)]
    name: Option<String>,
    /// Keep the feed that is in use
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// A zip archive, or the folder with the feed's files; without it the demo's own network
    feed: Option<PathBuf>,
    /// Where the ride starts: id or name of a stop
    #[arg(long, value_name = "STOP", requires = "to")]
    from: Option<String>,
    /// Where the ride ends
    #[arg(long, value_name = "STOP", requires = "from")]
    to: Option<String>,
    /// Line of the ride: id or name
    #[arg(long, requires = "from")]
    line: Option<String>,
}

impl Show {
    pub(super) fn run(&self, output: Output) -> Result<Finding> {
        let feed = match &self.feed {
            Some(place) => {
                let files = read(place)?;
                Feed::read(|name| files.get(name).map(String::as_str))?
            }
            None => transit::feed()?,
        };
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => fare(&feed, from, to, self.line.as_deref(), output),
            _ => contents(&feed, output),
        }
    }
}

impl Import {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let files = read(&self.feed)?;
        let archive = pack(files.iter().map(|(name, text)| (*name, text.as_str())))?;
        let stem = self.feed.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = self.name.or(stem).unwrap_or_else(|| "feed".to_owned());
        let house = desk.house().await?;
        let services = &house.services;
        let merchant = services.merchants.find(self.merchant).await?;
        let merchant = merchant.with_context(|| format!("there is no merchant {}", self.merchant))?;
        let feeds = &services.journeys.feeds;
        let mut feed = feeds.import(merchant.id, &name, archive).await??;
        if !self.keep {
            feed = feeds.activate(merchant.id, feed.id).await??;
        }
        house.close().await;
        let record = Record::new()
            .with("id", feed.id.to_string())
            .with("name", feed.name.as_str())
            .with("lines", feed.lines)
            .with("stops", feed.stops)
            .with("trips", feed.trips)
            .with("fares", feed.fares)
            .with("in_use", feed.active);
        desk.output.record(record)?;
        Ok(Finding::Well)
    }
}

/// The feed's files, from a folder or an archive.
fn read(place: &Path) -> Result<BTreeMap<&'static str, String>> {
    if place.is_dir() {
        return read_folder(place);
    }
    let archive = std::fs::read(place).with_context(|| format!("{} cannot be read", place.display()))?;
    let files = unpack(&archive);
    files.with_context(|| place.display().to_string())
}

fn read_folder(folder: &Path) -> Result<BTreeMap<&'static str, String>> {
    let mut texts = BTreeMap::new();
    for name in FILES {
        let path = folder.join(name);
        if path.is_file() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
            texts.insert(name, text);
        }
    }
    if texts.is_empty() {
        bail!("{} is no folder with the files of a feed", folder.display());
    }
    Ok(texts)
}

fn fare(feed: &Feed, from: &str, to: &str, line: Option<&str>, output: Output) -> Result<Finding> {
    let (from, to) = (stop(feed, from)?, stop(feed, to)?);
    let line = line.map(|word| find_line(feed, word)).transpose()?;
    let price = feed.fares.price(&FareQuestion {
        agency: line.map_or("", |line| &line.agency),
        line: line.map(|line| line.id.as_str()),
        origin: &from.zone,
        destination: &to.zone,
        passed: &[],
    });
    let shown = |price: Money| format!("{} {}", price.to_decimal(), price.currency);
    match output.format() {
        Format::Json => print_json(&json!({
            "from": from.id, "to": to.id, "line": line.map(|line| &line.id),
            "fare": price.map(|price| json!({"amount_minor": price.minor, "currency": price.currency.code()})),
        }))?,
        Format::Text => {
            let text = price.map_or("no fare for this ride; name a line with --line".to_owned(), shown);
            print(&format!("{} to {}: {text}\n", from.name, to.name))?;
        }
    }
    Ok(if price.is_some() { Finding::Well } else { Finding::Wrong })
}

fn stop<'f>(feed: &'f Feed, word: &str) -> Result<&'f Stop> {
    feed.stop(word)
        .with_context(|| format!("{word:?} is no stop of this feed; `onescan gtfs show` lists them"))
}

fn find_line<'f>(feed: &'f Feed, word: &str) -> Result<&'f Line> {
    let found = feed.lines.iter().find(|line| line.id == word || line.name == word);
    found.with_context(|| format!("{word:?} is no line of this feed; `onescan gtfs show` lists them"))
}

fn contents(feed: &Feed, output: Output) -> Result<Finding> {
    match output.format() {
        Format::Json => print_json(&as_json(feed))?,
        Format::Text => print(&as_text(feed))?,
    }
    Ok(Finding::Well)
}

fn as_json(feed: &Feed) -> Value {
    let lines = feed
        .lines
        .iter()
        .map(|line| json!({"id": line.id, "name": line.name, "agency": line.agency, "route_type": line.kind}));
    let stops = feed
        .stops
        .iter()
        .map(|stop| json!({"id": stop.id, "name": stop.name, "zone": stop.zone, "parent": stop.parent}));
    json!({
        "agencies": feed.agencies.iter().map(|agency| json!({"id": agency.id, "name": agency.name})).collect::<Vec<_>>(),
        "lines": lines.collect::<Vec<_>>(),
        "stops": stops.collect::<Vec<_>>(),
        "trip_count": feed.trips.len(),
        "stop_time_count": feed.stop_times.len(),
        "fare_count": feed.fares.all.len(),
    })
}

fn as_text(feed: &Feed) -> String {
    let names: Vec<&str> = feed.agencies.iter().map(|agency| agency.name.as_str()).collect();
    let mut text = format!(
        "{}: {} lines, {} stops, {} trips, {} fares\n\n",
        names.join(", "),
        feed.lines.len(),
        feed.stops.len(),
        feed.trips.len(),
        feed.fares.all.len()
    );
    let lines = feed.lines.iter().map(|line| (line.id.as_str(), line.name.as_str(), ""));
    let stops = feed
        .stops
        .iter()
        .map(|stop| (stop.id.as_str(), stop.name.as_str(), stop.zone.as_str()));
    for (heading, rows) in [("lines", lines.collect::<Vec<_>>()), ("stops", stops.collect())] {
        let columns = rows.iter().map(|(id, _, _)| width(id)).max().unwrap_or(0);
        text.push_str(&format!("{heading}\n"));
        for (id, name, zone) in rows {
            let zone = if zone.is_empty() {
                String::new()
            } else {
                format!("  zone {zone}")
            };
            text.push_str(&format!("  {}  {name}{zone}\n", pad(id, columns)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_network_has_zone_fares_and_a_night_bus_past_midnight() {
        let feed = transit::feed().unwrap();
        let price = |from: &str, to: &str, line: &str| {
            let (from, to, line) = (
                stop(&feed, from).unwrap(),
                stop(&feed, to).unwrap(),
                find_line(&feed, line).unwrap(),
            );
            let question = FareQuestion {
                agency: &line.agency,
                line: Some(&line.id),
                origin: &from.zone,
                destination: &to.zone,
                passed: &[],
            };
            feed.fares.price(&question).map(|price| price.minor)
        };
        assert_eq!(price("Harbour", "University", "M1"), Some(210));
        assert_eq!(price("Harbour", "Airport", "M1"), Some(460));
        assert_eq!(price("University", "Lakeside", "B7"), Some(240));
        assert_eq!(price("airport", "harbour", "N1"), Some(500));
        assert!(feed.stop_times.iter().any(|call| call.arrival_s > Some(24 * 3_600)));
        assert!(as_text(&feed).contains("science-park  Science Park  zone B"));
        assert_eq!(as_json(&feed)["fare_count"], 5);
    }
}
