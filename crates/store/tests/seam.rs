//! The seam behaves alike on both engines; each test runs on SQLite, and on PostgreSQL where
//! `ONESCAN_TEST_POSTGRES_URL` names a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use onescan_store::config::DbConfig;
use onescan_store::db::{Db, Engine};
use onescan_store::error::DbError;
use onescan_store::migrate::{MIGRATIONS, MigrateError, Migration, MigrationState, Migrator};
use onescan_store::params;
use onescan_store::sql::{Row, Value};
use onescan_store::testing::TestDatabase;
use onescan_store::tx::Call;

mod statements {
    onescan_store::statements! {
        pub INSERT = "insert into account (bucket, id, balance, tag)
            values (:bucket, :id::text, :balance, :tag::bytea)";
        pub INSERT_NEW = "insert into account (bucket, id, balance, tag)
            values (:bucket, :id::text, :balance, null)
            on conflict (bucket, id) do nothing returning balance, bucket, id";
        pub UPSERT = "insert into account (bucket, id, balance) values (:bucket, :id::text, :balance)
            on conflict (bucket, id) do update set balance = account.balance + excluded.balance
            where account.balance < 100 returning id, balance, bucket";
        pub INSERT_OR_ADD = "insert into account (bucket, id, balance)
            values (:bucket, :id::text, :balance)
            on conflict (bucket, id) do update set balance = account.balance + :more";
        pub COPY = "insert into account (bucket, id, balance)
            select bucket, :copy::text, balance from account where bucket = :bucket and id = :id::text
            returning id";
        pub FIND = "select id, balance, tag from account where bucket = :bucket and id = :id::text";
        pub LOCK = "select balance from account where bucket = :bucket and id = :id::text {for update}";
        pub LOCK_FREE = "select id from account where bucket = :bucket order by id limit 1
            {for update skip locked}";
        pub LIST = "select id, balance from account where bucket = :bucket order by id desc";
        pub COUNT = "select count(*), cast(coalesce(sum(balance), 0) as bigint) from account";
        pub ADD = "update account set balance = balance + :amount
            where bucket = :bucket and id = :id::text and balance + :amount >= 0 returning balance";
        pub SET = "update account set balance = :balance where bucket = :bucket and id = :id::text";
        pub SET_TO_OWNER = "update account set balance = owner.start from owner
            where owner.id = account.id and account.bucket = :bucket and account.id = :id::text";
        pub DELETE = "delete from account where bucket = :bucket and id = :id::text returning id";
        pub OWN = "insert into owner (id, bucket, account, start)
            values (:id::text, :bucket, :account::text, :start)";
        pub FOLD = "insert into folded (name, n) values (:name::text, :n)";
        pub NAME = "insert into named (id, a, b) values (:id, :a::text, :b)";
        pub ECHO = "select :number, :text::text, :bytes::bytea, 1 = 1";
    }
}
use statements::*;

const SCHEMA: &str = "
    create table account (
        bucket bigint not null,
        id text not null,
        balance bigint not null constraint account_balance_check check (balance >= 0),
        tag bytea,
        primary key (bucket, id)
    );
    create unique index account_tag on account (bucket, tag);
    create table owner (
        id text primary key,
        bucket bigint not null,
        account text not null,
        start bigint not null,
        foreign key (bucket, account) references account (bucket, id)
    );
    create table named (id bigint primary key, a text not null, b bigint not null, unique (a, b));
    create table folded (name text not null, n bigint not null);
    create unique index folded_name on folded (lower(name));
    create unique index named_open on named (b) where b > 100;
";

const FIRST: Migration = Migration {
    file: "0001_account",
    sqlite: SCHEMA,
    postgres: SCHEMA,
};

async fn databases() -> Vec<TestDatabase> {
    let databases = TestDatabase::all().await.expect("databases open");
    for database in &databases {
        migrate(&database.db).await;
    }
    databases
}

async fn migrate(db: &Db) {
    let migrated = Migrator::new(db, &[FIRST]).apply(1).await;
    assert_eq!(migrated, Ok(vec!["0001_account"]));
}

/// A SQLite database with settings of its own.
async fn sqlite(change: impl FnOnce(&mut onescan_store::config::SqliteConfig)) -> TestDatabase {
    let database = TestDatabase::sqlite_with(change).await.expect("it opens");
    migrate(&database.db).await;
    database
}

/// An input of `accounts`: ids and balances in bucket 1.
fn accounts(list: &[(&str, i64)]) -> Vec<Vec<Value>> {
    list.iter()
        .map(|(id, balance)| params![1, *id, *balance, None::<Vec<u8>>])
        .collect()
}

async fn insert(db: &Db, list: &[(&str, i64)]) {
    let result: Result<(), DbError> = db
        .write_with(accounts(list), |tx, sets| {
            Box::pin(async move { tx.execute_each_one(&INSERT, sets.clone()).await })
        })
        .await;
    assert_eq!(result, Ok(()));
}

/// Runs one statement in a transaction of its own.
async fn execute(
    db: &Db,
    statement: &'static onescan_store::statement::Statement,
    parameters: Vec<Value>,
) -> Result<u64, DbError> {
    db.write_with(parameters, move |tx, parameters| {
        Box::pin(tx.execute(statement, parameters.clone()))
    })
    .await
}

/// `(count, sum of balances)`.
async fn total(db: &Db) -> (i64, i64) {
    let row = db.query_one(&COUNT, params![]).await.expect("it counts");
    (row.int(0).expect("a number"), row.int(1).expect("a number"))
}

fn texts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.text(0).expect("a text")).collect()
}

#[tokio::test]
async fn every_statement_prepares() {
    for database in databases().await {
        let problems = database.db.check_statements(ALL).await;
        assert_eq!(problems, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn a_statement_the_engine_refuses_is_named() {
    onescan_store::statements! {
        WRONG = "select nothing from nowhere";
    }
    for database in databases().await {
        let problems = database.db.check_statements(ALL).await.expect("it asks");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("WRONG: "), "{problems:?}");
    }
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for database in databases().await {
        for set in [
            params![i64::MIN, "零一", vec![0_u8, 255]],
            params![i64::MAX, "", Vec::<u8>::new()],
            params![None::<i64>, None::<&str>, None::<Vec<u8>>],
        ] {
            let row = database.db.query_one(&ECHO, set.clone()).await;
            let mut expected = set;
            expected.push(Value::Int(1));
            assert_eq!(row, Ok(Row::new(expected)));
        }
    }
}

#[tokio::test]
async fn a_column_of_no_kind_of_ours_is_refused() {
    onescan_store::statements! {
        FRACTION = "select 1, cast(0.5 as double precision)";
    }
    for database in databases().await {
        assert_eq!(ALL.len(), 1);
        let refused = database.db.query(&FRACTION, params![]).await;
        assert!(matches!(refused, Err(DbError::Decode { column: 1, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_refused_alike() {
    for database in databases().await {
        let refuse = |set: Vec<Value>| async {
            let result = database.db.query(&FIND, set).await;
            result.expect_err("refused").to_string()
        };
        assert_eq!(refuse(params![1]).await, "FIND: 1 parameters given, 2 needed");
        assert_eq!(refuse(params![1, 2]).await, "FIND: parameter id has the wrong kind");
    }
}

#[tokio::test]
async fn each_form_gives_rows_by_set_in_order() {
    for database in databases().await {
        insert(&database.db, &[("a", 1), ("b", 2), ("c", 3)]).await;
        let found: Result<_, DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    let sets = ["c", "none", "a", "c"].map(|id| params![1, id]).to_vec();
                    let found = tx.query_each(&FIND, sets.clone()).await?;
                    let locked = tx.query_each(&LOCK, sets).await?;
                    let listed = tx.query_each(&LIST, vec![params![9], params![1]]).await?;
                    let nothing = tx.query_each(&FIND, Vec::new()).await?;
                    let together = vec![
                        Call::one(&FIND, params![1, "b"]),
                        Call::each(&LIST, vec![params![1], params![9]]),
                        Call::each(&LOCK, Vec::new()),
                    ];
                    let together = tx.query_all(together).await?;
                    Ok((found, locked, listed, nothing, together))
                })
            })
            .await;
        let (found, locked, listed, nothing, together) = found.expect("it reads");
        let ids: Vec<_> = found.iter().map(|rows| texts(rows)).collect();
        assert_eq!(ids, [vec!["c"], vec![], vec!["a"], vec!["c"]]);
        let counts: Vec<_> = locked.iter().map(Vec::len).collect();
        assert_eq!(counts, [1, 0, 1, 1]);
        let lists: Vec<_> = listed.iter().map(|rows| texts(rows)).collect();
        assert_eq!(lists, [vec![], vec!["c", "b", "a"]]);
        assert_eq!(nothing, Vec::<Vec<Row>>::new());
        let together: Vec<Vec<_>> = together
            .iter()
            .map(|sets| sets.iter().map(|rows| texts(rows)).collect())
            .collect();
        assert_eq!(together, [vec![vec!["b"]], vec![vec!["c", "b", "a"], vec![]], vec![]]);
    }
}

#[tokio::test]
async fn returning_rows_find_their_set() {
    for database in databases().await {
        insert(&database.db, &[("a", 1), ("c", 3)]).await;
        let result: Result<_, DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    let sets = ["c", "d", "a", "e", "d"].map(|id| params![1, id, 7]).to_vec();
                    let new = tx.query_each(&INSERT_NEW, sets).await?;
                    let adds = vec![
                        params![-9, 1, "d"],
                        params![-7, 1, "e"],
                        params![5, 1, "a"],
                        params![5, 1, "none"],
                    ];
                    let added = tx.query_each(&ADD, adds).await?;
                    let sets = vec![params!["copy of a", 1, "a"], params!["copy of d", 1, "d"]];
                    let copied = tx.query_each(&COPY, sets).await?;
                    let sets = vec![params![1, "x"], params![1, "e"], params![1, "a"]];
                    let deleted = tx.query_each(&DELETE, sets).await?;
                    Ok((new, added, copied, deleted))
                })
            })
            .await;
        let (new, added, copied, deleted) = result.expect("it writes");
        let counts = |sets: &[Vec<Row>]| sets.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(&new), [0, 1, 0, 1, 0]);
        assert_eq!(new[3], [Row::new(params![7, 1, "e"])]);
        assert_eq!(counts(&added), [0, 1, 1, 0]);
        assert_eq!(added[2], [Row::new(params![6])]);
        assert_eq!(copied[1], [Row::new(params!["copy of d"])]);
        assert_eq!(counts(&deleted), [0, 1, 1]);
        assert_eq!(deleted[2], [Row::new(params!["a"])]);
        assert_eq!(total(&database.db).await, (4, 3 + 7 + 6 + 7));
    }
}

#[tokio::test]
async fn an_upsert_answers_for_the_sets_that_it_changed() {
    for database in databases().await {
        insert(&database.db, &[("a", 1), ("b", 200)]).await;
        let upsert = |ids: &'static [&'static str]| {
            database.db.write(move |tx| {
                let sets = ids.iter().map(|id| params![1, *id, 5]).collect();
                Box::pin(tx.query_each(&UPSERT, sets))
            })
        };
        let changed: Result<Vec<Vec<Row>>, DbError> = upsert(&["b", "c", "a"]).await;
        let row = |id: &str, balance: i64| vec![Row::new(params![id, balance, 1])];
        assert_eq!(changed, Ok(vec![vec![], row("c", 5), row("a", 6)]));
        let twice: Result<_, DbError> = upsert(&["a", "a"]).await;
        assert!(matches!(twice, Err(DbError::Parameters { .. })), "{twice:?}");
    }
}

#[tokio::test]
async fn executes_count_the_rows_they_touch() {
    for database in databases().await {
        insert(&database.db, &[("a", 1), ("b", 2)]).await;
        let result: Result<_, DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    let sets = ["a", "b", "none"].map(|id| params![10, 1, id]).to_vec();
                    let set = tx.execute_each(&SET, sets).await?;
                    let more = vec![params![1, "a", 1, 5], params![1, "z", 1, 5]];
                    let added = tx.execute_each(&INSERT_OR_ADD, more).await?;
                    let single = tx.execute(&SET, params![20, 1, "none"]).await?;
                    let all = tx
                        .execute_all(vec![
                            Call::one(&SET, params![30, 1, "b"]),
                            Call::each(&INSERT, accounts(&[("p", 1), ("q", 2)])),
                            Call::each(&SET, Vec::new()),
                            Call::each(&DELETE, vec![params![1, "p"], params![1, "nobody"]]),
                            Call::one(&OWN, params!["owner", 1, "q", 50]),
                            Call::each(&SET_TO_OWNER, vec![params![1, "q"], params![1, "owner"]]),
                        ])
                        .await?;
                    Ok((set, added, single, all))
                })
            })
            .await;
        assert_eq!(result, Ok((2, 2, 0, vec![1, 2, 0, 1, 1, 0])));
        assert_eq!(total(&database.db).await, (4, 15 + 30 + 1 + 2));
    }
}

#[tokio::test]
async fn two_sets_for_one_row_are_refused() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let result: Result<u64, DbError> = database
            .db
            .write(|tx| {
                let sets = vec![params![1, 1, "a"], params![2, 1, "a"]];
                Box::pin(tx.execute_each(&ADD, sets))
            })
            .await;
        assert_eq!(
            result.map_err(|error| error.to_string()),
            Err("ADD: two parameter sets change the same row".to_owned())
        );
        assert_eq!(total(&database.db).await, (1, 1));
    }
}

#[tokio::test]
async fn a_wrong_row_count_is_an_error_and_rolls_back() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let result: Result<(), DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute_one(&SET, params![5, 1, "a"]).await?;
                    tx.execute_one(&SET, params![5, 1, "none"]).await
                })
            })
            .await;
        let expected = DbError::RowCount {
            statement: "SET",
            expected: 1,
            touched: 0,
        };
        assert_eq!(result, Err(expected));
        let many = database.db.query_opt(&LIST, params![1]).await;
        assert_eq!(many, Ok(Some(Row::new(params!["a", 1]))));
        insert(&database.db, &[("b", 2)]).await;
        let many = database.db.query_opt(&LIST, params![1]).await;
        assert!(matches!(many, Err(DbError::RowCount { touched: 2, .. })));
    }
}

#[tokio::test]
async fn broken_constraints_have_one_name_on_both() {
    for database in databases().await {
        let db = &database.db;
        let tagged = |id: &'static str| params![1, id, 1, vec![7_u8]];
        assert_eq!(execute(db, &INSERT, tagged("a")).await, Ok(1));
        let unique = |name: &str| DbError::Unique {
            constraint: name.to_owned(),
        };
        for _ in 0..2 {
            assert_eq!(execute(db, &INSERT, tagged("b")).await, Err(unique("account_tag")));
            assert_eq!(
                execute(db, &INSERT, params![1, "a", 1, vec![8_u8]]).await,
                Err(unique("account_pkey"))
            );
        }
        let constraint = "account_balance_check".to_owned();
        assert_eq!(
            execute(db, &SET, params![-1, 1, "a"]).await,
            Err(DbError::Check { constraint })
        );
        let column = "account.balance".to_owned();
        assert_eq!(
            execute(db, &SET, params![None::<i64>, 1, "a"]).await,
            Err(DbError::NotNull { column })
        );
        assert_eq!(
            execute(db, &OWN, params!["o", 1, "nobody", 1]).await,
            Err(DbError::ForeignKey)
        );
        assert_eq!(execute(db, &OWN, params!["o", 1, "a", 1]).await, Ok(1));
        assert_eq!(
            execute(db, &OWN, params!["o", 1, "a", 1]).await,
            Err(unique("owner_pkey"))
        );
        assert_eq!(total(db).await, (1, 1));
    }
}

#[tokio::test]
async fn every_kind_of_unique_index_has_its_name() {
    for database in databases().await {
        for (row, name) in [
            (params![1, "A", 200], None),
            (params![2, "B", 200], Some("named_open")),
            (params![2, "B", 2], None),
            (params![3, "B", 2], Some("named_a_b_key")),
            (params![2, "C", 3], Some("named_pkey")),
        ] {
            let outcome = execute(&database.db, &NAME, row.clone()).await;
            let refusal = outcome.as_ref().err();
            let constraint = refusal.and_then(DbError::unique_constraint);
            assert_eq!(constraint, name, "{row:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn an_index_over_an_expression_has_its_name() {
    for database in databases().await {
        assert_eq!(execute(&database.db, &FOLD, params!["a", 1]).await, Ok(1));
        let refused = execute(&database.db, &FOLD, params!["A", 2]).await;
        let constraint = "folded_name".to_owned();
        assert_eq!(refused, Err(DbError::Unique { constraint }));
    }
}

#[derive(Debug, PartialEq)]
enum Refused {
    ByRule,
    Db(DbError),
}

impl From<DbError> for Refused {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

#[tokio::test]
async fn a_refusal_rolls_back() {
    for database in databases().await {
        let result: Result<(), Refused> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute_each_one(&INSERT, accounts(&[("a", 1)])).await?;
                    Err(Refused::ByRule)
                })
            })
            .await;
        assert_eq!(result, Err(Refused::ByRule));
        assert_eq!(total(&database.db).await, (0, 0));
    }
}

#[tokio::test]
async fn nothing_is_kept_after_a_failed_statement() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let result: Result<(), DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute_one(&SET, params![9, 1, "a"]).await?;
                    let again = tx.execute_each(&INSERT, accounts(&[("a", 1)])).await;
                    assert!(again.is_err());
                    let after = tx.execute(&SET, params![10, 1, "a"]).await;
                    assert_eq!(after, Err(DbError::Aborted));
                    Ok(())
                })
            })
            .await;
        assert_eq!(result, Err(DbError::Aborted));
        assert_eq!(total(&database.db).await, (1, 1));
    }
}

#[tokio::test]
async fn a_panic_rolls_back_and_the_next_write_runs() {
    for database in databases().await {
        let result: Result<(), DbError> = database
            .db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute_each_one(&INSERT, accounts(&[("a", 1)])).await?;
                    panic!("a bug in the work");
                })
            })
            .await;
        assert_eq!(result, Err(DbError::Broken));
        insert(&database.db, &[("b", 2)]).await;
        assert_eq!(total(&database.db).await, (1, 2));
    }
}

#[tokio::test]
async fn a_read_borrows_its_input() {
    for database in databases().await {
        insert(&database.db, &[("a", 1), ("b", 2)]).await;
        let ids = ["b".to_owned(), "none".to_owned()];
        let found: Result<Vec<Vec<Row>>, DbError> = database
            .db
            .read_with(ids.as_slice(), |tx, ids| {
                let sets = ids.iter().map(|id| params![1, id]).collect();
                Box::pin(tx.query_each(&FIND, sets))
            })
            .await;
        let row = Row::new(params!["b", 2, None::<i64>]);
        assert_eq!(found, Ok(vec![vec![row], vec![]]));
    }
}

#[tokio::test]
async fn reads_cannot_write() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let mut outcomes = Vec::new();
        outcomes.push(database.db.query(&SET, params![9, 1, "a"]).await.map(drop));
        let read: Result<u64, DbError> = database
            .db
            .read(|tx| Box::pin(tx.execute(&SET, params![9, 1, "a"])))
            .await;
        outcomes.push(read.map(drop));
        let read: Result<u64, DbError> = database
            .db
            .read_long(|tx| Box::pin(tx.execute(&SET, params![9, 1, "a"])))
            .await;
        outcomes.push(read.map(drop));
        for outcome in outcomes {
            assert_eq!(outcome, Err(DbError::ReadOnly));
        }
        assert_eq!(total(&database.db).await, (1, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_does_not_move() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let db = database.db.clone();
        let runtime = tokio::runtime::Handle::current();
        let seen: Result<_, DbError> = database
            .db
            .read_long(move |tx| {
                Box::pin(async move {
                    let before = tx.query_one(&COUNT, params![]).await?;
                    let writer = std::thread::spawn(move || {
                        runtime.block_on(insert(&db, &[("b", 2)]));
                    });
                    writer.join().expect("the other write is done");
                    Ok((before, tx.query_one(&COUNT, params![]).await?))
                })
            })
            .await;
        let (before, after) = seen.expect("it reads");
        assert_eq!(before, after);
        assert_eq!(total(&database.db).await, (2, 3));
    }
}

#[tokio::test]
async fn a_snapshot_holds_for_short_reads() {
    for database in databases().await {
        insert(&database.db, &[("a", 1)]).await;
        let db = database.db.clone();
        let seen: Result<_, DbError> = database
            .db
            .read_snapshot(move |tx| {
                Box::pin(async move {
                    let before = tx.query_one(&COUNT, params![]).await?;
                    insert(&db, &[("b", 2)]).await;
                    Ok((before, tx.query_one(&COUNT, params![]).await?))
                })
            })
            .await;
        let (before, after) = seen.expect("it reads");
        assert_eq!(before, after);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_write() {
    for database in databases().await {
        let gate = match database.db.engine() {
            Engine::Sqlite => Some(hold_writer(&database.db).await),
            Engine::Postgres => None,
        };
        let insert = database.db.write_with(accounts(&[("a", 1)]), |tx, sets| {
            Box::pin(async move { tx.execute_each_one(&INSERT, sets.clone()).await })
        });
        let mut insert: std::pin::Pin<Box<dyn Future<Output = Result<(), DbError>>>> = Box::pin(insert);
        // Polled once, so that it is accepted; then dropped.
        let waits = futures_now(insert.as_mut());
        assert!(waits, "the write cannot be done at once");
        drop(insert);
        if let Some(gate) = gate {
            gate.open().await;
        }
        while database.db.stats().queue_length > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(total(&database.db).await, (1, 1));
    }
}

/// Polls once; whether the future still waits.
fn futures_now<T>(future: std::pin::Pin<&mut dyn Future<Output = T>>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut context).is_pending()
}

/// Keeps SQLite's writer inside a work until told to go on.
struct Gate {
    open: std::sync::mpsc::Sender<()>,
    held: tokio::task::JoinHandle<Result<(), DbError>>,
}

async fn hold_writer(db: &Db) -> Gate {
    let (open, wait) = std::sync::mpsc::channel();
    let (started, has_started) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let db = db.clone();
    let held = tokio::spawn(async move {
        db.write(move |_| {
            started.send(()).expect("the test waits");
            let wait = wait.lock().expect("one at a time");
            wait.recv().expect("the test opens the gate");
            Box::pin(async { Ok(()) })
        })
        .await
    });
    tokio::task::spawn_blocking(move || has_started.recv())
        .await
        .expect("the waiting thread lives")
        .expect("the work starts");
    Gate { open, held }
}

impl Gate {
    async fn open(self) {
        self.open.send(()).expect("the writer waits");
        let held = self.held.await.expect("the task lives");
        assert_eq!(held, Ok(()));
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let database = sqlite(|config| config.queue_length = 2).await;
    let db = &database.db;
    let gate = hold_writer(db).await;
    let waiting: Vec<_> = ["a", "b"]
        .map(|id| {
            tokio::spawn({
                let db = db.clone();
                async move { execute(&db, &INSERT, params![1, id, 1, None::<Vec<u8>>]).await }
            })
        })
        .into();
    while db.stats().queue_length < 3 {
        tokio::task::yield_now().await;
    }
    let refused = execute(db, &INSERT, params![1, "c", 1, None::<Vec<u8>>]).await;
    assert_eq!(refused, Err(DbError::Busy));
    gate.open().await;
    for write in waiting {
        assert_eq!(write.await.expect("the task lives"), Ok(1));
    }
    assert_eq!(total(db).await, (2, 2));
}

#[tokio::test]
async fn waiting_writes_share_a_commit_and_one_refusal_costs_the_others_nothing() {
    let database = sqlite(|_| {}).await;
    let db = &database.db;
    insert(db, &[("taken", 1)]).await;
    let gate = hold_writer(db).await;
    let before = db.stats();
    let waiting: Vec<_> = ["a", "taken", "b"]
        .map(|id| {
            tokio::spawn({
                let db = db.clone();
                async move {
                    db.write(move |tx| {
                        Box::pin(async move {
                            tx.execute_one(&INSERT, params![1, format!("{id}-1"), 10, None::<Vec<u8>>])
                                .await?;
                            tx.execute_one(&INSERT, params![1, id, 10, None::<Vec<u8>>]).await
                        })
                    })
                    .await
                }
            })
        })
        .into();
    while db.stats().queue_length < 4 {
        tokio::task::yield_now().await;
    }
    gate.open().await;
    let mut outcomes: Vec<Result<(), DbError>> = Vec::new();
    for write in waiting {
        outcomes.push(write.await.expect("the task lives"));
    }
    let constraint = "account_pkey".to_owned();
    assert_eq!(outcomes, [Ok(()), Err(DbError::Unique { constraint }), Ok(())]);
    assert_eq!(total(db).await, (5, 41));
    let after = db.stats();
    assert_eq!(after.commits - before.commits, 2, "the gate's and the batch's");
    assert_eq!(after.last_batch_works, 2);
    assert_eq!(after.queue_length, 0);
}

#[tokio::test]
async fn a_full_disk_answers_not_done_and_recovers() {
    onescan_store::statements! {
        LIMIT = "pragma max_page_count = 20";
        NO_LIMIT = "pragma max_page_count = 1000000";
    }
    let database = sqlite(|_| {}).await;
    let db = &database.db;
    insert(db, &[("before", 1)]).await;
    let set_limit = |statement| async move {
        let result: Result<Vec<Row>, DbError> = db.write(move |tx| Box::pin(tx.query(statement, params![]))).await;
        result.expect("the limit is set");
    };
    assert_eq!(ALL.len(), 2);
    set_limit(&LIMIT).await;
    let gate = hold_writer(db).await;
    let large = |id: &'static str, size: usize| {
        let db = db.clone();
        tokio::spawn(async move { execute(&db, &INSERT, params![1, id, 1, vec![0_u8; size]]).await })
    };
    let waiting = [large("small", 1), large("large", 1_000_000), large("next", 2)];
    while db.stats().queue_length < 4 {
        tokio::task::yield_now().await;
    }
    gate.open().await;
    for write in waiting {
        let outcome = write.await.expect("the task lives");
        let error = outcome.expect_err("the whole batch is lost");
        assert!(error.is_retryable(), "{error}");
    }
    assert_eq!(total(db).await, (1, 1));
    assert_eq!(db.stats().failed_commits, 1);
    insert(db, &[("small enough", 2)]).await;
    set_limit(&NO_LIMIT).await;
    assert_eq!(large("large", 1_000_000).await.expect("the task lives"), Ok(1));
    assert_eq!(total(db).await, (3, 4));
}

#[tokio::test]
async fn the_log_is_copied_back_as_it_grows() {
    let database = sqlite(|config| config.checkpoint_pages = 20).await;
    let db = &database.db;
    for round in 0..10 {
        let id = format!("{round}");
        let inserted = execute(db, &INSERT, params![1, id, 1, vec![round; 40_000]]).await;
        assert_eq!(inserted, Ok(1));
    }
    db.close().await;
    let stats = db.stats();
    assert!(stats.checkpoints >= 4, "{stats:?}");
    assert!(stats.wal_pages < 60, "{stats:?}");
}

#[tokio::test]
async fn a_closed_database_refuses_writes_and_keeps_what_it_answered() {
    let database = sqlite(|_| {}).await;
    insert(&database.db, &[("a", 1)]).await;
    database.db.close().await;
    let refused = execute(&database.db, &SET, params![1, 1, "a"]).await;
    assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
    let again = Db::open(&database.config).await.expect("it opens again");
    assert_eq!(total(&again).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_lose_nothing() {
    for database in databases().await {
        insert(&database.db, &[("a", 1_000), ("b", 1_000)]).await;
        let transfers: Vec<_> = (0..60_i64)
            .map(|number| {
                let db = database.db.clone();
                tokio::spawn(async move {
                    let (from, to) = if number % 2 == 0 { ("a", "b") } else { ("b", "a") };
                    let result: Result<(), DbError> = db
                        .write(move |tx| {
                            Box::pin(async move {
                                let in_order = ["a", "b"].map(|id| params![1, id]).to_vec();
                                tx.query_each(&LOCK, in_order).await?;
                                tx.execute_one(&ADD, params![-number, 1, from]).await?;
                                tx.execute_one(&ADD, params![number, 1, to]).await
                            })
                        })
                        .await;
                    result
                })
            })
            .collect();
        for transfer in transfers {
            assert_eq!(transfer.await.expect("the task lives"), Ok(()));
        }
        assert_eq!(total(&database.db).await, (2, 2_000));
        let moved = database.db.query_one(&FIND, params![1, "a"]).await;
        // Even numbers leave a, odd ones arrive: 0 - 1 + 2 - 3 … - 59 = -30.
        assert_eq!(moved.and_then(|row| row.int(1)), Ok(1_030));
    }
}

#[tokio::test]
async fn postgres_tries_again_after_a_deadlock() {
    for database in databases().await {
        if database.db.engine() != Engine::Postgres {
            continue;
        }
        insert(&database.db, &[("a", 100), ("b", 100)]).await;
        let both_hold_one = Arc::new(tokio::sync::Barrier::new(2));
        let transfers = [("a", "b"), ("b", "a")].map(|(from, to)| {
            let (db, barrier) = (database.db.clone(), Arc::clone(&both_hold_one));
            let works = AtomicU32::new(0);
            tokio::spawn(async move {
                let result: Result<(), DbError> = db
                    .write(move |tx| {
                        let first = works.fetch_add(1, Ordering::SeqCst) == 0;
                        let barrier = Arc::clone(&barrier);
                        Box::pin(async move {
                            tx.execute_one(&ADD, params![-1, 1, from]).await?;
                            if first {
                                barrier.wait().await;
                            }
                            tx.execute_one(&ADD, params![1, 1, to]).await
                        })
                    })
                    .await;
                result
            })
        });
        for transfer in transfers {
            assert_eq!(transfer.await.expect("the task lives"), Ok(()));
        }
        assert!(database.db.stats().retries > 0);
        assert_eq!(total(&database.db).await, (2, 200));
    }
}

/// The works run so far.
fn counted(works: &Arc<AtomicU32>) -> u32 {
    works.load(Ordering::SeqCst)
}

#[tokio::test]
async fn postgres_tries_again_after_a_lost_connection() {
    onescan_store::statements! {
        END_SESSION = "select pg_terminate_backend(pg_backend_pid())";
    }
    for database in databases().await {
        if database.db.engine() != Engine::Postgres {
            continue;
        }
        assert_eq!(ALL.len(), 1);
        insert(&database.db, &[("a", 1)]).await;
        let works = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&works);
        let result: Result<(), DbError> = database
            .db
            .write(move |tx| {
                let first = works.fetch_add(1, Ordering::SeqCst) == 0;
                Box::pin(async move {
                    tx.execute_one(&ADD, params![1, 1, "a"]).await?;
                    if first {
                        tx.query(&END_SESSION, params![]).await?;
                    }
                    Ok(())
                })
            })
            .await;
        assert_eq!(result, Ok(()));
        assert_eq!(counted(&seen), 2);
        assert_eq!(total(&database.db).await, (1, 2));
        assert_eq!(database.db.stats().retries, 1);
    }
}

#[tokio::test]
async fn postgres_calls_a_commit_without_an_answer_unknown() {
    for database in databases().await {
        let DbConfig::Postgres(config) = &database.config else {
            continue;
        };
        let cut = cut_at_commit::start(&config.url).await;
        let mut through = config.clone();
        through.url = cut.url(&config.url);
        let db = Db::open(&DbConfig::Postgres(through)).await.expect("it opens");
        let result = execute(&db, &INSERT, params![1, "a", 1, None::<Vec<u8>>]).await;
        assert!(matches!(result, Err(DbError::UnknownOutcome(_))), "{result:?}");
        assert_eq!(db.stats().failed_commits, 1);
    }
}

/// A relay that ends the connection when it sees a commit pass by.
mod cut_at_commit {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    pub struct Cut {
        port: u16,
    }

    pub async fn start(url: &str) -> Cut {
        let config: tokio_postgres::Config = url.parse().expect("an address");
        let server = ("127.0.0.1", config.get_ports()[0]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server");
                tokio::spawn(relay(client, server));
            }
        });
        Cut { port }
    }

    impl Cut {
        pub fn url(&self, url: &str) -> String {
            let old: tokio_postgres::Config = url.parse().expect("an address");
            let user = old.get_user().expect("a user");
            let database = old.get_dbname().expect("a database");
            format!("host=127.0.0.1 port={} user={user} dbname={database}", self.port)
        }
    }

    async fn relay(mut client: TcpStream, mut server: TcpStream) {
        let (mut from_client, mut from_server) = ([0; 4_096], [0; 4_096]);
        loop {
            tokio::select! {
                length = client.read(&mut from_client) => {
                    let Ok(length @ 1..) = length else { return };
                    let sent = &from_client[..length];
                    if sent.windows(7).any(|word| word == b"commit\0") {
                        return;
                    }
                    server.write_all(sent).await.expect("the server reads");
                }
                length = server.read(&mut from_server) => {
                    let Ok(length @ 1..) = length else { return };
                    client.write_all(&from_server[..length]).await.expect("the client reads");
                }
            }
        }
    }
}

#[tokio::test]
async fn postgres_refuses_at_once_when_too_many_wait() {
    for database in databases().await {
        let DbConfig::Postgres(config) = &database.config else {
            continue;
        };
        let mut narrow = config.clone();
        (narrow.write_connections, narrow.queue_length) = (1, 1);
        let db = Db::open(&DbConfig::Postgres(narrow)).await.expect("it opens");
        let hold = Arc::new(tokio::sync::Barrier::new(2));
        let holding = tokio::spawn({
            let (db, hold) = (db.clone(), Arc::clone(&hold));
            async move {
                db.write(move |tx| {
                    let hold = Arc::clone(&hold);
                    Box::pin(async move {
                        hold.wait().await;
                        hold.wait().await;
                        tx.execute_each(&INSERT, accounts(&[("a", 1)])).await
                    })
                })
                .await
            }
        });
        hold.wait().await;
        let insert = |id: &'static str| {
            let db = db.clone();
            tokio::spawn(async move { execute(&db, &INSERT, params![1, id, 1, None::<Vec<u8>>]).await })
        };
        let (one, other) = (insert("b"), insert("c"));
        // One waits, the other is refused; only then may the first go on.
        while db.stats().queue_length > 2 || !(one.is_finished() || other.is_finished()) {
            tokio::task::yield_now().await;
        }
        hold.wait().await;
        let held: Result<u64, DbError> = holding.await.expect("the task lives");
        assert_eq!(held, Ok(1));
        let mut outcomes = [one.await.expect("it lives"), other.await.expect("it lives")];
        outcomes.sort_by_key(Result::is_err);
        assert_eq!(outcomes, [Ok(1), Err(DbError::Busy)]);
    }
}

#[tokio::test]
async fn postgres_limits_the_wait_for_a_lock() {
    for database in databases().await {
        let DbConfig::Postgres(config) = &database.config else {
            continue;
        };
        insert(&database.db, &[("a", 1)]).await;
        let mut hasty = config.clone();
        hasty.lock_timeout = Duration::from_millis(20);
        let hasty = Db::open(&DbConfig::Postgres(hasty)).await.expect("it opens");
        let result: Result<Result<u64, DbError>, DbError> = database
            .db
            .write(move |tx| {
                let hasty = hasty.clone();
                Box::pin(async move {
                    tx.query_one(&LOCK, params![1, "a"]).await?;
                    assert_eq!(tx.query(&LOCK_FREE, params![1]).await?.len(), 1);
                    Ok(execute(&hasty, &SET, params![5, 1, "a"]).await)
                })
            })
            .await;
        let other = result.expect("the holder commits");
        assert!(matches!(other, Err(DbError::Unavailable(_))), "{other:?}");
    }
}

const SECOND: Migration = Migration {
    file: "0002_note",
    sqlite: "create table note (id text primary key); insert into note values ('here');",
    postgres: "create table note (id text primary key); insert into note values ('here');",
};
const SECOND_CHANGED: Migration = Migration {
    sqlite: "create table note (id text primary key);",
    postgres: "create table note (id text primary key);",
    ..SECOND
};
const THIRD_WRONG: Migration = Migration {
    file: "0003_wrong",
    sqlite: "create table half (id text); select wrong;",
    postgres: "create table half (id text); select wrong;",
};

#[tokio::test]
async fn the_programs_own_migrations_run() {
    for database in TestDatabase::all().await.expect("databases open") {
        let migrator = Migrator::new(&database.db, MIGRATIONS);
        let files: Vec<_> = MIGRATIONS.iter().map(|migration| migration.file).collect();
        assert_eq!(migrator.apply(1).await, Ok(files));
        assert_eq!(migrator.dry_run().await, Ok(vec![]));
    }
}

#[tokio::test]
async fn migrations_run_once_and_in_order() {
    for database in databases().await {
        let migrator = Migrator::new(&database.db, &[FIRST, SECOND]);
        assert_eq!(migrator.dry_run().await, Ok(vec!["0002_note"]));
        let status = |second| {
            let first = MigrationState::Applied { at_ms: 1 };
            Ok(vec![("0001_account", first), ("0002_note", second)])
        };
        assert_eq!(migrator.status().await, status(MigrationState::Pending));
        assert_eq!(migrator.apply(2).await, Ok(vec!["0002_note"]));
        let applied = MigrationState::Applied { at_ms: 2 };
        assert_eq!(migrator.status().await, status(applied));
        assert_eq!(migrator.apply(3).await, Ok(vec![]));
    }
}

#[tokio::test]
async fn migrations_refuse_what_does_not_fit() {
    for database in databases().await {
        let db = &database.db;
        let both = Migrator::new(db, &[FIRST, SECOND]).apply(2).await;
        assert_eq!(both, Ok(vec!["0002_note"]));
        let name = "0002_note".to_owned();
        let older = Migrator::new(db, &[FIRST]).apply(3).await;
        assert_eq!(older, Err(MigrateError::Newer { name: name.clone() }));
        let changed = Migrator::new(db, &[FIRST, SECOND_CHANGED]).status().await;
        assert_eq!(changed, Err(MigrateError::Changed { name }));
    }
}

#[tokio::test]
async fn a_migration_between_old_ones_is_refused() {
    const LATE: Migration = Migration {
        file: "0000_late",
        ..SECOND
    };
    for database in databases().await {
        let name = "0000_late".to_owned();
        let late = Migrator::new(&database.db, &[LATE, FIRST]).apply(3).await;
        assert_eq!(late, Err(MigrateError::LeftOut { name }));
    }
}

#[tokio::test]
async fn a_failed_migration_leaves_nothing_behind() {
    for database in databases().await {
        let migrator = Migrator::new(&database.db, &[FIRST, SECOND, THIRD_WRONG]);
        let failed = migrator.apply(2).await;
        assert!(
            matches!(&failed, Err(MigrateError::Failed { name, .. }) if name == "0003_wrong"),
            "{failed:?}"
        );
        assert_eq!(migrator.dry_run().await, Ok(vec!["0003_wrong"]));
        let half = execute(&database.db, &HALF, params![]).await;
        assert!(matches!(half, Err(DbError::Sql { .. })), "{half:?}");
    }
}

static HALF: onescan_store::statement::Statement =
    onescan_store::statement::Statement::new("HALF", "insert into half values ('x')");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_starting_at_once_take_turns() {
    for database in TestDatabase::all().await.expect("databases open") {
        let starts: Vec<_> = (0..4)
            .map(|now| {
                let db = database.db.clone();
                tokio::spawn(async move { Migrator::new(&db, &[FIRST, SECOND]).apply(now).await })
            })
            .collect();
        let mut ran = Vec::new();
        for start in starts {
            ran.extend(start.await.expect("the task lives").expect("it migrates"));
        }
        ran.sort_unstable();
        assert_eq!(ran, ["0001_account", "0002_note"]);
    }
}
