//! A dump in the place of all that is stored.

use corella_query::Identifier;
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use super::{accounts, bind::unavailable, history, migrate, read::place};
use crate::faults::{KillPoint, point};
use crate::port::{About, BackendError, Kept, KeptOutcome, KeptRow, RestoreOnto, RestoreOutcome};

/// Puts all pieces into the database, or leaves it as it is.
pub(super) fn restore(
    connection: &mut Connection,
    mut next: impl FnMut() -> Option<Kept>,
    onto: RestoreOnto,
) -> Result<RestoreOutcome, BackendError> {
    let mut work = || -> Result<RestoreOutcome, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match onto {
            RestoreOnto::Empty if !is_empty(&transaction)? => return Ok(RestoreOutcome::NotEmpty),
            RestoreOnto::Empty | RestoreOnto::Anything => {}
        }
        clear(&transaction)?;
        loop {
            // Dropping the transaction takes everything back.
            match next() {
                None => return Ok(RestoreOutcome::CutOff),
                Some(Kept::Start(_)) => {}
                Some(Kept::Row(row)) => {
                    put_row(&transaction, &row)?;
                    point(KillPoint::MidRestore);
                }
                Some(Kept::Outcome(outcome)) => put_outcome(&transaction, &outcome)?,
                Some(Kept::Account(account)) => drop(accounts::put(&transaction, &account)?),
                Some(Kept::End) => break,
            }
        }
        transaction.execute("DELETE FROM corella_meta WHERE name IN ('epoch', 'server_peer')", [])?;
        migrate::name_database(&transaction)?;
        transaction.commit()?;
        Ok(RestoreOutcome::Restored)
    };
    work().map_err(unavailable)
}

fn is_empty(transaction: &Transaction<'_>) -> Result<bool, Error> {
    transaction.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM corella_rows) AND NOT EXISTS (SELECT 1 FROM corella_changes) \
         AND NOT EXISTS (SELECT 1 FROM corella_outcomes) AND NOT EXISTS (SELECT 1 FROM corella_accounts)",
        [],
        |row| row.get(0),
    )
}

/// Takes everything out. Bytes that repairs have set aside stay: they belong to no row any more.
fn clear(transaction: &Transaction<'_>) -> Result<(), Error> {
    transaction.execute_batch(
        "DELETE FROM corella_rows; DELETE FROM corella_snapshots; DELETE FROM corella_tail; \
         DELETE FROM corella_history; DELETE FROM corella_changes; DELETE FROM corella_outcomes; \
         DELETE FROM corella_accounts; DELETE FROM corella_sessions; DELETE FROM corella_access_changes; \
         UPDATE corella_tables SET stale = 1, missing = 1;",
    )?;
    let entities: Vec<String> = transaction
        .prepare("SELECT entity FROM corella_tables")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for entity in entities {
        transaction.execute_batch(&format!("DELETE FROM {}", Identifier::of_catalogue(entity)))?;
    }
    Ok(())
}

/// Stores a row exactly as it lay, its change log shortened to its last change.
fn put_row(transaction: &Transaction<'_>, row: &KeptRow) -> Result<(), Error> {
    let (tenant, entity, id) = place(&row.key);
    let (head, created_at) = (&row.head, row.created_at.as_microsecond());
    transaction
        .prepare_cached(
            "INSERT INTO corella_rows (tenant, entity, row_id, head_seq, head_version, snapshot_seq, \
             snapshot_version, projected_seq, deleted, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?4, ?8, ?9)",
        )?
        .execute((
            tenant,
            entity,
            id,
            head.head.0,
            &head.head_version[..],
            head.snapshot.0,
            &head.snapshot_version[..],
            head.deleted,
            created_at,
        ))?;
    if let Some(snapshot) = &row.snapshot {
        transaction
            .prepare_cached(
                "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((tenant, entity, id, &snapshot.bytes[..], snapshot.checksum))?;
    }
    let mut tail = transaction.prepare_cached(
        "INSERT INTO corella_tail (tenant, entity, row_id, seq, delta, checksum, author, at, about, ends) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for entry in &row.tail {
        let at = entry.at.as_microsecond();
        let (delta, sum) = (&entry.delta.bytes[..], entry.delta.checksum);
        let about = entry.about.as_ref().map(About::to_text);
        let (author, ends) = (entry.author.as_deref(), entry.ends.as_deref());
        tail.execute((tenant, entity, id, entry.seq.0, delta, sum, author, at, about, ends))?;
    }
    for line in &row.history {
        history::put(transaction, &row.key, line)?;
    }
    let kind = if head.deleted { "delete" } else { "insert" };
    let at = row.tail.last().map_or(created_at, |entry| entry.at.as_microsecond());
    transaction
        .prepare_cached(
            "INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((head.head.0, tenant, entity, id, kind, at))?;
    Ok(())
}

fn put_outcome(transaction: &Transaction<'_>, kept: &KeptOutcome) -> Result<(), Error> {
    let (key, outcome) = (&kept.key, &kept.outcome);
    transaction
        .prepare_cached(
            "INSERT INTO corella_outcomes (tenant, author, key, request, seq, answer, at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            key.tenant.as_str(),
            &*key.author,
            &*key.key,
            &outcome.request[..],
            outcome.seq.0,
            &outcome.answer,
            kept.at.as_microsecond(),
        ))?;
    Ok(())
}
