//! What lies in the tables, of whatever name they are: for tests that nothing was written, or that something never is.

use std::collections::BTreeMap;

use onescan_store::db::Engine;
use onescan_store::statement::Statement;

use super::TestApp;

impl TestApp {
    /// How many rows each table has. Sessions and the guard's count of invalid codes are left out: they may change.
    pub async fn row_counts(&self) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for (table, _) in self.tables().await {
            let rows = self.query(format!("select count(*) from {table}")).await;
            counts.insert(table, rows[0][0].parse().unwrap());
        }
        counts.retain(|table, _| !matches!(table.as_str(), "sessions" | "terminal_guards"));
        counts
    }

    /// `table.column` of every column that holds `text` somewhere, numbers and bytes read as text too.
    pub async fn columns_with(&self, text: &str) -> Vec<String> {
        assert!(!text.contains(['\'', '%', ':']), "would need escaping: {text}");
        let mut found = Vec::new();
        for (table, columns) in self.tables().await {
            for column in columns {
                let sql = format!("select count(*) from {table} where cast({column} as text) like '%{text}%'");
                if self.query(sql).await[0][0] != "0" {
                    found.push(format!("{table}.{column}"));
                }
            }
        }
        found
    }

    /// The rows of a reading statement, each value as text; null is empty.
    pub async fn query(&self, sql: impl Into<String>) -> Vec<Vec<String>> {
        // A statement lives as long as the program, and so does its text.
        let sql: &'static str = Box::leak(sql.into().into_boxed_str());
        let statement: &'static Statement = Box::leak(Box::new(Statement::new("TEST", sql)));
        let rows = self.store.db().query(statement, Vec::new()).await.unwrap();
        let texts = |row: &onescan_store::sql::Row| row.values().iter().map(text_of).collect();
        rows.iter().map(texts).collect()
    }

    async fn tables(&self) -> BTreeMap<String, Vec<String>> {
        let sql = match self.store.db().engine() {
            Engine::Sqlite => {
                "select t.name, c.name from pragma_table_list t join pragma_table_info(t.name) c
                 where t.schema = 'main' and t.type = 'table' and t.name not like 'sqlite_%'"
            }
            Engine::Postgres => {
                "select cast(table_name as text), cast(column_name as text) from information_schema.columns
                 where table_schema = 'public'"
            }
        };
        let mut tables: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in self.query(sql).await {
            tables.entry(row[0].clone()).or_default().push(row[1].clone());
        }
        assert!(tables.contains_key("codes"), "{tables:?}");
        tables
    }
}

fn text_of(value: &onescan_store::sql::Value) -> String {
    use onescan_store::sql::Value;
    match value {
        Value::Null => String::new(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Bytes(bytes) => onescan_platforms::env::hex(bytes),
    }
}
