//! Values and rows on PostgreSQL's wire.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::error::DbError;
use crate::render::{Kind, Mark};
use crate::sql::{Row, Value};

/// Every mark carries a cast, so the server's type is always the one of the mark's kind.
impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) => value.to_sql(ty, out),
            Self::Text(value) => value.to_sql(ty, out),
            Self::Bytes(value) => value.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// One parameter of all sets.
#[derive(Debug)]
pub(crate) enum Array<'s> {
    Int(Vec<Option<i64>>),
    Text(Vec<Option<&'s str>>),
    Bytes(Vec<Option<&'s [u8]>>),
}

impl ToSql for Array<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Int(values) => values.to_sql(ty, out),
            Self::Text(values) => values.to_sql(ty, out),
            Self::Bytes(values) => values.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8_ARRAY | Type::TEXT_ARRAY | Type::BYTEA_ARRAY)
    }

    to_sql_checked!();
}

/// The sets turned on their side. Their kinds were checked before.
pub(crate) fn arrays<'s>(marks: &[Mark], sets: &'s [Vec<Value>]) -> Vec<Array<'s>> {
    let column = |(index, mark): (usize, &Mark)| {
        let values = sets.iter().map(move |set| &set[index]);
        match mark.kind {
            Kind::Int => Array::Int(
                values
                    .map(|value| match value {
                        Value::Int(value) => Some(*value),
                        _ => None,
                    })
                    .collect(),
            ),
            Kind::Text => Array::Text(
                values
                    .map(|value| match value {
                        Value::Text(value) => Some(value.as_str()),
                        _ => None,
                    })
                    .collect(),
            ),
            Kind::Bytes => Array::Bytes(
                values
                    .map(|value| match value {
                        Value::Bytes(value) => Some(value.as_slice()),
                        _ => None,
                    })
                    .collect(),
            ),
        }
    };
    marks.iter().enumerate().map(column).collect()
}

pub(crate) fn read_row(row: &tokio_postgres::Row) -> Result<Row, DbError> {
    let values = row.columns().iter().enumerate().map(|(index, column)| {
        let value = match *column.type_() {
            Type::INT8 => get::<i64>(row, index),
            Type::INT4 => get::<i32>(row, index),
            Type::INT2 => get::<i16>(row, index),
            Type::BOOL => get::<bool>(row, index),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => get::<&str>(row, index),
            Type::BYTEA => get::<Vec<u8>>(row, index),
            _ => None,
        };
        value.ok_or_else(|| DbError::Decode {
            column: index,
            expected: "bigint, text or bytes",
            found: column.type_().name().to_owned(),
        })
    });
    values.collect::<Result<_, _>>().map(Row::new)
}

fn get<'r, T>(row: &'r tokio_postgres::Row, index: usize) -> Option<Value>
where
    Option<T>: FromSql<'r>,
    T: Into<Value>,
{
    row.try_get::<_, Option<T>>(index).ok().map(Value::from)
}
