//! Keeping merchants, stores and terminals.

use std::sync::Arc;

use onescan_domain::codes::parse_category;
use onescan_domain::ids::{AccountId, MerchantId, StoreId, TerminalId};
use onescan_domain::merchants::{GuardLimits, Merchant, Store, Terminal, TerminalGuard, TerminalRole, TerminalTrust};
use onescan_domain::money::Currency;
use onescan_domain::text::{self, TextError};

use super::MerchantStore;
use crate::access::{AccessControl, KeyHolder, KeySecret};
use crate::env::Env;
use crate::error::Result;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMerchant {
    pub name: String,
    /// ISO 18245, four digits.
    pub category: String,
    pub currency: Currency,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStore {
    pub name: String,
    /// Where it differs from the merchant's.
    pub category: Option<String>,
    pub city: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTerminal {
    pub store: StoreId,
    pub name: String,
    pub role: TerminalRole,
    pub trust: TerminalTrust,
    pub may_assert_paid: bool,
}

/// Why something was not taken, in the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantRefusal {
    #[error("{field}: {error}")]
    Text { field: &'static str, error: TextError },
    #[error("category: use the four digits of ISO 18245, such as 5812")]
    Category,
    #[error("there is no such merchant")]
    Unknown,
    #[error("store: there is no such store of this merchant")]
    UnknownStore,
}

#[derive(Clone)]
pub struct Merchants {
    env: Env,
    store: Arc<dyn MerchantStore>,
    access: AccessControl,
    guard: GuardLimits,
}

impl std::fmt::Debug for Merchants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merchants").finish_non_exhaustive()
    }
}

fn line(field: &'static str, value: &str) -> Result<String, MerchantRefusal> {
    text::line(value, 100).map_err(|error| MerchantRefusal::Text { field, error })
}

impl Merchants {
    pub fn new(env: Env, store: Arc<dyn MerchantStore>, access: AccessControl, guard: GuardLimits) -> Self {
        Self {
            env,
            store,
            access,
            guard,
        }
    }

    /// Makes a merchant with an empty account.
    pub async fn create(&self, new: NewMerchant) -> Result<Result<Merchant, MerchantRefusal>> {
        let checked = line("name", &new.name)
            .and_then(|name| Ok((name, parse_category(&new.category).ok_or(MerchantRefusal::Category)?)));
        let (name, category) = match checked {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let bucket = self.env.any_bucket();
        let merchant = Merchant {
            id: MerchantId::new(self.env.id(bucket)),
            name,
            category,
            currency: new.currency,
            account: AccountId::new(self.env.id(bucket)),
            created_at: self.env.now_ms(),
        };
        self.store.insert(&merchant).await?;
        Ok(Ok(merchant))
    }

    pub async fn find(&self, id: MerchantId) -> Result<Option<Merchant>> {
        self.store.find(id).await
    }

    pub async fn list(&self, after: Option<MerchantId>, limit: u32) -> Result<Vec<Merchant>> {
        self.store.list(after, limit).await
    }

    pub async fn add_store(&self, merchant: MerchantId, new: NewStore) -> Result<Result<Store, MerchantRefusal>> {
        if self.store.find(merchant).await?.is_none() {
            return Ok(Err(MerchantRefusal::Unknown));
        }
        let id = StoreId::new(self.env.id(merchant.bucket()));
        let checked = || {
            let category = new
                .category
                .as_deref()
                .map(|text| parse_category(text).ok_or(MerchantRefusal::Category));
            Ok(Store {
                id,
                merchant,
                name: line("name", &new.name)?,
                category: category.transpose()?,
                city: line("city", &new.city)?,
            })
        };
        match checked() {
            Ok(store) => self.store.insert_store(&store).await.map(|()| Ok(store)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    pub async fn find_store(&self, id: StoreId) -> Result<Option<Store>> {
        self.store.find_store(id).await
    }

    pub async fn stores(&self, merchant: MerchantId) -> Result<Vec<Store>> {
        self.store.list_stores(merchant).await
    }

    /// Adds a terminal with its first key.
    pub async fn add_terminal(
        &self,
        merchant: MerchantId,
        new: NewTerminal,
    ) -> Result<Result<(Terminal, KeySecret), MerchantRefusal>> {
        let name = match line("name", &new.name) {
            Ok(name) => name,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let store = self
            .store
            .find_store(new.store)
            .await?
            .filter(|store| store.merchant == merchant);
        let Some(store) = store else {
            return Ok(Err(MerchantRefusal::UnknownStore));
        };
        let terminal = Terminal {
            id: TerminalId::new(self.env.id(merchant.bucket())),
            merchant,
            store: store.id,
            name,
            role: new.role,
            trust: new.trust,
            may_assert_paid: new.may_assert_paid,
            created_at: self.env.now_ms(),
        };
        self.store.insert_terminal(&terminal).await?;
        let key = self
            .access
            .issue_key(KeyHolder::Terminal(terminal.id), &terminal.name)
            .await?;
        Ok(Ok((terminal, key)))
    }

    pub async fn find_terminal(&self, id: TerminalId) -> Result<Option<Terminal>> {
        self.store.find_terminal(id).await
    }

    pub async fn terminals(&self, merchant: MerchantId) -> Result<Vec<Terminal>> {
        self.store.list_terminals(merchant).await
    }

    pub async fn guard(&self, id: TerminalId) -> Result<TerminalGuard> {
        self.store.find_guard(id).await
    }

    /// Counts an unknown code that a terminal only looked at; paying counts by itself. Row S22.
    pub async fn note_invalid(&self, id: TerminalId) -> Result<TerminalGuard> {
        self.store.note_invalid(id, self.env.now_ms(), self.guard).await
    }
}
