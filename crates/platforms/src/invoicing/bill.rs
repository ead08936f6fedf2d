//! From a closed bill to its document: one invoice, or one credit note, with a line for every ride. Row R09. Source: R claim 9.

use onescan_domain::calendar;
use onescan_domain::money::Currency;
use onescan_domain::profiles::ProfileFields;
use onescan_einvoice::invoice as document;
use onescan_einvoice::invoice::{Kind, Original};
use onescan_einvoice::pdf::Language;
use onescan_einvoice::rides::{self, Ride, RideTexts};
use onescan_einvoice::{Date, Totals};

use super::draft::{self, Days};
use crate::merchants::tax::TaxFields;

/// What stands on the document besides its rides.
#[derive(Debug, Clone, Copy)]
pub struct BillHead<'a> {
    pub seller: &'a TaxFields,
    pub buyer: &'a ProfileFields,
    pub issued_on: Date,
    /// The bill's id, which both sides know.
    pub reference: &'a str,
    pub currency: Currency,
    /// What the rides come to, at least 0; all of it was paid, or given back, ride by ride.
    pub total_minor: i64,
    /// Of a credit note: the invoice on which its rides stand.
    pub corrects: Option<&'a Original>,
}

/// Why a bill cannot be drawn up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillDraftError {
    #[error(transparent)]
    Rides(#[from] rides::RidesError),
    #[error("the rides are larger than can be kept")]
    Overflow,
    #[error("the rides come to {lines} minor units, the bill to {total}")]
    Sum { lines: i64, total: i64 },
}

/// The document over all rides, in their order, with the list of them attached.
pub fn invoice(head: BillHead<'_>, rides: &[Ride]) -> Result<document::Invoice, BillDraftError> {
    let days = Days {
        issued_on: head.issued_on,
        paid_on: head.issued_on,
    };
    let buyer = draft::buyer(Some(head.buyer), &head.seller.country);
    let mut blank = draft::head(head.seller, buyer, days);
    if let Some(original) = head.corrects {
        blank.kind = Kind::CreditNote {
            original: original.clone(),
        };
    }
    blank.currency = head.currency;
    // The period says when; a single day of supply would contradict it.
    blank.delivered_on = None;
    blank.order_reference = Some(head.reference.to_owned());
    blank.buyer_reference.clone_from(&head.buyer.buyer_reference);
    let drawn = rides::invoice_of_rides(blank, rides, &texts(head.seller.language))?;
    let lines = Totals::of(&drawn).map_err(|_| BillDraftError::Overflow)?.gross;
    if lines != head.total_minor {
        let total = head.total_minor;
        return Err(BillDraftError::Sum { lines, total });
    }
    Ok(draft::finish(drawn, head.seller, head.total_minor))
}

/// A date of the calendar as documents have it.
pub fn day(date: calendar::Date) -> Date {
    let year = u16::try_from(date.year()).unwrap_or(1970);
    Date::new(year, date.month(), date.day()).expect("a calendar's day exists")
}

fn texts(language: Language) -> RideTexts {
    let [item, credit, list] = match language {
        Language::English => ["Ride", "Refund of a ride", "All rides"],
        Language::German => ["Fahrt", "Erstattung einer Fahrt", "Alle Fahrten"],
        Language::Chinese => ["客运服务", "客运服务退款", "行程明细"],
    };
    RideTexts {
        item: item.to_owned(),
        credit: credit.to_owned(),
        list: list.to_owned(),
    }
}
