//! Migrations keep what an older program wrote.

use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::testing::TestDatabase;
use onescan_store::{params, statements};

statements! {
    OUTBOX = "insert into outbox (bucket, id, kind, subject_id, attempts, next_at, created_at)
        values (:bucket, :id::text, 'payment_paid', :subject::text, :attempts, :next_at, :created_at)";
    KEY = "insert into idempotency_keys (bucket, caller, key, fingerprint, subject_id, created_at)
        values (:bucket, :caller::text, :key::text, :fingerprint::text, :subject::text, :created_at)";
    ORDER = "insert into merchant_orders (bucket, merchant_id, order_number, payment_id, fingerprint)
        values (:bucket, :merchant::text, :number::text, :payment::text, :fingerprint::text)";
    FIND_OUTBOX = "select kind, subject_id, attempts, next_at, created_at from outbox
        where bucket = :bucket and id = :id::text";
    FIND_KEY = "select fingerprint, subject_id, created_at from idempotency_keys
        where bucket = :bucket and caller = :caller::text and key = :key::text";
    FIND_ORDER = "select payment_id, fingerprint from merchant_orders
        where bucket = :bucket and merchant_id = :merchant::text and order_number = :number::text";
}

#[tokio::test]
async fn the_pay_path_keeps_its_claims_and_its_work() {
    for database in TestDatabase::all().await.unwrap() {
        let db = &database.db;
        Migrator::new(db, &MIGRATIONS[..1]).apply(1_000).await.unwrap();
        let written = db.write(|tx| {
            Box::pin(async move {
                tx.execute_one(&OUTBOX, params![3, "e1", "p1", 2, 5_000, 4_000]).await?;
                tx.execute_one(&KEY, params![3, "key_a", "k-1", "f1", "p1", 4_000])
                    .await?;
                tx.execute_one(&ORDER, params![4, "m1", "A-1", "p1", "f1"]).await
            })
        });
        written.await.unwrap();
        Migrator::new(db, MIGRATIONS).apply(2_000).await.unwrap();

        let kept = db.query_one(&FIND_OUTBOX, params![3, "e1"]).await.unwrap();
        assert_eq!(kept.values(), params!["payment_paid", "p1", 2, 5_000, 4_000]);
        let kept = db.query_one(&FIND_KEY, params![3, "key_a", "k-1"]).await.unwrap();
        assert_eq!(kept.values(), params!["f1", "p1", 4_000]);
        let kept = db.query_one(&FIND_ORDER, params![4, "m1", "A-1"]).await.unwrap();
        assert_eq!(kept.values(), params!["p1", "f1"]);

        // Uniqueness is still refused under the name by which races are known.
        for (statement, row, constraint) in [
            (
                &KEY,
                params![3, "key_a", "k-1", "f2", "p2", 6_000],
                "idempotency_keys_pkey",
            ),
            (&ORDER, params![4, "m1", "A-1", "p2", "f2"], "merchant_orders_pkey"),
        ] {
            let again = db.write_with(row, move |tx, row| Box::pin(tx.execute_one(statement, row.clone())));
            let refused = onescan_store::error::DbError::Unique {
                constraint: constraint.to_owned(),
            };
            assert_eq!(again.await, Err(refused));
        }
    }
}
