//! A bill's rides as documents have them: lines of its invoice and a list for spreadsheets.

use jiff::tz::TimeZone;
use onescan_domain::rides::bill::{Bill, BillState};
use onescan_domain::rides::order::RidePoint;
use onescan_einvoice::Decimal;
use onescan_einvoice::date::LocalMinute;
use onescan_einvoice::invoice::Vat;
use onescan_einvoice::rides::{self, Ride, Side};

use super::{BilledRide, Bills};
use crate::env::instant;
use crate::error::Result;
use crate::invoicing::{CreditCause, Date, DocumentKey, FileFacts, Format, Standing, Subject};
use crate::merchants::tax::TaxFields;
use crate::payments::Page;

/// Read in one go.
const RIDES_AT_ONCE: u32 = 2_000;

impl Bills {
    /// All rides and refunds of a bill as RFC 4180, the same list as is attached to the invoice. Reads page by page; memory
    /// holds the text.
    pub async fn list_as_csv(&self, bill: &Bill) -> Result<String> {
        let mut text = rides::list_head().to_owned();
        self.each_page(bill, None, |page| rides::list_rows(&mut text, &page, bill.currency))
            .await?;
        Ok(text)
    }

    /// A form of the issued document.
    pub async fn document(&self, bill: &Bill, format: Format) -> Result<Option<Vec<u8>>> {
        self.parts
            .invoicing
            .fetch(bill.provider, document_key(bill), format)
            .await
    }

    /// What forms the issued document has; empty: it is not issued.
    pub async fn forms(&self, bill: &Bill) -> Result<Vec<FileFacts>> {
        let BillState::Issued { .. } = bill.state else {
            return Ok(Vec::new());
        };
        match self.parts.invoicing.status(bill.provider, document_key(bill)).await? {
            Standing::Issued(issued) => Ok(issued.files),
            Standing::Unknown | Standing::Accepted { .. } | Standing::Refused(_) => Ok(Vec::new()),
        }
    }

    /// Rides first, then refunds of earlier ones; times in the institution's time zone. Without a seller no tax is named.
    pub(super) async fn rides_of(&self, bill: &Bill, seller: Option<&TaxFields>) -> Result<Vec<Ride>> {
        let count = bill.tally.rides + bill.tally.credits;
        let mut rides = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
        self.each_page(bill, seller, |page| rides.extend(page)).await?;
        Ok(rides)
    }

    async fn each_page(
        &self,
        bill: &Bill,
        seller: Option<&TaxFields>,
        mut take: impl FnMut(Vec<Ride>) + Send,
    ) -> Result<()> {
        let institution = self.institution(bill.institution).await?;
        let zone = TimeZone::get(&institution.time_zone).unwrap_or(TimeZone::UTC);
        for side in [Side::Charge, Side::Credit] {
            let mut after = None;
            loop {
                let page = Page {
                    after: after.take(),
                    limit: RIDES_AT_ONCE,
                };
                let billed = self.store.list_billed(bill.id, side, &page).await?;
                let is_last = billed.len() < RIDES_AT_ONCE as usize;
                after = billed.last().map(|billed| billed.order.id.stored());
                take(billed.iter().map(|billed| ride(billed, &zone, seller)).collect());
                if is_last {
                    break;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn document_key(bill: &Bill) -> DocumentKey {
    match bill.corrects {
        None => DocumentKey::Invoice(Subject::Bill(bill.id)),
        Some(of) => DocumentKey::Credit {
            of: Subject::Bill(of),
            cause: CreditCause::CreditNote(bill.id),
        },
    }
}

/// The article group that is called like the travel type, else the seller's first.
fn ride(billed: &BilledRide, zone: &TimeZone, seller: Option<&TaxFields>) -> Ride {
    let order = &billed.order;
    let rate = seller.and_then(|seller| seller.rate(Some(&order.travel_type)).or_else(|| seller.rate(None)));
    Ride {
        id: order.number.clone(),
        started_at: local_minute(order.details.start.at, zone),
        started_in: place(&order.details.start),
        ended_at: local_minute(order.details.end.at, zone),
        ended_in: place(&order.details.end),
        side: billed.side,
        amount_minor: billed.amount_minor,
        vat: rate.map_or(Vat::standard(Decimal::ZERO), |rate| rate.vat),
        distance_m: order
            .details
            .distance_m
            .and_then(|distance| u32::try_from(distance).ok()),
        passenger: None,
        vehicle: None,
        cost_centre: None,
    }
}

/// What is known of it, the most readable first.
fn place(point: &RidePoint) -> String {
    let told = [&point.place, &point.stop, &point.city];
    let told = told.into_iter().find(|text| !text.is_empty());
    told.map_or_else(|| "–".to_owned(), Clone::clone)
}

fn local_minute(at_ms: i64, zone: &TimeZone) -> LocalMinute {
    let local = instant(at_ms).to_zoned(zone.clone());
    let date = Date::new(
        u16::try_from(local.year()).unwrap_or(1970),
        local.month() as u8,
        local.day() as u8,
    );
    let offset = i16::try_from(local.offset().seconds() / 60).unwrap_or_default();
    let minute = date.and_then(|date| LocalMinute::new(date, local.hour() as u8, local.minute() as u8, offset));
    minute.expect("a zoned instant has a minute")
}
