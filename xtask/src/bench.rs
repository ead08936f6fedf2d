//! `cargo xtask bench`: durable payments and codes per second of a release server, on SQLite and on PostgreSQL, beside the
//! ceilings of this machine in the same run.
//!
//! A figure alone says little about another machine; the ratios to the ceilings do. Rows take turns, round by round, and
//! medians count. Server, database and load share the processors, so the load takes as little as it can, and a run beside
//! other busy programs is told as such. SPEED: the goals are those of the table in [`report`].

mod apart;
mod bill;
mod documents;
mod http;
mod load;
mod machine;
mod pgbench;
mod policy;
mod prepare;
mod report;
mod server;
mod site;
mod work;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::postgres::{Durability, GuardedCluster};
use crate::shell;
use load::{Load, Outcome, Repeat};
use machine::{Ours, Used};
use report::{Engine, Payers, Report, Row, Sample};
use site::Site;

/// Connections of the rows that grow with them.
const CONNECTIONS: [usize; 4] = [1, 16, 64, 256];
const PGBENCH_CLIENTS: [usize; 3] = [1, 8, 32];
/// Part of the most at which the open load runs.
const OPEN_PART: f64 = 0.6;
/// Answers after which a server is killed.
const ANSWERS_BEFORE_KILL: usize = 3_000;

/// How long and how much.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// One round of one second and few people: whether everything works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// How often every row is measured; medians count
    #[arg(long, default_value_t = 3, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How long every row is measured
    #[arg(long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// People, each with an account
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Measure one database only, without the other's ceilings
    #[arg(long)]
    only: Option<Engine>,
    /// Measure only rows whose name holds this text, such as "payments, 64"; may be given several times
    #[arg(long, value_name = "TEXT")]
    rows: Vec<String>,
    /// Run everything at real-time priority (`chrt`, needs the right to), so that programs beside it do not disturb the
    /// figures; they stand still meanwhile. The report says so
    #[arg(long)]
    realtime: bool,
    /// Measure only what one ride code costs a gate
    #[arg(long)]
    gate: bool,
    /// Measure the server as it was last built with `cargo build --release`
    #[arg(long)]
    no_build: bool,
    /// Measure only how long a policy takes to decide; needs no server
    #[arg(long)]
    policy: bool,
}

impl Options {
    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds as usize }
    }

    fn window(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds.into() })
    }

    fn people(&self) -> usize {
        if self.quick { 500 } else { self.people as usize }
    }

    fn wants(&self, row: Row) -> bool {
        let name = row.to_string();
        self.rows.is_empty() || self.rows.iter().any(|text| name.contains(text.as_str()))
    }

    fn billed_rides(&self) -> usize {
        if self.quick { bill::RIDES_QUICK } else { bill::RIDES }
    }

    fn pgbench_scale(&self) -> usize {
        if self.quick { 5 } else { 50 }
    }
}

/// Measures, prints the table and writes `target/bench/bench.json`. Fails when a check beside the speed is broken; a goal
/// that was missed is told and is no failure.
pub fn bench(options: &Options) -> Result<()> {
    if options.gate {
        let example = [
            "run",
            "--release",
            "--package",
            "onescan-gate",
            "--example",
            "verify_speed",
        ];
        return shell::run(&mut shell::cargo(&example));
    }
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    if options.policy {
        return policy::bench();
    }
    let realtime = machine::is_realtime()?;
    if !options.no_build && !realtime {
        shell::run(&mut shell::cargo(&["build", "--release", "--package", "onescan"]))?;
    }
    if options.realtime && !realtime {
        return run_realtime();
    }
    let folder = fresh_folder()?;
    let mut run = Run::start(options, &folder)?;
    for round in 1..=options.rounds() {
        eprintln!("── round {round} of {}", options.rounds());
        run.round()?;
    }
    run.finish()?;
    let report = run.report;
    let json = folder.join("bench.json");
    fs::write(&json, format!("{:#}\n", report.json()))?;
    println!("{}", report.table());
    println!("written: {}", json.display());
    match report.checks.iter().filter(|check| !check.holds).count() {
        0 => Ok(()),
        broken => bail!("{broken} check(s) are broken"),
    }
}

/// The load must not cost more than it has to: the bench runs as an optimised build of itself.
fn run_optimised() -> Result<()> {
    shell::run(&mut shell::cargo(&["build", "--release", "--package", "xtask"]))?;
    let program = shell::root().join("target/release/xtask");
    let error = Command::new(program).args(std::env::args_os().skip(1)).exec();
    bail!("could not start the optimised build: {error}")
}

/// This program again, with everything it starts, ahead of all others. What is compiled is compiled before.
fn run_realtime() -> Result<()> {
    let mut command = Command::new("chrt");
    command.args(["--rr", "10"]).arg(std::env::current_exe()?);
    let error = command.args(std::env::args_os().skip(1)).exec();
    bail!("could not run chrt: {error}")
}

/// The folder of reports and data, on the disk that is measured. What an earlier run left is removed.
fn fresh_folder() -> Result<PathBuf> {
    let folder = shell::root().join("target/bench");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

struct Run<'o> {
    options: &'o Options,
    folder: &'o Path,
    sites: Vec<Site>,
    /// Ends after the servers that use it.
    cluster: Option<GuardedCluster>,
    ours: Ours,
    report: Report,
}

impl<'o> Run<'o> {
    fn start(options: &'o Options, folder: &'o Path) -> Result<Self> {
        let mut ours = Ours::default();
        let mut sites = Vec::new();
        let mut cluster = None;
        for engine in Engine::ALL
            .into_iter()
            .filter(|engine| options.only.is_none_or(|only| only == *engine))
        {
            let database = match engine {
                Engine::Sqlite => None,
                Engine::Postgres => {
                    let url = cluster.insert(GuardedCluster::start(Durability::Full)?).url();
                    ours.databases.push(pgbench::first_process(&url)?);
                    pgbench::prepare(&url, options.pgbench_scale())?;
                    Some(pgbench::make_database(&url, "onescan")?)
                }
            };
            let folder = folder.join(engine.name());
            sites.push(Site::start(engine, &folder, database.as_deref(), options.people())?);
        }
        ours.servers = servers(&sites);
        Ok(Self {
            options,
            folder,
            sites,
            cluster,
            ours,
            report: Report::new(machine::describe(), options.rounds(), options.window().as_secs_f64()),
        })
    }

    fn round(&mut self) -> Result<()> {
        self.ceilings()?;
        self.documents()?;
        for index in 0..self.sites.len() {
            self.codes(index)?;
            for connections in CONNECTIONS {
                self.pay(index, Payers::Many, connections)?;
            }
            self.pay(index, Payers::Hot, 64)?;
            self.rides(index)?;
            self.open(index)?;
            self.apart(index)?;
            let check = self.sites[index].verify()?;
            self.report.checks.push(check);
        }
        Ok(())
    }

    fn ceilings(&mut self) -> Result<()> {
        let window = self.options.window();
        let rows = CONNECTIONS.map(|connections| (connections, Row::Empty { connections }));
        for (connections, row) in rows.into_iter().filter(|(_, row)| self.options.wants(*row)) {
            let address = self.sites[0].server.address;
            let mut echo = Repeat::new(vec![prepare::echo_request()]);
            let load = Load::closed(connections, window);
            self.timed(row, || load::drive(address, &load, &mut echo))?;
        }
        let before = self.ours.used()?;
        let flushes = machine::measure_flushes(self.folder, window)?;
        let sample = Sample {
            per_second: flushes.per_second,
            p50_ms: flushes.p50_ms,
            p99_ms: flushes.p99_ms,
            others: self.ours.used()?.since(before).others_share(),
            ..Sample::default()
        };
        self.add(Row::Flush, sample);
        let Some(url) = self.cluster.as_ref().map(GuardedCluster::url) else {
            return Ok(());
        };
        let rows = PGBENCH_CLIENTS.map(|clients| (clients, Row::Pgbench { clients }));
        for (clients, row) in rows.into_iter().filter(|(_, row)| self.options.wants(*row)) {
            let before = self.ours.used()?;
            let pgbench::Tps { per_second, mean_ms } = pgbench::run(&url, clients, window)?;
            let used = self.ours.used()?.since(before);
            let operations = per_second * window.as_secs_f64();
            let sample = Sample {
                per_second,
                p50_ms: mean_ms,
                p99_ms: 0.0,
                database_us: Used::micros_each(used.database, operations as u64),
                load_us: Used::micros_each(used.load, operations as u64),
                others: used.others_share(),
                ..Sample::default()
            };
            self.add(row, sample);
        }
        Ok(())
    }

    /// Beside the servers, which stand idle meanwhile.
    fn documents(&mut self) -> Result<()> {
        for lines in documents::LINES {
            for form in documents::Form::ALL {
                let row = Row::Document { lines, form };
                if !self.options.wants(row) {
                    continue;
                }
                let before = self.ours.used()?;
                let (mut sample, bytes) = documents::measure(lines, form, self.options.window())?;
                sample.others = self.ours.used()?.since(before).others_share();
                self.report.note_size(row, bytes);
                self.add(row, sample);
            }
        }
        Ok(())
    }

    fn codes(&mut self, index: usize) -> Result<()> {
        let Self {
            sites, ours, options, ..
        } = self;
        let site = &mut sites[index];
        let row = Row::Codes { engine: site.engine };
        if !options.wants(row) {
            return Ok(());
        }
        let load = Load::closed(64, options.window());
        let (outcome, used) = ours.during(|| site.make_codes(Payers::Many, &load, usize::MAX))?;
        site.expect_clean(&outcome, "making codes")?;
        self.add(row, sample(&outcome, used));
        Ok(())
    }

    fn pay(&mut self, index: usize, payers: Payers, connections: usize) -> Result<()> {
        let row = Row::Pay {
            engine: self.sites[index].engine,
            payers,
            connections,
        };
        let load = Load::closed(connections, self.options.window());
        self.paid(index, payers, row, &load)
    }

    fn rides(&mut self, index: usize) -> Result<()> {
        let engine = self.sites[index].engine;
        let row = Row::Rides { engine };
        if !self.options.wants(row) {
            return Ok(());
        }
        let load = Load::closed(64, self.options.window());
        let site = &mut self.sites[index];
        let (outcome, used) = self.ours.during(|| site.ride(&load))?;
        site.expect_clean(&outcome, &row.to_string())?;
        let check = site.count_payments(Payers::Hot, row)?;
        self.report.checks.push(check);
        self.add(row, sample(&outcome, used));
        Ok(())
    }

    /// As [`Self::pay`] at 64 connections, with every platform in a process of its own.
    fn apart(&mut self, index: usize) -> Result<()> {
        let engine = self.sites[index].engine;
        let load = Load::closed(64, self.options.window());
        self.sites[index].server.restart_apart()?;
        self.ours.servers = servers(&self.sites);
        self.paid(index, Payers::Many, Row::Apart { engine }, &load)?;
        self.sites[index].server.restart_together()?;
        self.ours.servers = servers(&self.sites);
        Ok(())
    }

    fn open(&mut self, index: usize) -> Result<()> {
        let engine = self.sites[index].engine;
        let rates = CONNECTIONS.iter().filter_map(|connections| {
            let row = Row::Pay {
                engine,
                payers: Payers::Many,
                connections: *connections,
            };
            self.report.median(row, |sample| sample.per_second)
        });
        let most = rates.fold(1.0, f64::max);
        let load = Load {
            arrivals: load::Arrivals::Open {
                per_second: most * OPEN_PART,
            },
            ..Load::closed(256, self.options.window())
        };
        self.paid(index, Payers::Many, Row::Open { engine }, &load)
    }

    /// Makes the codes, pays with them while the time runs, and counts that every answer is a payment.
    fn paid(&mut self, index: usize, payers: Payers, row: Row, load: &Load) -> Result<()> {
        if !self.options.wants(row) {
            return Ok(());
        }
        let expected = self.report.median(row, |sample| sample.per_second);
        let site = &mut self.sites[index];
        site.fill_stock(payers, load, expected)?;
        let (outcome, used) = self.ours.during(|| site.pay(payers, load))?;
        site.expect_clean(&outcome, &row.to_string())?;
        let check = site.count_payments(payers, row)?;
        self.report.checks.push(check);
        self.add(row, sample(&outcome, used));
        Ok(())
    }

    fn timed(&mut self, row: Row, drive: impl FnOnce() -> Result<Outcome>) -> Result<()> {
        let (outcome, used) = self.ours.during(drive)?;
        if !outcome.is_clean() {
            bail!("{row}: {} lost, refused: {:?}", outcome.lost, outcome.refusal);
        }
        self.add(row, sample(&outcome, used));
        Ok(())
    }

    fn add(&mut self, row: Row, sample: Sample) {
        let Sample {
            per_second,
            p50_ms,
            p99_ms,
            others,
            ..
        } = sample;
        eprintln!(
            "{:<52} {per_second:>9.0}/s  p50 {p50_ms:.2} ms  p99 {p99_ms:.2} ms  us each: server {:.1}, database {:.1}, load {:.1}  \
             others {:.0} %",
            row.to_string(),
            sample.server_us,
            sample.database_us,
            sample.load_us,
            others * 100.0
        );
        self.report.add(row, sample);
    }

    /// Memory after the load, one large bill, and what survives a kill in the middle of a load.
    fn finish(&mut self) -> Result<()> {
        for site in &mut self.sites {
            self.report.memory.push(site.memory()?);
            if self.options.wants(Row::Bill { engine: site.engine }) {
                let billed = site.bill(self.options.billed_rides())?;
                eprintln!("{billed:?}");
                self.report.bills.push(billed);
            }
            self.report.checks.push(site.kill_in_mid_load(ANSWERS_BEFORE_KILL)?);
            self.report.checks.push(site.verify()?);
        }
        Ok(())
    }
}

impl Ours {
    /// Runs `work` and tells what processor time everybody took meanwhile.
    fn during<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Used)> {
        let before = self.used()?;
        let done = work()?;
        Ok((done, self.used()?.since(before)))
    }
}

fn servers(sites: &[Site]) -> Vec<u32> {
    sites.iter().flat_map(|site| site.server.processes()).collect()
}

fn sample(outcome: &Outcome, used: Used) -> Sample {
    Sample {
        per_second: outcome.per_second(),
        p50_ms: outcome.latency_ms(0.5),
        p99_ms: outcome.latency_ms(0.99),
        server_us: Used::micros_each(used.server, outcome.succeeded),
        database_us: Used::micros_each(used.database, outcome.succeeded),
        load_us: Used::micros_each(used.load, outcome.succeeded),
        others: used.others_share(),
    }
}
