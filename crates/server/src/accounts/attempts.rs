//! How often somebody may try a password.

use std::{
    hash::Hash,
    net::IpAddr,
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use corella_rowdoc::Tenant;
use corella_wire::ErrorCode;
use lru::LruCache;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use crate::Failure;

/// Wrong passwords in a row that an account takes.
const WRONG_IN_A_ROW: u32 = 10;
/// After what time it takes one more.
const ONE_MORE_AFTER: Duration = Duration::from_secs(30);
/// Accounts and addresses that are remembered, each.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(65_536).expect("more than none");

/// The account that somebody tries, whether it is there or not; not its name, which may be a password in the wrong field.
pub(crate) type Tried = u128;

/// How often passwords were tried, by address and by account.
pub(crate) struct Attempts {
    addresses: Option<Buckets<IpAddr>>,
    accounts: Buckets<Tried>,
}

impl Attempts {
    /// With so many tries of an address a minute; 0 for any number.
    pub(super) fn new(per_minute: u32) -> Self {
        let every = Duration::from_secs(60).checked_div(per_minute);
        Self {
            addresses: every.map(|every| Buckets::new(per_minute, every)),
            accounts: Buckets::new(WRONG_IN_A_ROW, ONE_MORE_AFTER),
        }
    }

    /// The account that is tried by this name.
    pub(crate) fn tried(tenant: &Tenant, name: &str) -> Tried {
        xxh3_128(format!("{}\0{name}", tenant.as_str()).as_bytes())
    }

    /// Counts a try of an address.
    ///
    /// # Errors
    /// When it has to wait; the failure says how long.
    pub(crate) fn from(&self, address: IpAddr) -> Result<(), Failure> {
        match &self.addresses {
            Some(addresses) => addresses.take(address, Instant::now()).map_err(refused),
            None => Ok(()),
        }
    }

    /// Counts a try of an account, until [`Attempts::right`] takes it back.
    ///
    /// # Errors
    /// When it has to wait; the failure says how long.
    pub(crate) fn of(&self, account: Tried) -> Result<(), Failure> {
        self.accounts.take(account, Instant::now()).map_err(refused)
    }

    /// The try was right, and does not count.
    pub(crate) fn right(&self, account: Tried) {
        self.accounts.give_back(account);
    }
}

fn refused(wait: Duration) -> Failure {
    metrics::counter!("corella_sign_ins_refused_total").increment(1);
    let seconds = wait.as_secs() + 1;
    let detail = format!("too many passwords were tried; try again in {seconds} seconds");
    Failure::new(ErrorCode::RateLimited, detail).with("retryAfter", json!(seconds))
}

/// A bucket for each key: a try takes one drop, and drops come back over time.
struct Buckets<K: Hash + Eq> {
    /// How long it takes until all drops have come back.
    depth: Duration,
    every: Duration,
    /// When each bucket will be full again. A plain mutex, held to look one up.
    full_at: Mutex<LruCache<K, Instant>>,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(most: u32, every: Duration) -> Self {
        Self { depth: every * most, every, full_at: Mutex::new(LruCache::new(MOST_KNOWN)) }
    }

    /// Takes a drop; how long until there is one, where there is none.
    fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        let mut known = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = known.get(&key).copied().unwrap_or(now).max(now) + self.every;
        let missing = full_at - now;
        if missing > self.depth {
            return Err(missing - self.depth);
        }
        known.put(key, full_at);
        Ok(())
    }

    fn give_back(&self, key: K) {
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
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let attempts = Attempts::new(2);
        let address = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(attempts.from(address).and(attempts.from(address)), Ok(()));
        let failure = attempts.from(address).unwrap_err();
        assert_eq!(failure.code, ErrorCode::RateLimited);
        assert!((1..=31).contains(&failure.facts["retryAfter"].as_u64().unwrap()), "{failure}");
        let open = Attempts::new(0);
        assert!((0..1_000).all(|_| open.from(address).is_ok()));
    }
}
