//! What another policy would have done with the past: pure, in one pass, with nothing kept but sums.

use std::collections::BTreeMap;

use super::{Counters, Decision, Dimension, Policy, PolicyInput};
use crate::money::Currency;

/// One ride or payment as it happened.
#[derive(Debug, Clone)]
pub struct PastRide<'a, Who> {
    /// Whose spending counts together.
    pub who: Who,
    /// The facts; `used` is worked out anew, because it depends on what the policy would have let the institution pay before.
    pub input: PolicyInput<'a>,
    /// Who paid in truth.
    pub paid_by: PaidBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaidBy {
    Institution,
    Person,
}

/// Rides and their amounts in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub count: u64,
    pub amount_minor: i64,
}

impl Tally {
    fn add(&mut self, amount_minor: i64) {
        self.count += 1;
        self.amount_minor = self.amount_minor.saturating_add(amount_minor);
    }
}

/// How the past would have changed, in one currency. "Would have moved 37 rides, 412.50 EUR, to personal payment."
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrencyReplay {
    pub seen: Tally,
    /// Paid by the institution, and would not be.
    pub to_person: Tally,
    /// Paid by the person, and would not be.
    pub to_institution: Tally,
    /// Of `to_person`: the rides that the dimension would have barred. A ride that fails two stands under both.
    pub barred_by: BTreeMap<Dimension, Tally>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    pub currencies: BTreeMap<Currency, CurrencyReplay>,
}

/// Judges `rides`, which must come in the order of their time, by `policy`.
///
/// Reads each ride once and holds one set of counters per person, so its memory does not grow with the rides. A ride that
/// the policy would have moved to the person does not count into the person's limits, as it would not have then.
/// `policy_at`: the policy that holds at a ride; the same one always, or [`super::versions::PolicyVersions::at`].
pub fn replay<'a, 'p, Who: Ord + Clone>(
    policy_at: impl Fn(&PastRide<'a, Who>) -> Option<&'p Policy>,
    rides: impl IntoIterator<Item = PastRide<'a, Who>>,
) -> Replay {
    let mut counters: BTreeMap<(Who, Currency), Counters> = BTreeMap::new();
    let mut outcome = Replay::default();
    for mut ride in rides {
        let amount = ride.input.amount;
        let counter = counters.entry((ride.who.clone(), amount.currency)).or_default();
        *counter = counter.at(ride.input.local);
        ride.input.used = counter.used;
        let decision = policy_at(&ride).map(|policy| policy.decide(&ride.input));
        let allowed = decision.as_ref().is_some_and(Decision::allowed);
        if allowed {
            counter.add(amount.minor);
        }
        let sums = outcome.currencies.entry(amount.currency).or_default();
        sums.seen.add(amount.minor);
        match (ride.paid_by, allowed) {
            (PaidBy::Person, true) => sums.to_institution.add(amount.minor),
            (PaidBy::Institution, false) => {
                sums.to_person.add(amount.minor);
                let mut barring: Vec<Dimension> = decision
                    .iter()
                    .flat_map(Decision::failed)
                    .map(|r| r.dimension())
                    .collect();
                barring.sort_unstable();
                barring.dedup();
                for dimension in barring {
                    sums.barred_by.entry(dimension).or_default().add(amount.minor);
                }
            }
            (PaidBy::Institution, true) | (PaidBy::Person, false) => {}
        }
    }
    outcome
}
