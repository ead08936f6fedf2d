//! Times the pay path without HTTP: codes made, codes looked up, payments in batches, merchants' sides.
//!
//! `cargo run --release -p onescan-store --example pay_path -- [people] [batch] [lanes] [checkpoint pages]`; with
//! `ONESCAN_TEST_POSTGRES_URL` in the environment also on PostgreSQL. Prints microseconds of one lane per payment.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use onescan_domain::bucket::Bucket;
use onescan_domain::calendar::LocalTime;
use onescan_domain::codes::{Categories, CodeKind, CodeRecord, CodeRecordId, RecordHolder, RecordState, Scenario};
use onescan_domain::identity::{IdentityId, IdentityKind};
use onescan_domain::ids::{
    AccountId, CodeId, EventId, KeyId, MerchantId, PaymentId, PersonId, RawId, ScenarioId, StoreId, TerminalId,
    TransferId,
};
use onescan_domain::merchants::GuardLimits;
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::PaymentState;
use onescan_domain::payments::batch::{Capture, PayCommand, Permit, PermittedScenario};
use onescan_domain::payments::ledger::{AccountKind, Phase, Transfer, TransferKind, house_account};
use onescan_domain::policy::Policy;
use onescan_platforms::codes::{Access, CodeKey, CodeStore, NewCode};
use onescan_platforms::payments::{Idempotency, NewAccount, PaymentStore};
use onescan_store::config::{DbConfig, SqliteConfig};
use onescan_store::db::{Db, Engine};
use onescan_store::error::DbError;
use onescan_store::migrate::{MIGRATIONS, Migrator};
use onescan_store::testing::{POSTGRES_URL, TestDatabase};
use onescan_store::{Store, params, statements};

type Failure = Box<dyn Error + Send + Sync>;

const BUCKETS: u16 = 1;
const TILLS: i64 = 32;
const START: i64 = 1_790_000_000_000;
const POLICY: &str = "amount <= 5000\namount_day <= 20000\ncount_day <= 20";

statements! {
    INSERT_KEY = "insert into access_keys (bucket, id, kind, holder_id, name, secret_hash, created_at)
        values (:bucket, :id::text, 'terminal', :holder::text, 'till', '', :created_at)";
    INSERT_MERCHANT = "insert into merchants (bucket, id, name, category, currency, account_id, created_at)
        values (:bucket, :id::text, 'shop', 5812, 'EUR', :account::text, :created_at)";
    INSERT_ACCOUNT = "insert into accounts
        (bucket, id, kind, owner_id, name, currency, posted_minor, held_minor, created_at)
        values (:bucket, :id::text, :kind::text, :owner::text, '', 'EUR', 0, 0, :created_at)";
}

#[derive(Clone, Copy)]
struct Size {
    people: i64,
    batch: usize,
    lanes: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let number = |place: usize, default: usize| numbers.get(place).copied().unwrap_or(default);
    let size = Size {
        people: i64::try_from(number(0, 10_000))?,
        batch: number(1, 64),
        lanes: number(2, 1),
    };
    tracing::subscriber::set_global_default(PhaseTimes)?;
    let directory = scratch_directory()?;
    let mut config = SqliteConfig::new(directory.join("onescan.db"));
    config.checkpoint_pages = number(3, usize::try_from(config.checkpoint_pages)?) as u64;
    let outcome = run(Db::open(&DbConfig::Sqlite(config)).await?, size).await;
    std::fs::remove_dir_all(&directory)?;
    outcome?;
    if let Ok(url) = std::env::var(POSTGRES_URL) {
        let database = TestDatabase::postgres(&url).await?;
        run(database.db.clone(), size).await?;
    }
    Ok(())
}

fn scratch_directory() -> Result<PathBuf, Failure> {
    let base = std::env::var_os("ONESCAN_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = base.join(format!("onescan_pay_path_{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

async fn run(db: Db, size: Size) -> Result<(), Failure> {
    Migrator::new(&db, MIGRATIONS).apply(START).await?;
    let engine = match db.engine() {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    println!(
        "{engine}: {} people, {} a batch, {} lanes",
        size.people, size.batch, size.lanes
    );
    let store = Store::new(db);
    make_tills(&store).await?;
    make_people(&store, size.people).await?;
    for round in 1..=3 {
        let codes: Vec<NewCode> = (0..size.people).map(|person| new_code(person, round)).collect();
        let keys: Vec<CodeKey> = codes.iter().map(|code| code.key.clone()).collect();
        let batches = codes.chunks(size.batch).map(<[NewCode]>::to_vec);
        let store_ref = &store;
        let made = in_lanes(1, batches, async |batch| {
            store_ref.insert_codes(batch).await.map_err(Failure::from)
        })
        .await?;
        let batches = keys.chunks(size.batch).map(<[CodeKey]>::to_vec);
        let looked_up = in_lanes(1, batches, async |batch| {
            let found = store_ref.load_codes(batch).await?;
            assert!(found.iter().all(Option::is_some), "every code is found");
            Ok(())
        })
        .await?;
        pay_round(&store, size, round).await?;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / size.people as f64;
        println!(
            "  codes made {:.1} us, looked up {:.1} us each",
            each(made),
            each(looked_up)
        );
        post_round(&store, size).await?;
    }
    for report in store.audit().await? {
        assert!(report.breaches.is_empty(), "{}: {:?}", report.name, report.breaches);
    }
    store.db().close().await;
    Ok(())
}

async fn pay_round(store: &Store, size: Size, round: i64) -> Result<(), Failure> {
    let policy = Arc::new(Policy::parse(POLICY)?);
    let commands: Vec<PayCommand> = (0..size.people).map(|person| command(person, round, &policy)).collect();
    let batches: Vec<Vec<PayCommand>> = commands.chunks(size.batch).map(<[PayCommand]>::to_vec).collect();
    PHASES.iter().for_each(|phase| phase.store(0, Ordering::Relaxed));
    let (before, used) = (store.db().stats(), Used::now()?);
    let taken = in_lanes(size.lanes, batches, async |batch| {
        for answer in store.pay(batch, GuardLimits::default()).await? {
            assert!(
                matches!(answer?.payment.state, PaymentState::Paid { .. }),
                "every payment is paid"
            );
        }
        Ok(())
    })
    .await?;
    let payments = size.people as f64;
    let [load, decide, write] = PHASES
        .each_ref()
        .map(|phase| phase.load(Ordering::Relaxed) as f64 / payments);
    let used = Used::now()?.since(used);
    let commit = (store.db().stats().commit_us - before.commit_us) as f64 / payments;
    println!(
        "  {:.0} payments/s, {:.1} us each: load {load:.1}, decide {decide:.1}, write {write:.1}, commit {commit:.1}; \
         this process used {:.1} us CPU and wrote {:.1} KiB for each",
        payments / taken.as_secs_f64(),
        taken.as_secs_f64() * 1e6 / payments,
        used.cpu_us / payments,
        used.written_kib / payments,
    );
    Ok(())
}

async fn post_round(store: &Store, size: Size) -> Result<(), Failure> {
    let clock = Watch::start();
    let mut posted = 0;
    while let done @ 1.. = store.post_merchant_side(i64::MAX / 2, 256).await? {
        posted += done;
    }
    assert_eq!(posted, size.people as u64, "every payment reaches its merchant");
    println!(
        "  merchants' side {:.1} us each",
        clock.elapsed().as_secs_f64() * 1e6 / posted as f64
    );
    Ok(())
}

/// Works the batches off in `lanes` tasks at a time.
async fn in_lanes<B, F>(lanes: usize, batches: impl IntoIterator<Item = B>, work: F) -> Result<Duration, Failure>
where
    F: AsyncFn(B) -> Result<(), Failure>,
{
    let clock = Watch::start();
    let mut queues: Vec<Vec<B>> = Vec::new();
    queues.resize_with(lanes, Vec::new);
    for (place, batch) in batches.into_iter().enumerate() {
        queues[place % lanes].push(batch);
    }
    let work = &work;
    let lanes = queues.into_iter().map(async |queue| {
        for batch in queue {
            work(batch).await?;
        }
        Ok::<(), Failure>(())
    });
    futures_util::future::try_join_all(lanes).await?;
    Ok(clock.elapsed())
}

/// What the kernel counts for this process; a clock tick is taken for 10 ms.
#[derive(Clone, Copy)]
struct Used {
    cpu_us: f64,
    written_kib: f64,
}

impl Used {
    fn now() -> Result<Self, Failure> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|text| text.parse::<f64>().ok()).sum();
        let io = std::fs::read_to_string("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        let written: f64 = written.unwrap_or("0").parse()?;
        Ok(Self {
            cpu_us: ticks * 10_000.0,
            written_kib: written / 1024.0,
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            cpu_us: self.cpu_us - before.cpu_us,
            written_kib: self.written_kib - before.written_kib,
        }
    }
}

#[derive(Clone, Copy)]
struct Watch(Instant);

#[expect(clippy::disallowed_methods, reason = "measures, decides nothing")]
impl Watch {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The `number`th id of a person's bucket, made `at`.
fn raw(bucket: Bucket, at: i64, number: i64) -> RawId {
    // Spreads the low bits as random ones would be.
    RawId::from_parts(at, bucket, (number as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c))
}

fn home(person: i64) -> Bucket {
    Bucket::new((person * 37 % i64::from(BUCKETS)) as u16).expect("below 4096")
}

fn person_id(person: i64) -> PersonId {
    PersonId::new(raw(home(person), START, person))
}

fn account_id(person: i64) -> AccountId {
    AccountId::new(raw(home(person), START, person))
}

fn scenario_id(person: i64) -> ScenarioId {
    ScenarioId::new(raw(home(person), START, person))
}

fn record_id(person: i64) -> CodeRecordId {
    CodeRecordId::from_stored(format!("r{}", person_id(person).stored()))
}

fn code_id(person: i64, round: i64) -> CodeId {
    CodeId::new(raw(home(person), moment(person, round), person))
}

/// Codes are shown one after the other, about a thousand a second.
fn moment(person: i64, round: i64) -> i64 {
    START + round * 100_000_000 + person
}

fn till(number: i64) -> (MerchantId, TerminalId, KeyId) {
    let shop = number / 4;
    let bucket = home(shop * 11);
    (
        MerchantId::new(raw(bucket, START - 5, shop)),
        TerminalId::new(raw(bucket, START, number)),
        KeyId::new(raw(bucket, START, number)),
    )
}

async fn make_tills(store: &Store) -> Result<(), Failure> {
    for number in 0..TILLS {
        let (merchant, terminal, key) = till(number);
        let bucket = key.bucket().number();
        let first_of_shop = number % 4 == 0;
        let made: Result<(), DbError> = store
            .db()
            .write(move |tx| {
                Box::pin(async move {
                    let key = params![bucket, key.stored(), terminal.stored(), START];
                    tx.execute_one(&INSERT_KEY, key).await?;
                    if first_of_shop {
                        let account = AccountId::new(merchant.raw());
                        let row = params![bucket, merchant.stored(), account.stored(), START];
                        tx.execute_one(&INSERT_MERCHANT, row).await?;
                        let row = params![bucket, account.stored(), "merchant", merchant.stored(), START];
                        tx.execute_one(&INSERT_ACCOUNT, row).await?;
                    }
                    Ok(())
                })
            })
            .await;
        made?;
    }
    Ok(())
}

/// Everybody gets a record, a scenario and money. Many at a time, so that they share commits.
async fn make_people(store: &Store, people: i64) -> Result<(), Failure> {
    for chunk in (0..people).collect::<Vec<_>>().chunks(64) {
        let making = chunk.iter().map(|person| make_person(store, *person));
        futures_util::future::try_join_all(making).await?;
    }
    Ok(())
}

async fn make_person(store: &Store, person: i64) -> Result<(), Failure> {
    let record = CodeRecord {
        id: record_id(person),
        bucket: home(person),
        holder: RecordHolder::Person {
            person: person_id(person),
            identity: IdentityId::new(IdentityKind::UserNumber, &format!("U{person}"))?,
        },
        account: account_id(person),
        currency: Currency::EUR,
        time_zone: "Europe/Berlin".to_owned(),
        state: RecordState::Active,
        created_at: START,
    };
    store.insert_record(&record).await?;
    let scenario = Scenario {
        id: scenario_id(person),
        record: record.id,
        name: "meals".to_owned(),
        categories: Categories::parse("5811-5814")?,
        policy: Policy::parse(POLICY)?,
        created_at: START,
    };
    store.put_scenario(home(person), &scenario).await?;
    let account = NewAccount {
        id: account_id(person),
        kind: AccountKind::Person,
        owner: person_id(person).stored(),
        name: "own".to_owned(),
        currency: Currency::EUR,
    };
    store.insert_account(&account, START).await?;
    let top_up = Transfer {
        id: TransferId::new(raw(home(person), START - 1, person)),
        debit: house_account(AccountKind::Bank, home(person), Currency::EUR),
        credit: account.id,
        amount: Money::new(100_000, Currency::EUR),
        kind: TransferKind::TopUp,
        phase: Phase::Posted,
        payment: None,
        corrects: None,
        created_at: START,
    };
    let idempotency = Idempotency {
        caller: "bench".to_owned(),
        key: format!("top-up-{person}"),
        fingerprint: String::new(),
    };
    store.move_money(top_up, idempotency).await??;
    Ok(())
}

fn new_code(person: i64, round: i64) -> NewCode {
    let created_at = moment(person, round);
    NewCode {
        key: CodeKey {
            bucket: home(person),
            slot: created_at / 1_000,
            number: person,
        },
        id: code_id(person, round),
        record: record_id(person),
        access: Access {
            person: person_id(person),
            member: None,
            device: format!("device-{person}"),
            address: "192.0.2.7".to_owned(),
            location: None,
        },
        created_at,
        pay_until: created_at + 75_000,
    }
}

fn command(person: i64, round: i64, policy: &Arc<Policy>) -> PayCommand {
    let bucket = home(person);
    let at = moment(person, round) + 3_000;
    let (merchant, terminal, key) = till(person % TILLS);
    PayCommand {
        payment: PaymentId::new(raw(bucket, at, person * 4 + 1)),
        transfer: TransferId::new(raw(bucket, at, person * 4 + 2)),
        event: EventId::new(raw(bucket, at, person * 4 + 3)),
        at,
        local: LocalTime {
            day: 20_700,
            month: 680,
            minute: 720,
        },
        key,
        terminal,
        merchant,
        store: StoreId::new(merchant.raw()),
        category: 5812,
        city: "Berlin".to_owned(),
        order_number: format!("{round}-{person}"),
        amount: Money::new(1_250, Currency::EUR),
        subject: Some("lunch".to_owned()),
        capture: Capture::Now,
        idempotency_key: format!("key-{round}-{person}"),
        fingerprint: format!("{:064x}", person * 4 + round),
        permit: Some(Permit {
            code: code_id(person, round),
            record: record_id(person),
            kind: CodeKind::User,
            person: person_id(person),
            member: None,
            account: account_id(person),
            currency: Currency::EUR,
            time_zone: "Europe/Berlin".to_owned(),
            scenario: Some(PermittedScenario {
                id: scenario_id(person),
                name: "meals".to_owned(),
                policy: Arc::clone(policy),
                calendar: onescan_domain::calendar::WorkCalendar::default(),
            }),
            refusal: None,
        }),
    }
}

/// Microseconds that batches of payments spent loading, deciding, writing.
static PHASES: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
const PHASE_FIELDS: [&str; 3] = ["load_us", "decide_us", "write_us"];

/// Listens to what the store tells about its batches, and to nothing else.
struct PhaseTimes;

impl tracing::Subscriber for PhaseTimes {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "onescan_store::payments::pay"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut PhaseFields);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

struct PhaseFields;

impl tracing::field::Visit for PhaseFields {
    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        if let Some(place) = PHASE_FIELDS.iter().position(|name| *name == field.name()) {
            PHASES[place].fetch_add(value, Ordering::Relaxed);
        }
    }

    fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
}
