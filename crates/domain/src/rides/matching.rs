//! Taps become rides: each accepted passage belongs to exactly one ride, in whatever order gates upload.
//!
//! The outcome is a function of the set of taps: the same taps in another order, or some of them twice, give the same
//! rides. A device's own counter orders its taps, so a gate's wrong clock cannot swap entry and exit. When more taps arrive,
//! the whole set is matched again, and [`corrections`] tells what that changes.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::tap::{ClockFault, Tap, TapKind};
use crate::ids::{MerchantId, PersonId, RideDeviceId, TapId, TerminalId};

/// Time limits, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchLimits {
    /// A journey that is open for longer is closed without its exit, at the maximum fare.
    pub journey_max_ms: i64,
    /// The same device in the same direction at the same station within this is one passage, tried twice.
    pub repeat_ms: i64,
}

impl Default for MatchLimits {
    /// Four hours; thirty seconds.
    fn default() -> Self {
        Self {
            journey_max_ms: 4 * 3_600_000,
            repeat_ms: 30_000,
        }
    }
}

/// One end of a ride.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RideEnd {
    pub tap: TapId,
    pub gate: TerminalId,
    pub station: String,
    /// By the gate's clock, but never after the tap arrived.
    pub at: i64,
    pub clock_fault: Option<ClockFault>,
}

/// What is known of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journey {
    /// The exit may still come: no order yet.
    Open,
    Complete,
    /// One tap is the whole ride.
    Single,
    /// Maximum fare: another entry followed, or the time limit ran out.
    NoExit,
    /// Maximum fare.
    NoEntry,
}

/// One ride. Taps that only repeat another passage are listed, so that every tap is accounted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRide {
    /// The tap it begins with as far as is known: entry, single tap, or an exit without entry.
    pub key: TapId,
    pub provider: MerchantId,
    pub person: Option<PersonId>,
    pub device: Option<RideDeviceId>,
    pub journey: Journey,
    pub start: Option<RideEnd>,
    pub end: Option<RideEnd>,
    pub repeats: Vec<TapId>,
    /// One code was seen at two gates: somebody may have copied it.
    pub code_seen_twice: bool,
}

impl MatchedRide {
    /// Whether the maximum fare is due.
    pub fn incomplete(&self) -> bool {
        matches!(self.journey, Journey::NoExit | Journey::NoEntry)
    }

    /// Whether some gate's clock is known to have been wrong.
    pub fn clock_doubtful(&self) -> bool {
        self.ends().any(|end| end.clock_fault.is_some())
    }

    fn ends(&self) -> impl Iterator<Item = &RideEnd> {
        self.start.iter().chain(&self.end)
    }

    /// Every tap that this ride accounts for.
    pub fn taps(&self) -> impl Iterator<Item = TapId> {
        self.ends().map(|end| end.tap).chain(self.repeats.iter().copied())
    }
}

/// Matches all taps of some devices. `now`: when journeys without an exit are looked at. Rides come in the order of provider,
/// device and counter. Cost: sorting. Row R04; trap 11 of transit data: what gates say is kept beside what orders claim.
pub fn match_taps(taps: &[Tap], now: i64, limits: MatchLimits) -> Vec<MatchedRide> {
    let mut streams: BTreeMap<Stream, Vec<&Tap>> = BTreeMap::new();
    for tap in taps {
        streams.entry(Stream::of(tap)).or_default().push(tap);
    }
    let matched = streams.into_values().flat_map(|mut stream| {
        stream.sort_by_key(|tap| (tap.counter, time(tap), tap.gate, tap.sequence, tap.id));
        let mut seen = HashSet::new();
        stream.retain(|tap| seen.insert((tap.gate, tap.sequence)));
        match_stream(&stream, now, limits)
    });
    matched.collect()
}

/// Taps that can belong to one ride: of one device at one provider. A tap whose device is not known stands alone.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Stream(MerchantId, Result<RideDeviceId, (TerminalId, u64)>);

impl Stream {
    fn of(tap: &Tap) -> Self {
        Self(tap.provider, tap.device.ok_or((tap.gate, tap.sequence)))
    }
}

/// A gate whose clock is ahead cannot have seen a passage after it told of it.
fn time(tap: &Tap) -> i64 {
    tap.at.min(tap.received_at)
}

fn match_stream(stream: &[&Tap], now: i64, limits: MatchLimits) -> Vec<MatchedRide> {
    let mut rides: Vec<MatchedRide> = Vec::new();
    let mut open: Option<usize> = None;
    let mut before: Option<(&Tap, usize)> = None;
    for &tap in stream {
        if let Some((earlier, ride)) = before
            && repeats(earlier, tap, limits)
        {
            rides[ride].repeats.push(tap.id);
            continue;
        }
        let waiting = open.filter(|ride| tap.kind == TapKind::Exit && in_time(&rides[*ride], tap, limits));
        let ride = match (tap.kind, waiting) {
            (TapKind::Exit, Some(ride)) => {
                rides[ride].end = Some(RideEnd::of(tap));
                rides[ride].journey = Journey::Complete;
                ride
            }
            (TapKind::Entry | TapKind::Exit | TapKind::Single, _) => {
                rides.push(MatchedRide::of(tap));
                rides.len() - 1
            }
        };
        if tap.kind != TapKind::Single {
            // Whatever was open and is not closed by this tap has lost its exit.
            if let Some(lost) = open.take().filter(|lost| *lost != ride) {
                rides[lost].journey = Journey::NoExit;
            }
            open = (tap.kind == TapKind::Entry).then_some(ride);
        }
        if let Some((earlier, other)) = before
            && earlier.counter == tap.counter
        {
            rides[other].code_seen_twice = true;
            rides[ride].code_seen_twice = true;
        }
        before = Some((tap, ride));
    }
    if let Some(ride) = open
        && rides[ride]
            .start
            .as_ref()
            .is_some_and(|start| now - start.at > limits.journey_max_ms)
    {
        rides[ride].journey = Journey::NoExit;
    }
    rides
}

fn repeats(earlier: &Tap, tap: &Tap, limits: MatchLimits) -> bool {
    let same_passage = earlier.kind == tap.kind && earlier.station == tap.station;
    same_passage && (time(tap) - time(earlier)).abs() <= limits.repeat_ms
}

/// Whether `exit` can end the ride. Where a clock is known to be wrong, the device's counter alone decides.
fn in_time(ride: &MatchedRide, exit: &Tap, limits: MatchLimits) -> bool {
    let doubtful = exit.clock_fault.is_some() || ride.clock_doubtful();
    let start = ride.start.as_ref().map_or(i64::MIN, |start| start.at);
    doubtful || time(exit).saturating_sub(start) <= limits.journey_max_ms
}

impl RideEnd {
    fn of(tap: &Tap) -> Self {
        Self {
            tap: tap.id,
            gate: tap.gate,
            station: tap.station.clone(),
            at: time(tap),
            clock_fault: tap.clock_fault,
        }
    }
}

impl MatchedRide {
    fn of(tap: &Tap) -> Self {
        let end = Some(RideEnd::of(tap));
        let (journey, start, end) = match tap.kind {
            TapKind::Entry => (Journey::Open, end, None),
            TapKind::Exit => (Journey::NoEntry, None, end),
            TapKind::Single => (Journey::Single, end, None),
        };
        Self {
            key: tap.id,
            provider: tap.provider,
            person: tap.person,
            device: tap.device,
            journey,
            start,
            end,
            repeats: Vec::new(),
            code_seen_twice: false,
        }
    }
}

/// What new taps change about rides that were told before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    New(MatchedRide),
    /// `before`: one ride or more that were told apart, such as a forced close and an exit without entry. The order of the
    /// first becomes that of `after` at its fare; the others are given back.
    Changed {
        before: Vec<MatchedRide>,
        after: MatchedRide,
    },
}

/// Compares two matchings, the second over the same taps and more. Rides that stay as they are give nothing.
pub fn corrections(before: &[MatchedRide], after: &[MatchedRide]) -> Vec<Correction> {
    let ride_of: HashMap<TapId, usize> = after
        .iter()
        .enumerate()
        .flat_map(|(place, ride)| ride.taps().map(move |tap| (tap, place)))
        .collect();
    let mut told: BTreeMap<usize, Vec<MatchedRide>> = BTreeMap::new();
    for ride in before {
        if let Some(place) = ride_of.get(&ride.key) {
            told.entry(*place).or_default().push(ride.clone());
        }
    }
    let changes = after
        .iter()
        .enumerate()
        .filter_map(|(place, ride)| match told.remove(&place) {
            None => Some(Correction::New(ride.clone())),
            Some(before) if before == [ride.clone()] => None,
            Some(before) => Some(Correction::Changed {
                before,
                after: ride.clone(),
            }),
        });
    changes.collect()
}

#[cfg(test)]
mod tests;
