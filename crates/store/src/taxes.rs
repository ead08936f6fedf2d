//! Merchants' tax set-ups, in the merchant's bucket. A version never changes.

use async_trait::async_trait;
use onescan_domain::ids::MerchantId;
use onescan_platforms::error::Result;
use onescan_platforms::invoicing::{Decimal, Numbering, Vat, VatCategory, YearInNumber};
use onescan_platforms::merchants::tax::{
    BankAccount, InvoicingMode, TaxFields, TaxRate, TaxSetup, TaxStore, language_tag, parse_language,
};

use crate::decode::parsed;
use crate::error::DbError;
use crate::sql::{Row, Value};
use crate::tx::{Call, Tx};
use crate::{Store, params, statements};

macro_rules! columns {
    () => {
        "version, legal_name, street, city, postcode, country, vat_id, tax_number, credit_code, email, phone, prefix, \
         credit_prefix, with_year, width, language, iban, bic, account_holder, mode, logo, entered_by, entered_at, bank_name"
    };
}

statements! {
    NEWEST = "select tax_version from merchants where bucket = :bucket and id = :merchant::text {for update}";
    MARK = "update merchants set tax_version = :version, invoicing = :mode::text
        where bucket = :bucket and id = :merchant::text";
    INSERT = concat!("insert into tax_setups (bucket, merchant_id, ", columns!(), ")
        values (:bucket, :merchant::text, :version, :legal_name::text, :street::text, :city::text, :postcode::text,
            :country::text, :vat_id::text, :tax_number::text, :credit_code::text, :email::text, :phone::text,
            :prefix::text, :credit_prefix::text, :with_year, :width, :language::text, :iban::text, :bic::text,
            :holder::text, :mode::text, :logo::bytea, :entered_by::text, :entered_at,
            :bank_name::text)");
    INSERT_RATE = "insert into tax_rates
            (bucket, merchant_id, version, position, name, category, percent, reason, reason_code)
        values (:bucket, :merchant::text, :version, :position, :name::text, :category::text, :percent::text,
            :reason::text, :code::text)";
    FIND = concat!("select ", columns!(), " from tax_setups
        where bucket = :bucket and merchant_id = :merchant::text and version = :version");
    FIND_NEWEST = concat!("select ", columns!(), " from tax_setups
        where bucket = :bucket and merchant_id = :merchant::text order by version desc limit 1");
    RATES = "select name, category, percent, reason, reason_code from tax_rates
        where bucket = :bucket and merchant_id = :merchant::text and version = :version order by position";
    LIST = "select version, entered_by, entered_at from tax_setups
        where bucket = :bucket and merchant_id = :merchant::text order by version desc";
}

#[async_trait]
impl TaxStore for Store {
    async fn insert_tax_setup(&self, setup: &TaxSetup) -> Result<i64> {
        let inserting = self
            .db
            .write_with(setup.clone(), |tx, setup| Box::pin(insert(tx, setup)));
        Ok(inserting.await?)
    }

    async fn find_tax_setup(&self, merchant: MerchantId, version: Option<i64>) -> Result<Option<TaxSetup>> {
        let finding = self.db.read(|tx| Box::pin(find(tx, merchant, version)));
        Ok(finding.await?)
    }

    async fn list_tax_setups(&self, merchant: MerchantId) -> Result<Vec<(i64, String, i64)>> {
        let key = params![merchant.bucket().number(), merchant.stored()];
        let rows = self.db.query(&LIST, key).await?;
        let version = |mut row: Row| Ok((row.int(0)?, row.take_text(1)?, row.int(2)?));
        Ok(rows.into_iter().map(version).collect::<Result<_, DbError>>()?)
    }
}

async fn insert(tx: &mut Tx, setup: &TaxSetup) -> Result<i64, DbError> {
    let (bucket, merchant) = (setup.merchant.bucket().number(), setup.merchant.stored());
    let newest = tx.query_one(&NEWEST, params![bucket, &merchant]).await?;
    let version = newest.opt_int(0)?.unwrap_or(0) + 1;
    let rates = setup.fields.rates.iter().zip(0_i64..);
    let rates = rates.map(|(rate, position)| {
        params![
            bucket,
            &merchant,
            version,
            position,
            &rate.name,
            rate.vat.category.code(),
            rate.vat.percent.to_string(),
            rate.reason.as_deref(),
            rate.reason_code.as_deref()
        ]
    });
    let calls = vec![
        Call::one(&INSERT, values(setup, version)),
        Call::each(&INSERT_RATE, rates.collect()),
        Call::one(&MARK, params![version, setup.fields.mode.name(), bucket, &merchant]),
    ];
    tx.execute_all(calls).await?;
    Ok(version)
}

fn values(setup: &TaxSetup, version: i64) -> Vec<Value> {
    let fields = &setup.fields;
    let bank = fields.bank.as_ref();
    params![
        setup.merchant.bucket().number(),
        setup.merchant.stored(),
        version,
        &fields.legal_name,
        &fields.street,
        &fields.city,
        &fields.postcode,
        &fields.country,
        fields.vat_id.as_deref(),
        fields.tax_number.as_deref(),
        fields.credit_code.as_deref(),
        fields.email.as_deref(),
        fields.phone.as_deref(),
        &fields.numbering.prefix,
        &fields.numbering.credit_prefix,
        fields.numbering.year == YearInNumber::With,
        fields.numbering.width,
        language_tag(fields.language),
        bank.map(|bank| bank.iban.as_str()),
        bank.and_then(|bank| bank.bic.as_deref()),
        bank.and_then(|bank| bank.holder.as_deref()),
        fields.mode.name(),
        fields.logo.as_deref(),
        &setup.entered_by,
        setup.entered_at,
        bank.and_then(|bank| bank.name.as_deref()),
    ]
}

async fn find(tx: &mut Tx, merchant: MerchantId, version: Option<i64>) -> Result<Option<TaxSetup>, DbError> {
    let (bucket, id) = (merchant.bucket().number(), merchant.stored());
    let found = match version {
        Some(version) => tx.query_opt(&FIND, params![bucket, &id, version]).await?,
        None => tx.query_opt(&FIND_NEWEST, params![bucket, &id]).await?,
    };
    let Some(row) = found else {
        return Ok(None);
    };
    let rates = tx.query(&RATES, params![bucket, &id, row.int(0)?]).await?;
    let rates = rates.into_iter().map(rate).collect::<Result<_, DbError>>()?;
    setup(merchant, row, rates).map(Some)
}

fn setup(merchant: MerchantId, mut row: Row, rates: Vec<TaxRate>) -> Result<TaxSetup, DbError> {
    let year = match row.flag(13)? {
        true => YearInNumber::With,
        false => YearInNumber::Without,
    };
    let bank = match row.take_opt_text(16)? {
        Some(iban) => Some(BankAccount {
            iban,
            name: row.take_opt_text(23)?,
            bic: row.take_opt_text(17)?,
            holder: row.take_opt_text(18)?,
        }),
        None => None,
    };
    Ok(TaxSetup {
        merchant,
        version: row.int(0)?,
        fields: TaxFields {
            legal_name: row.take_text(1)?,
            street: row.take_text(2)?,
            city: row.take_text(3)?,
            postcode: row.take_text(4)?,
            country: row.take_text(5)?,
            vat_id: row.take_opt_text(6)?,
            tax_number: row.take_opt_text(7)?,
            credit_code: row.take_opt_text(8)?,
            email: row.take_opt_text(9)?,
            phone: row.take_opt_text(10)?,
            numbering: Numbering {
                prefix: row.take_text(11)?,
                credit_prefix: row.take_text(12)?,
                year,
                width: row.number(14)?,
            },
            language: parsed(&row, 15, "language", parse_language)?,
            rates,
            bank,
            mode: parsed(&row, 19, "mode", InvoicingMode::parse)?,
            logo: row.take_opt_bytes(20)?,
        },
        entered_by: row.take_text(21)?,
        entered_at: row.int(22)?,
    })
}

fn rate(mut row: Row) -> Result<TaxRate, DbError> {
    Ok(TaxRate {
        name: row.take_text(0)?,
        vat: Vat {
            category: parsed(&row, 1, "category of tax", VatCategory::parse)?,
            percent: parsed(&row, 2, "number", Decimal::parse)?,
        },
        reason: row.take_opt_text(3)?,
        reason_code: row.take_opt_text(4)?,
    })
}
