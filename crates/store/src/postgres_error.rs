//! PostgreSQL's errors in the seam's words, and whether trying again helps.

use tokio_postgres::error::{DbError as Refusal, SqlState};

use crate::error::DbError;
use crate::postgres::PostgresAccess;

/// What an error means for the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The transaction is lost for a reason that may be gone next time.
    TryAgain,
    /// As `TryAgain`, and the connection is of no use any more.
    Broken,
    Final,
}

pub(crate) fn classify(
    statement: &'static str,
    access: PostgresAccess,
    error: &tokio_postgres::Error,
) -> (Failure, DbError) {
    let Some(refusal) = error.as_db_error() else {
        // What the driver itself could refuse was checked before; the rest is input and output.
        return (Failure::Broken, DbError::unavailable(error));
    };
    if access == PostgresAccess::ReadOnly && refusal.code() == &SqlState::READ_ONLY_SQL_TRANSACTION {
        return (Failure::Final, DbError::ReadOnly);
    }
    let failure = failure_of(refusal.code().code(), refusal.message());
    let error = match failure {
        Failure::Final => explain(statement, refusal),
        Failure::TryAgain | Failure::Broken => DbError::Unavailable(refusal.to_string()),
    };
    (failure, error)
}

/// 25006 is an old primary after a failover; XX000 is Citus losing the code of a conflict; 0A000 is a
/// plan made before a migration, which goes with its connection.
fn failure_of(code: &str, message: &str) -> Failure {
    match code {
        "40001" | "40P01" | "55P03" => Failure::TryAgain,
        "57P01" | "57P02" | "57P03" | "25006" => Failure::Broken,
        "XX000" if message.contains("could not commit transaction for shard") => Failure::TryAgain,
        "0A000" if message.contains("cached plan") => Failure::Broken,
        _ if code.starts_with("08") => Failure::Broken,
        _ => Failure::Final,
    }
}

fn explain(statement: &'static str, refusal: &Refusal) -> DbError {
    let constraint = || refusal.constraint().unwrap_or_default().to_owned();
    match refusal.code() {
        &SqlState::UNIQUE_VIOLATION => DbError::Unique {
            constraint: constraint(),
        },
        &SqlState::CHECK_VIOLATION => DbError::Check {
            constraint: constraint(),
        },
        &SqlState::FOREIGN_KEY_VIOLATION => DbError::ForeignKey,
        &SqlState::NOT_NULL_VIOLATION => DbError::NotNull {
            column: format!(
                "{}.{}",
                refusal.table().unwrap_or_default(),
                refusal.column().unwrap_or_default()
            ),
        },
        // Time limit, disk full, too many connections, out of memory.
        code if code == &SqlState::QUERY_CANCELED || code.code().starts_with("53") => {
            DbError::Unavailable(refusal.to_string())
        }
        _ => DbError::Sql {
            statement,
            message: refusal.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decide_what_is_tried_again() {
        for (code, message, failure) in [
            ("40001", "", Failure::TryAgain),
            ("40P01", "", Failure::TryAgain),
            ("55P03", "", Failure::TryAgain),
            ("57P01", "", Failure::Broken),
            ("08006", "", Failure::Broken),
            ("25006", "", Failure::Broken),
            ("XX000", "could not commit transaction for shard 7", Failure::TryAgain),
            ("XX000", "unexpected", Failure::Final),
            ("0A000", "cached plan must not change result type", Failure::Broken),
            ("23505", "", Failure::Final),
            ("57014", "", Failure::Final),
        ] {
            assert_eq!(failure_of(code, message), failure, "{code} {message}");
        }
    }
}
