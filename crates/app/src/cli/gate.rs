//! `onescan gate`.

use std::fs::File;
use std::io::{self, BufReader, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use onescan_domain::money::{Currency, Money};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::verify::{Policy, UnknownEntry, WhenStale};

use super::Finding;
use super::output::Format;
use crate::config::LogConfig;
use crate::gate::{self, Server, Setup, Verdict};
use crate::logging;

const AFTER_HELP: &str = "\
Examples:
  onescan merchant terminal mer_… \"Gate 3\" --store sto_… --role gate
  ONESCAN_GATE_KEY=key_… onescan gate --entry --station S1 --server 127.0.0.1:8080
  onescan gate --exit --station S7 --offline codes.txt

A hand scanner types each code and a line end: that is all it needs. The first start needs
the server; after that the gate works without it for as long as its deny list may be old
(--list-hours), and hands its journal over when the server is back.

Every verdict is in the journal; one that opens is on the disk before it is told. A gate that
was killed goes on where it was. Input that ends, ends the gate.";

/// Read ride codes at a gate
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct GateCommand {
    /// Codes, one a line; without it standard input, where a scanner types them
    file: Option<PathBuf>,
    #[command(flatten)]
    kind: Kind,
    /// Where the gate stands, such as the stop_id of the feed
    #[arg(long, value_name = "ID")]
    station: String,
    /// Host and port of the server; TLS is for a proxy beside the gate
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    server: String,
    /// The gate's key
    #[arg(long, value_name = "KEY", env = "ONESCAN_GATE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Do not try to reach the server
    #[arg(long)]
    offline: bool,
    /// Key, journal and what the server told; one gate each
    #[arg(long, value_name = "FOLDER", default_value = "onescan-gate")]
    folder: PathBuf,
    /// Networks the gate belongs to besides its operator
    #[arg(long = "network", value_name = "NAME")]
    networks: Vec<String>,
    /// The most a ride can cost here, such as 12.50; needs --currency
    #[arg(long, value_name = "AMOUNT", requires = "currency")]
    fare_max: Option<String>,
    #[arg(long, value_name = "CODE", value_parser = super::currency)]
    currency: Option<Currency>,
    /// Seconds a code lives
    #[arg(long, value_name = "SECONDS", default_value_t = 45, value_parser = clap::value_parser!(i64).range(30..=60))]
    life: i64,
    /// Seconds by which clocks may be apart
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(0..=300))]
    skew: i64,
    /// Hours after which the deny list is too old
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(i64).range(1..=168))]
    list_hours: i64,
    /// With a deny list that is too old, let through what costs at most this instead of nobody; needs --currency
    #[arg(long, value_name = "AMOUNT", requires = "fare_max")]
    stale_up_to: Option<String>,
    /// What to do with an exit whose entry is not known here
    #[arg(long, value_enum, default_value = "accept")]
    unknown_entry: UnknownEntryRule,
    /// Minutes within which a second entry is refused
    #[arg(long, value_name = "MINUTES", default_value_t = 10, value_parser = clap::value_parser!(i64).range(0..=240))]
    passback: i64,
    /// Seconds between two looks at the server
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Kind {
    /// Into the paid area
    #[arg(long)]
    entry: bool,
    /// Out of the paid area
    #[arg(long)]
    exit: bool,
    /// One tap is the whole ride
    #[arg(long)]
    tap: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnknownEntryRule {
    /// Open, and mark the journey as incomplete
    Accept,
    /// Stay closed
    Refuse,
}

impl GateCommand {
    /// Needs no configuration: a gate is no server.
    pub(super) fn run(self, format: Format) -> Result<Finding> {
        logging::start(&LogConfig {
            filter: "warn".to_owned(),
            ..LogConfig::default()
        });
        let file = self.file.clone();
        let setup = self.setup()?;
        let mut out = io::stdout().lock();
        let tell = |verdict: &Verdict| match format {
            Format::Text => gate::print_text(&mut out, verdict),
            Format::Json => gate::print_json(&mut out, verdict),
        };
        match file {
            Some(path) => {
                let file = File::open(&path).with_context(|| format!("{} cannot be read", path.display()))?;
                gate::run(setup, BufReader::new(file), tell)?;
            }
            None => {
                if io::stdin().is_terminal() {
                    eprintln!("scan ride codes; Ctrl-D ends");
                }
                gate::run(setup, BufReader::new(io::stdin()), tell)?;
            }
        }
        Ok(Finding::Well)
    }

    fn setup(self) -> Result<Setup> {
        let money = |text: &str| {
            let currency = self.currency.context("--currency is missing")?;
            Money::parse_decimal(text, currency).with_context(|| format!("{text} is no amount in {currency}"))
        };
        let server = match self.offline {
            true => None,
            false => Some(Server {
                address: self.server.clone(),
                key: self
                    .key
                    .clone()
                    .context("the gate's key is missing: set ONESCAN_GATE_KEY, or use --offline")?,
            }),
        };
        Ok(Setup {
            kind: match (self.kind.entry, self.kind.exit) {
                (true, _) => TapKind::Entry,
                (false, true) => TapKind::Exit,
                (false, false) => TapKind::Single,
            },
            policy: Policy {
                code_life_s: self.life,
                skew_s: self.skew,
                fare_max: self.fare_max.as_deref().map(money).transpose()?,
                list_age_max_s: self.list_hours * 3_600,
                when_stale: match self.stale_up_to.as_deref() {
                    Some(text) => WhenStale::UpTo(money(text)?),
                    None => WhenStale::Refuse,
                },
                passback_ms: self.passback * 60_000,
                unknown_entry: match self.unknown_entry {
                    UnknownEntryRule::Accept => UnknownEntry::Accept,
                    UnknownEntryRule::Refuse => UnknownEntry::Refuse,
                },
                ..Policy::new(Vec::new())
            },
            folder: self.folder,
            station: self.station,
            networks: self.networks,
            server,
            every: Duration::from_secs(self.every),
        })
    }
}
