//! The sidecar tables' numbered versions, the database's name, and the peer id of this process.

use corella_rowdoc::PeerId;
use sqlx_core::{
    connection::Connection as _, error::Error, executor::Executor as _, query::query,
    query_scalar::query_scalar, raw_sql::raw_sql, row::Row as _,
};
use sqlx_postgres::{PgConnection, Postgres};
use uuid::Uuid;

use super::{connect::DatabaseAddress, failure::OpenError, locks, tenants};
use crate::faults::{KillPoint, point};

/// Every version in its order; a step is never edited once it has been released.
const STEPS: &[&str] = &[
    include_str!("../../../../schema/sql/postgres/0001_sidecar.sql"),
    include_str!("../../../../schema/sql/postgres/0002_damaged.sql"),
    include_str!("../../../../schema/sql/postgres/0003_history.sql"),
    include_str!("../../../../schema/sql/postgres/0004_schemas.sql"),
    include_str!("../../../../schema/sql/postgres/0005_peers.sql"),
    include_str!("../../../../schema/sql/postgres/0006_tenants.sql"),
    include_str!("../../../../schema/sql/postgres/0007_accounts.sql"),
];

const KNOWN: i64 = STEPS.len() as i64;
/// The first version of PostgreSQL that serves, as the server counts.
const OLDEST: i32 = 150_000;

/// Brings the sidecar tables up to date, each step in a transaction of its own.
pub(super) async fn run(connection: &mut PgConnection, address: &DatabaseAddress) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { database: address.to_string(), source };
    check_server(connection).await.map_err(failed)??;
    for (step, number) in STEPS.iter().zip(1_i64..) {
        let mut transaction = connection.begin().await.map_err(failed)?;
        // Whoever waited here finds the step done.
        transaction.execute(locks::STARTING_IN_TRANSACTION).await.map_err(failed)?;
        let found = version(&mut transaction).await.map_err(failed)?;
        if found > KNOWN {
            return Err(OpenError::Newer { found, known: KNOWN });
        }
        if found >= number {
            continue;
        }
        take_step(&mut transaction, step, number).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
    }
    tenants::secure(connection).await.map_err(failed)?;
    check_sight(connection, address).await
}

async fn take_step(connection: &mut PgConnection, step: &'static str, number: i64) -> Result<(), Error> {
    raw_sql(step).execute(&mut *connection).await?;
    point(KillPoint::MidMigration);
    if number == 1 {
        set(connection, "epoch", &Uuid::now_v7().simple().to_string()).await?;
    }
    set(connection, "sidecar", &number.to_string()).await
}

async fn set(connection: &mut PgConnection, name: &str, value: &str) -> Result<(), Error> {
    query::<Postgres>(
        "INSERT INTO corella_meta (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(value)
    .execute(connection)
    .await
    .map(drop)
}

async fn check_server(connection: &mut PgConnection) -> Result<Result<(), OpenError>, Error> {
    let row = query::<Postgres>(
        "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
         current_setting('server_encoding')",
    )
    .fetch_one(connection)
    .await?;
    let (number, found, encoding): (i32, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if number < OLDEST {
        return Ok(Err(OpenError::Old { known: OLDEST.unsigned_abs() / 10_000, found }));
    }
    if encoding != "UTF8" {
        return Ok(Err(OpenError::Encoding { found: encoding }));
    }
    Ok(Ok(()))
}

/// Refuses a database that this binary cannot read as it is.
pub(super) async fn check(connection: &mut PgConnection, address: &DatabaseAddress) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { database: address.to_string(), source };
    match version(connection).await.map_err(failed)? {
        0 => Err(OpenError::Empty),
        found if found > KNOWN => Err(OpenError::Newer { found, known: KNOWN }),
        _ => check_sight(connection, address).await,
    }
}

/// Refuses a database user from whom rows are hidden: a backup that lacks them would look whole.
async fn check_sight(connection: &mut PgConnection, address: &DatabaseAddress) -> Result<(), OpenError> {
    match tenants::is_bound(connection).await {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::Bound(address.to_string())),
        Err(source) => Err(OpenError::Database { database: address.to_string(), source }),
    }
}

/// The version of the sidecar tables; 0 when there are none.
async fn version(connection: &mut PgConnection) -> Result<i64, Error> {
    let there: bool = query_scalar::<Postgres, _>("SELECT to_regclass('corella_meta') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(0);
    }
    let found: Option<String> =
        query_scalar::<Postgres, _>("SELECT value FROM corella_meta WHERE name = 'sidecar'")
            .fetch_optional(connection)
            .await?;
    found.unwrap_or_default().parse().map_err(|error: std::num::ParseIntError| Error::Decode(error.into()))
}

/// The database's epoch.
pub(super) async fn epoch(connection: &mut PgConnection) -> Result<String, Error> {
    query_scalar::<Postgres, _>("SELECT value FROM corella_meta WHERE name = 'epoch'")
        .fetch_one(connection)
        .await
}

/// Gives the database another epoch, and has no peer id lent again: clients may know operations of theirs that the
/// database lacks now.
pub(super) async fn rename(connection: &mut PgConnection) -> Result<(), Error> {
    set(connection, "epoch", &Uuid::now_v7().simple().to_string()).await?;
    forget_peers(connection).await
}

/// Has every server take a peer id that was never used, from its next start on.
pub(super) async fn forget_peers(connection: &mut PgConnection) -> Result<(), Error> {
    query::<Postgres>("DELETE FROM corella_peers").execute(connection).await.map(drop)
}

/// Takes a peer id that no other process writes under.
///
/// One that was given back is taken again, so that versions do not grow with each restart. One that was not given
/// back may belong to a process that lives on somewhere, and is left alone for ever.
pub(super) async fn lease_peer(connection: &mut PgConnection) -> Result<PeerId, Error> {
    let free: Option<i64> = query_scalar::<Postgres, _>(
        "UPDATE corella_peers SET free = false, leased_at = now() WHERE peer = \
         (SELECT peer FROM corella_peers WHERE free ORDER BY leased_at LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING peer",
    )
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(peer) = free {
        return Ok(PeerId(peer.unsigned_abs()));
    }
    let peer = PeerId::of_a_server(Uuid::new_v4().as_u64_pair().1);
    query::<Postgres>("INSERT INTO corella_peers (peer, free, leased_at) VALUES ($1, false, now())")
        .bind(peer.0.cast_signed())
        .execute(connection)
        .await?;
    Ok(peer)
}

/// Gives the peer id back: nothing will be written under it any more.
pub(super) async fn return_peer(connection: &mut PgConnection, peer: PeerId) -> Result<(), Error> {
    query::<Postgres>("UPDATE corella_peers SET free = true WHERE peer = $1")
        .bind(i64::try_from(peer.0).unwrap_or_default())
        .execute(connection)
        .await
        .map(drop)
}
