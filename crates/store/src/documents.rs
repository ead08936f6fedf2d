//! Issued documents, under their own hash: a folder, or whatever else `object_store` reaches.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::invoicing::DocumentStore;

/// A handle; clones share the store.
#[derive(Debug, Clone)]
pub struct Documents {
    objects: Arc<dyn ObjectStore>,
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

    /// Whether it can be written and read now; leaves nothing behind.
    pub async fn check(&self) -> Result<()> {
        let key = Key::from("check");
        let written = self.objects.put(&key, PutPayload::from_static(b"onescan")).await;
        written.map_err(unavailable)?;
        self.objects.get(&key).await.map_err(unavailable)?;
        self.objects.delete(&key).await.map_err(unavailable)
    }
}

/// Two letters of the hash are a folder of their own, so that none grows too large.
fn key_of(sha256: &str) -> Key {
    Key::from_iter([&sha256[..2], sha256])
}

fn unavailable(error: object_store::Error) -> PlatformError {
    tracing::warn!(%error, "the document store does not answer");
    PlatformError::Unavailable {
        what: "the document store",
    }
}

#[async_trait]
impl DocumentStore for Documents {
    async fn put(&self, sha256: &str, bytes: Vec<u8>) -> Result<()> {
        let options = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&key_of(sha256), bytes.into(), options).await {
            // The name is the hash: what lies there is the same.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn get(&self, sha256: &str) -> Result<Option<Vec<u8>>> {
        let found = match self.objects.get(&key_of(sha256)).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unavailable(error)),
        };
        // Without a copy: a long bill's document has 200 MB.
        Ok(Some(found.bytes().await.map_err(unavailable)?.into()))
    }
}
