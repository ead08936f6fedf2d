//! The commands of an operator, on a new data folder.

use crate::support::program::Program;

#[test]
fn a_server_is_set_up_from_the_command_line() {
    let program = Program::new();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let arguments = [
        "institution",
        "create",
        "Nordlicht GmbH",
        "--currency",
        "EUR",
        "--time-zone",
        "Europe/Berlin",
    ];
    let institution = text(&program.json(&arguments)["id"]);
    let below = program.json(&[
        "institution",
        "create",
        "Nordlicht Süd",
        "--currency",
        "EUR",
        "--parent",
        &institution,
    ]);
    assert_eq!(below["parent"], institution.as_str());
    assert_eq!(program.json(&["institution", "list"]).as_array().unwrap().len(), 2);

    let person = program.json(&["person", "create", "Ada Berg", "Ada.Berg", "--currency", "EUR"]);
    assert_eq!(person["login"], "ada.berg");
    let administrator = program.json(&["institution", "administrator", &institution, "ada.berg"]);
    assert_eq!(administrator["role"], "administrator");

    let first = program.json(&["top-up", &institution, "5000", "--key", "bank-1"]);
    let again = program.json(&["top-up", &institution, "5000", "--key", "bank-1"]);
    assert_eq!(first["transfer"], again["transfer"]);
    assert_eq!(
        program.json(&["institution", "show", &institution])["available"],
        "5000.00 EUR"
    );
    assert_eq!(program.json(&["top-up", "ada.berg", "12.5"])["available"], "12.50 EUR");

    let merchant =
        text(&program.json(&["merchant", "create", "Café", "--category", "5814", "--currency", "EUR"])["id"]);
    let store = text(&program.json(&["merchant", "store", &merchant, "Main street", "--city", "Berlin"])["id"]);
    let arguments = [
        "merchant", "terminal", &merchant, "Till 1", "--store", &store, "--role", "cashier",
    ];
    let terminal = program.json(&arguments);
    assert_eq!(terminal["role"], "cashier");
    let key = text(&terminal["id"]);
    assert_eq!(program.json(&["merchant", "key", "revoke", &key])["revoked"], true);
    for arguments in [&["operator", "key"][..], &["institution", "key", &institution]] {
        let key = text(&program.json(arguments)["key"]);
        assert!(key.starts_with("key_") && key.len() == 4 + 26 + 1 + 64, "{key}");
    }
    assert_eq!(program.run(&["verify"]).status, 0);
}

#[test]
fn refusals_say_why_and_change_nothing() {
    let program = Program::new();
    let nobody = "ins_00000000000000000000000000";
    let check = |arguments: &[&str], status: i32, expected: &str| {
        let ran = program.run(arguments);
        assert_eq!(ran.status, status, "{ran:#?}");
        assert!(ran.stderr.contains(expected), "{expected}: {ran:#?}");
        assert_eq!(ran.stdout, "");
    };
    check(
        &["institution", "create", "X", "--currency", "eur"],
        2,
        "three capital letters of ISO 4217",
    );
    check(
        &["institution", "create", "X", "--currency", "EUR", "--time-zone", "Mars"],
        1,
        "time_zone: not a known IANA name",
    );
    check(
        &["institution", "create", " ", "--currency", "EUR"],
        1,
        "name: must not be empty",
    );
    check(&["institution", "show", nobody], 1, "there is no institution ins_");
    check(&["institution", "show", "per_1"], 2, "not an id of the form ins_");
    check(
        &["merchant", "create", "X", "--category", "58x4", "--currency", "EUR"],
        1,
        "four digits of ISO 18245",
    );
    check(
        &["top-up", "nobody.here", "1"],
        1,
        "there is nobody with the sign-in name or id nobody.here",
    );
    check(&["top-up", nobody, "1"], 1, "there is no institution");
    program.json(&["person", "create", "Ada", "ada", "--currency", "JPY"]);
    check(
        &["person", "create", "Ada", "ada", "--currency", "JPY"],
        1,
        "login: this name is taken",
    );
    check(
        &["top-up", "ada", "1.5"],
        1,
        "not a decimal number with at most 0 decimals",
    );
    check(&["top-up", "ada", "0"], 1, "at least 1 minor unit");
    check(&["top-up", "ada", "5", "--key", "two words"], 1, "visible ASCII");
    check(
        &["institution", "administrator", nobody, "ada"],
        1,
        "there is no institution",
    );
    assert_eq!(program.json(&["person", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(program.json(&["institution", "list"]).as_array().unwrap().len(), 0);
}

#[test]
fn members_are_imported_with_a_report_per_line() {
    let program = Program::new();
    let created = program.json(&[
        "institution",
        "create",
        "示例科技",
        "--currency",
        "CNY",
        "--time-zone",
        "Asia/Shanghai",
    ]);
    let institution = created["id"].as_str().unwrap().to_owned();
    let file = program.path().join("staff.csv");
    std::fs::write(
        &file,
        "\u{feff}姓名;登录名;部门;角色\r\n李雷;li.lei;研发部;\r\n韩梅梅;x;研发部;\r\n王芳;wang.fang;;administrator\r\n",
    )
    .unwrap();
    let arguments = ["import", "members", "--institution", &institution, "staff.csv"];
    let ran = program.run(&[&arguments[..], &["--json"]].concat());
    assert_eq!(ran.status, 1, "{ran:#?}");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let line = |place: usize| (report[place]["line"].clone(), report[place]["outcome"].clone());
    assert_eq!(line(0), (2.into(), "taken in".into()));
    assert_eq!(line(1), (3.into(), "refused".into()));
    assert_eq!(report[1]["reason"], "login: use 3 to 100 letters, digits and . _ - @ +");
    assert_eq!(line(2), (4.into(), "taken in".into()));
    assert_eq!(report[0]["first_password"].as_str().unwrap().len(), 16);
    assert_eq!(program.json(&["institution", "show", &institution])["members"], 2);

    let again = program.run(&arguments);
    assert_eq!(again.status, 1);
    assert!(again.stdout.contains("person: is a member already"), "{again:#?}");
    assert!(again.stdout.ends_with("0 taken in, 3 refused\n"), "{again:#?}");

    std::fs::write(&file, "name,department\nAda,R&D\n").unwrap();
    let unusable = program.run(&arguments);
    assert_eq!(unusable.status, 1);
    assert!(
        unusable.stderr.contains("the columns login are missing"),
        "{unusable:#?}"
    );
}

#[test]
fn migrations_are_listed_run_once_and_asked_for() {
    let program = Program::new();
    let status = program.json(&["migrate", "status"]);
    assert_eq!(status[0]["state"], "pending");
    let pending = program.json(&["migrate", "--dry-run"]);
    assert_eq!(pending.as_array().unwrap().len(), status.as_array().unwrap().len());
    let refused = program.run(&["serve", "--no-migrate", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("run `onescan migrate`"), "{refused:#?}");
    assert_eq!(program.json(&["migrate"])[0]["state"], "ran");
    assert_eq!(program.json(&["migrate"]).as_array().unwrap().len(), 0);
    assert_eq!(program.json(&["migrate", "status"])[0]["state"], "applied");
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let program = Program::new();
    let new = program.json(&["doctor"]);
    let health = |looks: &serde_json::Value, what: &str| {
        let found = looks.as_array().unwrap().iter().find(|look| look["check"] == what);
        found.map_or(String::new(), |look| look["health"].as_str().unwrap().to_owned())
    };
    assert_eq!(health(&new, "data folder"), "warn");
    assert_eq!(health(&new, "database"), "warn");
    assert_eq!(health(&new, "documents"), "warn");
    assert!(!program.path().join("onescan-data").exists(), "looking makes nothing");

    program.json(&["person", "list"]);
    let well = program.json(&["doctor"]);
    for what in [
        "clock",
        "data folder",
        "disk space",
        "secret",
        "database",
        "schema",
        "invariants",
        "outbox",
    ] {
        assert_eq!(health(&well, what), "ok", "{what}: {well:#}");
    }
    let secret = program.path().join("onescan-data/secret.key");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let ran = program.run(&["doctor", "--json"]);
    assert_eq!(ran.status, 1);
    assert_eq!(health(&serde_json::from_str(&ran.stdout).unwrap(), "secret"), "FAIL");
}

#[test]
fn the_description_of_the_api_and_completions_are_printed() {
    let program = Program::new();
    let described = program.run(&["openapi"]);
    let described: serde_json::Value = serde_json::from_str(&described.stdout).unwrap();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1"));
    assert!(described["paths"]["/v1/payments"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        let ran = program.run(&["completions", shell]);
        assert!(ran.status == 0 && ran.stdout.contains("top-up"), "{shell}");
    }
    assert!(
        std::fs::read_dir(program.path()).unwrap().next().is_none(),
        "printing makes nothing"
    );
}

#[test]
fn r09_bills_are_looked_at_and_closed_from_the_command_line() {
    let program = Program::new();
    drop(program.start(&["demo", "--port", "0"]));
    fn at<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [arguments, &["--data", "onescan-data/demo"]].concat()
    }
    let json = |arguments: &[&str]| program.json(&at(arguments));
    let institutions = json(&["institution", "list"]);
    let institutions = institutions.as_array().unwrap();
    let id = |value: &serde_json::Value| value["id"].as_str().unwrap().to_owned();
    let billed = institutions.iter().map(id).find_map(|id| {
        let bills = json(&["bill", "list", &id]);
        let bills = bills.as_array().unwrap().clone();
        (!bills.is_empty()).then_some((id, bills))
    });
    // The demo's months are closed by its schedule, and each has its invoice.
    let (institution, bills) = billed.expect("the demo has bills");
    assert!(bills.len() >= 2, "{bills:#?}");
    assert!(bills.iter().all(|bill| bill["state"] == "issued"), "{bills:#?}");
    let bill = bills[0]["bill"].as_str().unwrap();
    let shown = json(&["bill", "show", bill]);
    assert_eq!(
        (&shown["number"], &shown["institution"]),
        (&bills[0]["number"], &serde_json::json!(institution))
    );
    let ran = program.run(&at(&["bill", "export", bill]));
    assert_eq!(
        ran.stdout.lines().count() as i64,
        shown["rides"].as_i64().unwrap() + 1,
        "{}",
        ran.stdout
    );
    program.run(&at(&["bill", "export", bill, "--form", "pdf", "--output", "bill.pdf"]));
    assert!(
        std::fs::read(program.path().join("bill.pdf"))
            .unwrap()
            .starts_with(b"%PDF")
    );

    let waiting = json(&["bill", "preview", &institution]);
    let provider = bills[0]["provider"].as_str().unwrap();
    let refused = |arguments: &[&str], why: &str| {
        let ran = program.run(&at(arguments));
        assert_eq!(ran.status, 1, "{ran:#?}");
        assert!(ran.stderr.contains(why), "{why}: {ran:#?}");
    };
    if let Some(running) = waiting.as_array().unwrap().first() {
        let on = running["first_on"].as_str().unwrap();
        let close = [
            "bill",
            "close",
            &institution,
            "--provider",
            provider,
            "--period",
            "month",
            "--on",
            on,
        ];
        refused(&close, "the period is not over before");
    }
    let wrong = [
        "bill",
        "close",
        &institution,
        "--provider",
        provider,
        "--period",
        "month",
    ];
    refused(&wrong, "--on: enter a date such as 2026-11-15");
    refused(
        &["bill", "credit", bill],
        "no refund of a ride in this bill waits to be credited",
    );
    refused(
        &["bill", "show", "bil_00000000000000000000000000"],
        "there is no bill bil_",
    );
    // A repeat answers with the one bill of the period.
    let on = bills[0]["first_on"].as_str().unwrap();
    let again = [
        "bill",
        "close",
        &institution,
        "--provider",
        provider,
        "--period",
        "month",
        "--on",
        on,
    ];
    assert_eq!(json(&again)["bill"], bills[0]["bill"]);
}
