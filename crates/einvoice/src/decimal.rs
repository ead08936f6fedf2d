//! Quantities, unit prices and rates: decimal numbers without floating point.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number of at most 18 digits, [`Decimal::SCALE_MAX`] of them after the point, without trailing zeros:
/// `1.50` and `1.5` are one value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

const MANTISSA_MAX: i64 = 999_999_999_999_999_999;

impl Decimal {
    /// The most decimals that are kept.
    pub const SCALE_MAX: u8 = 10;
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// `mantissa` divided by ten to the power of `scale`. `None` beyond 18 digits or [`Decimal::SCALE_MAX`] decimals.
    pub fn new(mantissa: i64, scale: u8) -> Option<Self> {
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        let is_kept = (-MANTISSA_MAX..=MANTISSA_MAX).contains(&mantissa) && scale <= Self::SCALE_MAX;
        is_kept.then_some(Self { mantissa, scale })
    }

    /// Every whole number of 32 bits is kept.
    pub fn whole(number: i32) -> Self {
        Self {
            mantissa: i64::from(number),
            scale: 0,
        }
    }

    /// Reads `12`, `-0.5`, `12,3456`: point or comma, no grouping, no exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
        let fraction = fraction.trim_end_matches('0');
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !is_number(whole)
            || !is_number(fraction)
            || fraction.len() > usize::from(Self::SCALE_MAX)
        {
            return None;
        }
        let magnitude: i64 = format!("{whole}{fraction}").parse().ok()?;
        let mantissa = if digits.len() == text.len() {
            magnitude
        } else {
            -magnitude
        };
        Self::new(mantissa, u8::try_from(fraction.len()).ok()?)
    }

    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// How many digits of the mantissa stand after the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    pub fn abs(self) -> Self {
        Self {
            mantissa: self.mantissa.abs(),
            ..self
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let common = self.scale.max(other.scale);
        let scaled = |number: &Self| i128::from(number.mantissa) * power_of_ten(common - number.scale);
        scaled(self).cmp(&scaled(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        if scale == 0 {
            write!(formatter, "{sign}{whole}")
        } else {
            write!(formatter, "{sign}{whole}.{fraction}")
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// `exponent` at most 38.
pub(crate) fn power_of_ten(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent))
}

/// `numerator / denominator` to the nearest whole number, halves away from zero. `denominator` above 0.
pub(crate) fn divide_rounded(numerator: i128, denominator: i128) -> Option<i128> {
    assert!(denominator > 0, "the callers divide by positive numbers");
    let magnitude = numerator.abs().checked_add(denominator / 2)? / denominator;
    Some(magnitude * numerator.signum())
}

/// `quantity × price ÷ base` in minor units of a currency with `decimals`, rounded once, halves away from zero.
///
/// `None` when it does not fit or `base` is not positive.
pub(crate) fn extended_minor(quantity: Decimal, price: Decimal, base: Decimal, decimals: u8) -> Option<i64> {
    if !base.is_positive() {
        return None;
    }
    let product = i128::from(quantity.mantissa).checked_mul(i128::from(price.mantissa))?;
    // Powers of ten that both sides share are dropped, so that long prices do not overflow.
    let up = decimals + base.scale;
    let down = quantity.scale + price.scale;
    let shared = up.min(down);
    let numerator = product.checked_mul(power_of_ten(up - shared))?;
    let denominator = i128::from(base.mantissa).checked_mul(power_of_ten(down - shared))?;
    i64::try_from(divide_rounded(numerator, denominator)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let read = Decimal::parse(text).map(|number| number.to_string());
        assert_eq!(read.as_deref(), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_and_written() {
        check("12", Some("12"));
        check("12.50", Some("12.5"));
        check("0,0001", Some("0.0001"));
        check("-3.2916", Some("-3.2916"));
        check("100", Some("100"));
        check("0.12345678901", None);
        check("1e3", None);
        check("1 000", None);
        check("", None);
        check(".5", None);
        check("99999999999999999999", None);
    }

    fn extended(quantity: &str, price: &str, base: &str, decimals: u8) -> Option<i64> {
        let read = |text| Decimal::parse(text).unwrap();
        extended_minor(read(quantity), read(price), read(base), decimals)
    }

    #[test]
    fn products_round_once_and_halves_go_away_from_zero() {
        assert_eq!(extended("3", "1.005", "1", 2), Some(302));
        assert_eq!(extended("-3", "1.005", "1", 2), Some(-302));
        assert_eq!(extended("1", "0.005", "1", 2), Some(1));
        assert_eq!(extended("2.5", "3.2916", "1", 2), Some(823));
        assert_eq!(extended("7", "10", "3", 2), Some(2333));
        assert_eq!(extended("2", "150.5", "1", 0), Some(301));
        assert_eq!(extended("1", "1.2345", "1", 3), Some(1235));
        assert_eq!(extended("1", "1", "0", 2), None);
        assert_eq!(extended("999999999999999999", "999999999999999999", "1", 2), None);
    }

    #[test]
    fn order_follows_the_value() {
        let read = |text| Decimal::parse(text).unwrap();
        assert!(read("7") < read("19"));
        assert!(read("7.7") > read("7"));
        assert!(read("-1") < read("0.0001"));
    }
}
