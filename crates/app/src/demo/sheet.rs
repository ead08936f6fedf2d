//! Who is in the demo and how they sign in: kept in `demo.json`, shown as a box, as JSON, and on the start page.

use std::path::Path;

use anyhow::{Context, Result};
use onescan_domain::merchants::TerminalRole;
use onescan_web::{DemoOffice, DemoPerson, DemoSheet, DemoTill};
use serde::{Deserialize, Serialize};

use crate::env::write_private;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sheet {
    pub people: Vec<SheetPerson>,
    pub tills: Vec<SheetTill>,
    pub programs: Vec<SheetProgram>,
}

/// Somebody who signs in with a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SheetPerson {
    pub name: String,
    pub login: String,
    pub password: String,
    pub what: String,
    /// Whether the box shows them; JSON and the start page show all.
    pub prominent: bool,
}

/// A terminal that signs in with its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SheetTill {
    pub name: String,
    pub merchant: String,
    pub key: String,
    pub role: SheetRole,
    pub what: String,
    pub prominent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SheetRole {
    Cashier,
    Invoice,
    Gate,
}

/// A key for the API.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SheetProgram {
    pub name: String,
    /// `institution`, `merchant` or `operator`.
    pub kind: String,
    /// Whose key it is; empty for the operator's.
    pub id: String,
    pub key: String,
    pub prominent: bool,
}

impl Sheet {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is not a demo's sheet; use --reset", path.display()))
    }

    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self).context("the sheet cannot be written as JSON")?;
        text.push('\n');
        write_private(path, &text).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// What the start page offers.
    pub fn for_pages(&self) -> DemoSheet {
        let people = self.people.iter().map(|person| DemoPerson {
            name: person.name.clone(),
            login: person.login.clone(),
            password: person.password.clone(),
            what: person.what.clone(),
        });
        let tills = self.tills.iter().map(|till| DemoTill {
            name: format!("{} · {}", till.merchant, till.name),
            key: till.key.clone(),
            role: match till.role {
                SheetRole::Cashier => TerminalRole::Cashier,
                SheetRole::Invoice => TerminalRole::Invoice,
                SheetRole::Gate => TerminalRole::Gate,
            },
            what: till.what.clone(),
        });
        let offices = self.programs.iter().filter(|program| program.kind == "merchant");
        let offices = offices.map(|program| DemoOffice {
            name: program.name.clone(),
            key: program.key.clone(),
        });
        DemoSheet {
            offices: offices.collect(),
            people: people.collect(),
            tills: tills.collect(),
        }
    }
}
