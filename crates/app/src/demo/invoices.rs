//! What the demo's shops have in their tax set-ups, and a few invoices with their credit notes.

use anyhow::{Result, anyhow};
use onescan_domain::merchants::Merchant;
use onescan_domain::money::Currency;
use onescan_domain::payments::Payment;
use onescan_platforms::invoicing::{Decimal, Language, Vat};
use onescan_platforms::merchants::tax::{InvoicingMode, TaxFields, TaxRate};
use onescan_platforms::payments::PaymentStore;

use super::seed::Seeding;

/// How many of a day's payments of a shop get an invoice; drawing each takes a moment.
const INVOICES_A_DAY: usize = 2;
/// The shops whose invoices are issued here; the others report their own, as the demo's story shows it.
const ISSUED_FOR: [u16; 2] = [4111, 5943];

/// Enters a set-up that fits the shop's country.
pub(super) async fn set_up(seeding: &Seeding, merchant: &Merchant, city: &str) -> Result<()> {
    let chinese = merchant.currency == Currency::CNY;
    let rate = |name: &str, percent| TaxRate {
        name: name.to_owned(),
        vat: Vat::standard(Decimal::whole(percent)),
        reason: None,
        reason_code: None,
    };
    let mut fields = TaxFields {
        legal_name: merchant.name.clone(),
        city: city.to_owned(),
        mode: match ISSUED_FOR.contains(&merchant.category) {
            true => InvoicingMode::OnRequest,
            false => InvoicingMode::Own,
        },
        ..TaxFields::empty(if chinese { "CN" } else { "DE" })
    };
    if chinese {
        fields.street = "文三路 1 号".to_owned();
        fields.postcode = "310000".to_owned();
        fields.credit_code = Some("91310115MA1K000003".to_owned());
        fields.language = Language::Chinese;
        fields.rates = vec![rate("普通", 6), rate("货物", 13)];
    } else {
        fields.street = "Beispielweg 1".to_owned();
        fields.postcode = "10115".to_owned();
        fields.vat_id = Some("DE123456789".to_owned());
        fields.language = Language::German;
        fields.rates = vec![rate("ermäßigt", 7), rate("normal", 19)];
    }
    let entered = seeding.services().taxes.put(merchant, fields, "demo").await?;
    entered
        .map(drop)
        .map_err(|wrong| anyhow!("the demo's tax set-up is wrong: {wrong:?}"))
}

/// Issues invoices for some of a day's payments. A payment whose buyer entered no details has none.
pub(super) async fn issue(seeding: &Seeding, category: u16, paid: &[Payment]) -> Result<Vec<Payment>> {
    let mut invoiced = Vec::new();
    if !ISSUED_FOR.contains(&category) {
        return Ok(invoiced);
    }
    for payment in paid.iter().filter(|payment| payment.paid_at().is_some()) {
        let applied = seeding.services().processing.apply_for_invoice(payment, &[]).await?;
        if applied.is_ok() {
            invoiced.push(payment.clone());
        }
        if invoiced.len() == INVOICES_A_DAY {
            break;
        }
    }
    Ok(invoiced)
}

/// Posts and issues until nothing is due.
pub(super) async fn work(seeding: &Seeding) -> Result<()> {
    let now = seeding.services().env.now_ms();
    while seeding.house.store.post_merchant_side(now, 256).await? > 0 {}
    while seeding.services().processing.work_on_invoices().await? > 0 {}
    Ok(())
}
