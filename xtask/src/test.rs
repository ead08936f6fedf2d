//! The proof: format, tidy, lint, tests on both databases, documentation.

use std::process::Command;

use anyhow::{Result, bail};

use crate::postgres::{Durability, GuardedCluster};
use crate::shell::{self, Steps};
use crate::{install, tidy};

/// Format, tidy and lint, all three even when one fails, so that one run shows everything.
pub fn check() -> Result<()> {
    let mut steps = Steps::default();
    let result = check_in(&mut steps);
    steps.print_times();
    result
}

/// Installs, checks, then runs every test against SQLite and a private PostgreSQL.
///
/// Stops at the first step that fails. With the variable CI set, nextest takes its profile `ci`:
/// no test is left out after a failure, and the end lists every failed and slow test.
pub fn test(nextest: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    let result = test_in(&mut steps, nextest);
    steps.print_times();
    if result.is_ok() {
        eprintln!("all is well");
    }
    result
}

/// Runs the tests, lets each changed snapshot pass, then writes the new text over the old, in files and in source.
///
/// What fails for another reason fails here too, and nothing is written then.
pub fn snapshot(nextest: &[String]) -> Result<()> {
    install::install()?;
    install::install_cargo_tool("cargo-insta", "insta")?;
    let cluster = GuardedCluster::start(Durability::None)?;
    let mut command = nextest_command(&cluster, nextest);
    command.env("INSTA_UPDATE", "new").env("INSTA_FORCE_PASS", "1");
    shell::run(command.arg("--no-fail-fast"))?;
    shell::run(&mut shell::cargo(&["insta", "accept", "--workspace"]))
}

fn check_in(steps: &mut Steps) -> Result<()> {
    let results = [
        steps.run("format", || shell::run(&mut shell::cargo(&["fmt", "--all", "--check"]))),
        steps.run("tidy", tidy::tidy),
        steps.run("lint", || {
            let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            shell::run(&mut shell::cargo(&arguments))
        }),
    ];
    let failures: Vec<String> = results
        .into_iter()
        .filter_map(|result| result.err().map(|error| format!("{error:#}")))
        .collect();
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

fn test_in(steps: &mut Steps, nextest: &[String]) -> Result<()> {
    steps.run("install", install::install)?;
    check_in(steps)?;
    let cluster = steps.run("database", || GuardedCluster::start(Durability::None))?;
    steps.run("tests", || shell::run(&mut nextest_command(&cluster, nextest)))?;
    for (name, arrangement) in ARRANGEMENTS {
        steps.run(name, || shell::run(&mut arranged(&cluster, nextest, arrangement)))?;
    }
    drop(cluster);
    steps.run("documentation", || {
        shell::run(shell::cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// Where the platforms live when the acceptance tests run again (row S21); on SQLite, since what differs is not the database.
const ARRANGEMENTS: [(&str, &str); 2] = [
    ("acceptance, all platforms apart", "apart"),
    ("acceptance, payments and invoicing apart", "money_apart"),
];

fn arranged(cluster: &GuardedCluster, arguments: &[String], arrangement: &str) -> Command {
    let mut command = nextest_command(cluster, arguments);
    command.args(["-E", r"binary(it) & test(/^[sr]\d\d_/) & test(/::sqlite$/)"]);
    command.env("ONESCAN_TEST_ARRANGEMENT", arrangement);
    command
}

fn nextest_command(cluster: &GuardedCluster, arguments: &[String]) -> Command {
    let mut command = shell::cargo(&["nextest", "run", "--workspace"]);
    if shell::is_ci() {
        command.args(["--profile", "ci"]);
    }
    command
        .args(arguments)
        .env("ONESCAN_TEST_POSTGRES_URL", cluster.url())
        .env("ONESCAN_TEST_PYTHON", install::python());
    command
}
