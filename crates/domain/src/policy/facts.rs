//! The names an expression can use, and what each sees of the order.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::input::{Named, PolicyInput};
use super::value::{clock_text, day_text, weekday_text};

/// A name of an expression; a row of [`FACTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact(u8);

/// What a fact is of one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactValue<'a> {
    Number(i64),
    Text(Cow<'a, str>),
    List(&'a [&'a str]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactKind {
    Number,
    Text,
    List,
}

#[derive(Debug, Clone, Copy)]
enum Read {
    Number(for<'a> fn(&PolicyInput<'a>) -> Option<i64>),
    Text(for<'a> fn(&PolicyInput<'a>) -> Option<Cow<'a, str>>),
    List(for<'a> fn(&PolicyInput<'a>) -> Option<&'a [&'a str]>),
}

/// A fact's row. What the order does not say is unknown, and so is an expression that depends on it.
#[derive(Debug, Clone, Copy)]
pub struct FactRow {
    pub name: &'static str,
    pub help: &'static str,
    read: Read,
}

/// Every name there is.
pub const FACTS: &[FactRow] = &[
    number("amount", "minor units that are asked for", |input| {
        Some(input.amount.minor)
    }),
    text("currency", "currency of the amount", |input| {
        Some(input.amount.currency.code().to_owned().into())
    }),
    number("fare", "the whole fare, in minor units", |input| input.ride.fare_minor),
    number(
        "amount_day",
        "minor units of the local day, this payment included",
        |input| sum(input, input.used.day_minor),
    ),
    number("amount_week", "of the local week from Monday", |input| {
        sum(input, input.used.week_minor)
    }),
    number("amount_month", "of the local month", |input| {
        sum(input, input.used.month_minor)
    }),
    number("amount_quarter", "of the local quarter", |input| {
        sum(input, input.used.quarter_minor)
    }),
    number("amount_year", "of the local year", |input| {
        sum(input, input.used.year_minor)
    }),
    number("count_day", "payments of the local day, this one included", |input| {
        Some(input.used.day_count + 1)
    }),
    number("count_week", "of the local week from Monday", |input| {
        Some(input.used.week_count + 1)
    }),
    number("count_month", "of the local month", |input| {
        Some(input.used.month_count + 1)
    }),
    number("count_quarter", "of the local quarter", |input| {
        Some(input.used.quarter_count + 1)
    }),
    number("count_year", "of the local year", |input| {
        Some(input.used.year_count + 1)
    }),
    text("date", "local date, such as \"2026-10-01\"", |input| {
        Some(day_text(input.local.day).into())
    }),
    text("weekday", "\"mon\" to \"sun\"", |input| {
        Some(weekday_text(input.local.weekday()).into())
    }),
    text("day_kind", "\"workday\", \"weekend\" or \"holiday\"", |input| {
        Some(input.calendar.kind(input.local).name().into())
    }),
    text("clock", "local time of day, such as \"08:15\"", |input| {
        Some(clock_text(input.local.minute).into())
    }),
    text("clock_end", "local time of day at which the ride ended", |input| {
        input.ride.ended.map(|ended| clock_text(ended.minute).into())
    }),
    text("travel_type", "kind of travel", |input| known(input.ride.travel_type)),
    text("line", "line, by name", |input| shown(input.ride.line)),
    text("line_id", "line, by id", |input| known(input.ride.line.id)),
    text("operator", "who carried the rider, by name", |input| {
        shown(input.ride.operator)
    }),
    text("operator_id", "by id", |input| known(input.ride.operator.id)),
    text("start_stop", "where the ride starts, by name", |input| {
        shown(input.ride.start.stop)
    }),
    text("start_stop_id", "by id", |input| known(input.ride.start.stop.id)),
    text("end_stop", "where the ride ends, by name", |input| {
        shown(input.ride.end.stop)
    }),
    text("end_stop_id", "by id", |input| known(input.ride.end.stop.id)),
    text("start_zone", "fare zone of the start", |input| {
        known(input.ride.start.zone)
    }),
    text("end_zone", "fare zone of the end", |input| known(input.ride.end.zone)),
    text("city", "city of the store, or of the ride's start", |input| {
        known(input.start_city())
    }),
    text("end_city", "city of the ride's end", |input| known(input.ride.end.city)),
    number("distance", "metres of the ride", |input| input.ride.distance_m),
    number("companions", "how many ride along, the person not counted", |input| {
        input.ride.companions.map(i64::from)
    }),
    text(
        "decision",
        "answer of the institution's own system: \"approve\" or \"refuse\"",
        |input| known(input.ride.decision),
    ),
    number("category", "merchant category code", |input| {
        input.category.map(i64::from)
    }),
    text("merchant", "merchant, by id", |input| known(input.merchant)),
    text("brand", "brand of the merchant", |input| known(input.brand)),
    text("member", "member, by employee number", |input| {
        shown(input.member.member)
    }),
    text("member_id", "by id", |input| known(input.member.member.id)),
    text("department", "department of the member, by name", |input| {
        shown(input.member.department)
    }),
    text("department_id", "by id", |input| known(input.member.department.id)),
    FactRow {
        name: "labels",
        help: "the member's labels; \"driver\" in labels",
        read: Read::List(|input| input.member.labels),
    },
    text("rank", "rank of the member", |input| known(input.member.rank)),
];

const fn number(name: &'static str, help: &'static str, read: for<'a> fn(&PolicyInput<'a>) -> Option<i64>) -> FactRow {
    let read = Read::Number(read);
    FactRow { name, help, read }
}

const fn text(
    name: &'static str,
    help: &'static str,
    read: for<'a> fn(&PolicyInput<'a>) -> Option<Cow<'a, str>>,
) -> FactRow {
    let read = Read::Text(read);
    FactRow { name, help, read }
}

fn known(word: &str) -> Option<Cow<'_, str>> {
    Some(Cow::Borrowed(word)).filter(|word| !word.is_empty())
}

fn shown(named: Named<'_>) -> Option<Cow<'_, str>> {
    known(named.shown())
}

fn sum(input: &PolicyInput<'_>, before: i64) -> Option<i64> {
    before.checked_add(input.amount.minor)
}

impl FactRow {
    pub fn kind(&self) -> FactKind {
        match self.read {
            Read::Number(_) => FactKind::Number,
            Read::Text(_) => FactKind::Text,
            Read::List(_) => FactKind::List,
        }
    }
}

impl FactKind {
    /// As the language names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "int",
            Self::Text => "string",
            Self::List => "list",
        }
    }
}

impl Fact {
    pub fn parse(name: &str) -> Option<Self> {
        let place = FACTS.iter().position(|row| row.name == name)?;
        u8::try_from(place).ok().map(Self)
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    fn row(self) -> &'static FactRow {
        &FACTS[usize::from(self.0)]
    }

    /// `None`: the order does not say.
    pub fn of<'a>(self, input: &PolicyInput<'a>) -> Option<FactValue<'a>> {
        match self.row().read {
            Read::Number(read) => read(input).map(FactValue::Number),
            Read::Text(read) => read(input).map(FactValue::Text),
            Read::List(read) => read(input).map(FactValue::List),
        }
    }
}

/// `amount = 500, city = "Haga", companions = ?`: what an expression saw.
pub(super) fn values(facts: &[Fact], input: &PolicyInput<'_>) -> Box<str> {
    let mut text = String::new();
    for fact in facts {
        let comma = if text.is_empty() { "" } else { ", " };
        let name = fact.name();
        let written = match fact.of(input) {
            None => write!(text, "{comma}{name} = ?"),
            Some(FactValue::Number(number)) => write!(text, "{comma}{name} = {number}"),
            Some(FactValue::Text(word)) => write!(text, "{comma}{name} = {word:?}"),
            Some(FactValue::List(words)) => write!(text, "{comma}{name} = {words:?}"),
        };
        written.expect("writing to a String cannot fail");
    }
    text.into()
}
