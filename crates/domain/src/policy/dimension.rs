//! The table of everything a rule can look at. It feeds the parser, the pages, the API and the documentation.

use super::Operator;

/// What a condition looks at. One row of [`DIMENSIONS`] each, in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    Amount,
    AmountDay,
    AmountWeek,
    AmountMonth,
    AmountQuarter,
    AmountYear,
    Share,
    CountDay,
    CountWeek,
    CountMonth,
    CountQuarter,
    CountYear,
    Valid,
    Weekday,
    DayKind,
    Clock,
    ClockEnd,
    TravelType,
    Line,
    Operator,
    StartStop,
    EndStop,
    StartZone,
    EndZone,
    StartArea,
    EndArea,
    City,
    EndCity,
    Distance,
    Companions,
    Decision,
    Category,
    Merchant,
    Brand,
    Member,
    Department,
    Label,
    Rank,
    Expression,
}

/// How a condition's value is written and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// Minor units; `<=` and `>=`.
    Amount,
    /// A whole number; `<=` and `>=`.
    Count,
    /// Whole hundredths, `80` for four fifths; `<=` and `>=`.
    Percent,
    /// Whole metres; `<=` and `>=`.
    Metres,
    /// Dates `2026-01-01..2026-12-31`, both included, the last may be left out; `in` and `not in`.
    Dates,
    /// A list of weekdays, `mon` to `sun`; `in` and `not in`.
    Weekdays,
    /// A list of `workday`, `weekend`, `holiday`; `in` and `not in`.
    DayKinds,
    /// Clock ranges `08:00-20:00`, also over midnight; `in` and `not in`.
    ClockRanges,
    /// A list of four-digit categories and ranges; `in` and `not in`.
    Categories,
    /// A list of words; `in` and `not in`.
    Words,
    /// `circle(LAT LON METRES)` and `polygon(LAT LON, LAT LON, …)`; `in` and `not in`.
    Areas,
    /// A condition in the Common Expression Language; `holds`.
    Expression,
}

/// A dimension's row: what it reads of the order, how its values are written, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct DimensionRow {
    pub dimension: Dimension,
    pub name: &'static str,
    pub kind: ValueKind,
    /// The data of the order that it reads; without it the verdict is `unknown`.
    pub reads: &'static str,
    pub help: &'static str,
    pub example: &'static str,
}

/// Every dimension there is.
pub const DIMENSIONS: &[DimensionRow] = &[
    row(
        Dimension::Amount,
        "amount",
        ValueKind::Amount,
        "amount",
        "amount of one payment or ride, in minor units",
        "amount <= 5000",
    ),
    row(
        Dimension::AmountDay,
        "amount_day",
        ValueKind::Amount,
        "amount, counters",
        "amount per person and local day, this payment included",
        "amount_day <= 10000",
    ),
    row(
        Dimension::AmountWeek,
        "amount_week",
        ValueKind::Amount,
        "amount, counters",
        "amount per person and local week from Monday, this payment included",
        "amount_week <= 20000",
    ),
    row(
        Dimension::AmountMonth,
        "amount_month",
        ValueKind::Amount,
        "amount, counters",
        "amount per person and local month, this payment included",
        "amount_month <= 50000",
    ),
    row(
        Dimension::AmountQuarter,
        "amount_quarter",
        ValueKind::Amount,
        "amount, counters",
        "amount per person and local quarter, this payment included",
        "amount_quarter <= 120000",
    ),
    row(
        Dimension::AmountYear,
        "amount_year",
        ValueKind::Amount,
        "amount, counters",
        "amount per person and local year, this payment included",
        "amount_year <= 400000",
    ),
    row(
        Dimension::Share,
        "share",
        ValueKind::Percent,
        "amount, fare",
        "share of the whole fare that the institution is asked for, in percent",
        "share <= 80",
    ),
    row(
        Dimension::CountDay,
        "count_day",
        ValueKind::Count,
        "counters",
        "payments per person and local day, this one included",
        "count_day <= 4",
    ),
    row(
        Dimension::CountWeek,
        "count_week",
        ValueKind::Count,
        "counters",
        "payments per person and local week from Monday, this one included",
        "count_week <= 12",
    ),
    row(
        Dimension::CountMonth,
        "count_month",
        ValueKind::Count,
        "counters",
        "payments per person and local month, this one included",
        "count_month <= 44",
    ),
    row(
        Dimension::CountQuarter,
        "count_quarter",
        ValueKind::Count,
        "counters",
        "payments per person and local quarter, this one included",
        "count_quarter <= 120",
    ),
    row(
        Dimension::CountYear,
        "count_year",
        ValueKind::Count,
        "counters",
        "payments per person and local year, this one included",
        "count_year <= 400",
    ),
    row(
        Dimension::Valid,
        "valid",
        ValueKind::Dates,
        "time",
        "local date of the payment or of the ride's start",
        "valid in 2026-01-01..2026-12-31",
    ),
    row(
        Dimension::Weekday,
        "weekday",
        ValueKind::Weekdays,
        "time",
        "local weekday of the payment or of the ride's start",
        "weekday in mon-fri",
    ),
    row(
        Dimension::DayKind,
        "day_kind",
        ValueKind::DayKinds,
        "time, the institution's calendar of days off",
        "workday, weekend or holiday; make-up workdays are workdays",
        "day_kind in workday",
    ),
    row(
        Dimension::Clock,
        "clock",
        ValueKind::ClockRanges,
        "time",
        "local time of day of the payment or of the ride's start",
        "clock in 06:00-22:00",
    ),
    row(
        Dimension::ClockEnd,
        "clock_end",
        ValueKind::ClockRanges,
        "end time of the ride",
        "local time of day at which the ride ended",
        "clock_end in 06:00-01:00",
    ),
    row(
        Dimension::TravelType,
        "travel_type",
        ValueKind::Words,
        "travel type of the order",
        "kind of travel, such as metro, bus or taxi",
        "travel_type in metro,bus",
    ),
    row(
        Dimension::Line,
        "line",
        ValueKind::Words,
        "line of the ride",
        "line, by id or name",
        "line in M1,M2",
    ),
    row(
        Dimension::Operator,
        "operator",
        ValueKind::Words,
        "ride provider",
        "who carried the rider, by id or name",
        "operator not in Night Bus",
    ),
    row(
        Dimension::StartStop,
        "start_stop",
        ValueKind::Words,
        "start of the ride",
        "station or place where the ride starts, by id or name",
        "start_stop in Harbour,Airport",
    ),
    row(
        Dimension::EndStop,
        "end_stop",
        ValueKind::Words,
        "end of the ride",
        "station or place where the ride ends, by id or name",
        "end_stop in Harbour,Airport",
    ),
    row(
        Dimension::StartZone,
        "start_zone",
        ValueKind::Words,
        "fare zone of the start",
        "fare zone in which the ride starts",
        "start_zone in A,B",
    ),
    row(
        Dimension::EndZone,
        "end_zone",
        ValueKind::Words,
        "fare zone of the end",
        "fare zone in which the ride ends",
        "end_zone in A,B",
    ),
    row(
        Dimension::StartArea,
        "start_area",
        ValueKind::Areas,
        "position of the start",
        "where the ride starts, within circles or polygons",
        "start_area in circle(36.559491 139.899640 800)",
    ),
    row(
        Dimension::EndArea,
        "end_area",
        ValueKind::Areas,
        "position of the end",
        "where the ride ends, within circles or polygons",
        "end_area in circle(36.559491 139.899640 800)",
    ),
    row(
        Dimension::City,
        "city",
        ValueKind::Words,
        "city of the store, or of the ride's start",
        "city of the merchant's store, or where the ride starts",
        "city in Utsunomiya,Haga",
    ),
    row(
        Dimension::EndCity,
        "end_city",
        ValueKind::Words,
        "city of the ride's end",
        "city where the ride ends",
        "end_city in Utsunomiya,Haga",
    ),
    row(
        Dimension::Distance,
        "distance",
        ValueKind::Metres,
        "distance of the ride",
        "distance of the ride, in metres",
        "distance <= 30000",
    ),
    row(
        Dimension::Companions,
        "companions",
        ValueKind::Count,
        "companions",
        "how many ride along, the person not counted",
        "companions <= 3",
    ),
    row(
        Dimension::Decision,
        "decision",
        ValueKind::Words,
        "answer of the institution's own system",
        "what the institution's own system answered when it was asked: approve or refuse",
        "decision in approve",
    ),
    row(
        Dimension::Category,
        "category",
        ValueKind::Categories,
        "merchant category",
        "merchant category code (ISO 18245)",
        "category in 4111,4121",
    ),
    row(
        Dimension::Merchant,
        "merchant",
        ValueKind::Words,
        "merchant",
        "merchant id",
        "merchant in mer_01j00000000000000000000000",
    ),
    row(
        Dimension::Brand,
        "brand",
        ValueKind::Words,
        "brand of the merchant",
        "brand of the merchant",
        "brand in Kaffeehaus",
    ),
    row(
        Dimension::Member,
        "member",
        ValueKind::Words,
        "membership",
        "member, by id or employee number",
        "member in E-1001,E-1002",
    ),
    row(
        Dimension::Department,
        "department",
        ValueKind::Words,
        "membership",
        "department of the member, by id or name",
        "department in Sales",
    ),
    row(
        Dimension::Label,
        "label",
        ValueKind::Words,
        "membership",
        "any of the member's labels",
        "label not in intern",
    ),
    row(
        Dimension::Rank,
        "rank",
        ValueKind::Words,
        "membership",
        "rank of the member",
        "rank in director,manager",
    ),
    row(
        Dimension::Expression,
        "expression",
        ValueKind::Expression,
        "whatever the expression names",
        "a condition in the Common Expression Language over the facts of the order",
        "expression holds amount <= 500 || (city == \"Haga\" && companions >= 1)",
    ),
];

const fn row(
    dimension: Dimension,
    name: &'static str,
    kind: ValueKind,
    reads: &'static str,
    help: &'static str,
    example: &'static str,
) -> DimensionRow {
    DimensionRow {
        dimension,
        name,
        kind,
        reads,
        help,
        example,
    }
}

impl Dimension {
    pub fn row(self) -> &'static DimensionRow {
        &DIMENSIONS[self as usize]
    }

    pub fn name(self) -> &'static str {
        self.row().name
    }

    pub fn parse(name: &str) -> Option<Self> {
        let row = DIMENSIONS.iter().find(|row| row.name == name)?;
        Some(row.dimension)
    }

    /// One bit of a set of dimensions.
    pub(super) fn bit(self) -> u64 {
        1 << self as u32
    }
}

impl ValueKind {
    /// As the API names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Count => "count",
            Self::Percent => "percent",
            Self::Metres => "metres",
            Self::Dates => "dates",
            Self::Weekdays => "weekdays",
            Self::DayKinds => "day_kinds",
            Self::ClockRanges => "clock_ranges",
            Self::Categories => "categories",
            Self::Words => "words",
            Self::Areas => "areas",
            Self::Expression => "expression",
        }
    }

    /// How a value is written, for the message about one that is not.
    pub fn form(self) -> &'static str {
        match self {
            Self::Amount => "a whole number of minor units, such as 5000",
            Self::Count => "a whole number, such as 4",
            Self::Percent => "a whole number from 0 to 100",
            Self::Metres => "a whole number of metres, such as 30000",
            Self::Dates => "dates such as 2026-01-01..2026-12-31",
            Self::Weekdays => "weekdays such as mon-fri,sun",
            Self::DayKinds => "a list of workday, weekend, holiday",
            Self::ClockRanges => "clock ranges such as 06:00-22:00",
            Self::Categories => "four-digit categories such as 4111,5811-5814",
            Self::Words => "words with commas between them",
            Self::Areas => "circle(LAT LON METRES) or polygon(LAT LON, LAT LON, LAT LON)",
            Self::Expression => "an expression of at most 500 characters on one line",
        }
    }

    pub fn operators(self) -> &'static [Operator] {
        match self {
            Self::Amount | Self::Count | Self::Percent | Self::Metres => &[Operator::AtMost, Operator::AtLeast],
            Self::Expression => &[Operator::Holds],
            Self::Dates
            | Self::Weekdays
            | Self::DayKinds
            | Self::ClockRanges
            | Self::Categories
            | Self::Words
            | Self::Areas => &[Operator::In, Operator::NotIn],
        }
    }
}
