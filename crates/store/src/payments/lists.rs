//! Reading payments, sales and alarms: by key, and in pages, newest first.

use std::cmp::Reverse;

use onescan_domain::bucket::Bucket;
use onescan_domain::codes::{CodeKind, CodeRecordId};
use onescan_domain::ids::{CodeId, EventId, MerchantId, PaymentId, PersonId, StoreId, TerminalId};
use onescan_domain::payments::batch::{Alarm, AlarmKind, UsageKey, UsageRow};
use onescan_domain::payments::{Payment, Refund};
use onescan_platforms::error::Result;
use onescan_platforms::payments::{Page, Sale, SalesFilter, SalesTotal};

use super::rows::{
    self, OWN_USAGE, OwnCounters, PAYMENT, PAYMENT_OF_CODE, USAGE, payment_columns, refund_columns, usage_key,
};
use crate::decode::{currency, id, money, opt_id, parsed};
use crate::error::DbError;
use crate::ledger::LAST_ID;
use crate::sql::{Row, Value};
use crate::statement::Statement;
use crate::{Store, params, statements};

/// What [`alarm`] reads, in its order.
macro_rules! alarm_columns {
    () => {
        "id, kind, person_id, terminal_id, payment_id, created_at"
    };
}

statements! {
    PAYMENT_OF_ORDER =
        "select payment_id from merchant_orders
         where bucket = :bucket and merchant_id = :merchant::text and order_number = :order_number::text";
    REFUNDS = concat!(
        "select ", refund_columns!(), " from refunds where bucket = :bucket and payment_id = :payment::text order by id"
    );
    ACCOUNTS =
        "select account_id from code_records where bucket = :bucket and kind = 'user' and holder_id = :person::text
         union select id from accounts where bucket = :bucket and owner_id = :person::text";
    // Follows the chain from the account's newest payment; the outer limit ends it.
    OF_ACCOUNT = concat!(
        "with recursive chain (", payment_columns!(), ", previous_id) as (
             select ", payment_columns!("p."), ", p.previous_id from accounts a
             join payments p on p.bucket = a.bucket and p.id = a.latest_payment_id
             where a.bucket = :bucket and a.id = :account::text
             union all
             select ", payment_columns!("p."), ", p.previous_id from chain c
             join payments p on p.bucket = :bucket and p.id = c.previous_id)
         select ", payment_columns!(), " from chain
         where person_id = :person::text and id < :after::text limit :limit"
    );
    OF_MEMBER = concat!(
        "select ", payment_columns!(), " from payments where bucket = :bucket and person_id = :person::text
         and kind = 'institution' and id < :after::text order by id desc limit :limit"
    );
    RECORD_HOLDER = "select kind, holder_id from code_records where bucket = :bucket and id = :id::text";
    OF_INSTITUTION_RECORD = concat!(
        "select ", payment_columns!(), " from payments where bucket = :bucket and record_id = :record::text
         and kind = 'institution' and id < :after::text order by id desc limit :limit"
    );
    SALES =
        "select payment_id, store_id, terminal_id, order_number, amount_minor, currency, refunded_minor, paid_at,
         reversed from sales where bucket = :bucket and merchant_id = :merchant::text
         and paid_at >= :from and paid_at < :until and (:terminal::text is null or terminal_id = :terminal::text)
         and payment_id < :after::text order by payment_id desc limit :limit";
    SALES_TOTALS =
        "select currency, count(*), cast(sum(amount_minor) as bigint), cast(sum(refunded_minor) as bigint)
         from sales where bucket = :bucket and merchant_id = :merchant::text and paid_at >= :from and paid_at < :until
         and (:terminal::text is null or terminal_id = :terminal::text) and reversed = 0
         group by currency order by currency";
    ALARMS_OF_PERSON = concat!(
        "select ", alarm_columns!(), " from alarms where bucket = :bucket and person_id = :person::text
         and id < :after::text order by id desc limit :limit"
    );
    ALARMS_ALL_BUCKETS = concat!(
        "select ", alarm_columns!(), " from alarms where id < :after::text order by id desc limit :limit"
    );
}

fn after(page: &Page) -> &str {
    page.after.as_deref().unwrap_or(LAST_ID)
}

fn payments(rows: Vec<Row>) -> Result<Vec<Payment>> {
    Ok(rows.into_iter().map(rows::payment).collect::<Result<_, DbError>>()?)
}

fn newest(mut payments: Vec<Payment>, page: &Page) -> Vec<Payment> {
    payments.sort_by_key(|payment| Reverse(payment.id));
    payments.truncate(page.limit as usize);
    payments
}

/// `row`: [`alarm_columns`].
fn alarm(row: Row) -> Result<Alarm, DbError> {
    Ok(Alarm {
        id: id(&row, 0, EventId::new)?,
        kind: parsed(&row, 1, "kind of alarm", AlarmKind::parse)?,
        person: opt_id(&row, 2, PersonId::new)?,
        terminal: id(&row, 3, TerminalId::new)?,
        payment: opt_id(&row, 4, PaymentId::new)?,
        created_at: row.int(5)?,
    })
}

fn alarms(rows: Vec<Row>) -> Result<Vec<Alarm>> {
    Ok(rows.into_iter().map(alarm).collect::<Result<_, DbError>>()?)
}

fn sale(mut row: Row) -> Result<Sale, DbError> {
    Ok(Sale {
        payment: id(&row, 0, PaymentId::new)?,
        store: id(&row, 1, StoreId::new)?,
        terminal: id(&row, 2, TerminalId::new)?,
        order_number: row.take_text(3)?,
        amount: money(&row, 4, 5)?,
        refunded_minor: row.int(6)?,
        paid_at: row.int(7)?,
        reversed: row.flag(8)?,
    })
}

/// Bucket, merchant, window, terminal.
fn sales_parameters(filter: &SalesFilter) -> Vec<Value> {
    params![
        filter.merchant.bucket().number(),
        filter.merchant.stored(),
        filter.from,
        filter.until,
        filter.terminal.map(TerminalId::stored),
    ]
}

impl Store {
    async fn find_each(&self, statement: &'static Statement, sets: Vec<Vec<Value>>) -> Result<Vec<Vec<Row>>, DbError> {
        let finding = self.db.read(|tx| Box::pin(tx.query_each(statement, sets)));
        finding.await
    }

    pub(super) async fn find_payment(&self, id: PaymentId) -> Result<Option<Payment>> {
        let row = self
            .db
            .query_opt(&PAYMENT, params![id.bucket().number(), id.stored()])
            .await?;
        Ok(row.map(rows::payment).transpose()?)
    }

    pub(super) async fn find_payments_of_codes(&self, codes: Vec<CodeId>) -> Result<Vec<Option<Payment>>> {
        let sets = codes.iter().map(|code| params![code.bucket().number(), code.stored()]);
        let sets: Vec<_> = sets.collect();
        let found = self.find_each(&PAYMENT_OF_CODE, sets).await?;
        let payments = found
            .into_iter()
            .map(|mut rows| rows.pop().map(rows::payment).transpose());
        Ok(payments.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn find_payment_of_order(&self, merchant: MerchantId, number: &str) -> Result<Option<Payment>> {
        let parameters = params![merchant.bucket().number(), merchant.stored(), number];
        match self.db.query_opt(&PAYMENT_OF_ORDER, parameters).await? {
            Some(row) => self.find_payment(id(&row, 0, PaymentId::new)?).await,
            None => Ok(None),
        }
    }

    pub(super) async fn list_refund_rows(&self, payment: PaymentId) -> Result<Vec<Refund>> {
        let parameters = params![payment.bucket().number(), payment.stored()];
        let rows = self.db.query(&REFUNDS, parameters).await?;
        Ok(rows.into_iter().map(rows::refund).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn load_usage_rows(&self, keys: Vec<UsageKey>, bucket: Bucket) -> Result<Vec<Option<UsageRow>>> {
        let institutions = keys.iter().filter(|key| key.own.is_none());
        let institutions = institutions.map(|key| usage_key(bucket, key)).collect();
        let own = keys.iter().filter_map(|key| key.own);
        let own = own.map(|id| params![id.bucket().number(), id.stored()]).collect();
        let mut institutions = self.find_each(&USAGE, institutions).await?.into_iter();
        let mut own = self.find_each(&OWN_USAGE, own).await?.into_iter();
        let counters = keys.iter().map(|key| match key.own {
            None => institutions
                .next()
                .and_then(|rows| rows.first().map(rows::usage))
                .transpose(),
            Some(_) => {
                let row = own.next().and_then(|mut rows| rows.pop());
                Ok(OwnCounters::of(row)?.0.get(&key.scenario).copied())
            }
        });
        Ok(counters.collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_payments_of_person(
        &self,
        person: PersonId,
        bucket: Bucket,
        page: &Page,
    ) -> Result<Vec<Payment>> {
        let parameters = params![bucket.number(), person.stored(), after(page), page.limit];
        let mut found = payments(self.db.query(&OF_MEMBER, parameters).await?)?;
        found.extend(self.list_own_payments(bucket, &person.stored(), page).await?);
        Ok(newest(found, page))
    }

    /// With the person's own codes: along the chains of their accounts.
    async fn list_own_payments(&self, bucket: Bucket, person: &str, page: &Page) -> Result<Vec<Payment>> {
        let accounts = self.db.query(&ACCOUNTS, params![bucket.number(), person]).await?;
        let sets = accounts.iter().map(|row| {
            let account = row.text(0)?;
            Ok(params![bucket.number(), account, person, after(page), page.limit])
        });
        let sets = sets.collect::<Result<_, DbError>>()?;
        let found = self.find_each(&OF_ACCOUNT, sets).await?;
        Ok(newest(payments(found.into_iter().flatten().collect())?, page))
    }

    pub(super) async fn list_payments_of_record(
        &self,
        bucket: Bucket,
        record: &CodeRecordId,
        page: &Page,
    ) -> Result<Vec<Payment>> {
        let key = params![bucket.number(), record.as_str()];
        let Some(row) = self.db.query_opt(&RECORD_HOLDER, key).await? else {
            return Ok(Vec::new());
        };
        match parsed(&row, 0, "kind of code", CodeKind::parse)? {
            CodeKind::User => self.list_own_payments(bucket, row.text(1)?, page).await,
            CodeKind::Institution => {
                let parameters = params![bucket.number(), record.as_str(), after(page), page.limit];
                payments(self.db.query(&OF_INSTITUTION_RECORD, parameters).await?)
            }
        }
    }

    pub(super) async fn list_sale_rows(&self, filter: &SalesFilter, page: &Page) -> Result<Vec<Sale>> {
        let mut parameters = sales_parameters(filter);
        parameters.extend(params![after(page), page.limit]);
        let rows = self.db.query(&SALES, parameters).await?;
        Ok(rows.into_iter().map(sale).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn sum_sale_rows(&self, filter: &SalesFilter) -> Result<Vec<SalesTotal>> {
        let rows = self.db.query(&SALES_TOTALS, sales_parameters(filter)).await?;
        let total = |row: Row| {
            Ok(SalesTotal {
                currency: currency(&row, 0)?,
                count: row.int(1)?,
                amount_minor: row.int(2)?,
                refunded_minor: row.int(3)?,
            })
        };
        Ok(rows.into_iter().map(total).collect::<Result<_, DbError>>()?)
    }

    pub(super) async fn list_alarm_rows_of_person(
        &self,
        person: PersonId,
        bucket: Bucket,
        page: &Page,
    ) -> Result<Vec<Alarm>> {
        let parameters = params![bucket.number(), person.stored(), after(page), page.limit];
        alarms(self.db.query(&ALARMS_OF_PERSON, parameters).await?)
    }

    pub(super) async fn list_alarm_rows(&self, page: &Page) -> Result<Vec<Alarm>> {
        alarms(
            self.db
                .query(&ALARMS_ALL_BUCKETS, params![after(page), page.limit])
                .await?,
        )
    }
}
