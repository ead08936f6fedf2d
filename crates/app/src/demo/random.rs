//! Choices that come out the same in every demo: a small generator with a fixed seed. Never for keys or ids.

/// SplitMix64.
#[derive(Debug)]
pub struct Choices(u64);

impl Choices {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// `least` and `most` included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = (most - least + 1) as u64;
        least + (self.next() % span) as i64
    }

    pub fn one_in(&mut self, count: i64) -> bool {
        self.between(1, count) == 1
    }

    pub fn pick<'t, T>(&mut self, among: &'t [T]) -> &'t T {
        &among[self.between(0, among.len() as i64 - 1) as usize]
    }
}
