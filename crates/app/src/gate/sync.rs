//! Talking to the server: keys, deny list, other gates' passages in; the journal out, at least once.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::Method;
use onescan_domain::rides::tap::TapKind;
use onescan_gate::deny::{DenyList, Document};
use onescan_gate::keys::{Fingerprint, hex};
use onescan_gate::memory::Seen;
use serde_json::{Value, json};

use super::Shared;
use super::folder::KnownKey;
use crate::http_client::{Ask, Client};

/// Where the server is and who the gate is to it.
#[derive(Clone)]
pub struct Server {
    /// Host and port.
    pub address: String,
    /// The gate's key.
    pub key: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A server that does not answer must not stop a gate that reads codes: the lock is never held while waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// Records of one upload, as the API takes them.
const RECORDS: usize = 64;
/// What arrived shortly before is asked for again: servers do not commit in the order of their clocks.
const OVERLAP_MS: i64 = 10_000;

/// One round: who we are, journal out, keys, deny list and passages in. What was done stays done when a later step fails.
pub async fn sync(server: &Server, desk: &Shared) -> Result<()> {
    let round = async {
        let mut line = Line::open(server).await?;
        introduce(&mut line, desk).await?;
        upload(&mut line, desk).await?;
        fetch_keys(&mut line, desk).await?;
        fetch_deny_list(&mut line, desk).await?;
        hear(&mut line, desk).await
    };
    tokio::time::timeout(PATIENCE, round)
        .await
        .context("the server takes too long")?
}

struct Line<'s> {
    client: Client,
    server: &'s Server,
}

impl<'s> Line<'s> {
    async fn open(server: &'s Server) -> Result<Self> {
        let mut addresses = tokio::net::lookup_host(&server.address)
            .await
            .with_context(|| format!("{} is not known", server.address))?;
        let address: SocketAddr = addresses.next().context("the server has no address")?;
        let client = Client::connect(address).await?;
        Ok(Self { client, server })
    }

    async fn ask(&mut self, method: Method, path: String, body: Option<Value>) -> Result<Value> {
        let ask = Ask {
            method,
            path,
            bearer: Some(self.server.key.clone()),
            idempotency_key: None,
            body,
        };
        let told = self.client.ask(&ask).await?;
        if !(200..300).contains(&told.status) {
            let detail = told.body["detail"].as_str().unwrap_or_default();
            bail!("the server answered {} to {}: {detail}", told.status, ask.path);
        }
        Ok(told.body)
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str> {
    value[name]
        .as_str()
        .with_context(|| format!("the server's answer lacks {name}"))
}

fn seconds(value: &Value, name: &str) -> Result<i64> {
    let instant: jiff::Timestamp = text(value, name)?.parse()?;
    Ok(instant.as_second())
}

async fn introduce(line: &mut Line<'_>, desk: &Shared) -> Result<()> {
    if !desk.lock().folder.known.terminal.is_empty() {
        return Ok(());
    }
    let told = line.ask(Method::GET, "/v1/terminals/current".to_owned(), None).await?;
    let terminal = &told["terminal"];
    if terminal["role"] != "gate" {
        bail!("the key is that of a terminal which is no gate");
    }
    let mut desk = desk.lock();
    desk.folder.known.terminal = text(terminal, "id")?.to_owned();
    desk.folder.known.operator = text(terminal, "merchant")?.to_owned();
    desk.folder.keep_known()
}

async fn upload(line: &mut Line<'_>, desk: &Shared) -> Result<()> {
    let key = desk.lock().folder.key.public();
    let opening = json!({
        "algorithm": key.algorithm().name(),
        "public_key": URL_SAFE_NO_PAD.encode(key.bytes()),
    });
    let journal = line
        .ask(Method::POST, "/v1/gate-journals".to_owned(), Some(opening))
        .await?;
    let journal = text(&journal, "journal")?.to_owned();
    loop {
        let waiting = desk.lock().folder.waiting(RECORDS);
        let Some((last, _)) = waiting.last() else {
            return Ok(());
        };
        let last = *last;
        let records = waiting
            .iter()
            .map(|(_, bytes)| URL_SAFE_NO_PAD.encode(bytes))
            .collect::<Vec<_>>();
        let body = json!({ "journal": journal, "records": records });
        let told = line.ask(Method::POST, "/v1/ride-taps".to_owned(), Some(body)).await?;
        let wrong = told["wrong"].as_array().is_none_or(|wrong| !wrong.is_empty());
        if wrong {
            bail!("the server cannot read some of this gate's records up to {last}; they stay here");
        }
        desk.lock().folder.uploaded(last)?;
    }
}

async fn fetch_keys(line: &mut Line<'_>, desk: &Shared) -> Result<()> {
    let told = line.ask(Method::GET, "/v1/ride-issuer-keys".to_owned(), None).await?;
    let items = told["items"].as_array().context("the server's answer lacks items")?;
    let keys = items.iter().map(|item| {
        Ok(KnownKey {
            algorithm: text(item, "algorithm")?.to_owned(),
            key: hex(&URL_SAFE_NO_PAD.decode(text(item, "public_key")?)?),
            from_s: seconds(item, "from")?,
            until_s: seconds(item, "until")?,
        })
    });
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let mut desk = desk.lock();
    if desk.folder.known.keys != keys {
        desk.folder.known.keys = keys;
        desk.folder.keep_known()?;
    }
    desk.gate.keys = desk.folder.known.issuer_keys()?;
    Ok(())
}

async fn fetch_deny_list(line: &mut Line<'_>, desk: &Shared) -> Result<()> {
    let (have, keys) = {
        let desk = desk.lock();
        (desk.gate.deny.clone(), desk.gate.keys.clone())
    };
    let path = match &have {
        Some(list) => format!("/v1/ride-deny-list?since={}", list.version()),
        None => "/v1/ride-deny-list".to_owned(),
    };
    let told = line.ask(Method::GET, path, None).await?;
    let document = Document::open(&URL_SAFE_NO_PAD.decode(text(&told, "document")?)?, &keys)?;
    let list = match have {
        Some(list) => list.after(&document)?,
        None => DenyList::of(&document).context("the server sent changes where the whole list was asked for")?,
    };
    let mut desk = desk.lock();
    desk.folder.keep_deny_list(&list)?;
    desk.gate.deny = Some(list);
    Ok(())
}

/// What other gates of the operator let through.
async fn hear(line: &mut Line<'_>, desk: &Shared) -> Result<()> {
    let from = desk.lock().folder.known.heard_until.clone();
    let mut query = match from.parse::<jiff::Timestamp>() {
        Ok(instant) => {
            let earlier = jiff::Timestamp::from_millisecond(instant.as_millisecond() - OVERLAP_MS)?;
            format!("?from={earlier:.3}")
        }
        Err(_) => String::new(),
    };
    loop {
        let told = line.ask(Method::GET, format!("/v1/ride-taps{query}"), None).await?;
        let items = told["items"].as_array().context("the server's answer lacks items")?;
        let seen = items.iter().map(read_seen).collect::<Result<Vec<_>>>()?;
        let mut desk = desk.lock();
        for seen in seen {
            desk.gate.memory.learn(seen);
        }
        if let Some(last) = items.last() {
            desk.folder.known.heard_until = text(last, "received_at")?.to_owned();
            desk.folder.keep_known()?;
        }
        drop(desk);
        if told["next"].is_null() {
            return Ok(());
        }
        query = format!(
            "?from={}&after={}",
            text(&told["next"], "from")?,
            text(&told["next"], "after")?
        );
    }
}

fn read_seen(item: &Value) -> Result<Seen> {
    let at: jiff::Timestamp = text(item, "at")?.parse()?;
    Ok(Seen {
        device: Fingerprint::parse(text(item, "device")?).context("no fingerprint")?,
        counter: item["counter"].as_u64().context("no counter")?,
        kind: TapKind::parse(text(item, "kind")?).context("no kind of tap")?,
        station: text(item, "station")?.to_owned(),
        at: at.as_millisecond(),
    })
}
