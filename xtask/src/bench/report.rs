//! Rows with their rounds, the ratios that count and their goals; as a table and as JSON.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::bill::{self, Billed};
use super::documents::{self, Form};

/// Above this share of the processor for other programs, a figure is not to be trusted.
pub const OTHERS_MAX: f64 = 0.10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Out of which accounts the payments of a row go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payers {
    /// Each person's own.
    Many,
    /// One institution's, through its members.
    Hot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// The empty handler: ten fields of JSON in, one out.
    Empty {
        connections: usize,
    },
    /// `fdatasync` of 4 KiB, overwritten.
    Flush,
    /// TPC-B as pgbench has it, prepared.
    Pgbench {
        clients: usize,
    },
    /// A document of so many lines, written on one core.
    Document {
        lines: usize,
        form: Form,
    },
    Codes {
        engine: Engine,
    },
    Pay {
        engine: Engine,
        payers: Payers,
        connections: usize,
    },
    /// Ride orders that the institution pays by policy and form.
    Rides {
        engine: Engine,
    },
    /// Every platform in a process of its own.
    Apart {
        engine: Engine,
    },
    /// One bill of so many rides, closed and written.
    Bill {
        engine: Engine,
    },
    /// At a part of the measured most, each payment timed from when it was due.
    Open {
        engine: Engine,
    },
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { connections } => write!(f, "empty handler, {connections} connections"),
            Self::Flush => write!(f, "fdatasync, 4 KiB overwrite"),
            Self::Pgbench { clients } => write!(f, "pgbench TPC-B prepared, {clients} clients"),
            Self::Document { lines, form } => write!(f, "document: {form}, {lines} lines"),
            Self::Codes { engine } => write!(f, "{}: codes, 64 connections", engine.name()),
            Self::Pay {
                engine,
                payers,
                connections,
            } => {
                let payers = match payers {
                    Payers::Many => "many accounts",
                    Payers::Hot => "one hot account",
                };
                write!(f, "{}: payments, {connections} connections, {payers}", engine.name())
            }
            Self::Rides { engine } => write!(f, "{}: ride payments, 64 connections", engine.name()),
            Self::Apart { engine } => write!(f, "{}: payments, 64 connections, platforms apart", engine.name()),
            Self::Bill { engine } => write!(f, "{}: bill of rides", engine.name()),
            Self::Open { engine } => write!(f, "{}: payments, open load at 60 %", engine.name()),
        }
    }
}

/// One round of one row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Processor time of each party per operation, microseconds.
    pub server_us: f64,
    pub database_us: f64,
    pub load_us: f64,
    /// Part of the machine that went to programs that are none of ours.
    pub others: f64,
}

#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub engine: Engine,
    pub idle_mb: f64,
    pub loaded_mb: f64,
}

/// Something that must hold beside the speed.
#[derive(Debug, Clone)]
pub struct Check {
    pub what: String,
    pub found: String,
    pub holds: bool,
}

#[derive(Debug, Default)]
pub struct Report {
    machine: String,
    rounds: usize,
    seconds: f64,
    rows: Vec<(Row, Vec<Sample>)>,
    /// Bytes of the documents.
    sizes: Vec<(Row, usize)>,
    pub memory: Vec<Memory>,
    pub bills: Vec<Billed>,
    pub checks: Vec<Check>,
}

/// Where a figure should be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Goal {
    AtLeast(f64),
    Below(f64),
}

impl Goal {
    fn reached(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::Below(most) => value < most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least:.2}"),
            Self::Below(most) => write!(f, "below {most:.2}"),
        }
    }
}

struct Ratio {
    what: String,
    value: f64,
    goal: Option<Goal>,
}

/// The goals are for the whole number of rides.
fn bill_ratios(billed: &Billed, note: &mut impl FnMut(String, Option<f64>, Option<Goal>)) {
    const SECONDS: f64 = 30.0;
    const MEGABYTES: f64 = 500.0;
    let goal = |most| (billed.rides == bill::RIDES).then_some(Goal::Below(most));
    let (name, rides) = (billed.engine.name(), billed.rides);
    let written = billed.issued_s + billed.listed_s;
    note(
        format!("{name}: bill of {rides} rides closed and written (XML, CSV), s"),
        Some(written),
        goal(SECONDS),
    );
    note(
        format!("{name}: peak memory of that server, MB"),
        Some(billed.peak_mb),
        goal(MEGABYTES),
    );
}

impl Report {
    /// `seconds`: how long each row is measured in each of the `rounds`.
    pub fn new(machine: String, rounds: usize, seconds: f64) -> Self {
        Self {
            machine,
            rounds,
            seconds,
            ..Self::default()
        }
    }

    pub fn add(&mut self, row: Row, sample: Sample) {
        match self.rows.iter_mut().find(|(known, _)| *known == row) {
            Some((_, samples)) => samples.push(sample),
            None => self.rows.push((row, vec![sample])),
        }
    }

    pub fn note_size(&mut self, row: Row, bytes: usize) {
        if !self.sizes.iter().any(|(known, _)| *known == row) {
            self.sizes.push((row, bytes));
        }
    }

    /// The row's median; `None` when it was not measured.
    pub fn median(&self, row: Row, figure: impl Fn(&Sample) -> f64) -> Option<f64> {
        let (_, samples) = self.rows.iter().find(|(known, _)| *known == row)?;
        Some(median(samples.iter().map(figure).collect()))
    }

    fn rate(&self, row: Row) -> Option<f64> {
        self.median(row, |sample| sample.per_second)
    }

    fn best_pgbench(&self) -> Option<f64> {
        let rates = self
            .rows
            .iter()
            .filter(|(row, _)| matches!(row, Row::Pgbench { .. }))
            .filter_map(|(row, _)| self.rate(*row));
        rates.max_by(f64::total_cmp)
    }

    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        let mut note = |what: String, value: Option<f64>, goal: Option<Goal>| {
            if let Some(value) = value {
                ratios.push(Ratio { what, value, goal });
            }
        };
        for engine in Engine::ALL {
            self.pay_ratios(engine, &mut note);
        }
        for billed in &self.bills {
            bill_ratios(billed, &mut note);
        }
        let lines = documents::LINES[1];
        for form in Form::ALL {
            let row = Row::Document { lines, form };
            let slowest = self.median(row, |sample| sample.p99_ms);
            note(format!("p99 of a {row}, ms"), slowest, Some(Goal::Below(500.0)));
        }
        ratios
    }

    fn pay_ratios(&self, engine: Engine, note: &mut impl FnMut(String, Option<f64>, Option<Goal>)) {
        let name = engine.name();
        let pay = |payers, connections| Row::Pay {
            engine,
            payers,
            connections,
        };
        for connections in super::CONNECTIONS {
            let goal = match (engine, connections) {
                (Engine::Sqlite, 64) => Some(Goal::AtLeast(0.30)),
                (Engine::Sqlite, 256) => Some(Goal::AtLeast(0.40)),
                (Engine::Postgres, 64) => Some(Goal::AtLeast(0.20)),
                _ => None,
            };
            let value = over(
                self.rate(pay(Payers::Many, connections)),
                self.rate(Row::Empty { connections }),
            );
            note(
                format!("{name}: payments / empty handler, {connections} connections"),
                value,
                goal,
            );
        }
        let p99_max = match engine {
            Engine::Sqlite => 25.0,
            Engine::Postgres => 50.0,
        };
        let at_64 = pay(Payers::Many, 64);
        note(
            format!("{name}: p99 of payments at 64 connections, ms"),
            self.median(at_64, |sample| sample.p99_ms),
            Some(Goal::Below(p99_max)),
        );
        note(
            format!("{name}: ride payments / payments, 64 connections"),
            over(self.rate(Row::Rides { engine }), self.rate(at_64)),
            Some(Goal::AtLeast(0.8)),
        );
        let apart = Row::Apart { engine };
        note(
            format!("{name}: payments, platforms apart / in one process, 64 connections"),
            over(self.rate(apart), self.rate(at_64)),
            Some(Goal::AtLeast(1.0 / 3.0)),
        );
        note(
            format!("{name}: p99 of payments with platforms apart, ms"),
            self.median(apart, |sample| sample.p99_ms),
            Some(Goal::Below(100.0)),
        );
        let open = self.median(Row::Open { engine }, |sample| sample.p99_ms);
        note(format!("{name}: p99 of payments, open load, ms"), open, None);
        match engine {
            Engine::Postgres => note(
                format!("{name}: payments at 64 connections / best of pgbench"),
                over(self.rate(at_64), self.best_pgbench()),
                Some(Goal::AtLeast(4.0)),
            ),
            Engine::Sqlite => {
                let flush = self.median(Row::Flush, |sample| sample.p50_ms);
                let alone = self.median(pay(Payers::Many, 1), |sample| sample.p50_ms);
                note(
                    format!("{name}: median of a payment alone / median of a flush"),
                    over(alone, flush),
                    Some(Goal::Below(4.0)),
                );
            }
        }
        note(
            format!("{name}: one hot account / many, 64 connections"),
            over(self.rate(pay(Payers::Hot, 64)), self.rate(at_64)),
            Some(Goal::AtLeast(0.9)),
        );
        note(
            format!("{name}: codes / empty handler, 64 connections"),
            over(
                self.rate(Row::Codes { engine }),
                self.rate(Row::Empty { connections: 64 }),
            ),
            Some(Goal::AtLeast(0.35)),
        );
        let memory = self.memory.iter().find(|memory| memory.engine == engine);
        note(
            format!("{name}: idle memory of the server, MB"),
            memory.map(|memory| memory.idle_mb),
            Some(Goal::Below(40.0)),
        );
    }

    /// Rows and rounds in which other programs took too much.
    pub fn warnings(&self) -> Vec<String> {
        let disturbed = |(row, samples): &(Row, Vec<Sample>)| {
            let worst = samples.iter().map(|sample| sample.others).fold(0.0, f64::max);
            (worst > OTHERS_MAX)
                .then(|| format!("{row}: other programs took up to {:.0} % of the machine", worst * 100.0))
        };
        self.rows.iter().filter_map(disturbed).collect()
    }

    pub fn table(&self) -> String {
        let mut text = format!(
            "{}; {} round(s) of {} s, medians [smallest..largest]\n\n",
            self.machine, self.rounds, self.seconds
        );
        let _ = writeln!(
            text,
            "{:<52} {:>26} {:>9} {:>9} {:>9} {:>9} {:>9}",
            "row", "per second", "p50 ms", "p99 ms", "server us", "db us", "others %"
        );
        for (row, samples) in &self.rows {
            let figure = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
            let _ = writeln!(
                text,
                "{:<52} {:>26} {:>9.2} {:>9.2} {:>9.1} {:>9.1} {:>9.0}",
                row.to_string(),
                spread(samples),
                figure(|sample| sample.p50_ms),
                figure(|sample| sample.p99_ms),
                figure(|sample| sample.server_us),
                figure(|sample| sample.database_us),
                figure(|sample| sample.others) * 100.0,
            );
        }
        let _ = writeln!(text, "\n{:<66} {:>8}  {:<16} reached", "ratio", "value", "goal");
        for Ratio { what, value, goal } in self.ratios() {
            let goal_text = goal.map_or(String::new(), |goal| goal.to_string());
            let reached = goal.map_or("", |goal| if goal.reached(value) { "yes" } else { "NO" });
            let _ = writeln!(text, "{what:<66} {value:>8.2}  {goal_text:<16} {reached}");
        }
        text.push('\n');
        for Memory {
            engine,
            idle_mb,
            loaded_mb,
        } in &self.memory
        {
            let _ = writeln!(
                text,
                "memory of the server on {}: {idle_mb:.1} MB idle, {loaded_mb:.1} MB after the load",
                engine.name()
            );
        }
        for billed in &self.bills {
            let files = billed
                .files
                .iter()
                .map(|(name, bytes)| format!("{name} {:.1} MB", *bytes as f64 / 1e6));
            let _ = writeln!(
                text,
                "bill of {} rides on {}: closed after {:.1} s, written after {:.1} s, list in {:.1} s, peak memory {:.0} MB; {}",
                billed.rides,
                billed.engine.name(),
                billed.closed_s,
                billed.issued_s,
                billed.listed_s,
                billed.peak_mb,
                files.collect::<Vec<_>>().join(", ")
            );
        }
        for (row, bytes) in &self.sizes {
            let _ = writeln!(text, "size of a {row}: {:.1} kB", *bytes as f64 / 1_000.0);
        }
        for Check { what, found, holds } in &self.checks {
            let _ = writeln!(text, "{} {what}: {found}", if *holds { "holds:" } else { "BROKEN:" });
        }
        for warning in self.warnings() {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }

    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(row, samples)| {
            let figure = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure).collect());
            json!({
                "row": row.to_string(),
                "per_second": figure(|sample| sample.per_second),
                "per_second_rounds": samples.iter().map(|sample| sample.per_second).collect::<Vec<_>>(),
                "p50_ms": figure(|sample| sample.p50_ms),
                "p99_ms": figure(|sample| sample.p99_ms),
                "p99_ms_rounds": samples.iter().map(|sample| sample.p99_ms).collect::<Vec<_>>(),
                "server_us": figure(|sample| sample.server_us),
                "database_us": figure(|sample| sample.database_us),
                "load_us": figure(|sample| sample.load_us),
                "others_share_max": samples.iter().map(|sample| sample.others).fold(0.0, f64::max),
            })
        });
        let ratios = self.ratios().into_iter().map(|Ratio { what, value, goal }| {
            json!({
                "ratio": what,
                "value": value,
                "goal": goal.map(|goal| goal.to_string()),
                "reached": goal.map(|goal| goal.reached(value)),
            })
        });
        let memory = self.memory.iter().map(|memory| {
            json!({ "engine": memory.engine.name(), "idle_mb": memory.idle_mb, "loaded_mb": memory.loaded_mb })
        });
        let sizes = self
            .sizes
            .iter()
            .map(|(row, bytes)| json!({ "document": row.to_string(), "bytes": bytes }));
        let bills = self.bills.iter().map(|billed| {
            let files = billed
                .files
                .iter()
                .map(|(name, bytes)| ((*name).to_owned(), json!(bytes)));
            json!({
                "engine": billed.engine.name(), "rides": billed.rides, "closed_s": billed.closed_s,
                "issued_s": billed.issued_s, "listed_s": billed.listed_s, "peak_mb": billed.peak_mb,
                "bytes": files.collect::<serde_json::Map<_, _>>(),
            })
        });
        let checks = self
            .checks
            .iter()
            .map(|check| json!({ "check": check.what, "found": check.found, "holds": check.holds }));
        json!({
            "machine": self.machine,
            "rounds": self.rounds,
            "seconds": self.seconds,
            "rows": rows.collect::<Vec<_>>(),
            "ratios": ratios.collect::<Vec<_>>(),
            "memory": memory.collect::<Vec<_>>(),
            "bills": bills.collect::<Vec<_>>(),
            "sizes": sizes.collect::<Vec<_>>(),
            "checks": checks.collect::<Vec<_>>(),
            "warnings": self.warnings(),
        })
    }
}

fn over(part: Option<f64>, whole: Option<f64>) -> Option<f64> {
    Some(part? / whole.filter(|whole| *whole > 0.0)?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

fn spread(samples: &[Sample]) -> String {
    let rates: Vec<f64> = samples.iter().map(|sample| sample.per_second).collect();
    let smallest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = rates.iter().copied().fold(0.0, f64::max);
    format!("{:.0} [{smallest:.0}..{largest:.0}]", median(rates))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(per_second: f64, p99_ms: f64) -> Sample {
        Sample {
            per_second,
            p99_ms,
            ..Sample::default()
        }
    }

    fn ratio(report: &Report, what: &str) -> (f64, Option<bool>) {
        let ratio = report.ratios().into_iter().find(|ratio| ratio.what == what).unwrap();
        (ratio.value, ratio.goal.map(|goal| goal.reached(ratio.value)))
    }

    #[test]
    fn ratios_are_those_of_medians() {
        let mut report = Report::default();
        let pay = Row::Pay {
            engine: Engine::Sqlite,
            payers: Payers::Many,
            connections: 64,
        };
        for (empty, paid) in [(90.0, 10.0), (100.0, 29.0), (1000.0, 31.0)] {
            report.add(Row::Empty { connections: 64 }, sample(empty, 1.0));
            report.add(pay, sample(paid, 30.0));
        }
        let what = "SQLite: payments / empty handler, 64 connections";
        assert_eq!(ratio(&report, what), (0.29, Some(false)));
        assert_eq!(
            ratio(&report, "SQLite: p99 of payments at 64 connections, ms"),
            (30.0, Some(false))
        );
        assert!(report.table().contains("29 [10..31]"), "{}", report.table());
        assert_eq!(report.json()["ratios"][0]["reached"], json!(false));
    }

    #[test]
    fn a_row_that_was_not_measured_has_no_ratio() {
        assert!(Report::default().ratios().is_empty());
    }

    #[test]
    fn disturbed_rounds_are_told() {
        let mut report = Report::default();
        report.add(Row::Flush, sample(1.0, 1.0));
        assert!(report.warnings().is_empty());
        let disturbed = Sample {
            others: 0.2,
            ..sample(1.0, 1.0)
        };
        report.add(Row::Flush, disturbed);
        assert_eq!(report.warnings().len(), 1);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
