//! Invoices and credit notes of payments, in the payment's bucket; their lines, and the work that follows them.

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::codes::CodeRecordId;
use onescan_domain::ids::{
    EventId, InvoiceId, MemberId, MerchantId, PaymentId, PersonId, ProfileId, RawId, RefundId, ScenarioId,
};
use onescan_domain::invoicing::{Invoice, InvoiceKind, InvoiceOrigin, InvoiceState, RedLetter, RedLetterState};
use onescan_domain::profiles::{DeliveryChannel, ProfileFields, TitleKind};
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::draft::InvoiceLine;
use onescan_platforms::invoicing::{
    Attempt, Delivery, Follow, InvoiceFilter, InvoiceScope, InvoiceStore, InvoiceTotal, NewTask, Task, Work,
};
use onescan_platforms::payments::Page;

use crate::decode::{currency, id, money, opt_id, opt_parsed, parsed, record_id, wrong};
use crate::deliveries;
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! columns {
    () => {
        "id, kind, original_id, refund_id, origin, state, payment_id, merchant_id, person_id, record_id, member_id, \
         scenario_id, order_number, subject, profile_id, buyer_kind, buyer_title, buyer_tax_number, buyer_address, \
         buyer_telephone, buyer_bank_name, buyer_bank_account, buyer_email, seller_name, setup_version, language, \
         amount_minor, currency, credited_minor, refunds_before, number, issued_on, issued_at, applied_at, attempts, \
         problem, red_state, red_until, buyer_vat_id, buyer_postcode, buyer_city, buyer_country, buyer_electronic_address, \
         buyer_reference"
    };
}

/// Each filter is off while its parameter is the widest.
macro_rules! filters {
    () => {
        " and id < :after::text and (:state::text = '' or state = :state::text)
          and (:kind::text = '' or kind = :kind::text) and issued_at >= :from and issued_at < :until
          and (:search::text = '' or search like :search::text)
          and (:person::text = '' or person_id = :person::text)
          and (:scenario::text = '' or scenario_id = :scenario::text)
          order by id desc limit :limit"
    };
}

statements! {
    INSERT = concat!("insert into invoices (bucket, ", columns!(), ", search)
        values (:bucket, :id::text, :kind::text, :original::text, :refund::text, :origin::text, :state::text,
            :payment::text, :merchant::text, :person::text, :record::text, :member::text, :scenario::text,
            :order_number::text, :subject::text, :profile::text, :buyer_kind::text, :buyer_title::text,
            :buyer_tax_number::text, :buyer_address::text, :buyer_telephone::text, :buyer_bank_name::text,
            :buyer_bank_account::text, :buyer_email::text, :seller_name::text, :setup_version, :language::text,
            :amount, :currency::text, :credited, :refunds_before::text, :number::text, :issued_on::text, :issued_at,
            :applied_at, :attempts, :problem::text, :red_state::text, :red_until, :buyer_vat_id::text, :buyer_postcode::text,
            :buyer_city::text, :buyer_country::text, :buyer_electronic_address::text, :buyer_reference::text, :search::text)
        on conflict do nothing");
    FIND = concat!("select ", columns!(), " from invoices
        where bucket = :bucket and payment_id = :payment::text and kind = 'invoice'");
    FIND_CREDIT = concat!("select ", columns!(), " from invoices
        where bucket = :bucket and payment_id = :payment::text and refund_id = :refund::text and kind = 'credit_note'");
    FIND_BY_ID = concat!("select ", columns!(), " from invoices where bucket = :bucket and id = :id::text");
    LIST_CREDITS = concat!("select ", columns!(), " from invoices
        where bucket = :bucket and payment_id = :payment::text and kind = 'credit_note' order by id");
    SET_NUMBER = "update invoices set number = :number::text, search = search || ' ' || :lower::text
        where bucket = :bucket and payment_id = :payment::text and kind = 'invoice' and origin = 'reported'
            and number is null";
    ADVANCE = "update invoices set state = :state::text, amount_minor = :amount, refunds_before = :refunds_before::text,
            number = :number::text, issued_on = :issued_on::text, issued_at = :issued_at, attempts = :attempts,
            problem = :problem::text, red_state = :red_state::text, red_until = :red_until, search = :search::text
        where bucket = :bucket and id = :id::text and state = :before::text";
    CREDIT = "update invoices set credited_minor = credited_minor + :amount,
            state = case when credited_minor + :amount >= amount_minor then 'credited' else state end
        where bucket = :bucket and id = :id::text";
    DELETE_FAILED = "delete from invoices where bucket = :bucket and id = :id::text and state = 'failed'";
    LIST_OF_PERSON = concat!("select ", columns!(), " from invoices
        where bucket = :bucket and person_id = :whose::text", filters!());
    LIST_OF_RECORD = concat!("select ", columns!(), " from invoices
        where bucket = :bucket and record_id = :whose::text", filters!());
    LIST_OF_MERCHANT_ALL_BUCKETS = concat!("select ", columns!(), " from invoices
        where merchant_id = :whose::text", filters!());
    SUM_OF_RECORD = "select substr(coalesce(issued_on, ''), 1, 7), member_id, scenario_id, currency,
            cast(sum(case when kind = 'invoice' then 1 else 0 end) as bigint),
            cast(sum(case when kind = 'invoice' then amount_minor else 0 end) as bigint),
            cast(sum(case when kind = 'invoice' then 0 else amount_minor end) as bigint)
        from invoices where bucket = :bucket and record_id = :record::text and origin = 'platform'
            and state in ('issued', 'credited')
        group by substr(coalesce(issued_on, ''), 1, 7), member_id, scenario_id, currency
        order by 1 desc, 2, 3, 4";
    INSERT_LINE = "insert into invoice_lines (bucket, invoice_id, position, name, quantity, unit, price, rate)
        values (:bucket, :invoice::text, :position, :name::text, :quantity::text, :unit::text, :price::text, :rate::text)";
    LIST_LINES = "select name, quantity, unit, price, rate from invoice_lines
        where bucket = :bucket and invoice_id = :invoice::text order by position";
    DELETE_LINES = "delete from invoice_lines where bucket = :bucket and invoice_id = :invoice::text";
    pub(crate) INSERT_TASK = "insert into invoice_tasks
            (bucket, id, kind, subject_id, cause_id, attempts, next_at, created_at)
        values (:bucket, :id::text, :kind::text, :subject::text, :cause::text, 0, :at, :at) on conflict do nothing";
    HURRY_TASK = "update invoice_tasks set next_at = :at, attempts = 0
        where bucket = :bucket and kind = :kind::text and subject_id = :subject::text and cause_id = :cause::text
            and next_at > :at";
    DUE_TASKS_ALL_BUCKETS = "select bucket, id, kind, subject_id, cause_id, attempts, created_at from invoice_tasks
        where next_at <= :now order by next_at, bucket, id limit :limit {for update skip locked}";
    ANY_TASK_ALL_BUCKETS = "select id from invoice_tasks where next_at <= :now limit 1";
    LEASE_TASK = "update invoice_tasks set attempts = attempts + 1, next_at = :until
        where bucket = :bucket and id = :id::text";
    FINISH_TASK = "delete from invoice_tasks where bucket = :bucket and id = :id::text and attempts = :attempts";
    DEFER_TASK = "update invoice_tasks set next_at = :next_at
        where bucket = :bucket and id = :id::text and attempts = :attempts";
}

#[async_trait]
impl InvoiceStore for Store {
    async fn insert_or_find(&self, new: &Invoice, lines: &[InvoiceLine], tasks: &[NewTask]) -> Result<Invoice> {
        let input = (new.clone(), lines.to_vec(), tasks.to_vec());
        let inserting = self.db.write_with(input, |tx, (new, lines, tasks)| {
            Box::pin(async move {
                if tx.execute(&INSERT, values(new)).await? == 1 {
                    write_with_invoice(tx, new, lines, tasks).await?;
                }
                let bucket = new.payment.bucket().number();
                let found = match new.kind {
                    InvoiceKind::Invoice => tx.query_one(&FIND, params![bucket, new.payment.stored()]).await?,
                    InvoiceKind::CreditNote { refund, .. } => {
                        let key = params![bucket, new.payment.stored(), refund_key(refund)];
                        tx.query_one(&FIND_CREDIT, key).await?
                    }
                };
                invoice(found)
            })
        });
        Ok(inserting.await?)
    }

    async fn set_number(&self, bucket: Bucket, payment: PaymentId, number: &str) -> Result<()> {
        let row = params![number, number.to_lowercase(), bucket.number(), payment.stored()];
        Ok(self.change(&SET_NUMBER, row).await.map(drop)?)
    }

    async fn find(&self, payments: Vec<PaymentId>) -> Result<Vec<Option<Invoice>>> {
        let keys = payments
            .iter()
            .map(|payment| params![payment.bucket().number(), payment.stored()])
            .collect();
        let reading = self
            .db
            .read(|tx| Box::pin(async move { tx.query_each(&FIND, keys).await }));
        let found: Vec<Vec<Row>> = reading.await?;
        let invoices = found.into_iter().map(|mut rows| rows.pop().map(invoice).transpose());
        Ok(invoices.collect::<Result<_, DbError>>()?)
    }

    async fn find_invoice(&self, id: InvoiceId) -> Result<Option<Invoice>> {
        let found = self
            .db
            .query_opt(&FIND_BY_ID, params![id.bucket().number(), id.stored()]);
        Ok(found.await?.map(invoice).transpose()?)
    }

    async fn list_lines(&self, id: InvoiceId) -> Result<Vec<InvoiceLine>> {
        let rows = self
            .db
            .query(&LIST_LINES, params![id.bucket().number(), id.stored()])
            .await?;
        Ok(rows.into_iter().map(line).collect::<Result<_, _>>()?)
    }

    async fn list_credits(&self, payment: PaymentId) -> Result<Vec<Invoice>> {
        let key = params![payment.bucket().number(), payment.stored()];
        let rows = self.db.query(&LIST_CREDITS, key).await?;
        Ok(rows.into_iter().map(invoice).collect::<Result<_, _>>()?)
    }

    async fn list_invoices(&self, scope: &InvoiceScope, filter: &InvoiceFilter, page: &Page) -> Result<Vec<Invoice>> {
        let rest = filter_values(filter, page);
        let with = |mut whose: Vec<Value>| {
            whose.extend(rest.clone());
            whose
        };
        let mut found = Vec::new();
        match scope {
            InvoiceScope::Merchant(merchant) => {
                let values = with(params![merchant.stored()]);
                found = self.list_long(&LIST_OF_MERCHANT_ALL_BUCKETS, values).await?;
            }
            InvoiceScope::Record(bucket, record) => {
                let values = with(params![bucket.number(), record.as_str()]);
                found = self.list_long(&LIST_OF_RECORD, values).await?;
            }
            InvoiceScope::Person(person, buckets) => {
                for bucket in buckets {
                    let values = with(params![bucket.number(), person.stored()]);
                    found.extend(self.list_long(&LIST_OF_PERSON, values).await?);
                }
            }
        }
        let invoices: Result<Vec<Invoice>, DbError> = found.into_iter().map(invoice).collect();
        let mut invoices = invoices?;
        invoices.sort_by_key(|invoice| std::cmp::Reverse(invoice.id));
        invoices.truncate(page.limit as usize);
        Ok(invoices)
    }

    async fn sum_invoices(&self, bucket: Bucket, record: &CodeRecordId) -> Result<Vec<InvoiceTotal>> {
        let rows = self
            .list_long(&SUM_OF_RECORD, params![bucket.number(), record.as_str()])
            .await?;
        let total = |mut row: Row| {
            Ok(InvoiceTotal {
                month: row.take_text(0)?,
                member: opt_id(&row, 1, MemberId::new)?,
                scenario: opt_id(&row, 2, ScenarioId::new)?,
                currency: currency(&row, 3)?,
                invoices: row.int(4)?,
                invoiced_minor: row.int(5)?,
                credited_minor: row.int(6)?,
            })
        };
        Ok(rows.into_iter().map(total).collect::<Result<_, DbError>>()?)
    }

    async fn advance(&self, invoice: &Invoice, from: InvoiceState, follow: Follow) -> Result<bool> {
        let input = (invoice.clone(), from, follow);
        let advancing = self.db.write_with(input, |tx, (invoice, from, follow)| {
            Box::pin(async move {
                if tx.execute(&ADVANCE, advanced(invoice, *from)).await? == 0 {
                    return Ok::<bool, DbError>(false);
                }
                if let Some((original, minor)) = follow.credited {
                    let key = params![minor, original.bucket().number(), original.stored()];
                    tx.execute_one(&CREDIT, key).await?;
                }
                deliveries::insert(tx, &follow.deliveries).await?;
                tx.execute_each(&INSERT_TASK, follow.tasks.iter().map(task_values).collect())
                    .await?;
                Ok(true)
            })
        });
        Ok(advancing.await?)
    }

    async fn apply_again(&self, invoice: &Invoice, lines: &[InvoiceLine], tasks: &[NewTask]) -> Result<bool> {
        let input = (invoice.clone(), lines.to_vec(), tasks.to_vec());
        let applying = self.db.write_with(input, |tx, (invoice, lines, tasks)| {
            Box::pin(async move {
                let key = params![invoice.id.bucket().number(), invoice.id.stored()];
                tx.execute(&DELETE_LINES, key.clone()).await?;
                if tx.execute(&DELETE_FAILED, key).await? == 0 {
                    return Ok::<bool, DbError>(false);
                }
                tx.execute_one(&INSERT, values(invoice)).await?;
                write_with_invoice(tx, invoice, lines, tasks).await?;
                Ok(true)
            })
        });
        Ok(applying.await?)
    }

    async fn take_tasks(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<Task>> {
        // An idle worker only reads.
        if self.db.query(&ANY_TASK_ALL_BUCKETS, params![now]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let taking = self
            .db
            .write_with((now, lease_ms, limit), |tx, (now, lease_ms, limit)| {
                let (now, until, limit) = (*now, *now + *lease_ms, *limit);
                Box::pin(async move {
                    let rows = tx.query(&DUE_TASKS_ALL_BUCKETS, params![now, limit]).await?;
                    let tasks: Vec<Task> = rows.iter().map(task).collect::<Result<_, DbError>>()?;
                    let key = |task: &Task| params![until, task.id.bucket().number(), task.id.stored()];
                    tx.execute_each_one(&LEASE_TASK, tasks.iter().map(key).collect())
                        .await?;
                    Ok::<_, DbError>(tasks)
                })
            });
        Ok(taking.await?)
    }

    async fn finish_task(&self, task: &Task) -> Result<()> {
        let key = params![task.id.bucket().number(), task.id.stored(), task.attempts];
        Ok(self.change(&FINISH_TASK, key).await.map(drop)?)
    }

    async fn defer_task(&self, task: &Task, next_at: i64) -> Result<()> {
        let key = params![next_at, task.id.bucket().number(), task.id.stored(), task.attempts];
        Ok(self.change(&DEFER_TASK, key).await.map(drop)?)
    }

    async fn add_task(&self, task: &NewTask) -> Result<()> {
        Ok(self.change(&INSERT_TASK, task_values(task)).await.map(drop)?)
    }

    async fn list_deliveries(&self, invoice: InvoiceId) -> Result<Vec<Delivery>> {
        self.read_deliveries(invoice).await
    }

    async fn find_delivery(&self, id: onescan_domain::ids::DeliveryId) -> Result<Option<Delivery>> {
        self.read_delivery(id).await
    }

    async fn note_attempt(&self, delivery: &Delivery, attempt: &Attempt) -> Result<()> {
        let input = (delivery.clone(), attempt.clone());
        let noting = self.db.write_with(input, |tx, (delivery, attempt)| {
            Box::pin(deliveries::note(tx, delivery, attempt))
        });
        Ok(noting.await?)
    }

    async fn add_delivery(&self, delivery: &Delivery, task: &NewTask) -> Result<()> {
        let input = (delivery.clone(), task.clone());
        let adding = self.db.write_with(input, |tx, (delivery, task)| {
            Box::pin(async move {
                deliveries::insert(tx, std::slice::from_ref(delivery)).await?;
                tx.execute_one(&INSERT_TASK, task_values(task)).await
            })
        });
        Ok(adding.await?)
    }

    async fn resend(&self, delivery: &Delivery, task: &NewTask) -> Result<()> {
        let input = (delivery.clone(), task.clone());
        let sending = self.db.write_with(input, |tx, (delivery, task)| {
            Box::pin(async move {
                deliveries::put(tx, delivery).await?;
                tx.execute(&INSERT_TASK, task_values(task)).await?;
                let (bucket, at) = (task.work.subject().bucket().number(), task.at);
                let key = params![at, bucket, task.work.name(), task.work.subject().to_string(), ""];
                tx.execute(&HURRY_TASK, key).await.map(drop)
            })
        });
        Ok(sending.await?)
    }
}

async fn write_with_invoice(
    tx: &mut Tx,
    invoice: &Invoice,
    lines: &[InvoiceLine],
    tasks: &[NewTask],
) -> Result<(), DbError> {
    let row = |(position, line): (usize, &InvoiceLine)| {
        params![
            invoice.id.bucket().number(),
            invoice.id.stored(),
            position as u32,
            &line.name,
            line.quantity.to_string(),
            &line.unit,
            line.price.to_string(),
            line.rate.as_deref()
        ]
    };
    let lines = lines.iter().enumerate().map(row).collect();
    let tasks = tasks.iter().map(task_values).collect();
    let calls = vec![Call::each(&INSERT_LINE, lines), Call::each(&INSERT_TASK, tasks)];
    tx.execute_all(calls).await.map(drop)
}

/// The reversal of a payment has no refund; its credit note is unique all the same.
fn refund_key(refund: Option<RefundId>) -> String {
    refund.map_or_else(|| "reversal".to_owned(), RefundId::stored)
}

fn search_of(invoice: &Invoice) -> String {
    let buyer = invoice.buyer.as_ref().map_or("", |buyer| &buyer.title);
    let number = invoice.number.as_deref().unwrap_or_default();
    format!("{number} {} {} {buyer}", invoice.order_number, invoice.seller_name).to_lowercase()
}

fn refunds_text(invoice: &Invoice) -> String {
    let ids: Vec<String> = invoice.refunds_before.iter().map(|id| id.stored()).collect();
    ids.join(" ")
}

fn values(invoice: &Invoice) -> Vec<Value> {
    let (original, refund) = match invoice.kind {
        InvoiceKind::Invoice => (None, None),
        InvoiceKind::CreditNote { original, refund } => (Some(original.stored()), Some(refund_key(refund))),
    };
    let buyer = invoice.buyer.as_ref();
    let email = buyer.and_then(|buyer| match &buyer.channel {
        DeliveryChannel::Inbox => None,
        DeliveryChannel::Email(address) => Some(address.as_str()),
    });
    params![
        invoice.id.bucket().number(),
        invoice.id.stored(),
        invoice.kind.name(),
        original,
        refund,
        invoice.origin.name(),
        invoice.state.name(),
        invoice.payment.stored(),
        invoice.merchant.stored(),
        invoice.person.stored(),
        invoice.record.as_str(),
        invoice.member.map(MemberId::stored),
        invoice.scenario.map(ScenarioId::stored),
        &invoice.order_number,
        invoice.subject.as_deref(),
        invoice.profile.map(ProfileId::stored),
        buyer.map(|buyer| buyer.title_kind.name()),
        buyer.map(|buyer| buyer.title.as_str()),
        buyer.and_then(|buyer| buyer.tax_number.as_deref()),
        buyer.and_then(|buyer| buyer.address.as_deref()),
        buyer.and_then(|buyer| buyer.telephone.as_deref()),
        buyer.and_then(|buyer| buyer.bank_name.as_deref()),
        buyer.and_then(|buyer| buyer.bank_account.as_deref()),
        email,
        &invoice.seller_name,
        invoice.setup_version,
        &invoice.language,
        invoice.amount.minor,
        invoice.amount.currency.code(),
        invoice.credited_minor,
        refunds_text(invoice),
        invoice.number.as_deref(),
        invoice.issued_on.as_deref(),
        invoice.issued_at,
        invoice.applied_at,
        invoice.attempts,
        invoice.problem.as_deref(),
        invoice.red_letter.map(|form| form.state.code()),
        invoice.red_letter.map(|form| form.until),
        buyer.and_then(|buyer| buyer.vat_id.as_deref()),
        buyer.and_then(|buyer| buyer.postcode.as_deref()),
        buyer.and_then(|buyer| buyer.city.as_deref()),
        buyer.and_then(|buyer| buyer.country.as_deref()),
        buyer.and_then(|buyer| buyer.electronic_address.as_deref()),
        buyer.and_then(|buyer| buyer.buyer_reference.as_deref()),
        search_of(invoice),
    ]
}

fn advanced(invoice: &Invoice, from: InvoiceState) -> Vec<Value> {
    params![
        invoice.state.name(),
        invoice.amount.minor,
        refunds_text(invoice),
        invoice.number.as_deref(),
        invoice.issued_on.as_deref(),
        invoice.issued_at,
        invoice.attempts,
        invoice.problem.as_deref(),
        invoice.red_letter.map(|form| form.state.code()),
        invoice.red_letter.map(|form| form.until),
        search_of(invoice),
        invoice.id.bucket().number(),
        invoice.id.stored(),
        from.name(),
    ]
}

fn filter_values(filter: &InvoiceFilter, page: &Page) -> Vec<Value> {
    let search = filter.search.as_ref().map(|text| {
        // A wildcard in what is searched for finds a little more, never something else.
        format!("%{}%", text.to_lowercase())
    });
    params![
        page.after.clone().unwrap_or_else(|| "~".to_owned()),
        filter.state.map_or("", InvoiceState::name),
        filter.kind.as_deref().unwrap_or_default(),
        filter.from.unwrap_or(i64::MIN),
        filter.until.unwrap_or(i64::MAX),
        search.unwrap_or_default(),
        filter.person.map(PersonId::stored).unwrap_or_default(),
        filter.scenario.map(ScenarioId::stored).unwrap_or_default(),
        page.limit,
    ]
}

fn invoice(mut row: Row) -> Result<Invoice, DbError> {
    let kind = match row.text(1)? {
        "invoice" => InvoiceKind::Invoice,
        "credit_note" => InvoiceKind::CreditNote {
            original: id(&row, 2, InvoiceId::new)?,
            // The word for the reversal is no id.
            refund: row.opt_text(3)?.and_then(RawId::parse).map(RefundId::new),
        },
        _ => return Err(wrong(1, "kind of invoice")),
    };
    let red_letter = match (
        opt_parsed(&row, 36, "red-letter state", RedLetterState::parse)?,
        row.opt_int(37)?,
    ) {
        (Some(state), Some(until)) => Some(RedLetter { state, until }),
        _ => None,
    };
    let refunds_before = row.text(29)?.split_whitespace().map(RawId::parse);
    let refunds_before: Option<Vec<RefundId>> = refunds_before.map(|id| id.map(RefundId::new)).collect();
    Ok(Invoice {
        id: id(&row, 0, InvoiceId::new)?,
        kind,
        origin: parsed(&row, 4, "origin", InvoiceOrigin::parse)?,
        state: parsed(&row, 5, "state of an invoice", InvoiceState::parse)?,
        payment: id(&row, 6, PaymentId::new)?,
        merchant: id(&row, 7, MerchantId::new)?,
        person: id(&row, 8, PersonId::new)?,
        record: record_id(&mut row, 9)?,
        member: opt_id(&row, 10, MemberId::new)?,
        scenario: opt_id(&row, 11, ScenarioId::new)?,
        order_number: row.take_text(12)?,
        subject: row.take_opt_text(13)?,
        profile: opt_id(&row, 14, ProfileId::new)?,
        buyer: buyer(&mut row)?,
        seller_name: row.take_text(23)?,
        setup_version: row.int(24)?,
        language: row.take_text(25)?,
        amount: money(&row, 26, 27)?,
        credited_minor: row.int(28)?,
        refunds_before: refunds_before.ok_or_else(|| wrong(29, "ids of refunds"))?,
        number: row.take_opt_text(30)?,
        issued_on: row.take_opt_text(31)?,
        issued_at: row.int(32)?,
        applied_at: row.int(33)?,
        attempts: row.int(34)?,
        problem: row.take_opt_text(35)?,
        red_letter,
    })
}

fn buyer(row: &mut Row) -> Result<Option<ProfileFields>, DbError> {
    let Some(title_kind) = opt_parsed(row, 15, "kind of title", TitleKind::parse)? else {
        return Ok(None);
    };
    Ok(Some(ProfileFields {
        title_kind,
        title: row.take_text(16)?,
        tax_number: row.take_opt_text(17)?,
        address: row.take_opt_text(18)?,
        telephone: row.take_opt_text(19)?,
        bank_name: row.take_opt_text(20)?,
        bank_account: row.take_opt_text(21)?,
        vat_id: row.take_opt_text(38)?,
        postcode: row.take_opt_text(39)?,
        city: row.take_opt_text(40)?,
        country: row.take_opt_text(41)?,
        electronic_address: row.take_opt_text(42)?,
        buyer_reference: row.take_opt_text(43)?,
        channel: match row.take_opt_text(22)? {
            Some(address) => DeliveryChannel::Email(address),
            None => DeliveryChannel::Inbox,
        },
    }))
}

fn line(mut row: Row) -> Result<InvoiceLine, DbError> {
    Ok(InvoiceLine {
        name: row.take_text(0)?,
        quantity: parsed(&row, 1, "number", onescan_platforms::invoicing::Decimal::parse)?,
        unit: row.take_text(2)?,
        price: parsed(&row, 3, "number", onescan_platforms::invoicing::Decimal::parse)?,
        rate: row.take_opt_text(4)?,
    })
}

pub(crate) fn task_values(task: &NewTask) -> Vec<Value> {
    let subject = task.work.subject();
    params![
        subject.bucket().number(),
        task.id.stored(),
        task.work.name(),
        subject.to_string(),
        task.work.cause().map(RefundId::stored).unwrap_or_default(),
        task.at,
    ]
}

fn task(row: &Row) -> Result<Task, DbError> {
    let subject = parsed(row, 3, "id", RawId::parse)?;
    let cause = RawId::parse(row.text(4)?).map(RefundId::new);
    Ok(Task {
        id: id(row, 1, EventId::new)?,
        work: parsed(row, 2, "kind of work", |name| Work::of(name, subject, cause))?,
        attempts: row.int(5)? + 1,
        created_at: row.int(6)?,
    })
}
