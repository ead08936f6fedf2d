//! `onescan migrate`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use onescan_platforms::env::Clock;
use onescan_store::migrate::{MIGRATIONS, MigrationState, Migrator};

use super::output::Record;
use super::{Desk, Finding};
use crate::env::SystemClock;
use crate::wiring;

const AFTER_HELP: &str = "\
Examples:
  onescan migrate              run what is pending
  onescan migrate --dry-run    say what would run
  onescan migrate status       every migration and when it ran

`onescan serve` does this by itself unless it is told `--no-migrate`. Migrations only go
forward, each in a transaction of its own; a database that a newer program migrated is refused.";

/// Bring the database's schema forward.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct MigrateCommand {
    /// Say what would run, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// List every migration and when it ran
    Status,
}

impl MigrateCommand {
    pub(super) async fn run(self, desk: &Desk) -> Result<Finding> {
        if self.dry_run && self.question.is_some() {
            bail!("`status` writes nothing anyway; leave `--dry-run` out");
        }
        let db = wiring::open_database(desk.config()).await?;
        let migrator = Migrator::new(&db, MIGRATIONS);
        match self.question {
            Some(Question::Status) => {
                let status = migrator.status().await?;
                desk.output
                    .list(status.into_iter().map(record).collect(), "no migrations")?;
            }
            None if self.dry_run => list(desk, migrator.dry_run().await?, "would run", "nothing is pending")?,
            None => list(
                desk,
                migrator.apply(SystemClock.now_ms()).await?,
                "ran",
                "nothing was pending",
            )?,
        }
        db.close().await;
        Ok(Finding::Well)
    }
}

fn record((name, state): (&'static str, MigrationState)) -> Record {
    let (state, at) = match state {
        MigrationState::Applied { at_ms } => ("applied", Some(super::instant(at_ms))),
        MigrationState::Pending => ("pending", None),
    };
    Record::new()
        .with("migration", name)
        .with("state", state)
        .with("applied_at", at)
}

fn list(desk: &Desk, names: Vec<&'static str>, state: &'static str, none: &str) -> Result<()> {
    let record = |name| Record::new().with("migration", name).with("state", state);
    desk.output.list(names.into_iter().map(record).collect(), none)
}
