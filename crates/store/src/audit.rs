//! Recomputes what must always hold, bucket by bucket, each bucket in one snapshot.
//!
//! Only what crosses buckets is read over all of them at once; on a database spread over several servers that reading is
//! no snapshot, so a breach there counts only when it stays.

use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::invoicing::{DocumentStore, name_of};
use onescan_platforms::payments::InvariantReport;

use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::statement::Statement;
use crate::tx::Tx;
use crate::{Store, params, statements};

statements! {
    NEXT_BUCKET_ALL_BUCKETS =
        "select min(bucket) from (select min(bucket) as bucket from accounts where bucket > :after
         union all select min(bucket) from transfers where bucket > :after
         union all select min(bucket) from payments where bucket > :after
         union all select min(bucket) from sales where bucket > :after
         union all select min(bucket) from invoices where bucket > :after
         union all select min(bucket) from document_series where bucket > :after
         union all select min(bucket) from usage_counters where bucket > :after
         union all select min(bucket) from ride_bills where bucket > :after) found";
    BALANCES =
        "select a.id, a.posted_minor, cast(coalesce(s.minor, 0) as bigint) from accounts a left join (
             select account_id, sum(minor) as minor from (
                 select debit_id as account_id, -amount_minor as minor from transfers
                 where bucket = :bucket and phase in ('posted', 'posts')
                 union all select credit_id, amount_minor from transfers
                 where bucket = :bucket and phase in ('posted', 'posts')) sides group by account_id) s
         on s.account_id = a.id where a.bucket = :bucket and a.posted_minor <> coalesce(s.minor, 0)
         order by a.id limit 20";
    HOLDS =
        "select a.id, a.held_minor, cast(coalesce(s.minor, 0) as bigint) from accounts a left join (
             select t.debit_id as account_id, sum(t.amount_minor) as minor from transfers t
             where t.bucket = :bucket and t.phase = 'pending' and not exists (
                 select 1 from transfers r where r.bucket = t.bucket and r.pending_id = t.id) group by t.debit_id) s
         on s.account_id = a.id where a.bucket = :bucket and a.held_minor <> coalesce(s.minor, 0)
         order by a.id limit 20";
    RESOLUTIONS =
        "select r.id, r.pending_id from transfers r
         left join transfers t on t.bucket = r.bucket and t.id = r.pending_id
         where r.bucket = :bucket and r.pending_id is not null and (t.id is null or t.phase <> 'pending'
             or r.amount_minor > t.amount_minor or r.debit_id <> t.debit_id or r.credit_id <> t.credit_id
             or exists (select 1 from transfers other where other.bucket = r.bucket and other.pending_id = r.pending_id
                 and other.id <> r.id))
         order by r.id limit 20";
    FLOORS =
        "select id, kind, posted_minor, held_minor from accounts where bucket = :bucket and (held_minor < 0
         or kind in ('person', 'institution', 'sub_institution', 'member') and posted_minor < held_minor)
         order by id limit 20";
    PAYMENT_CHAIN =
        "select a.id, c.payments, c.linked from accounts a join (
             select account_id, count(*) as payments, count(distinct previous_id) as linked, max(latest) as ends from (
                 select p.account_id, p.previous_id,
                     case when l.latest_payment_id = p.id then 1 else 0 end as latest
                 from payments p left join accounts l on l.bucket = p.bucket and l.id = p.account_id
                 where p.bucket = :bucket and p.kind = 'user') each_payment group by account_id) c
         on c.account_id = a.id where a.bucket = :bucket and (c.payments <> c.linked + 1 or c.ends = 0)
         order by a.id limit 20";
    DOUBLE_ENTRY =
        "select currency, cast(sum(posted_minor) as bigint) from accounts where bucket = :bucket
         group by currency having sum(posted_minor) <> 0 order by currency limit 20";
    TRANSFER_ACCOUNTS =
        "select t.id, t.currency from transfers t
         left join accounts d on d.bucket = t.bucket and d.id = t.debit_id
         left join accounts c on c.bucket = t.bucket and c.id = t.credit_id
         where t.bucket = :bucket and (d.id is null or c.id is null or d.currency <> t.currency
             or c.currency <> t.currency)
         order by t.id limit 20";
    PAID =
        "select p.id, p.amount_minor, p.currency from payments p
         left join transfers t on t.bucket = p.bucket and t.id = p.transfer_id
         where p.bucket = :bucket and p.state = 'paid' and (t.id is null or t.kind <> 'payment'
             or t.phase not in ('posted', 'posts') or t.amount_minor <> p.amount_minor or t.currency <> p.currency
             or t.debit_id <> p.account_id or coalesce(t.payment_id, '') <> p.id)
         order by p.id limit 20";
    PAID_ONCE =
        "select payment_id, count(*) from transfers
         where bucket = :bucket and kind = 'payment' and phase in ('posted', 'posts')
         group by payment_id having count(*) > 1 order by payment_id limit 20";
    UNPAID =
        "select t.id, p.id, p.state from transfers t
         left join payments p on p.bucket = t.bucket and p.id = t.payment_id
         where t.bucket = :bucket and t.kind = 'payment' and t.phase in ('posted', 'posts')
             and coalesce(p.state, '') not in ('paid', 'reversed')
         order by t.id limit 20";
    AUTHORISED =
        "select p.id, p.state from payments p
         left join transfers t on t.bucket = p.bucket and t.id = p.transfer_id
         left join transfers r on r.bucket = p.bucket and r.pending_id = p.transfer_id
         where p.bucket = :bucket and p.state = 'authorised' and (t.id is null or t.phase <> 'pending'
             or t.amount_minor <> p.amount_minor or r.id is not null)
         order by p.id limit 20";
    OPEN_HOLDS =
        "select t.id, p.id, p.state from transfers t
         left join payments p on p.bucket = t.bucket and p.id = t.payment_id
         where t.bucket = :bucket and t.kind = 'payment' and t.phase = 'pending'
             and (coalesce(p.state, '') <> 'authorised' or coalesce(p.transfer_id, '') <> t.id)
             and not exists (select 1 from transfers r where r.bucket = t.bucket and r.pending_id = t.id)
         order by t.id limit 20";
    REVERSED =
        "select p.id, p.amount_minor, p.currency from payments p
         left join transfers t on t.bucket = p.bucket and t.id = p.transfer_id
         where p.bucket = :bucket and p.state = 'reversed' and (t.id is null or coalesce(t.payment_id, '') <> p.id
             or t.amount_minor <> p.amount_minor or not (t.phase = 'voids' or t.kind = 'reversal'))
         order by p.id limit 20";
    REFUNDS =
        "select p.id, p.refunded_minor, cast(coalesce(s.minor, 0) as bigint), p.amount_minor from payments p
         left join (select payment_id, sum(amount_minor) as minor from refunds where bucket = :bucket
             group by payment_id) s on s.payment_id = p.id
         where p.bucket = :bucket and (p.refunded_minor <> coalesce(s.minor, 0) or p.refunded_minor > p.amount_minor
             or p.refunded_minor < 0)
         order by p.id limit 20";
    REFUND_TRANSFERS =
        "select r.id, r.payment_id from refunds r
         left join transfers t on t.bucket = r.bucket and t.id = r.transfer_id
         left join payments p on p.bucket = r.bucket and p.id = r.payment_id
         where r.bucket = :bucket and (t.id is null or t.kind <> 'refund' or t.phase <> 'posted'
             or t.amount_minor <> r.amount_minor or t.currency <> r.currency or coalesce(p.account_id, '') <> t.credit_id)
         order by r.id limit 20";
    CODES =
        "select code_id, count(*) from payments where bucket = :bucket and code_id is not null
         group by code_id having count(*) > 1 order by code_id limit 20";
    COUNTERS =
        "select record_id, person_id from usage_counters where bucket = :bucket
         and (day_minor < 0 or day_count < 0 or week_minor < 0 or week_count < 0 or month_minor < 0 or month_count < 0
             or quarter_minor < 0 or quarter_count < 0 or year_minor < 0 or year_count < 0)
         union all select id, owner_id from accounts where bucket = :bucket and counters like '% -%'
         order by record_id, person_id limit 20";
    SALES =
        "select t.id, t.payment_id from transfers t
         left join sales s on s.bucket = t.bucket and s.payment_id = t.payment_id
         where t.bucket = :bucket and t.kind = 'merchant_payment'
             and (s.payment_id is null or s.amount_minor <> t.amount_minor or s.currency <> t.currency)
         order by t.id limit 20";
    SALE_TRANSFERS =
        "select s.payment_id, s.amount_minor, cast(coalesce(m.minor, 0) as bigint) from sales s
         left join (select payment_id,
                 sum(case when kind = 'merchant_payment' then amount_minor else -amount_minor end) as minor
             from transfers where bucket = :bucket and kind in ('merchant_payment', 'merchant_refund')
             group by payment_id) m on m.payment_id = s.payment_id
         where s.bucket = :bucket and coalesce(m.minor, 0)
             <> (case when s.reversed = 1 then 0 else s.amount_minor - s.refunded_minor end)
         order by s.payment_id limit 20";
    SUSPENSE =
        "select id, currency, posted_minor from accounts where bucket = :bucket and kind = 'suspense'
         and posted_minor <> 0 order by id limit 20";
    NUMBERS =
        "select s.series, s.last_number, count(d.running), cast(coalesce(max(d.running), 0) as bigint)
         from document_series s left join documents d
             on d.bucket = s.bucket and d.merchant_id = s.merchant_id and d.series = s.series
         where s.bucket = :bucket group by s.merchant_id, s.series, s.last_number
         having count(d.running) <> s.last_number or coalesce(max(d.running), 0) <> s.last_number
         order by s.series limit 20";
    INVOICED_ONCE =
        "select payment_id, count(*) from invoices where bucket = :bucket and kind = 'invoice'
         group by payment_id having count(*) > 1 order by payment_id limit 20";
    CREDITED =
        "select i.id, i.credited_minor, cast(coalesce(c.minor, 0) as bigint), i.amount_minor from invoices i left join (
             select original_id, sum(amount_minor) as minor from invoices
             where bucket = :bucket and kind = 'credit_note' and state = 'issued' group by original_id) c
         on c.original_id = i.id
         where i.bucket = :bucket and i.kind = 'invoice' and (i.credited_minor <> coalesce(c.minor, 0)
             or (i.state = 'credited') <> (i.credited_minor = i.amount_minor and i.amount_minor > 0))
         order by i.id limit 20";
    BILLED_ONCE =
        "select o.id, o.bill_id from ride_orders o
         left join ride_bills b on b.bucket = o.bucket and b.id = o.bill_id
         left join (select order_id, sum(amount_minor) as minor from ride_bill_credits where bucket = :bucket
             group by order_id) c on c.order_id = o.id
         where o.bucket = :bucket and o.bill_id is not null and (b.id is null
             or b.institution_id <> coalesce(o.institution_id, '') or b.merchant_id <> o.merchant_id
             or b.currency <> o.currency or o.start_at >= b.until_at or o.institution_payment_id is null
             or o.institution_refusal is not null or o.credited_minor <> coalesce(c.minor, 0)
             or o.netted_minor + o.credited_minor > o.institution_refunded_minor)
         order by o.id limit 20";
    BILL_SUMS =
        "select b.id, b.rides, cast(coalesce(r.rides, 0) as bigint), b.charged_minor, cast(coalesce(r.minor, 0) as bigint),
             b.credited_minor, cast(coalesce(c.minor, 0) as bigint) from ride_bills b
         left join (select bill_id, count(*) as rides, sum(institution_minor - netted_minor) as minor from ride_orders
             where bucket = :bucket and bill_id is not null group by bill_id) r on r.bill_id = b.id
         left join (select bill_id, sum(amount_minor) as minor from ride_bill_credits where bucket = :bucket
             group by bill_id) c on c.bill_id = b.id
         where b.bucket = :bucket and (b.rides <> coalesce(r.rides, 0) or b.charged_minor <> coalesce(r.minor, 0)
             or b.credited_minor <> coalesce(c.minor, 0))
         order by b.id limit 20";
    CREDIT_NOTES =
        "select n.id, n.corrects from ride_bills n
         left join ride_bills b on b.bucket = n.bucket and b.id = n.corrects
         left join (select corrects, sum(credited_minor) as minor from ride_bills
             where bucket = :bucket and corrects is not null group by corrects) s on s.corrects = n.corrects
         where n.bucket = :bucket and n.corrects is not null and (b.id is null or b.state <> 'issued'
             or b.institution_id <> n.institution_id or b.merchant_id <> n.merchant_id or b.currency <> n.currency
             or s.minor > b.charged_minor - b.credited_minor
             or exists (select 1 from ride_bill_credits c join ride_orders o on o.bucket = c.bucket and o.id = c.order_id
                 where c.bucket = n.bucket and c.bill_id = n.id and coalesce(o.bill_id, '') <> n.corrects))
         order by n.id limit 20";
    INVOICE_DOCUMENTS_ALL_BUCKETS =
        "select i.id, i.number, i.amount_minor, i.currency from invoices i
         left join documents d on d.merchant_id = i.merchant_id and d.number = i.number
         where i.origin = 'platform' and i.state in ('issued', 'credited') and (d.number is null
             or d.gross_minor <> i.amount_minor or d.currency <> i.currency)
         order by i.id limit 20";
    BILL_DOCUMENTS_ALL_BUCKETS =
        "select b.id, b.number, b.charged_minor - b.credited_minor, b.currency from ride_bills b
         left join documents d on d.merchant_id = b.merchant_id and d.number = b.number
         where b.state = 'issued' and (d.number is null or d.currency <> b.currency
             or d.gross_minor <> abs(b.charged_minor - b.credited_minor)
             or (d.original_key is null) <> (b.corrects is null))
         order by b.id limit 20";
    FILES_ALL_BUCKETS =
        "select f.bucket, f.sha256, f.document_key, f.format, f.bytes from document_files f
         where f.sha256 > :after::text order by f.sha256 limit :limit";
    CLEARING_ALL_BUCKETS =
        "select currency, cast(sum(cleared) as bigint), cast(sum(due) as bigint) from (
             select currency, posted_minor as cleared, 0 as due from accounts where kind = 'clearing'
             union all select p.currency, 0, case when o.kind = 'payment_paid' then p.amount_minor
                 else -p.amount_minor end from outbox o
             join payments p on p.bucket = o.bucket and p.id = o.subject_id
             where o.kind in ('payment_paid', 'payment_reversed')
             union all select r.currency, 0, -r.amount_minor from outbox o
             join refunds r on r.bucket = o.bucket and r.id = o.subject_id where o.kind = 'payment_refunded') sides
         group by currency having sum(cleared) <> sum(due) order by currency";
    OUTBOX_ALL_BUCKETS =
        "select id, kind, attempts from outbox where attempts >= 600 order by bucket, id limit 20";
}

/// One invariant and how its breaches are told.
struct Invariant {
    name: &'static str,
    meaning: &'static str,
    /// Finds what breaks it.
    breaches: &'static Statement,
    /// `{0}`, `{1}`, … stand for the columns found.
    words: &'static str,
}

const fn invariant(
    name: &'static str,
    meaning: &'static str,
    breaches: &'static Statement,
    words: &'static str,
) -> Invariant {
    Invariant {
        name,
        meaning,
        breaches,
        words,
    }
}

/// Checked in each bucket.
const IN_BUCKET: &[Invariant] = &[
    invariant(
        "balances",
        "the balance of every account equals the sum of its transfers",
        &BALANCES,
        "account {0} says {1}, its transfers say {2}",
    ),
    invariant(
        "holds",
        "what an account holds back equals its pending transfers that nothing resolved",
        &HOLDS,
        "account {0} holds {1}, its pending transfers {2}",
    ),
    invariant(
        "resolutions",
        "a pending transfer is resolved at most once, between the same accounts, and not by more than it held",
        &RESOLUTIONS,
        "transfer {0} resolves {1} wrongly",
    ),
    invariant(
        "floors",
        "no limited account has spent or holds more than it has",
        &FLOORS,
        "{1} account {0} has {2} and holds {3}",
    ),
    invariant(
        "payment_chain",
        "the chain of a person's payments holds each of them once",
        &PAYMENT_CHAIN,
        "account {0} has {1} payments and {2} links between them",
    ),
    invariant(
        "double_entry",
        "all balances of a bucket sum to zero in each currency",
        &DOUBLE_ENTRY,
        "the balances in {0} sum to {1}",
    ),
    invariant(
        "transfer_accounts",
        "every transfer runs between two accounts of its bucket that are kept in its currency",
        &TRANSFER_ACCOUNTS,
        "transfer {0} in {1} has a wrong or missing account",
    ),
    invariant(
        "paid",
        "every paid payment has its transfer of that amount from the payer's account",
        &PAID,
        "payment {0} of {1} {2} has no such transfer",
    ),
    invariant(
        "paid_once",
        "no payment took its money twice",
        &PAID_ONCE,
        "payment {0} has {1} transfers",
    ),
    invariant(
        "unpaid",
        "no money moved for a payment that is not paid",
        &UNPAID,
        "transfer {0} moved money for payment {1}, which is {2}",
    ),
    invariant(
        "authorised",
        "every authorised payment has its hold, which nothing resolved yet",
        &AUTHORISED,
        "payment {0} is {1} without such a hold",
    ),
    invariant(
        "open_holds",
        "every hold that nothing resolved yet belongs to an authorised payment",
        &OPEN_HOLDS,
        "hold {0} is open for payment {1}, which is {2}",
    ),
    invariant(
        "reversed",
        "every reversed payment has the transfer that gave its money back",
        &REVERSED,
        "payment {0} of {1} {2} has no such transfer",
    ),
    invariant(
        "refunds",
        "what a payment says was refunded is the sum of its refunds and not more than it was",
        &REFUNDS,
        "payment {0} of {3} says {1} refunded, its refunds {2}",
    ),
    invariant(
        "refund_transfers",
        "every refund has its transfer of that amount to the account that paid",
        &REFUND_TRANSFERS,
        "refund {0} of payment {1} has no such transfer",
    ),
    invariant("codes", "no code was used twice", &CODES, "code {0} names {1} payments"),
    invariant(
        "counters",
        "no counter of a limit is negative",
        &COUNTERS,
        "the counters of record {0} and person {1} are negative",
    ),
    invariant(
        "sales",
        "every payment to a merchant has its sale of that amount",
        &SALES,
        "transfer {0} for payment {1} has no such sale",
    ),
    invariant(
        "sale_transfers",
        "what a merchant got for a sale is the sale's amount less its refunds",
        &SALE_TRANSFERS,
        "the sale of payment {0} over {1} brought {2}",
    ),
    invariant(
        "numbers",
        "the documents of every series are numbered without a gap",
        &NUMBERS,
        "series {0} is at {1} with {2} documents, the last of which is {3}",
    ),
    invariant(
        "invoiced_once",
        "a payment is in at most one invoice",
        &INVOICED_ONCE,
        "payment {0} has {1} invoices",
    ),
    invariant(
        "credited",
        "what an invoice says was credited is the sum of its credit notes",
        &CREDITED,
        "invoice {0} over {3} says {1} credited, its credit notes {2}",
    ),
    invariant(
        "billed_once",
        "a ride is in at most one bill, of who paid it and who provided it, and was credited as later bills say",
        &BILLED_ONCE,
        "ride {0} is wrongly in bill {1}",
    ),
    invariant(
        "bill_sums",
        "what a bill says is the sum of its rides and of the refunds it credits",
        &BILL_SUMS,
        "bill {0} says {1} rides, {3} charged and {5} credited; there are {2}, {4} and {6}",
    ),
    invariant(
        "bill_credit_notes",
        "a credit note gives back rides of the invoiced bill it names, and all of a bill's together no more than its invoice",
        &CREDIT_NOTES,
        "credit note {0} does not go with bill {1}",
    ),
    invariant(
        "suspense",
        "nothing lies unexplained on a suspense account",
        &SUSPENSE,
        "suspense account {0} has {2} {1}",
    ),
];

/// Checked over all buckets at once.
const ACROSS: &[Invariant] = &[
    invariant(
        "clearing",
        "what all clearing accounts hold together is what the outbox still owes the merchants",
        &CLEARING_ALL_BUCKETS,
        "clearing in {0} sums to {1}, the outbox owes {2}",
    ),
    invariant(
        "invoice_documents",
        "every invoice that was issued here has its document over that amount",
        &INVOICE_DOCUMENTS_ALL_BUCKETS,
        "invoice {0}, number {1} over {2} {3}, has no such document",
    ),
    invariant(
        "bill_documents",
        "every bill that is issued has its document over what its rides come to",
        &BILL_DOCUMENTS_ALL_BUCKETS,
        "bill {0}, number {1} over {2} {3}, has no such document",
    ),
    invariant(
        "outbox",
        "no outbox row waits for ever",
        &OUTBOX_ALL_BUCKETS,
        "{1} {0} was put off {2} times",
    ),
];

/// Documents read at once.
const FILES_AT_ONCE: u32 = 200;
/// Breaches that are told per invariant.
const BREACHES_MAX: usize = 20;

impl Invariant {
    fn tell(&self, row: &Row) -> String {
        let columns = row.values().iter().enumerate();
        columns.fold(self.words.to_owned(), |text, (column, value)| {
            let value = match value {
                Value::Null => "nothing".to_owned(),
                Value::Int(number) => number.to_string(),
                Value::Text(text) => text.clone(),
                Value::Bytes(_) => "bytes".to_owned(),
            };
            text.replace(&format!("{{{column}}}"), &value)
        })
    }
}

impl Store {
    pub(crate) async fn audit_rows(&self) -> Result<Vec<InvariantReport>> {
        let mut reports: Vec<InvariantReport> = IN_BUCKET.iter().chain(ACROSS).map(empty_report).collect();
        let mut after = -1;
        while let Some(bucket) = self.next_bucket(after).await? {
            let found: Result<_> = self.db.read_long(move |tx| Box::pin(check_bucket(tx, bucket))).await;
            for (report, breaches) in reports.iter_mut().zip(found?) {
                let breaches = breaches.into_iter().map(|words| format!("bucket {bucket}: {words}"));
                report.breaches.extend(breaches);
                report.breaches.truncate(BREACHES_MAX);
            }
            after = bucket;
        }
        let found: Result<_> = self.db.read_long(|tx| Box::pin(check_across(tx))).await;
        for (report, breaches) in reports.iter_mut().skip(IN_BUCKET.len()).zip(found?) {
            report.breaches = breaches;
        }
        Ok(reports)
    }

    /// Compares the bytes of every issued document with the hash in its row.
    pub async fn audit_documents(&self, documents: &dyn DocumentStore) -> Result<InvariantReport> {
        let mut breaches = Vec::new();
        let mut after = String::new();
        loop {
            let rows = self
                .list_long(&FILES_ALL_BUCKETS, params![&after, FILES_AT_ONCE])
                .await?;
            let is_last = rows.len() < FILES_AT_ONCE as usize;
            for mut row in rows {
                after = row.take_text(1)?;
                let (key, format) = (row.take_text(2)?, row.take_text(3)?);
                let found = documents.get(&after).await?;
                let problem = match found.map(|bytes| name_of(&bytes)) {
                    Some(name) if name == after => continue,
                    Some(_) => "was changed",
                    None => "is missing",
                };
                breaches.push(format!("{format} of {key} {problem}"));
            }
            if is_last || breaches.len() >= BREACHES_MAX {
                break;
            }
        }
        breaches.truncate(BREACHES_MAX);
        Ok(InvariantReport {
            name: "documents",
            meaning: "the bytes of every issued document are those of its hash",
            breaches,
        })
    }

    async fn next_bucket(&self, after: i64) -> Result<Option<i64>, DbError> {
        let row = self.db.query_one(&NEXT_BUCKET_ALL_BUCKETS, params![after]).await?;
        row.opt_int(0)
    }
}

fn empty_report(invariant: &Invariant) -> InvariantReport {
    InvariantReport {
        name: invariant.name,
        meaning: invariant.meaning,
        breaches: Vec::new(),
    }
}

async fn check_bucket(tx: &mut Tx, bucket: i64) -> Result<Vec<Vec<String>>, PlatformError> {
    let mut found = Vec::with_capacity(IN_BUCKET.len());
    for invariant in IN_BUCKET {
        let rows = tx.query(invariant.breaches, params![bucket]).await?;
        found.push(rows.iter().map(|row| invariant.tell(row)).collect());
    }
    Ok(found)
}

async fn check_across(tx: &mut Tx) -> Result<Vec<Vec<String>>, PlatformError> {
    let mut found = Vec::with_capacity(ACROSS.len());
    for invariant in ACROSS {
        let rows = tx.query(invariant.breaches, params![]).await?;
        found.push(rows.iter().map(|row| invariant.tell(row)).collect());
    }
    Ok(found)
}
