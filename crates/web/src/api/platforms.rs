//! Where the platforms live, for the operator. Row S21.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::endpoint::{Caller, Endpoint, get};
use super::extract::Json;
use super::wire::ListOf;
use crate::AppState;
use crate::auth::AsOperator;
use crate::wire::standing::{Standing, standings};

pub fn endpoints() -> Vec<Endpoint> {
    let list = get("/v1/platforms", platforms)
        .says("listPlatforms", "Where each platform lives, and how it is")
        .about("Those that live elsewhere are asked now.")
        .caller(Caller::Operator)
        .answers::<ListOf<PlatformView>>(StatusCode::OK, "All platforms");
    vec![list.tag("operator")]
}

/// Where a platform lives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Platform")]
struct PlatformView {
    #[schema(value_type = String, example = "payments")]
    name: &'static str,
    /// `local`, or the address of the service.
    #[schema(example = "https://payments.example.org:8443")]
    place: String,
    /// `up`; `down`: no answer; `unfit`: it does not offer this contract in a version that is understood.
    #[schema(value_type = String, example = "up")]
    state: &'static str,
    /// Of the contract, as the other side offers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// Which program answers there.
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<String>,
    /// Of the last call, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_us: Option<u64>,
    /// Since this server started.
    calls: u64,
    /// Tries that got no answer, since this server started.
    failures: u64,
    /// What is wrong, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
}

impl From<Standing> for PlatformView {
    fn from(standing: Standing) -> Self {
        Self {
            name: standing.name,
            place: standing.address.unwrap_or_else(|| "local".to_owned()),
            state: standing.health.name(),
            version: standing.version,
            program: standing.program,
            latency_us: standing.latency_us,
            calls: standing.calls,
            failures: standing.failures,
            trouble: standing.trouble,
        }
    }
}

async fn platforms(_: AsOperator, State(state): State<AppState>) -> Json<ListOf<PlatformView>> {
    let standings = standings(&state.settings.platforms).await;
    Json(ListOf::whole(standings.into_iter().map(PlatformView::from).collect()))
}
