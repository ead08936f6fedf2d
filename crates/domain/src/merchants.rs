//! Merchants, their stores, and the terminals that scan.

use crate::ids::{AccountId, MerchantId, StoreId, TerminalId};
use crate::money::Currency;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merchant {
    pub id: MerchantId,
    pub name: String,
    /// ISO 18245, four digits; a store may have its own.
    pub category: u16,
    pub currency: Currency,
    pub account: AccountId,
    pub created_at: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub id: StoreId,
    pub merchant: MerchantId,
    pub name: String,
    pub category: Option<u16>,
    pub city: String,
}

/// What a terminal is for. Source: S \[91\].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TerminalRole {
    /// Takes payments.
    Cashier,
    /// Scans the code again to get the invoice details. Row S17.
    Invoice,
    /// Reads ride codes; its merchant is the ride provider, its store the station's place. Row R04.
    Gate,
}

impl TerminalRole {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cashier => "cashier",
            Self::Invoice => "invoice",
            Self::Gate => "gate",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Cashier, Self::Invoice, Self::Gate]
            .into_iter()
            .find(|role| role.name() == name)
    }
}

/// How much a terminal is told when a code fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminalTrust {
    /// Each failure has its own reminder. Row S10.
    Full,
    /// Unknown, used and expired codes look alike, so that guessing teaches nothing. Row S22.
    Limited,
}

impl TerminalTrust {
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Limited => "limited",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Full, Self::Limited]
            .into_iter()
            .find(|trust| trust.name() == name)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    pub id: TerminalId,
    pub merchant: MerchantId,
    pub store: StoreId,
    pub name: String,
    pub role: TerminalRole,
    pub trust: TerminalTrust,
    /// Whether it may mark a code as paid elsewhere (trap 2 of the field's list). Row S17.
    pub may_assert_paid: bool,
    pub created_at: i64,
}

/// How many invalid codes a terminal may send before it is stopped for a while. Row S22.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardLimits {
    pub streak_max: i64,
    pub hour_max: i64,
    pub lock_ms: i64,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            streak_max: 5,
            hour_max: 20,
            lock_ms: 15 * 60_000,
        }
    }
}

/// What a terminal's invalid codes have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TerminalGuard {
    /// Invalid codes since the last good one.
    pub streak: i64,
    /// Hours since 1970 of `hour_count`.
    pub hour: i64,
    pub hour_count: i64,
    /// 0: never locked.
    pub locked_until: i64,
}

const HOUR_MS: i64 = 3_600_000;

impl TerminalGuard {
    pub fn locked(&self, now: i64) -> bool {
        now < self.locked_until
    }

    /// Counts one invalid code; the result is locked when a limit is reached.
    pub fn after_invalid(self, now: i64, limits: GuardLimits) -> Self {
        let hour = now / HOUR_MS;
        let hour_count = if hour == self.hour { self.hour_count + 1 } else { 1 };
        let streak = self.streak + 1;
        let stop = streak >= limits.streak_max || hour_count >= limits.hour_max;
        match stop {
            true => Self {
                streak: 0,
                hour,
                hour_count: 0,
                locked_until: now + limits.lock_ms,
            },
            false => Self {
                streak,
                hour,
                hour_count,
                locked_until: self.locked_until,
            },
        }
    }

    pub fn after_valid(self) -> Self {
        Self { streak: 0, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_row_or_twenty_an_hour_lock_the_terminal() {
        let limits = GuardLimits::default();
        let after =
            |guard: TerminalGuard, times: usize| (0..times).fold(guard, |guard, _| guard.after_invalid(1_000, limits));
        let four = after(TerminalGuard::default(), 4);
        assert!(!four.locked(1_001));
        assert!(after(four, 1).locked(1_001));
        assert!(!after(four, 1).locked(1_000 + limits.lock_ms));
        let alternating = (0..20).fold(TerminalGuard::default(), |guard, _| {
            guard.after_invalid(1_000, limits).after_valid()
        });
        assert!(alternating.locked(1_001));
    }
}
