//! PostgreSQL's own description of the schema keeps the rules that let it be spread over many servers.

use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::statements;
use onescan_store::testing::{POSTGRES_URL, TestDatabase};

statements! {
    // The catalogues are not a tenant's tables.
    WRONG_UNIQUE_ALL_BUCKETS = "select cast(t.relname as text), cast(i.relname as text) from pg_index x
        join pg_class t on t.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
        join pg_attribute b on b.attrelid = t.oid and b.attname = 'bucket'
        where x.indisunique and x.indkey[0] <> b.attnum";
    WITHOUT_KEY_ALL_BUCKETS = "select cast(t.relname as text), 'no primary key' from pg_class t
        join pg_attribute b on b.attrelid = t.oid and b.attname = 'bucket'
        where t.relkind = 'r' and not exists (select 1 from pg_index x where x.indrelid = t.oid and x.indisprimary)";
    WRONG_REFERENCE_ALL_BUCKETS = "select cast(t.relname as text), cast(c.conname as text) from pg_constraint c
        join pg_class t on t.oid = c.conrelid
        left join pg_attribute b on b.attrelid = c.conrelid and b.attname = 'bucket'
        left join pg_attribute f on f.attrelid = c.confrelid and f.attname = 'bucket'
        where c.contype = 'f' and (b.attnum is null or f.attnum is null or c.conkey[1] <> b.attnum
            or c.confkey[1] <> f.attnum)";
    WITHOUT_BUCKET_ALL_BUCKETS = "select cast(t.relname as text), 'no bucket' from pg_class t
        join pg_namespace n on n.oid = t.relnamespace
        where t.relkind = 'r' and n.nspname = 'public' and t.relname not in ('settings', 'schema_migrations')
        and not exists (select 1 from pg_attribute b where b.attrelid = t.oid and b.attname = 'bucket')";
    TRIGGERS_ALL_BUCKETS = "select cast(t.relname as text), cast(g.tgname as text) from pg_trigger g
        join pg_class t on t.oid = g.tgrelid where not g.tgisinternal";
    DEFAULTS_ALL_BUCKETS = "select cast(t.relname as text), cast(a.attname as text) from pg_attribute a
        join pg_class t on t.oid = a.attrelid join pg_namespace n on n.oid = t.relnamespace
        where n.nspname = 'public' and t.relkind = 'r' and a.attnum > 0 and (a.atthasdef or a.attidentity <> '')";
    TABLES_ALL_BUCKETS = "select count(*) from pg_attribute b join pg_class t on t.oid = b.attrelid
        where t.relkind = 'r' and b.attname = 'bucket'";
}

#[tokio::test]
async fn every_table_keeps_to_its_bucket() {
    let Ok(url) = std::env::var(POSTGRES_URL) else {
        return;
    };
    let database = TestDatabase::postgres(&url).await.unwrap();
    Migrator::new(&database.db, MIGRATIONS).apply(1_000).await.unwrap();
    let mut wrong = Vec::new();
    for statement in ALL {
        for row in database.db.query(statement, Vec::new()).await.unwrap() {
            match row.text(0) {
                Ok(table) => wrong.push(format!("{}: {table} {}", statement.name(), row.text(1).unwrap())),
                Err(_) => assert!(row.int(0).unwrap() > 20, "the tables are there"),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
