//! Every statement prepares on both engines, and stays in its bucket.

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
