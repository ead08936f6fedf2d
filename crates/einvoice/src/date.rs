//! Calendar days and times of the day as they stand on a document. No clock and no time zone rules.

use std::fmt;

/// A day of the Gregorian calendar, year 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// Both days belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub first_on: Date,
    pub last_on: Date,
}

/// A minute on a clock at some place, with that place's distance from UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalMinute {
    pub date: Date,
    hour: u8,
    minute: u8,
    offset_minutes: i16,
}

impl Date {
    /// `None` for a day that does not exist.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let exists = (1..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in(year, month);
        exists.then_some(Self { year, month, day })
    }

    /// `2026-11-23`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let mut number = |length: usize| {
            let part = parts.next()?;
            let is_number = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| part.parse::<u16>().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        Self::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }

    pub fn year(self) -> u16 {
        self.year
    }

    pub fn month(self) -> u8 {
        self.month
    }

    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01; negative before.
    pub fn days_since_1970(self) -> i64 {
        let whole_years = i64::from(self.year) - 1;
        let leap_days = whole_years / 4 - whole_years / 100 + whole_years / 400;
        let days_of_months: i64 = (1..self.month).map(|month| i64::from(days_in(self.year, month))).sum();
        const DAYS_BEFORE_1970: i64 = 719_162;
        whole_years * 365 + leap_days + days_of_months + i64::from(self.day) - 1 - DAYS_BEFORE_1970
    }
}

fn days_in(year: u16, month: u8) -> u8 {
    let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl LocalMinute {
    /// `offset_minutes`: minutes east of UTC, at most 14 hours either way. `None` for a time that does not exist.
    pub fn new(date: Date, hour: u8, minute: u8, offset_minutes: i16) -> Option<Self> {
        let exists = hour < 24 && minute < 60 && offset_minutes.abs() <= 14 * 60;
        exists.then_some(Self {
            date,
            hour,
            minute,
            offset_minutes,
        })
    }

    /// `08:05`.
    pub fn clock(self) -> String {
        format!("{:02}:{:02}", self.hour, self.minute)
    }

    /// For comparing minutes of different places.
    pub fn minutes_since_1970(self) -> i64 {
        let minute_of_day = i64::from(self.hour) * 60 + i64::from(self.minute);
        self.date.days_since_1970() * 24 * 60 + minute_of_day - i64::from(self.offset_minutes)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// ISO 8601 with the distance from UTC: `2026-11-23T08:05+08:00`.
impl fmt::Display for LocalMinute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        let offset = self.offset_minutes.unsigned_abs();
        let (hours, minutes) = (offset / 60, offset % 60);
        write!(formatter, "{}T{}{sign}{hours:02}:{minutes:02}", self.date, self.clock())
    }
}

impl fmt::Debug for LocalMinute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist() {
        for text in ["2024-02-29", "2000-02-29", "2026-12-31", "0001-01-01"] {
            assert_eq!(Date::parse(text).map(|date| date.to_string()).as_deref(), Some(text));
        }
        for text in [
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-1-1",
            "20261123",
            "2026-11-31",
            "",
            "+026-01-01",
        ] {
            assert_eq!(Date::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_counted_from_1970() {
        let days = |text| Date::parse(text).unwrap().days_since_1970();
        assert_eq!(days("1970-01-01"), 0);
        assert_eq!(days("1969-12-31"), -1);
        assert_eq!(days("2000-03-01"), 11_017);
        assert_eq!(days("2026-11-23"), 20_780);
    }

    #[test]
    fn minutes_of_two_places_compare() {
        let date = Date::new(2026, 11, 23).unwrap();
        let shanghai = LocalMinute::new(date, 8, 5, 480).unwrap();
        let berlin = LocalMinute::new(date, 1, 5, 60).unwrap();
        assert_eq!(shanghai.minutes_since_1970(), berlin.minutes_since_1970());
        assert_eq!(shanghai.to_string(), "2026-11-23T08:05+08:00");
        let west = LocalMinute::new(date, 8, 5, -210).unwrap();
        assert_eq!(west.to_string(), "2026-11-23T08:05-03:30");
        assert_eq!(LocalMinute::new(date, 24, 0, 0), None);
    }
}
