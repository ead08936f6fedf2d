//! Databases with the schema, and ids that are easy to tell apart.

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{AccountId, RawId};
use onescan_platforms::error::Result;
use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::testing::TestDatabase;
use onescan_store::{Store, params};

/// A migrated database of one engine.
pub struct Case {
    pub store: Store,
    pub database: TestDatabase,
}

/// One per engine.
pub async fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for database in TestDatabase::all().await.expect("databases open") {
        let migrated = Migrator::new(&database.db, MIGRATIONS).apply(1_000).await;
        migrated.expect("the schema is made");
        let store = Store::new(database.db.clone());
        cases.push(Case { store, database });
    }
    cases
}

pub fn bucket(number: u16) -> Bucket {
    Bucket::new(number).expect("below 4096")
}

/// The `number`th id of a bucket; larger numbers are younger.
pub fn id<T>(new: fn(RawId) -> T, bucket_number: u16, number: i64) -> T {
    new(RawId::from_parts(1_000 + number, bucket(bucket_number), number as u128))
}

/// The name of the uniqueness rule that refused.
pub fn taken<T: std::fmt::Debug>(result: Result<T>) -> String {
    match result {
        Err(onescan_platforms::error::PlatformError::Taken { constraint }) => constraint,
        other => panic!("{other:?}"),
    }
}

mod sql {
    onescan_store::statements! {
        pub FIND_ACCOUNT = "select kind, owner_id, name, currency, posted_minor, held_minor from accounts
            where bucket = :bucket and id = :id::text";
    }
}

/// Kind, owner, name and currency of an account that was opened empty; `None` when there is none.
pub async fn empty_account(case: &Case, id: AccountId) -> Option<[String; 4]> {
    let key = params![id.bucket().number(), id.stored()];
    let row = case.database.db.query_opt(&sql::FIND_ACCOUNT, key).await.unwrap()?;
    assert_eq!((row.int(4), row.int(5)), (Ok(0), Ok(0)));
    Some([0, 1, 2, 3].map(|column| row.text(column).unwrap().to_owned()))
}
