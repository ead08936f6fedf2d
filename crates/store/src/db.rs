//! One open database: reads, writes, statistics.
//!
//! A write is one transaction, durable before it is answered, and goes on when its caller goes away.
//! On SQLite the writes that wait share a commit; on PostgreSQL each has its own and is tried again as
//! a whole after a conflict, so a work must be repeatable: no effects but on its `Tx`.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::config::{DbConfig, PostgresConfig, SqliteConfig};
use crate::error::DbError;
use crate::postgres::{self, PostgresAccess, PostgresPool};
use crate::sql::{Row, Value};
use crate::sqlite::{SqliteAccess, SqliteConnection};
use crate::statement::Statement;
use crate::stats::{Counters, Stats};
use crate::tx::{BoxFuture, Tx};
use crate::writer::{Writer, poll_once};

static VERSION_SQLITE: Statement = Statement::new("VERSION_SQLITE", "select sqlite_version()");
static VERSION_POSTGRES: Statement = Statement::new("VERSION_POSTGRES", "select current_setting('server_version')");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A handle; clones share everything.
#[derive(Debug, Clone)]
pub struct Db {
    inner: Arc<Inner>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
enum Inner {
    Sqlite(SqliteDb),
    Postgres(Box<PostgresDb>),
}

#[derive(Debug)]
struct SqliteDb {
    writer: Writer,
    readers: Readers,
    long_readers: Arc<Readers>,
    long_reads: Arc<Semaphore>,
}

#[derive(Debug)]
struct PostgresDb {
    writers: Arc<PostgresPool>,
    readers: PostgresPool,
    begin_long_read: String,
}

impl Db {
    /// Opens the database and refuses an engine that is too old. Does not touch the schema.
    pub async fn open(config: &DbConfig) -> Result<Self, DbError> {
        let counters = Arc::new(Counters::default());
        let inner = match config {
            DbConfig::Sqlite(config) => Inner::Sqlite(open_sqlite(config, Arc::clone(&counters))?),
            DbConfig::Postgres(config) => Inner::Postgres(Box::new(open_postgres(config).await?)),
        };
        Ok(Self {
            inner: Arc::new(inner),
            counters,
        })
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        match &*self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// What the engine calls its version: `3.51.3`, `15.14`.
    pub async fn version(&self) -> Result<String, DbError> {
        let statement = match self.engine() {
            Engine::Sqlite => &VERSION_SQLITE,
            Engine::Postgres => &VERSION_POSTGRES,
        };
        self.query_one(statement, Vec::new()).await?.take_text(0)
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Runs short reads by key, on the calling thread where the engine is SQLite.
    ///
    /// On PostgreSQL each statement sees what is committed when it starts; where several must agree use
    /// [`Db::read_snapshot`]. SQLite always gives one snapshot.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<DbError>,
    {
        let mut tx = self.begin_read().await?;
        let outcome = work(&mut tx).await;
        self.end_read(tx);
        outcome
    }

    /// As [`Db::read`], with an input that the work borrows.
    pub async fn read_with<I, T, E, F>(&self, input: &I, work: F) -> Result<T, E>
    where
        I: Sync + ?Sized,
        F: for<'t> FnOnce(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<DbError>,
    {
        let mut tx = self.begin_read().await?;
        let outcome = work(&mut tx, input).await;
        self.end_read(tx);
        outcome
    }

    /// As [`Db::read`], with one snapshot for all statements.
    pub async fn read_snapshot<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<DbError>,
    {
        match &*self.inner {
            Inner::Sqlite(db) => read_sqlite(&db.readers, work).await,
            Inner::Postgres(db) => {
                let begin = "begin isolation level repeatable read read only";
                read_postgres(&db.readers, begin.to_owned(), work).await
            }
        }
    }

    /// Lists and reports: one snapshot, off the threads that serve requests, with the long time limit.
    pub async fn read_long<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.inner {
            Inner::Sqlite(db) => {
                let permit = Arc::clone(&db.long_reads).acquire_owned().await;
                let permit = permit.map_err(DbError::unavailable)?;
                let readers = Arc::clone(&db.long_readers);
                let reading = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    poll_once(read_sqlite(&readers, work))
                });
                let outcome = reading.await.ok().flatten();
                outcome.unwrap_or_else(|| Err(E::from(DbError::Broken)))
            }
            Inner::Postgres(db) => read_postgres(&db.readers, db.begin_long_read.clone(), work).await,
        }
    }

    /// One reading statement.
    pub async fn query(&self, statement: &'static Statement, parameters: Vec<Value>) -> Result<Vec<Row>, DbError> {
        self.read_one(async |tx| tx.query(statement, parameters).await).await
    }

    /// One reading statement with at most one row.
    pub async fn query_opt(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value>,
    ) -> Result<Option<Row>, DbError> {
        self.read_one(async |tx| tx.query_opt(statement, parameters).await)
            .await
    }

    /// One reading statement with exactly one row.
    pub async fn query_one(&self, statement: &'static Statement, parameters: Vec<Value>) -> Result<Row, DbError> {
        self.read_one(async |tx| tx.query_one(statement, parameters).await)
            .await
    }

    /// Runs `work` in one transaction: `Ok` is committed before it is answered, `Err` rolled back.
    ///
    /// `Busy` when the queue is full, `Unavailable` when nothing was kept, `UnknownOutcome` when only
    /// reading back can tell. A work must wait for nothing but its `Tx`: on SQLite it is `Broken` else.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        match &*self.inner {
            Inner::Sqlite(db) => db.writer.write(work).await,
            Inner::Postgres(db) => {
                let pool = Arc::clone(&db.writers);
                let counters = Arc::clone(&self.counters);
                let waiting = Arc::clone(&counters).waiting();
                let writing = tokio::spawn(async move {
                    let _waiting = waiting;
                    postgres::write(&pool, &counters, &work).await
                });
                writing.await.unwrap_or_else(|_| Err(E::from(DbError::Broken)))
            }
        }
    }

    /// As [`Db::write`], with an input that the work borrows each time it runs.
    pub async fn write_with<I, T, E, F>(&self, input: I, work: F) -> Result<T, E>
    where
        I: Send + Sync + 'static,
        F: for<'t> Fn(&'t mut Tx, &'t I) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let shared = Arc::new((input, work));
        self.write(move |tx| {
            let shared = Arc::clone(&shared);
            Box::pin(async move { (shared.1)(tx, &shared.0).await })
        })
        .await
    }

    /// Prepares every form of every statement; the texts that the engine refuses, with its reasons.
    pub async fn check_statements(&self, statements: &[&'static Statement]) -> Result<Vec<String>, DbError> {
        let mut problems = Vec::new();
        match &*self.inner {
            Inner::Sqlite(db) => {
                let connection = db.readers.take()?;
                for statement in statements {
                    if let Err(problem) = connection.prepare(statement) {
                        problems.push(format!("{}: {problem}", statement.name()));
                    }
                }
            }
            Inner::Postgres(db) => {
                let mut session = db.writers.session().await?;
                for statement in statements {
                    if let Err(problem) = session.check(statement).await {
                        problems.push(format!("{}: {problem}", statement.name()));
                    }
                }
            }
        }
        Ok(problems)
    }

    /// Waits until all accepted writes are done. SQLite's file is closed then; later writes are refused.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        let closing = tokio::task::spawn_blocking(move || {
            if let Inner::Sqlite(db) = &*inner {
                db.readers.close();
                db.long_readers.close();
                db.writer.stop();
            }
        });
        if closing.await.is_err() {
            tracing::error!("closing the database broke off");
        }
    }

    async fn begin_read(&self) -> Result<Tx, DbError> {
        match &*self.inner {
            Inner::Sqlite(db) => {
                let mut connection = db.readers.take()?;
                connection.control("begin")?;
                Ok(Tx::sqlite(connection))
            }
            Inner::Postgres(db) => Ok(Tx::postgres(db.readers.session().await?)),
        }
    }

    /// PostgreSQL's session goes back by itself.
    fn end_read(&self, tx: Tx) {
        if let Inner::Sqlite(db) = &*self.inner {
            db.readers.put_back(tx);
        }
    }

    /// A single statement is its own snapshot, so it needs no transaction on either engine.
    async fn read_one<T>(&self, work: impl AsyncFnOnce(&mut Tx) -> Result<T, DbError>) -> Result<T, DbError> {
        match &*self.inner {
            Inner::Sqlite(db) => {
                let mut tx = Tx::sqlite(db.readers.take()?);
                let outcome = work(&mut tx).await;
                db.readers.put_back(tx);
                outcome
            }
            Inner::Postgres(db) => work(&mut Tx::postgres(db.readers.session().await?)).await,
        }
    }
}

fn open_sqlite(config: &SqliteConfig, counters: Arc<Counters>) -> Result<SqliteDb, DbError> {
    // The writer first: it makes the file.
    let writer = Writer::start(config, counters)?;
    Ok(SqliteDb {
        writer,
        readers: Readers::new(config),
        long_readers: Arc::new(Readers::new(config)),
        long_reads: Arc::new(Semaphore::new(config.read_connections.max(1))),
    })
}

async fn open_postgres(config: &PostgresConfig) -> Result<PostgresDb, DbError> {
    let writers = PostgresPool::new(config, PostgresAccess::ReadWrite)?;
    postgres::check_version(&writers).await?;
    Ok(PostgresDb {
        writers: Arc::new(writers),
        readers: PostgresPool::new(config, PostgresAccess::ReadOnly)?,
        begin_long_read: format!(
            "begin isolation level repeatable read read only; set local statement_timeout = {}; {}",
            config.long_statement_timeout.as_millis(),
            postgres::FREE_PLANS
        ),
    })
}

/// SQLite's reading connections: opened when one is missing, kept up to a number.
#[derive(Debug)]
struct Readers {
    config: SqliteConfig,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    fn new(config: &SqliteConfig) -> Self {
        Self {
            config: config.clone(),
            idle: Mutex::default(),
        }
    }

    fn take(&self) -> Result<SqliteConnection, DbError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => SqliteConnection::open(&self.config, SqliteAccess::ReadOnly),
        }
    }

    fn put_back(&self, mut tx: Tx) {
        tx.sqlite_mut().clear();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.config.read_connections {
            idle.extend(tx.into_sqlite());
        }
    }

    fn close(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.clear();
    }
}

async fn read_sqlite<T, E, F>(readers: &Readers, work: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<DbError>,
{
    let mut connection = readers.take()?;
    connection.control("begin")?;
    let mut tx = Tx::sqlite(connection);
    let outcome = work(&mut tx).await;
    readers.put_back(tx);
    outcome
}

async fn read_postgres<T, E, F>(pool: &PostgresPool, begin: String, work: F) -> Result<T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    E: From<DbError>,
{
    let mut session = pool.session().await?;
    session.begin_with_next(begin);
    let mut tx = Tx::postgres(session);
    let outcome = work(&mut tx).await;
    tx.postgres_mut().roll_back().await;
    outcome
}
