//! The rule engine: a policy is a list of conditions over dimensions, and every decision tells what each dimension saw.
//!
//! Used for scenarios now; travel policies and funding rules use the same engine. Integers only, no clock, no IO: the same
//! call serves a payment, a dry run, and a replay of the past.

use std::fmt;

use crate::calendar::LocalTime;
use crate::money::Currency;

/// What a condition looks at. One row of [`DIMENSIONS`] each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    Amount,
    AmountDay,
    AmountMonth,
    CountDay,
    CountMonth,
    Weekday,
    Clock,
    Category,
    Merchant,
    City,
}

/// How a condition's value is written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Minor units; `<=` and `>=`.
    Amount,
    /// A whole number; `<=` and `>=`.
    Count,
    /// A list of weekdays, `mon` to `sun`; `in` and `not in`.
    Weekdays,
    /// Clock ranges `08:00-20:00`, also over midnight; `in` and `not in`.
    ClockRanges,
    /// A list of four-digit categories and ranges; `in` and `not in`.
    Categories,
    /// A list of words; `in` and `not in`.
    Words,
}

/// A dimension's row: feeds the parser, the pages and the documentation.
#[derive(Debug, Clone, Copy)]
pub struct DimensionRow {
    pub dimension: Dimension,
    pub name: &'static str,
    pub kind: ValueKind,
    pub help: &'static str,
}

/// Every dimension there is, in the order in which a trace lists them.
pub const DIMENSIONS: &[DimensionRow] = &[
    row(
        Dimension::Amount,
        "amount",
        ValueKind::Amount,
        "amount of one payment, in minor units",
    ),
    row(
        Dimension::AmountDay,
        "amount_day",
        ValueKind::Amount,
        "amount per person and local day, this payment included",
    ),
    row(
        Dimension::AmountMonth,
        "amount_month",
        ValueKind::Amount,
        "amount per person and local month, this payment included",
    ),
    row(
        Dimension::CountDay,
        "count_day",
        ValueKind::Count,
        "payments per person and local day, this one included",
    ),
    row(
        Dimension::CountMonth,
        "count_month",
        ValueKind::Count,
        "payments per person and local month, this one included",
    ),
    row(
        Dimension::Weekday,
        "weekday",
        ValueKind::Weekdays,
        "local weekday of the payment",
    ),
    row(
        Dimension::Clock,
        "clock",
        ValueKind::ClockRanges,
        "local time of day of the payment",
    ),
    row(
        Dimension::Category,
        "category",
        ValueKind::Categories,
        "merchant category code (ISO 18245)",
    ),
    row(Dimension::Merchant, "merchant", ValueKind::Words, "merchant id"),
    row(
        Dimension::City,
        "city",
        ValueKind::Words,
        "city of the merchant's store",
    ),
];

const fn row(dimension: Dimension, name: &'static str, kind: ValueKind, help: &'static str) -> DimensionRow {
    DimensionRow {
        dimension,
        name,
        kind,
        help,
    }
}

impl Dimension {
    pub fn row(self) -> &'static DimensionRow {
        DIMENSIONS
            .iter()
            .find(|row| row.dimension == self)
            .expect("every dimension has a row")
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    AtMost,
    AtLeast,
    In,
    NotIn,
}

impl Operator {
    const ALL: [(Self, &'static str); 4] = [
        (Self::AtMost, "<="),
        (Self::AtLeast, ">="),
        (Self::NotIn, "not in"),
        (Self::In, "in"),
    ];

    pub fn sign(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(operator, _)| *operator == self)
            .expect("every operator has a sign")
            .1
    }

    fn fits(self, kind: ValueKind) -> bool {
        let ordered = matches!(kind, ValueKind::Amount | ValueKind::Count);
        ordered == matches!(self, Self::AtMost | Self::AtLeast)
    }
}

/// What a condition allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    Number(i64),
    /// Ranges of whole numbers, first and last included: weekdays 1 to 7, minutes of the day, categories.
    Ranges(Vec<(u16, u16)>),
    Words(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub dimension: Dimension,
    pub operator: Operator,
    pub allowed: Allowed,
}

/// All conditions must hold. Written one condition a line: `amount <= 5000`, `weekday in mon,tue`, `clock in 06:00-22:00`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    pub conditions: Vec<Condition>,
}

/// Why a line is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("line {line}: expected `dimension operator value`, such as `amount <= 5000`")]
    Shape { line: usize },
    #[error("line {line}: {name:?} is not a dimension; known are {known}", known = known_names())]
    UnknownDimension { line: usize, name: String },
    #[error("line {line}: `{sign}` does not go with {dimension}", dimension = dimension.name())]
    OperatorMismatch {
        line: usize,
        sign: &'static str,
        dimension: Dimension,
    },
    #[error("line {line}: {part:?} is not a value of {dimension} ({help})", dimension = dimension.name(), help = dimension.row().help)]
    Value {
        line: usize,
        dimension: Dimension,
        part: String,
    },
}

fn known_names() -> String {
    DIMENSIONS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// What is known about the payment (later: the ride) that is judged.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInput<'a> {
    pub amount_minor: i64,
    pub currency: Currency,
    /// What was used before this payment in the same day and month.
    pub used: Usage,
    pub local: LocalTime,
    pub category: u16,
    pub merchant: &'a str,
    pub city: &'a str,
}

/// What a person has spent within one scenario in the current local day and month. Cross a border and it counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub day_minor: i64,
    pub day_count: i64,
    pub month_minor: i64,
    pub month_count: i64,
}

/// One line of a decision: what was seen, what is allowed, and whether that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub dimension: Dimension,
    pub operator: Operator,
    pub seen: String,
    pub allowed: String,
    pub holds: bool,
    /// For amounts and counts with an upper bound: what could still be spent now. At least 0.
    pub left: Option<i64>,
}

/// The outcome with the trace of every condition. An empty policy allows everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    pub trace: Vec<Reason>,
}

impl Decision {
    pub fn allowed(&self) -> bool {
        self.trace.iter().all(|reason| reason.holds)
    }

    pub fn failed(&self) -> impl Iterator<Item = &Reason> {
        self.trace.iter().filter(|reason| !reason.holds)
    }
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
        let conditions = lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| Condition::parse(line, number));
        Ok(Self {
            conditions: conditions.collect::<Result<_, _>>()?,
        })
    }

    /// Adds "at most `limit`" for `dimension`, an amount or a count.
    pub fn at_most(mut self, dimension: Dimension, limit: i64) -> Self {
        self.conditions.push(Condition {
            dimension,
            operator: Operator::AtMost,
            allowed: Allowed::Number(limit),
        });
        self
    }

    /// The upper bound set for an amount or count, if there is one.
    pub fn limit(&self, dimension: Dimension) -> Option<i64> {
        let bounds = self
            .conditions
            .iter()
            .filter(|condition| condition.dimension == dimension);
        let numbers = bounds.filter_map(|condition| match (condition.operator, &condition.allowed) {
            (Operator::AtMost, Allowed::Number(number)) => Some(*number),
            _ => None,
        });
        numbers.min()
    }

    /// Judges every condition, also after one failed, so that all reasons can be shown at once. Rows S11, S12, R06.
    pub fn decide(&self, input: &PolicyInput<'_>) -> Decision {
        Decision {
            trace: self.conditions.iter().map(|condition| condition.judge(input)).collect(),
        }
    }

    /// Whether [`Self::decide`] would allow it, without building the trace.
    pub fn allows(&self, input: &PolicyInput<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(input))
    }

    /// The largest amount one payment could have now under the upper bounds on amounts; `None` when there is none. Row S11.
    pub fn permitted_minor(&self, used: Usage) -> Option<i64> {
        let spent = |dimension| match dimension {
            Dimension::AmountDay => used.day_minor,
            Dimension::AmountMonth => used.month_minor,
            _ => 0,
        };
        [Dimension::Amount, Dimension::AmountDay, Dimension::AmountMonth]
            .into_iter()
            .filter_map(|dimension| {
                self.limit(dimension)
                    .map(|limit| limit.saturating_sub(spent(dimension)).max(0))
            })
            .min()
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.conditions.iter().try_for_each(|condition| {
            let Condition {
                dimension, operator, ..
            } = condition;
            writeln!(
                f,
                "{} {} {}",
                dimension.name(),
                operator.sign(),
                condition.allowed_text()
            )
        })
    }
}

/// What a dimension saw in the input.
enum Seen<'a> {
    Number(i64),
    Place(u16),
    Word(&'a str),
}

impl Dimension {
    fn see<'a>(self, input: &PolicyInput<'a>) -> Seen<'a> {
        match self {
            Self::Amount => Seen::Number(input.amount_minor),
            Self::AmountDay => Seen::Number(input.used.day_minor.saturating_add(input.amount_minor)),
            Self::AmountMonth => Seen::Number(input.used.month_minor.saturating_add(input.amount_minor)),
            Self::CountDay => Seen::Number(input.used.day_count.saturating_add(1)),
            Self::CountMonth => Seen::Number(input.used.month_count.saturating_add(1)),
            Self::Weekday => Seen::Place(u16::from(input.local.weekday)),
            Self::Clock => Seen::Place(input.local.minute),
            Self::Category => Seen::Place(input.category),
            Self::Merchant => Seen::Word(input.merchant),
            Self::City => Seen::Word(input.city),
        }
    }

    /// What this payment itself adds to the number the dimension sees.
    fn own_share(self, input: &PolicyInput<'_>) -> i64 {
        match self {
            Self::Amount | Self::AmountDay | Self::AmountMonth => input.amount_minor,
            Self::CountDay | Self::CountMonth => 1,
            Self::Weekday | Self::Clock | Self::Category | Self::Merchant | Self::City => 0,
        }
    }
}

impl Condition {
    fn holds(&self, input: &PolicyInput<'_>) -> bool {
        let member = match (&self.allowed, self.dimension.see(input)) {
            (Allowed::Number(bound), Seen::Number(seen)) => match self.operator {
                Operator::AtLeast => return seen >= *bound,
                Operator::AtMost | Operator::In | Operator::NotIn => return seen <= *bound,
            },
            (Allowed::Ranges(ranges), Seen::Place(seen)) => ranges.iter().any(|range| within(*range, seen)),
            (Allowed::Words(words), Seen::Word(seen)) => words.iter().any(|word| word.eq_ignore_ascii_case(seen)),
            (Allowed::Number(_) | Allowed::Ranges(_) | Allowed::Words(_), _) => {
                unreachable!("the parser ties value kinds to dimensions")
            }
        };
        member == (self.operator == Operator::In)
    }

    fn judge(&self, input: &PolicyInput<'_>) -> Reason {
        let seen = self.dimension.see(input);
        let left = match (&self.allowed, &seen, self.operator) {
            (Allowed::Number(bound), Seen::Number(number), Operator::AtMost) => {
                let before = number - self.dimension.own_share(input);
                Some(bound.saturating_sub(before).max(0))
            }
            _ => None,
        };
        let seen = match seen {
            Seen::Number(number) => number.to_string(),
            Seen::Place(place) => place_text(self.dimension.row().kind, place),
            Seen::Word(word) => word.to_owned(),
        };
        let Self {
            dimension, operator, ..
        } = *self;
        Reason {
            dimension,
            operator,
            seen,
            allowed: self.allowed_text(),
            holds: self.holds(input),
            left,
        }
    }

    fn parse(text: &str, line: usize) -> Result<Self, PolicyError> {
        let (name, rest) = text
            .split_once(char::is_whitespace)
            .ok_or(PolicyError::Shape { line })?;
        let row = DIMENSIONS.iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| PolicyError::UnknownDimension {
            line,
            name: name.to_owned(),
        })?;
        let rest = rest.trim_start();
        let split = Operator::ALL
            .iter()
            .find_map(|(operator, sign)| Some((*operator, *sign, rest.strip_prefix(sign)?)));
        let (operator, sign, value) = split.ok_or(PolicyError::Shape { line })?;
        let dimension = row.dimension;
        if !operator.fits(row.kind) {
            return Err(PolicyError::OperatorMismatch { line, sign, dimension });
        }
        let allowed = parse_allowed(row.kind, value.trim());
        let allowed = allowed.map_err(|part| PolicyError::Value {
            line,
            dimension,
            part: part.to_owned(),
        })?;
        Ok(Self {
            dimension,
            operator,
            allowed,
        })
    }

    fn allowed_text(&self) -> String {
        let kind = self.dimension.row().kind;
        match &self.allowed {
            Allowed::Number(number) => number.to_string(),
            Allowed::Words(words) => words.join(","),
            Allowed::Ranges(ranges) => {
                let texts = ranges
                    .iter()
                    .map(|(first, last)| match first == last && kind != ValueKind::ClockRanges {
                        true => place_text(kind, *first),
                        false => format!("{}-{}", place_text(kind, *first), place_text(kind, *last)),
                    });
                texts.collect::<Vec<_>>().join(",")
            }
        }
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn place_text(kind: ValueKind, place: u16) -> String {
    match kind {
        ValueKind::Weekdays => WEEKDAYS[usize::from(place) - 1].to_owned(),
        ValueKind::ClockRanges => format!("{:02}:{:02}", place / 60, place % 60),
        ValueKind::Categories => format!("{place:04}"),
        ValueKind::Amount | ValueKind::Count | ValueKind::Words => place.to_string(),
    }
}

/// A range whose end lies before its start runs over midnight (or over the week's end).
fn within((first, last): (u16, u16), seen: u16) -> bool {
    if first <= last {
        (first..=last).contains(&seen)
    } else {
        seen >= first || seen <= last
    }
}

fn parse_allowed(kind: ValueKind, text: &str) -> Result<Allowed, &str> {
    let ranges = |read: fn(&str) -> Option<u16>| {
        let parts = text.split(',').map(str::trim);
        let parsed = parts.map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            read(first.trim()).zip(read(last.trim())).ok_or(part)
        });
        parsed.collect::<Result<Vec<_>, _>>().map(Allowed::Ranges)
    };
    match kind {
        ValueKind::Amount | ValueKind::Count => text
            .parse()
            .ok()
            .filter(|number: &i64| *number >= 0)
            .map(Allowed::Number)
            .ok_or(text),
        ValueKind::Weekdays => ranges(parse_weekday),
        ValueKind::ClockRanges => ranges(parse_clock),
        ValueKind::Categories => ranges(crate::codes::parse_category),
        ValueKind::Words => {
            let words: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
            if words.iter().any(String::is_empty) {
                Err(text)
            } else {
                Ok(Allowed::Words(words))
            }
        }
    }
}

fn parse_weekday(text: &str) -> Option<u16> {
    WEEKDAYS
        .iter()
        .position(|day| day.eq_ignore_ascii_case(text))
        .map(|place| place as u16 + 1)
}

fn parse_clock(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> PolicyInput<'static> {
        PolicyInput {
            amount_minor: 3_000,
            currency: Currency::EUR,
            used: Usage {
                day_minor: 4_000,
                day_count: 2,
                month_minor: 40_000,
                month_count: 9,
            },
            local: LocalTime {
                day: 20_000,
                month: 657,
                weekday: 5,
                minute: 23 * 60 + 30,
            },
            category: 5812,
            merchant: "mer_1",
            city: "Utsunomiya",
        }
    }

    /// Policy text in, one line of the trace out.
    fn check(policy: &str, expected: &str) {
        let decision = Policy::parse(policy).unwrap().decide(&input());
        let reason = &decision.trace[0];
        let verdict = if reason.holds { "holds" } else { "fails" };
        let left = reason.left.map(|left| format!(", left {left}")).unwrap_or_default();
        let line = format!(
            "{} {} {}: {verdict}{left}",
            reason.seen,
            reason.operator.sign(),
            reason.allowed
        );
        assert_eq!(line, expected, "{policy}");
        assert_eq!(
            Policy::parse(policy).unwrap().allows(&input()),
            decision.allowed(),
            "{policy}"
        );
    }

    #[test]
    fn every_dimension_says_what_it_saw() {
        check("amount <= 3000", "3000 <= 3000: holds, left 3000");
        check("amount <= 2999", "3000 <= 2999: fails, left 2999");
        check("amount_day <= 6000", "7000 <= 6000: fails, left 2000");
        check("amount_month <= 50000", "43000 <= 50000: holds, left 10000");
        check("count_day <= 2", "3 <= 2: fails, left 0");
        check("count_month <= 10", "10 <= 10: holds, left 1");
        check("weekday in mon-fri", "fri in mon-fri: holds");
        check("weekday not in fri,sat", "fri not in fri,sat: fails");
        check("clock in 22:00-02:00", "23:30 in 22:00-02:00: holds");
        check("clock in 06:00-22:00", "23:30 in 06:00-22:00: fails");
        check("category in 5811-5814,5411", "5812 in 5811-5814,5411: holds");
        check("merchant not in mer_2", "mer_1 not in mer_2: holds");
        check("city in utsunomiya,Tokyo", "Utsunomiya in utsunomiya,Tokyo: holds");
        check("amount >= 5000", "3000 >= 5000: fails");
    }

    #[test]
    fn wrong_lines_are_named() {
        let message = |text: &str| Policy::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("amount"),
            "line 1: expected `dimension operator value`, such as `amount <= 5000`"
        );
        assert!(message("\nammount <= 3").starts_with("line 2: \"ammount\" is not a dimension; known are amount, "));
        assert_eq!(message("weekday <= 3"), "line 1: `<=` does not go with weekday");
        assert!(message("clock in 25:00-26:00").starts_with("line 1: \"25:00-26:00\" is not a value of clock"));
        assert!(message("amount <= -1").starts_with("line 1: \"-1\" is not a value"));
    }

    #[test]
    fn a_policy_reads_what_it_writes() {
        let text = "amount <= 5000\nclock in 06:00-22:00,23:00-23:00\nweekday in mon-fri\ncity not in Paris,東京\n";
        assert_eq!(Policy::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn the_smallest_bound_is_permitted() {
        let policy = Policy::parse("amount <= 5000\namount_day <= 6000\namount_month <= 100000").unwrap();
        assert_eq!(policy.permitted_minor(input().used), Some(2_000));
        assert_eq!(Policy::default().permitted_minor(input().used), None);
    }
}
