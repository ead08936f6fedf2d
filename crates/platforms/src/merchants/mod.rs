//! Merchants, stores and terminals.

mod service;
pub mod tax;

use async_trait::async_trait;
use onescan_domain::ids::{KeyId, MerchantId, StoreId, TerminalId};
use onescan_domain::merchants::{GuardLimits, Merchant, Store, Terminal, TerminalGuard};

pub use service::{MerchantRefusal, Merchants, NewMerchant, NewStore, NewTerminal};

use crate::error::Result;

#[async_trait]
pub trait MerchantStore: Send + Sync {
    /// Writes the merchant and its account in one commit.
    async fn insert(&self, merchant: &Merchant) -> Result<()>;
    async fn find(&self, id: MerchantId) -> Result<Option<Merchant>>;
    /// Of all buckets, the oldest first. `after`: the last id of the page before.
    async fn list(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>>;
    /// Stores and terminals have their ids in the merchant's bucket.
    async fn insert_store(&self, store: &Store) -> Result<()>;
    async fn find_store(&self, id: StoreId) -> Result<Option<Store>>;
    async fn list_stores(&self, merchant: MerchantId) -> Result<Vec<Store>>;
    async fn insert_terminal(&self, terminal: &Terminal) -> Result<()>;
    async fn find_terminal(&self, id: TerminalId) -> Result<Option<Terminal>>;
    async fn list_terminals(&self, merchant: MerchantId) -> Result<Vec<Terminal>>;
    /// The terminal, its merchant and its store, as a request needs them.
    async fn load_terminal(&self, id: TerminalId) -> Result<Option<(Terminal, Merchant, Store)>>;
    async fn find_guard(&self, id: TerminalId) -> Result<TerminalGuard>;
    /// Counts one invalid code, also where many come at once; returns what they have come to.
    async fn note_invalid(&self, id: TerminalId, now: i64, limits: GuardLimits) -> Result<TerminalGuard>;
    /// Keys of the terminal that are not revoked.
    async fn list_keys(&self, terminal: TerminalId) -> Result<Vec<KeyId>>;
}
