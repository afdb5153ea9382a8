//! Whose the peer ids are under which clients write.
//!
//! Two writers under one peer id make different operations that no merge can tell apart. So a peer id is its first user's:
//! nobody else can bring operations of it that the document does not have yet.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use corella_rowdoc::{Change, PeerId, RowKey, Tenant};
use lru::LruCache;

use crate::{error::WriteError, job::Author, port::PeerOwner, store::Inner};

/// Peer ids whose owners are kept in mind; a few MiB.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(65_536).expect("more than none");

/// The owners of peer ids that were heard of last.
pub(crate) struct Peers {
    /// A plain mutex, held for a look-up or to add one.
    known: Mutex<LruCache<(Tenant, PeerId), Arc<str>>>,
}

impl Default for Peers {
    fn default() -> Self {
        Self { known: Mutex::new(LruCache::new(MOST_KNOWN)) }
    }
}

impl Peers {
    fn known(&self) -> MutexGuard<'_, LruCache<(Tenant, PeerId), Arc<str>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self, tenant: &Tenant, peer: PeerId) -> Option<Arc<str>> {
        self.known().get(&(tenant.clone(), peer)).cloned()
    }

    fn learn(&self, tenant: &Tenant, peer: PeerId, owner: Arc<str>) {
        self.known().put((tenant.clone(), peer), owner);
    }
}

impl Inner {
    /// Whether an author may bring the new operations of a change; peer ids that were nobody's are the author's from now on.
    ///
    /// Administrators are not held to this, and own none: they may hand in what others wrote. Callers without a name own
    /// none either.
    pub(crate) async fn check_peers(
        &self,
        key: &RowKey,
        author: &Author,
        change: &Change,
    ) -> Result<(), WriteError> {
        let servers = self.backend.server_peer();
        if change.peers.contains_key(&servers) {
            return Err(WriteError::PeerTaken(servers));
        }
        let Some(caller) = author.access.caller() else { return Ok(()) };
        let user = caller.user.as_ref();
        let mut unknown = Vec::new();
        for peer in change.peers.keys() {
            match self.peers.owner(&key.tenant, *peer) {
                Some(owner) if Some(&owner) == user => {}
                Some(_) => return Err(WriteError::PeerTaken(*peer)),
                None => unknown.push(*peer),
            }
        }
        // What servers wrote before a restore is handed in by whoever has it, and is nobody's.
        let (servers, clients): (Vec<PeerId>, Vec<PeerId>) =
            unknown.into_iter().partition(|peer| peer.is_a_servers());
        for (peers, owner) in [(servers, None), (clients, user)] {
            if peers.is_empty() {
                continue;
            }
            let owners = self.backend.own_peers(&key.tenant, owner.map(|user| &**user), &peers).await;
            let owners = owners.map_err(|error| WriteError::Backend(Arc::new(error)))?;
            for (peer, owned) in peers.into_iter().zip(owners) {
                match (owned, user) {
                    (PeerOwner::Nobody, _) => {}
                    (PeerOwner::User(owner), Some(user)) if owner == *user => {
                        self.peers.learn(&key.tenant, peer, owner);
                    }
                    (PeerOwner::User(_) | PeerOwner::Server, _) => return Err(WriteError::PeerTaken(peer)),
                }
            }
        }
        Ok(())
    }
}
