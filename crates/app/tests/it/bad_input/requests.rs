//! Requests that are not what they should be before anybody looks at what they ask.

use axum::http::Method;
use serde_json::{Value, json};

use crate::steps::cny;
use crate::support::inventory::{Inventory, operations};
use crate::support::{Cast, TestApp, on_both};

const JSON: &str = "application/json";

/// A payment with a body as bytes.
fn raw(app: &TestApp, cast: &Cast, content_type: &str, body: impl Into<Vec<u8>>) -> crate::support::http::Call {
    let call = app
        .post("/v1/payments")
        .bearer(&cast.merchant.cashier_key)
        .idempotency_key("k-1");
    call.body(content_type, body)
}

on_both! {
    async fn broken_json_is_told_with_line_and_column(app: TestApp) {
        let cast = app.cast().await;
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let cases: [(&[u8], &str); 14] = [
            (b"", "EOF while parsing a value at line 1 column 0"),
            (b"{", "EOF while parsing an object at line 1 column 1"),
            (b"{\n  \"code\": \"1\",\n  \"amount\" 5\n}", "expected `:` at line 3 column 12"),
            (b"{\"code\": 'x'}", "expected value at line 1 column 10"),
            (b"{\"code\": \"x\",}", "trailing comma at line 1 column 14"),
            (b"{\"code\": NaN}", "expected value at line 1 column 10"),
            (b"\xef\xbb\xbf{}", "expected value at line 1 column 1"),
            (b"\xff\xfe{\x00}\x00", "expected value at line 1 column 1"),
            (b"{\"code\": \"\xff\"}", "invalid unicode code point at line 1 column 11"),
            (b"{\"code\": \"\\ud800\"}", "unexpected end of hex escape at line 1 column 17"),
            (b"{\"code\": \"a\x00b\"}", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 12"),
            (b"{\"code\":\"1\",\"code\":\"2\"}", "duplicate field `code` at line 1 column 18"),
            (b"{\"kode\":\"1\"}", "unknown field `kode`"),
            (deep.as_bytes(), "line 1 column"),
        ];
        for (body, detail) in cases {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let problem = app.changes_nothing(raw(&app, &cast, JSON, body)).await.problem(400, "unreadable");
            let told = problem["detail"].as_str().unwrap();
            assert!(told.starts_with(detail) || told.contains(detail), "{shown}: {told}");
        }
        for body in ["[]", "null", "17", "\"text\"", "{} {}"] {
            app.changes_nothing(raw(&app, &cast, JSON, body)).await.problem(400, "unreadable");
        }
    }

    async fn bodies_of_another_type(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let code = app.show_user_code(&cast.person.token, "phone").await;
        let body = json!({"code": code.digits, "amount": cny(100), "order_number": "A-1"}).to_string();
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", "multipart/form-data"] {
            app.changes_nothing(raw(&app, &cast, kind, body.clone())).await.problem(415, "unsupported-media-type");
        }
        // Every operation with a body says so.
        for operation in operations(&app).await {
            let Some(media_type) = operation.media_type() else { continue };
            let path = operation.path_with(&inventory.ids_for(&operation));
            let call = app.call(operation.method.clone(), &path).bearer(inventory.owner(&operation));
            let call = call.idempotency_key("k-1").body("text/plain", "x");
            let problem = app.changes_nothing(call).await.problem(415, "unsupported-media-type");
            assert!(problem["detail"].as_str().unwrap().contains(media_type), "{problem}");
        }
        for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.till+json"] {
            raw(&app, &cast, kind, body.clone()).send().await.expect(201);
        }
    }

    async fn bodies_over_the_limit(app: TestApp) {
        let cast = app.cast().await;
        for bytes in [64 * 1024 + 1, 4 * 1024 * 1024 + 1, 9 * 1024 * 1024] {
            let body = vec![b' '; bytes];
            let problem = app.changes_nothing(raw(&app, &cast, JSON, body)).await.problem(413, "too-large");
            assert_eq!(problem["detail"], "a body here has at most 65536 bytes");
        }
        let path = format!("/v1/institutions/{}/members/import", cast.institution.institution.id);
        let file = format!("name,login\n{}", "x,y\n".repeat(1_100_000));
        let call = app.post(&path).bearer(&cast.administrator.token).body("text/csv", file);
        let problem = app.changes_nothing(call).await.problem(413, "too-large");
        assert_eq!(problem["detail"], "a body here has at most 4194304 bytes");
    }

    async fn idempotency_keys_that_are_none(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let mut seen = 0;
        for operation in operations(&app).await {
            let parameters = operation.described["parameters"].as_array().cloned().unwrap_or_default();
            if !parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key") {
                continue;
            }
            seen += 1;
            let path = operation.path_with(&inventory.ids_for(&operation));
            let body = inventory.body(&app, &operation).await;
            let call = || {
                let call = app.call(operation.method.clone(), &path).bearer(inventory.owner(&operation));
                match &body {
                    Some(body) => call.json(body),
                    None => call,
                }
            };
            let problem = app.changes_nothing(call()).await.problem(400, "idempotency-key-missing");
            assert_eq!(problem["field"], "Idempotency-Key");
            for key in ["", "two words", &"k".repeat(256), "tab\there"] {
                let problem = app.changes_nothing(call().idempotency_key(key)).await.problem(400, "invalid-header");
                assert_eq!(problem["field"], "Idempotency-Key", "{key}");
            }
        }
        assert!(seen >= 9, "{seen}");
    }

    async fn the_same_key_with_other_content(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let operations = operations(&app).await;
        let amount = |minor| json!({"amount": cny(minor)});
        let code = app.show_user_code(&cast.person.token, "phone").await;
        let member = inventory.body(&app, operations.iter().find(|one| one.name == "allot").unwrap()).await.unwrap();
        let pay = |minor| json!({"code": code.digits, "amount": cny(minor), "order_number": "A-1"});
        let refund = |minor| json!({"number": format!("R-{minor}"), "amount": cny(minor)});
        let allot = |minor| json!({"to": member["to"], "amount": cny(minor)});
        let cases: [(&str, Value, Value); 5] = [
            ("pay", pay(100), pay(101)),
            ("refund", refund(10), refund(11)),
            ("topUpPerson", amount(10), amount(11)),
            ("topUpInstitution", amount(10), amount(11)),
            ("allot", allot(10), allot(11)),
        ];
        for (name, first, second) in cases {
            let operation = operations.iter().find(|operation| operation.name == name).unwrap();
            let path = operation.path_with(&inventory.ids_for(operation));
            let call = |body: &Value| {
                app.post(&path).bearer(inventory.owner(operation)).idempotency_key(&format!("key-{name}")).json(body)
            };
            let done = call(&first).send().await.ok(201);
            app.changes_nothing(call(&second)).await.problem(409, "idempotency-key-conflict");
            // The first is still what it was, and told to be a repeat.
            let again = app.changes_nothing(call(&first)).await;
            assert_eq!(again.header("idempotent-replayed"), Some("true"), "{name}");
            assert_eq!(again.ok(201), done, "{name}");
        }
    }

    async fn paths_and_methods_that_are_not_there(app: TestApp) {
        for path in ["/v1", "/v1/", "/v1/nothing", "/v1/payments/", "/v1/payments/a/b/c", "/v1/%00", "/v1/..%2f..%2fetc"] {
            let answer = app.changes_nothing(app.get(path)).await;
            answer.problem(404, "unknown-path");
        }
        let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let operations = operations(&app).await;
        let mut paths: Vec<&str> = operations.iter().map(|operation| operation.path.as_str()).collect();
        paths.dedup();
        for path in paths {
            let known = |method: &Method| {
                operations.iter().any(|operation| operation.path == path && operation.method == *method)
            };
            for method in methods.iter().filter(|method| !known(method)) {
                let answer = app.call(method.clone(), path).send().await;
                answer.problem(405, "method-not-allowed");
                let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(',').map(str::trim).collect();
                allowed.retain(|name| *name != "HEAD");
                allowed.sort_unstable();
                let mut expected: Vec<&str> = methods.iter().filter(|method| known(method)).map(Method::as_str).collect();
                expected.sort_unstable();
                assert_eq!(allowed, expected, "{method} {path}");
            }
        }
    }

    async fn ids_that_are_none(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let wrong = [
            "x", "%00", "%ff", "%F0%9F%98%80", "pay_", "pay_01kb6x2x8s0g0000000000000", "acc_01kb6x2x8s0g00000000000000",
            "pay_81kb6x2x8s0g00000000000000", "PAY_01KB6X2X8S0G00000000000000", "01kb6x2x8s0g00000000000000", "%E2%80%AE",
        ];
        let mut all = Vec::new();
        for operation in operations(&app).await {
            let body = inventory.body(&app, &operation).await;
            all.push((operation, body));
        }
        let before = app.row_counts().await;
        for (operation, body) in all {
            let Some(last) = operation.parameters().pop().map(str::to_owned) else { continue };
            for text in wrong.iter().map(|text| (*text).to_owned()).chain(["9".repeat(5_000)]) {
                let mut ids = inventory.ids_for(&operation);
                let name = *ids.keys().find(|name| **name == last).unwrap();
                ids.insert(name, text.clone());
                let owner = inventory.owner(&operation);
                let answer = inventory.call(&app, &operation, owner, &ids, body.as_ref()).send().await;
                let problem = answer.problem(404, "not-found");
                assert!(!problem["detail"].as_str().unwrap().contains("deserialize"), "{problem}");
            }
        }
        assert_eq!(app.row_counts().await, before);
    }

    async fn queries_that_cannot_be_read(app: TestApp) {
        let cast = app.cast().await;
        let token = &cast.person.token;
        let cases = [
            ("limit=0", 422, "limit"),
            ("limit=201", 422, "limit"),
            ("limit=-1", 400, ""),
            ("limit=many", 400, ""),
            ("limit=99999999999", 400, ""),
            ("limit=1&limit=2", 400, ""),
            ("after=x", 422, "after"),
            ("after=acc_01kb6x2x8s0g00000000000000", 422, "after"),
            ("after=%00", 422, "after"),
            ("after=%ff", 422, "after"),
        ];
        for (query, status, field) in cases {
            let path = format!("/v1/people/me/payments?{query}");
            let answer = app.changes_nothing(app.get(&path).bearer(token)).await;
            match status {
                422 => assert_eq!(answer.problem(422, "invalid-fields")["field"], field, "{query}"),
                _ => drop(answer.problem(400, "unreadable")),
            }
        }
        let till = &cast.merchant.cashier_key;
        for query in ["", "?order_number=", "?order_number=%00", "?order_number=%0a"] {
            let answer = app.get(&format!("/v1/payments{query}")).bearer(till).send().await;
            assert!(matches!(answer.status.as_u16(), 400 | 422), "{query}: {}", answer.text());
        }
        let payment = Inventory::of(&app, &cast).await.ids["payment"].clone();
        for (wait, status) in [("20001", 422), ("-1", 400), ("1e3", 400)] {
            let path = format!("/v1/payments/{payment}/invoice-profile?wait_ms={wait}");
            app.get(&path).bearer(till).send().await.expect(status);
        }
    }

    async fn a_problem_names_its_request(app: TestApp) {
        let answer = app.get("/v1/nothing").header("x-request-id", "till-7.0001").send().await;
        assert_eq!(answer.problem(404, "unknown-path")["instance"], "till-7.0001");
        assert_eq!(answer.header("x-request-id"), Some("till-7.0001"));
        for wrong in ["two words", "<script>", &"x".repeat(65)] {
            let answer = app.get("/v1/nothing").header("x-request-id", wrong).send().await;
            let given = answer.header("x-request-id").unwrap();
            assert_ne!(given, wrong);
            assert_eq!(answer.problem(404, "unknown-path")["instance"], given);
        }
    }
}
