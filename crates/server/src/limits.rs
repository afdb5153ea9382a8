//! How much one client may take of the server.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use corella_rowdoc::Tenant;

use crate::{Principal, listen::Remote, proxies::Proxies};

/// What one client may take. The defaults are generous: an honest client does not meet them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections from one address, whatever they are used for; behind a proxy, requests and sockets.
    pub connections_per_address: usize,
    /// Sockets of one user.
    pub sockets_per_user: usize,
    /// Rooms that one socket may be in.
    pub rooms_per_socket: usize,
    /// Updates and messages that one socket may send a second, over ten seconds; 0 for any number.
    pub updates_per_second: u32,
    /// Requests over HTTP that one user may make a second, over ten seconds, and an address without a user; 0 for any number.
    pub requests_per_second: u32,
    /// Joins that are answered at the same time; one that needs the whole document counts for four.
    pub joins_at_once: u32,
    /// How long a request's head may take to arrive, and a connection between two requests may be idle.
    pub head_time: Duration,
    /// How long a request may take, its body included.
    pub request_time: Duration,
    /// How long a socket may be silent; it is asked whether it is there before.
    pub silence: Duration,
    /// Origins of web pages that may use the server, beside its own; `*` for any.
    pub origins: BTreeSet<String>,
    /// Proxies before the server; one that is not named is one address.
    pub proxies: Proxies,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_per_address: 10_000,
            sockets_per_user: 1_000,
            rooms_per_socket: 20_000,
            updates_per_second: 2_000,
            requests_per_second: 2_000,
            joins_at_once: 64,
            // Proxies commonly keep idle connections for 60 seconds, and must not find one closed.
            head_time: Duration::from_secs(75),
            request_time: Duration::from_secs(120),
            silence: Duration::from_secs(75),
            origins: BTreeSet::new(),
            proxies: Proxies::default(),
        }
    }
}

/// Who has how much of something that is bounded for each.
#[derive(Debug)]
pub(crate) struct Census<K: Eq + Hash> {
    most: usize,
    /// A plain mutex, held to count one up or down.
    counts: Mutex<HashMap<K, usize>>,
}

/// One that is counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted<K: Eq + Hash> {
    census: Arc<Census<K>>,
    key: K,
}

impl<K: Eq + Hash + Clone> Census<K> {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, counts: Mutex::default() })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most that each may have.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Counts one more of `key`'s; nothing when that has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, key: K) -> Option<Counted<K>> {
        let mut counts = self.counts();
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Counted { census: Arc::clone(self), key })
    }
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.census.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Requester {
    /// A user's.
    User(UserKey),
    /// Those of an address that name no user.
    Address(IpAddr),
}

impl Requester {
    /// Whoever makes a request from `remote`, in the name of `principal` if there is one.
    pub(crate) fn of(principal: Option<&Principal>, remote: Option<Remote>) -> Option<Self> {
        let user = principal.and_then(|principal| {
            Some((principal.tenant.clone(), Arc::clone(principal.caller.user.as_ref()?)))
        });
        match (user, remote) {
            (Some(user), _) => Some(Self::User(user)),
            (None, remote) => remote.map(|Remote(address)| Self::Address(address)),
        }
    }
}

/// A user of a tenant.
pub(crate) type UserKey = (Tenant, Arc<str>);

/// What of an address is counted together: of IPv6 the network that one subscriber has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_share_and_gives_it_back() {
        let census = Census::new(2);
        let first = census.enter("ada").expect("the first");
        let _second = census.enter("ada").expect("the second");
        assert!(census.enter("ada").is_none(), "a third");
        assert!(census.enter("bob").is_some(), "somebody else");
        drop(first);
        assert!(census.enter("ada").is_some(), "in its place");
        assert_eq!(census.counts().len(), 1, "those that have gone are forgotten");
    }

    #[test]
    fn a_subscriber_is_one_network() {
        let network = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::2:3:4"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
