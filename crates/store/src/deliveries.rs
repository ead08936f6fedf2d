//! Where issued documents went, in the invoice's bucket.

use onescan_domain::ids::{DeliveryId, InvoiceId};
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::{Attempt, Channel, Delivery, DeliveryState};

use crate::decode::{id, parsed, wrong};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

statements! {
    INSERT = "insert into deliveries
            (bucket, id, invoice_id, channel, address, state, created_at, delivered_at, next_at)
        values (:bucket, :id::text, :invoice::text, :channel::text, :address::text, :state::text, :created_at,
            :delivered_at, :next_at)";
    PUT = "update deliveries set state = :state::text, delivered_at = :delivered_at, next_at = :next_at
        where bucket = :bucket and id = :id::text";
    FIND = "select id, invoice_id, channel, address, state, created_at, delivered_at, next_at from deliveries
        where bucket = :bucket and id = :id::text";
    LIST = "select id, invoice_id, channel, address, state, created_at, delivered_at, next_at from deliveries
        where bucket = :bucket and invoice_id = :invoice::text order by created_at, channel desc, id";
    INSERT_ATTEMPT = "insert into delivery_attempts (bucket, delivery_id, number, tried_at, problem)
        values (:bucket, :delivery::text, :number, :at, :problem::text) on conflict do nothing";
    LIST_ATTEMPTS = "select tried_at, problem from delivery_attempts
        where bucket = :bucket and delivery_id = :delivery::text order by number";
}

pub(crate) async fn insert(tx: &mut Tx, deliveries: &[Delivery]) -> Result<(), DbError> {
    let rows = deliveries.iter().map(|delivery| {
        params![
            delivery.id.bucket().number(),
            delivery.id.stored(),
            delivery.invoice.stored(),
            delivery.channel.name(),
            match &delivery.channel {
                Channel::Email(address) => Some(address.as_str()),
                Channel::Inbox | Channel::Merchant => None,
            },
            delivery.state.name(),
            delivery.created_at,
            delivery.delivered_at,
            delivery.next_at
        ]
    });
    let numbered = |delivery: &Delivery| {
        let attempts = delivery.attempts.iter().zip(0_usize..);
        let id = delivery.id;
        attempts
            .map(move |(attempt, number)| attempt_values(id, number, attempt))
            .collect::<Vec<_>>()
    };
    let calls = vec![
        Call::each(&INSERT, rows.collect()),
        Call::each(&INSERT_ATTEMPT, deliveries.iter().flat_map(numbered).collect()),
    ];
    tx.execute_all(calls).await.map(drop)
}

pub(crate) async fn put(tx: &mut Tx, delivery: &Delivery) -> Result<(), DbError> {
    tx.execute_one(&PUT, state_values(delivery)).await
}

/// The attempt after those that `delivery` has already.
pub(crate) async fn note(tx: &mut Tx, delivery: &Delivery, attempt: &Attempt) -> Result<(), DbError> {
    let row = attempt_values(delivery.id, delivery.attempts.len(), attempt);
    let calls = vec![Call::one(&PUT, state_values(delivery)), Call::one(&INSERT_ATTEMPT, row)];
    tx.execute_all(calls).await.map(drop)
}

fn state_values(delivery: &Delivery) -> Vec<Value> {
    params![
        delivery.state.name(),
        delivery.delivered_at,
        delivery.next_at,
        delivery.id.bucket().number(),
        delivery.id.stored()
    ]
}

fn attempt_values(id: DeliveryId, number: usize, attempt: &Attempt) -> Vec<Value> {
    params![
        id.bucket().number(),
        id.stored(),
        number as i64,
        attempt.at,
        attempt.problem.as_deref()
    ]
}

impl Store {
    pub(crate) async fn read_deliveries(&self, invoice: InvoiceId) -> Result<Vec<Delivery>> {
        let key = params![invoice.bucket().number(), invoice.stored()];
        let rows = self.db.query(&LIST, key).await?;
        self.with_attempts(rows).await
    }

    pub(crate) async fn read_delivery(&self, id: DeliveryId) -> Result<Option<Delivery>> {
        let row = self
            .db
            .query_opt(&FIND, params![id.bucket().number(), id.stored()])
            .await?;
        Ok(self.with_attempts(row.into_iter().collect()).await?.pop())
    }

    async fn with_attempts(&self, rows: Vec<Row>) -> Result<Vec<Delivery>> {
        let mut deliveries: Vec<Delivery> = rows.into_iter().map(delivery).collect::<Result<_, DbError>>()?;
        let key = |delivery: &Delivery| params![delivery.id.bucket().number(), delivery.id.stored()];
        let keys = deliveries.iter().map(key).collect();
        let reading = self
            .db
            .read(|tx| Box::pin(async move { tx.query_each(&LIST_ATTEMPTS, keys).await }));
        let attempts: Result<Vec<Vec<Row>>, DbError> = reading.await;
        for (delivery, rows) in deliveries.iter_mut().zip(attempts?) {
            let attempts = rows.into_iter().map(|mut row| {
                Ok(Attempt {
                    at: row.int(0)?,
                    problem: row.take_opt_text(1)?,
                })
            });
            delivery.attempts = attempts.collect::<Result<_, DbError>>()?;
        }
        Ok(deliveries)
    }
}

fn delivery(mut row: Row) -> Result<Delivery, DbError> {
    let channel = match row.text(2)? {
        "inbox" => Channel::Inbox,
        "merchant" => Channel::Merchant,
        "email" => Channel::Email(row.take_text(3)?),
        _ => return Err(wrong(2, "channel")),
    };
    Ok(Delivery {
        id: id(&row, 0, DeliveryId::new)?,
        invoice: id(&row, 1, InvoiceId::new)?,
        channel,
        state: parsed(&row, 4, "state of a delivery", DeliveryState::parse)?,
        created_at: row.int(5)?,
        delivered_at: row.opt_int(6)?,
        next_at: row.opt_int(7)?,
        attempts: Vec::new(),
    })
}
