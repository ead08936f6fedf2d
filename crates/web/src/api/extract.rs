//! What a handler takes from a request; everything that cannot be read is a problem.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::AppState;
use crate::problem::{Code, Problem};

/// Bytes a JSON body may have.
pub const JSON_MAX: usize = 64 * 1024;
/// Bytes a CSV file may have.
pub const CSV_MAX: usize = 4 * 1024 * 1024;
/// Bytes a zip archive may have.
pub const ARCHIVE_MAX: usize = 32 * 1024 * 1024;

/// JSON in, JSON out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the header Content-Type: application/json",
            ));
        }
        let bytes = body(request, state, JSON_MAX).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// JSON, or no body at all for the defaults.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonOrNothing<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for JsonOrNothing<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let has_json = is_json(request.headers());
        let bytes = body(request, state, JSON_MAX).await?;
        match (bytes.is_empty(), has_json) {
            (true, _) => Ok(Self::default()),
            (false, true) => parse(&bytes).map(Self),
            (false, false) => Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the header Content-Type: application/json",
            )),
        }
    }
}

/// A CSV file as it was sent.
#[derive(Debug, Clone)]
pub struct Csv(pub Bytes);

impl FromRequest<AppState> for Csv {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        match media_type(request.headers()) {
            Some("text/csv") => body(request, state, CSV_MAX).await.map(Self),
            Some(_) | None => Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the header Content-Type: text/csv",
            )),
        }
    }
}

/// A file as it was sent; what it is, its first bytes tell.
#[derive(Debug, Clone)]
pub struct File(pub Bytes);

impl FromRequest<AppState> for File {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        match media_type(request.headers()) {
            Some("application/octet-stream" | "application/pdf" | "application/xml" | "text/xml") => {
                body(request, state, CSV_MAX).await.map(Self)
            }
            Some(_) | None => Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the header Content-Type: application/octet-stream",
            )),
        }
    }
}

/// A zip archive as it was sent.
#[derive(Debug, Clone)]
pub struct Archive(pub Bytes);

impl FromRequest<AppState> for Archive {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        match media_type(request.headers()) {
            Some("application/octet-stream" | "application/zip") => body(request, state, ARCHIVE_MAX).await.map(Self),
            Some(_) | None => Err(Problem::new(
                Code::UnsupportedMediaType,
                "send the header Content-Type: application/octet-stream",
            )),
        }
    }
}

fn media_type(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(text.split(';').next().unwrap_or_default().trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    let json = |kind: &str| kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    media_type(headers).is_some_and(json)
}

/// The body, refused when it has more than `max` bytes.
async fn body(request: Request, state: &AppState, max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Code::TooLarge, format!("a body here has at most {max} bytes"));
    let bytes = Bytes::from_request(request, state).await;
    let bytes = bytes.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => too_large(),
        _ => Problem::new(Code::Unreadable, "the body ended early"),
    })?;
    match bytes.len() <= max {
        true => Ok(bytes),
        false => Err(too_large()),
    }
}

/// Parses quickly; what fails is parsed again to name the place.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| unreadable::<T>(bytes, &error))
}

fn unreadable<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Problem {
    let problem = Problem::new(Code::Unreadable, error.to_string());
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) if error.path().iter().len() > 0 => problem.field(error.path().to_string()),
        Err(_) | Ok(_) => problem,
    }
}

/// Ids and names in the path. One that has not the right form names nothing: not found.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value))
            .map_err(|rejection| Problem::new(Code::NotFound, rejection.body_text()))
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|rejection| Problem::new(Code::Unreadable, rejection.body_text()))
    }
}

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The caller's key for this intent: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone)]
pub struct IdempotencyKey(pub String);

impl IdempotencyKey {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(value) = headers.get(&IDEMPOTENCY_KEY) else {
            return Err(Problem::new(
                Code::IdempotencyKeyMissing,
                "send the header Idempotency-Key: 1 to 255 visible ASCII characters, new for each intent",
            )
            .field("Idempotency-Key"));
        };
        let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        match value.to_str() {
            Ok(text) if visible && (1..=255).contains(&text.len()) => Ok(Self(text.to_owned())),
            Ok(_) | Err(_) => Err(Problem::new(
                Code::InvalidHeader,
                "Idempotency-Key has 1 to 255 visible ASCII characters without spaces",
            )
            .field("Idempotency-Key")),
        }
    }
}

impl FromRequestParts<AppState> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        Self::read(&parts.headers)
    }
}

/// The address the connection came from; `unknown` where there is no connection, as in tests.
#[derive(Debug, Clone)]
pub struct ClientAddress(pub String);

impl FromRequestParts<AppState> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, Problem> {
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = connected.map(|ConnectInfo(address)| address.ip().to_canonical());
        Ok(Self(
            address.map_or_else(|| "unknown".to_owned(), |ip: IpAddr| ip.to_string()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde::Deserialize;

    use super::*;

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        let read = |bytes: &[u8]| {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY.clone(), value)]);
            IdempotencyKey::read(&headers)
                .map(|key| key.0)
                .map_err(|problem| problem.code())
        };
        assert_eq!(
            IdempotencyKey::read(&HeaderMap::new()).unwrap_err().code(),
            Code::IdempotencyKeyMissing
        );
        assert_eq!(read(b"a"), Ok("a".to_owned()));
        assert_eq!(read(&[b'~'; 255]), Ok("~".repeat(255)));
        for wrong in [&b""[..], b"a b", "schl\u{fc}ssel".as_bytes(), &[b'a'; 256]] {
            assert_eq!(read(wrong), Err(Code::InvalidHeader));
        }
    }

    #[test]
    fn unreadable_json_names_the_place() {
        #[derive(Debug, Deserialize)]
        struct Inner {
            #[expect(dead_code, reason = "only read to be refused")]
            minor: i64,
        }
        #[derive(Debug, Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only read to be refused")]
            amount: Inner,
        }
        let text = |bytes: &[u8]| parse::<Outer>(bytes).unwrap_err().detail().to_owned();
        assert_eq!(text(b"{"), "EOF while parsing an object at line 1 column 1");
        assert_eq!(
            text(b"{\"amount\":\n{\"minor\": 9223372036854775808}}"),
            "invalid value: integer `9223372036854775808`, expected i64 at line 2 column 29"
        );
        assert!(text(&[b'{', 0xff, b'}']).contains("line 1"));
    }

    #[test]
    fn media_types_are_compared_without_parameters() {
        let json = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value)]))
        };
        assert!(json("application/json"));
        assert!(json("application/json; charset=utf-8"));
        assert!(json("Application/JSON"));
        assert!(!json("text/plain"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
