//! A batch of ride payments in one transaction, and what is owed after it.
//!
//! Accounts are locked first and in order of their ids, then counters; races for one order end at its claim, and the whole
//! batch is decided again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onescan_domain::codes::CodeKind;
use onescan_domain::ids::{AccountId, MerchantId, PaymentId, PersonId, RideOrderId};
use onescan_domain::money::Money;
use onescan_domain::payments::batch::{Event, EventKind};
use onescan_domain::payments::ledger::{AccountKind, Phase, Transfer, TransferKind, house_account};
use onescan_domain::payments::ride::{
    Arrears, DrawnIds, RideBooks, RideClaim, RideCommand, RideOutcome, RideUsageKey, SettleRefusal,
};
use onescan_domain::payments::{Payment, PaymentState};
use onescan_domain::policy::Counters;
use onescan_platforms::error::Result;
use onescan_platforms::expressions::cel;

use super::rows::{self, INSERT_PAYMENT, PAYMENT, payment_parameters, usage_columns};
use crate::decode::{id, money, opt_id};
use crate::error::DbError;
use crate::gather::Group;
use crate::ledger::{self, Postings};
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, idempotency, outbox, params, statements};

macro_rules! arrears_columns {
    () => {
        "order_id, payment_id, merchant_id, amount_minor, currency, since_at, settled_at"
    };
}

statements! {
    CLAIM =
        "select institution_payment_id, personal_payment_id, arrears_minor from ride_payments
         where bucket = :bucket and order_id = :order::text";
    INSERT_CLAIM =
        "insert into ride_payments (bucket, order_id, person_id, institution_payment_id, personal_payment_id,
         arrears_minor, created_at) values (:bucket, :order::text, :person::text, :institution_payment::text,
         :personal_payment::text, :arrears, :created_at)";
    SETTLE_CLAIM =
        "update ride_payments set personal_payment_id = :payment::text, arrears_minor = 0
         where bucket = :bucket and order_id = :order::text";
    COUNTERS = concat!(
        "select ", usage_columns!(), " from ride_counters
         where bucket = :bucket and travel_type_id = :travel_type::text and person_id = :person::text {for update}"
    );
    READ_COUNTERS = concat!(
        "select ", usage_columns!(), " from ride_counters
         where bucket = :bucket and travel_type_id = :travel_type::text and person_id = :person::text"
    );
    PUT_COUNTERS = concat!(
        "insert into ride_counters (bucket, travel_type_id, person_id, ", usage_columns!(), ") values (:bucket, \
         :travel_type::text, :person::text, :day, :day_minor, :day_count, :month, :month_minor, :month_count, \
         :week_minor, :week_count, :quarter_minor, :quarter_count, :year_minor, :year_count)
         on conflict (bucket, travel_type_id, person_id) do update set day = excluded.day,
         day_minor = excluded.day_minor, day_count = excluded.day_count, month = excluded.month,
         month_minor = excluded.month_minor, month_count = excluded.month_count, week_minor = excluded.week_minor,
         week_count = excluded.week_count, quarter_minor = excluded.quarter_minor,
         quarter_count = excluded.quarter_count, year_minor = excluded.year_minor, year_count = excluded.year_count"
    );
    INSERT_ARREARS = concat!(
        "insert into ride_arrears (bucket, person_id, ", arrears_columns!(), ") values (:bucket, :person::text, \
         :order::text, :payment::text, :merchant::text, :amount, :currency::text, :since, :settled_at)"
    );
    OPEN_ARREARS = concat!(
        "select ", arrears_columns!(), " from ride_arrears
         where bucket = :bucket and person_id = :person::text and settled_at is null order by order_id"
    );
    LOCK_ARREARS = concat!(
        "select ", arrears_columns!(), " from ride_arrears
         where bucket = :bucket and person_id = :person::text and order_id = :order::text {for update}"
    );
    LOWER_CLAIM =
        "update ride_payments set arrears_minor = :minor where bucket = :bucket and order_id = :order::text";
    LOWER_ARREARS =
        "update ride_arrears set amount_minor = :minor
         where bucket = :bucket and person_id = :person::text and order_id = :order::text and settled_at is null";
    DROP_ARREARS =
        "delete from ride_arrears
         where bucket = :bucket and person_id = :person::text and order_id = :order::text and settled_at is null";
    SETTLE_ARREARS =
        "update ride_arrears set settled_at = :at, payment_id = :payment::text
         where bucket = :bucket and person_id = :person::text and order_id = :order::text and settled_at is null";
}

type Latest = BTreeMap<AccountId, Option<PaymentId>>;

impl Store {
    pub(super) async fn pay_ride_batch(&self, batch: Vec<RideCommand>) -> Result<Vec<RideOutcome>> {
        let lead = async |group: Arc<Group<_, _>>| {
            idempotency::again_when_taken(|| {
                let input = Arc::clone(&group);
                self.db
                    .write_with(input, |tx, group| Box::pin(pay_once(tx, group.items())))
            })
            .await
        };
        self.waiting.rides.join(batch, lead).await
    }

    pub(super) async fn list_arrears_rows(&self, person: PersonId) -> Result<Vec<Arrears>> {
        let key = params![person.bucket().number(), person.stored()];
        let rows = self.db.query(&OPEN_ARREARS, key).await?;
        let read = rows.iter().map(|row| arrears(person, row));
        Ok(read.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn settle_arrears_row(
        &self,
        person: PersonId,
        order: RideOrderId,
        at: i64,
        ids: DrawnIds,
    ) -> Result<Result<Arrears, SettleRefusal>> {
        let input = (person, order, at, ids);
        let settling = self.db.write_with(input, |tx, (person, order, at, ids)| {
            Box::pin(settle_once(tx, *person, *order, *at, *ids))
        });
        Ok(settling.await?)
    }

    pub(super) async fn lower_arrears_row(
        &self,
        person: PersonId,
        order: RideOrderId,
        to_minor: i64,
    ) -> Result<Option<i64>> {
        let input = (person, order, to_minor);
        let lowering = self.db.write_with(input, |tx, (person, order, to_minor)| {
            Box::pin(lower_once(tx, *person, *order, *to_minor))
        });
        Ok(lowering.await?)
    }

    pub(super) async fn load_ride_usage_row(&self, key: RideUsageKey) -> Result<Option<Counters>> {
        let row = self.db.query_opt(&READ_COUNTERS, usage_key(&key)).await?;
        Ok(row.map(|row| rows::usage(&row)).transpose()?)
    }
}

async fn pay_once(tx: &mut Tx, batch: &[RideCommand]) -> Result<Vec<RideOutcome>, DbError> {
    let mut books = RideBooks {
        expressions: Some(cel()),
        ..RideBooks::default()
    };
    let latest = lock_accounts(tx, batch, &mut books).await?;
    load_usage(tx, batch, &mut books).await?;
    load_decided(tx, batch, &mut books).await?;
    let outcomes = batch.iter().map(|command| books.pay(command)).collect();
    ledger::write_all(tx, writes(&mut books, latest)).await?;
    Ok(outcomes)
}

async fn lock_accounts(tx: &mut Tx, batch: &[RideCommand], books: &mut RideBooks) -> Result<Latest, DbError> {
    let mut accounts = BTreeSet::new();
    for command in batch {
        accounts.insert(command.pay.personal.account);
        let candidates = command.pay.institution.iter().flat_map(|side| &side.candidates);
        accounts.extend(candidates.map(|candidate| candidate.account));
    }
    let mut latest = Latest::new();
    for payer in ledger::lock_payers(tx, &accounts).await? {
        latest.insert(payer.account.id, payer.latest);
        books.accounts.insert(payer.account.id, payer.account);
    }
    Ok(latest)
}

async fn load_usage(tx: &mut Tx, batch: &[RideCommand], books: &mut RideBooks) -> Result<(), DbError> {
    let keys = batch.iter().filter_map(|command| {
        let side = command.pay.institution.as_ref()?;
        Some(side.usage_key(command.pay.person))
    });
    let keys: BTreeSet<RideUsageKey> = keys.collect();
    let found = tx.query_each(&COUNTERS, keys.iter().map(usage_key).collect()).await?;
    for (key, rows) in keys.into_iter().zip(found) {
        if let Some(row) = rows.first() {
            books.usage.insert(key, rows::usage(row)?);
        }
    }
    Ok(())
}

/// Orders that were decided before, with their payments.
async fn load_decided(tx: &mut Tx, batch: &[RideCommand], books: &mut RideBooks) -> Result<(), DbError> {
    let orders: BTreeSet<RideOrderId> = batch.iter().map(|command| command.pay.order).collect();
    let key = |order: &RideOrderId| params![order.bucket().number(), order.stored()];
    let found = tx.query_each(&CLAIM, orders.iter().map(key).collect()).await?;
    let mut claims = Vec::new();
    for (order, rows) in orders.into_iter().zip(found) {
        if let Some(row) = rows.first() {
            let institution = opt_id(row, 0, PaymentId::new)?;
            let personal = opt_id(row, 1, PaymentId::new)?;
            claims.push((order, institution, personal, row.int(2)?));
        }
    }
    let named = claims
        .iter()
        .flat_map(|(_, institution, personal, _)| [institution, personal]);
    let named: BTreeSet<PaymentId> = named.flatten().copied().collect();
    let key = |payment: &PaymentId| params![payment.bucket().number(), payment.stored()];
    let found = tx.query_each(&PAYMENT, named.iter().map(key).collect()).await?;
    let mut payments = BTreeMap::new();
    for (payment, mut rows) in named.into_iter().zip(found) {
        if let Some(row) = rows.pop() {
            payments.insert(payment, rows::payment(row)?);
        }
    }
    for (order, institution, personal, arrears_minor) in claims {
        let outcome = RideOutcome {
            order,
            institution: institution.and_then(|payment| payments.get(&payment).cloned()),
            personal: personal.and_then(|payment| payments.get(&payment).cloned()),
            arrears_minor,
        };
        books.decided.insert(order, outcome);
    }
    Ok(())
}

/// Takes the batch's writes out of the books; the operator's own accounts come last.
fn writes(books: &mut RideBooks, mut latest: Latest) -> Vec<Call> {
    let decided = std::mem::take(&mut books.writes);
    let mut moved_on = BTreeMap::new();
    let payments = decided.payments.iter().map(|payment| {
        let previous = chain(payment, &mut latest, &mut moved_on);
        payment_parameters(payment, previous)
    });
    let payments: Vec<Vec<Value>> = payments.collect();
    let usage = decided.usage.iter().filter_map(|key| {
        let mut parameters = usage_key(key);
        parameters.extend(rows::usage_values(books.usage.get(key)?));
        Some(parameters)
    });
    let mut writes = vec![
        Call::each(&INSERT_CLAIM, decided.claims.iter().map(claim_parameters).collect()),
        Call::each(&INSERT_PAYMENT, payments),
        Call::each(&PUT_COUNTERS, usage.collect()),
        Call::each(
            &INSERT_ARREARS,
            decided.arrears.iter().map(arrears_parameters).collect(),
        ),
        Call::each(&outbox::INSERT, decided.events.iter().map(outbox::parameters).collect()),
    ];
    let postings = Postings {
        balances: decided.balances,
        transfers: decided.transfers,
        latest: moved_on,
    };
    writes.extend(postings.writes());
    writes
}

/// The payment before this one on a person's own account, which this one follows in the chain.
fn chain(
    payment: &Payment,
    latest: &mut Latest,
    moved_on: &mut BTreeMap<AccountId, ledger::Latest>,
) -> Option<PaymentId> {
    let newest = latest.get_mut(&payment.account);
    let newest = newest.filter(|_| payment.kind == CodeKind::User)?;
    moved_on.insert(payment.account, ledger::Latest::of(payment.id));
    newest.replace(payment.id)
}

/// The refusals in the order of [`SettleRefusal`].
async fn settle_once(
    tx: &mut Tx,
    person: PersonId,
    order: RideOrderId,
    at: i64,
    ids: DrawnIds,
) -> Result<Result<Arrears, SettleRefusal>, DbError> {
    let key = params![person.bucket().number(), person.stored(), order.stored()];
    let Some(row) = tx.query_opt(&LOCK_ARREARS, key).await? else {
        return Ok(Err(SettleRefusal::NothingOwed));
    };
    let mut owed = arrears(person, &row)?;
    if owed.settled_at.is_some() {
        return Ok(Ok(owed));
    }
    let refused = params![owed.payment.bucket().number(), owed.payment.stored()];
    let refused = rows::payment(tx.query_one(&PAYMENT, refused).await?)?;
    let locked = ledger::lock_payers(tx, &BTreeSet::from([refused.account])).await?;
    let Some(payer) = locked.into_iter().next() else {
        return Ok(Err(SettleRefusal::NothingOwed));
    };
    let (account, newest) = (payer.account, payer.latest);
    let (needed, asked) = (owed.amount, owed.amount.currency);
    if account.currency != asked {
        let account = account.currency;
        return Ok(Err(SettleRefusal::CurrencyMismatch { account, asked }));
    }
    if !account.can_pay(needed.minor) {
        let available = Money::new(account.available_minor().max(0), asked);
        return Ok(Err(SettleRefusal::InsufficientFunds { available, needed }));
    }
    // From here on it must succeed.
    owed.payment = ids.payment;
    owed.settled_at = Some(at);
    let transfer = Transfer {
        id: ids.transfer,
        debit: account.id,
        credit: house_account(AccountKind::Clearing, account.id.bucket(), asked),
        amount: needed,
        kind: TransferKind::Payment,
        phase: Phase::Posted,
        payment: Some(ids.payment),
        corrects: None,
        created_at: at,
    };
    let state = PaymentState::Paid {
        at,
        transfer: ids.transfer,
    };
    let payment = Payment {
        id: ids.payment,
        amount: needed,
        state,
        created_at: at,
        ..refused
    };
    let event = Event {
        id: ids.event,
        kind: EventKind::PaymentPaid,
        subject: ids.payment.stored(),
        created_at: at,
    };
    let claim = params![ids.payment.stored(), order.bucket().number(), order.stored()];
    let settled = params![
        at,
        ids.payment.stored(),
        person.bucket().number(),
        person.stored(),
        order.stored()
    ];
    let mut postings = Postings::default();
    postings.add(transfer, 0);
    postings.latest.insert(account.id, ledger::Latest::of(ids.payment));
    let mut writes = vec![
        Call::one(&SETTLE_CLAIM, claim),
        Call::one(&SETTLE_ARREARS, settled),
        Call::one(&INSERT_PAYMENT, payment_parameters(&payment, newest)),
        Call::one(&outbox::INSERT, outbox::parameters(&event)),
    ];
    writes.extend(postings.writes());
    ledger::write_all(tx, writes).await?;
    Ok(Ok(owed))
}

/// What is still owed afterwards; a debt that is lower already stays as it is. `None`: it is paid.
async fn lower_once(tx: &mut Tx, person: PersonId, order: RideOrderId, to_minor: i64) -> Result<Option<i64>, DbError> {
    let key = params![person.bucket().number(), person.stored(), order.stored()];
    let Some(row) = tx.query_opt(&LOCK_ARREARS, key.clone()).await? else {
        return Ok(Some(0));
    };
    let owed = arrears(person, &row)?;
    if owed.settled_at.is_some() {
        return Ok(None);
    }
    if owed.amount.minor <= to_minor {
        return Ok(Some(owed.amount.minor));
    }
    let claim = params![to_minor, order.bucket().number(), order.stored()];
    tx.execute_one(&LOWER_CLAIM, claim).await?;
    if to_minor == 0 {
        tx.execute_one(&DROP_ARREARS, key).await?;
    } else {
        let mut row = params![to_minor];
        row.extend(key);
        tx.execute_one(&LOWER_ARREARS, row).await?;
    }
    Ok(Some(to_minor))
}

fn usage_key(key: &RideUsageKey) -> Vec<Value> {
    params![
        key.travel_type.bucket().number(),
        key.travel_type.stored(),
        key.person.stored()
    ]
}

fn claim_parameters(claim: &RideClaim) -> Vec<Value> {
    params![
        claim.order.bucket().number(),
        claim.order.stored(),
        claim.person.stored(),
        claim.institution_payment.map(PaymentId::stored),
        claim.personal_payment.map(PaymentId::stored),
        claim.arrears_minor,
        claim.at
    ]
}

fn arrears_parameters(owed: &Arrears) -> Vec<Value> {
    params![
        owed.person.bucket().number(),
        owed.person.stored(),
        owed.order.stored(),
        owed.payment.stored(),
        owed.provider.stored(),
        owed.amount.minor,
        owed.amount.currency.code(),
        owed.since,
        owed.settled_at
    ]
}

/// `row`: [`arrears_columns`].
fn arrears(person: PersonId, row: &Row) -> Result<Arrears, DbError> {
    Ok(Arrears {
        order: id(row, 0, RideOrderId::new)?,
        person,
        payment: id(row, 1, PaymentId::new)?,
        provider: id(row, 2, MerchantId::new)?,
        amount: money(row, 3, 4)?,
        since: row.int(5)?,
        settled_at: row.opt_int(6)?,
    })
}
