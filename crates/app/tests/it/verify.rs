//! `onescan verify` finds what nobody but a tamperer could have written.

use crate::support::program::Program;

/// Each change to a row, and the invariant that must notice it.
const TAMPERING: &[(&str, &str)] = &[
    (
        "update accounts set posted_minor = posted_minor + 1 where kind = 'institution'",
        "balances",
    ),
    (
        "delete from transfers where id = (select min(id) from transfers where kind = 'payment')",
        "balances",
    ),
    (
        "update payments set refunded_minor = amount_minor where refunded_minor = 0",
        "refunds",
    ),
    (
        "delete from sales where payment_id = (select min(payment_id) from sales)",
        "sales",
    ),
    ("update document_series set last_number = last_number + 1", "numbers"),
    ("delete from documents where running = 1", "invoice_documents"),
    (
        "update ride_bills set charged_minor = charged_minor + 1 where state = 'issued'",
        "bill_documents",
    ),
    (
        "update ride_orders set bill_id = null where bill_id is not null",
        "bill_sums",
    ),
    (
        "update document_files set sha256 = 'ff' || substr(sha256, 3)",
        "documents",
    ),
];

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

#[test]
fn tampering_is_found_and_named() {
    let program = Program::new();
    drop(program.start(&["demo", "--port", "0"]));
    let demo = program.path().join("onescan-data/demo");
    assert_eq!(program.run(&["verify", "--data", "onescan-data/demo"]).status, 0);
    for (statement, expected) in TAMPERING {
        let folder = program.path().join("tampered");
        std::fs::create_dir_all(&folder).unwrap();
        for name in ["onescan.db", "secret.key"] {
            std::fs::copy(demo.join(name), folder.join(name)).unwrap();
        }
        copy_folder(&demo.join("documents"), &folder.join("documents"));
        let database = rusqlite::Connection::open(folder.join("onescan.db")).unwrap();
        database.pragma_update(None, "foreign_keys", "off").unwrap();
        assert!(database.execute(statement, []).unwrap() > 0, "{statement}");
        drop(database);
        let ran = program.run(&["verify", "--data", "tampered", "--json"]);
        assert_eq!(ran.status, 1, "{statement}: {}", ran.stdout);
        let reports: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let broken = |report: &&serde_json::Value| report["verdict"] == "BROKEN";
        let broken: Vec<&serde_json::Value> = reports.as_array().unwrap().iter().filter(broken).collect();
        assert!(
            broken.iter().any(|report| report["invariant"] == *expected),
            "{statement}: {broken:#?}"
        );
        assert!(
            broken
                .iter()
                .all(|report| !report["breaches"].as_array().unwrap().is_empty())
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
