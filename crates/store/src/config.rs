//! Where the database is and how hard it may be used.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// One database of either engine.
#[derive(Debug, Clone)]
pub enum DbConfig {
    Sqlite(SqliteConfig),
    Postgres(PostgresConfig),
}

impl DbConfig {
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(SqliteConfig::new(path))
    }

    /// `url`: a `postgres://` address or `key=value` pairs; several hosts are tried in order.
    #[must_use]
    pub fn postgres(url: impl Into<String>) -> Self {
        Self::Postgres(PostgresConfig::new(url))
    }
}

/// How much a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A commit survives loss of power.
    Full,
    /// A commit survives the end of the program only; for tests and trials.
    ProcessOnly,
}

#[derive(Debug, Clone)]
pub struct SqliteConfig {
    pub path: PathBuf,
    pub durability: Durability,
    /// Writes that may wait; one more is refused as busy.
    pub queue_length: usize,
    /// Writes that may share one commit.
    pub batch_max: usize,
    /// The write-ahead log is copied back after it grew by this many pages. More saves copies of pages that change again
    /// soon, and makes whoever pays meanwhile wait longer.
    pub checkpoint_pages: u64,
    /// Connections kept open for short reads, and as many for long ones.
    pub read_connections: usize,
    /// How long another process may hold the file.
    pub busy_timeout: Duration,
    /// Memory for pages, per connection. More is not faster: when a tree was balanced, SQLite walks the whole cache at
    /// the next commit, and a reader forgets its pages at every commit of the writer.
    pub cache_kib: u32,
}

impl SqliteConfig {
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Full,
            queue_length: 4_096,
            batch_max: 256,
            checkpoint_pages: 4_000,
            read_connections: 4,
            busy_timeout: Duration::from_secs(5),
            cache_kib: 16_384,
        }
    }
}

#[derive(Clone)]
pub struct PostgresConfig {
    /// May hold a password, so `Debug` leaves it out.
    pub url: String,
    /// Connections that write, each one transaction at a time.
    pub write_connections: usize,
    pub read_connections: usize,
    /// Writes that may run or wait; one more is refused as busy. Reads have the same bound.
    pub queue_length: usize,
    /// How long a call waits for a connection before it is refused as busy.
    pub checkout_timeout: Duration,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
    /// As `statement_timeout`, for lists and reports.
    pub long_statement_timeout: Duration,
    pub lock_timeout: Duration,
    pub idle_in_transaction_timeout: Duration,
}

impl PostgresConfig {
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            write_connections: 4,
            read_connections: 8,
            queue_length: 4_096,
            checkout_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(2),
            long_statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(1),
            idle_in_transaction_timeout: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresConfig")
            .field("write_connections", &self.write_connections)
            .field("read_connections", &self.read_connections)
            .field("queue_length", &self.queue_length)
            .finish_non_exhaustive()
    }
}
