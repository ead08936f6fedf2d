//! Files of members as people save them: good lines go in, bad ones are listed, and nothing is half-written.

use serde_json::{Value, json};

use crate::support::http::Call;
use crate::support::shown::items;
use crate::support::{Cast, TestApp, on_both};

fn import(app: &TestApp, cast: &Cast, content_type: &str, file: impl Into<Vec<u8>>) -> Call {
    let path = format!("/v1/institutions/{}/members/import", cast.institution.institution.id);
    app.post(&path)
        .bearer(&cast.administrator.token)
        .body(content_type, file)
}

async fn imported(app: &TestApp, cast: &Cast, file: impl Into<Vec<u8>>) -> Value {
    import(app, cast, "text/csv", file).send().await.ok(200)
}

/// `line: problem` of each line that was not taken.
fn refused(report: &Value) -> Vec<String> {
    let lines = report["lines"].as_array().unwrap().iter();
    let bad = lines.filter(|line| line.get("problem").is_some());
    bad.map(|line| format!("{}: {}", line["line"], line["problem"].as_str().unwrap()))
        .collect()
}

/// Of those who were taken in by a file, sorted.
async fn names(app: &TestApp, cast: &Cast) -> Vec<String> {
    let path = format!("/v1/institutions/{}/members?limit=200", cast.institution.institution.id);
    let list = app.get(&path).bearer(&cast.administrator.token).send().await.ok(200);
    let names = items(&list)
        .iter()
        .map(|member| member["name"].as_str().unwrap().to_owned());
    let mut names: Vec<_> = names
        .filter(|name| !matches!(name.as_str(), "han.meimei" | "wang.fang"))
        .collect();
    names.sort();
    names
}

on_both! {
    async fn csv_of_every_habit(app: TestApp) {
        let cast = app.cast().await;
        let files: [&[u8]; 5] = [
            b"name,login,department\nAda,ada,R&D\n",
            "\u{feff}姓名;登录名;部门;工号\r\n李雷;lilei;研发;E-1\r\n\"韩;梅梅\";hanmei;研发;\r\n".as_bytes(),
            b"LOGIN\tName\tsomething else\nbob\tBob\t1\n",
            b"name,login,identity_kind,identity_number,role\r\n\"Carl \"\"C\"\"\",carl,credential,C-1,administrator\r\n",
            b"name,login\n\nDora,dora",
        ];
        for file in files {
            let report = imported(&app, &cast, file).await;
            assert_eq!(report["refused"], 0, "{report}");
        }
        let expected = ["Ada", "Bob", "Carl \"C\"", "Dora", "李雷", "韩;梅梅"];
        assert_eq!(names(&app, &cast).await, expected);
        // A first password signs in.
        let report = imported(&app, &cast, "name,login\nEve,eve\n").await;
        let asked = json!({"login": "eve", "password": report["lines"][0]["first_password"]});
        app.post("/v1/sessions").json(&asked).send().await.expect(201);
    }

    async fn csv_that_cannot_be_read_at_all(app: TestApp) {
        let cast = app.cast().await;
        let cases: [(&[u8], u16, &str); 7] = [
            (b"", 400, "the file has no header line"),
            (b"\n\n \n", 400, "the file has no header line"),
            (b"\xef\xbb\xbf", 400, "the file has no header line"),
            (b"name,login\n\xc0\xee\xc0\xd7,lilei\n", 400, "the file is not UTF-8 text; save it as CSV UTF-8"),
            (b"\xff\xfen\x00a\x00m\x00e\x00", 400, "the file is not UTF-8 text; save it as CSV UTF-8"),
            (b"name,department\nAda,R&D\n", 422, "the columns login are missing; the header has name, department"),
            (b"Ada,ada\nBob,bob\n", 422, "the columns name, login are missing; the header has Ada, ada"),
        ];
        for (file, status, detail) in cases {
            let answer = app.changes_nothing(import(&app, &cast, "text/csv", file)).await;
            let code = if status == 400 { "unreadable" } else { "invalid-fields" };
            let problem = answer.problem(status, code);
            let told = problem["reasons"][0]["detail"].as_str().or(problem["detail"].as_str()).unwrap();
            assert_eq!(told, detail);
        }
        for kind in ["application/json", "text/plain", "application/vnd.ms-excel"] {
            let call = import(&app, &cast, kind, "name,login\nAda,ada\n");
            app.changes_nothing(call).await.problem(415, "unsupported-media-type");
        }
    }

    async fn csv_lines_that_are_wrong_are_listed_and_the_others_taken(app: TestApp) {
        let cast = app.cast().await;
        let long = "x".repeat(10_000);
        let file = format!(
            "name,login,identity_kind,identity_number,email,employee_number,department,role\n\
             Ada,ada,,,,E-1,R&D,\n\
             ,nameless,,,,,,\n\
             Bob,b,,,,,,\n\
             Bob,bob smith,,,,,,\n\
             Carl,carl,passport,1,,,,\n\
             Carl,carl,credential,a b,,,,\n\
             Carl,carl,,,,,,boss\n\
             Dora\n\
             Dora,dora,,,,,,,,\n\
             N\u{0}UL,nul,,,,,,\n\
             Eve,eve,,,,{long},,\n\
             Eve,eve,,,,,{long},\n\
             {long},frank,,,,,,\n\
             \u{1f389},gina,,,,,\u{1f389},\n"
        );
        let report = imported(&app, &cast, file).await;
        assert_eq!((&report["taken"], &report["refused"]), (&json!(2), &json!(12)), "{report}");
        let expected = [
            "3: name: must not be empty",
            "4: login: use 3 to 100 letters, digits and . _ - @ +",
            "5: login: use 3 to 100 letters, digits and . _ - @ +",
            "6: identity_kind: use user_number, credential or cross_border_credential",
            "7: identity_number: an identity number has 1 to 64 letters, digits, hyphens, points or slashes",
            "8: role: use employee or administrator",
            "9: the line has 1 fields, the header has 8",
            "10: the line has 10 fields, the header has 8",
            "11: name: contains a control character at position 1",
            "12: employee_number: has 10000 characters, at most 64 are allowed",
            "13: department: has 10000 characters, at most 100 are allowed",
            "14: name: has 10000 characters, at most 100 are allowed",
        ];
        assert_eq!(refused(&report), expected);
        assert_eq!(names(&app, &cast).await, ["Ada", "🎉"]);
        // Of a line that was refused nothing stays behind: no person, no department.
        for login in ["eve", "nul", "frank", "carl", "dora"] {
            let operator = app.operator_key().await;
            let found = app.get(&format!("/v1/people?login={login}")).bearer(&operator).send().await.ok(200);
            assert!(items(&found).is_empty(), "{login}: {found}");
        }
        let path = format!("/v1/institutions/{}/departments", cast.institution.institution.id);
        let list = app.get(&path).bearer(&cast.administrator.token).send().await.ok(200);
        let mut departments: Vec<_> = items(&list).iter().map(|one| one["name"].as_str().unwrap()).collect();
        departments.sort_unstable();
        assert_eq!(departments, ["R&D", "🎉"]);
    }

    async fn csv_lines_that_repeat(app: TestApp) {
        let cast = app.cast().await;
        let file = "name,login,identity_kind,identity_number,employee_number,department\n\
                    Ada,ada,credential,C-1,E-1,R&D\n\
                    Ada,ada,credential,C-1,E-1,R&D\n\
                    Ada again,ada.again,credential,c-1,E-2,R&D\n\
                    Bob,bob,,,E-1,New department\n\
                    Ada,ada,credential,C-2,E-3,\n\
                    Carl,carl,,,E-4,R&D\n";
        let report = imported(&app, &cast, file).await;
        let expected = [
            "3: person: is a member already",
            "4: person: is a member already",
            "5: employee_number: another member has it",
            "6: login: this name is taken",
        ];
        assert_eq!(refused(&report), expected);
        assert_eq!(names(&app, &cast).await, ["Ada", "Carl"]);
        let before = app.row_counts().await;
        // Nobody knows the password of a person that a refused line would have registered: there is none.
        let operator = app.operator_key().await;
        let found = app.get("/v1/people?login=bob").bearer(&operator).send().await.ok(200);
        assert!(items(&found).is_empty(), "{found}");

        // The whole file again: every line is refused, nothing changes.
        let report = imported(&app, &cast, file).await;
        assert_eq!((&report["taken"], &report["refused"]), (&json!(0), &json!(6)), "{report}");
        let mut after = app.row_counts().await;
        after.insert("access_keys".to_owned(), before["access_keys"]);
        assert_eq!(after, before);
    }
}
