//! A small HTTP/1.1 client for the loopback: what the demo's story sends.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// One connection that stays open.
#[derive(Debug)]
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    /// `traceparent` of what is asked.
    trace: Option<String>,
}

/// A request to the API.
#[derive(Debug, Clone)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// Key or session token.
    pub bearer: Option<String>,
    pub idempotency_key: Option<String>,
    pub body: Option<Value>,
}

/// Status, and the body where it is JSON.
#[derive(Debug, Clone)]
pub struct Told {
    pub status: u16,
    pub body: Value,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await;
        let stream = stream.with_context(|| format!("nobody answers at {address}"))?;
        stream
            .set_nodelay(true)
            .context("the connection does not take settings")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection ended");
            }
        });
        Ok(Self {
            sender,
            address,
            trace: None,
        })
    }

    /// Names the trace that everything asked from now on belongs to, as W3C Trace Context writes it.
    pub fn trace(&mut self, parent: &str) {
        self.trace = Some(parent.to_owned());
    }

    pub async fn ask(&mut self, ask: &Ask) -> Result<Told> {
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .header(HOST, self.address.to_string());
        if let Some(token) = &ask.bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = &ask.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(parent) = &self.trace {
            request = request.header("traceparent", parent);
        }
        let body = match &ask.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Full::from(body.to_string())
            }
            None => Full::default(),
        };
        self.sender.ready().await.context("the server closed the connection")?;
        let response = self
            .sender
            .send_request(request.body(body)?)
            .await
            .context("no answer came")?;
        let status = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .context("the answer broke off")?
            .to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Told { status, body })
    }
}
