//! What surrounds every request: its id, its time limit, what is counted of it, and the answer when a handler panics.

use std::any::Any;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use onescan_platforms::env::{Env, hex};
use onescan_platforms::trace;

use crate::problem::{Code, Problem};

/// Names a request in the answer and in the log. A caller may send its own: up to 64 letters, digits, `-`, `_` and `.`.
pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest time a handler may take; the longest wait a caller can ask for is 20 s.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

tokio::task_local! {
    static CURRENT: HeaderValue;
}

/// The id of the request this task answers; empty outside of one.
pub fn request_id() -> String {
    CURRENT
        .try_with(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// Upper bounds of the histogram's buckets in microseconds; the last one is open.
const BOUNDS_US: [u64; 12] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000,
];

/// What is counted of one path: answers by class of status, and how long they took.
#[derive(Debug, Default)]
struct PathStats {
    /// 1xx to 5xx.
    answers: [AtomicU64; 5],
    durations: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl PathStats {
    fn note(&self, status: u16, took: Duration) {
        let took_us = took.as_micros().min(u128::from(u64::MAX)) as u64;
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        let bucket = BOUNDS_US.partition_point(|bound| *bound < took_us);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
        self.durations[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }
}

/// Counts requests per path in memory; paths are known beforehand, so that nothing grows with what is asked for.
#[derive(Debug)]
pub struct Observer {
    paths: HashMap<String, PathStats>,
    /// Whatever has no path of its own.
    other: PathStats,
    /// Drawn at start, so that ids of two runs differ.
    run: String,
    count: AtomicU64,
}

impl Observer {
    pub fn new(env: &Env, paths: impl IntoIterator<Item = String>) -> Arc<Self> {
        Arc::new(Self {
            paths: paths.into_iter().map(|path| (path, PathStats::default())).collect(),
            other: PathStats::default(),
            run: hex(&env.bytes::<4>()),
            count: AtomicU64::new(1),
        })
    }

    fn next_id(&self) -> HeaderValue {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{}-{number:x}", self.run)).expect("hexadecimal digits are a header's value")
    }

    fn stats(&self, path: Option<&MatchedPath>) -> &PathStats {
        path.and_then(|path| self.paths.get(path.as_str()))
            .unwrap_or(&self.other)
    }

    /// Everything counted, in the text form that Prometheus reads.
    pub fn text(&self) -> String {
        let mut text = String::from("# TYPE onescan_http_requests_total counter\n");
        let mut paths: Vec<(&str, &PathStats)> =
            self.paths.iter().map(|(path, stats)| (path.as_str(), stats)).collect();
        paths.push(("other", &self.other));
        paths.sort_by_key(|(path, _)| *path);
        paths.retain(|(_, stats)| stats.answers.iter().any(|count| count.load(Ordering::Relaxed) > 0));
        for (path, stats) in &paths {
            write_answers(&mut text, path, stats);
        }
        text.push_str("# TYPE onescan_http_request_duration_seconds histogram\n");
        for (path, stats) in &paths {
            write_durations(&mut text, path, stats);
        }
        text
    }
}

fn write_answers(text: &mut String, path: &str, stats: &PathStats) {
    for (class, count) in (1..).zip(&stats.answers) {
        let count = count.load(Ordering::Relaxed);
        if count > 0 {
            let line = format!("onescan_http_requests_total{{path=\"{path}\",class=\"{class}xx\"}} {count}\n");
            text.push_str(&line);
        }
    }
}

fn write_durations(text: &mut String, path: &str, stats: &PathStats) {
    let name = "onescan_http_request_duration_seconds";
    let mut total = 0;
    for (place, count) in stats.durations.iter().enumerate() {
        total += count.load(Ordering::Relaxed);
        let bound = BOUNDS_US
            .get(place)
            .map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound));
        writeln!(text, "{name}_bucket{{path=\"{path}\",le=\"{bound}\"}} {total}").expect("a String can be written to");
    }
    let sum = seconds(stats.sum_us.load(Ordering::Relaxed));
    writeln!(text, "{name}_sum{{path=\"{path}\"}} {sum}").expect("a String can be written to");
    writeln!(text, "{name}_count{{path=\"{path}\"}} {total}").expect("a String can be written to");
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

/// Gives the request its id and its time limit, and counts it. Answers are not to be kept by anybody on the way.
pub async fn observe(State(observer): State<Arc<Observer>>, request: Request, next: Next) -> Response {
    let started = now();
    let id = sent_id(request.headers()).unwrap_or_else(|| observer.next_id());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let parent = sent_parent(request.headers()).unwrap_or_else(|| trace::begun_by(id.to_str().unwrap_or_default()));
    let answering = CURRENT.scope(id.clone(), limited(&method, request, next));
    let mut response = trace::within(Some(parent.clone()), answering).await;
    let took = started.elapsed_by_now();
    let status = response.status().as_u16();
    observer.stats(path.as_ref()).note(status, took);
    tracing::debug!(
        request.id = id.to_str().unwrap_or_default(),
        trace.id = &parent[3..35],
        http.method = %method,
        http.path = path.as_ref().map(MatchedPath::as_str),
        http.status = status,
        duration_us = took.as_micros() as u64,
        "answered"
    );
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID.clone(), id);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn limited(method: &Method, request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) if method.is_safe() => {
            Problem::new(Code::TimedOut, "the answer took longer than 30 seconds").into_response()
        }
        Err(_) => Problem::new(
            Code::OutcomeUnknown,
            "no answer within 30 seconds: repeat the request with the same Idempotency-Key",
        )
        .into_response(),
    }
}

fn sent_parent(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    trace::is_parent(parent).then(|| parent.to_owned())
}

fn sent_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(&REQUEST_ID)?;
    let clean = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = (1..=64).contains(&id.len()) && id.as_bytes().iter().all(clean);
    fits.then(|| id.clone())
}

/// A moment on the clock that only measures.
struct Started(Instant);

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long answers take; decides nothing"
)]
fn now() -> Started {
    Started(Instant::now())
}

impl Started {
    #[expect(
        clippy::disallowed_methods,
        reason = "measures how long answers take; decides nothing"
    )]
    fn elapsed_by_now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The answer when a handler broke an assertion: this request fails, the server goes on.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(message = message.unwrap_or("unknown"), "a handler panicked");
    Problem::new(Code::Internal, "a fault of the server").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sent_id_is_kept_when_it_is_harmless() {
        let sent = |text: &'static str| {
            let headers = HeaderMap::from_iter([(REQUEST_ID.clone(), HeaderValue::from_static(text))]);
            sent_id(&headers).is_some()
        };
        assert!(sent("till-7_2026.11"));
        assert!(!sent(""));
        assert!(!sent("a b"));
        assert!(!sent(
            "0123456789012345678901234567890123456789012345678901234567890123456789"
        ));
    }

    #[test]
    fn durations_are_counted_up_to_their_bound() {
        let stats = PathStats::default();
        stats.note(200, Duration::from_micros(250));
        stats.note(503, Duration::from_micros(251));
        stats.note(200, Duration::from_secs(60));
        let mut text = String::new();
        write_answers(&mut text, "/v1/payments", &stats);
        write_durations(&mut text, "/v1/payments", &stats);
        assert!(text.contains("{path=\"/v1/payments\",class=\"2xx\"} 2\n"), "{text}");
        assert!(text.contains("{path=\"/v1/payments\",class=\"5xx\"} 1\n"), "{text}");
        assert!(text.contains("le=\"0.000250\"} 1\n"), "{text}");
        assert!(text.contains("le=\"0.000500\"} 2\n"), "{text}");
        assert!(text.contains("le=\"+Inf\"} 3\n"), "{text}");
        assert!(text.contains("_sum{path=\"/v1/payments\"} 60.000501\n"), "{text}");
    }
}
