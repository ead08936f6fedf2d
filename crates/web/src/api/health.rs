//! About the server itself: alive, ready, which version, what it counted, what it can.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{MerchantId, RawId};
use onescan_domain::policy::{DIMENSIONS, DimensionRow, FACTS, FactRow, ValueKind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get, post};
use super::extract::Json;
use super::wire::ListOf;
use crate::AppState;
use crate::observe::Observer;
use crate::problem::{Code, Problem};

pub fn endpoints() -> Vec<Endpoint> {
    let about = [
        get("/healthz", alive)
            .says("isAlive", "Whether the process answers")
            .answers::<Health>(StatusCode::OK, "It does"),
        get("/readyz", ready)
            .says("isReady", "Whether the server can work: its database answers")
            .answers::<Health>(StatusCode::OK, "It can")
            .refuses(&[Code::Busy, Code::Unavailable, Code::OutcomeUnknown, Code::TimedOut]),
        get("/version", version)
            .says("getVersion", "Which program this is")
            .answers::<Version>(StatusCode::OK, "Name and version"),
        get("/v1/dimensions", dimensions)
            .says("listDimensions", "What a rule can look at")
            .about("Rules of scenarios are lines `dimension operator value`, such as `amount <= 5000`.")
            .answers::<ListOf<DimensionView>>(StatusCode::OK, "Every dimension"),
    ];
    about.into_iter().map(|endpoint| endpoint.tag("server")).collect()
}

/// Only where the configuration asks for it: the measure of what HTTP and JSON cost alone.
pub fn bench_endpoints() -> Vec<Endpoint> {
    let echo = post("/v1/echo", echo)
        .says("echo", "Reads ten fields and answers one")
        .takes::<Echo>()
        .answers::<Echoed>(StatusCode::OK, "The sum");
    vec![echo.tag("server").caller(Caller::Nobody)]
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(value_type = String, example = "ok")]
    pub status: &'static str,
}

async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    let nobody = MerchantId::new(RawId::from_parts(0, Bucket::of_hash(0, 1), 0));
    state.services.merchants.find(nobody).await?;
    Ok(Json(Health { status: "ok" }))
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    #[schema(value_type = String, example = "onescan")]
    pub name: &'static str,
    #[schema(value_type = String)]
    pub version: &'static str,
}

async fn version() -> Json<Version> {
    Json(Version {
        name: "onescan",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// One thing a rule can look at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Dimension")]
pub struct DimensionView {
    #[schema(value_type = String, example = "amount_day")]
    pub name: &'static str,
    /// `amount`, `count`, `percent`, `metres`, `dates`, `weekdays`, `day_kinds`, `clock_ranges`, `categories`, `words`,
    /// `areas` or `expression`.
    #[schema(value_type = String, example = "amount")]
    pub value: &'static str,
    /// How a value is written.
    #[schema(value_type = String)]
    pub form: &'static str,
    #[schema(value_type = Vec<String>)]
    pub operators: Vec<&'static str>,
    /// What of the order it looks at; where the order does not say, the verdict is `unknown`.
    #[schema(value_type = String)]
    pub reads: &'static str,
    #[schema(value_type = String)]
    pub help: &'static str,
    /// A line of a policy.
    #[schema(value_type = String, example = "amount_day <= 10000")]
    pub example: &'static str,
    /// For `expression`: the names it can use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactView>,
}

/// A name that an expression can use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Fact")]
pub struct FactView {
    #[schema(value_type = String, example = "amount")]
    pub name: &'static str,
    /// `int`, `string` or `list`, as the Common Expression Language names it.
    #[schema(value_type = String, example = "int")]
    pub kind: &'static str,
    #[schema(value_type = String)]
    pub help: &'static str,
}

impl From<&FactRow> for FactView {
    fn from(row: &FactRow) -> Self {
        Self {
            name: row.name,
            kind: row.kind().name(),
            help: row.help,
        }
    }
}

impl From<&DimensionRow> for DimensionView {
    fn from(row: &DimensionRow) -> Self {
        Self {
            name: row.name,
            value: row.kind.name(),
            form: row.kind.form(),
            operators: row.kind.operators().iter().map(|operator| operator.sign()).collect(),
            reads: row.reads,
            help: row.help,
            example: row.example,
            facts: match row.kind {
                ValueKind::Expression => FACTS.iter().map(FactView::from).collect(),
                _ => Vec::new(),
            },
        }
    }
}

async fn dimensions() -> Json<ListOf<DimensionView>> {
    Json(ListOf::whole(DIMENSIONS.iter().map(DimensionView::from).collect()))
}

/// Ten fields, as many as a payment has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    pub first: String,
    pub second: String,
    pub third: String,
    pub fourth: String,
    pub fifth: String,
    pub sixth: i64,
    pub seventh: i64,
    pub eighth: i64,
    pub ninth: bool,
    pub tenth: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Echoed {
    pub sum: i64,
}

async fn echo(Json(body): Json<Echo>) -> Json<Echoed> {
    let texts = [&body.first, &body.second, &body.third, &body.fourth, &body.fifth];
    let letters: usize = texts.iter().map(|text| text.len()).sum();
    let tenth = body.tenth.map_or(0, |text| text.len());
    let numbers = body.sixth.wrapping_add(body.seventh).wrapping_add(body.eighth);
    let sum = numbers
        .wrapping_add((letters + tenth) as i64)
        .wrapping_add(i64::from(body.ninth));
    Json(Echoed { sum })
}

pub async fn document(text: Arc<str>) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}

pub async fn metrics(observer: Arc<Observer>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], observer.text()).into_response()
}
