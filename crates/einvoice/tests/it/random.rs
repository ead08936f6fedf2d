//! Random invoices: sums agree to the minor unit, and what the check lets through the rules accept.

use onescan_domain::money::Currency;
use onescan_einvoice::invoice::{Direction, DocumentAdjustment, Exemption, Line, Prices, Vat, VatCategory};
use onescan_einvoice::totals::VatGroup;
use onescan_einvoice::xml::{self, Profile, Syntax};
use onescan_einvoice::{Decimal, Fault, Invoice, Totals};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::documents;

fn vat() -> impl Strategy<Value = Vat> {
    prop_oneof![
        Just(documents::taxed("19")),
        Just(documents::taxed("7")),
        Just(documents::taxed("5.5")),
        Just(documents::taxed("8.125")),
        Just(Vat::untaxed(VatCategory::ZeroRated)),
        Just(Vat::untaxed(VatCategory::Exempt)),
    ]
}

fn number(mantissa: std::ops::Range<i64>, scale_max: u8) -> impl Strategy<Value = Decimal> {
    (mantissa, 0..=scale_max).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).expect("a short number"))
}

/// At times one in ten is taken back.
fn line() -> impl Strategy<Value = Line> {
    let parts = (
        number(1..100_000, 3),
        number(0..1_000_000, 5),
        vat(),
        0_u8..10,
        0_i64..300,
        0_i64..200,
    );
    parts.prop_map(|(quantity, price, vat, returned, allowance, charge)| {
        let quantity = if returned == 0 { Decimal::whole(-1) } else { quantity };
        let mut line = Line::new("", "Ware", quantity, price, vat);
        if allowance % 3 == 0 {
            line.adjustments
                .push(documents::adjustment(Direction::Allowance, allowance, "Rabatt"));
        }
        if charge % 3 == 0 {
            line.adjustments
                .push(documents::adjustment(Direction::Charge, charge, "Zuschlag"));
        }
        line
    })
}

fn invoice() -> impl Strategy<Value = Invoice> {
    let currency = prop_oneof![Just("EUR"), Just("JPY"), Just("KWD")];
    let prices = prop_oneof![Just(Prices::Net), Just(Prices::Gross)];
    let adjustments = proptest::collection::vec((any::<bool>(), 0_i64..500, vat()), 0..3);
    let parts = (
        prices,
        currency,
        proptest::collection::vec(line(), 1..12),
        adjustments,
        0_i64..2000,
    );
    parts.prop_map(|(prices, currency, lines, adjustments, prepaid_minor)| {
        let mut invoice = documents::head(prices, currency);
        invoice.lines = lines;
        for (index, line) in invoice.lines.iter_mut().enumerate() {
            line.id = (index + 1).to_string();
        }
        invoice.adjustments = adjustments
            .into_iter()
            .map(|(lowers, amount, vat)| DocumentAdjustment {
                adjustment: documents::adjustment(
                    if lowers {
                        Direction::Allowance
                    } else {
                        Direction::Charge
                    },
                    amount,
                    "x",
                ),
                vat,
            })
            .collect();
        invoice.exemptions = vec![Exemption {
            category: VatCategory::Exempt,
            reason: "Steuerfrei".to_owned(),
            code: None,
        }];
        invoice.prepaid_minor = prepaid_minor;
        invoice
    })
}

/// Whether the tax is the nearest whole number, reckoned anew in fractions: `tax / base = percent / whole`.
fn is_nearest(tax: i64, base: i64, vat: Vat, prices: Prices) -> bool {
    let unit = 10_i128.pow(u32::from(vat.percent.scale()));
    let percent = i128::from(vat.percent.mantissa());
    let whole = match prices {
        Prices::Net => 100 * unit,
        Prices::Gross => 100 * unit + percent,
    };
    2 * (i128::from(tax) * whole - i128::from(base) * percent).abs() <= whole
}

fn is_exact(group: &VatGroup, prices: Prices) -> bool {
    let base = match prices {
        Prices::Net => group.net,
        Prices::Gross => group.net + group.tax,
    };
    is_nearest(group.tax, base, group.vat, prices)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn s20_sums_agree_to_the_minor_unit(invoice in invoice()) {
        let totals = Totals::of(&invoice).expect("small amounts");
        let sum = |direction| invoice.adjustments.iter().zip(&totals.adjustments)
            .filter(|(entry, _)| entry.adjustment.direction == direction).map(|(_, net)| *net).sum::<i64>();
        prop_assert_eq!(totals.lines.iter().map(|line| line.net).sum::<i64>(), totals.lines_net);
        prop_assert_eq!(totals.lines_net - sum(Direction::Allowance) + sum(Direction::Charge), totals.net);
        prop_assert_eq!(totals.groups.iter().map(|group| group.net).sum::<i64>(), totals.net);
        prop_assert_eq!(totals.groups.iter().map(|group| group.tax).sum::<i64>(), totals.vat);
        prop_assert_eq!(totals.net + totals.vat, totals.gross);
        prop_assert_eq!(totals.gross - invoice.prepaid_minor, totals.due);
        prop_assert!(totals.groups.iter().all(|group| is_exact(group, invoice.prices)));
    }

    #[test]
    fn s20_what_a_till_asks_is_what_the_invoice_says(invoice in invoice()) {
        let totals = Totals::of(&invoice).expect("small amounts");
        let of_lines: i64 = totals.lines.iter().map(|line| line.stated).sum();
        let of_document: i64 = invoice.adjustments.iter().map(|entry| match entry.adjustment.direction {
            Direction::Allowance => -entry.adjustment.amount_minor,
            Direction::Charge => entry.adjustment.amount_minor,
        }).sum();
        let asked = of_lines + of_document;
        match invoice.prices {
            Prices::Net => prop_assert_eq!(asked, totals.net),
            Prices::Gross => prop_assert_eq!(asked, totals.gross),
        }
    }

    #[test]
    fn s20_what_the_check_lets_through_can_be_written(invoice in invoice()) {
        let problems = invoice.check(Profile::XRechnung);
        let is_expected = |fault| matches!(fault, Fault::Negative | Fault::TooFine);
        prop_assert!(problems.iter().all(|problem| is_expected(problem.fault)), "{problems:?}");
        for syntax in [Syntax::Ubl, Syntax::Cii] {
            let written = xml::write(&invoice, syntax, Profile::XRechnung);
            prop_assert_eq!(written.is_ok(), problems.is_empty(), "{:?}", written.err());
        }
    }
}

/// A few that can be written, the same in every run.
pub fn samples(count: usize) -> Vec<Invoice> {
    let mut runner = TestRunner::deterministic();
    let strategy = invoice();
    let mut samples = Vec::new();
    while samples.len() < count {
        let sample = strategy
            .new_tree(&mut runner)
            .expect("the strategy makes values")
            .current();
        let is_common = sample.currency != Currency::parse("KWD").expect("a currency");
        if is_common && sample.check(Profile::XRechnung).is_empty() {
            samples.push(sample);
        }
    }
    samples
}
