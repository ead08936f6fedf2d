//! What a page says when it cannot be shown: what happened, what to do now, and a reference.

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use onescan_platforms::env::hex;
use onescan_platforms::error::PlatformError;

use super::page::Page;
use super::visit::Visit;
use crate::AppState;

/// Why a page is not shown.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// Nobody is signed in; `at` is the door that lets in.
    #[error("nobody is signed in")]
    SignIn { at: &'static str, next: String },
    #[error("there is no such page or thing")]
    NotFound,
    #[error("the form cannot be read")]
    Unreadable,
    #[error("this terminal has another role")]
    WrongRole,
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error(transparent)]
    Template(#[from] askama::Error),
}

pub type PageResult<T = Response> = Result<T, PageError>;

/// Left on a response for [`finish`], which knows the language and whether the whole page or a part was asked for.
#[derive(Debug, Clone, Copy)]
struct Shown {
    title: &'static str,
    advice: &'static str,
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let (status, title, advice) = match &self {
            Self::SignIn { at, next } => {
                let next: String = url_escape(next);
                return Redirect::to(&format!("{at}?next={next}")).into_response();
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "error-not-found", "error-not-found-advice"),
            Self::Unreadable => (StatusCode::BAD_REQUEST, "error-unreadable", "error-unreadable-advice"),
            Self::WrongRole => (StatusCode::FORBIDDEN, "error-wrong-role", "error-wrong-role-advice"),
            Self::Platform(PlatformError::Busy | PlatformError::Unavailable { .. }) => {
                (StatusCode::SERVICE_UNAVAILABLE, "error-busy", "error-busy-advice")
            }
            Self::Platform(PlatformError::UnknownOutcome) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "error-unknown-outcome",
                "error-unknown-outcome-advice",
            ),
            Self::Platform(PlatformError::Taken { .. } | PlatformError::Internal(_)) | Self::Template(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "error-internal",
                "error-internal-advice",
            ),
        };
        if status.is_server_error() {
            tracing::error!(error = &self as &dyn std::error::Error, "a page failed");
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Shown { title, advice });
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Query values keep letters, digits and `/-._~`.
pub fn url_escape(text: &str) -> String {
    use std::fmt::Write;
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut escaped, byte| {
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
                escaped.push(char::from(byte));
            } else {
                write!(escaped, "%{byte:02X}").expect("writing to a String cannot fail");
            }
            escaped
        })
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage<'a> {
    page: &'a Page,
    title: &'static str,
    advice: &'static str,
    reference: &'a str,
}

#[derive(Template)]
#[template(path = "error_part.html")]
struct ErrorPart<'a> {
    page: &'a Page,
    title: &'static str,
    advice: &'static str,
    reference: &'a str,
}

/// Whether a script asked, for a part of a page.
pub fn wants_part(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

/// Gives every page its security headers, and failures a face.
pub async fn finish(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked = Request::from_parts(parts.clone(), body);
    let is_part = wants_part(&parts.headers);
    let policy = content_policy(parts.uri.path());
    let mut response = next.run(asked).await;
    if is_part {
        response = redirect_by_script(response);
    }
    if let Some(shown) = shown(&response) {
        let reference = hex(&state.services.env.bytes::<4>());
        let status = response.status().as_u16();
        tracing::info!(reference, status, title = shown.title, "an error page was shown");
        // Whoever is signed in keeps their navigation; without an answer to that the page stands alone.
        let visit = Visit::from_request_parts(&mut parts, &state).await;
        let page = visit.map_or_else(|_| Page::new(&parts, &state.settings), |visit| visit.page);
        response = error_response(&page, shown, &reference, response, is_part);
    }
    secure(&mut response, policy);
    response
}

/// What to say about `response`, when it is a failure that says nothing itself.
fn shown(response: &Response) -> Option<Shown> {
    if let Some(shown) = response.extensions().get::<Shown>() {
        return Some(*shown);
    }
    let status = response.status();
    let is_html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if is_html || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    Some(match status {
        StatusCode::NOT_FOUND => Shown {
            title: "error-not-found",
            advice: "error-not-found-advice",
        },
        StatusCode::FORBIDDEN => Shown {
            title: "error-foreign",
            advice: "error-foreign-advice",
        },
        _ if status.is_server_error() => Shown {
            title: "error-internal",
            advice: "error-internal-advice",
        },
        _ => Shown {
            title: "error-unreadable",
            advice: "error-unreadable-advice",
        },
    })
}

fn error_response(page: &Page, shown: Shown, reference: &str, failed: Response, is_part: bool) -> Response {
    let Shown { title, advice } = shown;
    let text = match is_part {
        true => ErrorPart {
            page,
            title,
            advice,
            reference,
        }
        .render(),
        false => ErrorPage {
            page,
            title,
            advice,
            reference,
        }
        .render(),
    };
    let mut response = (failed.status(), text.map(Html).map_err(|_| "error")).into_response();
    if let Some(wait) = failed.headers().get(header::RETRY_AFTER) {
        response.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    response
}

/// A script follows a redirect silently and would put the whole page into the part: htmx is told to go there itself.
fn redirect_by_script(response: Response) -> Response {
    let target = response
        .status()
        .is_redirection()
        .then(|| response.headers().get(header::LOCATION));
    match target.flatten() {
        Some(location) => ([("hx-redirect", location.clone())], "").into_response(),
        None => response,
    }
}

const STRICT: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; img-src 'self' data:";
/// The reader of camera pictures is WebAssembly; `eval` stays forbidden.
const CAMERA: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; img-src 'self' data: blob:; media-src 'self' blob:; script-src 'self' 'wasm-unsafe-eval'";

fn content_policy(path: &str) -> (&'static str, &'static str) {
    let scans = path.starts_with("/till") || path.starts_with("/invoice-terminal");
    match scans {
        true => (CAMERA, "camera=(self), microphone=(), geolocation=(), payment=()"),
        false => (STRICT, "camera=(), microphone=(), geolocation=(), payment=()"),
    }
}

fn secure(response: &mut Response, (content, permissions): (&'static str, &'static str)) {
    let headers = response.headers_mut();
    let mut set = |name: &'static str, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set("content-security-policy", content);
    set("permissions-policy", permissions);
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "same-origin");
    set("cross-origin-opener-policy", "same-origin");
    set("cache-control", "no-store");
}
