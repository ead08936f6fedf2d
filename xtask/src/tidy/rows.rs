//! Every row of the mission that should work by now has a test that carries its id: `s07_…` proves S07.

use std::collections::BTreeSet;

use super::rust_source::{RustSource, words};
use super::{Finding, Tree};

/// Row, and the issue that made it work. A new issue adds the rows it builds.
const ROWS: &[(&str, u32)] = &[
    ("S01", 2),
    ("S02", 2),
    ("S03", 2),
    ("S04", 2),
    ("S05", 2),
    ("S06", 2),
    ("S07", 2),
    ("S08", 2),
    ("S09", 2),
    ("S10", 2),
    ("S11", 2),
    ("S12", 2),
    ("S13", 2),
    ("S14", 2),
    ("S15", 2),
    ("S16", 2),
    ("S17", 2),
    ("S18", 2),
    ("S19", 2),
    ("S22", 2),
    ("S23", 2),
];

const ACCEPTANCE_TESTS: &str = "crates/app/tests/";

pub fn check(tree: &Tree) -> Vec<Finding> {
    let proved = proved_rows(tree);
    ROWS.iter()
        .filter(|(row, _)| !proved.contains(*row))
        .map(|(row, issue)| {
            let what = format!("row {row} (issue {issue}) has no test `{}_…`", row.to_lowercase());
            Finding::new(ACCEPTANCE_TESTS, 1, what, "write the acceptance test that proves it")
        })
        .collect()
}

/// The rows whose id begins the name of a function among the acceptance tests.
fn proved_rows(tree: &Tree) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for (_, text) in tree
        .texts(&[".rs"])
        .filter(|(path, _)| path.starts_with(ACCEPTANCE_TESTS))
    {
        let source = RustSource::new(text);
        let names = words(&source.code)
            .zip(words(&source.code).skip(1))
            .filter(|(word, _)| *word == "fn");
        rows.extend(names.filter_map(|(_, name)| Some(name.split_once('_')?.0.to_uppercase())));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    #[test]
    fn a_function_name_proves_its_row() {
        let tests: String = ROWS
            .iter()
            .map(|(row, _)| format!("#[test]\nfn {}_x() {{}}\n", row.to_lowercase()))
            .collect();
        let path = "crates/app/tests/it/all.rs";
        assert_eq!(report(&check(&Tree::of_texts(&[(path, &tests)]))), "");

        let without_s07 = tests.replace("fn s07_x", "fn s07x() {} // fn s07_y\nfn t07_x");
        let expected = "crates/app/tests/:1: row S07 (issue 2) has no test `s07_…`";
        assert_eq!(report(&check(&Tree::of_texts(&[(path, &without_s07)]))), expected);

        let elsewhere = Tree::of_texts(&[("crates/web/tests/all.rs", &tests)]);
        assert_eq!(check(&elsewhere).len(), ROWS.len());
    }
}
