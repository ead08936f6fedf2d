//! Which crate may use which: STYLE's table of the house as data.

use toml::{Table, Value};

use super::{Finding, Tree};

struct CrateRule {
    folder: &'static str,
    /// Our own crates it may use, by folder.
    ours: &'static [&'static str],
    outside: Outside,
}

/// What it may use of other people's crates. Tests (`dev-dependencies`) are free.
enum Outside {
    Any,
    Only(&'static [&'static str]),
    Without(&'static [&'static str]),
}

const HOUSE: &[CrateRule] = &[
    CrateRule {
        folder: "domain",
        ours: &[],
        outside: Outside::Only(&["thiserror"]),
    },
    CrateRule {
        folder: "symbols",
        ours: &[],
        outside: Outside::Any,
    },
    CrateRule {
        folder: "gate",
        ours: &["domain"],
        outside: Outside::Only(&["coset", "ed25519-dalek", "p256", "sha2", "thiserror"]),
    },
    CrateRule {
        folder: "einvoice",
        ours: &["domain"],
        outside: Outside::Any,
    },
    CrateRule {
        folder: "platforms",
        ours: &["domain", "gate", "symbols", "einvoice"],
        outside: Outside::Without(&["rusqlite", "tokio-postgres", "axum"]),
    },
    CrateRule {
        folder: "store",
        ours: &["domain", "gate", "platforms"],
        outside: Outside::Without(&["axum"]),
    },
    CrateRule {
        folder: "web",
        ours: &["domain", "einvoice", "gate", "platforms", "symbols"],
        outside: Outside::Without(&["rusqlite", "tokio-postgres"]),
    },
    CrateRule {
        folder: "app",
        ours: &["domain", "gate", "symbols", "einvoice", "platforms", "store", "web"],
        outside: Outside::Any,
    },
];

/// Only these read and write JSON; the others pass values.
const JSON_CRATES: &[&str] = &["serde_json", "serde-json"];
const JSON_FOLDERS: &[&str] = &["einvoice", "web", "app"];

const KEEP_ARROWS: &str = "move the code to the crate that may use it (the arrows stand in ARCHITECTURE.md)";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in tree.crate_folders() {
        let path = format!("crates/{folder}/Cargo.toml");
        let text = tree.text(&path).unwrap_or_default();
        let Some(rule) = HOUSE.iter().find(|rule| rule.folder == folder) else {
            let remedy = "add its arrows to xtask/src/tidy/crates.rs and ARCHITECTURE.md";
            findings.push(Finding::new(
                &path,
                1,
                format!("the crate `{folder}` is not in the plan of the house"),
                remedy,
            ));
            continue;
        };
        match text.parse::<Table>() {
            Ok(manifest) => findings.extend(check_manifest(&path, text, &manifest, rule)),
            Err(error) => findings.push(Finding::new(&path, 1, error.message(), "make it valid TOML")),
        }
    }
    findings
}

fn check_manifest(path: &str, text: &str, manifest: &Table, rule: &CrateRule) -> Vec<Finding> {
    let mut findings = Vec::new();
    for dependency in dependencies(manifest) {
        if let Some(fault) = fault(&dependency, rule) {
            let line = line_of_key(text, dependency.key);
            findings.push(Finding::new(
                path,
                line,
                format!("`{}` {fault}", rule.folder),
                KEEP_ARROWS,
            ));
        }
    }
    let lints = manifest
        .get("lints")
        .and_then(|lints| lints.get("workspace"))
        .and_then(Value::as_bool);
    if lints != Some(true) {
        let what = "the lints of the workspace are not taken over";
        findings.push(Finding::new(path, 1, what, "add `[lints]` with `workspace = true`"));
    }
    findings
}

struct Dependency<'a> {
    /// As it stands in the manifest, for the line number.
    key: &'a str,
    package: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Of the crate or its build script.
    Shipped,
    Test,
}

fn fault(dependency: &Dependency<'_>, rule: &CrateRule) -> Option<String> {
    let package = dependency.package;
    if package == "onescan" {
        return Some("may not use the binary `app`".to_owned());
    }
    if let Some(ours) = package.strip_prefix("onescan-") {
        return (!rule.ours.contains(&ours)).then(|| format!("may not use our crate `{ours}`"));
    }
    if dependency.kind == Kind::Test {
        return None;
    }
    let is_barred = match rule.outside {
        Outside::Any => false,
        Outside::Only(allowed) => !allowed.contains(&package),
        Outside::Without(barred) => barred.contains(&package),
    };
    let is_barred_json = JSON_CRATES.contains(&package) && !JSON_FOLDERS.contains(&rule.folder);
    (is_barred || is_barred_json).then(|| format!("may not use `{package}`"))
}

fn dependencies(manifest: &Table) -> Vec<Dependency<'_>> {
    let of_targets = manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(of_targets.filter_map(Value::as_table));
    let mut found = Vec::new();
    for table in tables {
        for (section, kind) in [
            ("dependencies", Kind::Shipped),
            ("build-dependencies", Kind::Shipped),
            ("dev-dependencies", Kind::Test),
        ] {
            let entries = table.get(section).and_then(Value::as_table).into_iter().flatten();
            found.extend(entries.map(|(key, value)| Dependency {
                key,
                package: value.get("package").and_then(Value::as_str).unwrap_or(key),
                kind,
            }));
        }
    }
    found
}

/// The line that begins with this key, also as `[dependencies.key]`; 1 if there is none.
fn line_of_key(text: &str, key: &str) -> usize {
    let begins = |line: &str| {
        let line = line.trim_start().trim_start_matches('"');
        let name = line
            .strip_prefix('[')
            .and_then(|header| header.split_once("dependencies."))
            .map_or(line, |pair| pair.1);
        name.strip_prefix(key)
            .is_some_and(|rest| rest.starts_with([' ', '.', '=', '"', ']']))
    };
    1 + text.lines().position(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    const LINTS: &str = "[lints]\nworkspace = true\n";

    fn check_one(folder: &str, manifest: &str, expected: &str) {
        let path = format!("crates/{folder}/Cargo.toml");
        let text = format!("{LINTS}{manifest}");
        let findings = check(&Tree::of_texts(&[(&path, &text)]));
        assert_eq!(report(&findings), expected);
    }

    #[test]
    fn arrows_that_may_be() {
        check_one(
            "domain",
            "[dependencies]\nthiserror.workspace = true\n[dev-dependencies]\nproptest = \"1\"",
            "",
        );
        check_one(
            "web",
            "[dependencies]\nonescan-symbols.workspace = true\nserde_json = \"1\"",
            "",
        );
        check_one(
            "app",
            "[dependencies]\nonescan-store.workspace = true\nonescan-web = { path = \"../web\" }",
            "",
        );
    }

    #[test]
    fn arrows_that_may_not_be() {
        check_one(
            "store",
            "[dependencies]\nonescan-domain.workspace = true\nonescan-web.workspace = true",
            "crates/store/Cargo.toml:5: `store` may not use our crate `web`",
        );
        check_one(
            "symbols",
            "[dev-dependencies]\nonescan-platforms.workspace = true",
            "crates/symbols/Cargo.toml:4: `symbols` may not use our crate `platforms`",
        );
        check_one(
            "web",
            "[dependencies]\nonescan = { path = \"../app\" }",
            "crates/web/Cargo.toml:4: `web` may not use the binary `app`",
        );
    }

    #[test]
    fn outside_crates_that_may_not_be() {
        check_one(
            "domain",
            "[dependencies]\nthiserror = \"2\"\n[dependencies.jiff]\nversion = \"1\"",
            "crates/domain/Cargo.toml:5: `domain` may not use `jiff`",
        );
        check_one(
            "platforms",
            "[target.'cfg(unix)'.dependencies]\ntokio = \"1\"\ndatabase = { package = \"rusqlite\", version = \"1\" }",
            "crates/platforms/Cargo.toml:5: `platforms` may not use `rusqlite`",
        );
        check_one(
            "store",
            "[dependencies]\nserde_json.workspace = true",
            "crates/store/Cargo.toml:4: `store` may not use `serde_json`",
        );
    }

    #[test]
    fn a_crate_outside_the_plan_and_one_without_lints() {
        let tree = Tree::of_texts(&[
            ("crates/domain/Cargo.toml", "[package]"),
            ("crates/extra/Cargo.toml", LINTS),
        ]);
        let expected = "crates/domain/Cargo.toml:1: the lints of the workspace are not taken over\n\
                        crates/extra/Cargo.toml:1: the crate `extra` is not in the plan of the house";
        assert_eq!(report(&check(&tree)), expected);
    }

    #[test]
    fn a_manifest_that_is_no_toml() {
        let findings = check(&Tree::of_texts(&[("crates/web/Cargo.toml", "[package")]));
        assert_eq!(findings.len(), 1);
    }
}
