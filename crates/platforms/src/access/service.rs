//! Signing in, sessions and keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{KeyId, PersonId, RawId, SessionId, TerminalId};
use onescan_domain::merchants::{Merchant, Store, Terminal};
use subtle::ConstantTimeEq;

use super::{AccessStore, Actor, Key, KeyHolder, Passwords, PersonActor, Session, SessionHolder, TerminalActor};
use crate::env::{Env, fingerprint, hex};
use crate::error::Result;
use crate::merchants::MerchantStore;
use crate::payments::TerminalFacts;
use crate::people::{PeopleStore, normal_login};

/// A new key with its secret, shown once: `key_…` and 64 hexadecimal digits, joined by a point.
#[derive(Clone)]
pub struct KeySecret {
    pub key: Key,
    pub text: String,
}

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySecret")
            .field("key", &self.key.id)
            .finish_non_exhaustive()
    }
}

/// What a browser keeps: `ses_…` and 64 hexadecimal digits, joined by a point.
#[derive(Clone)]
pub struct SessionToken {
    pub session: Session,
    pub text: String,
}

impl std::fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionToken")
            .field("session", &self.session.id)
            .finish_non_exhaustive()
    }
}

/// Why nobody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessRefusal {
    #[error("the sign-in name or the password is wrong")]
    Wrong,
    #[error("too many wrong passwords; try again later")]
    TooMany { until: i64 },
    #[error("the credential is unknown, expired or revoked")]
    Credential,
}

/// Whether a terminal's facts may be a few seconds old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Everything is read again.
    Checked,
    /// For paying only: the batch itself checks the key again, in the transaction that moves the money.
    BatchChecks,
}

const SESSION_MS: i64 = 12 * 3_600_000;
/// How old remembered terminal facts may be.
const REMEMBERED_MS: i64 = 5_000;
const REMEMBERED_MAX: usize = 10_000;
const WRONG_MAX: u32 = 5;
const WRONG_LOCK_MS: i64 = 5 * 60_000;

#[derive(Clone)]
pub struct AccessControl {
    env: Env,
    store: Arc<dyn AccessStore>,
    people: Arc<dyn PeopleStore>,
    merchants: Arc<dyn MerchantStore>,
    passwords: Passwords,
    /// Wrong passwords per sign-in name: how many, since when.
    wrong: Arc<Mutex<HashMap<String, (u32, i64)>>>,
    remembered: Arc<Mutex<HashMap<KeyId, Remembered>>>,
}

#[derive(Clone)]
struct Remembered {
    secret_hash: String,
    actor: TerminalActor,
    read_at: i64,
}

impl std::fmt::Debug for AccessControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessControl").finish_non_exhaustive()
    }
}

impl AccessControl {
    pub fn new(
        env: Env,
        store: Arc<dyn AccessStore>,
        people: Arc<dyn PeopleStore>,
        merchants: Arc<dyn MerchantStore>,
        passwords: Passwords,
    ) -> Self {
        Self {
            env,
            store,
            people,
            merchants,
            passwords,
            wrong: Arc::default(),
            remembered: Arc::default(),
        }
    }

    /// Checks sign-in name and password and opens a session of twelve hours. After five wrong passwords the name waits for
    /// five minutes.
    pub async fn sign_in(
        &self,
        login: &str,
        password: &str,
        agent: &str,
    ) -> Result<Result<SessionToken, AccessRefusal>> {
        let login = normal_login(login).unwrap_or_default();
        if let Some(until) = self.waits_until(&login) {
            return Ok(Err(AccessRefusal::TooMany { until }));
        }
        let found = match login.is_empty() {
            true => None,
            false => self.people.find_by_login(self.env.bucket_of(&login), &login).await?,
        };
        let (person, hash) = found.unzip();
        let right = self.passwords.verify(password, hash).await?;
        let Some(person) = person.filter(|_| right) else {
            self.note_wrong(&login);
            return Ok(Err(AccessRefusal::Wrong));
        };
        self.lock_wrong().remove(&login);
        self.open_session(SessionHolder::Person(person), person.bucket(), agent)
            .await
            .map(Ok)
    }

    /// Opens a browser session for whoever shows a terminal's key, or a merchant's for its back office.
    pub async fn sign_in_by_key(&self, key: &str, agent: &str) -> Result<Result<SessionToken, AccessRefusal>> {
        let (holder, bucket) = match self.authenticate(key, Freshness::Checked).await? {
            Ok(Actor::Terminal(actor)) => {
                let (key, terminal) = (actor.facts.key, actor.terminal.id);
                (SessionHolder::Terminal { key, terminal }, terminal.bucket())
            }
            Ok(Actor::Merchant { key, merchant }) => (SessionHolder::Merchant { key }, merchant.bucket()),
            Ok(Actor::Person(_) | Actor::Institution { .. } | Actor::Operator { .. }) => {
                return Ok(Err(AccessRefusal::Credential));
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        self.open_session(holder, bucket, agent).await.map(Ok)
    }

    /// Opens a browser session for whoever runs the server and shows an operator's key.
    pub async fn sign_in_operator(&self, key: &str, agent: &str) -> Result<Result<SessionToken, AccessRefusal>> {
        let Some((id, secret)) = key.split_once('.') else {
            return Ok(Err(AccessRefusal::Credential));
        };
        let Ok(id) = id.parse::<KeyId>() else {
            return Ok(Err(AccessRefusal::Credential));
        };
        match self.by_key(id, secret, Freshness::Checked).await? {
            Ok(Actor::Operator { .. }) => {
                let holder = SessionHolder::Operator { key: id };
                self.open_session(holder, id.bucket(), agent).await.map(Ok)
            }
            Ok(Actor::Person(_) | Actor::Terminal(_) | Actor::Institution { .. } | Actor::Merchant { .. }) => {
                Ok(Err(AccessRefusal::Credential))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn open_session(&self, holder: SessionHolder, bucket: Bucket, agent: &str) -> Result<SessionToken> {
        let secret = hex(&self.env.bytes::<32>());
        let now = self.env.now_ms();
        let session = Session {
            id: SessionId::new(self.env.id(bucket)),
            holder,
            secret_hash: secret_hash(&secret),
            agent: agent.chars().filter(|letter| !letter.is_control()).take(200).collect(),
            created_at: now,
            expires_at: now + SESSION_MS,
        };
        self.store.insert_session(&session).await?;
        let text = format!("{}.{secret}", session.id);
        Ok(SessionToken { session, text })
    }

    /// Whom a session token or a key stands for now.
    pub async fn authenticate(&self, token: &str, freshness: Freshness) -> Result<Result<Actor, AccessRefusal>> {
        let refused = Ok(Err(AccessRefusal::Credential));
        let Some((id, secret)) = token.split_once('.') else {
            return refused;
        };
        if let Ok(id) = id.parse::<KeyId>() {
            return self.by_key(id, secret, freshness).await;
        }
        let Ok(id) = id.parse::<SessionId>() else {
            return refused;
        };
        let session = self.store.find_session(id).await?;
        let session = session.filter(|session| same(&session.secret_hash, &secret_hash(secret)));
        match session
            .filter(|session| self.env.now_ms() < session.expires_at)
            .map(|session| session.holder)
        {
            Some(SessionHolder::Person(person)) => Ok(Ok(Actor::Person(PersonActor { person, session: id }))),
            Some(SessionHolder::Terminal { key, terminal }) => match self.store.find_key(key).await? {
                Some(row) if row.revoked_at.is_none() => self.terminal(key, terminal).await,
                Some(_) | None => refused,
            },
            Some(SessionHolder::Operator { key }) => match self.store.find_key(key).await? {
                Some(row) if row.revoked_at.is_none() => Ok(Ok(Actor::Operator { key: Some(key) })),
                Some(_) | None => refused,
            },
            Some(SessionHolder::Merchant { key }) => {
                let row = self.store.find_key(key).await?.filter(|row| row.revoked_at.is_none());
                match row.map(|row| row.holder) {
                    Some(KeyHolder::Merchant(merchant)) => Ok(Ok(Actor::Merchant { key, merchant })),
                    Some(KeyHolder::Terminal(_) | KeyHolder::Institution(_) | KeyHolder::Operator) | None => refused,
                }
            }
            None => refused,
        }
    }

    async fn by_key(&self, id: KeyId, secret: &str, freshness: Freshness) -> Result<Result<Actor, AccessRefusal>> {
        let hash = secret_hash(secret);
        if freshness == Freshness::BatchChecks
            && let Some(actor) = self.recall(id, &hash)
        {
            return Ok(Ok(Actor::Terminal(actor)));
        }
        let key = self
            .store
            .find_key(id)
            .await?
            .filter(|key| key.revoked_at.is_none() && same(&key.secret_hash, &hash));
        let Some(key) = key else {
            return Ok(Err(AccessRefusal::Credential));
        };
        match key.holder {
            KeyHolder::Operator => Ok(Ok(Actor::Operator { key: Some(id) })),
            KeyHolder::Institution(institution) => Ok(Ok(Actor::Institution { key: id, institution })),
            KeyHolder::Merchant(merchant) => Ok(Ok(Actor::Merchant { key: id, merchant })),
            KeyHolder::Terminal(terminal) => {
                let actor = self.terminal(id, terminal).await?;
                if let Ok(Actor::Terminal(actor)) = &actor {
                    self.remember(id, hash, actor.clone());
                }
                Ok(actor)
            }
        }
    }

    async fn terminal(&self, key: KeyId, terminal: TerminalId) -> Result<Result<Actor, AccessRefusal>> {
        let loaded = self.merchants.load_terminal(terminal).await?;
        let actor =
            loaded.map(|(terminal, merchant, store)| Actor::Terminal(terminal_actor(key, terminal, merchant, store)));
        Ok(actor.ok_or(AccessRefusal::Credential))
    }

    /// Makes a key. `bucket` follows from its holder.
    pub async fn issue_key(&self, holder: KeyHolder, name: &str) -> Result<KeySecret> {
        let bucket = match holder {
            KeyHolder::Terminal(id) => id.bucket(),
            KeyHolder::Institution(id) => id.bucket(),
            KeyHolder::Merchant(id) => id.bucket(),
            KeyHolder::Operator => Bucket::of_hash(0, 1),
        };
        let secret = hex(&self.env.bytes::<32>());
        let key = Key {
            id: KeyId::new(self.env.id(bucket)),
            holder,
            name: name.to_owned(),
            secret_hash: secret_hash(&secret),
            created_at: self.env.now_ms(),
            revoked_at: None,
        };
        self.store.insert_key(&key).await?;
        let text = format!("{}.{secret}", key.id);
        Ok(KeySecret { key, text })
    }

    /// Works at once: every request checks, payments in their own transaction. Returns whether there was such a key.
    pub async fn revoke_key(&self, id: KeyId) -> Result<bool> {
        self.lock_remembered().remove(&id);
        self.store.revoke_key(id, self.env.now_ms()).await
    }

    pub async fn find_key(&self, id: KeyId) -> Result<Option<Key>> {
        self.store.find_key(id).await
    }

    pub async fn keys(&self, holder: KeyHolder) -> Result<Vec<Key>> {
        self.store.list_keys(holder).await
    }

    pub async fn sign_out(&self, session: SessionId) -> Result<()> {
        self.store.delete_session(session).await
    }

    pub async fn sessions(&self, person: PersonId) -> Result<Vec<Session>> {
        self.store.list_sessions_of_person(person).await
    }

    /// Removes sessions whose time is over; returns how many.
    pub async fn clean_sessions(&self) -> Result<u64> {
        self.store.delete_expired_sessions(self.env.now_ms()).await
    }

    fn recall(&self, id: KeyId, hash: &str) -> Option<TerminalActor> {
        let remembered = self.lock_remembered();
        let known = remembered.get(&id)?;
        let young = self.env.now_ms() - known.read_at < REMEMBERED_MS;
        (young && same(&known.secret_hash, hash)).then(|| known.actor.clone())
    }

    fn remember(&self, id: KeyId, secret_hash: String, actor: TerminalActor) {
        let mut remembered = self.lock_remembered();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(
            id,
            Remembered {
                secret_hash,
                actor,
                read_at: self.env.now_ms(),
            },
        );
    }

    fn lock_remembered(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_wrong(&self) -> std::sync::MutexGuard<'_, HashMap<String, (u32, i64)>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits_until(&self, login: &str) -> Option<i64> {
        let wrong = self.lock_wrong();
        let (count, since) = wrong.get(login)?;
        let until = since + WRONG_LOCK_MS;
        (*count >= WRONG_MAX && self.env.now_ms() < until).then_some(until)
    }

    fn note_wrong(&self, login: &str) {
        let now = self.env.now_ms();
        let mut wrong = self.lock_wrong();
        wrong.retain(|_, (_, since)| now < *since + WRONG_LOCK_MS);
        let entry = wrong.entry(login.to_owned()).or_insert((0, now));
        *entry = (entry.0 + 1, now);
    }
}

fn terminal_actor(key: KeyId, terminal: Terminal, merchant: Merchant, store: Store) -> TerminalActor {
    TerminalActor {
        facts: TerminalFacts {
            key,
            terminal: terminal.id,
            merchant: merchant.id,
            store: store.id,
            category: store.category.unwrap_or(merchant.category),
            city: store.city,
        },
        trust: terminal.trust,
        terminal,
        merchant_name: merchant.name,
        currency: merchant.currency,
    }
}

/// Keys and sessions are 256 random bits: one SHA-256 is enough to store them.
fn secret_hash(secret: &str) -> String {
    fingerprint(&[secret.as_bytes()])
}

fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// The id part of a token, for logs; never the secret.
pub fn token_id(token: &str) -> Option<&str> {
    let (id, _) = token.split_once('.')?;
    let letters = id.split_once('_').map_or(id, |(_, letters)| letters);
    RawId::parse(letters).map(|_| id)
}
