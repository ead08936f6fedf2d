//! Where a row lives: the shard key of every tenant table.

use std::fmt;

/// Number of buckets there can ever be; a bucket is `0..BUCKETS`.
pub const BUCKETS: u16 = 4096;

/// One of 4096 places a tenant's rows can live in. Everything one payment writes lies in one bucket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// `None` when `number` is not below [`BUCKETS`].
    pub fn new(number: u16) -> Option<Self> {
        (number < BUCKETS).then_some(Self(number))
    }

    /// The bucket that `hash` leads to among the first `shared` buckets. `shared`: `1..=BUCKETS`.
    pub fn of_hash(hash: u64, shared: u16) -> Self {
        assert!(
            (1..=BUCKETS).contains(&shared),
            "shared bucket count is checked when the configuration is read"
        );
        Self((hash % u64::from(shared)) as u16)
    }

    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bucket {}", self.0)
    }
}
