//! `onescan contract`: what services promise each other, and whether one keeps it.

use anyhow::{Context, Result, anyhow};
use clap::Subcommand;
use onescan_web::wire;
use onescan_web::wire::contract::Contract;

use super::output::{Record, print};
use super::{Desk, Finding};
use crate::contract_test;
use crate::elsewhere::Places;

const AFTER_HELP: &str = "\
`test` calls the service as `processing` would, and leaves what it made there: use a system for trials. An http address
must be on the loopback; for https it takes the keys that `onescan keys` made.

Examples:
  onescan contract document invoicing > invoicing.json
  onescan contract test --platform invoicing http://127.0.0.1:9000";

/// The contracts between services.
#[derive(Debug, Subcommand)]
#[command(after_help = AFTER_HELP)]
pub enum ContractCommand {
    /// Print a contract's document (OpenAPI 3.1)
    Document {
        /// codes, profiles, payments or invoicing
        #[arg(value_parser = contract)]
        platform: &'static Contract,
    },
    /// Test whether a service keeps a contract, and say what falls short; status 1 when something does
    Test {
        /// codes, profiles, payments or invoicing
        #[arg(long, value_name = "NAME", value_parser = contract)]
        platform: &'static Contract,
        /// https://host:port, or http:// on the loopback
        url: String,
    },
}

fn contract(name: &str) -> Result<&'static Contract, String> {
    wire::find(name).ok_or_else(|| "use codes, profiles, payments or invoicing".to_owned())
}

impl ContractCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        match self {
            Self::Document { platform } => {
                let mut text = serde_json::to_string_pretty(&wire::describe::document(platform))?;
                text.push('\n');
                print(&text)?;
                Ok(Finding::Well)
            }
            Self::Test { platform, url } => test(desk, platform, &url).await,
        }
    }
}

async fn test(desk: &Desk, platform: &'static Contract, url: &str) -> Result<Finding> {
    let connection = Places::trial(desk.config(), platform, url).context("the service cannot be tested")?;
    let checks = contract_test::run(connection)
        .await
        .map_err(|why| anyhow!("{url}: {why}"))?;
    let failed = checks.iter().any(|check| !check.kept);
    let rows = checks.into_iter().map(|check| {
        Record::new()
            .with("call", check.call)
            .with("promise", check.promise)
            .with("kept", if check.kept { "yes" } else { "NO" })
            .with("seen", (!check.kept).then_some(check.seen))
    });
    desk.output.list(rows.collect(), "nothing was tested")?;
    Ok(if failed { Finding::Wrong } else { Finding::Well })
}
