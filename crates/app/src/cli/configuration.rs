//! `onescan config`.

use anyhow::Result;
use clap::Subcommand;

use super::output::{Record, print};
use super::{Desk, Finding};
use crate::config::{self, KEYS};

/// Look at the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every value and where it came from, without secrets
    Show,
    /// Read the configuration and start nothing; status 2 when something is wrong with it
    Check,
    /// Print the reference of all keys as Markdown
    Docs,
}

impl ConfigCommand {
    pub(super) fn run(self, desk: &Desk) -> Result<Finding> {
        match self {
            Self::Show => {
                let records = KEYS.iter().map(|key| {
                    Record::new()
                        .with("key", key.name)
                        .with("value", key.shown(desk.config()))
                        .with("origin", desk.loaded.origin(key).to_string())
                });
                desk.output.list(records.collect(), "there are no keys")?;
            }
            // It was read before this line.
            Self::Check => desk.output.say("the configuration is well")?,
            Self::Docs => print(&config::markdown())?,
        }
        Ok(Finding::Well)
    }
}
