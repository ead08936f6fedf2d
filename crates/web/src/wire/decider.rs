//! The way to institutions' own systems that decide about rides (row R05): one signed question, one answer, within a budget.
//!
//! Signed as [Standard Webhooks](https://www.standardwebhooks.com) say: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` over `id.timestamp.body`. Whoever enters an address must not reach what only this server reaches: names
//! are resolved once, every address that comes is looked at, and the connection goes to what was looked at. Redirections are
//! not followed, answers are short.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{Request, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use onescan_domain::rides::decision::{NoAnswer, RideDecision};
use onescan_domain::rides::order::RidePoint;
use onescan_domain::text;
use onescan_platforms::rides::decider::{AddressFault, Answered, AskDecider, AskedRide, Question, QuestionKind};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::client::Stream;
use crate::api::wire::Moment;

/// Puts TLS around a connection to a host that anybody's authority may vouch for.
#[async_trait]
pub trait SecureTo: Send + Sync {
    async fn wrap(&self, host: &str, plain: TcpStream) -> std::io::Result<Box<dyn Stream>>;
}

/// What may be called besides public addresses over https.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// This machine, without TLS.
    pub plain_loopback: Allowed,
    /// Addresses of private networks and this machine.
    pub private: Allowed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowed {
    Yes,
    #[default]
    No,
}

/// Asks over HTTP.
pub struct HttpDecider {
    tls: Arc<dyn SecureTo>,
    reach: Reach,
    /// For name, connection, question and answer together.
    budget: Duration,
    places: Mutex<HashMap<String, Arc<Place>>>,
}

impl std::fmt::Debug for HttpDecider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpDecider")
            .field("reach", &self.reach)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

/// One host and port, with what is open to it.
struct Place {
    asking: Semaphore,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// Questions to one host that may be open at once.
const ASKING_MAX: usize = 64;
const IDLE_MAX: usize = 8;
/// Hosts that are remembered.
const PLACES_MAX: usize = 1_000;
const ANSWER_MAX: usize = 16 << 10;
const URL_MAX: usize = 500;
const REASON_MAX: usize = 200;

/// An address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl HttpDecider {
    pub fn new(tls: Arc<dyn SecureTo>, reach: Reach, budget: Duration) -> Self {
        Self {
            tls,
            reach,
            budget,
            places: Mutex::default(),
        }
    }

    fn place(&self, address: &Address) -> Arc<Place> {
        let key = format!("{}://{}:{}", address.secure, address.host, address.port);
        let mut places = locked(&self.places);
        if places.len() >= PLACES_MAX && !places.contains_key(&key) {
            places.clear();
        }
        let fresh = || {
            Arc::new(Place {
                asking: Semaphore::new(ASKING_MAX),
                idle: Mutex::default(),
            })
        };
        places.entry(key).or_insert_with(fresh).clone()
    }

    async fn answer(&self, question: &Question) -> Result<RideDecision, NoAnswer> {
        let address = Address::read(&question.url).map_err(|_| NoAnswer::Forbidden)?;
        self.reach.check(&address).map_err(|_| NoAnswer::Forbidden)?;
        let place = self.place(&address);
        let _asking = place.asking.try_acquire().map_err(|_| NoAnswer::Busy)?;
        let (status, body) = self.exchange(&place, &address, question).await?;
        match status {
            StatusCode::OK => read_answer(&body).ok_or(NoAnswer::Broken),
            other => Err(NoAnswer::Status(other.as_u16())),
        }
    }

    /// Over an open connection, or a new one. The question may be asked twice: it has an id.
    async fn exchange(
        &self,
        place: &Place,
        address: &Address,
        question: &Question,
    ) -> Result<(StatusCode, Bytes), NoAnswer> {
        let body = Bytes::from(serde_json::to_vec(&QuestionBody::of(question)).map_err(|_| NoAnswer::Broken)?);
        loop {
            let idle = locked(&place.idle).pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.send_request(request(address, question, &body)?).await {
                Ok(response) => return finish(place, sender, response).await,
                // The other side closed it just now.
                Err(_) => break,
            }
        }
        let mut sender = self.connect(address).await?;
        let sent = sender.send_request(request(address, question, &body)?).await;
        finish(place, sender, sent.map_err(|_| NoAnswer::Unreachable)?).await
    }

    async fn connect(&self, address: &Address) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        let unreachable = |error: std::io::Error| {
            tracing::debug!(%error, "an institution's system cannot be reached");
            NoAnswer::Unreachable
        };
        let found = lookup_host((address.host.as_str(), address.port)).await;
        let found: Vec<SocketAddr> = found.map_err(unreachable)?.collect();
        if !found.iter().all(|found| self.reach.permits(address, found.ip())) {
            return Err(NoAnswer::Forbidden);
        }
        let stream = TcpStream::connect(&*found).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let stream: Box<dyn Stream> = match address.secure {
            true => self.tls.wrap(&address.host, stream).await.map_err(unreachable)?,
            false => Box::new(stream),
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(std::io::Error::other(error)))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an institution's system ended");
            }
        });
        Ok(sender)
    }
}

#[async_trait]
impl AskDecider for HttpDecider {
    fn check(&self, url: &str) -> Result<(), AddressFault> {
        self.reach.check(&Address::read(url)?)
    }

    async fn ask(&self, question: Question) -> Answered {
        let begun = now();
        let answer = match timeout(self.budget, self.answer(&question)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::TooLate),
        };
        let decision = answer.unwrap_or_else(|why| RideDecision::NoAnswer { why });
        let took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        Answered { decision, took_ms }
    }
}

async fn finish(
    place: &Place,
    sender: SendRequest<Full<Bytes>>,
    response: axum::http::Response<hyper::body::Incoming>,
) -> Result<(StatusCode, Bytes), NoAnswer> {
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
    let body = body.map_err(|_| NoAnswer::Broken)?.to_bytes();
    let mut idle = locked(&place.idle);
    if !sender.is_closed() && idle.len() < IDLE_MAX {
        idle.push(sender);
    }
    Ok((status, body))
}

fn request(address: &Address, question: &Question, body: &Bytes) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let seconds = question.at.div_euclid(1_000).to_string();
    let request = Request::builder()
        .method("POST")
        .uri(&address.path)
        .header(HOST, &address.authority)
        .header(USER_AGENT, concat!("onescan/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header(ACCEPT, "application/json")
        .header("webhook-signature", signatures(question, &seconds, body))
        .header("webhook-timestamp", seconds)
        .header("webhook-id", &question.subject)
        .body(Full::new(body.clone()));
    request.map_err(|_| NoAnswer::Forbidden)
}

/// `v1,…` per secret, the newest first.
fn signatures(question: &Question, seconds: &str, body: &[u8]) -> String {
    let sign = |secret: &[u8; 32]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(format!("{}.{seconds}.", question.subject).as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    question.secrets.iter().map(sign).collect::<Vec<_>>().join(" ")
}

/// A secret as both sides enter it.
pub fn secret_text(secret: &[u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(secret))
}

impl Address {
    fn read(url: &str) -> Result<Self, AddressFault> {
        let clean = !url.contains('#') && !url.contains(char::is_whitespace) && url.len() <= URL_MAX;
        let uri: Uri = url.parse().map_err(|_| AddressFault::Shape)?;
        let authority = uri.authority().filter(|_| clean).ok_or(AddressFault::Shape)?;
        if authority.as_str().contains('@') {
            return Err(AddressFault::Credentials);
        }
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(AddressFault::Shape),
        };
        let host = authority.host().trim_matches(['[', ']']).to_lowercase();
        if host.is_empty() {
            return Err(AddressFault::Shape);
        }
        Ok(Self {
            secure,
            host,
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Written as an address, or as the name of this machine.
    fn literal(&self) -> Option<IpAddr> {
        match self.host.as_str() {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            host => host.parse().ok(),
        }
    }
}

impl Reach {
    fn check(self, address: &Address) -> Result<(), AddressFault> {
        let literal = address.literal();
        if !address.secure && (self.plain_loopback == Allowed::No || !literal.is_some_and(|ip| ip.is_loopback())) {
            return Err(AddressFault::Plain);
        }
        match literal {
            Some(ip) if !self.permits(address, ip) => Err(AddressFault::Private),
            Some(_) | None => Ok(()),
        }
    }

    fn permits(self, address: &Address, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            return match address.secure {
                true => self.private == Allowed::Yes || self.plain_loopback == Allowed::Yes,
                false => self.plain_loopback == Allowed::Yes,
            };
        }
        let private = match ip {
            IpAddr::V4(ip) => ip.is_private() || shared(ip),
            IpAddr::V6(ip) => ip.is_unique_local(),
        };
        let may = public(ip) || (private && self.private == Allowed::Yes);
        address.secure && may
    }
}

/// 100.64.0.0/10, which providers use inside.
fn shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && (64..128).contains(&second)
}

/// Whether an address is one that everybody can reach.
fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => public_v4(ip),
        IpAddr::V6(ip) => public_v6(ip),
    }
}

fn public_v4(ip: Ipv4Addr) -> bool {
    let [first, second, third, _] = ip.octets();
    let special = ip.is_private()
        || shared(ip)
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation()
        || (first == 198 && (second == 18 || second == 19))
        || (first, second, third) == (192, 0, 0)
        || (first, second, third) == (192, 88, 99);
    !special && first != 0 && first < 224
}

/// Of the global ones without those that stand for an address of another kind.
fn public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let documentation = (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second < 0x1000);
    let teredo_and_the_like = first == 0x2001 && second < 0x200;
    let six_to_four = first == 0x2002;
    (0x2000..0x4000).contains(&first) && !documentation && !teredo_and_the_like && !six_to_four
}

#[derive(Debug, Serialize)]
struct QuestionBody<'q> {
    /// `ride.consultation`, `ride.payment` or `ride.test`.
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Moment,
    data: RideBody<'q>,
}

#[derive(Debug, Serialize)]
struct RideBody<'q> {
    id: &'q str,
    institution: String,
    person: Option<String>,
    member: Option<String>,
    employee_number: Option<&'q str>,
    application: Option<String>,
    travel_type: &'q str,
    provider: Option<ProviderBody<'q>>,
    /// The provider's own.
    number: Option<&'q str>,
    amount: Option<AmountBody>,
    start: PointBody<'q>,
    end: PointBody<'q>,
    line: Option<&'q str>,
    distance_m: Option<i64>,
    companions: Option<i64>,
}

#[derive(Debug, Serialize)]
struct ProviderBody<'q> {
    id: String,
    name: &'q str,
}

#[derive(Debug, Serialize)]
struct AmountBody {
    minor: i64,
    currency: String,
}

#[derive(Debug, Serialize)]
struct PointBody<'q> {
    at: Moment,
    place: Option<&'q str>,
    stop: Option<&'q str>,
    city: Option<&'q str>,
}

impl<'q> QuestionBody<'q> {
    fn of(question: &'q Question) -> Self {
        let ride: &AskedRide = &question.ride;
        Self {
            kind: match question.kind {
                QuestionKind::Consultation => "ride.consultation",
                QuestionKind::Payment => "ride.payment",
                QuestionKind::Test => "ride.test",
            },
            timestamp: Moment(question.at),
            data: RideBody {
                id: &question.subject,
                institution: ride.institution.to_string(),
                person: ride.person.map(|id| id.to_string()),
                member: ride.member.map(|id| id.to_string()),
                employee_number: ride.employee_number.as_deref(),
                application: ride.application.map(|id| id.to_string()),
                travel_type: &ride.travel_type,
                provider: ride.provider.map(|id| ProviderBody {
                    id: id.to_string(),
                    name: &ride.provider_name,
                }),
                number: ride.number.as_deref(),
                amount: ride.amount.map(|amount| AmountBody {
                    minor: amount.minor,
                    currency: amount.currency.code().to_owned(),
                }),
                start: PointBody::of(&ride.details.start),
                end: PointBody::of(&ride.details.end),
                line: told(&ride.details.line),
                distance_m: ride.details.distance_m,
                companions: ride.details.companions,
            },
        }
    }
}

impl<'q> PointBody<'q> {
    fn of(point: &'q RidePoint) -> Self {
        Self {
            at: Moment(point.at),
            place: told(&point.place),
            stop: told(&point.stop),
            city: told(&point.city),
        }
    }
}

fn told(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// `{"decision": "approve"}`, or `refuse` with a `reason`; other members are left alone.
#[derive(Debug, Deserialize)]
struct AnswerBody {
    decision: Word,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Approve,
    Refuse,
}

fn read_answer(body: &[u8]) -> Option<RideDecision> {
    let answer: AnswerBody = serde_json::from_slice(body).ok()?;
    Some(match answer.decision {
        Word::Approve => RideDecision::Approve,
        Word::Refuse => RideDecision::Refuse {
            reason: text::line(answer.reason.as_deref()?, REASON_MAX).ok()?,
        },
    })
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "measures how long an answer took; decides nothing else"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: Reach, url: &str) -> Result<(), AddressFault> {
        reach.check(&Address::read(url)?)
    }

    #[test]
    fn what_only_this_server_reaches_is_refused() {
        let strict = Reach::default();
        for url in [
            "https://example.com/rides?a=b",
            "https://example.com:8443",
            "https://[2606:4700::1111]/",
            "https://1.1.1.1/",
        ] {
            assert_eq!(check(strict, url), Ok(()), "{url}");
        }
        for (url, fault) in [
            ("", AddressFault::Shape),
            ("example.com", AddressFault::Shape),
            ("ftp://example.com/", AddressFault::Shape),
            ("https:///rides", AddressFault::Shape),
            ("https://example.com/#top", AddressFault::Shape),
            ("https://ada:secret@example.com/", AddressFault::Credentials),
            ("https://example.com@10.0.0.1/", AddressFault::Credentials),
            ("http://example.com/", AddressFault::Plain),
            ("http://127.0.0.1/", AddressFault::Plain),
            ("https://127.0.0.1/", AddressFault::Private),
            ("https://localhost/", AddressFault::Private),
            ("https://LOCALHOST:9/", AddressFault::Private),
            ("https://10.1.2.3/", AddressFault::Private),
            ("https://172.31.0.1/", AddressFault::Private),
            ("https://192.168.1.1/", AddressFault::Private),
            ("https://100.64.0.1/", AddressFault::Private),
            ("https://169.254.169.254/latest", AddressFault::Private),
            ("https://0.0.0.0/", AddressFault::Private),
            ("https://224.0.0.1/", AddressFault::Private),
            ("https://255.255.255.255/", AddressFault::Private),
            ("https://[::1]/", AddressFault::Private),
            ("https://[::]/", AddressFault::Private),
            ("https://[::ffff:10.0.0.1]/", AddressFault::Private),
            ("https://[::ffff:127.0.0.1]/", AddressFault::Private),
            ("https://[fd00::1]/", AddressFault::Private),
            ("https://[fe80::1]/", AddressFault::Private),
            ("https://[64:ff9b::a00:1]/", AddressFault::Private),
            ("https://[2002:a00:1::]/", AddressFault::Private),
        ] {
            assert_eq!(check(strict, url), Err(fault), "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(500));
        assert_eq!(check(strict, &long), Err(AddressFault::Shape));
    }

    #[test]
    fn the_operator_may_allow_this_machine_and_private_networks() {
        let plain = Reach {
            plain_loopback: Allowed::Yes,
            private: Allowed::No,
        };
        assert_eq!(check(plain, "http://127.0.0.1:8080/rides"), Ok(()));
        assert_eq!(check(plain, "http://[::1]/"), Ok(()));
        assert_eq!(check(plain, "http://10.0.0.1/"), Err(AddressFault::Plain));
        assert_eq!(check(plain, "https://10.0.0.1/"), Err(AddressFault::Private));
        let private = Reach {
            plain_loopback: Allowed::No,
            private: Allowed::Yes,
        };
        assert_eq!(check(private, "https://10.0.0.1/"), Ok(()));
        assert_eq!(check(private, "https://[fd00::1]/"), Ok(()));
        // Where clouds keep their secrets.
        assert_eq!(check(private, "https://169.254.169.254/"), Err(AddressFault::Private));
        assert_eq!(check(private, "http://10.0.0.1/"), Err(AddressFault::Plain));
    }

    #[test]
    fn answers_are_read_and_broken_ones_are_none() {
        let refuse = |reason: &str| RideDecision::Refuse {
            reason: reason.to_owned(),
        };
        for (body, expected) in [
            (r#"{"decision":"approve"}"#, Some(RideDecision::Approve)),
            (
                r#"{"decision":"refuse","reason":" over budget ","code":7}"#,
                Some(refuse("over budget")),
            ),
            (r#"{"decision":"refuse"}"#, None),
            (r#"{"decision":"maybe","reason":"x"}"#, None),
            ("approve", None),
            ("", None),
        ] {
            assert_eq!(read_answer(body.as_bytes()), expected, "{body}");
        }
        let long = format!(r#"{{"decision":"refuse","reason":"{}"}}"#, "a".repeat(201));
        assert_eq!(read_answer(long.as_bytes()), None);
    }
}
