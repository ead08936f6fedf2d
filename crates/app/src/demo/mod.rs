//! The demo: one folder with everything, filled with invented people, merchants and a month of payments.
//!
//! **Invariant:** a folder that is not a demo's own is never filled, emptied or changed. `demo.json` in it says that it is
//! one; `demo.unfinished` says that filling it was broken off, and the next start begins again.

mod cast;
mod history;
mod invoices;
mod random;
mod rides;
mod seed;
pub mod sheet;
pub mod story;
pub mod transit;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use onescan_store::config::{DbConfig, Durability};

use crate::config::{Config, DocumentsConfig};
use crate::elsewhere::Role;
use crate::env::write_private;
use crate::wiring::{self, House, Migrate};
use sheet::Sheet;

/// With what a new demo begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Institutions, people, merchants and the payments of the last thirty days.
    Invented,
    /// Nothing but a key for the operator.
    Empty,
}

/// An open demo.
#[derive(Debug)]
pub struct Demo {
    pub house: House,
    pub sheet: Sheet,
    /// Whether this start filled the folder.
    pub fresh: bool,
}

const SHEET: &str = "demo.json";
const DOCUMENTS: &str = "documents";
const UNFINISHED: &str = "demo.unfinished";

/// The configuration of a demo in `folder`: its database and secret lie there, whatever is configured elsewhere.
pub fn configuration(base: &Config, folder: PathBuf) -> Config {
    let mut config = base.clone();
    config.data_folder = folder;
    config.secret = None;
    config.database.url = None;
    config.documents = DocumentsConfig::default();
    config
}

/// Opens the demo in the configuration's data folder, after filling it where it is new.
pub async fn open(config: &Config, content: Content) -> Result<Demo> {
    let folder = &config.data_folder;
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let fresh = match state(folder)? {
        State::Filled => false,
        State::Foreign => bail!(
            "{} holds data that are not a demo's; choose another folder with --data",
            folder.display()
        ),
        State::BrokenOff => {
            empty(folder)?;
            true
        }
        State::New => true,
    };
    if fresh {
        fill(config, content).await?;
    }
    let sheet = Sheet::read(&folder.join(SHEET))?;
    let house = wiring::open(config, Migrate::Yes, Role::Whole).await?;
    Ok(Demo { house, sheet, fresh })
}

/// Removes what a demo keeps in the folder. Other people's files in it stay.
pub fn reset(folder: &Path) -> Result<()> {
    match state(folder)? {
        State::New => Ok(()),
        State::Filled | State::BrokenOff => empty(folder),
        State::Foreign => bail!(
            "{} holds data that are not a demo's; nothing was removed",
            folder.display()
        ),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Filled,
    BrokenOff,
    Foreign,
}

fn state(folder: &Path) -> Result<State> {
    let has = |name: &str| folder.join(name).exists();
    Ok(match (has(SHEET), has(UNFINISHED)) {
        (_, true) => State::BrokenOff,
        (true, false) => State::Filled,
        (false, false) if has("onescan.db") || has("secret.key") => State::Foreign,
        (false, false) => State::New,
    })
}

/// The mark goes first where something is removed, so that a broken-off removal is finished by the next start.
fn empty(folder: &Path) -> Result<()> {
    let mark = folder.join(UNFINISHED);
    if !mark.exists() {
        write_private(&mark, "").with_context(|| format!("{} cannot be written", mark.display()))?;
    }
    for name in [SHEET, "onescan.db", "onescan.db-wal", "onescan.db-shm", "secret.key"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} cannot be removed", folder.join(name).display()));
            }
            Ok(()) | Err(_) => {}
        }
    }
    let documents = folder.join(DOCUMENTS);
    match fs::remove_dir_all(&documents) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be removed", documents.display()));
        }
        Ok(()) | Err(_) => {}
    }
    fs::remove_file(&mark).with_context(|| format!("{} cannot be removed", mark.display()))
}

/// Fills a new folder. Its commits do not wait for the disk one by one: until the mark is gone, nothing in it counts.
async fn fill(config: &Config, content: Content) -> Result<()> {
    let folder = &config.data_folder;
    let mark = folder.join(UNFINISHED);
    write_private(&mark, "").with_context(|| format!("{} cannot be written", mark.display()))?;
    let mut database = config.db_config();
    if let DbConfig::Sqlite(sqlite) = &mut database {
        sqlite.durability = Durability::ProcessOnly;
        sqlite.checkpoint_pages = 20_000;
    }
    let sheet = seed::seed(config, &database, content).await?;
    fs::File::open(folder.join("onescan.db"))
        .and_then(|file| file.sync_all())
        .context("the demo's database cannot be written to the disk")?;
    sheet.write(&folder.join(SHEET))?;
    fs::remove_file(&mark).with_context(|| format!("{} cannot be removed", mark.display()))
}
