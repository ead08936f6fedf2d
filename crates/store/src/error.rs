//! What the seam tells its callers, in the same words for both engines.

use std::fmt;

/// Why a database call did not give what was asked.
///
/// Constraint names are the same on both engines; texts inside are for the log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// Too much is waiting already; nothing was started.
    #[error("the database queue is full")]
    Busy,
    /// Nothing was written: disk full, connection lost before commit, time limit, retries used up.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The connection or the disk failed while committing: read back by key before deciding anything.
    #[error("the outcome of the commit is unknown: {0}")]
    UnknownOutcome(String),
    /// A unique index or primary key (`<table>_pkey`) already holds these values.
    #[error("unique constraint {constraint} is violated")]
    Unique { constraint: String },
    #[error("check constraint {constraint} is violated")]
    Check { constraint: String },
    #[error("a foreign key is violated")]
    ForeignKey,
    /// `column` is `table.column`.
    #[error("column {column} must not be null")]
    NotNull { column: String },
    /// A write reached a connection or a server that only reads.
    #[error("the connection is read-only")]
    ReadOnly,
    /// A row did not have the expected column or type.
    #[error("column {column}: expected {expected}, found {found}")]
    Decode {
        column: usize,
        expected: &'static str,
        found: String,
    },
    /// A statement touched or found another number of rows than its caller relies on.
    #[error("{statement}: expected {expected} rows, touched {touched}")]
    RowCount {
        statement: &'static str,
        expected: u64,
        touched: u64,
    },
    /// The parameters do not fit the statement.
    #[error("{statement}: {problem}")]
    Parameters { statement: &'static str, problem: String },
    /// An earlier statement of this transaction failed, so nothing of it can be kept.
    #[error("an earlier statement of this transaction failed")]
    Aborted,
    /// The work panicked or waited for something other than the database; it was rolled back.
    #[error("the work inside a transaction broke off")]
    Broken,
    /// The engine is older than this program needs.
    #[error("{0}")]
    Version(String),
    /// Any other refusal of the engine.
    #[error("{statement}: {message}")]
    Sql { statement: &'static str, message: String },
}

impl DbError {
    pub(crate) fn unavailable(reason: impl fmt::Display) -> Self {
        Self::Unavailable(reason.to_string())
    }

    /// Nothing was written, and the same call may well succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Unavailable(_))
    }

    /// The violated unique constraint, if that is what happened.
    #[must_use]
    pub fn unique_constraint(&self) -> Option<&str> {
        match self {
            Self::Unique { constraint } => Some(constraint),
            _ => None,
        }
    }
}
