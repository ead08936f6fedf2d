//! Transit feeds of providers: taken in as a zip archive, kept, put into use.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

use onescan_domain::ids::{FeedId, MerchantId};
use onescan_domain::text;
use onescan_domain::transit::{FILES, Feed, Network};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{FeedRefusal, JourneyStore, RideFeed};
use crate::env::{Env, fingerprint};
use crate::error::{PlatformError, Result};

/// Of one file, unpacked: an archive may claim anything.
const FILE_MB_MAX: u64 = 256;
/// Networks kept in memory; feeds never change, so none is ever stale.
const KEPT_MAX: usize = 64;
/// Feeds whose stops are searched at once.
const SEARCHED_MAX: u32 = 500;

/// A stop or line that a policy can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitPlace {
    pub provider: MerchantId,
    pub kind: PlaceKind,
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    Stop,
    Line,
}

#[derive(Clone)]
pub struct Feeds {
    env: Env,
    store: Arc<dyn JourneyStore>,
    networks: Arc<Mutex<HashMap<FeedId, Arc<Network>>>>,
}

impl std::fmt::Debug for Feeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feeds").finish_non_exhaustive()
    }
}

impl Feeds {
    pub fn new(env: Env, store: Arc<dyn JourneyStore>) -> Self {
        Self {
            env,
            store,
            networks: Arc::default(),
        }
    }

    /// Takes a feed in when all of it can be read; the first of a provider is put into use. Otherwise nothing is kept, and
    /// the refusal names every fault with file, line and column. The same files again: the feed that is there.
    pub async fn import(
        &self,
        provider: MerchantId,
        name: &str,
        archive: Vec<u8>,
    ) -> Result<Result<RideFeed, FeedRefusal>> {
        let first = self.store.list_feeds(provider).await?.is_empty();
        let mut feed = match self.take_in(provider, name, archive).await? {
            Ok(feed) => feed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if first {
            self.store.activate_feed(&feed, self.env.now_ms()).await?;
            feed.active = true;
        }
        Ok(Ok(feed))
    }

    /// [`Self::import`] for whoever looks at a feed before it counts: none is put into use.
    pub async fn take_in(
        &self,
        provider: MerchantId,
        name: &str,
        archive: Vec<u8>,
    ) -> Result<Result<RideFeed, FeedRefusal>> {
        let name = match text::line(name, 100) {
            Ok(name) => name,
            Err(error) => return Ok(Err(FeedRefusal::Name(error))),
        };
        // Reading a large feed takes a while, and this thread serves others.
        let reading = tokio::task::spawn_blocking(move || read(&archive));
        let (feed, content, hash) = match reading.await.map_err(PlatformError::internal)? {
            Ok(read) => read,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let known = self.store.list_feeds(provider).await?;
        if let Some(same) = known.iter().find(|known| known.hash == hash) {
            return Ok(Ok(same.clone()));
        }
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        let new = RideFeed {
            id: FeedId::new(self.env.id(provider.bucket())),
            provider,
            name,
            stops: count(feed.stops.len()),
            lines: count(feed.lines.len()),
            trips: count(feed.trips.len()),
            fares: count(feed.fares.all.len()),
            hash,
            active: false,
            created_at: self.env.now_ms(),
        };
        self.store.insert_feed(&new, content?).await?;
        Ok(Ok(new))
    }

    /// The newest first.
    pub async fn list(&self, provider: MerchantId) -> Result<Vec<RideFeed>> {
        self.store.list_feeds(provider).await
    }

    /// Rides that are priced from now on take their fares from it; rides without a fare are priced again.
    pub async fn activate(&self, provider: MerchantId, id: FeedId) -> Result<Result<RideFeed, FeedRefusal>> {
        let found = self.store.find_feed(id).await?;
        let Some(mut feed) = found.filter(|feed| feed.provider == provider) else {
            return Ok(Err(FeedRefusal::Unknown));
        };
        if !feed.active {
            self.store.activate_feed(&feed, self.env.now_ms()).await?;
            feed.active = true;
        }
        Ok(Ok(feed))
    }

    pub async fn delete(&self, provider: MerchantId, id: FeedId) -> Result<Result<(), FeedRefusal>> {
        let found = self.store.find_feed(id).await?;
        match found.filter(|feed| feed.provider == provider) {
            None => Ok(Err(FeedRefusal::Unknown)),
            Some(feed) if feed.active => Ok(Err(FeedRefusal::InUse)),
            Some(_) => Ok(match self.store.delete_feed(id).await? {
                true => Ok(()),
                // Put into use, or deleted, a moment ago.
                false => Err(FeedRefusal::InUse),
            }),
        }
    }

    /// The provider's network in use.
    pub async fn network(&self, provider: MerchantId) -> Result<Option<Arc<Network>>> {
        let feeds = self.store.list_feeds(provider).await?;
        match feeds.into_iter().find(|feed| feed.active) {
            Some(feed) => self.network_of(feed.id).await,
            None => Ok(None),
        }
    }

    /// The network of a feed, in use or not. `None`: there is no such feed.
    pub async fn network_of(&self, id: FeedId) -> Result<Option<Arc<Network>>> {
        let known = {
            let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
            networks.get(&id).cloned()
        };
        if known.is_some() {
            return Ok(known);
        }
        let Some(content) = self.store.feed_content(id).await? else {
            return Ok(None);
        };
        let reading = tokio::task::spawn_blocking(move || {
            let files = unpack(&content)?;
            let feed = Feed::read(|name| files.get(name).map(String::as_str))?;
            Ok::<_, FeedRefusal>(Arc::new(Network::of(feed)))
        });
        let network = reading.await.map_err(PlatformError::internal)?;
        let network = network.map_err(PlatformError::internal)?;
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= KEPT_MAX {
            networks.clear();
        }
        networks.insert(id, network.clone());
        Ok(Some(network))
    }

    /// Stops and lines of all feeds in use whose id or name begins with `search`, for whoever writes a policy.
    pub async fn places(&self, search: &str, limit: usize) -> Result<Vec<TransitPlace>> {
        let search = search.trim().to_lowercase();
        let mut places = Vec::new();
        for feed in self.store.active_feeds(SEARCHED_MAX).await? {
            let Some(network) = self.network_of(feed.id).await? else {
                continue;
            };
            let place = |kind, id: &str, name: &str| TransitPlace {
                provider: feed.provider,
                kind,
                id: id.to_owned(),
                name: name.to_owned(),
            };
            let lines = network.lines.iter();
            places.extend(lines.map(|line| place(PlaceKind::Line, &line.id, &line.name)));
            let stops = network.stops.iter();
            places.extend(stops.map(|stop| place(PlaceKind::Stop, &stop.id, &stop.name)));
            let begins = |text: &str| text.to_lowercase().starts_with(&search);
            places.retain(|place| begins(&place.name) || begins(&place.id));
            if places.len() >= limit {
                break;
            }
        }
        places.truncate(limit);
        Ok(places)
    }
}

type ReadFeed = (Feed, Result<Vec<u8>>, String);

fn read(archive: &[u8]) -> Result<ReadFeed, FeedRefusal> {
    let files = unpack(archive)?;
    let feed = Feed::read(|name| files.get(name).map(String::as_str))?;
    let parts = files.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]);
    let hash = fingerprint(&parts.collect::<Vec<_>>());
    let content = pack(files.iter().map(|(name, text)| (*name, text.as_str())));
    Ok((feed, content, hash))
}

/// The files of a feed in an archive, at its top or in a folder; others are left alone.
pub fn unpack(archive: &[u8]) -> Result<BTreeMap<&'static str, String>, FeedRefusal> {
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|_| FeedRefusal::Archive)?;
    let mut files = BTreeMap::new();
    for place in 0..archive.len() {
        let file = archive.by_index(place).map_err(|_| FeedRefusal::Archive)?;
        let name = file.name().map_err(|_| FeedRefusal::Archive)?;
        let name = name.rsplit('/').next().unwrap_or_default();
        let Some(name) = FILES.into_iter().find(|known| *known == name) else {
            continue;
        };
        let mut bytes = Vec::new();
        let most = FILE_MB_MAX * 1_000_000;
        let read = file.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|_| FeedRefusal::Archive)?;
        let file = name.to_owned();
        if bytes.len() as u64 > most {
            let max_mb = FILE_MB_MAX;
            return Err(FeedRefusal::TooLarge { file, max_mb });
        }
        let text = String::from_utf8(bytes).map_err(|_| FeedRefusal::Text { file })?;
        files.insert(name, text);
    }
    Ok(files)
}

/// An archive of the files.
pub fn pack<'f>(files: impl IntoIterator<Item = (&'f str, &'f str)>) -> Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let started = archive.start_file(name, SimpleFileOptions::default());
        started.map_err(PlatformError::internal)?;
        archive.write_all(text.as_bytes()).map_err(PlatformError::internal)?;
    }
    let archive = archive.finish().map_err(PlatformError::internal)?;
    Ok(archive.into_inner())
}
