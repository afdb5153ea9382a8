//! Whose peer ids are.

use corella_rowdoc::{PeerId, Tenant};
use corella_store::port::PeerOwner;

use super::Subject;

pub(super) async fn a_peer_id_is_its_first_users(Subject { backend, keep: _keep, .. }: Subject) {
    let (tenant, other) = (Tenant::none(), Tenant::new("acme"));
    let own = async |tenant: &Tenant, user: Option<&str>, peers: &[u64]| {
        let peers: Vec<PeerId> = peers.iter().copied().map(PeerId).collect();
        backend.own_peers(tenant, user, &peers).await.expect("the database does its part")
    };
    let of = |user: &str| PeerOwner::User(user.into());
    assert_eq!(own(&tenant, None, &[1, 2]).await, [PeerOwner::Nobody, PeerOwner::Nobody]);
    assert_eq!(own(&tenant, Some("ada"), &[1, u64::MAX - 1]).await, [of("ada"), of("ada")]);
    assert_eq!(own(&tenant, Some("bob"), &[2, u64::MAX - 1, 1]).await, [of("bob"), of("ada"), of("ada")]);
    assert_eq!(own(&tenant, None, &[1, 2, 3]).await, [of("ada"), of("bob"), PeerOwner::Nobody]);
    // Another tenant's documents are others.
    assert_eq!(own(&other, Some("bob"), &[1]).await, [of("bob")]);
    assert!(backend.server_peer().is_a_servers());
}
