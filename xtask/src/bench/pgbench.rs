//! pgbench's TPC-B on the same cluster: what one-by-one statements reach on this machine.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::postgres;
use crate::shell;

const DATABASE: &str = "pgbench";

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tps {
    pub per_second: f64,
    pub mean_ms: f64,
}

/// The cluster's address with another database in it.
fn address_of(cluster_url: &str, database: &str) -> String {
    cluster_url.replace("dbname=postgres", &format!("dbname={database}"))
}

/// Runs one statement and returns what it says, without decoration.
pub fn query(address: &str, sql: &str) -> Result<String> {
    let mut command = Command::new(postgres::find_programs()?.join("psql"));
    command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", sql, address]);
    shell::output(command.current_dir("/"))
}

/// Makes an empty database and returns its address.
pub fn make_database(cluster_url: &str, name: &str) -> Result<String> {
    query(cluster_url, &format!("create database {name}"))?;
    Ok(address_of(cluster_url, name))
}

/// The cluster's first process, whose children do the work.
pub fn first_process(cluster_url: &str) -> Result<u32> {
    let said = query(
        cluster_url,
        "select split_part(pg_read_file('postmaster.pid'), chr(10), 1)",
    )?;
    said.parse().with_context(|| format!("not a process id: {said}"))
}

/// Makes pgbench's database. `scale`: 100,000 accounts each.
pub fn prepare(cluster_url: &str, scale: usize) -> Result<()> {
    let address = make_database(cluster_url, DATABASE)?;
    let mut command = Command::new(postgres::find_programs()?.join("pgbench"));
    command.args(["--initialize", "--quiet", "--scale", &scale.to_string()]);
    shell::output(command.arg(address).current_dir("/")).map(drop)
}

pub fn run(cluster_url: &str, clients: usize, window: Duration) -> Result<Tps> {
    let mut command = Command::new(postgres::find_programs()?.join("pgbench"));
    command.args([
        "--no-vacuum",
        "--protocol",
        "prepared",
        "--client",
        &clients.to_string(),
    ]);
    command.args(["--time", &window.as_secs().max(1).to_string()]);
    let said = shell::output(command.arg(address_of(cluster_url, DATABASE)).current_dir("/"))?;
    parse(&said).with_context(|| format!("pgbench said:\n{said}"))
}

fn parse(said: &str) -> Option<Tps> {
    let number = |name: &str| {
        let rest = said.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse().ok()
    };
    Some(Tps {
        per_second: number("tps = ")?,
        mean_ms: number("latency average = ")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read() {
        let said = "scaling factor: 50\nlatency average = 2.125 ms\ninitial connection time = 9.1 ms\n\
                    tps = 3764.25 (without initial connection time)";
        let expected = Tps {
            per_second: 3764.25,
            mean_ms: 2.125,
        };
        assert_eq!(parse(said), Some(expected));
        assert_eq!(parse("pgbench: error"), None);
    }

    #[test]
    fn another_database_of_the_cluster() {
        let url = "host=127.0.0.1 port=5 user=postgres dbname=postgres";
        assert_eq!(address_of(url, "b"), "host=127.0.0.1 port=5 user=postgres dbname=b");
    }
}
