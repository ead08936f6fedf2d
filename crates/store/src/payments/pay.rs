//! A batch of payments in one transaction: loads the books, decides in order, writes, and answers after the commit.
//!
//! Accounts are locked first and in order of their ids: whoever pays from the same account waits there, and reads
//! everything else as it stands after the one before. Races that remain (one order number, two payers) end at a unique
//! constraint, and the whole batch is decided again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeKind;
use onescan_domain::ids::{AccountId, CodeId, KeyId, MerchantId, PaymentId, TerminalId};
use onescan_domain::merchants::{GuardLimits, TerminalGuard};
use onescan_domain::payments::PayError;
use onescan_domain::payments::batch::{Alarm, Books, Claim, PayCommand, PayOutcome, UsageKey};
use onescan_platforms::error::Result;

use super::rows::{
    self, INSERT_PAYMENT, LOCK_USAGE, PAYMENT, PAYMENT_OF_CODE, PUT_USAGE, payment_parameters, usage_key,
    usage_parameters,
};
use crate::decode::id;
use crate::error::DbError;
use crate::idempotency;
use crate::ledger::{self, Postings};
use crate::sql::{Row, Value};
use crate::statement::Statement;
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

/// The counters a batch may move, with the bucket of their record.
type Counters = BTreeSet<(Bucket, UsageKey)>;
/// The newest payment of each person's own account in the batch, where the account exists.
type Latest = BTreeMap<AccountId, Option<PaymentId>>;
type Answers = Vec<Result<PayOutcome, PayError>>;

impl Store {
    pub(super) async fn pay_batch(&self, batch: Vec<PayCommand>, limits: GuardLimits) -> Result<Answers> {
        let input = Arc::new(batch);
        idempotency::again_when_taken(|| {
            let input = Arc::clone(&input);
            self.db
                .write_with(input, move |tx, batch| Box::pin(pay_once(tx, batch, limits)))
        })
        .await
    }
}

impl Store {
    pub(super) async fn insert_alarm_row(&self, alarm: &Alarm) -> Result<()> {
        Ok(self.change_one(&INSERT_ALARM, alarm_parameters(alarm)).await?)
    }
}

async fn pay_once(tx: &mut Tx, batch: &[PayCommand], limits: GuardLimits) -> Result<Answers, DbError> {
    let stopwatch = Stopwatch::start();
    let (mut books, counters, latest) = load(tx, batch, limits).await?;
    let loaded_us = stopwatch.elapsed_us();
    let answers: Answers = batch.iter().map(|command| books.pay(command)).collect();
    let decided_us = stopwatch.elapsed_us();
    ledger::write_all(tx, writes(&mut books, counters, latest)).await?;
    tracing::trace!(
        commands = batch.len(),
        load_us = loaded_us,
        decide_us = decided_us - loaded_us,
        write_us = stopwatch.elapsed_us() - decided_us,
        "batch of payments"
    );
    Ok(answers)
}

/// Every row that [`Books`] asks for, each key once, however many commands share it.
async fn load(tx: &mut Tx, batch: &[PayCommand], limits: GuardLimits) -> Result<(Books, Counters, Latest), DbError> {
    let mut books = Books {
        guard_limits: limits,
        ..Books::default()
    };
    let (counters, latest) = lock_balances(tx, batch, &mut books).await?;
    load_terminals(tx, batch, &mut books).await?;
    load_claims(tx, batch, &mut books).await?;
    load_payments(tx, batch, &mut books).await?;
    Ok((books, counters, latest))
}

async fn lock_balances(tx: &mut Tx, batch: &[PayCommand], books: &mut Books) -> Result<(Counters, Latest), DbError> {
    let permits = batch.iter().filter_map(|command| command.permit.as_ref());
    let accounts: BTreeSet<AccountId> = permits.map(|permit| permit.account).collect();
    let mut latest = Latest::new();
    for (account, payment) in ledger::lock_payers(tx, &accounts).await? {
        latest.insert(account.id, payment);
        books.accounts.insert(account.id, account);
    }

    let counters = batch
        .iter()
        .filter_map(|command| Some((command.bucket(), command.usage_key()?)));
    let counters: Counters = counters.collect();
    let sets = counters.iter().map(|(bucket, key)| usage_key(*bucket, key)).collect();
    for ((_, key), found) in counters.iter().zip(tx.query_each(&LOCK_USAGE, sets).await?) {
        if let Some(row) = found.first() {
            books.usage.insert(key.clone(), rows::usage(row)?);
        }
    }
    Ok((counters, latest))
}

async fn load_terminals(tx: &mut Tx, batch: &[PayCommand], books: &mut Books) -> Result<(), DbError> {
    let guards: BTreeSet<TerminalId> = batch.iter().map(|command| command.terminal).collect();
    let key = |terminal: &TerminalId| params![terminal.bucket().number(), terminal.stored()];
    for (terminal, row) in find_each(tx, &LOCK_GUARD, guards, key).await? {
        let guard = TerminalGuard {
            streak: row.int(0)?,
            hour: row.int(1)?,
            hour_count: row.int(2)?,
            locked_until: row.int(3)?,
        };
        books.guards.insert(terminal, guard);
    }
    let keys: BTreeSet<KeyId> = batch.iter().map(|command| command.key).collect();
    let active = find_each(tx, &ACTIVE_KEY, keys, |key| {
        params![key.bucket().number(), key.stored()]
    })
    .await?;
    books.active_keys = active.into_iter().map(|(key, _)| key).collect();
    Ok(())
}

async fn load_claims(tx: &mut Tx, batch: &[PayCommand], books: &mut Books) -> Result<(), DbError> {
    let keys: BTreeSet<(KeyId, &str)> = batch
        .iter()
        .map(|command| (command.key, command.idempotency_key.as_str()))
        .collect();
    let parameters = |(caller, key): &(KeyId, &str)| params![caller.bucket().number(), caller.to_string(), *key];
    for ((caller, key), row) in find_each(tx, &idempotency::FIND, keys, parameters).await? {
        books.answered.insert((caller, key.to_owned()), claim(row)?);
    }
    let orders: BTreeSet<(MerchantId, &str)> = batch
        .iter()
        .map(|command| (command.merchant, command.order_number.as_str()))
        .collect();
    let parameters =
        |(merchant, number): &(MerchantId, &str)| params![merchant.bucket().number(), merchant.stored(), *number];
    for ((merchant, number), row) in find_each(tx, &ORDER, orders, parameters).await? {
        books.orders.insert((merchant, number.to_owned()), claim(row)?);
    }
    Ok(())
}

fn claim(mut row: Row) -> Result<Claim, DbError> {
    Ok(Claim {
        payment: id(&row, 0, PaymentId::new)?,
        fingerprint: row.take_text(1)?,
    })
}

/// The payments of the codes, and those that keys and orders name.
async fn load_payments(tx: &mut Tx, batch: &[PayCommand], books: &mut Books) -> Result<(), DbError> {
    let codes = batch
        .iter()
        .filter_map(|command| Some((command.bucket(), command.permit.as_ref()?.code)));
    let codes: BTreeSet<(Bucket, CodeId)> = codes.collect();
    let parameters = |(bucket, code): &(Bucket, CodeId)| params![bucket.number(), code.stored()];
    for ((_, code), row) in find_each(tx, &PAYMENT_OF_CODE, codes, parameters).await? {
        let payment = rows::payment(row)?;
        books.by_code.insert(code, payment.id);
        books.payments.insert(payment.id, payment);
    }
    let claims = books.answered.values().chain(books.orders.values());
    let named: BTreeSet<PaymentId> = claims
        .map(|claim| claim.payment)
        .filter(|payment| !books.payments.contains_key(payment))
        .collect();
    let parameters = |payment: &PaymentId| params![payment.bucket().number(), payment.stored()];
    for (id, row) in find_each(tx, &PAYMENT, named, parameters).await? {
        books.payments.insert(id, rows::payment(row)?);
    }
    Ok(())
}

/// The keys that have a row, with it. One round trip.
async fn find_each<K>(
    tx: &mut Tx,
    statement: &'static Statement,
    keys: BTreeSet<K>,
    parameters: impl Fn(&K) -> Vec<Value>,
) -> Result<Vec<(K, Row)>, DbError> {
    let sets = keys.iter().map(parameters).collect();
    let found = tx.query_each(statement, sets).await?;
    let found = keys.into_iter().zip(found);
    Ok(found.filter_map(|(key, mut rows)| Some((key, rows.pop()?))).collect())
}

/// Takes the batch's writes out of the books. The operator's own accounts come last: they are the ones that other
/// batches wait for.
fn writes(books: &mut Books, counters: Counters, mut latest: Latest) -> Vec<Call> {
    let decided = std::mem::take(&mut books.writes);
    let mut moved_on = BTreeMap::new();
    let mut payments = Vec::with_capacity(decided.payments.len());
    for payment in &decided.payments {
        let newest = latest
            .get_mut(&payment.account)
            .filter(|_| payment.kind == CodeKind::User);
        let previous = newest.and_then(|newest| {
            moved_on.insert(payment.account, payment.id);
            newest.replace(payment.id)
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
