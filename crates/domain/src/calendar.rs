//! Local time as the rules see it: plain numbers that the caller worked out in the right time zone, and the kinds of days.

use std::fmt;

/// One instant in one time zone. Made outside, where time zones are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01 in the local calendar.
    pub day: i32,
    /// Months since January 1970 in the local calendar.
    pub month: i32,
    /// Minutes since local midnight, `0..1440`.
    pub minute: u16,
}

impl LocalTime {
    /// 1 is Monday, 7 is Sunday.
    pub fn weekday(&self) -> u8 {
        weekday_of_day(self.day)
    }
}

/// Weeks from Monday on; week 0 has the first of January 1970, a Thursday.
pub fn week_of_day(day: i32) -> i32 {
    (day + 3).div_euclid(7)
}

pub fn quarter_of_month(month: i32) -> i32 {
    month.div_euclid(3)
}

/// Years since 1970.
pub fn year_of_month(month: i32) -> i32 {
    month.div_euclid(12)
}

/// 1 is Monday, 7 is Sunday.
pub fn weekday_of_day(day: i32) -> u8 {
    (day + 3).rem_euclid(7) as u8 + 1
}

/// A date of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

impl Date {
    /// `None` for a date that does not exist. `year`: 1 to 9999.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let fits =
            (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        fits.then_some(Self { year, month, day })
    }

    /// Reads `2026-10-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let mut parts = plain.then(|| text.splitn(3, '-'))?;
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    /// Reads `20261001`, as transit feeds write it.
    pub fn parse_compact(text: &str) -> Option<Self> {
        let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let part = |range| text.get(range).filter(|_| plain);
        Self::new(
            part(0..4)?.parse().ok()?,
            part(4..6)?.parse().ok()?,
            part(6..8)?.parse().ok()?,
        )
    }

    pub fn year(self) -> i32 {
        self.year
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// Of the month, from 1.
    pub fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01.
    pub fn days(self) -> i32 {
        let before = self.year - 1;
        let leap_days = before / 4 - before / 100 + before / 400;
        let months = (1..self.month).map(|month| i32::from(days_in_month(self.year, month)));
        // 719,162 days lie between 0001-01-01 and 1970-01-01.
        before * 365 + leap_days + months.sum::<i32>() + i32::from(self.day) - 1 - 719_162
    }

    /// The date of [`Self::days`]; `None` outside the years 1 to 9999.
    pub fn of_days(days: i32) -> Option<Self> {
        // A year is 365.2425 days on average; the guess is at most one off.
        let mut year = (i64::from(days) * 400).div_euclid(146_097) as i32 + 1970;
        let first = |year| Self::new(year, 1, 1).map(Self::days);
        if first(year)? > days {
            year -= 1;
        } else if first(year + 1).is_some_and(|next| next <= days) {
            year += 1;
        }
        let mut rest = days - first(year)?;
        for month in 1..=12 {
            let length = i32::from(days_in_month(year, month));
            if rest < length {
                return Self::new(year, month, rest as u8 + 1);
            }
            rest -= length;
        }
        None
    }
}

fn days_in_month(year: i32, month: u8) -> u8 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DayKind {
    Workday,
    Weekend,
    Holiday,
}

impl DayKind {
    pub const ALL: [Self; 3] = [Self::Workday, Self::Weekend, Self::Holiday];

    pub fn name(self) -> &'static str {
        match self {
            Self::Workday => "workday",
            Self::Weekend => "weekend",
            Self::Holiday => "holiday",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }
}

/// Days that differ from their weekday: days off in the week, and weekend days that are worked.
///
/// Written one a line, `DATE,KIND,NAME` or `DATE..DATE,KIND,NAME`: `2026-10-01..2026-10-07,holiday,National Day`.
/// Every other day is a workday from Monday to Friday and a weekend day on Saturday and Sunday.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkCalendar {
    days: Vec<SpecialDay>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialDay {
    /// Days since 1970-01-01.
    pub day: i32,
    pub kind: DayKind,
    pub name: String,
}

/// Why a line is not a special day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    #[error("line {line}: expected `date,kind,name`, such as `2026-10-01,holiday,National Day`")]
    Shape { line: usize },
    #[error("line {line}: {part:?} is not a date or range of dates, such as 2026-10-01..2026-10-07")]
    Date { line: usize, part: String },
    #[error("line {line}: {part:?} is not a kind of day; known are workday, weekend, holiday")]
    Kind { line: usize, part: String },
    #[error("line {line}: {date} is listed twice", date = date_text(*.day))]
    Twice { line: usize, day: i32 },
    #[error("line {line}: a range or calendar has at most {DAYS_MAX} days")]
    TooLong { line: usize },
}

/// Most special days of one calendar: ten years of every day.
pub const DAYS_MAX: usize = 3_660;

/// Days off and make-up workdays of 2026 as China's State Council announced them: an example to start from.
pub const CHINA_2026: &str = "\
2026-01-01..2026-01-03,holiday,元旦
2026-01-04,workday,元旦调休
2026-02-14,workday,春节调休
2026-02-15..2026-02-23,holiday,春节
2026-02-28,workday,春节调休
2026-04-04..2026-04-06,holiday,清明节
2026-05-01..2026-05-05,holiday,劳动节
2026-05-09,workday,劳动节调休
2026-06-19..2026-06-21,holiday,端午节
2026-09-20,workday,国庆节调休
2026-09-25..2026-09-27,holiday,中秋节
2026-10-01..2026-10-07,holiday,国庆节
2026-10-10,workday,国庆节调休
";

impl WorkCalendar {
    /// Monday to Friday are worked, nothing else is known: what holds where nobody entered a calendar.
    pub const PLAIN: &'static Self = &Self { days: Vec::new() };

    /// Reads lines as above; a first line `date,kind,name` and empty lines are skipped, spaces around parts are cut off.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let mut days: Vec<SpecialDay> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() || (number == 0 && line.starts_with("date,")) {
                continue;
            }
            let mut entries = parse_days(line, number + 1)?;
            days.append(&mut entries);
            if days.len() > DAYS_MAX {
                return Err(CalendarError::TooLong { line: number + 1 });
            }
            days.sort_by_key(|special| special.day);
            if let Some(pair) = days.windows(2).find(|pair| pair[0].day == pair[1].day) {
                let day = pair[0].day;
                return Err(CalendarError::Twice { line: number + 1, day });
            }
        }
        Ok(Self { days })
    }

    pub fn days(&self) -> &[SpecialDay] {
        &self.days
    }

    /// Makes `day` what `special` says, or, with `None`, an ordinary day again.
    pub fn set(&mut self, day: i32, special: Option<(DayKind, String)>) {
        self.days.retain(|known| known.day != day);
        if let Some((kind, name)) = special {
            let place = self.days.partition_point(|known| known.day < day);
            self.days.insert(place, SpecialDay { day, kind, name });
        }
    }

    /// The same calendar for these days alone: small enough to travel with one order.
    #[must_use]
    pub fn about(&self, days: &[i32]) -> Self {
        let mut wanted = days.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        let found = wanted
            .iter()
            .filter_map(|day| self.days.binary_search_by_key(day, |special| special.day).ok());
        let days = found.map(|place| self.days[place].clone()).collect();
        Self { days }
    }

    pub fn kind(&self, local: LocalTime) -> DayKind {
        let found = self.days.binary_search_by_key(&local.day, |special| special.day);
        match found {
            Ok(place) => self.days[place].kind,
            Err(_) if local.weekday() <= 5 => DayKind::Workday,
            Err(_) => DayKind::Weekend,
        }
    }
}

fn parse_days(line: &str, number: usize) -> Result<Vec<SpecialDay>, CalendarError> {
    let mut parts = line.splitn(3, ',').map(str::trim);
    let (Some(dates), Some(kind)) = (parts.next(), parts.next()) else {
        return Err(CalendarError::Shape { line: number });
    };
    let name = parts.next().unwrap_or_default().trim_matches('"').to_owned();
    let bad_date = || CalendarError::Date {
        line: number,
        part: dates.to_owned(),
    };
    let (first, last) = dates.split_once("..").unwrap_or((dates, dates));
    let day = |text: &str| Date::parse(text.trim()).map(Date::days).ok_or_else(bad_date);
    let (first, last) = (day(first)?, day(last)?);
    if first > last {
        return Err(bad_date());
    }
    if last - first >= DAYS_MAX as i32 {
        return Err(CalendarError::TooLong { line: number });
    }
    let known = DayKind::parse(kind).ok_or_else(|| CalendarError::Kind {
        line: number,
        part: kind.to_owned(),
    })?;
    let special = |day| SpecialDay {
        day,
        kind: known,
        name: name.clone(),
    };
    Ok((first..=last).map(special).collect())
}

fn date_text(day: i32) -> String {
    Date::of_days(day).map_or_else(|| format!("day {day}"), |date| date.to_string())
}

impl fmt::Display for WorkCalendar {
    /// Days that follow each other with the same kind and name become one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let together = |a: &SpecialDay, b: &SpecialDay| a.day + 1 == b.day && a.kind == b.kind && a.name == b.name;
        for run in self.days.chunk_by(together) {
            let (first, last) = (&run[0], &run[run.len() - 1]);
            write!(f, "{}", date_text(first.day))?;
            if last.day > first.day {
                write!(f, "..{}", date_text(last.day))?;
            }
            writeln!(f, ",{},{}", first.kind.name(), first.name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_the_same_thing() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2026-11-25", 20_782),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            let date = Date::parse(text).unwrap();
            assert_eq!(date.days(), days, "{text}");
            assert_eq!(Date::of_days(days).unwrap().to_string(), text);
        }
        for days in -800_000..60_000 {
            assert!(Date::of_days(days).is_none_or(|date| date.days() == days), "{days}");
        }
        for odd in [
            "2026-02-29",
            "2026-13-01",
            "2026-1-1",
            "2026-00-10",
            "+026-01-01",
            "2026/01/01",
        ] {
            assert_eq!(Date::parse(odd), None, "{odd}");
        }
        assert_eq!(weekday_of_day(20_782), 3);
        assert_eq!((week_of_day(3), week_of_day(4), week_of_day(-4)), (0, 1, -1));
    }

    #[test]
    fn make_up_workdays_are_worked_and_holidays_are_not() {
        let calendar = WorkCalendar::parse(CHINA_2026).unwrap();
        let kind = |text: &str| {
            let day = Date::parse(text).unwrap().days();
            calendar.kind(LocalTime {
                day,
                month: 0,
                minute: 0,
            })
        };
        assert_eq!(kind("2026-10-01"), DayKind::Holiday);
        assert_eq!(kind("2026-10-08"), DayKind::Workday);
        assert_eq!(kind("2026-10-10"), DayKind::Workday);
        assert_eq!(kind("2026-10-11"), DayKind::Weekend);
        assert_eq!(kind("2026-02-28"), DayKind::Workday);
        assert_eq!(calendar.days().len(), 33 + 6);
        assert_eq!(calendar.to_string(), CHINA_2026);
    }

    #[test]
    fn wrong_lines_of_a_calendar_are_named() {
        let message = |text: &str| WorkCalendar::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("date,kind,name\n2026-10-01"),
            "line 2: expected `date,kind,name`, such as `2026-10-01,holiday,National Day`"
        );
        assert!(message("2026-10-32,holiday,x").starts_with("line 1: \"2026-10-32\" is not a date"));
        assert!(message("2026-10-07..2026-10-01,holiday,x").starts_with("line 1: \"2026-10-07..2026-10-01\""));
        assert!(message("2026-10-01,off,x").starts_with("line 1: \"off\" is not a kind of day"));
        assert_eq!(
            message("2026-10-01..2026-10-03,holiday,a\n2026-10-02,workday,b"),
            "line 2: 2026-10-02 is listed twice"
        );
        assert!(message("0001-01-01..9999-12-31,holiday,x").starts_with("line 1: a range"));
    }

    #[test]
    fn one_day_is_changed_and_changed_back() {
        let mut calendar = WorkCalendar::parse("2026-10-01,holiday,a\n").unwrap();
        calendar.set(20_727, Some((DayKind::Workday, "b".to_owned())));
        calendar.set(20_700, Some((DayKind::Holiday, "c".to_owned())));
        assert_eq!(calendar.to_string(), "2026-09-04,holiday,c\n2026-10-01,workday,b\n");
        calendar.set(20_727, None);
        assert_eq!(calendar.to_string(), "2026-09-04,holiday,c\n");
    }
}
