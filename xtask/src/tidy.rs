//! Rules of the house that no compiler knows. Each failure names the place and what to do.
//!
//! Every rule is a function from a [`Tree`] to [`Finding`]s and touches nothing else, so its tests need no files.

mod assets;
mod crates;
mod documents;
mod orphans;
mod rows;
mod rust_source;
mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Checks the files of the workspace that git knows or would add.
pub fn tidy() -> Result<()> {
    let tree = Tree::of_workspace()?;
    let mut findings = check(&tree);
    if findings.is_empty() {
        return Ok(());
    }
    findings.sort();
    for finding in &findings {
        eprintln!("{finding}");
    }
    bail!("tidy found {} thing(s) to put right", findings.len())
}

fn check(tree: &Tree) -> Vec<Finding> {
    [
        crates::check(tree),
        orphans::check(tree),
        sources::check(tree),
        documents::check(tree),
        assets::check(tree),
        rows::check(tree),
    ]
    .concat()
}

/// The files of the workspace by their path from its root, with `/`. A file that is no UTF-8 has no text.
#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    fn of_workspace() -> Result<Self> {
        // The clone may belong to another user than the one who tests it, as in a container.
        let trusted = format!("safe.directory={}", shell::root().display());
        let listed = shell::output(
            Command::new("git")
                .current_dir(shell::root())
                .args(["-c", &trusted, "-c", "core.quotePath=false", "ls-files"])
                .args(["--cached", "--others", "--exclude-standard"]),
        )?;
        let mut files = BTreeMap::new();
        for path in listed.lines() {
            // A file that was deleted and not yet committed is listed, and is gone.
            if let Ok(bytes) = fs::read(shell::root().join(path)) {
                files.insert(path.to_owned(), String::from_utf8(bytes).ok());
            }
        }
        Ok(Self { files })
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// Every text file of these name endings.
    fn texts<'a>(&'a self, endings: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files
            .iter()
            .filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)))
            .filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The names of the folders under `crates`.
    fn crate_folders(&self) -> Vec<&str> {
        let mut folders: Vec<&str> = self
            .paths()
            .filter_map(|path| path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
            .filter(|folder| !folder.contains('/'))
            .collect();
        folders.dedup();
        folders
    }

    #[cfg(test)]
    fn of_texts(texts: &[(&str, &str)]) -> Self {
        let files = texts
            .iter()
            .map(|(path, text)| (path.to_string(), Some(text.to_string())));
        Self { files: files.collect() }
    }
}

/// A broken rule: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    line: usize,
    what: String,
    remedy: &'static str,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            line,
            what: what.into(),
            remedy,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}; {}", self.path, self.line, self.what, self.remedy)
    }
}

/// What a rule's tests compare: place and fault of each finding, one a line.
#[cfg(test)]
fn report(findings: &[Finding]) -> String {
    let lines = findings
        .iter()
        .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.what));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_prints_as_place_fault_and_remedy() {
        let finding = Finding::new("crates/web/src/lib.rs", 7, "a fault", "do this");
        assert_eq!(finding.to_string(), "crates/web/src/lib.rs:7: a fault; do this");
    }

    #[test]
    fn crate_folders_are_those_with_a_manifest_right_under_crates() {
        let tree = Tree::of_texts(&[
            ("crates/app/Cargo.toml", ""),
            ("crates/app/tests/fixture/Cargo.toml", ""),
            ("crates/notes.md", ""),
            ("crates/web/Cargo.toml", ""),
            ("xtask/Cargo.toml", ""),
        ]);
        assert_eq!(tree.crate_folders(), ["app", "web"]);
    }

    /// Guards the reading of the workspace itself: a wrong root or listing would make every rule silently pass.
    #[test]
    fn the_workspace_is_found() {
        let tree = Tree::of_workspace().expect("the workspace is a git repository");
        assert!(tree.text("xtask/src/tidy.rs").is_some());
        assert!(tree.crate_folders().contains(&"domain"));
    }
}
