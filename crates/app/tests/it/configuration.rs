//! The configuration as the program reads and shows it, and the pages written from its tables.

use std::path::PathBuf;

use crate::support::program::{Program, Ran};

#[test]
fn every_value_is_shown_with_its_origin_and_without_secrets() {
    let program = Program::new();
    std::fs::write(program.path().join("onescan.toml"), "[codes]\nprefix = 31\n").unwrap();
    let mut command = program.command(&["config", "show", "--data", "here"]);
    command.env("ONESCAN__SECRET", "0123456789abcdef".repeat(4));
    command.env("ONESCAN__DATABASE__URL", "postgres://ada:hunter2@db/onescan");
    let ran = Ran::of(&mut command);
    assert_eq!(ran.status, 0, "{ran:#?}");
    let line = |key: &str| {
        let found = ran.stdout.lines().find(|line| line.starts_with(&format!("{key} ")));
        let words: Vec<&str> = found.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    };
    assert_eq!(line("data_folder"), "data_folder here --data");
    assert_eq!(line("secret"), "secret … ONESCAN__SECRET");
    assert_eq!(
        line("database.url"),
        "database.url postgres://ada:…@db/onescan ONESCAN__DATABASE__URL"
    );
    assert_eq!(line("codes.prefix"), "codes.prefix 31 onescan.toml");
    assert_eq!(line("codes.shown_seconds"), "codes.shown_seconds 60 default");
    assert!(!ran.stdout.contains("hunter2") && !ran.stdout.contains("0123456789abcdef"));
}

#[test]
fn a_wrong_configuration_ends_with_status_two_before_anything_is_made() {
    let program = Program::new();
    std::fs::write(
        program.path().join("onescan.toml"),
        "[server]\nlissten = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    for arguments in [&["config", "check"][..], &["serve"], &["person", "list"]] {
        let ran = program.run(arguments);
        assert_eq!(ran.status, 2, "{ran:#?}");
        let expected = "error: onescan.toml: there is no key `server.lissten`; did you mean `server.listen`?\n";
        assert_eq!(ran.stderr, expected);
    }
    assert!(!program.path().join("onescan-data").exists());
    std::fs::remove_file(program.path().join("onescan.toml")).unwrap();
    assert_eq!(program.run(&["config", "check"]).status, 0);
}

/// The page in the repository, by its path from the root.
fn page(path: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    (path, text)
}

#[track_caller]
fn check_page(path: &str, arguments: &[&str]) {
    let ran = Program::new().run(arguments);
    assert_eq!(ran.status, 0, "{ran:#?}");
    let (path, text) = page(path);
    let command = arguments.join(" ");
    assert!(
        text == ran.stdout,
        "{} is out of step: run `onescan {command} > {}`",
        path.display(),
        path.display()
    );
}

#[test]
fn the_reference_of_the_configuration_is_in_step() {
    check_page("docs/configuration.md", &["config", "docs"]);
}

#[test]
fn the_reference_of_the_command_line_is_in_step() {
    check_page("docs/cli.md", &["docs", "cli"]);
}

#[test]
fn s21_the_contracts_documents_are_in_step() {
    for name in ["codes", "profiles", "payments", "invoicing"] {
        check_page(&format!("docs/contracts/{name}.json"), &["contract", "document", name]);
    }
}
