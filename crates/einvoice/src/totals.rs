//! What an invoice adds up to, exact to the minor unit.
//!
//! **Invariant:** the net amounts of lines and document adjustments add up to the net total, each group's net and tax to its
//! gross, and the groups to the document, whatever the rates, the price mode and the currency's decimals.
//!
//! Net prices: a line is rounded once, the tax once per group. Gross prices: what is paid is the sum of the rounded gross
//! amounts; per group the tax is rounded once out of that sum, and the net of each part is the growth of the net of the
//! running sum. So no cent is lost or made, and a part of nothing stays nothing.
//!
//! Row S20. Source: EN 16931-1, BR-CO-10 to BR-CO-17.

use std::collections::BTreeMap;

use crate::decimal::{divide_rounded, extended_minor, power_of_ten};
use crate::invoice::{Adjustment, Direction, Invoice, Line, Prices, Vat};

/// All in minor units of the invoice's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// In the order of the invoice's lines.
    pub lines: Vec<LineTotals>,
    /// Net amounts in the order of the invoice's document adjustments, never negative.
    pub adjustments: Vec<i64>,
    /// \[BG-23\] Sorted by category and rate.
    pub groups: Vec<VatGroup>,
    /// \[BT-106\] Sum of the lines' net amounts.
    pub lines_net: i64,
    /// \[BT-107\]
    pub allowances: i64,
    /// \[BT-108\]
    pub charges: i64,
    /// \[BT-109\] Without tax.
    pub net: i64,
    /// \[BT-110\]
    pub vat: i64,
    /// \[BT-112\] With tax.
    pub gross: i64,
    /// \[BT-113\]
    pub prepaid: i64,
    /// \[BT-115\] Still to pay; negative when too much was paid.
    pub due: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTotals {
    /// Quantity times price, without tax, before the line's adjustments.
    pub product_net: i64,
    /// Net amounts in the order of the line's adjustments, never negative.
    pub adjustments: Vec<i64>,
    /// \[BT-131\]
    pub net: i64,
    /// The line in the price mode of the invoice: what its prices, allowances and charges come to.
    pub stated: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VatGroup {
    pub vat: Vat,
    /// \[BT-116\]
    pub net: i64,
    /// \[BT-117\]
    pub tax: i64,
}

/// The sum leaves the range of an amount, or a price base is not positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amounts are larger than can be kept")]
pub struct Overflow;

impl Totals {
    /// Time and memory grow with the number of lines.
    pub fn of(invoice: &Invoice) -> Result<Self, Overflow> {
        let mut groups = Groups::new(invoice.prices);
        let decimals = invoice.currency.decimals();
        let mut lines = Vec::with_capacity(invoice.lines.len());
        for line in &invoice.lines {
            lines.push(line_totals(line, decimals, &mut groups).ok_or(Overflow)?);
        }
        let mut adjustments = Vec::with_capacity(invoice.adjustments.len());
        for entry in &invoice.adjustments {
            adjustments.push(groups.adjust(entry.vat, &entry.adjustment).ok_or(Overflow)?);
        }
        let groups = groups.finish().ok_or(Overflow)?;
        add_up(invoice, lines, adjustments, groups).ok_or(Overflow)
    }
}

fn line_totals(line: &Line, decimals: u8, groups: &mut Groups) -> Option<LineTotals> {
    let product = extended_minor(line.quantity, line.price, line.price_base, decimals)?;
    let product_net = groups.add(line.vat, product)?;
    let (mut net, mut stated) = (product_net, product);
    let mut adjustments = Vec::with_capacity(line.adjustments.len());
    for adjustment in &line.adjustments {
        let amount = groups.adjust(line.vat, adjustment)?;
        net = net.checked_add(signed(adjustment.direction, amount)?)?;
        stated = stated.checked_add(signed(adjustment.direction, adjustment.amount_minor)?)?;
        adjustments.push(amount);
    }
    Some(LineTotals {
        product_net,
        adjustments,
        net,
        stated,
    })
}

fn add_up(invoice: &Invoice, lines: Vec<LineTotals>, adjustments: Vec<i64>, groups: Vec<VatGroup>) -> Option<Totals> {
    let lines_net = checked_sum(lines.iter().map(|line| line.net))?;
    let of = |direction| {
        let pairs = invoice.adjustments.iter().zip(&adjustments);
        checked_sum(pairs.filter_map(|(entry, net)| (entry.adjustment.direction == direction).then_some(*net)))
    };
    let (allowances, charges) = (of(Direction::Allowance)?, of(Direction::Charge)?);
    let net = lines_net.checked_sub(allowances)?.checked_add(charges)?;
    let vat = checked_sum(groups.iter().map(|group| group.tax))?;
    let gross = net.checked_add(vat)?;
    Some(Totals {
        lines,
        adjustments,
        groups,
        lines_net,
        allowances,
        charges,
        net,
        vat,
        gross,
        prepaid: invoice.prepaid_minor,
        due: gross.checked_sub(invoice.prepaid_minor)?,
    })
}

/// The running sums of each rate.
struct Groups {
    prices: Prices,
    /// In the price mode of the invoice.
    sums: BTreeMap<Vat, i64>,
}

impl Groups {
    fn new(prices: Prices) -> Self {
        Self {
            prices,
            sums: BTreeMap::new(),
        }
    }

    /// Adds a signed amount; the answer is its net, of the same sign.
    fn add(&mut self, vat: Vat, amount: i64) -> Option<i64> {
        let sum = self.sums.entry(vat).or_insert(0);
        let before = *sum;
        *sum = before.checked_add(amount)?;
        match self.prices {
            Prices::Net => Some(amount),
            Prices::Gross => net_of_gross(*sum, vat)?.checked_sub(net_of_gross(before, vat)?),
        }
    }

    /// The net of the adjustment's amount, without its direction.
    fn adjust(&mut self, vat: Vat, adjustment: &Adjustment) -> Option<i64> {
        let net = self.add(vat, signed(adjustment.direction, adjustment.amount_minor)?)?;
        signed(adjustment.direction, net)
    }

    fn finish(self) -> Option<Vec<VatGroup>> {
        self.sums
            .into_iter()
            .map(|(vat, sum)| {
                let (net, tax) = match self.prices {
                    Prices::Net => (sum, tax_on_net(sum, vat)?),
                    Prices::Gross => {
                        let net = net_of_gross(sum, vat)?;
                        (net, sum - net)
                    }
                };
                Some(VatGroup { vat, net, tax })
            })
            .collect()
    }
}

fn signed(direction: Direction, amount: i64) -> Option<i64> {
    match direction {
        Direction::Allowance => amount.checked_neg(),
        Direction::Charge => Some(amount),
    }
}

fn checked_sum(amounts: impl Iterator<Item = i64>) -> Option<i64> {
    amounts.into_iter().try_fold(0_i64, i64::checked_add)
}

fn tax_on_net(net: i64, vat: Vat) -> Option<i64> {
    let hundred = 100 * power_of_ten(vat.percent.scale());
    let product = i128::from(net).checked_mul(i128::from(vat.percent.mantissa()))?;
    i64::try_from(divide_rounded(product, hundred)?).ok()
}

/// Never turns the sign, and never falls when `gross` rises: the tax in it is less than all of it.
fn net_of_gross(gross: i64, vat: Vat) -> Option<i64> {
    let percent = i128::from(vat.percent.mantissa());
    let whole = 100 * power_of_ten(vat.percent.scale()) + percent;
    if whole <= 0 {
        return None;
    }
    let tax = divide_rounded(i128::from(gross).checked_mul(percent)?, whole)?;
    gross.checked_sub(i64::try_from(tax).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Decimal;
    use crate::invoice::tests::invoice_with;
    use crate::invoice::{DocumentAdjustment, VatCategory};

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn line(quantity: &str, price: &str, percent: &str) -> Line {
        Line::new(
            "1",
            "x",
            decimal(quantity),
            decimal(price),
            Vat::standard(decimal(percent)),
        )
    }

    fn allowance(amount_minor: i64) -> Adjustment {
        Adjustment {
            direction: Direction::Allowance,
            amount_minor,
            reason: "rebate".to_owned(),
        }
    }

    /// One line a group: rate, net, tax; then the document's net, tax, gross.
    fn check(prices: Prices, currency: &str, lines: &[(&str, &str, &str)], expected: &str) {
        let lines = lines
            .iter()
            .map(|(quantity, price, percent)| line(quantity, price, percent));
        let invoice = invoice_with(prices, currency, lines.collect());
        let totals = Totals::of(&invoice).unwrap();
        let mut text: Vec<String> = totals
            .groups
            .iter()
            .map(|group| format!("{} {} {}", group.vat.percent, group.net, group.tax))
            .collect();
        text.push(format!("{} {} {}", totals.net, totals.vat, totals.gross));
        assert_eq!(text.join(" | "), expected);
        assert_eq!(totals.lines.iter().map(|line| line.net).sum::<i64>(), totals.lines_net);
    }

    #[test]
    fn net_prices_are_taxed_once_per_rate() {
        let lines = [("3", "9.99", "19"), ("1", "0.01", "19"), ("2", "4.50", "7")];
        check(Prices::Net, "EUR", &lines, "7 900 63 | 19 2998 570 | 3898 633 4531");
        check(Prices::Net, "JPY", &[("3", "333", "10")], "10 999 100 | 999 100 1099");
        check(
            Prices::Net,
            "KWD",
            &[("1.5", "1.2345", "5")],
            "5 1852 93 | 1852 93 1945",
        );
    }

    #[test]
    fn gross_prices_keep_what_was_paid() {
        // 100.00 with 19 %: no net with two decimals gives exactly this gross by adding rounded tax per line.
        let lines = [("1", "33.33", "19"), ("1", "33.33", "19"), ("1", "33.34", "19")];
        check(Prices::Gross, "EUR", &lines, "19 8403 1597 | 8403 1597 10000");
        check(
            Prices::Gross,
            "JPY",
            &[("1", "108", "8"), ("1", "1", "8")],
            "8 101 8 | 101 8 109",
        );
        check(Prices::Gross, "KWD", &[("1", "0.001", "5")], "5 1 0 | 1 0 1");
    }

    #[test]
    fn a_gross_part_of_nothing_stays_nothing() {
        let mut free = line("1", "0", "19");
        free.adjustments = vec![];
        let mut reduced = line("1", "0.02", "19");
        reduced.adjustments = vec![allowance(2)];
        let invoice = invoice_with(Prices::Gross, "EUR", vec![line("1", "0.05", "19"), free, reduced]);
        let totals = Totals::of(&invoice).unwrap();
        assert_eq!(totals.lines.iter().map(|line| line.net).collect::<Vec<_>>(), [4, 0, 0]);
        assert_eq!(totals.lines[2].adjustments, [totals.lines[2].product_net]);
    }

    #[test]
    fn document_adjustments_change_their_group() {
        let mut invoice = invoice_with(Prices::Net, "EUR", vec![line("1", "100", "19")]);
        let vat = Vat::standard(decimal("19"));
        invoice.adjustments = vec![
            DocumentAdjustment {
                adjustment: allowance(1000),
                vat,
            },
            DocumentAdjustment {
                adjustment: Adjustment {
                    direction: Direction::Charge,
                    ..allowance(500)
                },
                vat: Vat::untaxed(VatCategory::Exempt),
            },
        ];
        invoice.prepaid_minor = 100;
        let totals = Totals::of(&invoice).unwrap();
        assert_eq!(
            (totals.lines_net, totals.allowances, totals.charges),
            (10_000, 1000, 500)
        );
        assert_eq!(
            (totals.net, totals.vat, totals.gross, totals.due),
            (9500, 1710, 11_210, 11_110)
        );
        assert_eq!(totals.groups.len(), 2);
    }

    #[test]
    fn sums_do_not_wrap() {
        let invoice = invoice_with(
            Prices::Net,
            "EUR",
            vec![line("999999999999999999", "999999999999", "19")],
        );
        assert_eq!(Totals::of(&invoice), Err(Overflow));
    }
}
