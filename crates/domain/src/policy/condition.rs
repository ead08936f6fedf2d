//! One condition: what a dimension sees of the order, what is allowed, and whether that holds.

use std::sync::Arc;

use super::dimension::{Dimension, ValueKind};
use super::facts::values;
use super::input::{ExpressionFault, Named, PolicyInput};
use super::value::{Allowed, Seen};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    AtMost,
    AtLeast,
    In,
    NotIn,
    Holds,
}

impl Operator {
    /// In the order in which the parser tries them.
    pub const ALL: [Self; 5] = [Self::AtMost, Self::AtLeast, Self::NotIn, Self::In, Self::Holds];

    pub fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::Holds => "holds",
        }
    }

    pub fn parse(sign: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.sign() == sign)
    }
}

/// Made by the parser or by [`Condition::new`], which tie operator and value to the dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    dimension: Dimension,
    operator: Operator,
    allowed: Allowed,
}

/// Whether a condition holds. Unknown, where the order does not say, counts as not satisfied, whether asked for or excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    Holds,
    Fails,
    Unknown,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Holds, Self::Fails, Self::Unknown];

    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

impl std::ops::Not for Verdict {
    type Output = Self;

    /// The opposite of unknown is unknown.
    fn not(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// One line of a decision: what was seen, what is allowed, and whether that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    pub condition: Arc<Condition>,
    /// `None`: the order does not say.
    pub seen: Option<Seen>,
    /// Of the condition as it is written.
    pub verdict: Verdict,
    /// Whether it stands under an odd number of `not`, which asks for the opposite.
    pub negated: bool,
    /// Not satisfied, but another branch of an `any of` was, so nothing follows from it.
    pub excused: bool,
    /// For amounts and counts with an upper bound: what could still be spent now. At least 0.
    pub left: Option<i64>,
}

impl Reason {
    pub fn dimension(&self) -> Dimension {
        self.condition.dimension
    }

    pub fn operator(&self) -> Operator {
        self.condition.operator
    }

    /// Whether what is asked for, `not` included, is so.
    pub fn satisfied(&self) -> bool {
        self.asked() == Verdict::Holds
    }

    /// Whether this line is one of those that made the decision fail.
    pub fn failed(&self) -> bool {
        !self.excused && !self.satisfied()
    }

    fn asked(&self) -> Verdict {
        if self.negated { !self.verdict } else { self.verdict }
    }
}

/// A [`Reason`] with its values as text, as stores and contracts keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReasonText {
    pub dimension: Dimension,
    pub operator: Operator,
    pub seen: Option<String>,
    pub allowed: String,
    pub verdict: Verdict,
    pub negated: bool,
    pub excused: bool,
    pub left: Option<i64>,
}

impl From<&Reason> for ReasonText {
    fn from(reason: &Reason) -> Self {
        let dimension = reason.dimension();
        Self {
            dimension,
            operator: reason.operator(),
            seen: reason.seen.as_ref().map(|seen| seen.text(dimension)),
            allowed: reason.condition.allowed.text(dimension),
            verdict: reason.verdict,
            negated: reason.negated,
            excused: reason.excused,
            left: reason.left,
        }
    }
}

impl ReasonText {
    /// `None` when the texts are not values of the dimension.
    pub fn read(self) -> Option<Reason> {
        let allowed = Allowed::parse(self.dimension.row().kind, &self.allowed).ok()?;
        let seen = match self.seen {
            Some(text) => Some(Seen::parse(self.dimension, &text)?),
            None => None,
        };
        Some(Reason {
            condition: Arc::new(Condition::new(self.dimension, self.operator, allowed)?),
            seen,
            verdict: self.verdict,
            negated: self.negated,
            excused: self.excused,
            left: self.left,
        })
    }
}

/// What a dimension sees, borrowed from the input.
enum Glance<'a> {
    Number(i64),
    /// Weekday, kind of day, minute or category.
    Place(u16),
    Day(i32),
    Word(&'a str),
    Named(Named<'a>),
    List(&'a [&'a str]),
    Point(crate::geo::GeoPoint),
    Truth(bool),
}

impl Condition {
    /// `None` when operator or value do not go with the dimension.
    pub fn new(dimension: Dimension, operator: Operator, allowed: Allowed) -> Option<Self> {
        let kind = dimension.row().kind;
        let fits = kind.operators().contains(&operator) && allowed.fits(kind);
        fits.then_some(Self {
            dimension,
            operator,
            allowed,
        })
    }

    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    pub fn operator(&self) -> Operator {
        self.operator
    }

    pub fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// The upper bound, where this is one on an amount or count.
    pub(super) fn at_most(&self) -> Option<i64> {
        match (self.operator, &self.allowed) {
            (Operator::AtMost, Allowed::Number(bound)) => Some(*bound),
            _ => None,
        }
    }

    pub(super) fn verdict(&self, input: &PolicyInput<'_>) -> Verdict {
        match self.see(input) {
            Ok(Some(glance)) => self.compare(&glance, input),
            Ok(None) | Err(_) => Verdict::Unknown,
        }
    }

    pub(super) fn judge(self: &Arc<Self>, input: &PolicyInput<'_>, negated: bool) -> Reason {
        let (seen, verdict) = match self.see(input) {
            Ok(Some(Glance::Truth(truth))) => (Some(Seen::Truth(truth, self.facts(input))), Verdict::of(truth)),
            Ok(Some(glance)) => (Some(glance.keep()), self.compare(&glance, input)),
            Ok(None) => (None, Verdict::Unknown),
            Err(fault) => (Some(Seen::Fault(fault, self.facts(input))), Verdict::Unknown),
        };
        let left = match (self.at_most(), &seen) {
            (Some(bound), Some(Seen::Number(number))) => {
                let own = own_share(self.dimension, input);
                own.map(|own| bound.saturating_sub(number - own).max(0))
            }
            _ => None,
        };
        Reason {
            condition: Arc::clone(self),
            seen,
            verdict,
            negated,
            excused: false,
            left,
        }
    }

    fn compare(&self, glance: &Glance<'_>, input: &PolicyInput<'_>) -> Verdict {
        let member = match (&self.allowed, glance) {
            (Allowed::Number(bound), Glance::Number(seen)) => {
                return Verdict::of(self.compare_number(*bound, *seen, input));
            }
            (Allowed::Ranges(ranges), Glance::Place(seen)) => ranges.iter().any(|range| within(*range, *seen)),
            (Allowed::Days(ranges), Glance::Day(seen)) => {
                ranges.iter().any(|(first, last)| (first..=last).contains(&seen))
            }
            (Allowed::Words(words), Glance::Word(seen)) => words.has(seen),
            (Allowed::Words(words), Glance::Named(seen)) => words.has_named(*seen),
            (Allowed::Words(words), Glance::List(seen)) => seen.iter().any(|word| words.has(word)),
            (Allowed::Areas(areas), Glance::Point(seen)) => areas.iter().any(|area| area.contains(*seen)),
            (Allowed::Expression(_), Glance::Truth(truth)) => return Verdict::of(*truth),
            (_, _) => unreachable!("the constructor ties values to dimensions"),
        };
        Verdict::of(member == (self.operator == Operator::In))
    }

    fn compare_number(&self, bound: i64, seen: i64, input: &PolicyInput<'_>) -> bool {
        // What is shown as a share is rounded; what decides is not.
        let (seen, bound) = match (self.dimension, input.ride.fare_minor) {
            (Dimension::Share, Some(fare)) => (
                i128::from(input.amount.minor) * 100,
                i128::from(bound) * i128::from(fare),
            ),
            (_, _) => (i128::from(seen), i128::from(bound)),
        };
        if self.operator == Operator::AtLeast {
            seen >= bound
        } else {
            seen <= bound
        }
    }

    /// `None`: the order does not say.
    fn see<'a>(&self, input: &PolicyInput<'a>) -> Result<Option<Glance<'a>>, ExpressionFault> {
        let (amount, used, ride) = (input.amount.minor, &input.used, &input.ride);
        let sum = |before: i64, own: i64| Some(Glance::Number(before.saturating_add(own)));
        let word = |word: &'a str| Some(Glance::Word(word)).filter(|_| !word.is_empty());
        let named = |named: Named<'a>| Some(Glance::Named(named)).filter(|_| !named.is_unknown());
        Ok(match self.dimension {
            Dimension::Amount => sum(0, amount),
            Dimension::AmountDay => sum(used.day_minor, amount),
            Dimension::AmountWeek => sum(used.week_minor, amount),
            Dimension::AmountMonth => sum(used.month_minor, amount),
            Dimension::AmountQuarter => sum(used.quarter_minor, amount),
            Dimension::AmountYear => sum(used.year_minor, amount),
            Dimension::Share => share(amount, ride.fare_minor),
            Dimension::CountDay => sum(used.day_count, 1),
            Dimension::CountWeek => sum(used.week_count, 1),
            Dimension::CountMonth => sum(used.month_count, 1),
            Dimension::CountQuarter => sum(used.quarter_count, 1),
            Dimension::CountYear => sum(used.year_count, 1),
            Dimension::Valid => Some(Glance::Day(input.local.day)),
            Dimension::Weekday => Some(Glance::Place(u16::from(input.local.weekday()))),
            Dimension::DayKind => Some(Glance::Place(input.calendar.kind(input.local) as u16)),
            Dimension::Clock => Some(Glance::Place(input.local.minute)),
            Dimension::ClockEnd => ride.ended.map(|local| Glance::Place(local.minute)),
            Dimension::TravelType => word(ride.travel_type),
            Dimension::Line => named(ride.line),
            Dimension::Operator => named(ride.operator),
            Dimension::StartStop => named(ride.start.stop),
            Dimension::EndStop => named(ride.end.stop),
            Dimension::StartZone => word(ride.start.zone),
            Dimension::EndZone => word(ride.end.zone),
            Dimension::StartArea => ride.start.point.map(Glance::Point),
            Dimension::EndArea => ride.end.point.map(Glance::Point),
            Dimension::City => word(input.start_city()),
            Dimension::EndCity => word(ride.end.city),
            Dimension::Distance => ride.distance_m.map(Glance::Number),
            Dimension::Companions => ride.companions.map(|count| Glance::Number(i64::from(count))),
            Dimension::Decision => word(ride.decision),
            Dimension::Category => input.category.map(Glance::Place),
            Dimension::Merchant => word(input.merchant),
            Dimension::Brand => word(input.brand),
            Dimension::Member => named(input.member.member),
            Dimension::Department => named(input.member.department),
            Dimension::Label => input.member.labels.map(Glance::List),
            Dimension::Rank => word(input.member.rank),
            Dimension::Expression => Some(Glance::Truth(self.ask(input)?)),
        })
    }

    fn ask(&self, input: &PolicyInput<'_>) -> Result<bool, ExpressionFault> {
        let Allowed::Expression(source) = &self.allowed else {
            unreachable!("the constructor ties values to dimensions")
        };
        let judge = input.expressions.ok_or(ExpressionFault::Absent)?;
        judge.holds(source, input)
    }

    /// What an expression saw.
    fn facts(&self, input: &PolicyInput<'_>) -> Box<str> {
        match (&self.allowed, input.expressions) {
            (Allowed::Expression(source), Some(judge)) => values(&judge.facts(source), input),
            (_, _) => Box::default(),
        }
    }
}

/// Whole percent, rounded up; unknown where the fare is unknown or nothing.
fn share<'a>(amount: i64, fare: Option<i64>) -> Option<Glance<'a>> {
    let fare = i128::from(fare.filter(|fare| *fare > 0)?);
    let percent = (i128::from(amount) * 100 + fare - 1).div_euclid(fare);
    Some(Glance::Number(i64::try_from(percent).unwrap_or(i64::MAX)))
}

/// What this payment itself adds to the number the dimension sees; `None` where "what is left" means nothing.
fn own_share(dimension: Dimension, input: &PolicyInput<'_>) -> Option<i64> {
    match dimension.row().kind {
        ValueKind::Amount => Some(input.amount.minor),
        ValueKind::Count if dimension != Dimension::Companions => Some(1),
        _ => None,
    }
}

impl Glance<'_> {
    fn keep(&self) -> Seen {
        match self {
            Self::Number(number) => Seen::Number(*number),
            Self::Place(place) => Seen::Place(*place),
            Self::Day(day) => Seen::Day(*day),
            Self::Word(word) => Seen::Word((*word).into()),
            Self::Named(named) => Seen::Word(named.shown().into()),
            Self::List(words) => Seen::Words(words.iter().map(|word| Box::from(*word)).collect()),
            Self::Point(point) => Seen::Point(*point),
            Self::Truth(truth) => Seen::Truth(*truth, Box::default()),
        }
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
