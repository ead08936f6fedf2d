//! Statements inside one transaction or one read.

use std::pin::Pin;

use crate::error::DbError;
use crate::postgres::PostgresSession;
use crate::sql::{Row, Value};
use crate::sqlite::SqliteConnection;
use crate::statement::Statement;

pub type BoxFuture<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// A transaction, or a read. On SQLite every method is done at its first poll.
///
/// After the first failed statement every other one answers `Aborted`, and what was written is rolled
/// back even if the work ends well: PostgreSQL can keep nothing then, so neither does SQLite. Use
/// `on conflict` where a refusal is expected.
#[derive(Debug)]
pub struct Tx {
    engine: Engine,
    failure: Option<DbError>,
    changed_kept: bool,
}

#[derive(Debug)]
enum Engine {
    Sqlite(SqliteConnection),
    Postgres(PostgresSession),
}

/// One statement among several that travel together, with its parameter sets.
#[derive(Debug)]
pub struct Call {
    pub(crate) statement: &'static Statement,
    pub(crate) sets: Vec<Vec<Value>>,
}

impl Call {
    #[must_use]
    pub fn one(statement: &'static Statement, parameters: Vec<Value>) -> Self {
        Self::each(statement, vec![parameters])
    }

    #[must_use]
    pub fn each(statement: &'static Statement, sets: Vec<Vec<Value>>) -> Self {
        Self { statement, sets }
    }
}

impl Tx {
    pub async fn query(&mut self, statement: &'static Statement, parameters: Vec<Value>) -> Result<Vec<Row>, DbError> {
        self.refuse_after_failure()?;
        statement.check(&parameters)?;
        self.note(statement);
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => connection.query(statement, &parameters),
            Engine::Postgres(session) => session.query(statement, &parameters).await,
        };
        self.remember(result)
    }

    /// At most one row; more are an error.
    pub async fn query_opt(
        &mut self,
        statement: &'static Statement,
        parameters: Vec<Value>,
    ) -> Result<Option<Row>, DbError> {
        let mut rows = self.query(statement, parameters).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            count => Err(row_count(statement, 1, count as u64)),
        }
    }

    /// Exactly one row.
    pub async fn query_one(&mut self, statement: &'static Statement, parameters: Vec<Value>) -> Result<Row, DbError> {
        let row = self.query_opt(statement, parameters).await?;
        row.ok_or_else(|| row_count(statement, 1, 0))
    }

    /// The number of rows that were touched.
    pub async fn execute(&mut self, statement: &'static Statement, parameters: Vec<Value>) -> Result<u64, DbError> {
        self.refuse_after_failure()?;
        statement.check(&parameters)?;
        self.note(statement);
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => connection.execute(statement, &parameters),
            Engine::Postgres(session) => session.execute(statement, &parameters).await,
        };
        self.remember(result)
    }

    /// As `execute`, for a statement that must touch exactly one row.
    pub async fn execute_one(&mut self, statement: &'static Statement, parameters: Vec<Value>) -> Result<(), DbError> {
        let touched = self.execute(statement, parameters).await?;
        expect_rows(statement, 1, touched)
    }

    /// The rows of each parameter set, in the order of the sets. One round trip, none without sets.
    ///
    /// Sorted sets lock rows in that order. What has no set form (see [`Forms`](crate::statement::Forms))
    /// is sent as many statements, still in one round trip.
    pub async fn query_each(
        &mut self,
        statement: &'static Statement,
        sets: Vec<Vec<Value>>,
    ) -> Result<Vec<Vec<Row>>, DbError> {
        self.refuse_after_failure()?;
        statement.check_each(&sets)?;
        self.note(statement);
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => connection.query_each(statement, &sets),
            Engine::Postgres(session) => session.query_each(statement, &sets).await,
        };
        self.remember(result)
    }

    /// The number of rows that all parameter sets touched together. One round trip, none without sets.
    pub async fn execute_each(&mut self, statement: &'static Statement, sets: Vec<Vec<Value>>) -> Result<u64, DbError> {
        self.refuse_after_failure()?;
        statement.check_each(&sets)?;
        self.note(statement);
        if sets.is_empty() {
            return Ok(0);
        }
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => connection.execute_each(statement, &sets),
            Engine::Postgres(session) => session.execute_each(statement, &sets).await,
        };
        self.remember(result)
    }

    /// As `execute_each`, where every set must touch one row.
    pub async fn execute_each_one(
        &mut self,
        statement: &'static Statement,
        sets: Vec<Vec<Value>>,
    ) -> Result<(), DbError> {
        let expected = sets.len() as u64;
        let touched = self.execute_each(statement, sets).await?;
        expect_rows(statement, expected, touched)
    }

    /// As `query_each` for several statements, in one round trip together: rows by statement, then by set.
    ///
    /// The statements run in order, but none can use what another found.
    pub async fn query_all(&mut self, calls: Vec<Call>) -> Result<Vec<Vec<Vec<Row>>>, DbError> {
        self.refuse_after_failure()?;
        for call in &calls {
            call.statement.check_each(&call.sets)?;
            self.note(call.statement);
        }
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => calls
                .iter()
                .map(|call| connection.query_each(call.statement, &call.sets))
                .collect(),
            Engine::Postgres(session) => session.query_all(&calls).await,
        };
        self.remember(result)
    }

    /// Runs several statements in order, in one round trip together; the rows each of them touched.
    pub async fn execute_all(&mut self, calls: Vec<Call>) -> Result<Vec<u64>, DbError> {
        self.refuse_after_failure()?;
        for call in &calls {
            call.statement.check_each(&call.sets)?;
            self.note(call.statement);
        }
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => calls
                .iter()
                .map(|call| connection.execute_each(call.statement, &call.sets))
                .collect(),
            Engine::Postgres(session) => session.execute_all(&calls).await,
        };
        self.remember(result)
    }

    /// Several statements without parameters in the engine's own words; for migrations.
    pub(crate) async fn script(&mut self, name: &'static str, sql: &str) -> Result<(), DbError> {
        self.refuse_after_failure()?;
        let result = match &mut self.engine {
            Engine::Sqlite(connection) => connection.script(name, sql),
            Engine::Postgres(session) => session.script(name, sql).await,
        };
        self.remember(result)
    }

    pub(crate) fn sqlite(connection: SqliteConnection) -> Self {
        Self {
            engine: Engine::Sqlite(connection),
            failure: None,
            changed_kept: false,
        }
    }

    pub(crate) fn postgres(session: PostgresSession) -> Self {
        Self {
            engine: Engine::Postgres(session),
            failure: None,
            changed_kept: false,
        }
    }

    pub(crate) fn sqlite_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.engine {
            Engine::Sqlite(connection) => connection,
            Engine::Postgres(_) => unreachable!("only SQLite's own code asks for its connection"),
        }
    }

    pub(crate) fn into_sqlite(self) -> Option<SqliteConnection> {
        match self.engine {
            Engine::Sqlite(connection) => Some(connection),
            Engine::Postgres(_) => None,
        }
    }

    pub(crate) fn postgres_mut(&mut self) -> &mut PostgresSession {
        match &mut self.engine {
            Engine::Postgres(session) => session,
            Engine::Sqlite(_) => unreachable!("only PostgreSQL's own code asks for its session"),
        }
    }

    fn note(&mut self, statement: &Statement) {
        self.changed_kept |= statement.forms().changes_kept;
    }

    /// To be asked before a commit: whether kept rows became old since the last time.
    pub(crate) fn take_changed_kept(&mut self) -> bool {
        std::mem::take(&mut self.changed_kept)
    }

    pub(crate) fn take_failure(&mut self) -> Option<DbError> {
        self.failure.take()
    }

    fn refuse_after_failure(&self) -> Result<(), DbError> {
        match self.failure {
            Some(_) => Err(DbError::Aborted),
            None => Ok(()),
        }
    }

    fn remember<T>(&mut self, result: Result<T, DbError>) -> Result<T, DbError> {
        if let Err(error) = &result {
            self.failure = Some(error.clone());
        }
        result
    }
}

fn expect_rows(statement: &Statement, expected: u64, touched: u64) -> Result<(), DbError> {
    if touched == expected {
        return Ok(());
    }
    Err(row_count(statement, expected, touched))
}

fn row_count(statement: &Statement, expected: u64, touched: u64) -> DbError {
    DbError::RowCount {
        statement: statement.name(),
        expected,
        touched,
    }
}
