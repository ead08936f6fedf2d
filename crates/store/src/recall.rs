//! Rows that change rarely, kept in memory for as long as nothing of their kind changed.
//!
//! **Invariant:** whatever changes a row of [`KEPT_TABLES`] raises one number in the same transaction: [`Tx`] does that for
//! every statement, on every server and in every command. Who reads kept rows reads that number first, so that a change
//! counts from its commit on, wherever it was made. Rows are never changed past this program while it runs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::DbError;
use crate::sql::Row;
use crate::tx::{Call, Tx};
use crate::{params, settings};

/// The tables whose rows are kept.
const KEPT_TABLES: [&str; 5] = ["code_records", "members", "profiles", "record_members", "scenarios"];
/// Values of one kind; beyond that the memory is emptied and filled anew.
const KEPT_MAX: usize = 16_384;

/// Whether a change of this table makes kept rows old.
pub(crate) fn is_kept(table: &str) -> bool {
    KEPT_TABLES.contains(&table)
}

/// To be done before a transaction commits that changed a kept table.
pub(crate) async fn raise(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute_one(&settings::RAISE, params![settings::KEPT_ROWS]).await
}

/// The version, as a call that travels with others and comes before them; [`version`] reads what it finds.
pub(crate) fn version_call() -> Call {
    Call::one(&settings::NUMBER, params![settings::KEPT_ROWS])
}

/// `found`: the rows of [`version_call`]; 0 while nothing of the kind was ever written.
pub(crate) fn version(found: &[Vec<Row>]) -> Result<i64, DbError> {
    let row = found.first().and_then(|rows| rows.first());
    row.map_or(Ok(0), |row| row.int(0))
}

/// Values by key, all of one version.
#[derive(Debug)]
pub(crate) struct Memory<K, V>(Mutex<Kept<K, V>>);

#[derive(Debug)]
struct Kept<K, V> {
    version: i64,
    values: HashMap<K, Arc<V>>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            version: 0,
            values: HashMap::new(),
        }))
    }
}

impl<K: Hash + Eq, V> Memory<K, V> {
    /// `version`: read in the same transaction as what the value is used with.
    pub(crate) fn find(&self, version: i64, key: &K) -> Option<Arc<V>> {
        let kept = self.lock();
        let value = kept.values.get(key).filter(|_| kept.version == version);
        value.cloned()
    }

    /// `value`: read after `version`.
    pub(crate) fn keep(&self, version: i64, key: K, value: &Arc<V>) {
        let mut kept = self.lock();
        if version < kept.version {
            return;
        }
        if version > kept.version || kept.values.len() >= KEPT_MAX {
            kept.values.clear();
            kept.version = version;
        }
        kept.values.insert(key, Arc::clone(value));
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_in_its_own_version_only() {
        let memory = Memory::default();
        let (old, new) = (Arc::new("old"), Arc::new("new"));
        memory.keep(3, "a", &old);
        assert_eq!((memory.find(3, &"a"), memory.find(4, &"a")), (Some(old.clone()), None));
        memory.keep(4, "b", &new);
        assert_eq!((memory.find(4, &"a"), memory.find(4, &"b")), (None, Some(new.clone())));
        // A slow reader of an older version brings nothing back.
        memory.keep(3, "b", &old);
        assert_eq!((memory.find(3, &"b"), memory.find(4, &"b")), (None, Some(new)));
    }
}
