//! The way to a bucket: our own HTTP and TLS under `object_store`, which would else bring a second of each.

use std::error::Error;
use std::io;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Sockets;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use rustls::crypto::ring;
use tokio::time::timeout;

use super::{PlainHttp, patience};

const CONNECT: Duration = Duration::from_secs(2);
/// Until the answer's head, longer for a large document; what follows counts against the caller's patience.
const ANSWER: Duration = Duration::from_secs(5);

/// Connections that stay open, over the certificates that this machine trusts.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    client: Client<HttpsConnector<Sockets>, HttpRequestBody>,
}

impl Connector {
    pub(super) fn new(plain_http: PlainHttp) -> io::Result<Self> {
        let mut sockets = Sockets::new();
        sockets.enforce_http(false);
        sockets.set_connect_timeout(Some(CONNECT));
        sockets.set_nodelay(true);
        let trusting = HttpsConnectorBuilder::new().with_provider_and_native_roots(ring::default_provider())?;
        let schemes = match plain_http {
            PlainHttp::Allowed => trusting.https_or_http(),
            PlainHttp::Refused => trusting.https_only(),
        };
        let connector = schemes.enable_http1().wrap_connector(sockets);
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let limit = patience(ANSWER, request.body().content_length());
        let answer = timeout(limit, self.client.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let answer = answer.map_err(|error| match error.is_connect() {
            true => HttpError::new(HttpErrorKind::Connect, Told(chain(&error))),
            false => HttpError::new(HttpErrorKind::Interrupted, Told(chain(&error))),
        })?;
        let broken = |error: hyper::Error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(answer.map(|body| HttpResponseBody::new(body.map_err(broken))))
    }
}

/// The whole chain in one line: hyper's own text is "client error (Connect)" and no more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
