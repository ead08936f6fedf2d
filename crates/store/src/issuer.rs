//! Numbers and documents of the in-process issuer, in the merchant's bucket.

use async_trait::async_trait;
use onescan_domain::ids::MerchantId;
use onescan_platforms::error::{PlatformError, Result};
use onescan_platforms::invoicing::{Date, DocumentKey, FileFacts, Format, IssuerStore, StoredDocument, Taken};

use crate::decode::{money, opt_parsed, parsed};
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

statements! {
    FIND = "select document_key, fingerprint, series, running, number, original_key, issued_on, issued_at, gross_minor,
            currency from documents
        where bucket = :bucket and merchant_id = :merchant::text and document_key = :key::text";
    FILES = "select format, sha256, bytes from document_files
        where bucket = :bucket and merchant_id = :merchant::text and document_key = :key::text order by format";
    LAST = "select last_number from document_series
        where bucket = :bucket and merchant_id = :merchant::text and series = :series::text";
    BEGIN_SERIES = "insert into document_series (bucket, merchant_id, series, last_number)
        values (:bucket, :merchant::text, :series::text, 0) on conflict do nothing";
    // Waits for whoever takes a number of the series now; the other servers' guesses then find the number gone.
    TAKE_NUMBER = "update document_series set last_number = :running
        where bucket = :bucket and merchant_id = :merchant::text and series = :series::text
            and last_number = :running - 1";
    // Within the transaction that took it.
    GIVE_BACK = "update document_series set last_number = :running - 1
        where bucket = :bucket and merchant_id = :merchant::text and series = :series::text
            and last_number = :running";
    CREDITED = "select cast(coalesce(sum(gross_minor), 0) as bigint) from documents
        where bucket = :bucket and merchant_id = :merchant::text and original_key = :original::text";
    INSERT = "insert into documents (bucket, merchant_id, document_key, fingerprint, series, running, number,
            original_key, issued_on, issued_at, gross_minor, currency)
        values (:bucket, :merchant::text, :key::text, :fingerprint::text, :series::text, :running, :number::text,
            :original::text, :issued_on::text, :issued_at, :gross, :currency::text)";
    INSERT_FILE = "insert into document_files (bucket, merchant_id, document_key, format, sha256, bytes)
        values (:bucket, :merchant::text, :key::text, :format::text, :sha256::text, :bytes)";
}

fn key_values(merchant: MerchantId, key: DocumentKey) -> Vec<Value> {
    params![merchant.bucket().number(), merchant.stored(), key.to_string()]
}

#[async_trait]
impl IssuerStore for Store {
    async fn find_document(&self, merchant: MerchantId, key: DocumentKey) -> Result<Option<StoredDocument>> {
        let finding = self.db.read(|tx| Box::pin(find(tx, merchant, key)));
        Ok(finding.await?)
    }

    async fn last_number(&self, merchant: MerchantId, series: &str) -> Result<i64> {
        let key = params![merchant.bucket().number(), merchant.stored(), series];
        let row = self.db.query_opt(&LAST, key).await?;
        Ok(row.map_or(Ok(0), |row| row.int(0))?)
    }

    async fn insert_document(&self, document: &StoredDocument) -> Result<Taken> {
        let inserting = self
            .db
            .write_with(document.clone(), |tx, document| Box::pin(insert(tx, document)));
        match inserting.await.map_err(PlatformError::from) {
            // The key has a document: whoever asks looks again and finds it.
            Err(PlatformError::Taken { .. }) => Ok(Taken::Late),
            other => other,
        }
    }
}

async fn find(tx: &mut Tx, merchant: MerchantId, key: DocumentKey) -> Result<Option<StoredDocument>, DbError> {
    let found = tx.query_opt(&FIND, key_values(merchant, key)).await?;
    let Some(mut row) = found else {
        return Ok(None);
    };
    let files = tx.query(&FILES, key_values(merchant, key)).await?;
    let mut files: Vec<FileFacts> = files.into_iter().map(file).collect::<Result<_, DbError>>()?;
    files.sort_by_key(|file| file.format);
    Ok(Some(StoredDocument {
        merchant,
        key,
        fingerprint: row.take_text(1)?,
        series: row.take_text(2)?,
        running: row.int(3)?,
        number: row.take_text(4)?,
        original: opt_parsed(&row, 5, "key of a document", |text| text.parse().ok())?,
        issued_on: parsed(&row, 6, "date", Date::parse)?,
        issued_at: row.int(7)?,
        gross: money(&row, 8, 9)?,
        files,
    }))
}

fn file(mut row: Row) -> Result<FileFacts, DbError> {
    Ok(FileFacts {
        format: parsed(&row, 0, "form of a document", Format::parse)?,
        sha256: row.take_text(1)?,
        bytes: row.number(2)?,
    })
}

async fn insert(tx: &mut Tx, document: &StoredDocument) -> Result<Taken, DbError> {
    let (bucket, merchant) = (document.merchant.bucket().number(), document.merchant.stored());
    if !tx
        .query(&FIND, key_values(document.merchant, document.key))
        .await?
        .is_empty()
    {
        return Ok(Taken::Late);
    }
    let series = params![bucket, &merchant, &document.series];
    tx.execute(&BEGIN_SERIES, series).await?;
    // From here on the series is locked, and with it every other credit note of this issuer's year.
    let taking = params![document.running, bucket, &merchant, &document.series];
    if tx.execute(&TAKE_NUMBER, taking).await? == 0 {
        return Ok(Taken::Late);
    }
    if let Some(original) = document.original
        && !fits(tx, document, original).await?
    {
        let back = params![document.running, bucket, &merchant, &document.series];
        tx.execute_one(&GIVE_BACK, back).await?;
        return Ok(Taken::TooMuch);
    }
    let mut row = key_values(document.merchant, document.key);
    row.extend(params![
        &document.fingerprint,
        &document.series,
        document.running,
        &document.number,
        document.original.map(|key| key.to_string()),
        document.issued_on.to_string(),
        document.issued_at,
        document.gross.minor,
        document.gross.currency.code()
    ]);
    let files = document.files.iter().map(|file| {
        let mut row = key_values(document.merchant, document.key);
        row.extend(params![file.format.ending(), &file.sha256, file.bytes as i64]);
        row
    });
    let calls = vec![Call::one(&INSERT, row), Call::each(&INSERT_FILE, files.collect())];
    tx.execute_all(calls).await?;
    Ok(Taken::Done)
}

/// Whether the invoice has as much left as the credit note says.
async fn fits(tx: &mut Tx, credit: &StoredDocument, original: DocumentKey) -> Result<bool, DbError> {
    let key = key_values(credit.merchant, original);
    let Some(invoice) = tx.query_opt(&FIND, key.clone()).await? else {
        return Ok(false);
    };
    let credited = tx.query_one(&CREDITED, key).await?.int(0)?;
    Ok(credited + credit.gross.minor <= invoice.int(8)?)
}
