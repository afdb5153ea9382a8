//! Randomness that can be repeated.

use std::env;

use uuid::Uuid;

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// From the seed in `CORELLA_SEED`, else from a fresh one; print [`Random::seed`], so that a failure can be
    /// repeated.
    #[must_use]
    pub fn new() -> Self {
        let given = env::var("CORELLA_SEED").ok().and_then(|text| text.parse().ok());
        Self::of(given.unwrap_or_else(|| Uuid::new_v4().as_u64_pair().0))
    }

    /// From this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// What all numbers follow from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number (SplitMix64).
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `range`, which is not empty.
    pub fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.number() % (range.end - range.start)
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}
