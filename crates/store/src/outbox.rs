//! What follows a payment after its commit: the merchant's side, and the invoice work that its tax set-up asks for.
//!
//! **Invariant:** every posting is keyed by what caused it, so a row that is worked twice changes nothing the second
//! time; the row is removed in the transaction that posts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{AccountId, EventId, MerchantId, PaymentId, RawId, RefundId, TransferId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::batch::{Event, EventKind};
use onescan_domain::payments::ledger::{AccountKind, Phase, Transfer, TransferKind, house_account};
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::{NewTask, Work};
use onescan_platforms::merchants::tax::InvoicingMode;

use crate::decode::{bucket, currency, id, money, opt_id, parsed};
use crate::error::DbError;
use crate::invoicing::{INSERT_TASK, task_values};
use crate::ledger::{self, Postings};
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

statements! {
    pub(crate) INSERT =
        "insert into outbox (bucket, id, kind, subject_id, attempts, next_at, created_at)
         values (:bucket, :id::text, :kind::text, :subject::text, 0, :created_at, :created_at)";
    TAKE_ALL_BUCKETS =
        "select bucket, id, kind, subject_id, created_at from outbox where next_at <= :now
         order by next_at, bucket, id limit :limit {for update skip locked}";
    STATE_ALL_BUCKETS = "select count(*), min(created_at) from outbox";
    DELETE = "delete from outbox where bucket = :bucket and id = :id::text";
    DEFER = "update outbox set attempts = attempts + 1, next_at = :next_at where bucket = :bucket and id = :id::text";
    PAID =
        "select merchant_id, store_id, terminal_id, order_number, amount_minor, currency, transfer_id from payments
         where bucket = :bucket and id = :id::text";
    REFUNDED =
        "select r.payment_id, p.merchant_id, r.amount_minor, r.currency from refunds r
         join payments p on p.bucket = r.bucket and p.id = r.payment_id
         where r.bucket = :bucket and r.id = :id::text";
    MERCHANT = "select account_id, currency, invoicing, tax_version from merchants where bucket = :bucket and id = :id::text";
    SALE =
        "select payment_id from sales
         where bucket = :bucket and merchant_id = :merchant::text and payment_id = :payment::text";
    INSERT_SALE =
        "insert into sales (bucket, merchant_id, payment_id, store_id, terminal_id, order_number, amount_minor,
         currency, refunded_minor, paid_at, reversed) values (:bucket, :merchant::text, :payment::text, :store::text,
         :terminal::text, :order_number::text, :amount, :currency::text, 0, :paid_at, 0)";
    ADD_REFUND =
        "update sales set refunded_minor = refunded_minor + :amount
         where bucket = :bucket and merchant_id = :merchant::text and payment_id = :payment::text";
    REVERSE_SALE =
        "update sales set reversed = 1
         where bucket = :bucket and merchant_id = :merchant::text and payment_id = :payment::text and reversed = 0";
    POSTED = "select id from transfers where bucket = :bucket and id = :id::text";
}

/// The parameters of [`INSERT`].
pub(crate) fn parameters(event: &Event) -> Vec<Value> {
    params![
        event.id.bucket().number(),
        event.id.stored(),
        event.kind.name(),
        event.subject.as_str(),
        event.created_at,
    ]
}

/// How long a row rests whose turn has not come yet.
const DEFER_MS: i64 = 1_000;

/// An outbox row with what its posting needs.
struct Task {
    bucket: Bucket,
    id: EventId,
    kind: EventKind,
    subject: RawId,
    created_at: i64,
}

impl Task {
    fn key(&self) -> Vec<Value> {
        params![self.bucket.number(), self.subject.to_string()]
    }
}

/// A posting on the merchant's side.
struct Posting {
    kind: EventKind,
    payment: PaymentId,
    merchant: MerchantId,
    amount: Money,
    /// The same for every attempt, in the merchant's bucket.
    transfer: TransferId,
    at: i64,
    refund: Option<RefundId>,
    sale: Option<NewSale>,
}

struct NewSale {
    store: String,
    terminal: String,
    order_number: String,
}

impl Store {
    pub(crate) async fn post_merchant_sides(&self, now: i64, limit: u32) -> Result<u64> {
        let posting = self
            .db
            .write_with((now, limit), |tx, (now, limit)| Box::pin(post_once(tx, *now, *limit)));
        Ok(posting.await?)
    }

    pub(crate) async fn read_outbox_state(&self, now: i64) -> Result<(u64, i64)> {
        let row = self.db.query_one(&STATE_ALL_BUCKETS, params![]).await?;
        let age = row.opt_int(1)?.map_or(0, |oldest| (now - oldest).max(0));
        Ok((row.number(0)?, age))
    }
}

async fn post_once(tx: &mut Tx, now: i64, limit: u32) -> Result<u64, DbError> {
    let tasks = take(tx, now, limit).await?;
    let prepared = prepare(tx, &tasks).await?;
    let due = drop_posted(tx, &prepared).await?;
    let waiting = without_sale(tx, &due).await?;
    let merchants = merchant_facts(tx, &due).await?;

    let mut postings = Postings::default();
    let (mut sales, mut refunds, mut reversals) = (Vec::new(), BTreeMap::new(), Vec::new());
    for posting in due.iter().filter(|posting| !waiting.contains(&posting.transfer)) {
        postings.add(posting.transfer_row(&merchants), 0);
        match posting.kind {
            EventKind::PaymentPaid => sales.extend(posting.sale_parameters()),
            EventKind::PaymentRefunded => {
                *refunds.entry((posting.merchant, posting.payment)).or_insert(0) += posting.amount.minor;
            }
            EventKind::PaymentReversed => reversals.push(sale_key(posting.merchant, posting.payment)),
        }
    }
    let refunds = refunds.into_iter().map(|((merchant, payment), minor)| {
        let mut parameters = params![minor];
        parameters.extend(sale_key(merchant, payment));
        parameters
    });
    let (mut done, mut deferred, mut invoicing) = (Vec::new(), Vec::new(), Vec::new());
    for (task, posting) in tasks.iter().zip(&prepared) {
        let (bucket, id) = (task.bucket.number(), task.id.stored());
        match posting {
            Some(posting) if !waiting.contains(&posting.transfer) => {
                done.push(params![bucket, id]);
                invoicing.extend(posting.invoice_task(task.id, &merchants));
            }
            Some(_) | None => deferred.push(params![now + DEFER_MS, bucket, id]),
        }
    }
    let count = done.len() as u64;
    let mut writes = vec![
        Call::each(&INSERT_SALE, sales),
        Call::each(&ADD_REFUND, refunds.collect()),
        Call::each(&REVERSE_SALE, reversals),
        Call::each(&INSERT_TASK, invoicing),
        Call::each(&DELETE, done),
        Call::each(&DEFER, deferred),
    ];
    ledger::lock_accounts(tx, &postings.balances.keys().copied().collect()).await?;
    writes.extend(postings.writes());
    ledger::write_all(tx, writes).await?;
    Ok(count)
}

async fn take(tx: &mut Tx, now: i64, limit: u32) -> Result<Vec<Task>, DbError> {
    let rows = tx.query(&TAKE_ALL_BUCKETS, params![now, limit]).await?;
    let task = |row: Row| {
        Ok(Task {
            bucket: bucket(&row, 0)?,
            id: id(&row, 1, EventId::new)?,
            kind: parsed(&row, 2, "kind of event", EventKind::parse)?,
            subject: parsed(&row, 3, "id", RawId::parse)?,
            created_at: row.int(4)?,
        })
    };
    rows.into_iter().map(task).collect()
}

/// What each task posts, in the order of the tasks.
async fn prepare(tx: &mut Tx, tasks: &[Task]) -> Result<Vec<Option<Posting>>, DbError> {
    let (refunds, payments): (Vec<&Task>, Vec<&Task>) =
        tasks.iter().partition(|task| task.kind == EventKind::PaymentRefunded);
    let keys = |tasks: Vec<&Task>| tasks.iter().map(|task| task.key()).collect();
    let mut paid = tx.query_each(&PAID, keys(payments)).await?.into_iter();
    let mut refunded = tx.query_each(&REFUNDED, keys(refunds)).await?.into_iter();
    let mut postings = Vec::with_capacity(tasks.len());
    for task in tasks {
        let found = match task.kind {
            EventKind::PaymentRefunded => refunded.next(),
            EventKind::PaymentPaid | EventKind::PaymentReversed => paid.next(),
        };
        let row = found.and_then(|mut rows| rows.pop());
        postings.push(row.map(|row| Posting::read(task, row)).transpose()?);
    }
    Ok(postings)
}

impl Posting {
    fn read(task: &Task, mut row: Row) -> Result<Self, DbError> {
        let (payment, merchant, amount, cause, sale) = match task.kind {
            EventKind::PaymentPaid => {
                let sale = NewSale {
                    store: row.take_text(1)?,
                    terminal: row.take_text(2)?,
                    order_number: row.take_text(3)?,
                };
                let merchant = id(&row, 0, MerchantId::new)?;
                (
                    PaymentId::new(task.subject),
                    merchant,
                    money(&row, 4, 5)?,
                    task.subject,
                    Some(sale),
                )
            }
            EventKind::PaymentReversed => {
                let merchant = id(&row, 0, MerchantId::new)?;
                let reversal = opt_id(&row, 6, TransferId::new)?;
                let cause = reversal.map_or(task.subject, TransferId::raw);
                (PaymentId::new(task.subject), merchant, money(&row, 4, 5)?, cause, None)
            }
            EventKind::PaymentRefunded => {
                let merchant = id(&row, 1, MerchantId::new)?;
                let refund = RefundId::new(task.subject);
                (
                    id(&row, 0, PaymentId::new)?,
                    merchant,
                    money(&row, 2, 3)?,
                    refund.raw(),
                    None,
                )
            }
        };
        Ok(Self {
            kind: task.kind,
            payment,
            merchant,
            amount,
            transfer: merchant_transfer(merchant, cause),
            at: task.created_at,
            refund: (task.kind == EventKind::PaymentRefunded).then(|| RefundId::new(task.subject)),
            sale,
        })
    }

    /// The invoice work that follows: the merchant's setting applies after a payment, a refund may need a credit note.
    fn invoice_task(&self, event: EventId, merchants: &HashMap<MerchantId, MerchantFacts>) -> Option<Vec<Value>> {
        let merchant = merchants.get(&self.merchant)?;
        let work = match self.kind {
            EventKind::PaymentPaid if merchant.invoices_automatically => Work::Apply(self.payment),
            EventKind::PaymentRefunded if merchant.has_tax_setup => Work::Credit(self.payment, self.refund),
            EventKind::PaymentReversed if merchant.has_tax_setup => Work::Credit(self.payment, None),
            EventKind::PaymentPaid | EventKind::PaymentRefunded | EventKind::PaymentReversed => return None,
        };
        let at = self.at;
        Some(task_values(&NewTask { id: event, work, at }))
    }

    fn transfer_row(&self, merchants: &HashMap<MerchantId, MerchantFacts>) -> Transfer {
        let (bucket, currency) = (self.merchant.bucket(), self.amount.currency);
        let clearing = house_account(AccountKind::Clearing, bucket, currency);
        let own = merchants.get(&self.merchant).filter(|own| own.currency == currency);
        let merchant = own.map_or(house_account(AccountKind::Suspense, bucket, currency), |own| {
            own.account
        });
        let (debit, credit, kind) = match self.kind {
            EventKind::PaymentPaid => (clearing, merchant, TransferKind::MerchantPayment),
            EventKind::PaymentRefunded | EventKind::PaymentReversed => {
                (merchant, clearing, TransferKind::MerchantRefund)
            }
        };
        let corrects =
            (kind == TransferKind::MerchantRefund).then(|| merchant_transfer(self.merchant, self.payment.raw()));
        Transfer {
            id: self.transfer,
            debit,
            credit,
            amount: self.amount,
            kind,
            phase: Phase::Posted,
            payment: Some(self.payment),
            corrects,
            created_at: self.at,
        }
    }

    fn sale_parameters(&self) -> Option<Vec<Value>> {
        let sale = self.sale.as_ref()?;
        let mut parameters = sale_key(self.merchant, self.payment);
        parameters.extend(params![
            sale.store.as_str(),
            sale.terminal.as_str(),
            sale.order_number.as_str(),
            self.amount.minor,
            self.amount.currency.code(),
            self.at,
        ]);
        Some(parameters)
    }
}

/// The transfer that a payment, refund or reversal causes at the merchant: in the merchant's bucket, otherwise its id.
fn merchant_transfer(merchant: MerchantId, cause: RawId) -> TransferId {
    // One bit differs, because in a shared bucket a reversal's own transfer would have the same id.
    TransferId::new(RawId::from_parts(cause.at_ms(), merchant.bucket(), cause.number() ^ 1))
}

fn sale_key(merchant: MerchantId, payment: PaymentId) -> Vec<Value> {
    params![merchant.bucket().number(), merchant.stored(), payment.stored()]
}

/// Leaves out what an earlier attempt posted, and what stands in the batch twice.
async fn drop_posted<'p>(tx: &mut Tx, prepared: &'p [Option<Posting>]) -> Result<Vec<&'p Posting>, DbError> {
    let mut seen = BTreeSet::new();
    let once = prepared
        .iter()
        .flatten()
        .filter(|posting| seen.insert(posting.transfer));
    let once: Vec<&Posting> = once.collect();
    let key = |posting: &&Posting| params![posting.transfer.bucket().number(), posting.transfer.stored()];
    let posted = tx.query_each(&POSTED, once.iter().map(key).collect()).await?;
    let new = once.into_iter().zip(posted).filter(|(_, posted)| posted.is_empty());
    Ok(new.map(|(posting, _)| posting).collect())
}

/// Refunds and reversals whose sale is not there yet: another worker has it, or it comes with a later row. They wait.
async fn without_sale(tx: &mut Tx, due: &[&Posting]) -> Result<BTreeSet<TransferId>, DbError> {
    let paid_here = due.iter().filter(|posting| posting.kind == EventKind::PaymentPaid);
    let paid_here: BTreeSet<PaymentId> = paid_here.map(|posting| posting.payment).collect();
    let unsure: Vec<&&Posting> = due
        .iter()
        .filter(|posting| posting.kind != EventKind::PaymentPaid && !paid_here.contains(&posting.payment))
        .collect();
    let keys = unsure.iter().map(|posting| sale_key(posting.merchant, posting.payment));
    let sales = tx.query_each(&SALE, keys.collect()).await?;
    let missing = unsure.iter().zip(sales).filter(|(_, sale)| sale.is_empty());
    Ok(missing.map(|(posting, _)| posting.transfer).collect())
}

struct MerchantFacts {
    account: AccountId,
    currency: Currency,
    invoices_automatically: bool,
    has_tax_setup: bool,
}

async fn merchant_facts(tx: &mut Tx, due: &[&Posting]) -> Result<HashMap<MerchantId, MerchantFacts>, DbError> {
    let merchants: BTreeSet<MerchantId> = due.iter().map(|posting| posting.merchant).collect();
    let keys = merchants.iter().map(|id| params![id.bucket().number(), id.stored()]);
    let rows = tx.query_each(&MERCHANT, keys.collect()).await?;
    let found = merchants.into_iter().zip(rows);
    found
        .filter_map(|(merchant, mut rows)| Some((merchant, rows.pop()?)))
        .map(|(merchant, row)| {
            let facts = MerchantFacts {
                account: id(&row, 0, AccountId::new)?,
                currency: currency(&row, 1)?,
                invoices_automatically: row.opt_text(2)? == Some(InvoicingMode::Automatic.name()),
                has_tax_setup: row.opt_int(3)?.is_some(),
            };
            Ok((merchant, facts))
        })
        .collect()
}
