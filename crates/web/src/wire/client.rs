//! The client's end: connections that stay open, a time limit for each call, and what to do when no answer comes.
//!
//! What a failed call means follows from how far it got and from [`Repeat`]:
//!
//! | what happened | read | same | once |
//! |---|---|---|---|
//! | nothing was sent (refused, no connection) | again until `patience`, then unavailable | as read | as read |
//! | sent, and no answer (broken off, too late) | again until `patience`, then unavailable | again until `patience`, then unknown | unknown |
//! | answered | the answer | the answer | the answer |
//!
//! An answer after the limit is dropped with its connection; the repeat finds what it did.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::trace;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::contract::{Contract, Repeat};
use super::form::Unreadable;
use super::{ABOUT, About, Fault, FaultKind, KEY, TRACE, understand};

/// Bytes on their way to the other side: plain or in TLS.
pub trait Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Stream for S {}

/// Puts TLS around a connection.
#[async_trait::async_trait]
pub trait Secure: Send + Sync {
    async fn wrap(&self, plain: TcpStream) -> std::io::Result<Box<dyn Stream>>;
}

/// How long a caller waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For one answer.
    pub call: Duration,
    /// For all tries of a call together.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            call: Duration::from_secs(4),
            patience: Duration::from_secs(10),
        }
    }
}

/// How it stands with a platform elsewhere, as its calls saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub calls: u64,
    /// Tries that got no answer.
    pub failures: u64,
    /// Of the last answer, in microseconds.
    pub latency_us: u64,
    /// Why the last try failed; empty once an answer came.
    pub trouble: String,
    /// What the other side said about itself.
    pub about: Option<About>,
}

/// The way to one platform that lives elsewhere.
pub struct Connection {
    contract: &'static Contract,
    /// `https://host:port` or `http://…`, without a slash at the end.
    address: String,
    authority: String,
    host: String,
    port: u16,
    secure: Option<Arc<dyn Secure>>,
    limits: Limits,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    /// Drawn at start, so that the keys of two runs differ.
    run: String,
    count: AtomicU64,
    failures: AtomicU64,
    latency_us: AtomicI64,
    trouble: Mutex<String>,
    about: Mutex<Option<About>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("contract", &self.contract.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Connections kept open while nobody uses them.
const IDLE_MAX: usize = 64;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// The largest answer that is read: a document with its attachments.
const ANSWER_MAX: usize = 64 << 20;

/// Why a try got no answer.
#[derive(Debug)]
enum NoAnswer {
    /// The other side has not seen the call.
    NotSent(String),
    /// It may have.
    Lost(String),
}

impl Connection {
    /// `address`: checked by whoever read it: scheme, host, and port where it is not the scheme's own.
    /// `run`: sets the keys of this run apart from those of others.
    pub fn new(
        contract: &'static Contract,
        address: &str,
        secure: Option<Arc<dyn Secure>>,
        limits: Limits,
        run: &str,
    ) -> Option<Self> {
        let uri: Uri = address.parse().ok()?;
        let authority = uri.authority()?.to_string();
        let standard = if uri.scheme_str()? == "https" { 443 } else { 80 };
        Some(Self {
            contract,
            address: address.trim_end_matches('/').to_owned(),
            host: uri.host()?.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(standard),
            authority,
            secure,
            limits,
            idle: Mutex::default(),
            run: run.to_owned(),
            count: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            latency_us: AtomicI64::new(0),
            trouble: Mutex::default(),
            about: Mutex::default(),
        })
    }

    pub fn contract(&self) -> &'static Contract {
        self.contract
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    pub fn seen(&self) -> Seen {
        Seen {
            calls: self.count.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            latency_us: self.latency_us.load(Ordering::Relaxed).max(0) as u64,
            trouble: locked(&self.trouble).clone(),
            about: locked(&self.about).clone(),
        }
    }

    /// Asks who is there, and remembers it.
    pub async fn about(&self) -> Result<About, String> {
        let request = self
            .request("GET", ABOUT)
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let begun = now();
        let asked = timeout(self.limits.call, self.exchange(request)).await;
        let answered = match asked {
            Ok(Ok((StatusCode::OK, body))) => {
                serde_json::from_slice(&body).map_err(|_| "its answer is not understood".to_owned())
            }
            Ok(Ok((status, _))) => Err(format!("it answers {status}")),
            Ok(Err(NoAnswer::NotSent(why) | NoAnswer::Lost(why))) => Err(why),
            Err(_) => Err("it does not answer in time".to_owned()),
        };
        match &answered {
            Ok(about) => {
                self.note_answer(begun);
                *locked(&self.about) = Some(About::clone(about));
            }
            Err(why) => self.note_failure(why),
        }
        answered
    }

    /// Asks for the version of the contract that is offered. The error says why it is not understood.
    pub async fn greet(&self) -> Result<String, String> {
        let about = self.about().await?;
        let (name, ours) = (self.contract.name, self.contract.version);
        match about.version_of(name) {
            None => Err(format!("{} {} does not offer {name}", about.program, about.version)),
            Some(theirs) if understand(ours, theirs) => Ok(theirs.to_owned()),
            Some(theirs) => Err(format!("it speaks version {theirs} of {name}, this program {ours}")),
        }
    }

    /// Makes one call, as often as the table in this module's head says.
    pub(super) async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        contract: &Contract,
        name: &str,
        ask: &Q,
    ) -> Result<A> {
        let call = contract
            .calls
            .iter()
            .find(|call| call.name == name)
            .expect("the table names its calls");
        let key = format!("{}-{:x}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        let body = Bytes::from(serde_json::to_vec(ask).map_err(PlatformError::internal)?);
        let until = now() + self.limits.patience;
        let (mut pause, mut lost) = (FIRST_PAUSE, false);
        loop {
            let begun = now();
            let mut request = self
                .request("POST", call.path)
                .header(CONTENT_TYPE, "application/json")
                .header(KEY, &key);
            if let Some(trace) = trace::parent() {
                request = request.header(TRACE, trace);
            }
            let request = request.body(Full::new(body.clone())).map_err(PlatformError::internal)?;
            let limit = until.min(begun + self.limits.call);
            let tried = timeout_at(limit, self.exchange(request)).await;
            let why = match tried {
                Ok(Ok((status, body))) => {
                    self.note_answer(begun);
                    return self.answered(name, status, &body);
                }
                Ok(Err(NoAnswer::NotSent(why))) => why,
                Ok(Err(NoAnswer::Lost(why))) => {
                    lost = true;
                    why
                }
                Err(_) => {
                    lost = true;
                    "no answer in time".to_owned()
                }
            };
            self.note_failure(&why);
            tracing::warn!(
                platform.name = self.contract.name,
                call.name = name,
                call.key = key,
                why,
                "a call got no answer"
            );
            let may = !lost || call.repeat != Repeat::Once;
            if !may || now() + pause >= until {
                return Err(match lost && call.repeat != Repeat::Read {
                    true => PlatformError::UnknownOutcome,
                    false => self.unavailable(),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn answered<A: DeserializeOwned>(&self, name: &str, status: StatusCode, body: &[u8]) -> Result<A> {
        if status == StatusCode::OK {
            return serde_json::from_slice(body).map_err(|error| self.unreadable(name, &Unreadable::new(error)));
        }
        let Ok(fault) = serde_json::from_slice::<Fault>(body) else {
            tracing::error!(
                platform.name = self.contract.name,
                call.name = name,
                http.status = status.as_u16(),
                "not an answer of the contract"
            );
            return Err(self.unavailable());
        };
        Err(match fault.error {
            FaultKind::Busy => PlatformError::Busy,
            FaultKind::Unavailable => self.unavailable(),
            FaultKind::OutcomeUnknown => PlatformError::UnknownOutcome,
            FaultKind::Taken => PlatformError::Taken {
                constraint: fault.detail,
            },
            // Nothing was done: the two do not fit together, which is the operator's to mend.
            FaultKind::Forbidden | FaultKind::UnknownCall => {
                tracing::error!(
                    platform.name = self.contract.name,
                    call.name = name,
                    fault.detail,
                    "a platform does not take a call"
                );
                *locked(&self.trouble) = format!("it does not take {name}: {}", fault.detail);
                self.unavailable()
            }
            FaultKind::Unreadable | FaultKind::Internal => {
                tracing::error!(
                    platform.name = self.contract.name,
                    call.name = name,
                    fault.detail,
                    "the platform refused a call"
                );
                PlatformError::internal(format!(
                    "{} {name}: {:?}: {}",
                    self.contract.name, fault.error, fault.detail
                ))
            }
        })
    }

    pub(super) fn unreadable(&self, name: &str, wrong: &Unreadable) -> PlatformError {
        PlatformError::internal(format!(
            "the answer of {} {name} is not what the contract says: {wrong}",
            self.contract.name
        ))
    }

    fn unavailable(&self) -> PlatformError {
        PlatformError::Unavailable {
            what: self.contract.name,
        }
    }

    fn note_answer(&self, begun: Instant) {
        let took_us = begun.elapsed().as_micros() as i64;
        self.latency_us.store(took_us, Ordering::Relaxed);
        locked(&self.trouble).clear();
    }

    fn note_failure(&self, why: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        why.clone_into(&mut locked(&self.trouble));
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.authority)
    }

    /// One request and its answer over a connection of the pool, or a new one.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), NoAnswer> {
        let mut request = request;
        loop {
            let idle = locked(&self.idle).pop();
            let Some(mut sender) = idle else {
                let mut sender = self.connect().await.map_err(NoAnswer::NotSent)?;
                let response = sender.try_send_request(request).await;
                let response = response.map_err(|mut error| {
                    let sent = error.take_message().is_none();
                    let why = error.into_error().to_string();
                    if sent {
                        NoAnswer::Lost(why)
                    } else {
                        NoAnswer::NotSent(why)
                    }
                })?;
                return self.finish(sender, response).await;
            };
            // A connection that the other side closed meanwhile gives the request back.
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return self.finish(sender, response).await,
                Err(mut error) => match error.take_message() {
                    Some(back) => request = back,
                    None => return Err(NoAnswer::Lost(error.into_error().to_string())),
                },
            }
        }
    }

    async fn finish(
        &self,
        sender: SendRequest<Full<Bytes>>,
        response: Response<Incoming>,
    ) -> Result<(StatusCode, Bytes), NoAnswer> {
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| NoAnswer::Lost(error.to_string()))?.to_bytes();
        let mut idle = locked(&self.idle);
        if !sender.is_closed() && idle.len() < IDLE_MAX {
            idle.push(sender);
        }
        Ok((status, body))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let connecting = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match &self.secure {
                Some(secure) => secure.wrap(stream).await?,
                None => Box::new(stream),
            };
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(std::io::Error::other)
        };
        let connected = timeout(self.limits.connect, connecting).await;
        let (sender, connection) = connected
            .map_err(|_| format!("no connection to {} in time", self.address))?
            .map_err(|error| format!("no connection to {}: {error}", self.address))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a platform ended");
            }
        });
        Ok(sender)
    }
}

/// Calls that no rule answers, and how the contract says that they are refused: call, promise, and what came instead.
pub async fn probe(connection: &Connection) -> Vec<(String, &'static str, Result<(), String>)> {
    let missing = format!("/wire/v1/{}/no_such_call", connection.contract.name);
    let unknown = connection.refusal_of(&missing, "{}", FaultKind::UnknownCall).await;
    let mut seen = vec![(
        "no_such_call".to_owned(),
        "a call that is in no contract is `unknown_call`",
        unknown,
    )];
    for call in connection.contract.calls {
        let refused = connection.refusal_of(call.path, "[", FaultKind::Unreadable).await;
        seen.push((
            call.name.to_owned(),
            "is there, and what cannot be read is `unreadable`",
            refused,
        ));
    }
    seen
}

impl Connection {
    async fn refusal_of(&self, path: &str, body: &'static str, expected: FaultKind) -> Result<(), String> {
        let request = self
            .request("POST", path)
            .header(CONTENT_TYPE, "application/json")
            .header(KEY, "contract-test");
        let request = request.body(Full::from(body)).map_err(|error| error.to_string())?;
        let asked = timeout(self.limits.call, self.exchange(request)).await;
        let (status, body) = match asked {
            Ok(Ok(answered)) => answered,
            Ok(Err(NoAnswer::NotSent(why) | NoAnswer::Lost(why))) => return Err(why),
            Err(_) => return Err("no answer in time".to_owned()),
        };
        let fault =
            serde_json::from_slice::<Fault>(&body).map_err(|error| format!("{status} without a fault: {error}"))?;
        match fault.error == expected && status.as_u16() == expected.status() {
            true => Ok(()),
            false => Err(format!("{status} {:?}", fault.error)),
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long a call may take; decides nothing else"
)]
fn now() -> Instant {
    Instant::now()
}
