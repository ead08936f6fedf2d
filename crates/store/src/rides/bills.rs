//! Bills of rides: the port [`BillStore`]. In which bill a ride is stands at the ride.

use async_trait::async_trait;
use onescan_domain::calendar::Date;
use onescan_domain::ids::{BillId, InstitutionId, MerchantId, ProfileId, RideOrderId};
use onescan_domain::money::Currency;
use onescan_domain::rides::bill::{
    Bill, BillDocument, BillPeriod, BillState, BillTally, IssueWhen, PeriodKind, credits,
};
use onescan_platforms::error::Result;
use onescan_platforms::payments::Page;
use onescan_platforms::rides::bills::{
    BillMail, BillPreview, BillSchedule, BillScope, BillStore, BilledRide, Bounds, CloseBill, Side,
};

use super::bill_mails;
use super::orders::{order, order_columns};
use crate::decode::{currency, id, opt_parsed, parsed, wrong};
use crate::error::DbError;
use crate::ledger::LAST_ID;
use crate::sql::{Row, Value};
use crate::tx::Tx;
use crate::{Store, params, statements};

macro_rules! columns {
    () => {
        "id, institution_id, merchant_id, currency, period, first_on, until_on, from_at, until_at, issue, state, \
         expected_rides, rides, charged_minor, credits, credited_minor, closed_at, issued_on, setup_version, profile_id, \
         number, issued_at, problem, attempts, created_at, changed_at, corrects"
    };
}

/// Rides of an institution with a provider that it paid and that are in no bill. Spells the index `ride_orders_unbilled`.
macro_rules! unbilled {
    () => {
        "bucket = :bucket and institution_id = :institution::text and merchant_id = :merchant::text \
         and currency = :currency::text and start_at < :until and bill_id is null \
         and institution_payment_id is not null and institution_refusal is null"
    };
}

macro_rules! to_credit {
    () => {
        "bucket = :bucket and institution_id = :institution::text and merchant_id = :merchant::text \
         and currency = :currency::text and bill_id is not null \
         and institution_refunded_minor > netted_minor + credited_minor"
    };
}

statements! {
    INSERT = concat!(
        "insert into ride_bills (bucket, ", columns!(), ", next_at) values (:bucket, :id::text, :institution::text, \
         :merchant::text, :currency::text, :period::text, :first_on::text, :until_on::text, :from_at, :until_at, \
         :issue::text, 'closing', :expected, 0, 0, 0, 0, null, null, null, null, null, null, null, 0, :now, :now, \
         :corrects::text, :now) on conflict do nothing"
    );
    INSERT_PROVIDER =
        "insert into ride_provider_bills (bucket, merchant_id, bill_id) values (:bucket, :merchant::text, :bill::text)";
    FIND = concat!("select ", columns!(), " from ride_bills where bucket = :bucket and id = :id::text");
    FIND_PERIOD = concat!(
        "select ", columns!(), " from ride_bills where bucket = :bucket and institution_id = :institution::text \
         and merchant_id = :merchant::text and currency = :currency::text and from_at = :from_at and until_at = :until_at \
         and corrects is null"
    );
    FIND_OPEN_NOTE = concat!(
        "select ", columns!(), " from ride_bills where bucket = :bucket and corrects = :of::text and state = 'closing' \
         and corrects is not null"
    );
    LIST_NOTES = concat!(
        "select ", columns!(), " from ride_bills where bucket = :bucket and corrects = :of::text \
         and corrects is not null order by id"
    );
    DELETE_EMPTY_NOTE =
        "delete from ride_bills where bucket = :bucket and id = :id::text and corrects is not null and credits = 0";
    /// What the invoice of a bill comes to, less what its credit notes took.
    ROOM_OF_NOTES =
        "select b.charged_minor - b.credited_minor - cast(coalesce((select sum(n.credited_minor) from ride_bills n
             where n.bucket = :bucket and n.corrects = :of::text and n.corrects is not null), 0) as bigint)
         from ride_bills b where b.bucket = :bucket and b.id = :of::text and b.state = 'issued'";
    /// Writes, so that two who gather one bill take turns.
    LOCK_CLOSING = concat!(
        "update ride_bills set changed_at = :now where bucket = :bucket and id = :id::text and state = 'closing' \
         returning ", columns!()
    );
    TAKE_RIDES = concat!(
        "update ride_orders set bill_id = :bill::text, netted_minor = institution_refunded_minor, credited_minor = 0 \
         where bucket = :bucket and bill_id is null and id in (select id from ride_orders where ", unbilled!(),
        " and created_at <= :known order by start_at limit :limit) \
         returning institution_minor - netted_minor"
    );
    /// Locks, so that two bills of one provider cannot both credit a refund.
    OPEN_CREDITS = concat!(
        "select id, institution_refunded_minor - netted_minor - credited_minor from ride_orders where ", to_credit!(),
        " and bill_id <> :bill::text order by id limit :limit {for update}"
    );
    /// Of one bill's rides, for its credit note.
    OPEN_CREDITS_OF = concat!(
        "select id, institution_refunded_minor - netted_minor - credited_minor from ride_orders where ", to_credit!(),
        " and bill_id = :of::text order by id limit :limit {for update}"
    );
    OPEN_CREDIT_OF = concat!(
        "select cast(coalesce(sum(institution_refunded_minor - netted_minor - credited_minor), 0) as bigint) \
         from ride_orders where ", to_credit!(), " and bill_id = :of::text"
    );
    LIST_TO_CREDIT =
        "select distinct bill_id from ride_orders
         where bucket = :bucket and institution_id = :institution::text and bill_id is not null
             and institution_refunded_minor > netted_minor + credited_minor
         order by bill_id";
    /// Another bill may have been faster with all that [`TAKE_RIDES`] looked at.
    ANY_LEFT = concat!("select id from ride_orders where ", unbilled!(), " and created_at <= :known limit 1");
    CREDIT_RIDE =
        "update ride_orders set credited_minor = credited_minor + :amount
         where bucket = :bucket and id = :id::text and bill_id is not null";
    INSERT_CREDIT =
        "insert into ride_bill_credits (bucket, bill_id, order_id, amount_minor)
         values (:bucket, :bill::text, :order::text, :amount)
         on conflict (bucket, bill_id, order_id) do update
         set amount_minor = ride_bill_credits.amount_minor + excluded.amount_minor";
    ADD_UP = concat!(
        "update ride_bills set rides = rides + :rides, charged_minor = charged_minor + :charged, \
         credited_minor = credited_minor + :credited, credits = (select count(*) from ride_bill_credits c \
         where c.bucket = :bucket and c.bill_id = :id::text) where bucket = :bucket and id = :id::text returning ", columns!()
    );
    CLOSE = concat!(
        "update ride_bills set state = :state::text, closed_at = :now, changed_at = :now, attempts = 0, next_at = :next_at \
         where bucket = :bucket and id = :id::text and state = 'closing' returning ", columns!()
    );
    MOVE =
        "update ride_bills set state = :state::text, issued_on = :issued_on::text, setup_version = :setup,
         profile_id = :profile::text, number = :number::text, issued_at = :issued_at, problem = :problem::text,
         next_at = :next_at, changed_at = :now
         where bucket = :bucket and id = :id::text and state = :from::text";
    DUE_ALL_BUCKETS =
        "select bucket, id, next_at from ride_bills where next_at is not null and next_at <= :now
         order by next_at limit :limit";
    LEASE = concat!(
        "update ride_bills set next_at = :lease, attempts = attempts + 1 \
         where bucket = :bucket and id = :id::text and next_at = :seen returning ", columns!()
    );
    DEFER =
        "update ride_bills set next_at = :next_at
         where bucket = :bucket and id = :id::text and next_at is not null";
    LIST_OF_INSTITUTION = concat!(
        "select ", columns!(), " from ride_bills where bucket = :bucket and institution_id = :institution::text \
         and id < :after::text order by id desc limit :limit"
    );
    LIST_OF_PROVIDER =
        "select bill_id from ride_provider_bills
         where bucket = :bucket and merchant_id = :merchant::text and bill_id < :after::text
         order by bill_id desc limit :limit";
    PREVIEW = concat!(
        "select count(*), cast(coalesce(sum(institution_minor - institution_refunded_minor), 0) as bigint), \
         cast(coalesce(sum(case when start_at < :from then 1 else 0 end), 0) as bigint) \
         from ride_orders where ", unbilled!()
    );
    PREVIEW_CREDITS = concat!(
        "select cast(coalesce(sum(institution_refunded_minor - netted_minor - credited_minor), 0) as bigint) \
         from ride_orders where ", to_credit!()
    );
    LIST_RIDES = concat!(
        "select ", order_columns!(), ", institution_minor - netted_minor from ride_orders \
         where bucket = :bucket and bill_id = :bill::text and id > :after::text order by id limit :limit"
    );
    LIST_CREDITS =
        "select order_id, amount_minor from ride_bill_credits
         where bucket = :bucket and bill_id = :bill::text and order_id > :after::text order by order_id limit :limit";
    FIND_RIDE = concat!("select ", order_columns!(), " from ride_orders where bucket = :bucket and id = :id::text");
    LIST_UNBILLED =
        "select distinct merchant_id, currency from ride_orders
         where bucket = :bucket and institution_id = :institution::text and start_at < :until and bill_id is null
         and institution_payment_id is not null and institution_refusal is null order by merchant_id, currency";
}

#[async_trait]
impl BillStore for Store {
    async fn insert_or_find(&self, bill: &Bill) -> Result<Bill> {
        let inserting = self.db.write_with(bill.clone(), |tx, bill| {
            Box::pin(async move {
                if tx.execute(&INSERT, insert_parameters(bill)).await? == 1 {
                    let provider = params![
                        bill.provider.bucket().number(),
                        bill.provider.stored(),
                        bill.id.stored()
                    ];
                    tx.execute_one(&INSERT_PROVIDER, provider).await?;
                    return Ok(bill.clone());
                }
                let bounds = Bounds {
                    from_at: bill.from_at,
                    until_at: bill.until_at,
                };
                let key = period_key(bill.institution, bill.provider, bill.currency, bounds);
                self::bill(tx.query_one(&FIND_PERIOD, key).await?)
            })
        });
        Ok(inserting.await?)
    }

    async fn find_bill(&self, id: BillId) -> Result<Option<Bill>> {
        let row = self.db.query_opt(&FIND, key(id)).await?;
        Ok(row.map(bill).transpose()?)
    }

    async fn find_bill_of(
        &self,
        institution: InstitutionId,
        close: &CloseBill,
        bounds: Bounds,
    ) -> Result<Option<Bill>> {
        let key = period_key(institution, close.provider, close.currency, bounds);
        let row = self.db.query_opt(&FIND_PERIOD, key).await?;
        Ok(row.map(bill).transpose()?)
    }

    async fn list_bills(&self, scope: BillScope, page: &Page) -> Result<Vec<Bill>> {
        let after = page.after.as_deref().unwrap_or(LAST_ID);
        let provider = match scope {
            BillScope::Institution(institution) => {
                let parameters = params![institution.bucket().number(), institution.stored(), after, page.limit];
                let rows = self.list_long(&LIST_OF_INSTITUTION, parameters).await?;
                return Ok(rows.into_iter().map(bill).collect::<Result<_, DbError>>()?);
            }
            BillScope::Provider(provider) => provider,
        };
        let parameters = params![provider.bucket().number(), provider.stored(), after, page.limit];
        let ids = self.list_long(&LIST_OF_PROVIDER, parameters).await?;
        let ids: Vec<BillId> = ids
            .iter()
            .map(|row| id(row, 0, BillId::new))
            .collect::<Result<_, DbError>>()?;
        let keys: Vec<Vec<Value>> = ids.into_iter().map(key).collect();
        let found = self
            .db
            .read_long(move |tx| Box::pin(tx.query_each(&FIND, keys)))
            .await?;
        let bills = found.into_iter().flatten().map(bill);
        Ok(bills.collect::<Result<_, DbError>>()?)
    }

    async fn preview(&self, institution: InstitutionId, close: &CloseBill, bounds: Bounds) -> Result<BillPreview> {
        let rides = params![
            bounds.from_at,
            institution.bucket().number(),
            institution.stored(),
            close.provider.stored(),
            close.currency.code(),
            bounds.until_at
        ];
        let credits = rides[1..5].to_vec();
        let rides = self.list_long(&PREVIEW, rides).await?;
        let credits = self.list_long(&PREVIEW_CREDITS, credits).await?;
        let (Some(rides), Some(credits)) = (rides.first(), credits.first()) else {
            return Err(DbError::Broken.into());
        };
        Ok(BillPreview {
            period: close.period,
            from_at: bounds.from_at,
            until_at: bounds.until_at,
            currency: close.currency,
            rides: rides.int(0)?,
            charged_minor: rides.int(1)?,
            late_rides: rides.int(2)?,
            open_credits_minor: credits.int(0)?,
        })
    }

    async fn gather(&self, id: BillId, limit: u32, now: i64) -> Result<Bill> {
        let gathering = self.db.write_with((id, limit, now), |tx, (id, limit, now)| {
            let (id, limit, now) = (*id, *limit, *now);
            Box::pin(async move { gather_once(tx, id, limit, now).await })
        });
        Ok(gathering.await?)
    }

    async fn insert_note(&self, note: &Bill, limit: u32) -> Result<Option<Bill>> {
        let inserting = self.db.write_with((note.clone(), limit), |tx, (note, limit)| {
            Box::pin(insert_note(tx, note, *limit))
        });
        Ok(inserting.await?)
    }

    async fn list_notes(&self, of: BillId) -> Result<Vec<Bill>> {
        let rows = self.list_long(&LIST_NOTES, key(of)).await?;
        Ok(rows.into_iter().map(bill).collect::<Result<_, DbError>>()?)
    }

    async fn open_credit(&self, bill: &Bill) -> Result<i64> {
        let mut parameters = owner_key(bill.institution, bill.provider, bill.currency);
        parameters.extend(params![bill.id.stored()]);
        let rows = self.list_long(&OPEN_CREDIT_OF, parameters).await?;
        let sum = rows.first().ok_or(DbError::Broken)?;
        Ok(sum.int(0)?)
    }

    async fn list_to_credit(&self, institution: InstitutionId) -> Result<Vec<BillId>> {
        let key = params![institution.bucket().number(), institution.stored()];
        let rows = self.list_long(&LIST_TO_CREDIT, key).await?;
        let ids = rows.iter().map(|row| id(row, 0, BillId::new));
        Ok(ids.collect::<Result<_, DbError>>()?)
    }

    async fn complete_bill(&self, bill: &Bill, mail: Option<&BillMail>) -> Result<bool> {
        let row = move_parameters(bill, "issuing", None);
        let completing = self.db.write_with((row, mail.cloned()), |tx, (row, mail)| {
            Box::pin(async move {
                if tx.execute(&MOVE, row.clone()).await? == 0 {
                    return Ok::<_, DbError>(false);
                }
                if let Some(mail) = mail {
                    bill_mails::put(tx, mail).await?;
                }
                Ok(true)
            })
        });
        Ok(completing.await?)
    }

    async fn move_bill(&self, bill: &Bill, from: &'static str, next_at: Option<i64>) -> Result<bool> {
        let row = move_parameters(bill, from, next_at);
        Ok(self.change(&MOVE, row).await? == 1)
    }

    async fn take_bills(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<(Bill, i64)>> {
        // An idle worker only reads.
        if self.db.query(&DUE_ALL_BUCKETS, params![now, 1_i64]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let taking = self
            .db
            .write_with((now, lease_ms, limit), |tx, (now, lease_ms, limit)| {
                let (now, lease, limit) = (*now, *now + *lease_ms, *limit);
                Box::pin(async move {
                    let mut taken = Vec::new();
                    for due in tx.query(&DUE_ALL_BUCKETS, params![now, limit]).await? {
                        let seen = params![lease, due.int(0)?, due.text(1)?, due.int(2)?];
                        if let Some(row) = tx.query_opt(&LEASE, seen).await? {
                            let attempts = row.int(23)?;
                            taken.push((bill(row)?, attempts));
                        }
                    }
                    Ok::<_, DbError>(taken)
                })
            });
        Ok(taking.await?)
    }

    async fn defer_bill(&self, id: BillId, next_at: i64) -> Result<()> {
        let row = params![next_at, id.bucket().number(), id.stored()];
        Ok(self.change(&DEFER, row).await.map(drop)?)
    }

    async fn list_billed(&self, bill: BillId, side: Side, page: &Page) -> Result<Vec<BilledRide>> {
        let after = page.after.as_deref().unwrap_or_default();
        let parameters = params![bill.bucket().number(), bill.stored(), after, page.limit];
        let billed = |row: Row, amount_minor| {
            Ok::<_, DbError>(BilledRide {
                order: order(row)?,
                side,
                amount_minor,
            })
        };
        let mut all = Vec::new();
        match side {
            Side::Charge => {
                for row in self.list_long(&LIST_RIDES, parameters).await? {
                    let amount_minor = row.int(36)?;
                    all.push(billed(row, amount_minor)?);
                }
            }
            Side::Credit => {
                let credits = self.list_long(&LIST_CREDITS, parameters).await?;
                let keys = credits
                    .iter()
                    .map(|row| Ok(params![bill.bucket().number(), row.text(0)?]));
                let keys: Vec<Vec<Value>> = keys.collect::<Result<_, DbError>>()?;
                let found = self
                    .db
                    .read_long(move |tx| Box::pin(tx.query_each(&FIND_RIDE, keys)))
                    .await?;
                for (row, credit) in found.into_iter().flatten().zip(&credits) {
                    all.push(billed(row, credit.int(1)?)?);
                }
            }
        }
        Ok(all)
    }

    async fn list_unbilled(&self, institution: InstitutionId, until: i64) -> Result<Vec<(MerchantId, Currency)>> {
        let parameters = params![institution.bucket().number(), institution.stored(), until];
        let rows = self.list_long(&LIST_UNBILLED, parameters).await?;
        let read = rows
            .iter()
            .map(|row| Ok((id(row, 0, MerchantId::new)?, currency(row, 1)?)));
        Ok(read.collect::<Result<_, DbError>>()?)
    }

    async fn put_schedule(&self, schedule: &BillSchedule) -> Result<()> {
        self.put_schedule_row(schedule).await
    }

    async fn move_schedule(&self, schedule: &BillSchedule) -> Result<()> {
        self.move_schedule_row(schedule).await
    }

    async fn remove_schedule(&self, institution: InstitutionId, provider: Option<MerchantId>) -> Result<bool> {
        self.remove_schedule_row(institution, provider).await
    }

    async fn list_schedules(&self, institution: InstitutionId) -> Result<Vec<BillSchedule>> {
        self.list_schedule_rows(institution).await
    }

    async fn due_schedules(&self, now: i64, limit: u32) -> Result<Vec<BillSchedule>> {
        self.due_schedule_rows(now, limit).await
    }

    async fn put_mail(&self, mail: &BillMail) -> Result<()> {
        self.put_mail_row(mail).await
    }

    async fn find_mail(&self, bill: BillId) -> Result<Option<BillMail>> {
        self.find_mail_row(bill).await
    }

    async fn take_mails(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<BillMail>> {
        self.take_mail_rows(now, lease_ms, limit).await
    }

    async fn note_mail(&self, mail: &BillMail) -> Result<()> {
        self.note_mail_row(mail).await
    }
}

/// Rides first, so that refunds know how much room there is.
async fn gather_once(tx: &mut Tx, id: BillId, limit: u32, now: i64) -> Result<Bill, DbError> {
    let locked = tx
        .query_opt(&LOCK_CLOSING, params![now, id.bucket().number(), id.stored()])
        .await?;
    let Some(locked) = locked else {
        return bill(tx.query_one(&FIND, key(id)).await?);
    };
    let closing = bill(locked)?;
    if let Some(of) = closing.corrects {
        return match take_credits_of(tx, &closing, of, limit).await? {
            0 => close(tx, &closing, now).await,
            credited => add_up(tx, &closing, [0, 0, credited]).await,
        };
    }
    let taken = tx.query(&TAKE_RIDES, take_parameters(&closing, limit)).await?;
    if !taken.is_empty() {
        let mut charged = 0;
        for row in &taken {
            charged += row.int(0)?;
        }
        return add_up(tx, &closing, [taken.len() as i64, charged, 0]).await;
    }
    let mut left = owner_key(closing.institution, closing.provider, closing.currency);
    left.extend(params![closing.until_at, closing.created_at]);
    if tx.query_opt(&ANY_LEFT, left).await?.is_some() {
        return Ok(closing);
    }
    let credited = take_credits(tx, &closing, limit).await?;
    if credited > 0 {
        return add_up(tx, &closing, [0, 0, credited]).await;
    }
    close(tx, &closing, now).await
}

async fn close(tx: &mut Tx, closing: &Bill, now: i64) -> Result<Bill, DbError> {
    let after = closing.after_gathering();
    let next_at = (after == BillState::Issuing).then_some(now);
    let mut parameters = params![after.name(), now, next_at];
    parameters.extend(key(closing.id));
    bill(tx.query_one(&CLOSE, parameters).await?)
}

/// The note with its first refunds, in one commit; the one that stands where somebody was faster; `None` and nothing written
/// where no refund waits.
async fn insert_note(tx: &mut Tx, note: &Bill, limit: u32) -> Result<Option<Bill>, DbError> {
    let Some(of) = note.corrects else {
        return Ok(None);
    };
    if tx.execute(&INSERT, insert_parameters(note)).await? == 0 {
        return tx.query_opt(&FIND_OPEN_NOTE, key(of)).await?.map(bill).transpose();
    }
    let credited = take_credits_of(tx, note, of, limit).await?;
    if credited == 0 {
        tx.execute_one(&DELETE_EMPTY_NOTE, key(note.id)).await?;
        return Ok(None);
    }
    let (bucket, provider) = (note.provider.bucket().number(), note.provider.stored());
    tx.execute_one(&INSERT_PROVIDER, params![bucket, provider, note.id.stored()])
        .await?;
    add_up(tx, note, [0, 0, credited]).await.map(Some)
}

/// Refunds of one bill's rides, as far as its invoice has something left.
async fn take_credits_of(tx: &mut Tx, note: &Bill, of: BillId, limit: u32) -> Result<i64, DbError> {
    let (bucket, of) = (of.bucket().number(), of.stored());
    let room = params![bucket, of.clone()];
    let Some(room) = tx.query_opt(&ROOM_OF_NOTES, room).await? else {
        return Ok(0);
    };
    let room = room.int(0)?;
    let mut parameters = owner_key(note.institution, note.provider, note.currency);
    parameters.extend(params![of, limit]);
    let open = tx.query(&OPEN_CREDITS_OF, parameters).await?;
    take(tx, note, &open, room).await
}

async fn take_credits(tx: &mut Tx, closing: &Bill, limit: u32) -> Result<i64, DbError> {
    let mut parameters = owner_key(closing.institution, closing.provider, closing.currency);
    parameters.extend(params![closing.id.stored(), limit]);
    let open = tx.query(&OPEN_CREDITS, parameters).await?;
    take(tx, closing, &open, closing.tally.total_minor()).await
}

/// `open`: rides with what is open of them, locked.
async fn take(tx: &mut Tx, closing: &Bill, open: &[Row], room: i64) -> Result<i64, DbError> {
    let minors: Vec<i64> = open.iter().map(|row| row.int(1)).collect::<Result<_, DbError>>()?;
    let taken = credits(&minors, room);
    let bucket = closing.id.bucket().number();
    for (row, amount) in open.iter().zip(&taken).filter(|(_, amount)| **amount > 0) {
        let ride = id(row, 0, RideOrderId::new)?.stored();
        tx.execute_one(&CREDIT_RIDE, params![*amount, bucket, ride.clone()])
            .await?;
        let credit = params![bucket, closing.id.stored(), ride, *amount];
        tx.execute_one(&INSERT_CREDIT, credit).await?;
    }
    Ok(taken.iter().sum())
}

async fn add_up(tx: &mut Tx, closing: &Bill, [rides, charged, credited]: [i64; 3]) -> Result<Bill, DbError> {
    let mut parameters = params![rides, charged, credited];
    parameters.extend(key(closing.id));
    bill(tx.query_one(&ADD_UP, parameters).await?)
}

fn move_parameters(bill: &Bill, from: &'static str, next_at: Option<i64>) -> Vec<Value> {
    let (number, issued_at, problem) = match &bill.state {
        BillState::Issued { number, at } => (Some(number.as_str()), Some(*at), None),
        BillState::Failed { problem } => (None, None, Some(problem.as_str())),
        BillState::Closing | BillState::Closed | BillState::Issuing => (None, None, None),
    };
    params![
        bill.state.name(),
        bill.document.map(|document| document.issued_on.to_string()),
        bill.document.map(|document| document.setup_version),
        bill.document.map(|document| document.profile.stored()),
        number,
        issued_at,
        problem,
        next_at,
        bill.changed_at,
        bill.id.bucket().number(),
        bill.id.stored(),
        from
    ]
}

fn key(id: BillId) -> Vec<Value> {
    params![id.bucket().number(), id.stored()]
}

fn owner_key(institution: InstitutionId, provider: MerchantId, currency: Currency) -> Vec<Value> {
    params![
        institution.bucket().number(),
        institution.stored(),
        provider.stored(),
        currency.code()
    ]
}

fn period_key(institution: InstitutionId, provider: MerchantId, currency: Currency, bounds: Bounds) -> Vec<Value> {
    let mut key = owner_key(institution, provider, currency);
    key.extend(params![bounds.from_at, bounds.until_at]);
    key
}

fn take_parameters(closing: &Bill, limit: u32) -> Vec<Value> {
    let mut parameters = params![closing.id.stored()];
    parameters.extend(owner_key(closing.institution, closing.provider, closing.currency));
    parameters.extend(params![closing.until_at, closing.created_at, limit]);
    parameters
}

fn insert_parameters(bill: &Bill) -> Vec<Value> {
    params![
        bill.id.bucket().number(),
        bill.id.stored(),
        bill.institution.stored(),
        bill.provider.stored(),
        bill.currency.code(),
        bill.period.kind().name(),
        bill.period.first_on().to_string(),
        bill.period.until_on().to_string(),
        bill.from_at,
        bill.until_at,
        bill.issue.name(),
        bill.tally.expected,
        bill.created_at,
        bill.corrects.map(BillId::stored)
    ]
}

/// `row`: [`columns`].
fn bill(mut row: Row) -> Result<Bill, DbError> {
    let kind = parsed(&row, 4, "period", PeriodKind::parse)?;
    let (first_on, until_on) = (
        parsed(&row, 5, "date", Date::parse)?,
        parsed(&row, 6, "date", Date::parse)?,
    );
    let document = match opt_parsed(&row, 17, "date", Date::parse)? {
        None => None,
        Some(issued_on) => Some(BillDocument {
            issued_on,
            setup_version: row.int(18)?,
            profile: id(&row, 19, ProfileId::new)?,
        }),
    };
    let state = match row.text(10)? {
        "closing" => BillState::Closing,
        "closed" => BillState::Closed,
        "issuing" => BillState::Issuing,
        "issued" => BillState::Issued {
            at: row.int(21)?,
            number: row.take_text(20)?,
        },
        "failed" => BillState::Failed {
            problem: row.take_text(22)?,
        },
        _ => return Err(wrong(10, "state of a bill")),
    };
    Ok(Bill {
        id: id(&row, 0, BillId::new)?,
        institution: id(&row, 1, InstitutionId::new)?,
        provider: id(&row, 2, MerchantId::new)?,
        currency: currency(&row, 3)?,
        period: BillPeriod::kept(kind, first_on, until_on).ok_or_else(|| wrong(6, "a later date"))?,
        corrects: opt_parsed(&row, 26, "id of a bill", |text| BillId::from_stored(text).ok())?,
        from_at: row.int(7)?,
        until_at: row.int(8)?,
        issue: parsed(&row, 9, "when to issue", IssueWhen::parse)?,
        state,
        tally: BillTally {
            expected: row.int(11)?,
            rides: row.int(12)?,
            charged_minor: row.int(13)?,
            credits: row.int(14)?,
            credited_minor: row.int(15)?,
        },
        closed_at: row.opt_int(16)?,
        document,
        created_at: row.int(24)?,
        changed_at: row.int(25)?,
    })
}
