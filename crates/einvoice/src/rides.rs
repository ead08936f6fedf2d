//! An invoice from rides: each line says when and where its ride began and ended.
//!
//! The standard's line period has dates only, so times and places stand in item attributes, in a readable sentence, and in a
//! CSV of all rides that is attached.
//!
//! Row R09. Source: R claim 9; EN 16931-1 BT-128, BG-14, BG-24, BG-26, BG-32.

use onescan_domain::money::{Currency, Money};

use crate::date::{LocalMinute, Period};
use crate::decimal::Decimal;
use crate::invoice::{Attachment, Invoice, Kind, Line, MediaType, Vat};

/// Names of a line's item attributes, the same in every document.
pub mod attribute {
    pub const STARTED_AT: &str = "PickupDateTime";
    pub const STARTED_IN: &str = "PickupPlace";
    pub const ENDED_AT: &str = "DropoffDateTime";
    pub const ENDED_IN: &str = "DropoffPlace";
    pub const DISTANCE: &str = "DistanceKm";
    pub const PASSENGER: &str = "Passenger";
    pub const VEHICLE: &str = "VehiclePlate";
    pub const COST_CENTRE: &str = "CostCentre";
}

/// Whether the buyer pays for a ride or gets something back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Charge,
    /// A refund of a ride that stood on an earlier invoice.
    Credit,
}

/// One ride as the bill names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ride {
    /// \[BT-128\]
    pub id: String,
    pub started_at: LocalMinute,
    pub started_in: String,
    pub ended_at: LocalMinute,
    pub ended_in: String,
    pub side: Side,
    /// In minor units, at least 0, with or without tax as the invoice's prices are.
    pub amount_minor: i64,
    pub vat: Vat,
    pub distance_m: Option<u32>,
    pub passenger: Option<String>,
    pub vehicle: Option<String>,
    pub cost_centre: Option<String>,
}

/// Texts that stand on the document in its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideTexts {
    /// Name of every line, for example `Taxi ride`.
    pub item: String,
    /// Name of a line that gives something back.
    pub credit: String,
    /// Description of the attached list.
    pub list: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RidesError {
    #[error("there is no ride")]
    Empty,
    #[error("ride {id} ends before it starts")]
    EndsBeforeStart { id: String },
    #[error("the amount of ride {id} is negative or larger than can be kept")]
    Amount { id: String },
}

/// `head` with a line for each ride in the order given, numbered from 1, the period from the first day to the last, and the list attached.
/// On a credit note what is given back is positive.
///
/// Lines and period of `head` are replaced; its attachments stay, and the list comes last. Refuses in this order: `Empty`,
/// then for the first ride that is wrong `EndsBeforeStart`, `Amount`.
pub fn invoice_of_rides(head: Invoice, rides: &[Ride], texts: &RideTexts) -> Result<Invoice, RidesError> {
    let days = rides.iter().flat_map(|ride| [ride.started_at.date, ride.ended_at.date]);
    let (Some(first_on), Some(last_on)) = (days.clone().min(), days.max()) else {
        return Err(RidesError::Empty);
    };
    let decimals = head.currency.decimals();
    let positive = match head.kind {
        Kind::Invoice => Side::Charge,
        Kind::CreditNote { .. } => Side::Credit,
    };
    let lines = rides.iter().zip(1_u32..);
    let lines: Result<Vec<Line>, RidesError> = lines
        .map(|(ride, number)| {
            let quantity = Decimal::whole(if ride.side == positive { 1 } else { -1 });
            line_of(ride, &number.to_string(), quantity, decimals, texts)
        })
        .collect();
    let mut invoice = head;
    invoice.lines = lines?;
    invoice.period = Some(Period { first_on, last_on });
    invoice.attachments.push(Attachment {
        id: "rides".to_owned(),
        description: Some(texts.list.clone()),
        file_name: "rides.csv".to_owned(),
        media_type: MediaType::Csv,
        content: list(rides, invoice.currency).into_bytes(),
    });
    Ok(invoice)
}

fn line_of(ride: &Ride, id: &str, quantity: Decimal, decimals: u8, texts: &RideTexts) -> Result<Line, RidesError> {
    if ride.ended_at.minutes_since_1970() < ride.started_at.minutes_since_1970() {
        return Err(RidesError::EndsBeforeStart { id: ride.id.clone() });
    }
    let amount = Decimal::new(ride.amount_minor, decimals).filter(|amount| !amount.is_negative());
    let amount = amount.ok_or_else(|| RidesError::Amount { id: ride.id.clone() })?;
    let name = match ride.side {
        Side::Charge => &texts.item,
        Side::Credit => &texts.credit,
    };
    let mut line = Line::new(id, name, quantity, amount, ride.vat);
    line.description = Some(sentence(ride));
    line.object_id = Some(ride.id.clone());
    line.period = Some(days_of(ride));
    line.attributes = attributes(ride);
    Ok(line)
}

/// A ride over a date line may end on an earlier date than it began.
fn days_of(ride: &Ride) -> Period {
    let (start, end) = (ride.started_at.date, ride.ended_at.date);
    Period {
        first_on: start.min(end),
        last_on: start.max(end),
    }
}

/// `2026-11-23 08:05 Hauptbahnhof – 08:31 Flughafen`; the second date only where it differs.
fn sentence(ride: &Ride) -> String {
    let (start, end) = (ride.started_at, ride.ended_at);
    let end_day = if start.date == end.date {
        String::new()
    } else {
        format!("{} ", end.date)
    };
    format!(
        "{} {} {} – {end_day}{} {}",
        start.date,
        start.clock(),
        ride.started_in,
        end.clock(),
        ride.ended_in
    )
}

fn attributes(ride: &Ride) -> Vec<(String, String)> {
    let always = [
        (attribute::STARTED_AT, Some(ride.started_at.to_string())),
        (attribute::STARTED_IN, Some(ride.started_in.clone())),
        (attribute::ENDED_AT, Some(ride.ended_at.to_string())),
        (attribute::ENDED_IN, Some(ride.ended_in.clone())),
        (attribute::DISTANCE, ride.distance_m.map(kilometres)),
        (attribute::PASSENGER, ride.passenger.clone()),
        (attribute::VEHICLE, ride.vehicle.clone()),
        (attribute::COST_CENTRE, ride.cost_centre.clone()),
    ];
    let given = always
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    given.collect()
}

fn kilometres(distance_m: u32) -> String {
    format!("{}.{:03}", distance_m / 1000, distance_m % 1000)
}

/// RFC 4180, UTF-8, one ride a line; the first line names the columns. What is given back is negative.
pub fn list(rides: &[Ride], currency: Currency) -> String {
    let mut list = list_head().to_owned();
    list_rows(&mut list, rides, currency);
    list
}

/// The names of the columns.
pub fn list_head() -> &'static str {
    "ride_id,started_at,started_in,ended_at,ended_in,distance_m,passenger,vehicle,cost_centre,amount\r\n"
}

/// More lines of a list that is written page by page.
pub fn list_rows(list: &mut String, rides: &[Ride], currency: Currency) {
    for ride in rides {
        let fields = [
            ride.id.clone(),
            ride.started_at.to_string(),
            ride.started_in.clone(),
            ride.ended_at.to_string(),
            ride.ended_in.clone(),
            ride.distance_m
                .map_or_else(String::new, |distance| distance.to_string()),
            ride.passenger.clone().unwrap_or_default(),
            ride.vehicle.clone().unwrap_or_default(),
            ride.cost_centre.clone().unwrap_or_default(),
        ];
        let signed = match ride.side {
            Side::Charge => ride.amount_minor,
            Side::Credit => -ride.amount_minor,
        };
        list.push_str(&fields.map(|field| quoted(&field)).join(","));
        list.push(',');
        list.push_str(&Money::new(signed, currency).to_decimal());
        list.push_str("\r\n");
    }
}

/// Quoted where a separator, quote or line end asks for it. What a spreadsheet would take for a formula gets an
/// apostrophe in front: places and names come from outside.
fn quoted(field: &str) -> String {
    let guarded = match field.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{field}"),
        _ => field.to_owned(),
    };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::date::Date;
    use crate::invoice::Prices;
    use crate::invoice::tests::invoice_with;

    fn minute(day: u8, hour: u8, minute: u8) -> LocalMinute {
        LocalMinute::new(Date::new(2026, 11, day).unwrap(), hour, minute, 480).unwrap()
    }

    fn ride(id: &str, started_at: LocalMinute, ended_at: LocalMinute) -> Ride {
        Ride {
            id: id.to_owned(),
            started_at,
            started_in: "People's Square, exit \"3\"".to_owned(),
            ended_at,
            ended_in: "=Airport".to_owned(),
            side: Side::Charge,
            amount_minor: 1205,
            vat: Vat::standard(Decimal::whole(3)),
            distance_m: Some(12_050),
            passenger: None,
            vehicle: None,
            cost_centre: Some("-7".to_owned()),
        }
    }

    fn build(rides: &[Ride]) -> Result<Invoice, RidesError> {
        let texts = RideTexts {
            item: "Taxi ride".to_owned(),
            credit: "Refund of a taxi ride".to_owned(),
            list: "All rides".to_owned(),
        };
        invoice_of_rides(invoice_with(Prices::Gross, "CNY", vec![]), rides, &texts)
    }

    #[test]
    fn r09_every_line_has_start_and_end() {
        let night = ride("a", minute(3, 23, 50), minute(4, 0, 20));
        let invoice = build(&[night, ride("b", minute(2, 8, 5), minute(2, 8, 31))]).unwrap();
        let first = &invoice.lines[0];
        assert_eq!((first.id.as_str(), first.object_id.as_deref()), ("1", Some("a")));
        let sentence = "2026-11-03 23:50 People's Square, exit \"3\" – 2026-11-04 00:20 =Airport";
        assert_eq!(first.description.as_deref(), Some(sentence));
        let attributes: Vec<String> = first
            .attributes
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            attributes.join("; "),
            "PickupDateTime=2026-11-03T23:50+08:00; PickupPlace=People's Square, exit \"3\"; \
             DropoffDateTime=2026-11-04T00:20+08:00; DropoffPlace==Airport; DistanceKm=12.050; CostCentre=-7"
        );
        let period = invoice.period.unwrap();
        assert_eq!(
            (period.first_on.to_string(), period.last_on.to_string()),
            ("2026-11-02".into(), "2026-11-04".into())
        );
    }

    #[test]
    fn r09_the_list_names_every_ride_and_no_formula() {
        let invoice = build(&[ride("a", minute(2, 8, 5), minute(2, 8, 31))]).unwrap();
        let list = String::from_utf8(invoice.attachments[0].content.clone()).unwrap();
        let expected = "ride_id,started_at,started_in,ended_at,ended_in,distance_m,passenger,vehicle,cost_centre,amount\r\n\
             a,2026-11-02T08:05+08:00,\"People's Square, exit \"\"3\"\"\",2026-11-02T08:31+08:00,'=Airport,12050,,,'-7,12.05\r\n";
        assert_eq!(list, expected);
    }

    #[test]
    fn r09_a_refund_lowers_the_sum() {
        let mut back = ride("a", minute(2, 8, 5), minute(2, 8, 31));
        (back.side, back.amount_minor) = (Side::Credit, 205);
        let invoice = build(&[ride("b", minute(3, 8, 5), minute(3, 8, 31)), back]).unwrap();
        assert_eq!(crate::Totals::of(&invoice).unwrap().gross, 1000);
        assert_eq!(invoice.lines[1].name, "Refund of a taxi ride");
        let list = String::from_utf8(invoice.attachments[0].content.clone()).unwrap();
        assert!(list.ends_with(",-2.05\r\n"), "{list}");
    }

    #[test]
    fn r09_a_credit_note_gives_back_what_stands_on_it() {
        let mut back = ride("a", minute(2, 8, 5), minute(2, 8, 31));
        (back.side, back.amount_minor) = (Side::Credit, 205);
        let mut head = invoice_with(Prices::Gross, "CNY", vec![]);
        head.kind = Kind::CreditNote {
            original: crate::invoice::Original {
                number: "2026-1".to_owned(),
                issued_on: None,
            },
        };
        let texts = RideTexts {
            item: "Taxi ride".to_owned(),
            credit: "Refund of a taxi ride".to_owned(),
            list: "All rides".to_owned(),
        };
        let note = invoice_of_rides(head, &[back], &texts).unwrap();
        assert_eq!(crate::Totals::of(&note).unwrap().gross, 205);
        assert_eq!(note.lines[0].name, "Refund of a taxi ride");
        assert!(note.attachments[0].content.ends_with(b",-2.05\r\n"));
    }

    #[test]
    fn r09_wrong_rides_are_refused() {
        assert_eq!(build(&[]), Err(RidesError::Empty));
        let id = "a".to_owned();
        let back = ride("a", minute(2, 8, 5), minute(2, 8, 4));
        assert_eq!(build(&[back]), Err(RidesError::EndsBeforeStart { id: id.clone() }));
        let mut paid_out = ride("a", minute(2, 8, 5), minute(2, 8, 5));
        paid_out.amount_minor = -1;
        assert_eq!(build(&[paid_out]), Err(RidesError::Amount { id }));
    }
}
