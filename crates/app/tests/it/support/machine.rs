//! Time that stands until it is told to move, and random bytes that are the same in every run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use onescan_platforms::env::{Clock, Entropy};

/// When every test begins: Monday 2026-11-23, 09:00 UTC.
pub const START_MS: i64 = 1_795_424_400_000;

#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl Default for FakeClock {
    fn default() -> Self {
        Self(AtomicI64::new(START_MS))
    }
}

impl FakeClock {
    pub fn advance_ms(&self, ms: i64) {
        assert!(ms >= 0, "time does not go back");
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    pub fn set_ms(&self, at_ms: i64) {
        self.0.store(at_ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// SplitMix64. Good enough to differ, never good enough for keys outside of tests.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<u64>);

impl SeededEntropy {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for chunk in bytes.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = *state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}
