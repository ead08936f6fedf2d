use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::*;

fn bench() -> WebSettings {
    WebSettings {
        bench: true,
        ..WebSettings::default()
    }
}

#[test]
fn no_two_routes_meet() {
    drop(routes(endpoints(&bench())).route("/v1/{*rest}", any(unknown_path)));
}

#[test]
fn every_endpoint_is_described_once() {
    let mut names = HashSet::new();
    let tags: Vec<&str> = TAGS.iter().map(|(name, _)| *name).collect();
    for endpoint in endpoints(&bench()) {
        assert!(names.insert(endpoint.name), "{} twice", endpoint.name);
        assert!(!endpoint.summary.is_empty(), "{}", endpoint.path);
        let operation = serde_json::to_value(endpoint.operation(&mut Vec::new()).build()).unwrap();
        let tag = operation["tags"][0].as_str().unwrap();
        assert!(tags.contains(&tag), "{tag:?} of {}", endpoint.path);
        let statuses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        assert!(
            statuses.iter().any(|status| status.starts_with('2')),
            "{}",
            endpoint.path
        );
    }
}

/// Of two schemas of one name the description would keep one, and lie about the other.
#[test]
fn every_schema_has_a_name_of_its_own() {
    let mut named: HashMap<String, Value> = HashMap::new();
    for endpoint in endpoints(&bench()) {
        let mut schemas = Vec::new();
        endpoint.operation(&mut schemas);
        for (name, schema) in schemas {
            let schema = serde_json::to_value(schema).unwrap();
            let kept = named.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*kept, schema, "{name} of {}", endpoint.path);
        }
    }
}

/// A `$ref` that leads nowhere makes a description useless to generators.
#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match (name.as_str(), value) {
                ("$ref", Value::String(target)) => found.push(target.clone()),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100);
    for target in found {
        let pointer = target.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn the_description_is_openapi_3_1_with_one_security_scheme() {
    let document: Value = serde_json::from_str(&openapi_json()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["components"]["securitySchemes"][BEARER]["scheme"], "bearer");
    let pay = &document["paths"]["/v1/payments"]["post"];
    let statuses: Vec<&String> = pay["responses"].as_object().unwrap().keys().collect();
    let expected = [
        "201", "400", "401", "403", "404", "409", "410", "413", "415", "422", "429", "500", "503",
    ];
    assert_eq!(statuses, expected);
}
