//! Calls that are one statement.

use crate::Store;
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::statement::Statement;

impl Store {
    /// Changes any number of rows and tells how many.
    pub(crate) async fn change(&self, statement: &'static Statement, parameters: Vec<Value>) -> Result<u64, DbError> {
        let changing = self.db.write_with(parameters, move |tx, parameters| {
            Box::pin(tx.execute(statement, parameters.clone()))
        });
        changing.await
    }

    /// Changes exactly one row.
    pub(crate) async fn change_one(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value>,
    ) -> Result<(), DbError> {
        let changing = self.db.write_with(parameters, move |tx, parameters| {
            Box::pin(tx.execute_one(statement, parameters.clone()))
        });
        changing.await
    }

    /// A list that may be long, read off the threads that serve requests.
    pub(crate) async fn list_long(
        &self,
        statement: &'static Statement,
        parameters: Vec<Value>,
    ) -> Result<Vec<Row>, DbError> {
        let listing = self.db.read_long(move |tx| Box::pin(tx.query(statement, parameters)));
        listing.await
    }
}
