//! Credentials that do not fit, and things that are somebody else's.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::http::Call;
use crate::support::inventory::{Inventory, Operation, comparable, invented, key_id, operations};
use crate::support::shown::items;
use crate::support::{Cast, TestApp, on_both};

/// Whoever is nobody's owner there, by name.
fn credentials(cast: &Cast) -> [(&'static str, &str); 7] {
    [
        ("person", &cast.person.token),
        ("member", &cast.member.token),
        ("administrator", &cast.administrator.token),
        ("institution", &cast.institution.key),
        ("merchant", &cast.merchant.key),
        ("cashier", &cast.merchant.cashier_key),
        ("invoice terminal", &cast.merchant.invoice_key),
    ]
}

/// With an id of something that belongs to somebody.
async fn owned(app: &TestApp) -> Vec<Operation> {
    let mut all = operations(app).await;
    all.retain(|operation| !matches!(operation.parameters()[..], [] | ["problem"]));
    assert!(all.len() > 40, "{}", all.len());
    all
}

on_both! {
    async fn what_is_somebody_elses_is_not_there(app: TestApp) {
        let cast = app.cast().await;
        let strangers = app.strangers().await;
        let inventory = Inventory::of(&app, &cast).await;
        let operations = owned(&app).await;
        let mut bodies = BTreeMap::new();
        for operation in &operations {
            bodies.insert(operation.name.clone(), inventory.body(&app, operation).await);
        }
        let before = app.row_counts().await;
        for operation in &operations {
            let real = inventory.ids_for(operation);
            let unreal = real.iter().map(|(name, id)| (*name, invented(id))).collect();
            let body = bodies[&operation.name].as_ref();
            let mut told = Vec::new();
            for (who, credential) in credentials(&strangers) {
                let send = async |ids| comparable(&inventory.call(&app, operation, credential, ids, body).send().await);
                let (answer, nothing) = (send(&real).await, send(&unreal).await);
                assert_eq!(answer, nothing, "{} by {who}: real and invented ids differ", operation.name);
                match (answer.0, answer.1["code"].as_str()) {
                    (404, Some("not-found")) | (403, Some("wrong-role")) => told.push(answer.0),
                    _ => panic!("{} by {who}: {answer:?}", operation.name),
                }
            }
            // Whoever may do the like with their own is told that it is not there. Only the operator tops people up.
            assert!(told.contains(&404) || operation.name == "topUpPerson", "{}: {told:?}", operation.name);
        }
        assert_eq!(app.row_counts().await, before);
    }

    async fn somebody_elses_thing_in_ones_own_place_is_not_there(app: TestApp) {
        let cast = app.cast().await;
        let strangers = app.strangers().await;
        let (mine, theirs) = (Inventory::of(&app, &strangers).await, Inventory::of(&app, &cast).await);
        let mut seen = 0;
        let before = app.row_counts().await;
        for operation in owned(&app).await {
            let parameters = operation.parameters();
            let [_, .., last] = parameters[..] else { continue };
            // An institution may say how it closes the periods of any provider.
            if operation.name == "putProviderBillSchedule" {
                continue;
            }
            let mut ids = mine.ids_for(&operation);
            let others = theirs.ids_for(&operation);
            let last = *ids.keys().find(|name| **name == last).unwrap();
            ids.insert(last, others[last].clone());
            let body = json!({"name": "A name"});
            let body = match operation.name.as_str() {
                "changeMember" | "issueTerminalKey" => Some(body),
                "ruleOnTravelApplication" | "addTravelPolicy" | "tryRide" | "replayRides" | "refundRide" | "creditBill" => {
                    mine.body(&app, &operation).await
                }
                _ => None,
            };
            let body = body.or(match operation.method {
                Method::PUT => mine.body(&app, &operation).await,
                _ => None,
            });
            let call = mine.call(&app, &operation, mine.owner(&operation), &ids, body.as_ref());
            call.send().await.problem(404, "not-found");
            seen += 1;
        }
        assert!(seen > 8, "{seen}");
        assert_eq!(app.row_counts().await, before);
    }

    async fn lists_hold_ones_own_only(app: TestApp) {
        let cast = app.cast().await;
        let strangers = app.strangers().await;
        Inventory::of(&app, &cast).await;
        let lists = [
            ("/v1/people/me/payments", &strangers.person.token),
            ("/v1/people/me/choices", &strangers.person.token),
            ("/v1/people/me/consents", &strangers.person.token),
            ("/v1/people/me/alarms", &strangers.person.token),
            ("/v1/invoice-profiles", &strangers.person.token),
            ("/v1/payments?order_number=inventory", &strangers.merchant.cashier_key),
        ];
        for (path, token) in lists {
            let list = app.get(path).bearer(token).send().await.ok(200);
            assert!(items(&list).is_empty(), "{path}: {list}");
        }
        let path = format!("/v1/invoice-profiles?record={}", cast.person.record.id.as_str());
        app.get(&path).bearer(&strangers.person.token).send().await.problem(404, "not-found");
    }

    async fn accounts_of_every_kind_are_their_owners(app: TestApp) {
        let cast = app.cast().await;
        let strangers = app.strangers().await;
        let member = app.services.institutions.open_member_account(cast.member.member.id).await.unwrap().unwrap();
        let accounts = [
            (cast.person.person.account, &cast.person.token),
            (cast.institution.institution.account, &cast.administrator.token),
            (cast.merchant.merchant.account, &cast.merchant.key),
            (member, &cast.member.token),
        ];
        for (account, owner) in accounts {
            for path in [format!("/v1/accounts/{account}"), format!("/v1/accounts/{account}/transfers")] {
                app.get(&path).bearer(owner).send().await.expect(200);
                for (who, credential) in credentials(&strangers) {
                    let answer = app.get(&path).bearer(credential).send().await;
                    assert_eq!(answer.problem(404, "not-found")["detail"], "there is no such account", "{who}");
                }
            }
        }
        // An employee sees the dedicated account, not the institution's.
        let path = format!("/v1/accounts/{}", cast.institution.institution.account);
        app.get(&path).bearer(&cast.member.token).send().await.problem(404, "not-found");
    }

    async fn a_credential_of_the_wrong_role(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let operator = app.operator_key().await;
        let mut all = credentials(&cast).to_vec();
        all.push(("operator", &operator));
        let person = &["person", "member", "administrator"][..];
        // Who may, of paths whose role is all that counts.
        let cases: [(&str, &[&str]); 14] = [
            ("scan", &["cashier"]),
            ("pay", &["cashier"]),
            ("scanForInvoice", &["invoice terminal"]),
            ("assertPaid", &["invoice terminal"]),
            ("getCurrentTerminal", &["cashier", "invoice terminal"]),
            ("findPaymentByOrder", &["cashier", "invoice terminal"]),
            ("createInstitution", &["operator"]),
            ("createMerchant", &["operator"]),
            ("listInstitutions", &["operator"]),
            ("listAlarms", &["operator"]),
            ("findPerson", &["operator"]),
            ("topUpPerson", &["operator"]),
            ("getMe", person),
            ("enableCodePayment", person),
        ];
        let operations = operations(&app).await;
        for (name, may) in cases {
            let operation = operations.iter().find(|operation| operation.name == name).unwrap();
            for (who, credential) in all.iter().filter(|(who, _)| !may.contains(who)) {
                let body = inventory.body(&app, operation).await;
                let call = inventory.call(&app, operation, credential, &inventory.ids, body.as_ref());
                let answer = call.send().await;
                assert_eq!(answer.status.as_u16(), 403, "{name} by {who}: {}", answer.text());
                answer.problem(403, "wrong-role");
            }
        }
        // Known, of the right kind, and still without the right.
        let path = format!("/v1/institutions/{}/accounts/top-ups", cast.institution.institution.id);
        let asked = json!({"amount": {"amount_minor": 100, "currency": "CNY"}});
        for credential in [&cast.administrator.token, &cast.institution.key] {
            let call = app.post(&path).bearer(credential).idempotency_key("k").json(&asked);
            app.changes_nothing(call).await.problem(403, "not-allowed");
        }
    }

    async fn every_operation_but_the_open_ones_needs_a_credential(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let before = app.row_counts().await;
        let mut open = Vec::new();
        for operation in operations(&app).await {
            let secured = !operation.described["security"].as_array().unwrap().contains(&json!({}));
            if !secured || operation.described["security"] == json!([]) {
                open.push(operation.name.clone());
                continue;
            }
            let ids = inventory.ids_for(&operation);
            let path = operation.path_with(&ids);
            let bare = |call: Call| call.idempotency_key("k").json(&json!({}));
            let call = |credential: &str| bare(app.call(operation.method.clone(), &path).header("authorization", credential));
            let answer = bare(app.call(operation.method.clone(), &path)).send().await;
            answer.problem(401, "unauthenticated");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            let secret = "0".repeat(64);
            let wrong = [
                "Bearer".to_owned(),
                "Basic b3BlcmF0b3I6".to_owned(),
                "Bearer key_01kb6x2x8s0g00000000000000".to_owned(),
                format!("Bearer key_01kb6x2x8s0g00000000000000.{secret}"),
                format!("Bearer {}.{secret}", key_id(&inventory.operator)),
                format!("Bearer {}.{secret}", key_id(&inventory.person.token)),
                format!("Bearer {}.{secret}", key_id(&cast.merchant.cashier_key)),
            ];
            for credential in wrong {
                call(&credential).send().await.problem(401, "unauthenticated");
            }
        }
        open.sort();
        let expected = [
            "getProblem", "getVersion", "isAlive", "isReady", "listDimensions", "listProblems", "listRideIssuerKeys",
            "registerPerson", "signIn"
        ];
        assert_eq!(open, expected);
        assert_eq!(app.row_counts().await, before);
    }

    async fn revoked_keys(app: TestApp) {
        let cast = app.cast().await;
        let inventory = Inventory::of(&app, &cast).await;
        let (merchant, institution) = (cast.merchant.merchant.id, cast.institution.institution.id);
        let (cashier, invoice) = (cast.merchant.cashier.id, cast.merchant.invoice.id);
        let revoke = async |path: &str, by: &str| {
            app.delete(path).bearer(by).send().await.expect(204);
        };
        let key = |key: &str| key_id(key);
        let cases = [
            (
                format!("/v1/merchants/{merchant}/terminals/{cashier}/keys/{}", key(&cast.merchant.cashier_key)),
                &cast.merchant.key, &cast.merchant.cashier_key,
            ),
            (
                format!("/v1/merchants/{merchant}/terminals/{invoice}/keys/{}", key(&cast.merchant.invoice_key)),
                &cast.merchant.key, &cast.merchant.invoice_key,
            ),
            (
                format!("/v1/institutions/{institution}/keys/{}", key(&cast.institution.key)),
                &cast.administrator.token, &cast.institution.key,
            ),
            (
                format!("/v1/merchants/{merchant}/keys/{}", key(&cast.merchant.key)),
                &inventory.operator, &cast.merchant.key,
            ),
        ];
        let operations = operations(&app).await;
        for (path, by, revoked) in &cases {
            revoke(path, by).await;
            let before = app.row_counts().await;
            for operation in &operations {
                let asked = operation.described["security"].as_array().unwrap();
                if asked.is_empty() || asked.contains(&json!({})) {
                    continue;
                }
                let ids = inventory.ids_for(operation);
                let body: Option<Value> = Some(json!({}));
                let answer = inventory.call(&app, operation, revoked, &ids, body.as_ref()).send().await;
                answer.problem(401, "unauthenticated");
            }
            assert_eq!(app.row_counts().await, before);
        }
    }
}
