//! Counters of what a person has spent, for limits per day, week, month, quarter and year.
//!
//! A store keeps one row per whose spending counts together: `day`, `month`, and the ten numbers of [`Usage`]. Week,
//! quarter and year need no column of their own, because they follow from `day` and `month`.

use super::Usage;
use crate::calendar::{LocalTime, quarter_of_month, week_of_day, year_of_month};

/// Spending that starts again at the borders of days, weeks, months, quarters and years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// The newest local day that was counted; the week follows from it.
    pub day: i32,
    /// The newest local month; quarter and year follow from it.
    pub month: i32,
    pub used: Usage,
}

impl Counters {
    /// Nothing spent yet at `local`.
    pub fn starting(local: LocalTime) -> Self {
        Self {
            day: local.day,
            month: local.month,
            used: Usage::default(),
        }
    }

    /// The counters as they stand at `local`. A server whose clock is a little behind counts into the newer day.
    pub fn at(self, local: LocalTime) -> Self {
        let mut next = self;
        let used = &mut next.used;
        if local.day > self.day {
            next.day = local.day;
            (used.day_minor, used.day_count) = (0, 0);
            if week_of_day(local.day) > week_of_day(self.day) {
                (used.week_minor, used.week_count) = (0, 0);
            }
        }
        if local.month > self.month {
            next.month = local.month;
            (used.month_minor, used.month_count) = (0, 0);
            if quarter_of_month(local.month) > quarter_of_month(self.month) {
                (used.quarter_minor, used.quarter_count) = (0, 0);
            }
            if year_of_month(local.month) > year_of_month(self.month) {
                (used.year_minor, used.year_count) = (0, 0);
            }
        }
        next
    }

    pub fn add(&mut self, amount_minor: i64) {
        for (minor, count) in self.used.periods() {
            *minor = minor.saturating_add(amount_minor);
            *count += 1;
        }
    }

    /// Gives back what a refund (`count` 0) or an undone payment (`count` 1) of `day` and `month` took, in the periods that
    /// still run.
    pub fn give_back(&mut self, day: i32, month: i32, amount_minor: i64, count: i64) {
        let running = [
            self.day == day,
            week_of_day(self.day) == week_of_day(day),
            self.month == month,
            quarter_of_month(self.month) == quarter_of_month(month),
            year_of_month(self.month) == year_of_month(month),
        ];
        for ((spent, times), runs) in self.used.periods().into_iter().zip(running) {
            if runs {
                *spent = (*spent - amount_minor).max(0);
                *times = (*times - count).max(0);
            }
        }
    }
}

impl Usage {
    /// Amount and count of day, week, month, quarter, year.
    fn periods(&mut self) -> [(&mut i64, &mut i64); 5] {
        [
            (&mut self.day_minor, &mut self.day_count),
            (&mut self.week_minor, &mut self.week_count),
            (&mut self.month_minor, &mut self.month_count),
            (&mut self.quarter_minor, &mut self.quarter_count),
            (&mut self.year_minor, &mut self.year_count),
        ]
    }
}
