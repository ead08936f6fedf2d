//! Documents of bills on their way by e-mail: one message a bill, the newest.

use onescan_domain::ids::{BillId, DeliveryId};
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::DeliveryState;
use onescan_platforms::rides::bills::BillMail;

use crate::decode::{id, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::Tx;
use crate::{Store, params, statements};

macro_rules! columns {
    () => {
        "bill_id, id, address, state, attempts, next_at, problem, created_at, delivered_at"
    };
}

statements! {
    PUT = concat!(
        "insert into ride_bill_mails (bucket, ", columns!(), ") values (:bucket, :bill::text, :id::text, :address::text, \
         :state::text, :attempts, :next_at, :problem::text, :created_at, :delivered_at) \
         on conflict (bucket, bill_id) do update set id = excluded.id, address = excluded.address, state = excluded.state, \
         attempts = excluded.attempts, next_at = excluded.next_at, problem = excluded.problem, \
         created_at = excluded.created_at, delivered_at = excluded.delivered_at"
    );
    FIND = concat!("select ", columns!(), " from ride_bill_mails where bucket = :bucket and bill_id = :bill::text");
    DUE_ALL_BUCKETS =
        "select bucket, bill_id, next_at from ride_bill_mails where next_at is not null and next_at <= :now
         order by next_at limit :limit";
    LEASE = concat!(
        "update ride_bill_mails set next_at = :lease, attempts = attempts + 1 \
         where bucket = :bucket and bill_id = :bill::text and next_at = :seen returning ", columns!()
    );
    NOTE =
        "update ride_bill_mails set state = :state::text, next_at = :next_at, problem = :problem::text,
             delivered_at = :delivered_at
         where bucket = :bucket and bill_id = :bill::text and id = :id::text";
}

pub(super) async fn put(tx: &mut Tx, mail: &BillMail) -> Result<(), DbError> {
    tx.execute_one(&PUT, row_of(mail)).await
}

impl Store {
    pub(super) async fn put_mail_row(&self, mail: &BillMail) -> Result<()> {
        Ok(self.change_one(&PUT, row_of(mail)).await?)
    }

    pub(super) async fn find_mail_row(&self, bill: BillId) -> Result<Option<BillMail>> {
        let row = self
            .db
            .query_opt(&FIND, params![bill.bucket().number(), bill.stored()])
            .await?;
        Ok(row.map(mail).transpose()?)
    }

    pub(super) async fn take_mail_rows(&self, now: i64, lease_ms: i64, limit: u32) -> Result<Vec<BillMail>> {
        // An idle worker only reads.
        if self.db.query(&DUE_ALL_BUCKETS, params![now, 1_i64]).await?.is_empty() {
            return Ok(Vec::new());
        }
        let taking = self
            .db
            .write_with((now, now + lease_ms, limit), |tx, (now, lease, limit)| {
                let (now, lease, limit) = (*now, *lease, *limit);
                Box::pin(async move {
                    let mut taken = Vec::new();
                    for due in tx.query(&DUE_ALL_BUCKETS, params![now, limit]).await? {
                        let seen = params![lease, due.int(0)?, due.text(1)?, due.int(2)?];
                        if let Some(row) = tx.query_opt(&LEASE, seen).await? {
                            taken.push(mail(row)?);
                        }
                    }
                    Ok::<_, DbError>(taken)
                })
            });
        Ok(taking.await?)
    }

    pub(super) async fn note_mail_row(&self, mail: &BillMail) -> Result<()> {
        let row = params![
            mail.state.name(),
            mail.next_at,
            mail.problem.clone(),
            mail.delivered_at,
            mail.bill.bucket().number(),
            mail.bill.stored(),
            mail.id.stored()
        ];
        Ok(self.change(&NOTE, row).await.map(drop)?)
    }
}

fn row_of(mail: &BillMail) -> Vec<Value> {
    params![
        mail.bill.bucket().number(),
        mail.bill.stored(),
        mail.id.stored(),
        mail.address.clone(),
        mail.state.name(),
        mail.attempts,
        mail.next_at,
        mail.problem.clone(),
        mail.created_at,
        mail.delivered_at
    ]
}

fn mail(mut row: Row) -> Result<BillMail, DbError> {
    Ok(BillMail {
        bill: id(&row, 0, BillId::new)?,
        id: id(&row, 1, DeliveryId::new)?,
        address: row.take_text(2)?,
        state: parsed(&row, 3, "state of a delivery", DeliveryState::parse)?,
        attempts: row.int(4)?,
        next_at: row.opt_int(5)?,
        problem: row.take_opt_text(6)?,
        created_at: row.int(7)?,
        delivered_at: row.opt_int(8)?,
    })
}
