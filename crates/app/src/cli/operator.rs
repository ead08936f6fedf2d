//! `onescan operator`.

use anyhow::Result;
use clap::Subcommand;
use onescan_platforms::access::KeyHolder;

use super::{Desk, Finding, key_record};

/// Who runs the server.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Make a key for the operator's programs; it is shown once
    Key {
        /// What the key is for
        #[arg(long, default_value = "operator")]
        name: String,
    },
}

impl Operator {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        let Self::Key { name } = self;
        let house = desk.house().await?;
        let key = house.services.access.issue_key(KeyHolder::Operator, &name).await?;
        house.close().await;
        desk.output.record(key_record(&key))?;
        Ok(Finding::Well)
    }
}
