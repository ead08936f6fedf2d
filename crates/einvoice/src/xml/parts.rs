//! A document of very many lines, written part by part: besides its text, memory holds the model of one part only.
//!
//! Each part is judged as a small document of its own, so every line keeps the rules that it keeps in a small one. The head
//! is a document with one line a rate over the same sums. Put together they are the very bytes that one writing gives, less
//! the indentation of lines, which is a third of the text.
//!
//! Row R09: 100,000 rides on one invoice.

use std::collections::BTreeMap;
use std::ops::Range;

use super::model::overflow;
use super::{Profile, Syntax, WriteError, judged};
use crate::decimal::{Decimal, divide_rounded, power_of_ten};
use crate::invoice::{Invoice, Kind, Line, Vat};
use crate::totals::{LineTotals, Totals, VatGroup};

/// `invoice` has passed its check for `profile`; `totals` are its own. `lines_at_once`: at least 1.
pub(super) fn write(
    invoice: &Invoice,
    totals: &Totals,
    (syntax, profile): (Syntax, Profile),
    lines_at_once: usize,
) -> Result<String, WriteError> {
    // More than a ride's line has in either syntax, so that the text is never moved; what is not written takes no memory.
    const BYTES_A_LINE: usize = 3_500;
    let name = line_name(invoice, syntax);
    let (head, sums) = head_of(invoice, totals)?;
    let around = judged(&head, &sums, syntax, profile)?;
    let Some(place) = lines_in(&around, name) else {
        return Err(WriteError::NotCarried(vec!["BG-25".to_owned()]));
    };
    let mut text = String::with_capacity(around.len() + invoice.lines.len() * BYTES_A_LINE);
    text.push_str(&around[..place.start]);
    for start in (0..invoice.lines.len()).step_by(lines_at_once) {
        let range = start..invoice.lines.len().min(start + lines_at_once);
        let (part, sums) = part_of(invoice, totals, range)?;
        let written = judged(&part, &sums, syntax, profile)?;
        let lines = lines_in(&written, name).ok_or_else(|| WriteError::NotCarried(vec!["BG-25".to_owned()]))?;
        push_lines(&mut text, &written[lines], name);
    }
    text.push_str(&around[place.end..]);
    Ok(text)
}

fn line_name(invoice: &Invoice, syntax: Syntax) -> &'static str {
    match (syntax, &invoice.kind) {
        (Syntax::Ubl, Kind::Invoice) => "cac:InvoiceLine",
        (Syntax::Ubl, Kind::CreditNote { .. }) => "cac:CreditNoteLine",
        (Syntax::Cii, _) => "ram:IncludedSupplyChainTradeLineItem",
    }
}

/// From the end of what stands before the first line to the last one's end. No text of a document has an unescaped `<`.
fn lines_in(xml: &str, name: &str) -> Option<Range<usize>> {
    let (first, last) = (format!("<{name}>"), format!("</{name}>"));
    let before = xml[..xml.find(&first)?].trim_end();
    Some(before.len()..xml.rfind(&last)? + last.len())
}

/// An invoice line on each line of text, without white space between its tags. What stands in texts stays: no text is blank,
/// and none has an unescaped `>`.
fn push_lines(text: &mut String, lines: &str, name: &str) {
    let first = format!("<{name}>");
    let mut rest = lines.trim_start();
    text.push('\n');
    while let Some(end) = rest.find(">\n") {
        let (tag, after) = (&rest[..=end], rest[end + 2..].trim_start_matches(' '));
        text.push_str(tag);
        match after.strip_prefix('<') {
            Some(_) if after.starts_with(&first) => text.push('\n'),
            Some(_) => {}
            None => {
                text.push('\n');
                rest = &rest[end + 2..];
                continue;
            }
        }
        rest = after;
    }
    text.push_str(rest);
}

/// Everything but the lines, under the same sums.
fn head_of(invoice: &Invoice, totals: &Totals) -> Result<(Invoice, Totals), WriteError> {
    let decimals = invoice.currency.decimals();
    let lines = invoice.lines.iter().zip(&totals.lines);
    let nets = nets_by_rate(lines)?.into_iter().zip(1_u32..);
    let (lines, line_totals) = nets
        .map(|((vat, net), number)| {
            let quantity = Decimal::whole(if net < 0 { -1 } else { 1 });
            let price = Decimal::new(net.abs(), decimals).unwrap_or(Decimal::ZERO);
            let sums = LineTotals {
                product_net: net,
                adjustments: Vec::new(),
                net,
                stated: net,
            };
            (Line::new(&number.to_string(), "-", quantity, price, vat), sums)
        })
        .unzip();
    let head = Invoice {
        lines,
        adjustments: invoice.adjustments.clone(),
        attachments: invoice.attachments.clone(),
        ..bare(invoice)
    };
    let sums = Totals {
        lines: line_totals,
        adjustments: totals.adjustments.clone(),
        groups: totals.groups.clone(),
        ..*totals
    };
    Ok((head, sums))
}

/// The lines of `range` alone, paid.
fn part_of(invoice: &Invoice, totals: &Totals, range: Range<usize>) -> Result<(Invoice, Totals), WriteError> {
    let lines = invoice.lines[range.clone()].to_vec();
    let line_totals = totals.lines[range].to_vec();
    let step = if invoice.currency.decimals() > 2 { 10 } else { 1 };
    let nets = nets_by_rate(lines.iter().zip(&line_totals))?;
    let groups = nets.into_iter().map(|(vat, net)| {
        let tax = tax_on(net, vat, step)?;
        Some(VatGroup { vat, net, tax })
    });
    let groups: Vec<VatGroup> = groups.collect::<Option<_>>().ok_or_else(overflow)?;
    let sum = |of: fn(&VatGroup) -> i64| groups.iter().map(of).try_fold(0_i64, i64::checked_add);
    let (net, vat) = sum(|group| group.net)
        .zip(sum(|group| group.tax))
        .ok_or_else(overflow)?;
    let gross = net.checked_add(vat).ok_or_else(overflow)?;
    let part = Invoice {
        lines,
        prepaid_minor: gross,
        ..bare(invoice)
    };
    let sums = Totals {
        lines: line_totals,
        adjustments: Vec::new(),
        groups,
        lines_net: net,
        allowances: 0,
        charges: 0,
        net,
        vat,
        gross,
        prepaid: gross,
        due: 0,
    };
    Ok((part, sums))
}

fn nets_by_rate<'a>(lines: impl Iterator<Item = (&'a Line, &'a LineTotals)>) -> Result<BTreeMap<Vat, i64>, WriteError> {
    let mut nets = BTreeMap::new();
    for (line, totals) in lines {
        let net: &mut i64 = nets.entry(line.vat).or_default();
        *net = net.checked_add(totals.net).ok_or_else(overflow)?;
    }
    Ok(nets)
}

/// To whole multiples of `step` minor units.
fn tax_on(net: i64, vat: Vat, step: i64) -> Option<i64> {
    let whole = 100 * power_of_ten(vat.percent.scale()) * i128::from(step);
    let product = i128::from(net).checked_mul(i128::from(vat.percent.mantissa()))?;
    i64::try_from(divide_rounded(product, whole)?).ok()?.checked_mul(step)
}

/// The invoice without lines, adjustments and attachments; lines are too many to be copied only to be dropped.
fn bare(invoice: &Invoice) -> Invoice {
    Invoice {
        kind: invoice.kind.clone(),
        number: invoice.number.clone(),
        issued_on: invoice.issued_on,
        delivered_on: invoice.delivered_on,
        due_on: invoice.due_on,
        period: invoice.period,
        currency: invoice.currency,
        prices: invoice.prices,
        seller: invoice.seller.clone(),
        buyer: invoice.buyer.clone(),
        buyer_reference: invoice.buyer_reference.clone(),
        order_reference: invoice.order_reference.clone(),
        lines: Vec::new(),
        adjustments: Vec::new(),
        exemptions: invoice.exemptions.clone(),
        prepaid_minor: invoice.prepaid_minor,
        payment: invoice.payment.clone(),
        payment_terms: invoice.payment_terms.clone(),
        notes: invoice.notes.clone(),
        attachments: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoice::tests::invoice_with;
    use crate::invoice::{
        Adjustment, Attachment, Direction, DocumentAdjustment, MediaType, Original, Prices, VatCategory,
    };
    use crate::{Date, Period, xml};

    /// Lines at two rates, some given back, with everything a line and a head may have.
    fn mixed(prices: Prices, currency: &str) -> Invoice {
        let line = |number: i64| {
            let percent = Decimal::whole(if number % 3 == 0 { 7 } else { 19 });
            let back = number % 5 == 4;
            let decimals = invoice_with(prices, currency, Vec::new()).currency.decimals();
            let price = Decimal::new(1_001 + number * 37, decimals).unwrap();
            let quantity = Decimal::whole(if back { -1 } else { 1 });
            let mut line = Line::new(&number.to_string(), "Ride", quantity, price, Vat::standard(percent));
            line.description = Some(format!("{number} <West> & \"East\""));
            line.object_id = Some(format!("ride-{number}"));
            line.period = Date::new(2026, 11, 2).map(|day| Period {
                first_on: day,
                last_on: day,
            });
            line.attributes = vec![("PickupPlace".to_owned(), "</cac:InvoiceLine>".to_owned())];
            line
        };
        let mut invoice = invoice_with(prices, currency, (1..=23).map(line).collect());
        invoice.buyer_reference = Some("KST-7".to_owned());
        invoice.attachments = vec![Attachment {
            id: "rides".to_owned(),
            description: None,
            file_name: "rides.csv".to_owned(),
            media_type: MediaType::Csv,
            content: b"ride_id\r\n".to_vec(),
        }];
        invoice.adjustments = vec![DocumentAdjustment {
            adjustment: Adjustment {
                direction: Direction::Allowance,
                amount_minor: 150,
                reason: "rebate".to_owned(),
            },
            vat: Vat::standard(Decimal::whole(19)),
        }];
        invoice
    }

    fn check(invoice: &Invoice, syntax: Syntax, profile: Profile) {
        let plain = |text: &str| text.lines().map(str::trim_start).collect::<String>();
        let whole = plain(&xml::write(invoice, syntax, profile).unwrap());
        let totals = Totals::of(invoice).unwrap();
        for lines_at_once in [1, 2, 7, 22, 23, 100] {
            let parts = write(invoice, &totals, (syntax, profile), lines_at_once).unwrap();
            assert!(
                plain(&parts) == whole,
                "{lines_at_once} lines at once: {}",
                &parts[..parts.len().min(3_000)]
            );
        }
    }

    #[test]
    fn r09_parts_are_the_bytes_of_the_whole() {
        for prices in [Prices::Gross, Prices::Net] {
            for currency in ["EUR", "JPY"] {
                let invoice = mixed(prices, currency);
                check(&invoice, Syntax::Ubl, Profile::Core);
                check(&invoice, Syntax::Cii, Profile::Core);
            }
        }
    }

    #[test]
    fn r09_parts_of_a_credit_note_and_of_what_is_not_taxed() {
        let mut note = mixed(Prices::Gross, "EUR");
        note.due_on = None;
        note.kind = Kind::CreditNote {
            original: Original {
                number: "2026-1".to_owned(),
                issued_on: Date::new(2026, 11, 1),
            },
        };
        check(&note, Syntax::Ubl, Profile::Core);
        check(&note, Syntax::Cii, Profile::Core);
        let mut free = mixed(Prices::Gross, "EUR");
        free.adjustments.clear();
        for line in &mut free.lines {
            line.vat = Vat::untaxed(VatCategory::ZeroRated);
        }
        check(&free, Syntax::Ubl, Profile::Core);
    }

    /// A part may give back more than it charges.
    #[test]
    fn r09_a_part_of_refunds_alone() {
        let mut invoice = mixed(Prices::Gross, "EUR");
        for line in invoice.lines.iter_mut().skip(14) {
            (line.quantity, line.price) = (Decimal::whole(-1), Decimal::whole(1));
        }
        check(&invoice, Syntax::Ubl, Profile::Core);
    }

    #[test]
    fn r09_a_long_document_has_one_head_and_every_line() {
        let mut invoice = mixed(Prices::Gross, "EUR");
        let first = invoice.lines[0].clone();
        invoice.lines = (1..=super::super::LINES_AT_ONCE + 1)
            .map(|number| Line {
                id: number.to_string(),
                ..first.clone()
            })
            .collect();
        let text = xml::ubl(&invoice, Profile::Core).unwrap();
        assert_eq!(text.matches("<cac:InvoiceLine>").count(), invoice.lines.len());
        assert_eq!(text.matches("<cac:LegalMonetaryTotal>").count(), 1);
        let rides = text
            .lines()
            .filter(|line| line.starts_with("<cac:InvoiceLine>") && line.ends_with("</cac:InvoiceLine>"));
        assert_eq!(rides.count(), invoice.lines.len(), "one a line");
    }
}
