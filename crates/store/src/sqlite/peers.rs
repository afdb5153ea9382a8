//! The owners of peer ids in SQLite.

use corella_rowdoc::{PeerId, Tenant};
use rusqlite::{Connection, Error, OptionalExtension as _, TransactionBehavior};

use super::bind::unavailable;
use crate::port::{BackendError, PeerOwner};

/// As [`crate::port::Backend::own_peers`].
pub(super) fn own(
    connection: &mut Connection,
    tenant: &Tenant,
    owner: Option<&str>,
    peers: &[PeerId],
) -> Result<Vec<PeerOwner>, BackendError> {
    let mut work = || -> Result<Vec<PeerOwner>, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut owners = Vec::with_capacity(peers.len());
        {
            let mut bind = transaction.prepare_cached(
                "INSERT OR IGNORE INTO corella_peer_owners (tenant, peer, owner) VALUES (?1, ?2, ?3)",
            )?;
            let mut look_up = transaction
                .prepare_cached("SELECT owner FROM corella_peer_owners WHERE tenant = ?1 AND peer = ?2")?;
            for peer in peers {
                let (tenant, peer) = (tenant.as_str(), peer.0.cast_signed());
                if let Some(owner) = owner {
                    bind.execute((tenant, peer, owner))?;
                }
                let owner: Option<String> = look_up.query_row((tenant, peer), |row| row.get(0)).optional()?;
                owners.push(owner.map_or(PeerOwner::Nobody, |owner| PeerOwner::User(owner.into())));
            }
        }
        transaction.commit()?;
        Ok(owners)
    };
    work().map_err(unavailable)
}
