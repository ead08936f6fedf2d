//! Databases for tests: each its own, gone with the test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use crate::config::{DbConfig, Durability, SqliteConfig};
use crate::db::Db;
use crate::error::DbError;

/// Names a PostgreSQL server whose user may make databases, for example
/// `host=127.0.0.1 user=postgres dbname=postgres`. Without it tests run on SQLite alone.
pub const POSTGRES_URL: &str = "ONESCAN_TEST_POSTGRES_URL";

static COUNT: AtomicU32 = AtomicU32::new(0);

fn unique_name() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("onescan_test_{}_{count}", std::process::id())
}

/// An empty database of either engine. Dropping it removes the data, not before `db`'s clones are idle.
#[derive(Debug)]
pub struct TestDatabase {
    pub db: Db,
    pub config: DbConfig,
    _removed_at_drop: Remove,
}

#[derive(Debug)]
enum Remove {
    Directory(PathBuf),
    Database { admin_url: String, name: String },
}

impl TestDatabase {
    pub async fn sqlite() -> Result<Self, DbError> {
        Self::sqlite_with(|_| {}).await
    }

    /// `change`: settings other than the tests' usual ones.
    pub async fn sqlite_with(change: impl FnOnce(&mut SqliteConfig)) -> Result<Self, DbError> {
        let directory = std::env::temp_dir().join(unique_name());
        // Left over where a process with the same number was killed.
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).map_err(DbError::unavailable)?;
        let mut config = SqliteConfig::new(directory.join("onescan.db"));
        config.durability = Durability::ProcessOnly;
        change(&mut config);
        let config = DbConfig::Sqlite(config);
        Ok(Self {
            db: Db::open(&config).await?,
            config,
            _removed_at_drop: Remove::Directory(directory),
        })
    }

    pub async fn postgres(admin_url: &str) -> Result<Self, DbError> {
        let name = unique_name();
        let drop = format!("drop database if exists {name} with (force)");
        administer(admin_url, &drop).await?;
        administer(admin_url, &format!("create database {name}")).await?;
        let config = DbConfig::postgres(with_database(admin_url, &name));
        Ok(Self {
            db: Db::open(&config).await?,
            config,
            _removed_at_drop: Remove::Database {
                admin_url: admin_url.to_owned(),
                name,
            },
        })
    }

    /// SQLite, and PostgreSQL where its address is set.
    pub async fn all() -> Result<Vec<Self>, DbError> {
        let mut all = vec![Self::sqlite().await?];
        if let Ok(admin_url) = std::env::var(POSTGRES_URL) {
            all.push(Self::postgres(&admin_url).await?);
        }
        Ok(all)
    }
}

impl Drop for Remove {
    fn drop(&mut self) {
        match self {
            Self::Directory(directory) => {
                let _ = std::fs::remove_dir_all(directory);
            }
            Self::Database { admin_url, name } => {
                let sql = format!("drop database if exists {name} with (force)");
                let admin_url = admin_url.clone();
                // A thread of its own, because the test's runtime may be ending.
                let dropping = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime.map(|runtime| runtime.block_on(administer(&admin_url, &sql)))
                });
                let _ = dropping.join();
            }
        }
    }
}

/// The last `dbname` of an address counts.
fn with_database(url: &str, name: &str) -> String {
    match (url.contains("://"), url.contains('?')) {
        (false, _) => format!("{url} dbname={name}"),
        (true, false) => format!("{url}?dbname={name}"),
        (true, true) => format!("{url}&dbname={name}"),
    }
}

async fn administer(url: &str, sql: &str) -> Result<(), DbError> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(DbError::unavailable)?;
    let serving = tokio::spawn(connection);
    let result = client.batch_execute(sql).await;
    drop(client);
    let _ = serving.await;
    result.map_err(DbError::unavailable)
}
