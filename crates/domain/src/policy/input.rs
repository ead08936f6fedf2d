//! What is known about the payment or ride that is judged.

use std::sync::Arc;

use super::facts::Fact;
use crate::calendar::{LocalTime, WorkCalendar};
use crate::geo::GeoPoint;
use crate::money::Money;

/// The order and who is behind it. A word that is empty and an option that is `None` mean: the order does not say.
#[derive(Debug, Clone, Copy)]
pub struct PolicyInput<'a> {
    /// What the institution is asked for.
    pub amount: Money,
    /// What was used before this payment in the same day, week, month, quarter and year.
    pub used: Usage,
    /// When it is paid; for a ride, when it starts.
    pub local: LocalTime,
    pub category: Option<u16>,
    pub merchant: &'a str,
    pub brand: &'a str,
    /// City of the merchant's store; empty for a ride, whose start has a city of its own.
    pub city: &'a str,
    pub ride: RideFacts<'a>,
    pub member: MemberFacts<'a>,
    pub calendar: &'a WorkCalendar,
    /// Judges expressions; without it they are unknown.
    pub expressions: Option<&'a dyn Expressions>,
}

/// What only a ride has.
#[derive(Debug, Clone, Copy, Default)]
pub struct RideFacts<'a> {
    pub travel_type: &'a str,
    /// The whole fare in the amount's currency, of which the institution may be asked for a part.
    pub fare_minor: Option<i64>,
    pub ended: Option<LocalTime>,
    pub line: Named<'a>,
    pub operator: Named<'a>,
    pub start: Place<'a>,
    pub end: Place<'a>,
    pub distance_m: Option<i64>,
    pub companions: Option<u16>,
    /// What the institution's own system answered: `approve` or `refuse`.
    pub decision: &'a str,
}

/// Where a ride starts or ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place<'a> {
    pub stop: Named<'a>,
    pub zone: &'a str,
    pub city: &'a str,
    pub point: Option<GeoPoint>,
}

/// Something that a rule may name by its id or by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Named<'a> {
    pub id: &'a str,
    pub name: &'a str,
}

/// The person as part of the institution that may pay.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemberFacts<'a> {
    /// Id and employee number.
    pub member: Named<'a>,
    pub department: Named<'a>,
    /// `None`: not known; an empty list: has none.
    pub labels: Option<&'a [&'a str]>,
    pub rank: &'a str,
}

/// What a person has spent within one scenario in the current local day, week, month, quarter and year.
/// Cross a border and it counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub day_minor: i64,
    pub day_count: i64,
    pub week_minor: i64,
    pub week_count: i64,
    pub month_minor: i64,
    pub month_count: i64,
    pub quarter_minor: i64,
    pub quarter_count: i64,
    pub year_minor: i64,
    pub year_count: i64,
}

/// Judges expressions of the Common Expression Language. Kept outside: this crate knows no language but its own.
pub trait Expressions: std::fmt::Debug + Sync {
    /// Whether `expression` can be used; for the moment at which somebody writes it.
    fn check(&self, expression: &str) -> Result<(), ExpressionError>;
    /// The facts it names, in their order; none where it cannot be used.
    fn facts(&self, expression: &str) -> Arc<[Fact]>;
    /// Whether `expression` holds for `input`. Bounded in time; a second call with the same text compiles nothing.
    fn holds(&self, expression: &str, input: &PolicyInput<'_>) -> Result<bool, ExpressionFault>;
}

/// Why an expression cannot be used, and where in it; `column` counts characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ExpressionError {
    pub column: usize,
    pub why: String,
}

/// Why an expression gave no answer; its condition counts as unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionFault {
    #[error("expressions are not switched on here")]
    Absent,
    #[error("does not compile")]
    Syntax,
    #[error("names something the order does not have")]
    Missing,
    #[error("does not end in true or false")]
    NotBoolean,
    #[error("could not be worked out for this order")]
    Failed,
}

impl ExpressionFault {
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::Syntax,
        Self::Missing,
        Self::NotBoolean,
        Self::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Syntax => "syntax",
            Self::Missing => "missing",
            Self::NotBoolean => "not_boolean",
            Self::Failed => "failed",
        }
    }
}

impl<'a> PolicyInput<'a> {
    /// A payment of `amount` at `local` of which nothing else is known.
    pub fn new(amount: Money, local: LocalTime) -> Self {
        Self {
            amount,
            used: Usage::default(),
            local,
            category: None,
            merchant: "",
            brand: "",
            city: "",
            ride: RideFacts::default(),
            member: MemberFacts::default(),
            calendar: WorkCalendar::PLAIN,
            expressions: None,
        }
    }

    /// City of the store, or of the ride's start.
    pub fn start_city(&self) -> &'a str {
        if self.city.is_empty() {
            self.ride.start.city
        } else {
            self.city
        }
    }
}

impl<'a> Named<'a> {
    /// Known by this one word alone.
    pub fn word(word: &'a str) -> Self {
        Self { id: word, name: "" }
    }

    /// What people read: the name, or else the id.
    pub fn shown(self) -> &'a str {
        if self.name.is_empty() { self.id } else { self.name }
    }

    pub fn is_unknown(self) -> bool {
        self.id.is_empty() && self.name.is_empty()
    }
}
