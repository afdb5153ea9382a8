//! How often somebody may try a password.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use corella_rowdoc::Tenant;
use corella_wire::ErrorCode;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use crate::{Failure, buckets::Buckets};

/// Wrong passwords in a row that an account takes.
const WRONG_IN_A_ROW: u32 = 10;
/// After what time it takes one more.
const ONE_MORE_AFTER: Duration = Duration::from_secs(30);

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

#[cfg(test)]
mod tests {
    use super::*;

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
