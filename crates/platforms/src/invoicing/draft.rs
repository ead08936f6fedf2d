//! From a payment's invoice and its merchant's tax set-up to the document. Pure: the same rows give the same document.
//!
//! Tills reckon with tax, so prices are gross, and what the document comes to is what was paid, to the last minor unit.

use onescan_domain::invoicing::Invoice;
use onescan_domain::money::Money;
use onescan_domain::profiles::ProfileFields;
use onescan_einvoice::invoice as document;
use onescan_einvoice::invoice::{Adjustment, Direction, DocumentAdjustment, Kind, Line, Original, Party, Prices, Vat};
use onescan_einvoice::pdf::Language;
use onescan_einvoice::titles::profile::buyer_of;
use onescan_einvoice::{Date, Decimal, Totals};

use crate::merchants::tax::TaxFields;

/// A line as the till sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    pub name: String,
    /// Not 0; negative for what is taken back.
    pub quantity: Decimal,
    /// UN/ECE recommendation 20: `C62` one, `KGM`, `HUR`.
    pub unit: String,
    /// With tax, for one unit; at least 0.
    pub price: Decimal,
    /// The article group in the merchant's set-up; its first one for `None`.
    pub rate: Option<String>,
}

/// Why a document cannot be drawn up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    #[error("lines[{index}].rate: the tax set-up has no article group {rate}")]
    UnknownRate { index: usize, rate: String },
    #[error("lines: they come to {lines}, but {paid} was paid")]
    Sum { lines: Money, paid: Money },
    #[error("lines: the amounts are larger than can be kept")]
    Overflow,
}

/// What a preview shows.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub amount: Money,
    /// Article group.
    pub rate: &'a str,
    pub on: Date,
}

/// The invoice over `paid` of which `refunded_minor` went back before it is issued. `paid_on` stands as the day of supply.
pub fn invoice(
    invoice: &Invoice,
    seller: &TaxFields,
    lines: &[InvoiceLine],
    refunded_minor: i64,
    days: Days,
) -> Result<document::Invoice, DraftError> {
    let paid = Money::new(invoice.amount.minor + refunded_minor, invoice.amount.currency);
    let mut head = head(seller, buyer(invoice.buyer.as_ref(), &seller.country), days);
    head.currency = paid.currency;
    head.order_reference = Some(invoice.order_number.clone());
    head.buyer_reference = invoice.buyer.as_ref().and_then(|buyer| buyer.buyer_reference.clone());
    head.lines = match lines {
        [] => vec![only_line(invoice.subject.as_deref(), seller, paid)],
        lines => lines_of(lines, seller)?,
    };
    let totals = Totals::of(&head).map_err(|_| DraftError::Overflow)?;
    if totals.gross != paid.minor {
        let lines = Money::new(totals.gross, paid.currency);
        return Err(DraftError::Sum { lines, paid });
    }
    let groups = groups_of(&totals);
    head.adjustments = shares(refunded_minor, &groups)
        .into_iter()
        .zip(&groups)
        .filter(|(share, _)| *share > 0)
        .map(|(amount_minor, (vat, _))| DocumentAdjustment {
            adjustment: Adjustment {
                direction: Direction::Allowance,
                amount_minor,
                reason: texts(seller.language).refunded.to_owned(),
            },
            vat: *vat,
        })
        .collect();
    Ok(finish(head, seller, invoice.amount.minor))
}

/// A credit note over `amount` to `original`, of which `before` was credited already, in that order. Each rate gets its share,
/// so that all credit notes of an invoice together come to it rate by rate.
pub fn credit_note(
    original: &document::Invoice,
    named: Original,
    before: &[i64],
    amount: Money,
    seller: &TaxFields,
    days: Days,
) -> Result<document::Invoice, DraftError> {
    let totals = Totals::of(original).map_err(|_| DraftError::Overflow)?;
    let mut left = groups_of(&totals);
    for credited in before {
        let taken = shares(*credited, &left);
        left.iter_mut().zip(taken).for_each(|(group, share)| group.1 -= share);
    }
    let name = format!("{} {}", texts(seller.language).refund_of, named.number);
    let mut head = head(seller, original.buyer.clone(), days);
    head.kind = Kind::CreditNote { original: named };
    head.currency = amount.currency;
    head.order_reference.clone_from(&original.order_reference);
    head.buyer_reference.clone_from(&original.buyer_reference);
    head.lines = shares(amount.minor, &left)
        .into_iter()
        .zip(&left)
        .filter(|(share, _)| *share > 0)
        .zip(1_u32..)
        .map(|((share, (vat, _)), number)| {
            let price = Decimal::new(share, amount.currency.decimals()).unwrap_or(Decimal::ZERO);
            Line::new(&number.to_string(), &name, Decimal::ONE, price, *vat)
        })
        .collect();
    Ok(finish(head, seller, amount.minor))
}

/// A document that never was, for the preview of a set-up and its check.
pub fn sample(seller: &TaxFields, sample: &Sample<'_>) -> document::Invoice {
    let days = Days {
        issued_on: sample.on,
        paid_on: sample.on,
    };
    let buyer = Party {
        name: texts(seller.language).sample_buyer.to_owned(),
        address: document::Address {
            city: Some(seller.city.clone()),
            country: seller.country.clone(),
            ..document::Address::default()
        },
        ..Party::default()
    };
    let mut head = head(seller, buyer, days);
    head.number = seller
        .numbering
        .number(&seller.numbering.series(&Kind::Invoice, sample.on.year()), 1);
    head.currency = sample.amount.currency;
    let vat = seller.rate(Some(sample.rate)).map(|rate| rate.vat);
    let mut line = only_line(None, seller, sample.amount);
    line.vat = vat.unwrap_or(line.vat);
    head.lines = vec![line];
    finish(head, seller, sample.amount.minor)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days {
    pub issued_on: Date,
    pub paid_on: Date,
}

pub(super) fn head(seller: &TaxFields, buyer: Party, days: Days) -> document::Invoice {
    document::Invoice {
        kind: Kind::Invoice,
        number: String::new(),
        issued_on: days.issued_on,
        delivered_on: Some(days.paid_on),
        due_on: None,
        period: None,
        currency: onescan_domain::money::Currency::EUR,
        prices: Prices::Gross,
        seller: seller.party(),
        buyer,
        buyer_reference: None,
        order_reference: None,
        lines: Vec::new(),
        adjustments: Vec::new(),
        exemptions: Vec::new(),
        prepaid_minor: 0,
        payment: Some(document::Payment::Online {
            service: "Onescan".to_owned(),
        }),
        payment_terms: None,
        notes: Vec::new(),
        attachments: Vec::new(),
    }
}

/// What follows from the lines: the reasons for missing tax, and that all of it is paid.
pub(super) fn finish(mut head: document::Invoice, seller: &TaxFields, paid_minor: i64) -> document::Invoice {
    let used: Vec<Vat> = head.lines.iter().map(|line| line.vat).collect();
    head.exemptions = seller.exemptions(&used);
    head.prepaid_minor = paid_minor;
    head
}

fn only_line(subject: Option<&str>, seller: &TaxFields, amount: Money) -> Line {
    let name = subject.unwrap_or(texts(seller.language).purchase);
    let price = Decimal::new(amount.minor, amount.currency.decimals()).unwrap_or(Decimal::ZERO);
    let vat = seller.rate(None).map_or(Vat::standard(Decimal::ZERO), |rate| rate.vat);
    Line::new("1", name, Decimal::ONE, price, vat)
}

fn lines_of(lines: &[InvoiceLine], seller: &TaxFields) -> Result<Vec<Line>, DraftError> {
    let line = |(index, line): (usize, &InvoiceLine)| {
        let rate = seller
            .rate(line.rate.as_deref())
            .ok_or_else(|| DraftError::UnknownRate {
                index,
                rate: line.rate.clone().unwrap_or_default(),
            })?;
        let mut written = Line::new(
            &(index + 1).to_string(),
            &line.name,
            line.quantity,
            line.price,
            rate.vat,
        );
        written.unit.clone_from(&line.unit);
        Ok(written)
    };
    lines.iter().enumerate().map(line).collect()
}

/// Each rate with what it comes to, tax included.
fn groups_of(totals: &Totals) -> Vec<(Vat, i64)> {
    let groups = totals.groups.iter();
    groups.map(|group| (group.vat, group.net + group.tax)).collect()
}

/// `amount` in proportion to what is left of each group: no share is larger than its group, and they sum to `amount`
/// (to all that is left, where that is less).
fn shares(amount: i64, groups: &[(Vat, i64)]) -> Vec<i64> {
    let mut weight: i128 = groups.iter().map(|(_, left)| i128::from((*left).max(0))).sum();
    let mut open = i128::from(amount.max(0)).min(weight);
    let share = |(_, left): &(Vat, i64)| {
        let left = i128::from((*left).max(0));
        let share = if weight == 0 {
            0
        } else {
            (open * left + weight / 2) / weight
        };
        open -= share;
        weight -= left;
        share as i64
    };
    groups.iter().map(share).collect()
}

/// The buyer as the profile tells it; the seller's country where the profile tells none.
pub fn buyer(fields: Option<&ProfileFields>, seller_country: &str) -> Party {
    let mut buyer = fields.map(buyer_of).unwrap_or_default();
    if buyer.address.country.is_empty() {
        seller_country.clone_into(&mut buyer.address.country);
    }
    buyer
}

struct Texts {
    purchase: &'static str,
    refunded: &'static str,
    refund_of: &'static str,
    sample_buyer: &'static str,
}

fn texts(language: Language) -> Texts {
    match language {
        Language::English => Texts {
            purchase: "Purchase",
            refunded: "Already refunded",
            refund_of: "Refund of invoice",
            sample_buyer: "Sample buyer",
        },
        Language::German => Texts {
            purchase: "Einkauf",
            refunded: "Bereits erstattet",
            refund_of: "Erstattung zu Rechnung",
            sample_buyer: "Musterkunde",
        },
        Language::Chinese => Texts {
            purchase: "消费",
            refunded: "已退款",
            refund_of: "退款,原发票",
            sample_buyer: "示例购买方",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s20_shares_sum_to_the_amount_and_fit_their_group() {
        let vat = |percent| Vat::standard(Decimal::whole(percent));
        for groups in [[700, 300, 1], [1, 1, 1], [0, 5, 0], [999, 0, 2]] {
            let groups: Vec<(Vat, i64)> = groups
                .iter()
                .zip([7, 19, 21])
                .map(|(left, rate)| (vat(rate), *left))
                .collect();
            let all: i64 = groups.iter().map(|group| group.1).sum();
            for amount in 0..=all {
                let shares = shares(amount, &groups);
                assert_eq!(shares.iter().sum::<i64>(), amount);
                assert!(
                    shares
                        .iter()
                        .zip(&groups)
                        .all(|(share, group)| (0..=group.1).contains(share))
                );
            }
            assert_eq!(shares(all + 5, &groups).iter().sum::<i64>(), all);
        }
    }
}
