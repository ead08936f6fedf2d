//! `onescan docs` and `onescan openapi`.

use std::fmt::Write;

use anyhow::{Context, Result};
use clap::{CommandFactory, Subcommand};

use super::output::print;
use super::{CommandLine, Finding};

/// Print a page of the documentation.
#[derive(Debug, Subcommand)]
pub enum Documents {
    /// The help of every command, as Markdown
    Cli,
}

impl Documents {
    pub(super) fn run(self) -> Result<Finding> {
        let Self::Cli = self;
        print(&command_line())?;
        Ok(Finding::Well)
    }
}

/// The page `docs/cli.md`.
fn command_line() -> String {
    let mut page =
        "# Command line\n\nWritten by `onescan docs cli` from the program's own help; do not edit.\n\n".to_owned();
    let mut command = CommandLine::command().term_width(100);
    command.build();
    describe(&mut page, command, 2);
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn describe(page: &mut String, mut command: clap::Command, level: usize) {
    let name = command.get_bin_name().unwrap_or("onescan").to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    let hashes = "#".repeat(level.min(4));
    write!(page, "{hashes} `{name}`\n\n```text\n{}\n```\n\n", lines.join("\n"))
        .expect("writing to a String cannot fail");
    let below: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    for inner in below {
        describe(page, inner.term_width(100), level + 1);
    }
}

pub fn open_api() -> Result<Finding> {
    let mut text = onescan_web::api::openapi()
        .to_pretty_json()
        .context("the description cannot be written")?;
    text.push('\n');
    print(&text)?;
    Ok(Finding::Well)
}
