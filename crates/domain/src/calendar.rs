//! Local time as the rules see it: plain numbers that the caller worked out in the right time zone.

/// One instant in one time zone. Made outside, where time zones are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01 in the local calendar.
    pub day: i32,
    /// Months since January 1970 in the local calendar.
    pub month: i32,
    /// 1 is Monday, 7 is Sunday.
    pub weekday: u8,
    /// Minutes since local midnight, `0..1440`.
    pub minute: u16,
}
