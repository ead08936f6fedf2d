//! Styles, scripts and other people's files, compiled into the program and served under an address that changes with
//! their content, so that a browser may keep them for a year.
//!
//! **Invariant:** all files share one hash in their path, so scripts may import each other by relative paths.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use axum::extract::Path;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// First 12 hexadecimal digits over names and contents of all files.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<Cow<'static, str>> = Files::iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_bytes());
        hash.update(Files::get(&name).map_or([0; 32], |file| file.metadata.sha256_hash()));
    }
    onescan_platforms::env::hex(&hash.finalize()[..6])
});

/// Files compressed on their first request. Scripts and wasm are some hundred kilobytes in all.
static COMPRESSED: LazyLock<Mutex<HashMap<String, Arc<[u8]>>>> = LazyLock::new(Mutex::default);

/// The address of one file, such as `css/onescan.css`.
pub fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// Where all files lie, without the last slash, for scripts that load others later.
pub fn folder() -> String {
    format!("/assets/{}", *HASH)
}

/// A file as text, for what is served elsewhere too.
pub fn text(name: &str) -> Option<String> {
    String::from_utf8(Files::get(name)?.data.into_owned()).ok()
}

pub fn router<S: Clone + Send + Sync + 'static>() -> axum::Router<S> {
    axum::Router::new().route("/assets/{hash}/{*name}", get(serve))
}

async fn serve(Path((hash, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let Some(file) = Files::get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut response = if accepts_gzip(&headers) && is_compressible(&name) {
        let mut response = compressed(&name, &file.data).to_vec().into_response();
        response
            .headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        file.data.into_owned().into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(&name)));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_rule(&hash)));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

/// A page from before an update may ask with the old hash: it gets today's file, but must not keep it. While developing,
/// files change under the same hash.
fn cache_rule(hash: &str) -> &'static str {
    if hash == *HASH && !cfg!(debug_assertions) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|value| {
        value
            .split(',')
            .any(|part| matches!(part.trim().split(';').next(), Some("gzip" | "*")))
    })
}

fn is_compressible(name: &str) -> bool {
    [".css", ".js", ".svg", ".wasm", ".webmanifest"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn compressed(name: &str, data: &[u8]) -> Arc<[u8]> {
    let mut cache = COMPRESSED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match cache.get(name) {
        Some(bytes) if !cfg!(debug_assertions) => bytes.clone(),
        _ => {
            let bytes: Arc<[u8]> = gzip(data).into();
            cache.insert(name.to_owned(), bytes.clone());
            bytes
        }
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetch(name: &str, encoding: &str) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        serve(Path((HASH.clone(), name.to_owned())), headers).await
    }

    #[tokio::test]
    async fn a_wasm_file_is_compressed_and_named_as_one() {
        let name = "vendor/zxing-wasm-3.1.4/zxing_reader.wasm";
        let response = fetch(name, "br, gzip;q=0.9").await;
        assert_eq!(response.headers()[CONTENT_TYPE], "application/wasm");
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(body.len() < 500_000 && body.starts_with(&[0x1f, 0x8b]));
    }

    #[tokio::test]
    async fn plain_files_go_to_browsers_without_gzip() {
        let response = fetch("css/onescan.css", "identity").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
        assert_eq!(fetch("css/none.css", "gzip").await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn addresses_begin_with_the_hash() {
        assert_eq!(address("css/onescan.css"), format!("{}/css/onescan.css", folder()));
    }

    #[test]
    fn every_file_and_icon_that_a_template_names_is_there() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let icons = String::from_utf8(Files::get("icons.svg").unwrap().data.into_owned()).unwrap();
        let mut named = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let quoted = |opening: &str| -> Vec<String> {
                let parts = source.split(opening).skip(1);
                parts
                    .filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned()))
                    .collect()
            };
            for name in quoted("page.asset(\"") {
                named += 1;
                assert!(Files::get(&name).is_some(), "{name}");
            }
            for name in quoted("page.icon(\"") {
                named += 1;
                assert!(icons.contains(&format!("id=\"{name}\"")), "{name}");
            }
        }
        assert!(named > 30, "{named} were found");
    }
}
