//! Invoices of payments, in the payment's bucket; one per payment.

use async_trait::async_trait;
use onescan_domain::bucket::Bucket;
use onescan_domain::ids::{InvoiceId, PaymentId, ProfileId};
use onescan_domain::invoicing::Invoice;
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::InvoiceStore;

use crate::decode::{id, opt_id};
use crate::error::DbError;
use crate::sql::Row;
use crate::{Store, params, statements};

statements! {
    INSERT = "insert into invoices (bucket, id, payment_id, profile_id, number, issued_at)
        values (:bucket, :id::text, :payment::text, :profile::text, :number::text, :issued_at)
        on conflict do nothing";
    FIND = "select id, payment_id, profile_id, number, issued_at from invoices
        where bucket = :bucket and payment_id = :payment::text";
    SET_NUMBER = "update invoices set number = :number::text
        where bucket = :bucket and payment_id = :payment::text and number is null";
}

#[async_trait]
impl InvoiceStore for Store {
    async fn insert_or_find(&self, new: &Invoice) -> Result<Invoice> {
        let inserting = self.db.write_with(new.clone(), |tx, new| {
            let bucket = new.payment.bucket().number();
            let row = params![
                bucket,
                new.id.stored(),
                new.payment.stored(),
                new.profile.map(ProfileId::stored),
                new.number.as_deref(),
                new.issued_at
            ];
            let key = params![bucket, new.payment.stored()];
            Box::pin(async move {
                tx.execute(&INSERT, row).await?;
                invoice(tx.query_one(&FIND, key).await?)
            })
        });
        Ok(inserting.await?)
    }

    async fn set_number(&self, bucket: Bucket, payment: PaymentId, number: &str) -> Result<()> {
        let row = params![number, bucket.number(), payment.stored()];
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
}

fn invoice(mut row: Row) -> Result<Invoice, DbError> {
    Ok(Invoice {
        id: id(&row, 0, InvoiceId::new)?,
        payment: id(&row, 1, PaymentId::new)?,
        profile: opt_id(&row, 2, ProfileId::new)?,
        number: row.take_opt_text(3)?,
        issued_at: row.int(4)?,
    })
}
