//! A batch of payments in one transaction: loads the books, decides in order, writes, and answers after the commit.
//!
//! Accounts are locked first and in order of their ids: whoever pays from the same account waits there, and reads
//! everything else as it stands after the one before. Races that remain (one order number, two payers) end at a unique
//! constraint, and the whole batch is decided again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{AccountId, CodeId, KeyId, MerchantId, PaymentId, TerminalId};
use onescan_domain::merchants::{GuardLimits, TerminalGuard};
use onescan_domain::payments::PayError;
use onescan_domain::payments::batch::{Alarm, Books, Claim, PayCommand, PayOutcome, UsageKey};
use onescan_platforms::error::Result;
use onescan_platforms::expressions::cel;

use super::rows::{
    self, INSERT_PAYMENT, LOCK_USAGE, OwnCounters, PAYMENT, PAYMENT_OF_CODE, PUT_USAGE, payment_parameters, usage_key,
    usage_parameters,
};
use crate::decode::id;
use crate::error::DbError;
use crate::gather::Group;
use crate::idempotency;
use crate::ledger::{self, Postings};
use crate::sql::{Row, Value};
use crate::stats::Stopwatch;
use crate::tx::{Call, Tx};
use crate::{Store, outbox, params, statements};

statements! {
    pub(super) ACTIVE_KEY =
        "select id from access_keys where bucket = :bucket and id = :id::text and revoked_at is null";
    LOCK_GUARD =
        "select streak, hour, hour_count, locked_until from terminal_guards
         where bucket = :bucket and terminal_id = :terminal::text {for update}";
    PUT_GUARD =
        "insert into terminal_guards (bucket, terminal_id, streak, hour, hour_count, locked_until)
         values (:bucket, :terminal::text, :streak, :hour, :hour_count, :locked_until)
         on conflict (bucket, terminal_id) do update set streak = excluded.streak, hour = excluded.hour,
         hour_count = excluded.hour_count, locked_until = excluded.locked_until";
    ORDER =
        "select payment_id, fingerprint from merchant_orders
         where bucket = :bucket and merchant_id = :merchant::text and order_number = :order_number::text";
    INSERT_ORDER =
        "insert into merchant_orders (bucket, merchant_id, order_number, payment_id, fingerprint)
         values (:bucket, :merchant::text, :order_number::text, :payment::text, :fingerprint::text)";
    INSERT_ALARM =
        "insert into alarms (bucket, id, kind, person_id, terminal_id, payment_id, created_at) values (:bucket, \
         :id::text, :kind::text, :person::text, :terminal::text, :payment::text, :created_at)";
}

/// The counters of institutions' codes that a batch may move, with the bucket of their record.
type Counters = BTreeSet<(Bucket, UsageKey)>;
/// What the payers' accounts keep, where the account exists.
type Kept = BTreeMap<AccountId, KeptByAccount>;

#[derive(Debug)]
struct KeptByAccount {
    latest: Option<PaymentId>,
    counters: OwnCounters,
}
type Answers = Vec<Result<PayOutcome, PayError>>;

impl Store {
    pub(super) async fn pay_batch(&self, batch: Vec<PayCommand>, limits: GuardLimits) -> Result<Answers> {
        let lead = async |group: Arc<Group<_, _>>| {
            idempotency::again_when_taken(|| {
                let input = Arc::clone(&group);
                self.db
                    .write_with(input, move |tx, group| Box::pin(pay_once(tx, group.items(), limits)))
            })
            .await
        };
        self.waiting.payments.join(batch, lead).await
    }
}

impl Store {
    pub(super) async fn insert_alarm_row(&self, alarm: &Alarm) -> Result<()> {
        Ok(self.change_one(&INSERT_ALARM, alarm_parameters(alarm)).await?)
    }
}

async fn pay_once(tx: &mut Tx, batch: &[PayCommand], limits: GuardLimits) -> Result<Answers, DbError> {
    let stopwatch = Stopwatch::start();
    let (mut books, counters, kept) = load(tx, batch, limits).await?;
    let loaded_us = stopwatch.elapsed_us();
    let answers: Answers = batch.iter().map(|command| books.pay(command)).collect();
    let decided_us = stopwatch.elapsed_us();
    ledger::write_all(tx, writes(&mut books, counters, kept)).await?;
    tracing::trace!(
        commands = batch.len(),
        load_us = loaded_us,
        decide_us = decided_us - loaded_us,
        write_us = stopwatch.elapsed_us() - decided_us,
        "batch of payments"
    );
    Ok(answers)
}

/// Every row that [`Books`] asks for, each key once, however many commands share it. One round trip; a second one only for
/// repeats. The payers come first: whoever waits for them reads everything else as it stands afterwards.
async fn load(tx: &mut Tx, batch: &[PayCommand], limits: GuardLimits) -> Result<(Books, Counters, Kept), DbError> {
    let keys = Keys::of(batch);
    let mut found = tx.query_all(keys.calls()).await?.into_iter();
    let mut next = || found.next().unwrap_or_default();
    let (payers, usage, guards) = (next(), next(), next());
    let (active, answered, orders, by_code) = (next(), next(), next(), next());

    let mut books = Books {
        guard_limits: limits,
        expressions: Some(cel()),
        ..Books::default()
    };
    let mut kept = Kept::new();
    for payer in ledger::payers(&keys.accounts, payers)? {
        let counters = OwnCounters::parse(payer.counters.as_deref().unwrap_or_default())?;
        let latest = payer.latest;
        kept.insert(payer.account.id, KeptByAccount { latest, counters });
        books.accounts.insert(payer.account.id, payer.account);
    }
    for (account, key) in &keys.own {
        let counted = kept.get(account).and_then(|kept| kept.counters.0.get(&key.scenario));
        books.usage.extend(counted.map(|row| (key.clone(), *row)));
    }
    for ((_, key), row) in pairs(&keys.counters, usage) {
        books.usage.insert(key.clone(), rows::usage(&row)?);
    }
    for (terminal, row) in pairs(&keys.terminals, guards) {
        books.guards.insert(*terminal, guard(&row)?);
    }
    books.active_keys = pairs(&keys.keys, active).map(|(key, _)| *key).collect();
    for ((caller, key), row) in pairs(&keys.answers, answered) {
        books.answered.insert((*caller, (*key).to_owned()), claim(row)?);
    }
    for ((merchant, number), row) in pairs(&keys.orders, orders) {
        books.orders.insert((*merchant, (*number).to_owned()), claim(row)?);
    }
    for ((_, code), row) in pairs(&keys.codes, by_code) {
        let payment = rows::payment(row)?;
        books.by_code.insert(*code, payment.id);
        books.payments.insert(payment.id, payment);
    }
    load_repeated(tx, &mut books).await?;
    Ok((books, keys.counters, kept))
}

/// What a batch looks up, sorted.
struct Keys<'c> {
    accounts: BTreeSet<AccountId>,
    counters: Counters,
    own: BTreeSet<(AccountId, UsageKey)>,
    terminals: BTreeSet<TerminalId>,
    keys: BTreeSet<KeyId>,
    answers: BTreeSet<(KeyId, &'c str)>,
    orders: BTreeSet<(MerchantId, &'c str)>,
    codes: BTreeSet<(Bucket, CodeId)>,
}

impl<'c> Keys<'c> {
    fn of(batch: &'c [PayCommand]) -> Self {
        let permits = || batch.iter().filter_map(|command| command.permit.as_ref());
        let (mut own, mut counters) = (BTreeSet::new(), Counters::new());
        for (bucket, key) in batch
            .iter()
            .filter_map(|command| Some((command.bucket(), command.usage_key()?)))
        {
            match key.own {
                Some(account) => drop(own.insert((account, key))),
                None => drop(counters.insert((bucket, key))),
            }
        }
        let code = |command: &PayCommand| Some((command.bucket(), command.permit.as_ref()?.code));
        Self {
            accounts: permits().map(|permit| permit.account).collect(),
            counters,
            own,
            terminals: batch.iter().map(|command| command.terminal).collect(),
            keys: batch.iter().map(|command| command.key).collect(),
            answers: batch
                .iter()
                .map(|command| (command.key, command.idempotency_key.as_str()))
                .collect(),
            orders: batch
                .iter()
                .map(|command| (command.merchant, command.order_number.as_str()))
                .collect(),
            codes: batch.iter().filter_map(code).collect(),
        }
    }

    fn calls(&self) -> Vec<Call> {
        let counters = self.counters.iter().map(|(bucket, key)| usage_key(*bucket, key));
        let terminals = self
            .terminals
            .iter()
            .map(|id| params![id.bucket().number(), id.stored()]);
        let keys = self.keys.iter().map(|id| params![id.bucket().number(), id.stored()]);
        let answers = self
            .answers
            .iter()
            .map(|(caller, key)| params![caller.bucket().number(), caller.to_string(), *key]);
        let orders = self
            .orders
            .iter()
            .map(|(merchant, number)| params![merchant.bucket().number(), merchant.stored(), *number]);
        let codes = self
            .codes
            .iter()
            .map(|(bucket, code)| params![bucket.number(), code.stored()]);
        vec![
            ledger::lock_payers_call(&self.accounts),
            Call::each(&LOCK_USAGE, counters.collect()),
            Call::each(&LOCK_GUARD, terminals.collect()),
            Call::each(&ACTIVE_KEY, keys.collect()),
            Call::each(&idempotency::FIND, answers.collect()),
            Call::each(&ORDER, orders.collect()),
            Call::each(&PAYMENT_OF_CODE, codes.collect()),
        ]
    }
}

/// The keys that have a row, with it.
fn pairs<K>(keys: &BTreeSet<K>, found: Vec<Vec<Row>>) -> impl Iterator<Item = (&K, Row)> {
    let found = keys.iter().zip(found);
    found.filter_map(|(key, mut rows)| Some((key, rows.pop()?)))
}

fn guard(row: &Row) -> Result<TerminalGuard, DbError> {
    Ok(TerminalGuard {
        streak: row.int(0)?,
        hour: row.int(1)?,
        hour_count: row.int(2)?,
        locked_until: row.int(3)?,
    })
}

fn claim(mut row: Row) -> Result<Claim, DbError> {
    Ok(Claim {
        payment: id(&row, 0, PaymentId::new)?,
        fingerprint: row.take_text(1)?,
    })
}

/// The payments that keys and orders name, where no code of the batch led to them.
async fn load_repeated(tx: &mut Tx, books: &mut Books) -> Result<(), DbError> {
    let claims = books.answered.values().chain(books.orders.values());
    let named: BTreeSet<PaymentId> = claims
        .map(|claim| claim.payment)
        .filter(|payment| !books.payments.contains_key(payment))
        .collect();
    let sets = named.iter().map(|id| params![id.bucket().number(), id.stored()]);
    let found = tx.query_each(&PAYMENT, sets.collect()).await?;
    for (id, row) in pairs(&named, found) {
        books.payments.insert(*id, rows::payment(row)?);
    }
    Ok(())
}

/// Takes the batch's writes out of the books. The operator's own accounts come last: they are the ones that other
/// batches wait for.
fn writes(books: &mut Books, counters: Counters, mut kept: Kept) -> Vec<Call> {
    let decided = std::mem::take(&mut books.writes);
    for key in &decided.usage {
        if let Some(account) = key.own.and_then(|account| kept.get_mut(&account))
            && let Some(row) = books.usage.get(key)
        {
            account.counters.0.insert(key.scenario, *row);
        }
    }
    let mut moved_on = BTreeMap::new();
    let mut payments = Vec::with_capacity(decided.payments.len());
    for payment in &decided.payments {
        let own = payment.kind.own_account(payment.account);
        let previous = own.and_then(|account| kept.get_mut(&account)).and_then(|kept| {
            let latest = ledger::Latest {
                payment: payment.id,
                counters: Some(kept.counters.text()),
            };
            moved_on.insert(payment.account, latest);
            kept.latest.replace(payment.id)
        });
        payments.push(payment_parameters(payment, previous));
    }
    let postings = Postings {
        balances: decided.balances.into_iter().collect(),
        transfers: decided.transfers,
        latest: moved_on,
    };
    let answered = decided.answered.iter().map(|((caller, key), claim)| {
        let at = books
            .payments
            .get(&claim.payment)
            .map_or(0, |payment| payment.created_at);
        params![
            caller.bucket().number(),
            caller.to_string(),
            key.as_str(),
            claim.fingerprint.as_str(),
            claim.payment.stored(),
            at
        ]
    });
    let orders = decided.orders.iter().map(|((merchant, number), claim)| {
        params![
            merchant.bucket().number(),
            merchant.stored(),
            number.as_str(),
            claim.payment.stored(),
            claim.fingerprint.as_str()
        ]
    });
    let moved = counters.iter().filter(|(_, key)| decided.usage.contains(key));
    let usage = moved.filter_map(|(bucket, key)| Some(usage_parameters(*bucket, key, books.usage.get(key)?)));
    let guards = decided.guards.iter().filter_map(|terminal| {
        let guard = books.guards.get(terminal)?;
        Some(params![
            terminal.bucket().number(),
            terminal.stored(),
            guard.streak,
            guard.hour,
            guard.hour_count,
            guard.locked_until
        ])
    });
    let mut writes = vec![
        Call::each(&INSERT_PAYMENT, payments),
        Call::each(&idempotency::INSERT, answered.collect()),
        Call::each(&INSERT_ORDER, orders.collect()),
        Call::each(&PUT_USAGE, usage.collect()),
        Call::each(&PUT_GUARD, guards.collect()),
        Call::each(&outbox::INSERT, decided.events.iter().map(outbox::parameters).collect()),
        Call::each(&INSERT_ALARM, decided.alarms.iter().map(alarm_parameters).collect()),
    ];
    writes.extend(postings.writes());
    writes
}

fn alarm_parameters(alarm: &Alarm) -> Vec<Value> {
    let bucket = alarm.person.map_or(alarm.terminal.bucket(), |person| person.bucket());
    params![
        bucket.number(),
        alarm.id.stored(),
        alarm.kind.name(),
        alarm.person.map(|person| person.stored()),
        alarm.terminal.stored(),
        alarm.payment.map(PaymentId::stored),
        alarm.created_at,
    ]
}
