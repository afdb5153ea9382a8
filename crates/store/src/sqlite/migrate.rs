//! The sidecar tables' numbered versions.

use std::path::Path;

use corella_rowdoc::PeerId;
use rusqlite::{Batch, Connection, TransactionBehavior, fallible_iterator::FallibleIterator as _};
use uuid::Uuid;

use super::OpenError;
use crate::faults::{KillPoint, point};

/// Every version in its order; a step is never edited once it has been released.
const STEPS: &[&str] = &[
    include_str!("../../../../schema/sql/sqlite/0001_sidecar.sql"),
    include_str!("../../../../schema/sql/sqlite/0002_damaged.sql"),
    include_str!("../../../../schema/sql/sqlite/0003_history.sql"),
    include_str!("../../../../schema/sql/sqlite/0004_schemas.sql"),
    include_str!("../../../../schema/sql/sqlite/0005_peers.sql"),
    include_str!("../../../../schema/sql/sqlite/0006_accounts.sql"),
];

const KNOWN: i64 = STEPS.len() as i64;

/// Brings the sidecar tables up to date, each step in a transaction of its own.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let found = version(connection, path)?;
    let database_error = |source| OpenError::Database { path: path.to_owned(), source };
    for (step, number) in STEPS.iter().zip(1_i64..).filter(|(_, number)| *number > found) {
        let mut work = || -> Result<(), rusqlite::Error> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            run_step(&transaction, step)?;
            if number == 1 {
                name_database(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()
        };
        work().map_err(database_error)?;
    }
    Ok(())
}

fn run_step(connection: &Connection, step: &str) -> Result<(), rusqlite::Error> {
    let mut statements = Batch::new(connection, step);
    while let Some(mut statement) = statements.next()? {
        statement.execute([])?;
        point(KillPoint::MidMigration);
    }
    Ok(())
}

/// Refuses a database that this binary cannot read as it is.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    version(connection, path).map(drop)
}

/// Refuses a database of any other version.
pub(super) fn check_present(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    match version(connection, path)? {
        KNOWN => Ok(()),
        found => Err(OpenError::Older { found, known: KNOWN }),
    }
}

fn version(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    if found > KNOWN {
        return Err(OpenError::Newer { found, known: KNOWN });
    }
    Ok(found)
}

/// Gives a new database its epoch and the peer id under which the server writes.
pub(super) fn name_database(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute(NAME, ("epoch", Uuid::now_v7().simple().to_string()))?;
    name_peer(connection)
}

/// Draws the peer id under which the server writes: at random, so that none comes twice.
pub(super) fn name_peer(connection: &Connection) -> Result<(), rusqlite::Error> {
    let peer = PeerId::of_a_server(Uuid::new_v4().as_u64_pair().1);
    connection.execute(NAME, ("server_peer", peer.0.to_string())).map(drop)
}

const NAME: &str = "INSERT INTO corella_meta (name, value) VALUES (?1, ?2)";

/// Commits a mark that means nothing but that it could be committed.
pub(super) fn settle(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO corella_meta (name, value) VALUES ('settled', ?1) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [Uuid::now_v7().simple().to_string()],
    )?;
    transaction.commit()
}

/// The database's epoch and server peer.
pub(super) fn identity(connection: &mut Connection) -> Result<(String, PeerId), rusqlite::Error> {
    let mut meta = connection.prepare("SELECT value FROM corella_meta WHERE name = ?1")?;
    let epoch = meta.query_row(["epoch"], |row| row.get(0))?;
    let peer: String = meta.query_row(["server_peer"], |row| row.get(0))?;
    let peer = peer.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok((epoch, PeerId(peer)))
}
