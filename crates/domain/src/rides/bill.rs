//! Bills of a period: every ride an institution paid with one provider, in exactly one of them. Row R09.
//!
//! A bill takes each paid ride that began before the period's end and is in no bill yet: a ride that became known after
//! its period was closed goes into the next one. What was refunded before is not charged; what is refunded later is credited in a
//! later bill, as far as that bill's rides cover it, so that no bill is negative. Where no later bill follows, a credit note of
//! the bill takes the refunds of its rides.

use crate::calendar::{Date, week_of_day};
use crate::ids::{BillId, InstitutionId, MerchantId, ProfileId};
use crate::money::{Currency, Money};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodKind {
    Day,
    /// From Monday on.
    Week,
    Month,
    /// Dates of the institution's choice.
    Own,
}

impl PeriodKind {
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Own];

    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Own => "own",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Days of the institution's calendar, the last one not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillPeriod {
    kind: PeriodKind,
    first_on: Date,
    until_on: Date,
}

impl BillPeriod {
    /// The day, week or month in which `date` lies; `None` for own dates and at the calendar's ends.
    pub fn containing(kind: PeriodKind, date: Date) -> Option<Self> {
        let (first_on, until_on) = match kind {
            PeriodKind::Day => (date, Date::of_days(date.days() + 1)?),
            PeriodKind::Week => {
                let monday = week_of_day(date.days()) * 7 - 3;
                (Date::of_days(monday)?, Date::of_days(monday + 7)?)
            }
            PeriodKind::Month => (first_of_month(date, 0)?, first_of_month(date, 1)?),
            PeriodKind::Own => return None,
        };
        Some(Self {
            kind,
            first_on,
            until_on,
        })
    }

    /// `None` unless at least one day lies between.
    pub fn own(first_on: Date, until_on: Date) -> Option<Self> {
        (first_on < until_on).then_some(Self {
            kind: PeriodKind::Own,
            first_on,
            until_on,
        })
    }

    /// As the store kept it.
    pub fn kept(kind: PeriodKind, first_on: Date, until_on: Date) -> Option<Self> {
        Self::own(first_on, until_on).map(|period| Self { kind, ..period })
    }

    /// The one that ends where this one begins; `None` for own dates.
    pub fn before(self) -> Option<Self> {
        Self::containing(self.kind, Date::of_days(self.first_on.days() - 1)?)
    }

    pub fn kind(self) -> PeriodKind {
        self.kind
    }

    pub fn first_on(self) -> Date {
        self.first_on
    }

    /// The day after the last one.
    pub fn until_on(self) -> Date {
        self.until_on
    }
}

/// The first of the month `later` months after that of `date`.
fn first_of_month(date: Date, later: i32) -> Option<Date> {
    let months = date.year() * 12 + i32::from(date.month()) - 1 + later;
    Date::new(months.div_euclid(12), months.rem_euclid(12) as u8 + 1, 1)
}

/// Longest time after a period's end at which it closes by itself: 31 days.
pub const GRACE_HOURS_MAX: i64 = 31 * 24;

/// When a closed bill goes to the provider's invoice interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueWhen {
    AtOnce,
    ByHand,
}

impl IssueWhen {
    pub fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "at_once",
            Self::ByHand => "by_hand",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::AtOnce, Self::ByHand]
            .into_iter()
            .find(|when| when.name() == name)
    }
}

/// All rides of a period as one total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// In the institution's bucket.
    pub id: BillId,
    pub institution: InstitutionId,
    pub provider: MerchantId,
    pub currency: Currency,
    pub period: BillPeriod,
    /// Of a credit note: the bill whose invoice it corrects and whose period it has. It has no rides of its own.
    pub corrects: Option<BillId>,
    /// The period's first instant in the institution's time zone. Rides before it are late ones.
    pub from_at: i64,
    /// The first instant after it.
    pub until_at: i64,
    pub issue: IssueWhen,
    pub state: BillState,
    pub tally: BillTally,
    /// When the close was asked for; rides known later go into the next bill.
    pub created_at: i64,
    pub closed_at: Option<i64>,
    /// What the document is made of, fixed before the issuer is asked.
    pub document: Option<BillDocument>,
    pub changed_at: i64,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BillState {
    /// Its rides are being gathered.
    Closing,
    /// Nothing in it changes any more.
    Closed,
    Issuing,
    Issued {
        number: String,
        at: i64,
    },
    /// Not issued; nothing is lost, and issuing can be repeated.
    Failed {
        problem: String,
    },
}

impl BillState {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Issuing => "issuing",
            Self::Issued { .. } => "issued",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What is in a bill so far; minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BillTally {
    /// Rides that waited when the close was asked for.
    pub expected: i64,
    pub rides: i64,
    /// What the institution paid for them, less what it had got back.
    pub charged_minor: i64,
    /// Refunds of rides in earlier bills.
    pub credits: i64,
    pub credited_minor: i64,
}

impl BillTally {
    /// What is invoiced. Negative: what a credit note gives back.
    pub fn total_minor(&self) -> i64 {
        self.charged_minor - self.credited_minor
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BillDocument {
    pub issued_on: Date,
    /// Of the provider's tax set-up.
    pub setup_version: i64,
    /// The institution's invoice profile.
    pub profile: ProfileId,
}

impl Bill {
    pub fn total(&self) -> Money {
        Money::new(self.tally.total_minor(), self.currency)
    }

    /// Where it stands when everything is gathered. Without anything to pay or to give back there is nothing to issue.
    pub fn after_gathering(&self) -> BillState {
        match self.issue {
            IssueWhen::AtOnce if self.tally.total_minor() != 0 => BillState::Issuing,
            IssueWhen::AtOnce | IssueWhen::ByHand => BillState::Closed,
        }
    }
}

/// How much of each open refund a bill takes that has `room_minor` left; in order, none more than is open.
pub fn credits(open_minor: &[i64], room_minor: i64) -> Vec<i64> {
    let mut room = room_minor.max(0);
    let take = |open: &i64| {
        let taken = (*open).clamp(0, room);
        room -= taken;
        taken
    };
    open_minor.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dated(kind: PeriodKind, date: &str) -> String {
        let period = BillPeriod::containing(kind, Date::parse(date).unwrap()).unwrap();
        format!("{} {}", period.first_on(), period.until_on())
    }

    #[test]
    fn r09_periods_begin_on_mondays_and_firsts() {
        assert_eq!(dated(PeriodKind::Day, "2026-12-31"), "2026-12-31 2027-01-01");
        assert_eq!(dated(PeriodKind::Week, "2026-11-25"), "2026-11-23 2026-11-30");
        assert_eq!(dated(PeriodKind::Week, "2026-11-23"), "2026-11-23 2026-11-30");
        assert_eq!(dated(PeriodKind::Month, "2028-02-29"), "2028-02-01 2028-03-01");
        assert_eq!(dated(PeriodKind::Month, "2026-12-01"), "2026-12-01 2027-01-01");
        let date = Date::parse("2026-11-25").unwrap();
        assert_eq!(BillPeriod::containing(PeriodKind::Own, date), None);
        assert_eq!(BillPeriod::own(date, date), None);
    }

    proptest! {
        /// Every day lies in one period, and each period begins where the one before ends.
        #[test]
        fn r09_periods_leave_no_day_out_and_none_twice(days in -700_000..2_900_000_i32, kind in 0..3_usize) {
            let kind = PeriodKind::ALL[kind];
            let date = Date::of_days(days).unwrap();
            let period = BillPeriod::containing(kind, date).unwrap();
            prop_assert!(period.first_on() <= date && date < period.until_on());
            prop_assert_eq!(BillPeriod::containing(kind, period.first_on()), Some(period));
            let last = Date::of_days(period.until_on().days() - 1).unwrap();
            prop_assert_eq!(BillPeriod::containing(kind, last), Some(period));
            let before = period.before().unwrap();
            prop_assert_eq!(before.until_on(), period.first_on());
            prop_assert_eq!(PeriodKind::parse(kind.name()), Some(kind));
        }

        /// Credits never exceed what is open or the room, and leave no room while something is open.
        #[test]
        fn r09_credits_fill_the_room_and_no_more(open in prop::collection::vec(0..1_000_i64, 0..20), room in -50..5_000_i64) {
            let taken = credits(&open, room);
            let (all, sum): (i64, i64) = (open.iter().sum(), taken.iter().sum());
            prop_assert!(taken.iter().zip(&open).all(|(taken, open)| (0..=*open).contains(taken)));
            prop_assert_eq!(sum, all.min(room.max(0)));
        }
    }
}
