//! One SQLite connection: settings, statements, and errors in the seam's words.
//!
//! The bundled library must be 3.51.3 or newer: older ones can corrupt a write-ahead log.

use std::collections::HashMap;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::config::{Durability, SqliteConfig};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::statement::Statement;

const OLDEST_VERSION: i32 = 3_051_003;
/// Above the number of statements of the whole program, so that none is prepared twice.
const STATEMENT_CACHE: usize = 1_024;

pub(crate) const COMMIT: &str = "commit";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqliteAccess {
    ReadOnly,
    ReadWrite,
}

#[derive(Debug)]
pub(crate) struct SqliteConnection {
    connection: Connection,
    /// Names of unique constraints by SQLite's own text for them.
    constraint_names: HashMap<String, String>,
    /// A full disk or failed I/O: whatever transaction was open is lost as a whole.
    lost: bool,
}

impl SqliteConnection {
    pub(crate) fn open(config: &SqliteConfig, access: SqliteAccess) -> Result<Self, DbError> {
        if rusqlite::version_number() < OLDEST_VERSION {
            let version = rusqlite::version();
            return Err(DbError::Version(format!("SQLite {version} is older than 3.51.3")));
        }
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX
            | match access {
                SqliteAccess::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
                SqliteAccess::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            };
        let connection = Connection::open_with_flags(&config.path, flags).map_err(DbError::unavailable)?;
        configure(&connection, config, access).map_err(DbError::unavailable)?;
        Ok(Self {
            connection,
            constraint_names: HashMap::new(),
            lost: false,
        })
    }

    pub(crate) fn query(&mut self, statement: &Statement, parameters: &[Value]) -> Result<Vec<Row>, DbError> {
        let result = query_each(&self.connection, statement, [parameters]);
        let rows = result.map(|mut found| found.pop().unwrap_or_default());
        rows.map_err(|error| self.explain(statement.name(), error))
    }

    pub(crate) fn execute(&mut self, statement: &Statement, parameters: &[Value]) -> Result<u64, DbError> {
        let result = execute_each(&self.connection, statement, [parameters]);
        result.map_err(|error| self.explain(statement.name(), error))
    }

    pub(crate) fn query_each(&mut self, statement: &Statement, sets: &[Vec<Value>]) -> Result<Vec<Vec<Row>>, DbError> {
        let result = query_each(&self.connection, statement, sets.iter().map(Vec::as_slice));
        result.map_err(|error| self.explain(statement.name(), error))
    }

    pub(crate) fn execute_each(&mut self, statement: &Statement, sets: &[Vec<Value>]) -> Result<u64, DbError> {
        let sets = sets.iter().map(Vec::as_slice);
        let result = execute_each(&self.connection, statement, sets);
        result.map_err(|error| self.explain(statement.name(), error))
    }

    pub(crate) fn script(&mut self, name: &'static str, sql: &str) -> Result<(), DbError> {
        let result = self.connection.execute_batch(sql);
        result.map_err(|error| self.explain(name, error))
    }

    /// `begin`, `commit`, savepoints: short texts that are kept prepared.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), DbError> {
        let result = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.raw_execute());
        result.map(drop).map_err(|error| self.explain(sql, error))
    }

    pub(crate) fn prepare(&self, statement: &Statement) -> Result<(), String> {
        let prepared = self.connection.prepare(&statement.forms().sqlite);
        prepared.map(drop).map_err(|error| error.to_string())
    }

    /// Whether the open transaction is gone as a whole.
    pub(crate) fn lost_transaction(&self) -> bool {
        self.lost || self.connection.is_autocommit()
    }

    /// Ends whatever transaction is still open.
    pub(crate) fn clear(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.control("rollback")
        {
            tracing::warn!(error = %error, "roll back failed");
        }
        self.lost = false;
    }

    /// Pages in the write-ahead log; moves none.
    pub(crate) fn wal_pages(&mut self) -> Result<u64, DbError> {
        self.checkpoint_pragma("pragma wal_checkpoint(noop)")
    }

    /// Copies the write-ahead log back as far as readers allow, without waiting for them.
    pub(crate) fn checkpoint(&mut self) -> Result<u64, DbError> {
        self.checkpoint_pragma("pragma wal_checkpoint(passive)")
    }

    fn checkpoint_pragma(&mut self, sql: &'static str) -> Result<u64, DbError> {
        let pages = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(1)));
        match pages {
            Ok(pages) => Ok(u64::try_from(pages).unwrap_or(0)),
            Err(error) => Err(self.explain(sql, error)),
        }
    }

    fn explain(&mut self, statement: &'static str, error: rusqlite::Error) -> DbError {
        let (code, message) = match &error {
            rusqlite::Error::SqliteFailure(code, message) => (code, message),
            rusqlite::Error::InvalidColumnType(column, _, found) => {
                return DbError::Decode {
                    column: *column,
                    expected: "bigint, text or bytes",
                    found: found.to_string(),
                };
            }
            _ => {
                let message = error.to_string();
                return DbError::Sql { statement, message };
            }
        };
        let message = message.clone().unwrap_or_else(|| code.to_string());
        match code.code {
            ErrorCode::ConstraintViolation => self.explain_constraint(statement, code.extended_code, message),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => DbError::Unavailable(message),
            ErrorCode::ReadOnly => {
                self.lost = true;
                DbError::ReadOnly
            }
            // A commit whose flush failed can come back with the log after a crash.
            ErrorCode::SystemIoFailure if statement == COMMIT => {
                self.lost = true;
                DbError::UnknownOutcome(message)
            }
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::OperationInterrupted => {
                self.lost = true;
                DbError::Unavailable(message)
            }
            _ => DbError::Sql { statement, message },
        }
    }

    fn explain_constraint(&mut self, statement: &'static str, extended_code: i32, message: String) -> DbError {
        let what = message
            .split_once(" constraint failed: ")
            .map_or(message.as_str(), |(_, what)| what)
            .to_owned();
        match extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
                DbError::Unique {
                    constraint: self.unique_name(&what),
                }
            }
            ffi::SQLITE_CONSTRAINT_CHECK => DbError::Check { constraint: what },
            ffi::SQLITE_CONSTRAINT_NOTNULL => DbError::NotNull { column: what },
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => DbError::ForeignKey,
            _ => DbError::Sql { statement, message },
        }
    }

    /// The name of the unique constraint that SQLite describes as `t.a, t.b` or `index 'name'`.
    fn unique_name(&mut self, what: &str) -> String {
        if let Some(name) = self.constraint_names.get(what) {
            return name.clone();
        }
        let name = find_unique_name(&self.connection, what)
            .ok()
            .flatten()
            .unwrap_or_else(|| what.to_owned());
        self.constraint_names.insert(what.to_owned(), name.clone());
        name
    }
}

fn configure(connection: &Connection, config: &SqliteConfig, access: SqliteAccess) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    connection.busy_timeout(config.busy_timeout)?;
    // A plan never depends on the values bound: otherwise some statements are planned anew at every call.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -i64::from(config.cache_kib))?;
    if access == SqliteAccess::ReadOnly {
        return Ok(());
    }
    let synchronous = match config.durability {
        Durability::Full => "full",
        Durability::ProcessOnly => "off",
    };
    connection.pragma_update_and_check(None, "journal_mode", "wal", |row| match row.get_ref(0)?.as_str()? {
        "wal" => Ok(()),
        _ => Err(rusqlite::Error::InvalidQuery),
    })?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))
}

/// The rows of each parameter set; the statement is looked up once.
fn query_each<'p>(
    connection: &Connection,
    statement: &Statement,
    sets: impl IntoIterator<Item = &'p [Value]>,
) -> rusqlite::Result<Vec<Vec<Row>>> {
    let mut prepared = connection.prepare_cached(&statement.forms().sqlite)?;
    sets.into_iter()
        .map(|parameters| query_all(&mut prepared, parameters))
        .collect()
}

fn query_all(prepared: &mut rusqlite::Statement<'_>, parameters: &[Value]) -> rusqlite::Result<Vec<Row>> {
    bind(prepared, parameters)?;
    let columns = prepared.column_count();
    let mut found = Vec::new();
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns);
        for column in 0..columns {
            values.push(value_of(column, row.get_ref(column)?)?);
        }
        found.push(Row::new(values));
    }
    Ok(found)
}

fn execute_each<'p>(
    connection: &Connection,
    statement: &Statement,
    sets: impl IntoIterator<Item = &'p [Value]>,
) -> rusqlite::Result<u64> {
    let mut prepared = connection.prepare_cached(&statement.forms().sqlite)?;
    let answers_rows = prepared.column_count() > 0;
    let mut touched = 0;
    for parameters in sets {
        bind(&mut prepared, parameters)?;
        if answers_rows {
            let mut rows = prepared.raw_query();
            while rows.next()?.is_some() {
                touched += 1;
            }
        } else {
            touched += prepared.raw_execute()? as u64;
        }
    }
    Ok(touched)
}

fn bind(prepared: &mut rusqlite::Statement<'_>, parameters: &[Value]) -> rusqlite::Result<()> {
    for (index, value) in parameters.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

/// No column of ours is floating point or anything but UTF-8.
fn value_of(column: usize, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(_) => Value::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
        ValueRef::Real(_) => {
            return Err(rusqlite::Error::InvalidColumnType(column, String::new(), Type::Real));
        }
    })
}

/// Looks an index up by its table and columns. A primary key is `<table>_pkey`, and a unique constraint
/// without a name gets the one PostgreSQL would give it.
fn find_unique_name(connection: &Connection, what: &str) -> rusqlite::Result<Option<String>> {
    if let Some(name) = what.strip_prefix("index '") {
        return Ok(Some(name.trim_end_matches('\'').to_owned()));
    }
    let columns: Vec<(&str, &str)> = what.split(", ").filter_map(|column| column.split_once('.')).collect();
    let Some((table, _)) = columns.first() else {
        return Ok(None);
    };
    let names: Vec<&str> = columns.iter().map(|(_, column)| *column).collect();
    let names = names.join(",");
    let mut indexes = connection.prepare(
        "select l.name, l.origin from pragma_index_list(?1) l where l.\"unique\" = 1 and ?2 =
            (select group_concat(name, ',') from
                (select name from pragma_index_info(l.name) order by seqno))
         order by l.origin = 'c' desc, l.name",
    )?;
    let mut rows = indexes.query([*table, names.as_str()])?;
    let Some(row) = rows.next()? else {
        // A rowid alias has no index of its own.
        return Ok(Some(format!("{table}_pkey")));
    };
    let (name, origin): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(Some(match origin.as_str() {
        "pk" => format!("{table}_pkey"),
        "u" => format!("{table}_{}_key", names.replace(',', "_")),
        _ => name,
    }))
}
