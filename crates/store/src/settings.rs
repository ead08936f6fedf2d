//! What is fixed when a database is made, and the number of its kept rows.

use onescan_domain::bucket::BUCKETS;
use onescan_platforms::error::Result;

use crate::decode::{parsed, wrong};
use crate::error::DbError;
use crate::tx::Tx;
use crate::{Store, params, statements};

statements! {
    KEEP_FIRST = "insert into settings (name, value) values (:name::text, :value::text) on conflict (name) do nothing";
    pub(crate) NUMBER = "select cast(value as bigint) from settings where name = :name::text";
    pub(crate) RAISE =
        "insert into settings (name, value) values (:name::text, '1') on conflict (name) do update set
         value = cast(cast(settings.value as bigint) + 1 as text)";
    FIND = "select value from settings where name = :name::text";
}

/// The number that every transaction raises which changes a kept row, see [`crate::recall`].
pub(crate) const KEPT_ROWS: &str = "kept_rows";
const SHARED_BUCKETS: &str = "shared_buckets";

impl Store {
    /// How many buckets people and small institutions share. `default`: kept for ever when the database has no number
    /// yet, otherwise the kept one counts. `1..=4096`.
    pub async fn shared_buckets(&self, default: u16) -> Result<u16> {
        assert!(
            (1..=BUCKETS).contains(&default),
            "the configuration is checked when it is read"
        );
        let keeping = self
            .db
            .write_with(default, |tx, default| Box::pin(keep_shared_buckets(tx, *default)));
        Ok(keeping.await?)
    }
}

async fn keep_shared_buckets(tx: &mut Tx, default: u16) -> Result<u16, DbError> {
    tx.execute(&KEEP_FIRST, params![SHARED_BUCKETS, default.to_string()])
        .await?;
    let row = tx.query_one(&FIND, params![SHARED_BUCKETS]).await?;
    let kept = parsed(&row, 0, "number", |text| text.parse().ok())?;
    if (1..=BUCKETS).contains(&kept) {
        Ok(kept)
    } else {
        Err(wrong(0, "a number of buckets"))
    }
}
