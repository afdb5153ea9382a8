//! The owners of peer ids in PostgreSQL.

use std::collections::{HashMap, HashSet};

use corella_rowdoc::{PeerId, Tenant};
use sqlx_core::{Error, query::query, query_as::query_as, query_scalar::query_scalar};
use sqlx_postgres::{PgConnection, Postgres};

use crate::port::PeerOwner;

/// As [`crate::port::Backend::own_peers`].
pub(super) async fn own(
    connection: &mut PgConnection,
    tenant: &Tenant,
    owner: Option<&str>,
    peers: &[PeerId],
) -> Result<Vec<PeerOwner>, Error> {
    let all: Vec<i64> = peers.iter().map(|peer| peer.0.cast_signed()).collect();
    let servers: HashSet<i64> =
        query_scalar::<Postgres, i64>("SELECT peer FROM corella_peers WHERE peer = ANY($1)")
            .bind(&all)
            .fetch_all(&mut *connection)
            .await?
            .into_iter()
            .collect();
    let others: Vec<i64> = all.iter().copied().filter(|peer| !servers.contains(peer)).collect();
    if let Some(owner) = owner {
        // In one order, so that two servers do not wait for each other.
        query::<Postgres>(
            "INSERT INTO corella_peer_owners (tenant, peer, owner) \
             SELECT $1, peer, $3 FROM unnest($2::bigint[]) AS given (peer) ORDER BY peer ON CONFLICT DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(&others)
        .bind(owner)
        .execute(&mut *connection)
        .await?;
    }
    let owners: HashMap<i64, String> = query_as::<Postgres, (i64, String)>(
        "SELECT peer, owner FROM corella_peer_owners WHERE tenant = $1 AND peer = ANY($2)",
    )
    .bind(tenant.as_str())
    .bind(&others)
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .collect();
    let whose = |peer: &i64| match owners.get(peer) {
        _ if servers.contains(peer) => PeerOwner::Server,
        Some(owner) => PeerOwner::User(owner.as_str().into()),
        None => PeerOwner::Nobody,
    };
    Ok(all.iter().map(whose).collect())
}
