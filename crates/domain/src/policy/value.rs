//! What a condition allows and what was seen, as values and as text. Every text reads back into the value it came from.

use std::fmt;

use super::dimension::{Dimension, ValueKind};
use super::input::{ExpressionFault, Named};
use crate::calendar::{Date, DayKind};
use crate::geo::{Area, GeoPoint};

/// Longest expression, in characters.
pub const EXPRESSION_MAX: usize = 500;

/// What a condition allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    Number(i64),
    /// Ranges of whole numbers, first and last included: weekdays 1 to 7, kinds of days, minutes of the day, categories.
    Ranges(Box<[(u16, u16)]>),
    /// Days since 1970, first and last included; `i32::MAX` is an open end.
    Days(Box<[(i32, i32)]>),
    Words(WordList),
    Areas(Box<[Area]>),
    Expression(Box<str>),
}

/// What a condition saw of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Number(i64),
    /// Weekday 1 to 7, kind of day, minute of the day, or category.
    Place(u16),
    /// Days since 1970.
    Day(i32),
    Word(Box<str>),
    Words(Box<[Box<str>]>),
    Point(GeoPoint),
    /// What an expression came to, and the facts it named, such as `amount = 500, city = ?`.
    Truth(bool, Box<str>),
    Fault(ExpressionFault, Box<str>),
}

/// Words in the order in which they were written; found without regard to the case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordList {
    listed: Box<[Box<str>]>,
    /// Places in `listed`, in the order of the words.
    sorted: Box<[u32]>,
}

/// Up to here, looking at each word is as fast as searching.
const SCANNED_MAX: usize = 8;

impl WordList {
    /// `None` when there is no word, or one is empty.
    pub fn new(words: impl IntoIterator<Item = impl Into<Box<str>>>) -> Option<Self> {
        let listed: Box<[Box<str>]> = words.into_iter().map(Into::into).collect();
        if listed.is_empty() || listed.iter().any(|word| word.trim().is_empty()) {
            return None;
        }
        let mut sorted: Box<[u32]> = (0..listed.len() as u32).collect();
        sorted.sort_by(|a, b| compare(&listed[*a as usize], &listed[*b as usize]));
        Some(Self { listed, sorted })
    }

    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.listed.iter().map(|word| &**word)
    }

    pub fn has(&self, word: &str) -> bool {
        if self.listed.len() <= SCANNED_MAX {
            return self.listed.iter().any(|known| known.eq_ignore_ascii_case(word));
        }
        let found = self
            .sorted
            .binary_search_by(|place| compare(&self.listed[*place as usize], word));
        found.is_ok()
    }

    pub(super) fn has_named(&self, named: Named<'_>) -> bool {
        [named.id, named.name]
            .into_iter()
            .any(|word| !word.is_empty() && self.has(word))
    }
}

fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    a.bytes()
        .map(|byte| byte.to_ascii_lowercase())
        .cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

impl Allowed {
    pub(super) fn fits(&self, kind: ValueKind) -> bool {
        match self {
            Self::Number(_) => matches!(
                kind,
                ValueKind::Amount | ValueKind::Count | ValueKind::Percent | ValueKind::Metres
            ),
            Self::Ranges(_) => matches!(
                kind,
                ValueKind::Weekdays | ValueKind::DayKinds | ValueKind::ClockRanges | ValueKind::Categories
            ),
            Self::Days(_) => kind == ValueKind::Dates,
            Self::Words(_) => kind == ValueKind::Words,
            Self::Areas(_) => kind == ValueKind::Areas,
            Self::Expression(_) => kind == ValueKind::Expression,
        }
    }

    /// Reads a value of `kind`; the part that is not one on failure.
    pub fn parse(kind: ValueKind, text: &str) -> Result<Self, &str> {
        let number = |last: i64| {
            let number = text.parse().ok().filter(|number| (0..=last).contains(number));
            number.map(Self::Number).ok_or(text)
        };
        match kind {
            ValueKind::Amount | ValueKind::Count | ValueKind::Metres => number(i64::MAX),
            ValueKind::Percent => number(100),
            ValueKind::Dates => parts(text, parse_dates).map(Self::Days),
            ValueKind::Weekdays => parts(text, range(parse_weekday)).map(Self::Ranges),
            ValueKind::DayKinds => parts(text, range(parse_day_kind)).map(Self::Ranges),
            ValueKind::ClockRanges => parts(text, range(parse_clock)).map(Self::Ranges),
            ValueKind::Categories => parts(text, range(crate::codes::parse_category)).map(Self::Ranges),
            ValueKind::Areas => parts(text, Area::parse).map(Self::Areas),
            ValueKind::Words => {
                let words = text.split(',').map(str::trim);
                WordList::new(words).map(Self::Words).ok_or(text)
            }
            ValueKind::Expression => {
                let fits = !text.is_empty() && text.chars().count() <= EXPRESSION_MAX;
                fits.then(|| Self::Expression(text.into())).ok_or(text)
            }
        }
    }

    /// As [`Self::parse`] reads it.
    pub fn text(&self, dimension: Dimension) -> String {
        let kind = dimension.row().kind;
        match self {
            Self::Number(number) => number.to_string(),
            Self::Words(words) => words.words().collect::<Vec<_>>().join(","),
            Self::Areas(areas) => joined(areas.iter()),
            Self::Expression(source) => source.to_string(),
            Self::Days(ranges) => joined(ranges.iter().map(|range| days_text(*range))),
            Self::Ranges(ranges) => joined(ranges.iter().map(|(first, last)| {
                if first == last && kind != ValueKind::ClockRanges {
                    place_text(kind, *first)
                } else {
                    format!("{}-{}", place_text(kind, *first), place_text(kind, *last))
                }
            })),
        }
    }
}

impl Seen {
    /// As [`Self::parse`] reads it.
    pub fn text(&self, dimension: Dimension) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Place(place) => place_text(dimension.row().kind, *place),
            Self::Day(day) => day_text(*day),
            Self::Word(word) => word.to_string(),
            Self::Words(words) => words.join(","),
            Self::Point(point) => point.to_string(),
            Self::Truth(truth, facts) => with_facts(truth.to_string(), facts),
            Self::Fault(fault, facts) => with_facts(format!("fault: {}", fault.name()), facts),
        }
    }

    /// Reads what [`Self::text`] wrote for the same dimension.
    pub fn parse(dimension: Dimension, text: &str) -> Option<Self> {
        Some(match dimension.row().kind {
            ValueKind::Amount | ValueKind::Count | ValueKind::Percent | ValueKind::Metres => {
                Self::Number(text.parse().ok()?)
            }
            ValueKind::Dates => Self::Day(parse_day(text).or_else(|| text.parse().ok())?),
            ValueKind::Weekdays => Self::Place(parse_weekday(text)?),
            ValueKind::DayKinds => Self::Place(parse_day_kind(text)?),
            ValueKind::ClockRanges => Self::Place(parse_clock(text)?),
            ValueKind::Categories => Self::Place(crate::codes::parse_category(text)?),
            ValueKind::Words if dimension == Dimension::Label => {
                Self::Words(text.split(',').filter(|word| !word.is_empty()).map(Box::from).collect())
            }
            ValueKind::Words => Self::Word(text.into()),
            ValueKind::Areas => {
                let (lat, lon) = text.split_once(' ')?;
                Self::Point(GeoPoint::parse(lat, lon)?)
            }
            ValueKind::Expression => {
                let (outcome, facts) = text.split_once("; ").unwrap_or((text, ""));
                match outcome.strip_prefix("fault: ") {
                    Some(name) => {
                        let fault = ExpressionFault::ALL.into_iter().find(|fault| fault.name() == name);
                        Self::Fault(fault?, facts.into())
                    }
                    None => Self::Truth(outcome.parse().ok()?, facts.into()),
                }
            }
        })
    }
}

fn with_facts(outcome: String, facts: &str) -> String {
    match facts {
        "" => outcome,
        facts => format!("{outcome}; {facts}"),
    }
}

/// `1` is `mon`.
pub(super) fn weekday_text(weekday: u8) -> &'static str {
    WEEKDAYS[usize::from(weekday) - 1]
}

pub(super) fn clock_text(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

pub(super) fn day_text(day: i32) -> String {
    Date::of_days(day).map_or_else(|| day.to_string(), |date| date.to_string())
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn place_text(kind: ValueKind, place: u16) -> String {
    match kind {
        ValueKind::Weekdays => WEEKDAYS[usize::from(place) - 1].to_owned(),
        ValueKind::DayKinds => DayKind::ALL[usize::from(place)].name().to_owned(),
        ValueKind::ClockRanges => clock_text(place),
        ValueKind::Categories => format!("{place:04}"),
        ValueKind::Amount
        | ValueKind::Count
        | ValueKind::Percent
        | ValueKind::Metres
        | ValueKind::Dates
        | ValueKind::Words
        | ValueKind::Areas
        | ValueKind::Expression => place.to_string(),
    }
}

fn days_text((first, last): (i32, i32)) -> String {
    let text = |day| Date::of_days(day).map(|date| date.to_string()).unwrap_or_default();
    if first == last {
        text(first)
    } else {
        format!("{}..{}", text(first), text(last))
    }
}

fn joined(parts: impl Iterator<Item = impl fmt::Display>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(",")
}

/// Reads each part between commas that stand outside of brackets; the part that cannot be read on failure.
fn parts<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Box<[T]>, &str> {
    let mut depth = 0;
    let outside = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    };
    let parts = text.split(outside).map(str::trim);
    parts.map(|part| read(part).ok_or(part)).collect()
}

fn range(read: fn(&str) -> Option<u16>) -> impl Fn(&str) -> Option<(u16, u16)> {
    move |part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        read(first.trim()).zip(read(last.trim()))
    }
}

fn parse_day(text: &str) -> Option<i32> {
    Date::parse(text).map(Date::days)
}

fn parse_dates(part: &str) -> Option<(i32, i32)> {
    let (first, last) = part.split_once("..").unwrap_or((part, part));
    let first = parse_day(first.trim())?;
    let last = match last.trim() {
        "" => i32::MAX,
        last => parse_day(last)?,
    };
    (first <= last).then_some((first, last))
}

fn parse_weekday(text: &str) -> Option<u16> {
    let place = WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(text))?;
    Some(place as u16 + 1)
}

fn parse_day_kind(text: &str) -> Option<u16> {
    DayKind::parse(text).map(|kind| kind as u16)
}

fn parse_clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}
