//! What lies in the tables, of whatever name they are: for tests that nothing was written, or that something never is.

use std::collections::BTreeMap;

use onescan_store::db::Engine;
use onescan_store::sql::{Row, Value};
use onescan_store::statement::Statement;
use tokio::sync::OnceCell;

use super::TestApp;

/// Tables with their columns; the same in every database of one engine.
type Tables = BTreeMap<String, Vec<String>>;

static SQLITE: OnceCell<Tables> = OnceCell::const_new();
static POSTGRES: OnceCell<Tables> = OnceCell::const_new();

impl TestApp {
    /// How many rows each table has. Sessions and the guard's count of invalid codes are left out: they may change.
    pub async fn row_counts(&self) -> BTreeMap<String, i64> {
        let tables = self.tables().await;
        let counts = tables.keys().map(|table| format!("(select count(*) from {table})"));
        let sql = format!("select {}", counts.collect::<Vec<_>>().join(", "));
        let row = self.query(sql).await.remove(0);
        let counted = tables.keys().zip(row);
        let counted = counted.map(|(table, count)| (table.clone(), count.parse().unwrap()));
        counted
            .filter(|(table, _)| !matches!(table.as_str(), "sessions" | "terminal_guards"))
            .collect()
    }

    /// `table.column` of every column that holds `text` somewhere, numbers and bytes read as text too.
    pub async fn columns_with(&self, text: &str) -> Vec<String> {
        assert!(!text.contains(['\'', '%', ':']), "would need escaping: {text}");
        let mut found = Vec::new();
        for (table, columns) in self.tables().await {
            let count = |column| format!("count(case when cast({column} as text) like '%{text}%' then 1 end)");
            let counts: Vec<String> = columns.iter().map(count).collect();
            let row = self
                .query(format!("select {} from {table}", counts.join(", ")))
                .await
                .remove(0);
            let holding = columns.iter().zip(row).filter(|(_, count)| count != "0");
            found.extend(holding.map(|(column, _)| format!("{table}.{column}")));
        }
        found
    }

    /// The rows of a reading statement, each value as text; null is empty.
    pub async fn query(&self, sql: impl Into<String>) -> Vec<Vec<String>> {
        // A statement lives as long as the program, and so does its text.
        let sql: &'static str = Box::leak(sql.into().into_boxed_str());
        let statement: &'static Statement = Box::leak(Box::new(Statement::new("TEST", sql)));
        let rows = self.store.db().query(statement, Vec::new()).await.unwrap();
        let texts = |row: &Row| row.values().iter().map(text_of).collect();
        rows.iter().map(texts).collect()
    }

    /// Changes rows past every rule, as a fault would; tells how many.
    pub async fn change_rows(&self, sql: &'static str) -> u64 {
        let statement: &'static Statement = Box::leak(Box::new(Statement::new("TEST", sql)));
        let changing = self
            .store
            .db()
            .write(move |tx| Box::pin(tx.execute(statement, Vec::new())));
        changing.await.unwrap()
    }

    async fn tables(&self) -> &'static Tables {
        let (known, sql) = match self.store.db().engine() {
            Engine::Sqlite => (
                &SQLITE,
                "select t.name, c.name from pragma_table_list t join pragma_table_info(t.name) c
                 where t.schema = 'main' and t.type = 'table' and t.name not like 'sqlite_%' order by c.name",
            ),
            Engine::Postgres => (
                &POSTGRES,
                "select cast(table_name as text), cast(column_name as text) from information_schema.columns
                 where table_schema = 'public' order by 2",
            ),
        };
        let read = async || {
            let mut tables = Tables::new();
            for row in self.query(sql).await {
                tables.entry(row[0].clone()).or_default().push(row[1].clone());
            }
            assert!(tables.contains_key("codes"), "{tables:?}");
            tables
        };
        known.get_or_init(read).await
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => onescan_platforms::env::hex(bytes),
    }
}
