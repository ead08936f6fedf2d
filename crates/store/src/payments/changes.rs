//! What happens to a payment afterwards: refund, reversal, capture, void, expiry; and payments asserted by a terminal.
//!
//! **Invariant:** the payment's row is locked before anything else is read, so two changes of one payment take turns.

use std::collections::BTreeSet;
use std::sync::Arc;

use onescan_domain::codes::{CodeKind, CodeRefusal};
use onescan_domain::ids::{EventId, PaymentId, RawId, TransferId};
use onescan_domain::money::Money;
use onescan_domain::payments::batch::{Event, EventKind, PayOutcome, Replayed, UsageKey, UsageRow};
use onescan_domain::payments::ledger::{AccountKind, Phase, Transfer, TransferKind, house_account};
use onescan_domain::payments::{ChangeRefusal, PayError, Payment, PaymentState, Refund};
use onescan_platforms::error::Result;
use onescan_platforms::payments::{AssertCommand, Change, ChangeCommand, Changed, Idempotency};

use super::pay::ACTIVE_KEY;
use super::rows::{
    self, INSERT_PAYMENT, LOCK_OWN_USAGE, LOCK_USAGE, OwnCounters, PAYMENT, PAYMENT_OF_CODE, PUT_OWN_USAGE, PUT_USAGE,
    payment_columns, payment_parameters, refund_columns, refund_parameters, state_columns, usage_key, usage_parameters,
};
use crate::decode::id;
use crate::error::DbError;
use crate::idempotency::{self, Earlier};
use crate::ledger::{self, Postings};
use crate::tx::{Call, Tx};
use crate::{Store, outbox, params, statements};

statements! {
    LOCK_PAYMENT = concat!(
        "select ", payment_columns!(), " from payments where bucket = :bucket and id = :id::text {for update}"
    );
    /// Only from the state that was seen.
    MOVE_STATE =
        "update payments set state = :state::text, state_at = :at, transfer_id = :transfer::text, hold_until = null,
         amount_minor = :amount where bucket = :bucket and id = :id::text and state = :from::text
         and refunded_minor = 0";
    ADD_REFUNDED =
        "update payments set refunded_minor = refunded_minor + :amount where bucket = :bucket and id = :id::text
         and state = 'paid' and refunded_minor + :amount <= amount_minor";
    FIND_REFUND = concat!(
        "select ", refund_columns!(), " from refunds where bucket = :bucket and id = :id::text"
    );
    REFUND_OF_NUMBER = concat!(
        "select ", refund_columns!(), " from refunds
         where bucket = :bucket and payment_id = :payment::text and number = :number::text"
    );
    INSERT_REFUND = concat!(
        "insert into refunds (bucket, ", refund_columns!(), ") values (:bucket, :id::text, :payment::text, \
         :number::text, :amount, :currency::text, :reason::text, :transfer::text, :created_at)"
    );
    FREE_ORDER =
        "delete from merchant_orders where bucket = :bucket and merchant_id = :merchant::text
         and order_number = :order_number::text and payment_id = :payment::text";
    TAKE_EXPIRED_ALL_BUCKETS =
        "select id from payments where state = 'authorised' and hold_until <= :now
         order by hold_until, bucket, id limit :limit {for update skip locked}";
}

impl Store {
    pub(super) async fn change_payment(&self, command: ChangeCommand) -> Result<Result<Changed, ChangeRefusal>> {
        let input = Arc::new(command);
        idempotency::again_when_taken(|| {
            let input = Arc::clone(&input);
            self.db
                .write_with(input, |tx, command| Box::pin(change_once(tx, command)))
        })
        .await
    }

    pub(super) async fn assert_payment(&self, command: AssertCommand) -> Result<Result<PayOutcome, PayError>> {
        let input = Arc::new(command);
        idempotency::again_when_taken(|| {
            let input = Arc::clone(&input);
            self.db
                .write_with(input, |tx, command| Box::pin(assert_once(tx, command)))
        })
        .await
    }

    pub(super) async fn expire_held(&self, now: i64, limit: u32) -> Result<u64> {
        let expiring = self
            .db
            .write_with((now, limit), |tx, (now, limit)| Box::pin(expire_once(tx, *now, *limit)));
        Ok(expiring.await?)
    }
}

/// The instant of a change and the ids drawn for it.
#[derive(Clone, Copy)]
struct Stamp {
    at: i64,
    transfer: TransferId,
    event: EventId,
}

/// What a change does to its payment, decided before anything is written.
struct Plan {
    state: Option<PaymentState>,
    amount: Money,
    transfer: Transfer,
    /// What the transfer releases of the payer's hold.
    released_minor: i64,
    /// Given back to the limits: an amount, and how many payments.
    given_back: (i64, i64),
    event: Option<EventKind>,
    refund: Option<Refund>,
    order: Order,
}

#[derive(PartialEq, Eq)]
enum Order {
    Keep,
    Free,
}

/// The order of the checks is that of [`ChangeRefusal`].
async fn change_once(tx: &mut Tx, command: &ChangeCommand) -> Result<Result<Changed, ChangeRefusal>, DbError> {
    let request = &command.request;
    let home = request.payment.bucket();
    let payment = lock_payment(tx, request.payment).await?;
    match idempotency::find(tx, &request.idempotency, home).await? {
        None => {}
        Some(Earlier::Same { subject }) => return replay(tx, command, payment, &subject).await,
        Some(Earlier::Other) => return Ok(Err(ChangeRefusal::KeyConflict)),
    }
    let Some(payment) = payment.filter(|payment| payment.merchant == request.merchant) else {
        return Ok(Err(ChangeRefusal::Unknown));
    };
    if let Change::Refund { number, amount, reason } = &request.change
        && let Some(earlier) = refund_of_number(tx, payment.id, number).await?
    {
        if earlier.amount != *amount || earlier.reason != *reason {
            return Ok(Err(ChangeRefusal::NumberConflict));
        }
        let keep = idempotency::write(&request.idempotency, home, earlier.id.stored(), command.at);
        ledger::write_all(tx, vec![keep]).await?;
        return Ok(Ok(Changed {
            payment,
            refund: Some(earlier),
            replayed: true,
        }));
    }
    let stamp = Stamp {
        at: command.at,
        transfer: command.transfer,
        event: command.event,
    };
    let plan = match plan(command, stamp, &payment) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // From here on the change must succeed.
    let subject = plan
        .refund
        .as_ref()
        .map_or(payment.id.stored(), |refund| refund.id.stored());
    let mut writes = vec![idempotency::write(&request.idempotency, home, subject, command.at)];
    let refund = plan.refund.clone();
    let changed = carry_out(tx, stamp, payment, plan, &mut writes).await?;
    ledger::write_all(tx, writes).await?;
    Ok(Ok(Changed {
        payment: changed,
        refund,
        replayed: false,
    }))
}

async fn lock_payment(tx: &mut Tx, id: PaymentId) -> Result<Option<Payment>, DbError> {
    let row = tx
        .query_opt(&LOCK_PAYMENT, params![id.bucket().number(), id.stored()])
        .await?;
    row.map(rows::payment).transpose()
}

/// `subject`: the refund that the first call made, or the payment.
async fn replay(
    tx: &mut Tx,
    command: &ChangeCommand,
    payment: Option<Payment>,
    subject: &str,
) -> Result<Result<Changed, ChangeRefusal>, DbError> {
    let Some(payment) = payment else {
        return Ok(Err(ChangeRefusal::Unknown));
    };
    let refund = match command.request.change {
        Change::Refund { .. } => {
            let row = tx
                .query_one(&FIND_REFUND, params![payment.id.bucket().number(), subject])
                .await?;
            Some(rows::refund(row)?)
        }
        Change::Reverse | Change::Capture { .. } | Change::Void => None,
    };
    Ok(Ok(Changed {
        payment,
        refund,
        replayed: true,
    }))
}

async fn refund_of_number(tx: &mut Tx, payment: PaymentId, number: &str) -> Result<Option<Refund>, DbError> {
    let parameters = params![payment.bucket().number(), payment.stored(), number];
    let row = tx.query_opt(&REFUND_OF_NUMBER, parameters).await?;
    row.map(rows::refund).transpose()
}

fn plan(command: &ChangeCommand, stamp: Stamp, payment: &Payment) -> Result<Plan, ChangeRefusal> {
    match (&command.request.change, &payment.state) {
        (Change::Refund { number, amount, reason }, PaymentState::Paid { transfer, .. }) => {
            check_amount(*amount, Money::new(payment.refundable_minor(), payment.amount.currency))?;
            let refund = Refund {
                id: command.refund,
                payment: payment.id,
                number: number.clone(),
                amount: *amount,
                reason: reason.clone(),
                transfer: command.transfer,
                created_at: command.at,
            };
            Ok(plan_refund(stamp, payment, *transfer, refund))
        }
        (Change::Reverse, PaymentState::Paid { .. }) if payment.refunded_minor > 0 => {
            Err(ChangeRefusal::State { state: "refunded" })
        }
        (Change::Reverse, PaymentState::Paid { transfer, .. }) => Ok(plan_reversal(stamp, payment, *transfer)),
        (Change::Reverse, PaymentState::Authorised { hold, .. }) => {
            let state = PaymentState::Reversed {
                at: command.at,
                transfer: command.transfer,
            };
            let mut plan = plan_release(stamp, payment, Phase::Voids { pending: *hold }, state);
            plan.order = Order::Free;
            Ok(plan)
        }
        (Change::Capture { amount }, PaymentState::Authorised { hold, until }) => {
            if command.at >= *until {
                return Err(ChangeRefusal::State { state: "expired" });
            }
            check_amount(*amount, payment.amount)?;
            Ok(plan_capture(stamp, payment, *hold, *amount))
        }
        (Change::Void, PaymentState::Authorised { hold, .. }) => {
            let state = PaymentState::Voided { at: command.at };
            Ok(plan_release(stamp, payment, Phase::Voids { pending: *hold }, state))
        }
        (Change::Refund { .. } | Change::Reverse | Change::Capture { .. } | Change::Void, _) => {
            let state = payment.state.name();
            Err(ChangeRefusal::State { state })
        }
    }
}

fn check_amount(asked: Money, left: Money) -> Result<(), ChangeRefusal> {
    if asked.minor > left.minor {
        return Err(ChangeRefusal::TooMuch { left });
    }
    if asked.currency != left.currency {
        return Err(ChangeRefusal::CurrencyMismatch {
            payment: left.currency,
            asked: asked.currency,
        });
    }
    Ok(())
}

/// From the payer to clearing; the undoing kinds run the other way.
fn transfer(stamp: Stamp, payment: &Payment, kind: TransferKind, phase: Phase, amount: Money) -> Transfer {
    let clearing = house_account(AccountKind::Clearing, payment.id.bucket(), amount.currency);
    let (debit, credit) = match kind {
        TransferKind::Refund | TransferKind::Reversal => (clearing, payment.account),
        TransferKind::TopUp
        | TransferKind::Allotment
        | TransferKind::Payment
        | TransferKind::MerchantPayment
        | TransferKind::MerchantRefund
        | TransferKind::Correction => (payment.account, clearing),
    };
    Transfer {
        id: stamp.transfer,
        debit,
        credit,
        amount,
        kind,
        phase,
        payment: Some(payment.id),
        corrects: None,
        created_at: stamp.at,
    }
}

fn plan_refund(stamp: Stamp, payment: &Payment, paid_by: TransferId, refund: Refund) -> Plan {
    let back = transfer(stamp, payment, TransferKind::Refund, Phase::Posted, refund.amount);
    Plan {
        state: None,
        amount: payment.amount,
        transfer: Transfer {
            corrects: Some(paid_by),
            ..back
        },
        released_minor: 0,
        given_back: (refund.amount.minor, 0),
        event: Some(EventKind::PaymentRefunded),
        refund: Some(refund),
        order: Order::Keep,
    }
}

fn plan_reversal(stamp: Stamp, payment: &Payment, paid_by: TransferId) -> Plan {
    let back = transfer(stamp, payment, TransferKind::Reversal, Phase::Posted, payment.amount);
    Plan {
        state: Some(PaymentState::Reversed {
            at: stamp.at,
            transfer: stamp.transfer,
        }),
        amount: payment.amount,
        transfer: Transfer {
            corrects: Some(paid_by),
            ..back
        },
        released_minor: 0,
        given_back: (payment.amount.minor, 1),
        event: Some(EventKind::PaymentReversed),
        refund: None,
        order: Order::Free,
    }
}

/// The payment is of the captured amount from now on; the rest of the hold and of the limits is free again.
fn plan_capture(stamp: Stamp, payment: &Payment, hold: TransferId, amount: Money) -> Plan {
    let phase = Phase::Posts { pending: hold };
    Plan {
        state: Some(PaymentState::Paid {
            at: stamp.at,
            transfer: stamp.transfer,
        }),
        amount,
        transfer: transfer(stamp, payment, TransferKind::Payment, phase, amount),
        released_minor: payment.amount.minor,
        given_back: (payment.amount.minor - amount.minor, 0),
        event: Some(EventKind::PaymentPaid),
        refund: None,
        order: Order::Keep,
    }
}

fn plan_release(stamp: Stamp, payment: &Payment, phase: Phase, state: PaymentState) -> Plan {
    Plan {
        state: Some(state),
        amount: payment.amount,
        transfer: transfer(stamp, payment, TransferKind::Payment, phase, payment.amount),
        released_minor: payment.amount.minor,
        given_back: (payment.amount.minor, 1),
        event: None,
        refund: None,
        order: Order::Keep,
    }
}

/// Adds what the plan writes to `writes`; the payment as it is afterwards.
async fn carry_out(
    tx: &mut Tx,
    stamp: Stamp,
    payment: Payment,
    plan: Plan,
    writes: &mut Vec<Call>,
) -> Result<Payment, DbError> {
    let mut changed = payment.clone();
    changed.amount = plan.amount;
    match plan.state {
        Some(state) => {
            changed.state = state;
            writes.push(move_state(&payment, &changed));
        }
        None => changed.refunded_minor += plan.given_back.0,
    }
    if let Some(refund) = &plan.refund {
        let key = params![refund.amount.minor, payment.id.bucket().number(), payment.id.stored()];
        writes.push(Call::one(&ADD_REFUNDED, key));
        writes.push(Call::one(&INSERT_REFUND, refund_parameters(refund)));
    }
    if plan.order == Order::Free {
        let (merchant, number) = (payment.merchant, payment.order_number.as_str());
        let key = params![
            merchant.bucket().number(),
            merchant.stored(),
            number,
            payment.id.stored()
        ];
        writes.push(Call::one(&FREE_ORDER, key));
    }
    if let Some(kind) = plan.event {
        let event = Event {
            id: stamp.event,
            kind,
            subject: plan.refund.map_or(payment.id.stored(), |refund| refund.id.stored()),
            created_at: stamp.at,
        };
        writes.push(Call::one(&outbox::INSERT, outbox::parameters(&event)));
    }
    ledger::lock_accounts(tx, &BTreeSet::from([payment.account])).await?;
    let (amount_minor, count) = plan.given_back;
    writes.extend(give_back(tx, &payment, amount_minor, count).await?);
    let mut postings = Postings::default();
    postings.add(plan.transfer, plan.released_minor);
    writes.extend(postings.writes());
    Ok(changed)
}

fn move_state(before: &Payment, after: &Payment) -> Call {
    let state = state_columns(&after.state, after.created_at);
    Call::one(
        &MOVE_STATE,
        params![
            after.state.name(),
            state.at,
            state.transfer.map(TransferId::stored),
            after.amount.minor,
            after.id.bucket().number(),
            after.id.stored(),
            before.state.name(),
        ],
    )
}

/// Takes an undone payment, or a part of it, off the counters of its day and month.
async fn give_back(tx: &mut Tx, payment: &Payment, amount_minor: i64, count: i64) -> Result<Option<Call>, DbError> {
    let Some(scenario) = payment.scenario else {
        return Ok(None);
    };
    let give_back = |counters: &mut UsageRow| {
        counters.give_back(payment.local_day, payment.local_month, amount_minor, count);
    };
    if let Some(account) = payment.kind.own_account(payment.account) {
        let account = params![account.bucket().number(), account.stored()];
        let mut own = OwnCounters::of(tx.query_opt(&LOCK_OWN_USAGE, account.clone()).await?)?;
        let Some(counters) = own.0.get_mut(&scenario) else {
            return Ok(None);
        };
        give_back(counters);
        let parameters = [params![own.text()], account].concat();
        return Ok(Some(Call::one(&PUT_OWN_USAGE, parameters)));
    }
    let key = UsageKey {
        record: payment.record.clone(),
        scenario,
        person: payment.person,
        own: None,
    };
    let bucket = payment.id.bucket();
    let Some(row) = tx.query_opt(&LOCK_USAGE, usage_key(bucket, &key)).await? else {
        return Ok(None);
    };
    let mut counters = rows::usage(&row)?;
    give_back(&mut counters);
    Ok(Some(Call::one(&PUT_USAGE, usage_parameters(bucket, &key, &counters))))
}

/// Both ids follow from the hold's: it expires once.
fn expiry(hold: TransferId, at: i64) -> Stamp {
    let id = RawId::from_parts(at, hold.bucket(), hold.raw().number() ^ 1);
    Stamp {
        at,
        transfer: TransferId::new(id),
        event: EventId::new(id),
    }
}

/// Holds are released one by one: they are few, and a hold that was resolved meanwhile costs the others nothing.
async fn expire_once(tx: &mut Tx, now: i64, limit: u32) -> Result<u64, DbError> {
    let due = tx.query(&TAKE_EXPIRED_ALL_BUCKETS, params![now, limit]).await?;
    let mut expired = 0;
    for row in due {
        let Some(payment) = lock_payment(tx, id(&row, 0, PaymentId::new)?).await? else {
            continue;
        };
        let PaymentState::Authorised { hold, .. } = payment.state else {
            continue;
        };
        let stamp = expiry(hold, now);
        let state = PaymentState::Expired { at: now };
        let plan = plan_release(stamp, &payment, Phase::Expires { pending: hold }, state);
        let mut writes = Vec::new();
        carry_out(tx, stamp, payment, plan, &mut writes).await?;
        ledger::write_all(tx, writes).await?;
        expired += 1;
    }
    Ok(expired)
}

/// Refuses in this order: key revoked, key conflict, code used.
async fn assert_once(tx: &mut Tx, command: &AssertCommand) -> Result<Result<PayOutcome, PayError>, DbError> {
    let (payment, key) = (&command.payment, command.key);
    let payers = ledger::lock_payers(tx, &BTreeSet::from([payment.account])).await?;
    let active = tx
        .query_opt(&ACTIVE_KEY, params![key.bucket().number(), key.stored()])
        .await?;
    if active.is_none() {
        return Ok(Err(PayError::KeyRevoked));
    }
    let asked = Idempotency {
        caller: key.to_string(),
        key: command.idempotency_key.clone(),
        fingerprint: command.fingerprint.clone(),
    };
    match idempotency::find(tx, &asked, payment.id.bucket()).await? {
        None => {}
        Some(Earlier::Same { subject }) => return repeat_assertion(tx, &subject).await,
        Some(Earlier::Other) => return Ok(Err(PayError::KeyConflict)),
    }
    if let Some(code) = payment.code {
        let parameters = params![payment.id.bucket().number(), code.stored()];
        if let Some(row) = tx.query_opt(&PAYMENT_OF_CODE, parameters).await? {
            let payment = rows::payment(row)?.id;
            return Ok(Err(PayError::Code(CodeRefusal::Used { payment })));
        }
    }
    let subject = payment.id.stored();
    let mut postings = Postings::default();
    let payer = payers.first().filter(|_| payment.kind == CodeKind::User);
    if let Some(payer) = payer {
        postings.latest.insert(payer.account.id, ledger::Latest::of(payment.id));
    }
    let previous = payer.and_then(|payer| payer.latest);
    let mut writes = vec![
        Call::one(&INSERT_PAYMENT, payment_parameters(payment, previous)),
        idempotency::write(&asked, payment.id.bucket(), subject, payment.created_at),
    ];
    writes.extend(postings.writes());
    ledger::write_all(tx, writes).await?;
    Ok(Ok(PayOutcome {
        payment: payment.clone(),
        replayed: Replayed::No,
    }))
}

/// `subject`: the stored id of the payment that the first call wrote, in whatever bucket.
async fn repeat_assertion(tx: &mut Tx, subject: &str) -> Result<Result<PayOutcome, PayError>, DbError> {
    let first = PaymentId::from_stored(subject).map_err(|_| crate::decode::wrong(0, "id"))?;
    let row = tx
        .query_one(&PAYMENT, params![first.bucket().number(), subject])
        .await?;
    Ok(Ok(PayOutcome {
        payment: rows::payment(row)?,
        replayed: Replayed::Yes,
    }))
}
