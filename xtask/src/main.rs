//! Developer commands: `cargo xtask --help`.
//!
//! `cargo xtask test` is the whole proof and the only command that continuous integration calls;
//! `cargo xtask check` is its quick part.

mod bench;
mod install;
mod postgres;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::postgres::Durability;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Developer commands of Onescan",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what the tests need and this machine lacks (Debian and Python packages, cargo's tools)
    Install,
    /// The quick part of `test`, for every minute: format, tidy, lint with warnings denied
    Check,
    /// Rules of the house that no compiler knows: crate arrows, orphan files, rows without a test
    Tidy,
    /// The whole proof: install, check, every test on SQLite and PostgreSQL, documentation
    Test {
        /// Arguments for `cargo nextest run`, after `--`: a part of a test's name, `--no-capture`, …
        #[arg(last = true)]
        nextest: Vec<String>,
    },
    /// Run the tests and accept every snapshot that changed; look at the diff before you commit
    Snapshot {
        /// Arguments for `cargo nextest run`, after `--`
        #[arg(last = true)]
        nextest: Vec<String>,
    },
    /// Payments and codes per second of a release server beside the ceilings of this machine; several minutes
    Bench(bench::Options),
    /// A private PostgreSQL for development, with its data under /var/tmp
    #[command(subcommand)]
    Db(DbCommand),
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Start it, unless it runs, and print its address
    Start {
        /// Write through to the disk as in production: slower, and what a measurement needs
        #[arg(long)]
        durable: bool,
    },
    /// Stop it and remove its data
    Stop,
    /// Print the value for ONESCAN_TEST_POSTGRES_URL
    Url,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Install => install::install(),
        Command::Check => test::check(),
        Command::Tidy => tidy::tidy(),
        Command::Test { nextest } => test::test(&nextest),
        Command::Snapshot { nextest } => test::snapshot(&nextest),
        Command::Bench(options) => bench::bench(&options),
        Command::Db(DbCommand::Start { durable }) => {
            postgres::start(if durable { Durability::Full } else { Durability::None })
        }
        Command::Db(DbCommand::Stop) => postgres::stop(),
        Command::Db(DbCommand::Url) => postgres::print_url(),
    }
}
