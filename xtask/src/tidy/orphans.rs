//! No `.rs` file without a `mod` that names it: such a file is never compiled, and its tests never run.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::rust_source::{Named, RustSource};
use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let reached = reached_files(tree);
    tree.paths()
        .filter(|path| path.ends_with(".rs") && !reached.contains(*path))
        .map(|path| {
            Finding::new(
                path,
                1,
                "no module names this file",
                "declare it with `mod`, or delete it",
            )
        })
        .collect()
}

/// A file to read, and whether its modules lie beside it (`lib.rs`, `mod.rs`) or in a folder of its name.
struct Visit {
    path: String,
    children: Children,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Children {
    Beside,
    InFolder,
}

fn reached_files(tree: &Tree) -> BTreeSet<String> {
    let mut waiting: Vec<Visit> = roots(tree)
        .into_iter()
        .map(|path| Visit {
            path,
            children: Children::Beside,
        })
        .collect();
    let mut reached = BTreeSet::new();
    while let Some(visit) = waiting.pop() {
        let Some(text) = tree.text(&visit.path) else { continue };
        for named in RustSource::new(text).named_files() {
            waiting.extend(find_named(tree, &visit, &named));
        }
        reached.insert(visit.path);
        waiting.retain(|next| !reached.contains(&next.path));
    }
    reached
}

fn find_named(tree: &Tree, visit: &Visit, named: &Named) -> Option<Visit> {
    let folder = parent(&visit.path);
    match named {
        Named::File(file) => {
            let path = normalise(&format!("{folder}/{file}"));
            Some(Visit {
                path,
                children: Children::Beside,
            })
        }
        Named::Module { inside, name } => {
            let mut folder = match visit.children {
                Children::Beside => folder.to_owned(),
                Children::InFolder => visit.path.trim_end_matches(".rs").to_owned(),
            };
            for module in inside {
                folder = format!("{folder}/{module}");
            }
            [
                (format!("{folder}/{name}.rs"), Children::InFolder),
                (format!("{folder}/{name}/mod.rs"), Children::Beside),
            ]
            .into_iter()
            .find(|(path, _)| tree.has(path))
            .map(|(path, children)| Visit { path, children })
        }
    }
}

/// Where compilation starts: what cargo finds by itself, and what the manifests name.
fn roots(tree: &Tree) -> Vec<String> {
    let packages = tree.paths().filter_map(|path| path.strip_suffix("/Cargo.toml"));
    let mut found = Vec::new();
    for package in packages {
        let files = tree.paths().filter(|path| {
            path.strip_prefix(package)
                .and_then(|path| path.strip_prefix('/'))
                .is_some_and(is_found_by_cargo)
        });
        found.extend(files.map(str::to_owned));
        let manifest = tree.text(&format!("{package}/Cargo.toml")).unwrap_or_default();
        found.extend(
            named_targets(manifest)
                .into_iter()
                .map(|path| normalise(&format!("{package}/{path}"))),
        );
    }
    found
}

fn is_found_by_cargo(path: &str) -> bool {
    if ["src/lib.rs", "src/main.rs", "build.rs"].contains(&path) {
        return true;
    }
    let target = ["src/bin/", "tests/", "benches/", "examples/"]
        .iter()
        .find_map(|folder| path.strip_prefix(folder));
    target.is_some_and(|target| match target.split_once('/') {
        None => target.ends_with(".rs"),
        Some((_, file)) => file == "main.rs",
    })
}

fn named_targets(manifest: &str) -> Vec<String> {
    let Ok(manifest) = manifest.parse::<Table>() else {
        return Vec::new();
    };
    let lib = manifest.get("lib").into_iter();
    let others = ["bin", "test", "bench", "example"]
        .into_iter()
        .filter_map(|kind| manifest.get(kind)?.as_array());
    lib.chain(others.flatten())
        .filter_map(|target| target.get("path").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Takes `.` and `..` out of the path.
pub fn normalise(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    #[test]
    fn every_way_to_name_a_file_is_known() {
        let tree = Tree::of_texts(&[
            ("crates/web/Cargo.toml", "[[bin]]\nname = \"x\"\npath = \"tools/x.rs\""),
            ("crates/web/build.rs", "include!(\"src/shared.rs\");"),
            (
                "crates/web/src/lib.rs",
                "mod api; mod pages; #[path = \"odd/place.rs\"] mod place;",
            ),
            ("crates/web/src/shared.rs", ""),
            (
                "crates/web/src/api.rs",
                "mod codes; #[cfg(test)] mod tests { mod samples; }",
            ),
            ("crates/web/src/api/codes.rs", ""),
            ("crates/web/src/api/tests/samples.rs", ""),
            ("crates/web/src/pages/mod.rs", "mod till;"),
            ("crates/web/src/pages/till.rs", ""),
            ("crates/web/src/odd/place.rs", ""),
            ("crates/web/tools/x.rs", ""),
            ("crates/web/tests/one.rs", "mod helper;"),
            ("crates/web/tests/helper/mod.rs", ""),
            ("crates/web/tests/it/main.rs", "mod s01_access;"),
            ("crates/web/tests/it/s01_access.rs", ""),
        ]);
        assert_eq!(report(&check(&tree)), "");
    }

    #[test]
    fn a_file_that_nothing_names_is_found() {
        let tree = Tree::of_texts(&[
            ("crates/web/Cargo.toml", ""),
            ("crates/web/src/lib.rs", "// mod old;\nmod api;"),
            ("crates/web/src/api.rs", "mod codes;"),
            ("crates/web/src/codes.rs", ""),
            ("crates/web/src/old.rs", "mod older;"),
            ("crates/web/src/old/older.rs", ""),
            ("crates/web/tests/it/s01_access.rs", ""),
        ]);
        let expected = "crates/web/src/codes.rs:1: no module names this file\n\
                        crates/web/src/old.rs:1: no module names this file\n\
                        crates/web/src/old/older.rs:1: no module names this file\n\
                        crates/web/tests/it/s01_access.rs:1: no module names this file";
        assert_eq!(report(&check(&tree)), expected);
    }

    #[test]
    fn paths_are_normalised() {
        assert_eq!(normalise("crates/web/./src/../tools//x.rs"), "crates/web/tools/x.rs");
    }
}
