//! What an operator sees of the database's work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// One look at the counters; all but the queue length and the `last_…` values only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Writes waiting or running now.
    pub queue_length: u64,
    pub commits: u64,
    /// Pieces of work that were committed; over `commits` this is the mean batch.
    pub works: u64,
    pub last_batch_works: u64,
    pub last_commit_us: u64,
    pub commit_us: u64,
    /// Commits that failed or whose outcome is unknown.
    pub failed_commits: u64,
    /// Whole transactions tried again (PostgreSQL).
    pub retries: u64,
    pub checkpoints: u64,
    /// Pages in SQLite's write-ahead log after the last batch.
    pub wal_pages: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    queue_length: AtomicU64,
    commits: AtomicU64,
    works: AtomicU64,
    last_batch_works: AtomicU64,
    last_commit_us: AtomicU64,
    commit_us: AtomicU64,
    failed_commits: AtomicU64,
    retries: AtomicU64,
    checkpoints: AtomicU64,
    wal_pages: AtomicU64,
}

/// How long a commit takes; no decision depends on it.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

#[expect(clippy::disallowed_methods, reason = "measures, decides nothing")]
impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Counts a write as waiting until it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<Counters>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.answered(1);
    }
}

impl Counters {
    pub(crate) fn waiting(self: Arc<Self>) -> Waiting {
        self.enqueued();
        Waiting(self)
    }

    pub(crate) fn enqueued(&self) {
        self.queue_length.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self, works: usize) {
        self.queue_length.fetch_sub(works as u64, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, works: usize, us: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.works.fetch_add(works as u64, Ordering::Relaxed);
        self.last_batch_works.store(works as u64, Ordering::Relaxed);
        self.last_commit_us.store(us, Ordering::Relaxed);
        self.commit_us.fetch_add(us, Ordering::Relaxed);
    }

    pub(crate) fn commit_failed(&self) {
        self.failed_commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) -> u64 {
        self.retries.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn checkpointed(&self) {
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn wal_pages(&self, pages: u64) {
        self.wal_pages.store(pages, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            queue_length: read(&self.queue_length),
            commits: read(&self.commits),
            works: read(&self.works),
            last_batch_works: read(&self.last_batch_works),
            last_commit_us: read(&self.last_commit_us),
            commit_us: read(&self.commit_us),
            failed_commits: read(&self.failed_commits),
            retries: read(&self.retries),
            checkpoints: read(&self.checkpoints),
            wal_pages: read(&self.wal_pages),
        }
    }
}
