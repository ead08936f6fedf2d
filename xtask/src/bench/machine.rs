//! What this machine can do and what it does beside the bench: flushes, processor time, memory.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The one clock of the bench.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Units of `/proc`: the kernel tells processor time in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Flushes of 4 KiB overwrites in a file of 4 MiB, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Flushes {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Overwrites 4 KiB and calls `fdatasync`, again and again for `window`, in a file of its own in `folder`.
pub fn measure_flushes(folder: &Path, window: Duration) -> Result<Flushes> {
    const BLOCK: usize = 4096;
    const BLOCKS: u64 = 1024;
    let path = folder.join("flushes");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("could not make {}", path.display()))?;
    file.write_all_at(&vec![1; BLOCK * BLOCKS as usize], 0)?;
    file.sync_all()?;
    let mut latencies = Vec::new();
    let started = now();
    while started.elapsed_until_now() < window {
        let block = vec![latencies.len() as u8; BLOCK];
        let place = latencies.len() as u64 % BLOCKS * BLOCK as u64;
        latencies.push(time_flush(&file, &block, place)?);
    }
    let taken = started.elapsed_until_now();
    fs::remove_file(&path)?;
    latencies.sort_unstable();
    let at = |part: f64| latencies[((latencies.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    Ok(Flushes {
        per_second: latencies.len() as f64 / taken.as_secs_f64(),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
    })
}

fn time_flush(file: &File, block: &[u8], place: u64) -> Result<Duration> {
    let started = now();
    file.write_all_at(block, place)?;
    file.sync_data()?;
    Ok(started.elapsed_until_now())
}

trait Elapsed {
    fn elapsed_until_now(&self) -> Duration;
}

impl Elapsed for Instant {
    fn elapsed_until_now(&self) -> Duration {
        now().saturating_duration_since(*self)
    }
}

/// Processor time used up to now, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    pub load: u64,
    pub server: u64,
    pub database: u64,
    /// Programs that are none of ours.
    pub others: u64,
    /// Taken by the machine below this one.
    pub stolen: u64,
    /// Of all processors, busy or idle.
    pub total: u64,
}

impl Used {
    pub fn since(self, before: Self) -> Self {
        Self {
            load: self.load.saturating_sub(before.load),
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
            others: self.others.saturating_sub(before.others),
            stolen: self.stolen.saturating_sub(before.stolen),
            total: self.total.saturating_sub(before.total),
        }
    }

    /// Part of the whole machine's time that went to programs that are none of ours.
    pub fn others_share(self) -> f64 {
        (self.others + self.stolen) as f64 / self.total.max(1) as f64
    }

    /// Microseconds per operation.
    pub fn micros_each(ticks: u64, operations: u64) -> f64 {
        ticks as f64 / TICKS_PER_SECOND * 1e6 / operations.max(1) as f64
    }
}

/// The processes that are ours.
#[derive(Debug, Clone, Default)]
pub struct Ours {
    pub servers: Vec<u32>,
    /// The database's first process; its others are its children.
    pub databases: Vec<u32>,
}

/// One process as `/proc/<id>/stat` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    id: u32,
    parent: u32,
    used: u64,
    /// Of children that ended and were waited for.
    used_by_children: u64,
}

/// The kernel's own threads are children of this process.
const KERNEL_THREADS: u32 = 2;

impl Ours {
    /// Reads `/proc`. A program that started and ended between two readings counts as another's, through the sum of
    /// the whole machine.
    pub fn used(&self) -> Result<Used> {
        let mut used = whole_machine(&fs::read_to_string("/proc/stat")?)?;
        let busy = used.others;
        let mut kernel = 0;
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A process that ended since the listing has no file.
            let Some(process) = fs::read_to_string(entry.path().join("stat"))
                .ok()
                .and_then(|text| Process::parse(id, &text))
            else {
                continue;
            };
            self.add(process, &mut used, &mut kernel);
        }
        let ours = used.load + used.server + used.database + kernel;
        used.others = busy.saturating_sub(ours);
        Ok(used)
    }

    fn add(&self, process: Process, used: &mut Used, kernel: &mut u64) {
        let with_children = process.used + process.used_by_children;
        if process.id == std::process::id() {
            used.load += with_children;
        } else if self.servers.contains(&process.id) {
            used.server += process.used;
        } else if self.databases.contains(&process.id) {
            used.database += with_children;
        } else if self.databases.contains(&process.parent) {
            used.database += process.used;
        } else if process.parent == std::process::id() {
            used.load += process.used;
        } else if process.id == KERNEL_THREADS || process.parent == KERNEL_THREADS {
            *kernel += process.used;
        }
    }
}

/// The first line of `/proc/stat`; `others` holds all programs' time.
fn whole_machine(text: &str) -> Result<Used> {
    let line = text.lines().next().unwrap_or_default();
    let numbers: Vec<u64> = line.split_whitespace().skip(1).flat_map(str::parse).collect();
    let [
        user,
        nice,
        system,
        idle,
        waiting,
        interrupts,
        soft_interrupts,
        stolen,
        ..,
    ] = numbers[..]
    else {
        anyhow::bail!("/proc/stat begins with: {line}");
    };
    Ok(Used {
        others: user + nice + system,
        stolen,
        total: user + nice + system + idle + waiting + interrupts + soft_interrupts + stolen,
        ..Used::default()
    })
}

impl Process {
    /// The program's name, in brackets, may hold anything: what counts stands after the last bracket.
    fn parse(id: u32, text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            id,
            parent: u32::try_from(number(1)?).ok()?,
            used: number(11)? + number(12)?,
            used_by_children: number(13)? + number(14)?,
        })
    }
}

/// Resident memory of a process, in MB of 1,000,000 bytes.
pub fn resident_mb(process: u32) -> Result<f64> {
    memory_mb(process, "VmRSS:")
}

/// The most it ever had, in MB.
pub fn peak_mb(process: u32) -> Result<f64> {
    memory_mb(process, "VmHWM:")
}

fn memory_mb(process: u32, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.trim().parse().ok())
        .with_context(|| format!("the process tells no {name}"))?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Whether this program, and so what it starts, runs ahead of all ordinary ones.
pub fn is_realtime() -> Result<bool> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let policy = policy_of(&text).context("/proc/self/stat tells no scheduling policy")?;
    // First in, first out; round robin.
    Ok(matches!(policy, 1 | 2))
}

/// Field 41 of the line.
fn policy_of(stat: &str) -> Option<u32> {
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(38)?.parse().ok()
}

/// Processor, its count, kernel: one line for the report.
pub fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models: Vec<&str> = processors
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map(|(_, name)| name.trim())
        .collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let priority = match is_realtime() {
        Ok(true) => ", at real-time priority",
        Ok(false) | Err(_) => "",
    };
    format!(
        "{} x {}, Linux {}{priority}",
        models.len(),
        models.first().unwrap_or(&"unknown processor"),
        kernel.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_behind_its_name() {
        let text = "77 (a) b (c)) S 5 77 77 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0 9";
        let expected = Process {
            id: 77,
            parent: 5,
            used: 33,
            used_by_children: 77,
        };
        assert_eq!(Process::parse(77, text), Some(expected));
        assert_eq!(Process::parse(77, "77 (x) S"), None);
    }

    #[test]
    fn the_whole_machine_is_the_sum_of_the_first_line() {
        let used = whole_machine("cpu  10 1 5 100 3 0 2 4 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n").unwrap();
        assert_eq!((used.others, used.stolen, used.total), (16, 4, 125));
        assert!(whole_machine("intr 5").is_err());
    }

    #[test]
    fn the_shares_of_this_machine_add_up() {
        let ours = Ours::default();
        let before = ours.used().unwrap();
        let mut spun = 0_u64;
        let started = now();
        while started.elapsed_until_now() < Duration::from_millis(200) {
            spun = spun.wrapping_add(1);
        }
        let used = ours.used().unwrap().since(before);
        assert!(spun > 0 && used.load >= 5, "{used:?}");
        assert!(used.load + used.others <= used.total + 10, "{used:?}");
    }
}
