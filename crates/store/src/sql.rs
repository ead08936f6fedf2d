//! Values that go into a statement and rows that come out, the same for both engines.

use crate::error::DbError;

/// A parameter or a column. Money and instants are `Int`, ids are `Text`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "bigint",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }
}

macro_rules! value_from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )*};
}

value_from_integer!(i64, i32, i16, i8, u32, u16, u8, bool);

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A parameter list, in the order in which the statement first names its marks.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        vec![$($crate::sql::Value::from($value)),*]
    };
}

/// One row; columns by position, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    values: Vec<Value>,
}

impl Row {
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Self { values }
    }

    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    pub fn int(&self, column: usize) -> Result<i64, DbError> {
        self.opt_int(column)?.ok_or_else(|| self.mismatch(column, "bigint"))
    }

    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, DbError> {
        match self.values.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.mismatch(column, "bigint")),
        }
    }

    /// An integer that must fit a narrower type, such as a bucket.
    pub fn number<T: TryFrom<i64>>(&self, column: usize) -> Result<T, DbError> {
        T::try_from(self.int(column)?).map_err(|_| self.mismatch(column, std::any::type_name::<T>()))
    }

    pub fn opt_number<T: TryFrom<i64>>(&self, column: usize) -> Result<Option<T>, DbError> {
        self.opt_int(column)?
            .map(T::try_from)
            .transpose()
            .map_err(|_| self.mismatch(column, std::any::type_name::<T>()))
    }

    /// True for any number but 0.
    pub fn flag(&self, column: usize) -> Result<bool, DbError> {
        Ok(self.int(column)? != 0)
    }

    pub fn text(&self, column: usize) -> Result<&str, DbError> {
        self.opt_text(column)?.ok_or_else(|| self.mismatch(column, "text"))
    }

    pub fn opt_text(&self, column: usize) -> Result<Option<&str>, DbError> {
        match self.values.get(column) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.mismatch(column, "text")),
        }
    }

    pub fn bytes(&self, column: usize) -> Result<&[u8], DbError> {
        self.opt_bytes(column)?.ok_or_else(|| self.mismatch(column, "bytes"))
    }

    pub fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, DbError> {
        match self.values.get(column) {
            Some(Value::Bytes(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.mismatch(column, "bytes")),
        }
    }

    /// Moves a text out; the column reads as null afterwards.
    pub fn take_text(&mut self, column: usize) -> Result<String, DbError> {
        self.take_opt_text(column)?.ok_or_else(|| self.mismatch(column, "text"))
    }

    pub fn take_opt_text(&mut self, column: usize) -> Result<Option<String>, DbError> {
        self.opt_text(column)?;
        match self.take(column) {
            Value::Text(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Moves bytes out; the column reads as null afterwards.
    pub fn take_bytes(&mut self, column: usize) -> Result<Vec<u8>, DbError> {
        self.take_opt_bytes(column)?
            .ok_or_else(|| self.mismatch(column, "bytes"))
    }

    pub fn take_opt_bytes(&mut self, column: usize) -> Result<Option<Vec<u8>>, DbError> {
        self.opt_bytes(column)?;
        match self.take(column) {
            Value::Bytes(value) => Ok(Some(value)),
            _ => Ok(None),
        }
    }

    /// Takes off the first column of a set statement's row: the number of its set, from 1.
    pub(crate) fn split_number(mut self) -> Result<(usize, Self), DbError> {
        let number = self.number(0)?;
        self.values.remove(0);
        Ok((number, self))
    }

    fn take(&mut self, column: usize) -> Value {
        std::mem::replace(&mut self.values[column], Value::Null)
    }

    /// Names the kind that was found, never the value: rows hold personal data.
    fn mismatch(&self, column: usize, expected: &'static str) -> DbError {
        DbError::Decode {
            column,
            expected,
            found: self.values.get(column).map_or("no such column", Value::kind).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn getters_tell_kind_and_absence_apart() {
        let mut row = Row::new(params![7_i64, "seven", None::<i64>, vec![7_u8]]);
        assert_eq!(row.int(0), Ok(7));
        assert_eq!(row.number::<u16>(0), Ok(7));
        assert_eq!(row.text(1), Ok("seven"));
        assert_eq!(row.opt_int(2), Ok(None));
        assert_eq!(row.opt_text(2), Ok(None));
        assert_eq!(row.take_bytes(3), Ok(vec![7]));
        assert_eq!(row.take_text(1), Ok("seven".to_owned()));
        assert_eq!(row.opt_text(1), Ok(None));
    }

    #[test]
    fn a_wrong_kind_is_named_without_its_value() {
        let row = Row::new(params!["secret", None::<i64>, 70_000_i64]);
        let text = |error: DbError| error.to_string();
        assert_eq!(
            row.int(0).map_err(text),
            Err("column 0: expected bigint, found text".to_owned())
        );
        assert_eq!(
            row.int(1).map_err(text),
            Err("column 1: expected bigint, found null".to_owned())
        );
        assert_eq!(
            row.number::<u16>(2).map_err(text),
            Err("column 2: expected u16, found bigint".to_owned())
        );
        assert_eq!(
            row.bytes(3).map_err(text),
            Err("column 3: expected bytes, found no such column".to_owned())
        );
    }
}
