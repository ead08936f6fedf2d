//! Every statement prepares on both engines, stays in its bucket and finds its rows by an index.

use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::sql::Value;
use onescan_store::statement::Statement;
use onescan_store::testing::TestDatabase;

use crate::support::cases;

#[tokio::test]
async fn every_statement_prepares() {
    let statements: Vec<_> = onescan_store::statements().into_iter().map(|(_, one)| one).collect();
    for case in cases().await {
        let problems = case.database.db.check_statements(&statements).await;
        assert_eq!(problems, Ok(Vec::new()));
    }
}

/// A statement on tenants' tables says which bucket it means, or in its name that it means all.
#[test]
fn every_statement_names_its_bucket_or_says_that_it_does_not() {
    let mut wrong = Vec::new();
    for (module, statement) in onescan_store::statements() {
        let text = statement.source().split_whitespace().collect::<Vec<_>>().join(" ");
        let one_bucket = text.contains("bucket = :bucket") || text.starts_with("insert ") && text.contains("(:bucket,");
        let all_buckets = statement.name().ends_with("_ALL_BUCKETS");
        if module != "settings" && one_bucket == all_buckets {
            wrong.push(format!("{module}: {}", statement.name()));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// SQLite's plan for each statement within a bucket: none but the audit's reads the whole bucket, or a whole table.
#[tokio::test]
async fn no_statement_reads_a_whole_bucket() {
    let database = TestDatabase::sqlite().await.expect("a database opens");
    let migrated = Migrator::new(&database.db, MIGRATIONS).apply(1_000).await;
    migrated.expect("the schema is made");
    let mut wrong = Vec::new();
    for (module, statement) in onescan_store::statements() {
        if module == "audit" || statement.name().ends_with("_ALL_BUCKETS") {
            continue;
        }
        let text: &'static str = format!("explain query plan {}", statement.source()).leak();
        let explain: &'static Statement = Box::leak(Box::new(Statement::new(statement.name(), text)));
        let nulls = explain.forms().marks.iter().map(|_| Value::Null).collect();
        for row in database.db.query(explain, nulls).await.expect("it explains") {
            let step = row.text(3).expect("a plan's fourth column is its text");
            let table = step
                .strip_prefix("SCAN ")
                .map(|scan| scan.split(' ').next().unwrap_or_default());
            // A part of the statement itself is read whole: `(select …) sides`, or the chain that a statement follows.
            let chain = text.contains("with recursive chain");
            let own = |name: &str| text.contains(&format!(") {name}")) || chain && matches!(name, "c" | "p" | "chain");
            let whole = table.is_some_and(|name| !own(name));
            if whole || step.ends_with("(bucket=?)") {
                wrong.push(format!("{module}: {}: {step}", statement.name()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
