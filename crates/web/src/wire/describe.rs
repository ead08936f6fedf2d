//! The contracts' documents: OpenAPI 3.1, one per contract, made from the tables both ends are made of.

use serde_json::{Map, Value, json};

use super::contract::{Contract, Repeat};
use super::form::{Schemas, object, sentence};
use super::{ABOUT, FaultKind};

/// The document of a contract.
pub fn document(contract: &Contract) -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    paths.insert(
        ABOUT.to_owned(),
        json!({ "get": {
        "operationId": "about",
        "summary": "Who answers, and which contracts in which version",
        "responses": { "200": {
            "description": "The versions of one contract understand each other when their first numbers are the same",
            "content": { "application/json": { "schema": about_schema() } },
        } },
    } }),
    );
    for call in contract.calls {
        let about = sentence(call.about);
        let summary = about.split_inclusive(". ").next().unwrap_or_default().trim().to_owned();
        let mut responses = json!({ "200": {
            "description": "Answered by the rules",
            "content": { "application/json": { "schema": (call.answer)(&mut schemas) } },
        } });
        for (status, meaning) in faults() {
            responses[status] = json!({
                "description": meaning,
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Fault" } } },
            });
        }
        let callers: Vec<&str> = callers(contract, call.name).collect();
        paths.insert(
            call.path.to_owned(),
            json!({ "post": {
            "operationId": call.name,
            "summary": summary,
            "description": format!("{about} {} May be called by: {}.", repeats(call.repeat), callers.join(", ")),
            "x-repeat": repeat_name(call.repeat),
            "x-callers": callers,
            "parameters": [
                { "$ref": "#/components/parameters/IdempotencyKey" },
                { "$ref": "#/components/parameters/Traceparent" },
            ],
            "requestBody": {
                "required": true,
                "content": { "application/json": { "schema": (call.ask)(&mut schemas) } },
            },
            "responses": responses,
        } }),
        );
    }
    schemas.insert("Fault".to_owned(), fault_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Onescan: the contract of {}", contract.name),
            "version": contract.version,
            "description": sentence(contract.about),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": {
                "IdempotencyKey": header("Idempotency-Key", "The same for every try of one call"),
                "Traceparent": header("traceparent", "W3C Trace Context: the request of a user that this call belongs to"),
            },
            "securitySchemes": { "mutualTls": { "type": "mutualTLS" } },
        },
        "security": [{ "mutualTls": [] }],
    })
}

fn callers(contract: &Contract, call: &str) -> impl Iterator<Item = &'static str> {
    let all = contract.callers.iter().copied();
    let some = contract
        .may_also
        .iter()
        .filter(move |(_, calls)| calls.contains(&call))
        .map(|(name, _)| *name);
    all.chain(some).collect::<Vec<_>>().into_iter()
}

fn repeat_name(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::Read => "read",
        Repeat::Same => "same",
        Repeat::Once => "once",
    }
}

fn repeats(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::Read => "Changes nothing.",
        Repeat::Same => "A repeat finds it done and changes nothing more.",
        Repeat::Once => "A repeat does it again: callers do not repeat it while the outcome is unknown.",
    }
}

/// Statuses with what each says, those of one status together.
fn faults() -> std::collections::BTreeMap<String, String> {
    let mut faults = std::collections::BTreeMap::<String, String>::new();
    for (kind, status, meaning) in FaultKind::ALL {
        let name = json!(kind);
        let line = format!("`{}`: {meaning}", name.as_str().unwrap_or_default());
        let text = faults.entry(status.to_string()).or_default();
        let comma = if text.is_empty() { "" } else { "; " };
        *text = format!("{text}{comma}{line}");
    }
    faults
}

fn fault_schema() -> Value {
    let kinds: Vec<Value> = FaultKind::ALL.iter().map(|(kind, ..)| json!(kind)).collect();
    object(
        "A call that was not answered by the rules.",
        vec![
            ("error", json!({ "type": "string", "enum": kinds }), String::new()),
            (
                "detail",
                json!({ "type": ["string", "null"] }),
                "For whoever reads the caller's log.".to_owned(),
            ),
        ],
    )
}

fn about_schema() -> Value {
    let text = || json!({ "type": "string" });
    let offer = object(
        "",
        vec![("name", text(), String::new()), ("version", text(), String::new())],
    );
    let offers = json!({ "type": "array", "items": offer });
    object(
        "",
        vec![
            ("program", text(), String::new()),
            ("version", text(), String::new()),
            ("contracts", offers, String::new()),
        ],
    )
}

fn header(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } })
}
