//! What new taps change about the rides that were told: pure.

use std::collections::HashMap;

use onescan_domain::ids::TapId;
use onescan_domain::rides::matching::{Correction, Journey, MatchedRide, corrections, match_taps};

use super::{Next, RideSetup, TapRide, TapRideState, Window};

/// Rides after matching: those to look at or to write, and those whose place another has taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    pub rides: Vec<TapRide>,
    pub gone: Vec<TapId>,
}

/// Matches the window's taps again. A ride that becomes another keeps its order's number; of several that become one, the
/// one with an order does, and the others are withdrawn.
pub fn reconcile(window: &Window, setup: &RideSetup, now: i64) -> Plan {
    let counters: HashMap<TapId, i64> = window
        .taps
        .iter()
        .map(|tap| (tap.id, i64::try_from(tap.counter).unwrap_or(i64::MAX)))
        .collect();
    // The taps of the others belong to rides that stand.
    let standing = || window.rides.iter().filter(|ride| ride.state.stands());
    let stored: HashMap<TapId, &TapRide> = standing().map(|ride| (ride.ride.key, ride)).collect();
    let before: Vec<MatchedRide> = standing().map(|ride| ride.ride.clone()).collect();
    let after = match_taps(&window.taps, now, setup.limits());
    let mut plan = Plan::default();
    for correction in corrections(&before, &after) {
        let (told, ride) = match correction {
            Correction::New(ride) => (Vec::new(), ride),
            Correction::Changed { before, after } => (before, after),
        };
        let told: Vec<&TapRide> = told.iter().filter_map(|ride| stored.get(&ride.key).copied()).collect();
        let heir = told.iter().find(|one| one.order.is_some()).or(told.first()).copied();
        let Some(new) = TapRide::of(ride, heir, &counters, now) else {
            continue;
        };
        for one in told {
            let same_row = one.ride.key == new.ride.key;
            let inherited = heir.is_some_and(|heir| heir.ride.key == one.ride.key);
            if !inherited && one.order.is_some() && !same_row {
                plan.rides.push(TapRide {
                    state: TapRideState::Withdrawing,
                    into: Some(new.ride.key),
                    changed_at: now,
                    ..one.clone()
                });
            } else if !same_row {
                plan.gone.push(one.ride.key);
            }
        }
        plan.rides.push(new);
    }
    // Those that stayed as they were may still be due.
    let touched = |key: TapId| plan.gone.contains(&key) || plan.rides.iter().any(|ride| ride.ride.key == key);
    let others: Vec<TapRide> = window
        .rides
        .iter()
        .filter(|ride| !touched(ride.ride.key))
        .cloned()
        .collect();
    plan.rides.extend(others);
    for ride in &mut plan.rides {
        ride.wait(setup, now);
    }
    plan
}

impl TapRide {
    /// `None`: nobody knows whose ride it is; such taps are no stream.
    fn of(ride: MatchedRide, heir: Option<&Self>, counters: &HashMap<TapId, i64>, now: i64) -> Option<Self> {
        let (person, device) = (ride.person?, ride.device?);
        let own = || ride.taps().filter_map(|tap| counters.get(&tap).copied());
        let counters = (own().min()?, own().max()?);
        let state = match ride.journey {
            Journey::Open => TapRideState::Open,
            Journey::NoExit | Journey::NoEntry => TapRideState::Waiting,
            Journey::Complete | Journey::Single => TapRideState::Due,
        };
        Some(Self {
            person,
            device,
            counters,
            state,
            number: heir.map_or(ride.key, |heir| heir.number),
            attempt: heir.map_or(0, |heir| heir.attempt),
            fare: None,
            line: String::new(),
            consultation: heir.and_then(|heir| heir.consultation),
            order: heir.and_then(|heir| heir.order),
            into: None,
            problem: None,
            created_at: heir.map_or(now, |heir| heir.created_at),
            changed_at: now,
            ride,
        })
    }

    /// A ride that waited long enough, or that has an order already, is due.
    fn wait(&mut self, setup: &RideSetup, now: i64) {
        if self.state == TapRideState::Waiting && (self.order.is_some() || now >= self.waits_until(setup)) {
            self.state = TapRideState::Due;
            self.changed_at = now;
        }
    }

    /// Late taps are late by the time of the ride and by the time it became known.
    fn waits_until(&self, setup: &RideSetup) -> i64 {
        let known = self.ride.start.as_ref().or(self.ride.end.as_ref());
        let at = known.map_or(self.created_at, |end| end.at);
        at.max(self.created_at) + setup.late_ms
    }
}

/// When rides without an end need to be looked at again.
pub fn next(rides: &[TapRide], setup: &RideSetup, retry_at: i64) -> Option<Next> {
    let pending = rides.iter().filter_map(|ride| {
        let due_at = match ride.state {
            TapRideState::Open => {
                let start = ride.ride.start.as_ref().map_or(ride.created_at, |start| start.at);
                // The limit is passed only after it.
                start + setup.journey_max_ms + 1
            }
            TapRideState::Waiting => ride.waits_until(setup),
            TapRideState::Due | TapRideState::Withdrawing => retry_at,
            TapRideState::Ordered | TapRideState::Free | TapRideState::Unpriced | TapRideState::Withdrawn => {
                return None;
            }
        };
        Some((ride.counters.0, due_at))
    });
    pending.fold(None, |next: Option<Next>, (from_counter, due_at)| {
        Some(match next {
            None => Next { from_counter, due_at },
            Some(next) => Next {
                from_counter: next.from_counter.min(from_counter),
                due_at: next.due_at.min(due_at),
            },
        })
    })
}
