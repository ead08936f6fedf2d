//! Callers' keys: which request each stood for, so that a repeat is known.

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::RawId;
use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::payments::Idempotency;

use crate::error::DbError;
use crate::tx::{Call, Tx};
use crate::{params, statements};

statements! {
    pub(crate) FIND =
        "select subject_id, fingerprint from idempotency_keys
         where bucket = :bucket and caller = :caller::text and key = :key::text";
    pub(crate) INSERT =
        "insert into idempotency_keys (bucket, caller, key, fingerprint, subject_id, created_at)
         values (:bucket, :caller::text, :key::text, :fingerprint::text, :subject::text, :created_at)";
}

/// What a key was used for before.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The same request. `subject`: stored id of what came of it.
    Same {
        subject: String,
    },
    Other,
}

/// A credential's keys lie in the bucket of its id; those of a caller without an id in `home`.
fn bucket_of(caller: &str, home: Bucket) -> Bucket {
    let letters = caller.split_once('_').and_then(|(_, letters)| RawId::parse(letters));
    letters.map_or(home, RawId::bucket)
}

/// `home`: the bucket of what is changed.
pub(crate) async fn find(tx: &mut Tx, asked: &Idempotency, home: Bucket) -> Result<Option<Earlier>, DbError> {
    let bucket = bucket_of(&asked.caller, home).number();
    let row = tx
        .query_opt(&FIND, params![bucket, asked.caller.as_str(), asked.key.as_str()])
        .await?;
    row.map(|mut row| {
        Ok(match row.text(1)? == asked.fingerprint {
            true => Earlier::Same {
                subject: row.take_text(0)?,
            },
            false => Earlier::Other,
        })
    })
    .transpose()
}

pub(crate) fn write(asked: &Idempotency, home: Bucket, subject: String, at: i64) -> Call {
    let bucket = bucket_of(&asked.caller, home).number();
    let (caller, key) = (asked.caller.as_str(), asked.key.as_str());
    Call::one(
        &INSERT,
        params![bucket, caller, key, asked.fingerprint.as_str(), subject, at],
    )
}

const TRIES: u32 = 5;

/// Runs a whole transaction again when another server was faster with the same key, order number, code or refund
/// number: then it finds the other's rows.
pub(crate) async fn again_when_taken<T, F>(attempt: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T, DbError>>,
{
    const RACES: [&str; 5] = [
        "idempotency_keys_pkey",
        "merchant_orders_pkey",
        "payments_code",
        "refunds_number",
        "ride_payments_pkey",
    ];
    for _ in 1..TRIES {
        match attempt().await {
            Err(DbError::Unique { constraint }) if RACES.contains(&constraint.as_str()) => {
                tracing::debug!(constraint, "another server was faster");
            }
            result => return Ok(result?),
        }
    }
    attempt().await.map_err(PlatformError::from)
}
