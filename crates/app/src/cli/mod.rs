//! The command line. One file per group of commands; what they print goes through `output`.

mod bill;
mod configuration;
mod contract;
mod demo;
mod doctor;
mod documents;
mod gate;
mod gtfs;
mod import;
mod institution;
mod invoice;
mod keys;
mod merchant;
mod migrate;
mod operator;
mod output;
mod person;
mod serve;
mod top_up;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory, Parser, Subcommand};
use onescan_domain::ids::AccountId;
use onescan_domain::money::{Currency, Money};
use onescan_platforms::access::KeySecret;
use onescan_platforms::error::Result as PlatformResult;
use onescan_platforms::services::Services;

use crate::config::{Config, ConfigError, Loaded, LogConfig, Sources, load};
use crate::elsewhere::Role;
use crate::logging;
use crate::wiring::{self, House, Migrate};
use output::{Format, Output, Record};

const AFTER_HELP: &str = "\
First steps:
  onescan demo         everything at once, with invented people, tills and a month of payments
  onescan serve        the server, with its data in ./onescan-data
  onescan doctor       is this machine fit, and are the data sound?

Setting up a server:
  onescan operator key                    a key for the operator's own programs
  onescan institution create \"Nordlicht GmbH\" --currency EUR --time-zone Europe/Berlin
  onescan import members --institution ins_… staff.csv
  onescan merchant create \"Corner Canteen\" --category 5812 --currency EUR
  onescan merchant store mer_… \"Main street\" --city Berlin
  onescan merchant terminal mer_… \"Till 1\" --store sto_… --role cashier
  onescan top-up ins_… 5000.00

Commands may be used while a server runs on the same database: on PostgreSQL as a matter of
course, on SQLite because programs take turns (each waits up to five seconds for the other).

Exit status: 0 done; 1 not done, or `verify`, `doctor` or `import` found something wrong;
2 wrong usage or configuration.";

/// One code pays and hands over the invoice details.
#[derive(Debug, Parser)]
#[command(name = "onescan", version, after_help = AFTER_HELP, disable_help_subcommand = true, max_term_width = 110)]
struct CommandLine {
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Places {
    /// Configuration file; without it onescan.toml in this folder, when there is one
    #[arg(long, global = true, value_name = "FILE", env = "ONESCAN_CONFIG", hide_env = true)]
    config: Option<PathBuf>,
    /// Data folder, over what the configuration says
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Print data as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::Serve),
    /// Run the server with invented data, and say who signs in how
    Demo(demo::Demo),
    /// Bring the database's schema forward
    Migrate(migrate::MigrateCommand),
    /// Recompute every invariant of the ledger from its rows
    Verify,
    /// Take data in from files
    #[command(subcommand)]
    Import(import::Import),
    /// Institutions, their keys and administrators
    #[command(subcommand)]
    Institution(institution::InstitutionCommand),
    /// Merchants, their stores and terminals
    #[command(subcommand)]
    Merchant(merchant::MerchantCommand),
    /// People
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// Put money on an account
    TopUp(top_up::TopUp),
    /// Keys for services that live apart
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// The contracts between services: their documents, and tests of whoever keeps them
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Who runs the server
    #[command(subcommand)]
    Operator(operator::Operator),
    /// Look at invoices, whoever wrote them
    #[command(subcommand)]
    Invoice(invoice::InvoiceCommand),
    /// Bills of rides: what an institution paid a ride provider in a period, as one invoice
    ///
    /// Example: onescan bill preview ins_…
    #[command(subcommand)]
    Bill(bill::BillCommand),
    /// Read ride codes at a gate
    Gate(gate::GateCommand),
    /// Look at transit feeds (GTFS)
    #[command(subcommand)]
    Gtfs(gtfs::GtfsCommand),
    /// Look whether machine and data are fit
    Doctor,
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Print a page of the documentation
    #[command(subcommand)]
    Docs(documents::Documents),
    /// Print completions for a shell
    ///
    /// Example: onescan completions bash > /etc/bash_completion.d/onescan
    Completions { shell: clap_complete::Shell },
}

/// What every command has at hand.
struct Desk {
    loaded: Loaded,
    output: Output,
}

impl Desk {
    fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Opens the house for a command that works on the data. Commands never migrate by themselves, except on a database
    /// that is quite new.
    async fn house(&self) -> Result<House> {
        logging::start(&LogConfig {
            filter: "warn".to_owned(),
            ..self.config().log.clone()
        });
        wiring::open(self.config(), Migrate::IfNew, Role::Whole).await
    }
}

/// Whether a command that did its work also found everything well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Well,
    Wrong,
}

/// The whole program.
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    match run(line) {
        Ok(Finding::Well) => ExitCode::SUCCESS,
        Ok(Finding::Wrong) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            let usage = error.is::<ConfigError>();
            ExitCode::from(if usage { 2 } else { 1 })
        }
    }
}

fn run(line: CommandLine) -> Result<Finding> {
    let CommandLine { places, command } = line;
    let output = Output::new(if places.json { Format::Json } else { Format::Text });
    match command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut CommandLine::command(), "onescan", &mut std::io::stdout());
            return Ok(Finding::Well);
        }
        Command::Docs(page) => return page.run(),
        Command::Openapi => return documents::open_api(),
        Command::Invoice(command) => return command.run(output),
        Command::Gate(gate) => return gate.run(output.format()),
        Command::Gtfs(gtfs::GtfsCommand::Show(show)) => return show.run(output),
        _ => {}
    }
    let loaded = load(&sources(&places))?;
    let desk = Desk { loaded, output };
    // Commands that serve choose their threads; for the others one is enough.
    let threads = match &command {
        Command::Serve(_) | Command::Demo(_) => desk.config().server.threads(),
        _ => 1,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("onescan-http")
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    // The work runs on a worker, so that it is not handed from thread to thread at every wait.
    let work = runtime.spawn(async move { dispatch(&desk, command).await });
    runtime.block_on(work).context("the program broke off")?
}

async fn dispatch(desk: &Desk, command: Command) -> Result<Finding> {
    match command {
        Command::Serve(serve) => serve.run(desk).await,
        Command::Demo(demo) => demo.run(desk).await,
        Command::Migrate(migrate) => migrate.run(desk).await,
        Command::Verify => verify::run(desk).await,
        Command::Import(import) => import.run(desk).await,
        Command::Gtfs(gtfs::GtfsCommand::Import(import)) => import.run(desk).await,
        Command::Institution(command) => command.run(desk).await,
        Command::Merchant(command) => command.run(desk).await,
        Command::Person(command) => command.run(desk).await,
        Command::TopUp(top_up) => top_up.run(desk).await,
        Command::Operator(command) => command.run(desk).await,
        Command::Bill(command) => command.run(desk).await,
        Command::Keys(command) => command.run(desk),
        Command::Contract(command) => command.run(desk).await,
        Command::Doctor => doctor::run(desk).await,
        Command::Config(command) => command.run(desk),
        Command::Openapi
        | Command::Docs(_)
        | Command::Invoice(_)
        | Command::Gate(_)
        | Command::Gtfs(gtfs::GtfsCommand::Show(_))
        | Command::Completions { .. } => {
            unreachable!("answered before the configuration is read")
        }
    }
}

const FILE: &str = "onescan.toml";

fn sources(places: &Places) -> Sources {
    let file = places.config.clone();
    let file = file.or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)));
    let mut sources = Sources::of_process(file);
    if let Some(folder) = &places.data {
        let folder = folder.display().to_string();
        sources.command_line.push(("data_folder", folder, "--data"));
    }
    sources
}

/// RFC 3339 in UTC, to the second.
fn instant(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1_000);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| at_ms.to_string(), |instant| instant.to_string())
}

fn currency(text: &str) -> Result<Currency, String> {
    Currency::parse(text).ok_or_else(|| "use three capital letters of ISO 4217, such as EUR or CNY".to_owned())
}

/// `record` with what the account holds.
async fn account_record(services: &Services, record: Record, account: AccountId) -> Result<Record> {
    let found = services
        .payments
        .account(account)
        .await?
        .context("the account is not there")?;
    let money = |minor| Money::new(minor, found.currency).to_string();
    Ok(record
        .with("account", account.to_string())
        .with("available", money(found.available_minor()))
        .with("held", money(found.held_minor)))
}

/// A new key with its secret.
fn key_record(secret: &KeySecret) -> Record {
    Record::new()
        .with("id", secret.key.id.to_string())
        .with("name", secret.key.name.as_str())
        .with("key", secret.text.as_str())
}

/// All pages of a list, one after the other. `page` reads at most [`PAGE`] entries after the one that `id` names.
async fn all_pages<T, Id, Reading>(id: fn(&T) -> Id, page: impl Fn(Option<Id>) -> Reading) -> Result<Vec<T>>
where
    Reading: Future<Output = PlatformResult<Vec<T>>>,
{
    let mut all = Vec::new();
    loop {
        let next = page(all.last().map(id)).await?;
        let last = next.len() < PAGE as usize;
        all.extend(next);
        if last {
            return Ok(all);
        }
    }
}

const PAGE: u32 = 200;
