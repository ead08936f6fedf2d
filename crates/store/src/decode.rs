//! Rows into domain values, and the database's errors into the platforms'.

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::RawId;
use onescan_domain::money::{Currency, Money};
use onescan_platforms::error::PlatformError;

use crate::error::DbError;
use crate::sql::Row;

/// What cannot be a caller's fault is internal; a unique constraint is `Taken` by its name.
impl From<DbError> for PlatformError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Busy => Self::Busy,
            DbError::Unavailable(reason) => {
                tracing::warn!(reason, "the database is not available");
                Self::Unavailable { what: "the database" }
            }
            DbError::ReadOnly => Self::Unavailable { what: "the database" },
            DbError::UnknownOutcome(_) => Self::UnknownOutcome,
            DbError::Unique { constraint } => Self::Taken { constraint },
            DbError::Check { .. }
            | DbError::ForeignKey
            | DbError::NotNull { .. }
            | DbError::Decode { .. }
            | DbError::RowCount { .. }
            | DbError::Parameters { .. }
            | DbError::Aborted
            | DbError::Broken
            | DbError::Version(_)
            | DbError::Sql { .. } => Self::internal(error),
        }
    }
}

/// An id of 26 letters: `id(&row, 0, PaymentId::new)`.
pub(crate) fn id<T>(row: &Row, column: usize, new: fn(RawId) -> T) -> Result<T, DbError> {
    parsed(row, column, "id", RawId::parse).map(new)
}

pub(crate) fn opt_id<T>(row: &Row, column: usize, new: fn(RawId) -> T) -> Result<Option<T>, DbError> {
    Ok(opt_parsed(row, column, "id", RawId::parse)?.map(new))
}

pub(crate) fn bucket(row: &Row, column: usize) -> Result<Bucket, DbError> {
    Bucket::new(row.number(column)?).ok_or_else(|| wrong(column, "bucket"))
}

pub(crate) fn record_id(row: &mut Row, column: usize) -> Result<CodeRecordId, DbError> {
    row.take_text(column).map(CodeRecordId::from_stored)
}

pub(crate) fn currency(row: &Row, column: usize) -> Result<Currency, DbError> {
    parsed(row, column, "currency", Currency::parse)
}

pub(crate) fn money(row: &Row, minor_column: usize, currency_column: usize) -> Result<Money, DbError> {
    Ok(Money::new(row.int(minor_column)?, currency(row, currency_column)?))
}

/// A text that `parse` understands, such as the name of an enum's variant.
pub(crate) fn parsed<T>(
    row: &Row,
    column: usize,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, DbError> {
    parse(row.text(column)?).ok_or_else(|| wrong(column, expected))
}

pub(crate) fn opt_parsed<T>(
    row: &Row,
    column: usize,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, DbError> {
    let text = row.opt_text(column)?;
    text.map(|text| parse(text).ok_or_else(|| wrong(column, expected)))
        .transpose()
}

/// A column whose content is not what this program writes. The content is not told: rows hold personal data.
pub(crate) fn wrong(column: usize, expected: &'static str) -> DbError {
    DbError::Decode {
        column,
        expected,
        found: "other content".to_owned(),
    }
}
