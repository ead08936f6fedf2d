//! What an operator's tools ask of the whole program: the faces count requests, this adds what lies behind them.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use onescan_platforms::error::Result;
use onescan_platforms::payments::PaymentStore;
use tower::ServiceExt;

use crate::wiring::House;

/// Set once the program is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Stopping(Arc<AtomicBool>);

impl Stopping {
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn began(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Shared {
    faces: Router,
    house: House,
    stopping: Stopping,
}

/// The most a page of figures takes.
const FIGURES_MAX: usize = 1 << 20;

/// The faces, with the gauges of this process in `/metrics`, and `/readyz` refusing while the program stops.
pub fn around(faces: Router, house: House, stopping: Stopping) -> Router {
    let fallback = faces.clone();
    Router::new()
        .route("/metrics", get(metrics))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(passed_on)
        .with_state(Shared { faces, house, stopping })
        .fallback_service(fallback)
}

/// The faces say what these paths do not take.
async fn passed_on(State(shared): State<Shared>, request: Request) -> Response {
    asked(shared.faces, request).await
}

async fn ready(State(shared): State<Shared>, request: Request) -> Response {
    if shared.stopping.began() {
        let body = r#"{"type":"/problems/unavailable","title":"Not done: a part is not available","status":503,"code":"unavailable","detail":"the server is stopping","retryable":true}"#;
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        return response;
    }
    asked(shared.faces, request).await
}

async fn metrics(State(shared): State<Shared>, request: Request) -> Response {
    let (mut parts, body) = asked(shared.faces, request).await.into_parts();
    let (Ok(text), Ok(gauges)) = (to_bytes(body, FIGURES_MAX).await, gauges(&shared.house).await) else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    let text = [text.as_ref(), gauges.as_bytes()].concat();
    Response::from_parts(parts, Body::from(text))
}

async fn asked(faces: Router, request: Request) -> Response {
    match faces.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// In the text form that Prometheus reads.
async fn gauges(house: &House) -> Result<String> {
    let (rows, oldest_ms) = house.store.outbox_state(house.services.env.now_ms()).await?;
    let stats = house.store.db().stats();
    let seconds = |us: u64| us as f64 / 1_000_000.0;
    let figures = [
        ("onescan_outbox_rows", "gauge", rows as f64),
        ("onescan_outbox_oldest_seconds", "gauge", oldest_ms as f64 / 1_000.0),
        (
            "onescan_payments_waiting",
            "gauge",
            house.services.processing.waiting() as f64,
        ),
        ("onescan_database_queue_length", "gauge", stats.queue_length as f64),
        (
            "onescan_database_last_batch_works",
            "gauge",
            stats.last_batch_works as f64,
        ),
        ("onescan_database_wal_pages", "gauge", stats.wal_pages as f64),
        ("onescan_database_commits_total", "counter", stats.commits as f64),
        ("onescan_database_works_total", "counter", stats.works as f64),
        (
            "onescan_database_commit_seconds_total",
            "counter",
            seconds(stats.commit_us),
        ),
        (
            "onescan_database_failed_commits_total",
            "counter",
            stats.failed_commits as f64,
        ),
        ("onescan_database_retries_total", "counter", stats.retries as f64),
        (
            "onescan_database_checkpoints_total",
            "counter",
            stats.checkpoints as f64,
        ),
    ];
    let mut text = String::new();
    for (name, kind, value) in figures {
        write!(text, "# TYPE {name} {kind}\n{name} {value}\n").expect("writing to a String cannot fail");
    }
    Ok(text)
}
