//! The month before the demo: payments at meals, trips and desks, with refusals, refunds and invoices, made through the
//! real pay path at hours of the past.

use anyhow::{Context, Result};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use onescan_domain::codes::{CodeRecord, CodeText};
use onescan_domain::ids::{MemberId, PersonId};
use onescan_domain::money::{Currency, Money};
use onescan_domain::payments::Payment;
use onescan_platforms::codes::Access;
use onescan_platforms::payments::{CaptureMode, Change, ChangeRequest, Idempotency, PayRequest, TerminalFacts};
use tokio::task::JoinSet;

use super::invoices;
use super::random::Choices;
use super::seed::Seeding;

/// Somebody with a code, through an institution or their own.
#[derive(Debug, Clone)]
pub struct Payer {
    pub record: CodeRecord,
    pub person: PersonId,
    pub member: Option<MemberId>,
    pub device: String,
}

/// A till where they pay.
#[derive(Debug, Clone)]
pub struct Till {
    pub terminal: TerminalFacts,
    pub currency: Currency,
    pub category: u16,
}

/// When something happens on a day, and what.
struct Occasion {
    hour: i8,
    minute: i8,
    currency: Currency,
    category: u16,
    subject: &'static str,
    /// Usual amounts in minor units.
    least: i64,
    most: i64,
    /// One payer in this many comes.
    one_in: i64,
    days: Days,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Days {
    All,
    Workdays,
}

const OCCASIONS: &[Occasion] = &[
    occasion(
        7,
        50,
        Currency::EUR,
        4111,
        "Single ticket",
        240,
        4_900,
        4,
        Days::Workdays,
    ),
    occasion(12, 5, Currency::CNY, 5812, "午餐", 1_800, 6_200, 2, Days::All),
    occasion(12, 40, Currency::EUR, 5814, "Lunch", 690, 2_200, 2, Days::Workdays),
    occasion(15, 20, Currency::CNY, 5943, "办公用品", 900, 24_000, 6, Days::Workdays),
    occasion(16, 0, Currency::EUR, 5814, "Coffee", 280, 760, 3, Days::All),
    occasion(18, 45, Currency::CNY, 5812, "晚餐", 2_200, 7_800, 4, Days::All),
];

#[expect(clippy::too_many_arguments, reason = "the columns of the table above")]
const fn occasion(
    hour: i8,
    minute: i8,
    currency: Currency,
    category: u16,
    subject: &'static str,
    least: i64,
    most: i64,
    one_in: i64,
    days: Days,
) -> Occasion {
    Occasion {
        hour,
        minute,
        currency,
        category,
        subject,
        least,
        most,
        one_in,
        days,
    }
}

/// One try in this many asks for more than the rules allow.
const REFUSED_ONE_IN: i64 = 18;
const REFUNDED_ONE_IN: i64 = 16;
/// So many of the last days have invoices that are issued here.
const INVOICED_DAYS: i64 = 4;
const INVOICED_ONE_IN: i64 = 2;
const HOUR_MS: i64 = 3_600_000;

/// Plays the `days` before the day of `now`.
pub(super) async fn play(seeding: &Seeding, payers: &[Payer], tills: &[Till], now: i64, days: i64) -> Result<()> {
    let mut choices = Choices::new(20_261_123);
    let mut orders = 0;
    for day in (1..=days).rev() {
        for occasion in OCCASIONS {
            let till = tills
                .iter()
                .find(|till| till.currency == occasion.currency && till.category == occasion.category);
            let till = till.context("every occasion has its till")?;
            let Some(at) = instant(occasion, payers, now, day)? else {
                continue;
            };
            seeding.clock.set(at);
            let requests = requests(seeding, payers, till, occasion, &mut choices, &mut orders).await?;
            let paid = seeding.services().payments.pay(requests).await?;
            let paid: Vec<Payment> = paid.into_iter().flatten().map(|outcome| outcome.payment).collect();
            seeding.clock.set(at + HOUR_MS);
            let invoiced = match day <= INVOICED_DAYS {
                true => invoices::issue(seeding, occasion.category, &paid).await?,
                false => Vec::new(),
            };
            invoices::work(seeding).await?;
            // A refund of what is invoiced becomes a credit note.
            if let Some(payment) = invoiced.first() {
                refund(seeding, payment, &mut choices).await?;
            }
            let is_invoiced = |payment: &Payment| invoiced.iter().any(|other| other.id == payment.id);
            let others: Vec<Payment> = paid.into_iter().filter(|payment| !is_invoiced(payment)).collect();
            after(seeding, &others, &mut choices).await?;
        }
        invoices::work(seeding).await?;
    }
    Ok(())
}

/// When the occasion was, `day` days ago, in the zone of those who pay in its currency; `None` on a day it is not.
fn instant(occasion: &Occasion, payers: &[Payer], now: i64, day: i64) -> Result<Option<i64>> {
    let local = payers.iter().find(|payer| payer.record.currency == occasion.currency);
    let zone = TimeZone::get(&local.context("somebody pays in every currency")?.record.time_zone)?;
    let date = jiff::Timestamp::from_millisecond(now)?.to_zoned(zone.clone()).date();
    let date = date.checked_sub(day.days())?;
    let weekend = date.weekday().to_monday_one_offset() > 5;
    if weekend && occasion.days == Days::Workdays {
        return Ok(None);
    }
    let at = date.at(occasion.hour, occasion.minute, 0, 0).to_zoned(zone)?;
    Ok(Some(at.timestamp().as_millisecond()))
}

/// A fresh code for everybody who comes, and what the till asks for.
async fn requests(
    seeding: &Seeding,
    payers: &[Payer],
    till: &Till,
    occasion: &Occasion,
    choices: &mut Choices,
    orders: &mut u32,
) -> Result<Vec<PayRequest>> {
    let fitting = payers.iter().filter(|payer| payer.record.currency == occasion.currency);
    // Their own money is for now and then.
    let comes = |payer: &&Payer, choices: &mut Choices| {
        choices.one_in(if payer.member.is_some() {
            occasion.one_in
        } else {
            occasion.one_in * 4
        })
    };
    let coming: Vec<Payer> = fitting.filter(|payer| comes(payer, choices)).cloned().collect();
    let codes = codes(seeding, coming).await?;
    let request = |text| {
        *orders += 1;
        let too_much = choices.one_in(REFUSED_ONE_IN);
        let amount = if too_much {
            occasion.most * 20
        } else {
            choices.between(occasion.least, occasion.most)
        };
        PayRequest {
            text,
            terminal: till.terminal.clone(),
            order_number: format!("D-{orders:06}"),
            amount: Money::new(amount, occasion.currency),
            subject: Some(occasion.subject.to_owned()),
            capture: CaptureMode::Now,
            idempotency_key: format!("demo-{orders}"),
        }
    };
    Ok(codes.into_iter().map(request).collect())
}

/// Asked for together, so that they share a commit; in the order of the payers.
async fn codes(seeding: &Seeding, payers: Vec<Payer>) -> Result<Vec<CodeText>> {
    let mut making = JoinSet::new();
    for (place, payer) in payers.into_iter().enumerate() {
        let codes = seeding.services().codes.clone();
        making.spawn(async move {
            let access = Access {
                person: payer.person,
                member: payer.member,
                device: payer.device,
                address: "127.0.0.1".to_owned(),
                location: None,
            };
            (place, codes.create(payer.record, access).await)
        });
    }
    let mut made = Vec::new();
    while let Some(ended) = making.join_next().await {
        let (place, code) = ended?;
        made.push((place, code??.text));
    }
    made.sort_by_key(|(place, _)| *place);
    Ok(made.into_iter().map(|(_, text)| text).collect())
}

/// An hour later some of it is refunded, and for some of it there is an invoice.
async fn after(seeding: &Seeding, paid: &[Payment], choices: &mut Choices) -> Result<()> {
    for payment in paid.iter().filter(|payment| payment.paid_at().is_some()) {
        if choices.one_in(REFUNDED_ONE_IN) {
            refund(seeding, payment, choices).await?;
        } else if choices.one_in(INVOICED_ONE_IN) {
            let number = format!("I-{}", &payment.order_number);
            seeding
                .services()
                .processing
                .issue_invoice(payment, Some(number), &[])
                .await??;
        }
    }
    Ok(())
}

async fn refund(seeding: &Seeding, payment: &Payment, choices: &mut Choices) -> Result<()> {
    let whole = payment.amount.minor;
    let minor = *choices.pick(&[whole, (whole / 2).max(1)]);
    let request = ChangeRequest {
        payment: payment.id,
        merchant: payment.merchant,
        idempotency: Idempotency {
            caller: "demo".to_owned(),
            key: format!("refund-{}", payment.order_number),
            fingerprint: minor.to_string(),
        },
        change: Change::Refund {
            number: format!("R-{}", payment.order_number),
            amount: Money::new(minor, payment.amount.currency),
            reason: None,
        },
    };
    seeding.services().payments.change(request).await??;
    Ok(())
}
