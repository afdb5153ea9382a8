//! How often each of many may do something.

use std::{
    hash::Hash,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lru::LruCache;

/// How many are remembered.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(65_536).expect("more than none");

/// A bucket for each key: a try takes one drop, and drops come back over time.
pub(crate) struct Buckets<K: Hash + Eq> {
    /// How long it takes until all drops have come back.
    depth: Duration,
    every: Duration,
    /// When each bucket will be full again. A plain mutex, held to look one up.
    full_at: Mutex<LruCache<K, Instant>>,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Buckets of `most` drops, of which one comes back every so often.
    pub(crate) fn new(most: u32, every: Duration) -> Self {
        Self { depth: every * most, every, full_at: Mutex::new(LruCache::new(MOST_KNOWN)) }
    }

    /// Takes a drop; how long until there is one, where there is none.
    pub(crate) fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = known.get(&key).copied().unwrap_or(now).max(now) + self.every;
        let missing = full_at - now;
        if missing > self.depth {
            return Err(missing - self.depth);
        }
        known.put(key, full_at);
        Ok(())
    }

    /// Spills so many drops, as far as there are some.
    pub(crate) fn spill(&self, key: K, drops: u32, now: Instant) {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = known.get(&key).copied().unwrap_or(now).max(now) + self.every * drops;
        known.put(key, full_at.min(now + self.depth));
    }

    /// Puts a drop back that was taken.
    pub(crate) fn give_back(&self, key: K) {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(full_at) = known.get_mut(&key) {
            *full_at = full_at.checked_sub(self.every).unwrap_or(*full_at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_emptied_and_fills_again() {
        let buckets = Buckets::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(buckets.take("ada", at(0)), Ok(()));
        }
        assert_eq!(buckets.take("ada", at(1)), Err(Duration::from_secs(9)));
        assert_eq!(buckets.take("bob", at(1)), Ok(()), "somebody else's");
        assert_eq!(buckets.take("ada", at(10)), Ok(()));
        assert_eq!(buckets.take("ada", at(10)), Err(Duration::from_secs(10)));
        buckets.give_back("ada");
        assert_eq!(buckets.take("ada", at(10)), Ok(()));
        for _ in 0..3 {
            assert_eq!(buckets.take("ada", at(1_000)), Ok(()), "it never holds more than it did");
        }
        assert!(buckets.take("ada", at(1_000)).is_err());
        buckets.spill("bob", 2, at(1_000));
        assert_eq!(buckets.take("bob", at(1_000)), Ok(()), "the last one");
        buckets.spill("bob", 9, at(1_000));
        assert_eq!(
            buckets.take("bob", at(1_000)),
            Err(Duration::from_secs(10)),
            "it is no emptier than empty"
        );
    }
}
