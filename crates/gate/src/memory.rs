//! What a gate remembers of the devices it has seen, or heard of from other gates: the last counter, and an open journey.

use std::collections::HashMap;

use onescan_domain::rides::tap::TapKind;

use crate::keys::Fingerprint;

/// One accepted passage, as gates tell each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub device: Fingerprint,
    pub counter: u64,
    pub kind: TapKind,
    pub station: String,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// A journey that was entered and not left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journey {
    pub station: String,
    pub entered_at: i64,
}

#[derive(Debug, Clone, Default)]
pub struct Memory {
    devices: HashMap<Fingerprint, Known>,
}

#[derive(Debug, Clone)]
struct Known {
    counter: u64,
    seen_at: i64,
    journey: Option<Journey>,
}

impl Memory {
    /// The highest counter that was accepted.
    pub fn counter(&self, device: Fingerprint) -> Option<u64> {
        self.devices.get(&device).map(|known| known.counter)
    }

    pub fn journey(&self, device: Fingerprint) -> Option<&Journey> {
        self.devices.get(&device)?.journey.as_ref()
    }

    /// Takes in a passage, in any order: what is older than what is known changes nothing.
    pub fn learn(&mut self, seen: Seen) {
        let known = self.devices.entry(seen.device).or_insert(Known {
            counter: 0,
            seen_at: i64::MIN,
            journey: None,
        });
        known.counter = known.counter.max(seen.counter);
        if seen.at < known.seen_at {
            return;
        }
        known.seen_at = seen.at;
        known.journey = match seen.kind {
            TapKind::Entry => Some(Journey {
                station: seen.station,
                entered_at: seen.at,
            }),
            TapKind::Exit => None,
            TapKind::Single => known.journey.take(),
        };
    }

    /// Forgets whom it has not seen for `after_ms`: longer than a code may live, and than a journey may last.
    pub fn forget(&mut self, now: i64, after_ms: i64) {
        self.devices.retain(|_, known| now - known.seen_at < after_ms);
    }

    pub fn len(&self) -> usize {
        self.devices.len()
    }

    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }
}
