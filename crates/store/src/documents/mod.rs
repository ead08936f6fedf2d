//! Issued documents, under their own hash: in a folder, or in a bucket of an S3-compatible store.
//!
//! A document is written once and never changed or removed, so that what was asked twice is the same: every call may be
//! repeated. A store that does not answer is told as [`PlatformError::Unavailable`]; whoever issues tries again later.

mod http;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::invoicing::DocumentStore;
use tokio::time::timeout;

/// For one document, all tries together; longer for a large one, see [`patience`].
const PATIENCE: Duration = Duration::from_secs(12);
/// For the bytes of a document that the store has begun to send.
const READING: Duration = Duration::from_secs(120);
const TRIES_AGAIN: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A handle; clones share the store.
#[derive(Debug, Clone)]
pub struct Documents {
    objects: Arc<dyn ObjectStore>,
}

/// A bucket of an S3-compatible store. It must be there; the key must be allowed to write and read objects.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketConfig {
    pub bucket: String,
    /// `https://host:port` without a slash at the end; `None`: AWS in `region`.
    pub endpoint: Option<String>,
    pub region: String,
    pub key_id: String,
    pub secret: String,
    pub plain_http: PlainHttp,
}

/// Whether documents may travel without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    Allowed,
    #[default]
    Refused,
}

impl fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketConfig")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl Documents {
    /// A folder, made when it is missing. Files are synced to disk before they count as kept.
    pub fn folder(path: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let files = LocalFileSystem::new_with_prefix(path).map_err(std::io::Error::other)?;
        Ok(Self {
            objects: Arc::new(files.with_fsync(true)),
        })
    }

    /// A bucket. Asks nothing yet, so that a store that is down keeps no server from starting. Fails where this machine has
    /// no certificate of any authority.
    pub fn bucket(config: &BucketConfig) -> std::io::Result<Self> {
        let allow_http = config.plain_http == PlainHttp::Allowed;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: FIRST_PAUSE,
                ..BackoffConfig::default()
            },
            max_retries: TRIES_AGAIN,
            retry_timeout: PATIENCE,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.key_id)
            .with_secret_access_key(&config.secret)
            .with_retry(retry)
            .with_client_options(ClientOptions::new().with_allow_http(allow_http))
            .with_http_connector(http::Connector::new(config.plain_http)?);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        let objects = builder.build().map_err(std::io::Error::other)?;
        Ok(Self {
            objects: Arc::new(objects),
        })
    }

    /// Whether it can be written and read now, in the store's own words where not. Leaves nothing behind, except in a bucket
    /// whose key may not delete: issued documents are never deleted, so that none needs to.
    pub async fn check(&self) -> std::result::Result<(), String> {
        let key = Key::from("check");
        let look = async {
            let probe = PutPayload::from_static(b"onescan");
            self.objects.put(&key, probe).await?;
            self.objects.get(&key).await?.bytes().await?;
            match self.objects.delete(&key).await {
                Ok(()) | Err(object_store::Error::PermissionDenied { .. } | object_store::Error::NotFound { .. }) => {
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
        match timeout(PATIENCE, look).await {
            Ok(seen) => seen.map_err(|error: object_store::Error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }
}

/// Two letters of the hash are a folder of their own, so that none grows too large.
fn key_of(sha256: &str) -> Key {
    Key::from_iter([&sha256[..2], sha256])
}

/// How long `base` is with so many bytes on their way: the bill of a large institution has 200 MB.
fn patience(base: Duration, bytes: usize) -> Duration {
    const BYTES_A_SECOND: u64 = 2 << 20;
    base + Duration::from_secs(bytes as u64 / BYTES_A_SECOND)
}

fn unavailable(why: &dyn fmt::Display) -> PlatformError {
    tracing::warn!(error = %why, "the document store does not answer");
    PlatformError::Unavailable {
        what: "the document store",
    }
}

#[async_trait]
impl DocumentStore for Documents {
    async fn put(&self, sha256: &str, bytes: Vec<u8>) -> Result<()> {
        let (key, options) = (key_of(sha256), PutOptions::from(PutMode::Create));
        let limit = patience(PATIENCE, bytes.len());
        match timeout(limit, self.objects.put_opts(&key, bytes.into(), options)).await {
            // The name is the hash: what lies there is the same.
            Ok(Ok(_) | Err(object_store::Error::AlreadyExists { .. })) => Ok(()),
            Ok(Err(error)) => Err(unavailable(&error)),
            Err(late) => Err(unavailable(&late)),
        }
    }

    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>> {
        let key = key_of(sha256);
        let found = match timeout(PATIENCE, self.objects.get(&key)).await {
            Ok(Ok(found)) => found,
            Ok(Err(object_store::Error::NotFound { .. })) => return Ok(None),
            Ok(Err(error)) => return Err(unavailable(&error)),
            Err(late) => return Err(unavailable(&late)),
        };
        match timeout(READING, found.bytes()).await {
            // Without a copy: a long bill's document has 200 MB.
            Ok(Ok(bytes)) => Ok(Some(bytes.into())),
            Ok(Err(error)) => Err(unavailable(&error)),
            Err(late) => Err(unavailable(&late)),
        }
    }
}
