//! Keys and sessions, each in the bucket its id names. Secrets are here as hashes only.

use async_trait::async_trait;
use onescan_domain::ids::{InstitutionId, KeyId, MerchantId, PersonId, RawId, SessionId, TerminalId};
use onescan_platforms::access::{AccessStore, Key, KeyHolder, Session, SessionHolder};
use onescan_platforms::error::Result;

use crate::decode::{bucket, id, parsed, wrong};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::{Store, params, statements};

macro_rules! key_columns {
    () => {
        "id, kind, holder_id, name, secret_hash, created_at, revoked_at"
    };
}

macro_rules! session_columns {
    () => {
        "id, kind, person_id, key_id, terminal_id, secret_hash, agent, created_at, expires_at"
    };
}

statements! {
    INSERT_KEY = "insert into access_keys (bucket, id, kind, holder_id, name, secret_hash, created_at, revoked_at)
        values (:bucket, :id::text, :kind::text, :holder::text, :name::text, :secret_hash::text, :created_at,
            :revoked_at)";
    FIND_KEY = concat!("select ", key_columns!(), " from access_keys where bucket = :bucket and id = :id::text");
    REVOKE_KEY = "update access_keys set revoked_at = coalesce(revoked_at, :at)
        where bucket = :bucket and id = :id::text";
    LIST_KEYS = concat!(
        "select ", key_columns!(), " from access_keys
            where bucket = :bucket and kind = :kind::text and holder_id = :holder::text order by id"
    );
    LIST_OPERATOR_KEYS_ALL_BUCKETS = concat!(
        "select ", key_columns!(), " from access_keys
            where kind = 'operator' order by id"
    );
    INSERT_SESSION = "insert into sessions
            (bucket, id, kind, person_id, key_id, terminal_id, secret_hash, agent, created_at, expires_at)
        values (:bucket, :id::text, :kind::text, :person::text, :key::text, :terminal::text, :secret_hash::text,
            :agent::text, :created_at, :expires_at)";
    FIND_SESSION = concat!("select ", session_columns!(), " from sessions where bucket = :bucket and id = :id::text");
    DELETE_SESSION = "delete from sessions where bucket = :bucket and id = :id::text";
    LIST_EXPIRED_ALL_BUCKETS = "select bucket, id from sessions where expires_at <= :now
        order by expires_at limit :limit";
    LIST_SESSIONS_OF_PERSON = concat!(
        "select ", session_columns!(), " from sessions
            where bucket = :bucket and person_id = :person::text order by id"
    );
}

/// Expired sessions deleted in one commit.
const EXPIRED_AT_ONCE: u32 = 500;

#[async_trait]
impl AccessStore for Store {
    async fn insert_key(&self, key: &Key) -> Result<()> {
        let row = params![
            key.id.bucket().number(),
            key.id.stored(),
            key.holder.kind(),
            holder_id(key.holder),
            &key.name,
            &key.secret_hash,
            key.created_at,
            key.revoked_at
        ];
        Ok(self.change_one(&INSERT_KEY, row).await?)
    }

    async fn find_key(&self, id: KeyId) -> Result<Option<Key>> {
        let found = self.db.query_opt(&FIND_KEY, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(key).transpose()?)
    }

    async fn revoke_key(&self, id: KeyId, at: i64) -> Result<bool> {
        let row = params![at, id.bucket().number(), id.stored()];
        Ok(self.change(&REVOKE_KEY, row).await? == 1)
    }

    async fn list_keys(&self, holder: KeyHolder) -> Result<Vec<Key>> {
        let bucket = match holder {
            KeyHolder::Terminal(id) => id.bucket(),
            KeyHolder::Institution(id) => id.bucket(),
            KeyHolder::Merchant(id) => id.bucket(),
            KeyHolder::Operator => {
                let rows = self.list_long(&LIST_OPERATOR_KEYS_ALL_BUCKETS, params![]).await?;
                return Ok(rows.into_iter().map(key).collect::<Result<_, _>>()?);
            }
        };
        let keys = params![bucket.number(), holder.kind(), holder_id(holder)];
        let rows = self.db.query(&LIST_KEYS, keys).await?;
        Ok(rows.into_iter().map(key).collect::<Result<_, _>>()?)
    }

    async fn insert_session(&self, session: &Session) -> Result<()> {
        Ok(self.change_one(&INSERT_SESSION, session_values(session)).await?)
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<Session>> {
        let found = self
            .db
            .query_opt(&FIND_SESSION, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(session).transpose()?)
    }

    async fn delete_session(&self, id: SessionId) -> Result<()> {
        let row = params![id.bucket().number(), id.stored()];
        Ok(self.change(&DELETE_SESSION, row).await.map(drop)?)
    }

    async fn delete_expired_sessions(&self, now: i64) -> Result<u64> {
        let mut deleted = 0;
        loop {
            let page = params![now, EXPIRED_AT_ONCE];
            let rows = self.list_long(&LIST_EXPIRED_ALL_BUCKETS, page).await?;
            let keys = rows.iter().map(session_key).collect::<Result<Vec<_>, _>>()?;
            let last = keys.len() < EXPIRED_AT_ONCE as usize;
            let deleting = self.db.write_with(keys, |tx, keys| {
                Box::pin(async move { tx.execute_each(&DELETE_SESSION, keys.clone()).await })
            });
            deleted += deleting.await?;
            if last {
                return Ok(deleted);
            }
        }
    }

    async fn list_sessions_of_person(&self, person: PersonId) -> Result<Vec<Session>> {
        let key = params![person.bucket().number(), person.stored()];
        let rows = self.db.query(&LIST_SESSIONS_OF_PERSON, key).await?;
        Ok(rows.into_iter().map(session).collect::<Result<_, _>>()?)
    }
}

/// Empty for operators.
fn holder_id(holder: KeyHolder) -> String {
    match holder {
        KeyHolder::Terminal(id) => id.stored(),
        KeyHolder::Institution(id) => id.stored(),
        KeyHolder::Merchant(id) => id.stored(),
        KeyHolder::Operator => String::new(),
    }
}

fn holder(kind: &str, id: &str) -> Option<KeyHolder> {
    match kind {
        "terminal" => RawId::parse(id).map(TerminalId::new).map(KeyHolder::Terminal),
        "institution" => RawId::parse(id).map(InstitutionId::new).map(KeyHolder::Institution),
        "merchant" => RawId::parse(id).map(MerchantId::new).map(KeyHolder::Merchant),
        "operator" => id.is_empty().then_some(KeyHolder::Operator),
        _ => None,
    }
}

fn key(mut row: Row) -> Result<Key, DbError> {
    let id = id(&row, 0, KeyId::new)?;
    let holder_id = row.take_text(2)?;
    Ok(Key {
        id,
        holder: parsed(&row, 1, "key kind and holder", |kind| holder(kind, &holder_id))?,
        name: row.take_text(3)?,
        secret_hash: row.take_text(4)?,
        created_at: row.int(5)?,
        revoked_at: row.opt_int(6)?,
    })
}

fn session_values(session: &Session) -> Vec<Value> {
    let (kind, person, key, terminal) = match session.holder {
        SessionHolder::Person(person) => ("person", Some(person), None, None),
        SessionHolder::Terminal { key, terminal } => ("terminal", None, Some(key), Some(terminal)),
        SessionHolder::Operator { key } => ("operator", None, Some(key), None),
        SessionHolder::Merchant { key } => ("merchant", None, Some(key), None),
    };
    params![
        session.id.bucket().number(),
        session.id.stored(),
        kind,
        person.map(PersonId::stored),
        key.map(KeyId::stored),
        terminal.map(TerminalId::stored),
        &session.secret_hash,
        &session.agent,
        session.created_at,
        session.expires_at
    ]
}

fn session(mut row: Row) -> Result<Session, DbError> {
    let holder = match row.text(1)? {
        "person" => SessionHolder::Person(id(&row, 2, PersonId::new)?),
        "terminal" => SessionHolder::Terminal {
            key: id(&row, 3, KeyId::new)?,
            terminal: id(&row, 4, TerminalId::new)?,
        },
        "operator" => SessionHolder::Operator {
            key: id(&row, 3, KeyId::new)?,
        },
        "merchant" => SessionHolder::Merchant {
            key: id(&row, 3, KeyId::new)?,
        },
        _ => return Err(wrong(1, "session kind")),
    };
    Ok(Session {
        id: id(&row, 0, SessionId::new)?,
        holder,
        secret_hash: row.take_text(5)?,
        agent: row.take_text(6)?,
        created_at: row.int(7)?,
        expires_at: row.int(8)?,
    })
}

fn session_key(row: &Row) -> Result<Vec<Value>, DbError> {
    Ok(params![bucket(row, 0)?.number(), row.text(1)?])
}
