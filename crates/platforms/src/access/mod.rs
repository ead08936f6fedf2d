//! Who is asking: passwords, sessions, keys, and the [`Actor`] that only authentication can make.

mod password;
mod service;

use async_trait::async_trait;
use onescan_domain::ids::{InstitutionId, KeyId, MerchantId, PersonId, SessionId, TerminalId};
use onescan_domain::merchants::{Terminal, TerminalTrust};

pub use password::{PasswordRefusal, Passwords};
pub use service::{AccessControl, AccessRefusal, Freshness, KeySecret, SessionToken, token_id};

use crate::error::Result;
use crate::payments::TerminalFacts;

/// Whom a credential stands for. The tenant comes from here, never from a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    Person(PersonActor),
    Terminal(TerminalActor),
    /// A program of an institution; may do what an administrator may.
    Institution {
        key: KeyId,
        institution: InstitutionId,
    },
    /// A merchant's back office.
    Merchant {
        key: KeyId,
        merchant: MerchantId,
    },
    /// Who runs the server.
    Operator {
        key: Option<KeyId>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonActor {
    pub person: PersonId,
    pub session: SessionId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalActor {
    pub facts: TerminalFacts,
    pub terminal: Terminal,
    pub trust: TerminalTrust,
    pub merchant_name: String,
    pub currency: onescan_domain::money::Currency,
}

/// What a key is for; one key, one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHolder {
    Terminal(TerminalId),
    Institution(InstitutionId),
    Merchant(MerchantId),
    Operator,
}

impl KeyHolder {
    pub fn kind(self) -> &'static str {
        match self {
            Self::Terminal(_) => "terminal",
            Self::Institution(_) => "institution",
            Self::Merchant(_) => "merchant",
            Self::Operator => "operator",
        }
    }
}

/// A key's row. The secret is not in it, only its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub holder: KeyHolder,
    pub name: String,
    pub secret_hash: String,
    pub created_at: i64,
    pub revoked_at: Option<i64>,
}

/// Who a session belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionHolder {
    Person(PersonId),
    /// A till in a browser: signed in with a terminal's key and dead with it.
    Terminal {
        key: KeyId,
        terminal: TerminalId,
    },
    /// Whoever runs the server, in a browser: signed in with an operator's key and out with it.
    Operator {
        key: KeyId,
    },
    /// A merchant's back office in a browser: signed in with a key of the merchant and dead with it. The key names the
    /// merchant.
    Merchant {
        key: KeyId,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub holder: SessionHolder,
    pub secret_hash: String,
    /// What the browser calls itself, cut to 200 characters.
    pub agent: String,
    pub created_at: i64,
    pub expires_at: i64,
}

#[async_trait]
pub trait AccessStore: Send + Sync {
    /// The key's id lies in its holder's bucket, an operator's in any.
    async fn insert_key(&self, key: &Key) -> Result<()>;
    async fn find_key(&self, id: KeyId) -> Result<Option<Key>>;
    /// Sets the time where it is not set; returns whether there is such a key.
    async fn revoke_key(&self, id: KeyId, at: i64) -> Result<bool>;
    /// Revoked ones too, the oldest first.
    async fn list_keys(&self, holder: KeyHolder) -> Result<Vec<Key>>;
    /// The session's id lies in the bucket of its person, terminal, merchant or operator's key.
    async fn insert_session(&self, session: &Session) -> Result<()>;
    async fn find_session(&self, id: SessionId) -> Result<Option<Session>>;
    async fn delete_session(&self, id: SessionId) -> Result<()>;
    /// Deletes those of all buckets that ended by `now`, some hundreds in a commit; returns how many.
    async fn delete_expired_sessions(&self, now: i64) -> Result<u64>;
    async fn list_sessions_of_person(&self, person: PersonId) -> Result<Vec<Session>>;
}
