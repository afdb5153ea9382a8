//! A dump in the place of all that is stored.

use corella_query::Identifier;
use sqlx_core::{
    error::Error, query::query, query_scalar::query_scalar, raw_sql::raw_sql, sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, Postgres};
use tokio::sync::mpsc;

use super::{accounts, bind::Moment, gather::keys, history, locks, migrate};
use crate::{
    faults::{KillPoint, point},
    port::{About, Kept, KeptDelta, KeptOutcome, KeptRow, RestoreOnto, RestoreOutcome},
};

/// Rows written at once.
const MOST_ROWS: usize = 128;
/// Their bytes, about.
const MOST_BYTES: usize = 16 << 20;

/// Puts all pieces into the database, or leaves it as it is.
pub(super) async fn restore(
    connection: &mut PgConnection,
    mut pieces: mpsc::Receiver<Kept>,
    onto: RestoreOnto,
) -> Result<RestoreOutcome, Error> {
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    raw_sql("SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0")
        .execute(&mut *connection)
        .await?;
    let outcome = fill(connection, &mut pieces, onto).await?;
    let end = match outcome {
        RestoreOutcome::Restored => "COMMIT",
        RestoreOutcome::NotEmpty | RestoreOutcome::CutOff => "ROLLBACK",
    };
    raw_sql(end).execute(connection).await?;
    Ok(outcome)
}

async fn fill(
    connection: &mut PgConnection,
    pieces: &mut mpsc::Receiver<Kept>,
    onto: RestoreOnto,
) -> Result<RestoreOutcome, Error> {
    match onto {
        RestoreOnto::Empty if !is_empty(connection).await? => return Ok(RestoreOutcome::NotEmpty),
        RestoreOnto::Empty | RestoreOnto::Anything => {}
    }
    clear(connection).await?;
    let (mut rows, mut bytes) = (Vec::new(), 0);
    loop {
        match pieces.recv().await {
            None => return Ok(RestoreOutcome::CutOff),
            Some(Kept::Start(_)) => {}
            Some(Kept::Row(row)) => {
                bytes += row.blobs().map(bytes::Bytes::len).sum::<usize>();
                rows.push(row);
                if rows.len() == MOST_ROWS || bytes > MOST_BYTES {
                    put_rows(connection, &std::mem::take(&mut rows)).await?;
                    bytes = 0;
                }
                point(KillPoint::MidRestore);
            }
            Some(Kept::Outcome(outcome)) => put_outcome(connection, &outcome).await?,
            Some(Kept::Account(account)) => drop(accounts::put(connection, &account).await?),
            Some(Kept::End) => break,
        }
    }
    put_rows(connection, &rows).await?;
    migrate::rename(connection).await?;
    Ok(RestoreOutcome::Restored)
}

async fn is_empty(connection: &mut PgConnection) -> Result<bool, Error> {
    query_scalar::<Postgres, _>(
        "SELECT NOT EXISTS (SELECT 1 FROM corella_rows) AND NOT EXISTS (SELECT 1 FROM corella_changes) \
         AND NOT EXISTS (SELECT 1 FROM corella_outcomes) AND NOT EXISTS (SELECT 1 FROM corella_accounts)",
    )
    .fetch_one(connection)
    .await
}

/// Takes everything out. Bytes that repairs have set aside stay: they belong to no row any more.
async fn clear(connection: &mut PgConnection) -> Result<(), Error> {
    raw_sql(
        "DELETE FROM corella_rows; DELETE FROM corella_snapshots; DELETE FROM corella_tail; \
         DELETE FROM corella_history; DELETE FROM corella_changes; DELETE FROM corella_outcomes; \
         DELETE FROM corella_accounts; DELETE FROM corella_sessions; DELETE FROM corella_access_changes; \
         UPDATE corella_tables SET stale = true, missing = true",
    )
    .execute(&mut *connection)
    .await?;
    let entities: Vec<String> =
        query_scalar::<Postgres, _>("SELECT entity FROM corella_tables").fetch_all(&mut *connection).await?;
    for entity in entities {
        let sql = format!("DELETE FROM {}", Identifier::of_catalogue(entity));
        raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Stores rows exactly as they lay, their change log shortened to their last change.
async fn put_rows(connection: &mut PgConnection, rows: &[KeptRow]) -> Result<(), Error> {
    let [tenants, entities, ids] = keys(rows.iter().map(|row| &row.key));
    let at = |row: &KeptRow| Moment(row.tail.last().map_or(row.created_at, |entry| entry.at));
    query::<Postgres>(
        "WITH kept AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], \
         $6::bigint[], $7::bytea[], $8::boolean[], $9::timestamptz[], $10::timestamptz[]) AS kept (tenant, \
         entity, row_id, seq, version, snapshot_seq, snapshot_version, deleted, created_at, at)), \
         heads AS (INSERT INTO corella_rows (tenant, entity, row_id, head_seq, head_version, snapshot_seq, \
         snapshot_version, projected_seq, deleted, created_at) SELECT tenant, entity, row_id, seq, version, \
         snapshot_seq, snapshot_version, seq, deleted, created_at FROM kept) \
         INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) SELECT seq, tenant, entity, row_id, \
         CASE WHEN deleted THEN 'delete' ELSE 'insert' END, at FROM kept",
    )
    .bind(&tenants)
    .bind(&entities)
    .bind(&ids)
    .bind(rows.iter().map(|row| row.head.head.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.head.head_version[..]).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.head.snapshot.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| &row.head.snapshot_version[..]).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.head.deleted).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| Moment(row.created_at)).collect::<Vec<_>>())
    .bind(rows.iter().map(at).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    put_snapshots(connection, rows).await?;
    put_tails(connection, rows).await?;
    history::put_rows(connection, rows).await
}

async fn put_snapshots(connection: &mut PgConnection, rows: &[KeptRow]) -> Result<(), Error> {
    let snapshots: Vec<_> = rows.iter().filter_map(|row| Some((&row.key, row.snapshot.as_ref()?))).collect();
    let [tenants, entities, ids] = keys(snapshots.iter().map(|(key, _)| *key));
    query::<Postgres>(
        "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[])",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .bind(snapshots.iter().map(|(_, snapshot)| &snapshot.bytes[..]).collect::<Vec<_>>())
    .bind(snapshots.iter().map(|(_, snapshot)| snapshot.checksum).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

async fn put_tails(connection: &mut PgConnection, rows: &[KeptRow]) -> Result<(), Error> {
    let entries: Vec<(&KeptRow, &KeptDelta)> =
        rows.iter().flat_map(|row| row.tail.iter().map(move |entry| (row, entry))).collect();
    let [tenants, entities, ids] = keys(entries.iter().map(|(row, _)| &row.key));
    query::<Postgres>(
        "INSERT INTO corella_tail (tenant, entity, row_id, seq, delta, checksum, author, at, about, ends) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], $6::bigint[], \
         $7::text[], $8::timestamptz[], $9::text[], $10::bytea[])",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .bind(entries.iter().map(|(_, entry)| entry.seq.0).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| &entry.delta.bytes[..]).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.delta.checksum).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.author.as_deref()).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| Moment(entry.at)).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.about.as_ref().map(About::to_text)).collect::<Vec<_>>())
    .bind(entries.iter().map(|(_, entry)| entry.ends.as_deref()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

async fn put_outcome(connection: &mut PgConnection, kept: &KeptOutcome) -> Result<(), Error> {
    query::<Postgres>(
        "INSERT INTO corella_outcomes (tenant, author, key, request, seq, answer, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(kept.key.tenant.as_str())
    .bind(&*kept.key.author)
    .bind(&*kept.key.key)
    .bind(&kept.outcome.request[..])
    .bind(kept.outcome.seq.0)
    .bind(&kept.outcome.answer)
    .bind(Moment(kept.at))
    .execute(connection)
    .await
    .map(drop)
}
