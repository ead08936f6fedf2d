//! Money: whole minor units of one currency. No floating point anywhere.

use std::fmt;

/// An ISO 4217 currency of the table below.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// ISO 4217 codes and the number of decimals of their minor unit, sorted by code.
const CURRENCIES: &[(&[u8; 3], u8)] = &[
    (b"AED", 2),
    (b"AFN", 2),
    (b"ALL", 2),
    (b"AMD", 2),
    (b"AOA", 2),
    (b"ARS", 2),
    (b"AUD", 2),
    (b"AWG", 2),
    (b"AZN", 2),
    (b"BAM", 2),
    (b"BBD", 2),
    (b"BDT", 2),
    (b"BGN", 2),
    (b"BHD", 3),
    (b"BIF", 0),
    (b"BMD", 2),
    (b"BND", 2),
    (b"BOB", 2),
    (b"BRL", 2),
    (b"BSD", 2),
    (b"BTN", 2),
    (b"BWP", 2),
    (b"BYN", 2),
    (b"BZD", 2),
    (b"CAD", 2),
    (b"CDF", 2),
    (b"CHF", 2),
    (b"CLP", 0),
    (b"CNY", 2),
    (b"COP", 2),
    (b"CRC", 2),
    (b"CUP", 2),
    (b"CVE", 2),
    (b"CZK", 2),
    (b"DJF", 0),
    (b"DKK", 2),
    (b"DOP", 2),
    (b"DZD", 2),
    (b"EGP", 2),
    (b"ERN", 2),
    (b"ETB", 2),
    (b"EUR", 2),
    (b"FJD", 2),
    (b"FKP", 2),
    (b"GBP", 2),
    (b"GEL", 2),
    (b"GHS", 2),
    (b"GIP", 2),
    (b"GMD", 2),
    (b"GNF", 0),
    (b"GTQ", 2),
    (b"GYD", 2),
    (b"HKD", 2),
    (b"HNL", 2),
    (b"HTG", 2),
    (b"HUF", 2),
    (b"IDR", 2),
    (b"ILS", 2),
    (b"INR", 2),
    (b"IQD", 3),
    (b"IRR", 2),
    (b"ISK", 0),
    (b"JMD", 2),
    (b"JOD", 3),
    (b"JPY", 0),
    (b"KES", 2),
    (b"KGS", 2),
    (b"KHR", 2),
    (b"KMF", 0),
    (b"KPW", 2),
    (b"KRW", 0),
    (b"KWD", 3),
    (b"KYD", 2),
    (b"KZT", 2),
    (b"LAK", 2),
    (b"LBP", 2),
    (b"LKR", 2),
    (b"LRD", 2),
    (b"LSL", 2),
    (b"LYD", 3),
    (b"MAD", 2),
    (b"MDL", 2),
    (b"MGA", 2),
    (b"MKD", 2),
    (b"MMK", 2),
    (b"MNT", 2),
    (b"MOP", 2),
    (b"MRU", 2),
    (b"MUR", 2),
    (b"MVR", 2),
    (b"MWK", 2),
    (b"MXN", 2),
    (b"MYR", 2),
    (b"MZN", 2),
    (b"NAD", 2),
    (b"NGN", 2),
    (b"NIO", 2),
    (b"NOK", 2),
    (b"NPR", 2),
    (b"NZD", 2),
    (b"OMR", 3),
    (b"PAB", 2),
    (b"PEN", 2),
    (b"PGK", 2),
    (b"PHP", 2),
    (b"PKR", 2),
    (b"PLN", 2),
    (b"PYG", 0),
    (b"QAR", 2),
    (b"RON", 2),
    (b"RSD", 2),
    (b"RUB", 2),
    (b"RWF", 0),
    (b"SAR", 2),
    (b"SBD", 2),
    (b"SCR", 2),
    (b"SDG", 2),
    (b"SEK", 2),
    (b"SGD", 2),
    (b"SHP", 2),
    (b"SLE", 2),
    (b"SOS", 2),
    (b"SRD", 2),
    (b"SSP", 2),
    (b"STN", 2),
    (b"SVC", 2),
    (b"SYP", 2),
    (b"SZL", 2),
    (b"THB", 2),
    (b"TJS", 2),
    (b"TMT", 2),
    (b"TND", 3),
    (b"TOP", 2),
    (b"TRY", 2),
    (b"TTD", 2),
    (b"TWD", 2),
    (b"TZS", 2),
    (b"UAH", 2),
    (b"UGX", 0),
    (b"USD", 2),
    (b"UYU", 2),
    (b"UZS", 2),
    (b"VES", 2),
    (b"VND", 0),
    (b"VUV", 0),
    (b"WST", 2),
    (b"XAF", 0),
    (b"XCD", 2),
    (b"XOF", 0),
    (b"XPF", 0),
    (b"YER", 2),
    (b"ZAR", 2),
    (b"ZMW", 2),
];

impl Currency {
    pub const CNY: Self = Self(*b"CNY");
    pub const EUR: Self = Self(*b"EUR");

    /// Three capital letters of a currency in use; `None` for anything else.
    pub fn parse(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        CURRENCIES
            .binary_search_by(|(known, _)| (*known).cmp(&letters))
            .ok()
            .map(|_| Self(letters))
    }

    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).expect("currency codes are ASCII")
    }

    /// Decimals of the minor unit: 0 for JPY, 2 for EUR, 3 for KWD.
    pub fn decimals(self) -> u8 {
        let found = CURRENCIES
            .binary_search_by(|(known, _)| (*known).cmp(&self.0))
            .expect("only known currencies exist");
        CURRENCIES[found].1
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units of one currency. May be negative: a balance can be.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

/// Why an amount cannot be read or reckoned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amounts of {left} and {right} do not mix")]
    CurrencyMismatch { left: Currency, right: Currency },
    #[error("the amount is larger than can be kept")]
    Overflow,
    #[error("the amount must be at least 1 minor unit")]
    NotPositive,
    #[error("not a decimal number with at most {decimals} decimals")]
    NotDecimal { decimals: u8 },
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// An amount that can be paid: at least 1 minor unit.
    pub fn positive(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor < 1 {
            Err(MoneyError::NotPositive)
        } else {
            Ok(Self { minor, currency })
        }
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            })
        }
    }

    /// Reads what a person writes: `12`, `12.5`, `12,50` (point or comma, no grouping), never more decimals than the
    /// currency has.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimals = currency.decimals();
        let wrong = MoneyError::NotDecimal { decimals };
        let text = text.trim();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > usize::from(decimals) {
            return Err(wrong);
        }
        let padded = format!("{whole}{fraction:0<width$}", width = usize::from(decimals));
        let minor: i64 = padded.parse().map_err(|_| MoneyError::Overflow)?;
        Ok(Self {
            minor: sign * minor,
            currency,
        })
    }

    /// `12.50`: point, no grouping, exactly the currency's decimals.
    pub fn to_decimal(self) -> String {
        let decimals = usize::from(self.currency.decimals());
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        if decimals == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{fraction}")
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, currency: &str, expected: Result<i64, MoneyError>) {
        let currency = Currency::parse(currency).unwrap();
        assert_eq!(
            Money::parse_decimal(text, currency).map(|money| money.minor),
            expected,
            "{text} {currency}"
        );
    }

    #[test]
    fn decimals_follow_the_currency() {
        check("12", "EUR", Ok(1200));
        check("12,5", "EUR", Ok(1250));
        check("0.05", "EUR", Ok(5));
        check("1200", "JPY", Ok(1200));
        check("1.234", "KWD", Ok(1234));
        check("-3.10", "EUR", Ok(-310));
        check("1.5", "JPY", Err(MoneyError::NotDecimal { decimals: 0 }));
        check("1.234", "EUR", Err(MoneyError::NotDecimal { decimals: 2 }));
        check("", "EUR", Err(MoneyError::NotDecimal { decimals: 2 }));
        check("1 000", "EUR", Err(MoneyError::NotDecimal { decimals: 2 }));
        check("99999999999999999999", "EUR", Err(MoneyError::Overflow));
    }

    #[test]
    fn writing_and_reading_agree() {
        for currency in ["JPY", "EUR", "KWD"] {
            let currency = Currency::parse(currency).unwrap();
            for minor in [0, 1, -1, 5, 99, 100, 12345, -12345, i64::MAX] {
                let money = Money::new(minor, currency);
                assert_eq!(Money::parse_decimal(&money.to_decimal(), currency), Ok(money));
            }
        }
    }

    #[test]
    fn the_currency_table_is_sorted() {
        assert!(CURRENCIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(Currency::parse("XXX"), None);
        assert_eq!(Currency::parse("eur"), None);
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_wrap() {
        let euro = Money::new(i64::MAX, Currency::EUR);
        assert_eq!(
            euro.checked_add(Money::new(1, Currency::EUR)),
            Err(MoneyError::Overflow)
        );
        let mixed = euro.checked_add(Money::new(1, Currency::CNY));
        assert_eq!(
            mixed,
            Err(MoneyError::CurrencyMismatch {
                left: Currency::EUR,
                right: Currency::CNY
            })
        );
    }
}
