//! The server's end: the routes of the platforms that live here, and who may call them.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use onescan_platforms::codes::Codes;
use onescan_platforms::error::PlatformError;
use onescan_platforms::invoicing::Invoicing;
use onescan_platforms::payments::Payments;
use onescan_platforms::profiles::Profiles;
use onescan_platforms::trace;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::contract::Contract;
use super::form::Unreadable;
use super::{ABOUT, About, Fault, FaultKind, Offer, TRACE};
use super::{codes, invoicing, payments, profiles};

/// The largest call that is read.
const ASK_MAX: usize = 64 << 20;

/// Which platforms answer others here.
#[derive(Clone, Default)]
#[expect(missing_debug_implementations, reason = "handles behind traits have nothing to show")]
pub struct Offered {
    pub codes: Option<Arc<dyn Codes>>,
    pub profiles: Option<Arc<dyn Profiles>>,
    pub payments: Option<Arc<dyn Payments>>,
    pub invoicing: Option<Arc<dyn Invoicing>>,
}

/// The service behind a connection, as its certificate names it. Absent on a connection without TLS, which the
/// configuration allows on the loopback alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer(pub String);

/// The routes of everything that is offered.
pub fn router(offered: Offered) -> Router {
    let mut router = Router::new();
    let mut contracts = Vec::new();
    if let Some(platform) = offered.codes {
        router = router.merge(codes::codes_routes(platform));
        contracts.push(&codes::CODES);
    }
    if let Some(platform) = offered.profiles {
        router = router.merge(profiles::profiles_routes(platform));
        contracts.push(&profiles::PROFILES);
    }
    if let Some(platform) = offered.payments {
        router = router.merge(payments::payments_routes(platform));
        contracts.push(&payments::PAYMENTS);
    }
    if let Some(platform) = offered.invoicing {
        router = router.merge(invoicing::invoicing_routes(platform));
        contracts.push(&invoicing::INVOICING);
    }
    let about = about(&contracts);
    router
        .route(ABOUT, get(move || async move { axum::Json(about) }))
        .route("/wire/{*rest}", post(unknown_call).get(unknown_call))
        .layer(DefaultBodyLimit::max(ASK_MAX))
}

fn about(contracts: &[&Contract]) -> About {
    let offer = |contract: &&Contract| Offer {
        name: contract.name.to_owned(),
        version: contract.version.to_owned(),
    };
    About {
        program: "onescan".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        contracts: contracts.iter().map(offer).collect(),
    }
}

async fn unknown_call(request: Request) -> Response {
    let path = request.uri().path();
    refuse(
        FaultKind::UnknownCall,
        format!("{path} is in none of the contracts answered here; see {ABOUT}"),
    )
}

/// Why a call is not answered by the rules.
pub(super) enum Failed {
    Unreadable(Unreadable),
    Platform(PlatformError),
}

impl From<Unreadable> for Failed {
    fn from(wrong: Unreadable) -> Self {
        Self::Unreadable(wrong)
    }
}

impl From<PlatformError> for Failed {
    fn from(error: PlatformError) -> Self {
        Self::Platform(error)
    }
}

/// The route of one call. A caller that goes away does not undo what it asked for.
pub(super) fn answering<P, Q, A, W, F>(
    contract: &'static Contract,
    name: &'static str,
    platform: P,
    work: W,
) -> MethodRouter
where
    P: Clone + Send + Sync + 'static,
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    W: Fn(P, Q) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<A, Failed>> + Send + 'static,
{
    post(
        move |peer: Option<Extension<Peer>>, headers: HeaderMap, body: Bytes| async move {
            if let Some(Extension(Peer(service))) = peer
                && !contract.permits(&service, name)
            {
                return refuse(
                    FaultKind::Forbidden,
                    format!("{service} may not call {} {name}", contract.name),
                );
            }
            let ask = match serde_json::from_slice(&body) {
                Ok(ask) => ask,
                Err(error) => return refuse(FaultKind::Unreadable, error.to_string()),
            };
            let parent = headers
                .get(TRACE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let work = work(platform, ask);
            let answered = tokio::spawn(trace::within(parent, async move {
                tracing::debug!(
                    platform.name = contract.name,
                    call.name = name,
                    trace.id = trace::trace_id(),
                    "asked"
                );
                work.await
            }))
            .await;
            match answered {
                Ok(Ok(answer)) => answer_json(StatusCode::OK, &answer),
                Ok(Err(Failed::Unreadable(wrong))) => refuse(FaultKind::Unreadable, wrong.to_string()),
                Ok(Err(Failed::Platform(error))) => failed(name, &error),
                Err(broken) => {
                    tracing::error!(call.name = name, %broken, "a call broke off");
                    refuse(FaultKind::Internal, String::new())
                }
            }
        },
    )
}

fn failed(name: &str, error: &PlatformError) -> Response {
    match error {
        PlatformError::Busy => refuse(FaultKind::Busy, String::new()),
        PlatformError::Unavailable { what } => refuse(FaultKind::Unavailable, (*what).to_owned()),
        PlatformError::UnknownOutcome => refuse(FaultKind::OutcomeUnknown, String::new()),
        PlatformError::Taken { constraint } => refuse(FaultKind::Taken, constraint.clone()),
        PlatformError::Internal(source) => {
            tracing::error!(call.name = name, %source, "a call failed");
            refuse(FaultKind::Internal, String::new())
        }
    }
}

fn refuse(error: FaultKind, detail: String) -> Response {
    let status = StatusCode::from_u16(error.status()).expect("the table has statuses of HTTP");
    answer_json(status, &Fault { error, detail })
}

fn answer_json(status: StatusCode, answer: &impl Serialize) -> Response {
    match serde_json::to_vec(answer) {
        Ok(body) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
