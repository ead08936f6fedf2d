//! A gate at the terminal: reads ride codes, decides without the network, keeps a journal, and talks to the server when it
//! can. Row R04.
//!
//! **Invariant:** an accepted passage is on the disk before the verdict is told.

mod folder;
mod sync;

use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use onescan_domain::rides::tap::TapKind;
use onescan_gate::code::{RideCode, Scope};
use onescan_gate::deny::DenyList;
use onescan_gate::journal::{ACCEPTED, Record};
use onescan_gate::memory::{Memory, Seen};
use onescan_gate::refusal::Refusal;
use onescan_gate::verify::{Gate, IssuerKeys, Passage, Policy};
use onescan_platforms::env::Clock;
use serde::Serialize;

use crate::env::SystemClock;
use folder::Folder;
pub use folder::Known;
pub use sync::Server;

/// How a gate is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    pub folder: std::path::PathBuf,
    pub station: String,
    pub kind: TapKind,
    /// Networks the gate belongs to besides its operator.
    pub networks: Vec<String>,
    pub policy: Policy,
    /// `None`: never online.
    pub server: Option<Server>,
    pub every: Duration,
}

/// One verdict, as programs read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub open: bool,
    /// `accepted`, or the refusal's code.
    pub verdict: &'static str,
    /// Of the journal.
    pub sequence: u64,
    pub kind: &'static str,
    pub station: String,
    pub incomplete: bool,
    /// Of the device, where the code could be read.
    pub device: Option<String>,
    pub counter: Option<u64>,
    /// What happened, for people.
    pub told: String,
    pub took_us: u64,
}

struct Desk {
    gate: Gate,
    folder: Folder,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Desk>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Longer than any code lives and any journey lasts.
const FORGET_MS: i64 = 24 * 3_600_000;

/// Runs until the input ends, then hands over what it can once more.
///
/// `tell`: prints a verdict; an error ends the gate.
pub fn run(setup: Setup, input: impl BufRead, mut tell: impl FnMut(&Verdict) -> Result<()>) -> Result<()> {
    let folder = Folder::open(&setup.folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("onescan-gate-sync")
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let gate = Gate {
        policy: setup.policy.clone(),
        keys: IssuerKeys::default(),
        deny: None,
        memory: Memory::default(),
    };
    let desk = Shared(Arc::new(Mutex::new(Desk { gate, folder })));
    desk.lock().recall()?;
    if let Some(server) = &setup.server {
        let first = runtime.block_on(sync::sync(server, &desk));
        warn(first);
    }
    if desk.lock().folder.known.terminal.is_empty() {
        bail!("this gate has never reached its server: it knows neither its operator nor the issuer's keys");
    }
    desk.lock().take_scopes(&setup.networks);
    let syncing = setup.server.clone().map(|server| {
        let (desk, every) = (desk.clone(), setup.every);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                warn(sync::sync(&server, &desk).await);
            }
        })
    });
    for line in input.lines() {
        let line = line.context("the scanner cannot be read")?;
        // A scanner ends a code with a line end, some with a carriage return; blanks inside belong to the code.
        let text = line.trim_end_matches('\r');
        if !text.is_empty() {
            let verdict = desk.lock().decide(text, setup.kind, &setup.station)?;
            tell(&verdict)?;
        }
    }
    if let Some(syncing) = syncing {
        syncing.abort();
    }
    if let Some(server) = &setup.server {
        warn(runtime.block_on(sync::sync(server, &desk)));
    }
    Ok(())
}

/// Being offline is nothing unusual: it is told, and the gate goes on.
fn warn(synced: Result<()>) {
    if let Err(error) = synced {
        tracing::warn!("not in step with the server: {error:#}");
    }
}

impl Desk {
    /// Keys and deny list as they were last fetched; what the journal has seen lately.
    fn recall(&mut self) -> Result<()> {
        self.gate.keys = self.folder.known.issuer_keys()?;
        self.gate.deny = self.folder.deny_list()?.as_ref().and_then(DenyList::of);
        let now = SystemClock.now_ms();
        let records = std::mem::take(&mut self.folder.recovered);
        for record in records
            .iter()
            .filter(|record| record.is_accepted() && now - record.at < FORGET_MS)
        {
            if let Ok(code) = RideCode::read(&record.code) {
                self.gate.memory.learn(Seen {
                    device: code.fingerprint(),
                    counter: code.counter,
                    kind: record.kind,
                    station: record.station.clone(),
                    at: record.at,
                });
            }
        }
        Ok(())
    }

    fn take_scopes(&mut self, networks: &[String]) {
        let names = std::iter::once(&self.folder.known.operator).chain(networks);
        self.gate.policy.scopes = names.map(|name| Scope::of(name)).collect();
    }

    /// Decides, writes the record, and only then remembers and answers.
    #[expect(clippy::disallowed_methods, reason = "measures how long a verdict takes")]
    fn decide(&mut self, text: &str, kind: TapKind, station: &str) -> Result<Verdict> {
        let begun = Instant::now();
        let now = SystemClock.now_ms();
        let looked = self.gate.look(text, kind, now);
        let head = self.folder.head();
        let record = Record {
            sequence: head.sequence + 1,
            previous: head.hash,
            gate: self.folder.known.terminal.clone(),
            kind,
            station: station.to_owned(),
            at: now,
            verdict: looked
                .as_ref()
                .map_or_else(|refusal| refusal.code(), |_| ACCEPTED)
                .to_owned(),
            incomplete: looked.as_ref().is_ok_and(|passage| passage.incomplete.is_some()),
            code: text.chars().take(400).collect(),
        };
        self.folder.append(&record)?;
        if let Ok(passage) = &looked {
            self.gate.admit(passage, station);
            self.gate.memory.forget(now, FORGET_MS);
        }
        let seen = RideCode::read(text).ok();
        Ok(Verdict {
            open: looked.is_ok(),
            verdict: looked.as_ref().map_or_else(|refusal| refusal.code(), |_| ACCEPTED),
            sequence: record.sequence,
            kind: kind.name(),
            station: record.station,
            incomplete: record.incomplete,
            device: seen.as_ref().map(|code| code.fingerprint().hex()),
            counter: seen.as_ref().map(|code| code.counter),
            told: told(&looked),
            took_us: begun.elapsed().as_micros().try_into().unwrap_or(u64::MAX),
        })
    }
}

fn told(looked: &Result<Passage, Refusal>) -> String {
    match looked {
        Ok(passage) if passage.incomplete.is_some() => "open; the journey is incomplete: maximum fare".to_owned(),
        Ok(_) => "open".to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

/// For people: one line a verdict.
pub fn print_text(out: &mut impl Write, verdict: &Verdict) -> Result<()> {
    let sign = if verdict.open { "OPEN  " } else { "CLOSED" };
    let device = verdict.device.as_deref().unwrap_or("-");
    writeln!(
        out,
        "{sign} #{} {} {} {device}  {} ({:.1} ms)",
        verdict.sequence,
        verdict.kind,
        verdict.station,
        verdict.told,
        verdict.took_us as f64 / 1_000.0
    )?;
    out.flush().map_err(Into::into)
}

/// For programs: one JSON object a line.
pub fn print_json(out: &mut impl Write, verdict: &Verdict) -> Result<()> {
    serde_json::to_writer(&mut *out, verdict)?;
    writeln!(out)?;
    out.flush().map_err(Into::into)
}
