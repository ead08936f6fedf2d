//! Every statement prepares on both engines, and stays in its bucket.

use onescan_store::statement::Statement;
use onescan_store::{access, accounts, institutions, invoicing, merchants, people, profiles};

use crate::support::cases;

fn all() -> impl Iterator<Item = &'static Statement> {
    [
        access::ALL,
        accounts::ALL,
        institutions::ALL,
        invoicing::ALL,
        merchants::ALL,
        people::ALL,
        profiles::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

#[tokio::test]
async fn every_statement_prepares() {
    let statements: Vec<_> = all().collect();
    for case in cases().await {
        let problems = case.database.db.check_statements(&statements).await;
        assert_eq!(problems, Ok(Vec::new()));
    }
}

#[test]
fn every_statement_names_its_bucket_or_says_that_it_does_not() {
    for statement in all() {
        let text = statement.source().split_whitespace().collect::<Vec<_>>().join(" ");
        let one_bucket = text.contains("bucket = :bucket") || text.starts_with("insert ") && text.contains("(:bucket,");
        let all_buckets = statement.name().ends_with("_ALL_BUCKETS");
        assert_ne!(one_bucket, all_buckets, "{}", statement.name());
    }
}
