//! Languages of the pages: texts from `locales/`, and numbers, money, dates as each language writes them.

pub mod reasons;

use std::borrow::Cow;
use std::collections::HashMap;

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use onescan_domain::money::Money;

fluent_templates::static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

static ENGLISH: LanguageIdentifier = langid!("en");
static CHINESE: LanguageIdentifier = langid!("zh");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    #[default]
    English,
    Chinese,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// As people's records hold it.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// For the `lang` attribute.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The language's name in itself.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Chinese => "中文",
        }
    }

    /// Reads `en`, `zh`, `zh-CN`, `en-GB`; `None` for languages the pages do not speak.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        Self::ALL
            .into_iter()
            .find(|language| primary.eq_ignore_ascii_case(language.name()))
    }

    /// The language of an `Accept-Language` header that is wanted most and spoken here.
    pub fn negotiate(header: &str) -> Self {
        let wanted = header.split(',').filter_map(|part| {
            let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
            Some((Self::parse(tag)?, quality.trim().parse::<f32>().ok()?))
        });
        let mut best = (Self::default(), 0.0);
        for (language, quality) in wanted {
            if quality > best.1 {
                best = (language, quality);
            }
        }
        best.0
    }

    fn id(self) -> &'static LanguageIdentifier {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
        }
    }

    /// The text named `key`.
    pub fn text(self, key: &str) -> String {
        LOCALES.lookup(self.id(), key)
    }

    /// Whether there is a text of that name.
    pub fn knows(self, key: &str) -> bool {
        LOCALES.try_lookup(self.id(), key).is_some()
    }

    /// The text named `key` with its places filled in.
    pub fn text_with(self, key: &str, values: &[(&'static str, &str)]) -> String {
        let values: HashMap<Cow<'static, str>, FluentValue<'_>> = values
            .iter()
            .map(|(name, value)| (Cow::Borrowed(*name), FluentValue::from(*value)))
            .collect();
        LOCALES.lookup_with_args(self.id(), key, &values)
    }

    /// The text named `key` for a whole number, in the form the number asks for.
    pub fn text_counted(self, key: &str, count: i64) -> String {
        let values = HashMap::from([(Cow::Borrowed("count"), FluentValue::from(count))]);
        LOCALES.lookup_with_args(self.id(), key, &values)
    }

    /// `€1,234.50`, `¥1,234.50`, `CHF 1,234.50`; a minus sign comes first.
    pub fn money(self, money: Money) -> String {
        let sign = if money.minor < 0 { "−" } else { "" };
        let code = money.currency.code().to_owned();
        let symbol = match (code.as_str(), self) {
            ("CNY", Self::Chinese) => "¥",
            ("CNY", Self::English) => "CN¥",
            ("JPY", Self::English) => "¥",
            ("JPY", Self::Chinese) => "JP¥",
            ("EUR", _) => "€",
            ("USD", _) => "US$",
            ("GBP", _) => "£",
            (_, _) => return format!("{sign}{code}\u{a0}{}", self.amount(money)),
        };
        format!("{sign}{symbol}{}", self.amount(money))
    }

    /// The number of [`Self::money`] without sign and currency.
    pub fn amount(self, money: Money) -> String {
        group_thousands(money.to_decimal().trim_start_matches('-'))
    }

    /// Day and clock: `23 Nov 2026, 15:04` or `2026年11月23日 15:04`.
    pub fn date_time(self, at_ms: i64, zone: &TimeZone) -> String {
        let pattern = match self {
            Self::English => "%-d %b %Y, %H:%M",
            Self::Chinese => "%Y年%-m月%-d日 %H:%M",
        };
        zoned(at_ms, zone).strftime(pattern).to_string()
    }

    /// `23 Nov 2026` or `2026年11月23日`.
    pub fn date(self, at_ms: i64, zone: &TimeZone) -> String {
        let pattern = match self {
            Self::English => "%-d %b %Y",
            Self::Chinese => "%Y年%-m月%-d日",
        };
        zoned(at_ms, zone).strftime(pattern).to_string()
    }

    /// A day of the calendar, `2026-11-23`, as [`Self::date`] writes it; what is no day stays as it is.
    pub fn day(self, iso: &str) -> String {
        let pattern = match self {
            Self::English => "%-d %b %Y",
            Self::Chinese => "%Y年%-m月%-d日",
        };
        match iso.parse::<jiff::civil::Date>() {
            Ok(date) => date.strftime(pattern).to_string(),
            Err(_) => iso.to_owned(),
        }
    }

    /// `15:04:05`.
    pub fn clock(self, at_ms: i64, zone: &TimeZone) -> String {
        zoned(at_ms, zone).strftime("%H:%M:%S").to_string()
    }
}

fn zoned(at_ms: i64, zone: &TimeZone) -> jiff::Zoned {
    let instant = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    instant.to_zoned(zone.clone())
}

/// `zone` by its IANA name; UTC when it is not known here.
pub fn time_zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// First milliseconds of the day `2026-11-23` in `zone` and of the day after; `None`: no day of the calendar.
pub fn bounds_of_day(iso: &str, zone: &TimeZone) -> Option<(i64, i64)> {
    let date: jiff::civil::Date = iso.parse().ok()?;
    let start = |date: jiff::civil::Date| Some(date.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond());
    Some((start(date)?, start(date.tomorrow().ok()?)?))
}

/// First millisecond of the local day of `at_ms` in `zone`, and of the day after.
pub fn day_bounds(at_ms: i64, zone: &TimeZone) -> (i64, i64) {
    let today = zoned(at_ms, zone).date();
    let start = |date: jiff::civil::Date| {
        date.to_zoned(zone.clone())
            .map_or(at_ms, |start| start.timestamp().as_millisecond())
    };
    (start(today), today.tomorrow().map_or(at_ms, start))
}

fn group_thousands(decimal: &str) -> String {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let mut grouped = String::with_capacity(decimal.len() + whole.len() / 3);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if !fraction.is_empty() {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

#[cfg(test)]
mod tests;
