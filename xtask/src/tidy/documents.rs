//! Documents in step with the tree: code map, decision records, the two commands of the README, links.

use super::orphans::normalise;
use super::{Finding, Tree};

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const README: &str = "README.md";
const DECISIONS: &str = "docs/decisions/";

/// What a newcomer needs: see it run, and prove that it works.
const TWO_COMMANDS: &[&str] = &["cargo run --release -- demo", "cargo xtask test"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    [
        check_code_map(tree),
        check_readme(tree),
        check_decisions(tree),
        check_links(tree),
    ]
    .concat()
}

fn check_code_map(tree: &Tree) -> Vec<Finding> {
    let Some(text) = tree.text(ARCHITECTURE) else {
        return vec![Finding::new(ARCHITECTURE, 1, "there is no code map", "write it")];
    };
    let is_named = |folder: &str| text.contains(&format!("`{folder}`")) || text.contains(&format!("crates/{folder}"));
    tree.crate_folders()
        .into_iter()
        .filter(|folder| !is_named(folder))
        .map(|folder| {
            Finding::new(
                ARCHITECTURE,
                1,
                format!("`{folder}` is not named"),
                "add it to the code map",
            )
        })
        .collect()
}

fn check_readme(tree: &Tree) -> Vec<Finding> {
    let text = tree.text(README).unwrap_or_default();
    TWO_COMMANDS
        .iter()
        .filter(|command| !text.contains(*command))
        .map(|command| {
            Finding::new(
                README,
                1,
                format!("`{command}` is not named"),
                "say how to start and how to test",
            )
        })
        .collect()
}

/// Records are `NNNN-title.md`, counted from 0001 without gap or double.
fn check_decisions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut expected = 1;
    let records = tree
        .paths()
        .filter(|path| path.starts_with(DECISIONS) && !path.ends_with("/README.md"));
    for path in records {
        match record_number(path) {
            None => findings.push(Finding::new(
                path,
                1,
                "no name of a decision record",
                "call it `NNNN-title.md`",
            )),
            Some(number) => {
                if number != expected {
                    let what = format!("decision {expected:04} is expected here");
                    findings.push(Finding::new(path, 1, what, "number the records without gap or double"));
                }
                expected = number + 1;
            }
        }
    }
    findings
}

fn record_number(path: &str) -> Option<u32> {
    let (number, title) = path.strip_prefix(DECISIONS)?.strip_suffix(".md")?.split_once('-')?;
    if number.len() != 4 || title.is_empty() {
        return None;
    }
    number.parse().ok()
}

/// Links inside the repository lead somewhere.
fn check_links(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts(&[".md"]) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in text.lines().enumerate() {
            for target in link_targets(line).filter(|target| !leads_somewhere(tree, folder, target)) {
                let what = format!("the link to `{target}` leads nowhere");
                findings.push(Finding::new(path, index + 1, what, "correct or remove it"));
            }
        }
    }
    findings
}

fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

fn leads_somewhere(tree: &Tree, folder: &str, target: &str) -> bool {
    let file = target.split('#').next().unwrap_or_default();
    if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let path = normalise(&format!("{folder}/{file}"));
    path.is_empty() || tree.has(&path) || tree.paths().any(|other| other.starts_with(&format!("{path}/")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    #[test]
    fn every_crate_stands_in_the_code_map() {
        let tree = Tree::of_texts(&[
            (ARCHITECTURE, "`web` and crates/app"),
            ("crates/app/Cargo.toml", ""),
            ("crates/store/Cargo.toml", ""),
            ("crates/web/Cargo.toml", ""),
        ]);
        assert_eq!(
            report(&check_code_map(&tree)),
            "ARCHITECTURE.md:1: `store` is not named"
        );
        assert_eq!(
            report(&check_code_map(&Tree::default())),
            "ARCHITECTURE.md:1: there is no code map"
        );
    }

    #[test]
    fn the_readme_names_both_commands() {
        let tree = Tree::of_texts(&[(README, "    cargo run --release -- demo")]);
        assert_eq!(
            report(&check_readme(&tree)),
            "README.md:1: `cargo xtask test` is not named"
        );
    }

    fn check_records(names: &[&str], expected: &str) {
        let paths: Vec<String> = names.iter().map(|name| format!("{DECISIONS}{name}")).collect();
        let texts: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "")).collect();
        assert_eq!(report(&check_decisions(&Tree::of_texts(&texts))), expected);
    }

    #[test]
    fn decision_records_are_counted_without_gap() {
        check_records(&["0001-a.md", "0002-b.md", "README.md"], "");
        check_records(
            &["0002-b.md"],
            "docs/decisions/0002-b.md:1: decision 0001 is expected here",
        );
        check_records(
            &["0001-a.md", "0003-b.md", "0004-c.md"],
            "docs/decisions/0003-b.md:1: decision 0002 is expected here",
        );
        check_records(
            &["0001-a.md", "0001-b.md"],
            "docs/decisions/0001-b.md:1: decision 0002 is expected here",
        );
        check_records(
            &["0001-a.md", "2-b.md"],
            "docs/decisions/2-b.md:1: no name of a decision record",
        );
    }

    #[test]
    fn links_lead_somewhere() {
        let tree = Tree::of_texts(&[
            (
                "docs/api.md",
                "[a](../README.md#x) [b](decisions) [c](https://example.org/x) [d](#here)\n[e](gone.md \"t\")",
            ),
            ("docs/decisions/0001-a.md", ""),
            (README, "[root](.)"),
        ]);
        assert_eq!(
            report(&check_links(&tree)),
            "docs/api.md:2: the link to `gone.md` leads nowhere"
        );
    }
}
