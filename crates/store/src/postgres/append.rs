//! Writing the units that were accepted, in a few statements however many there are.

use std::sync::Arc;

use corella_rowdoc::{Projection, RowKey};
use jiff::Timestamp;
use sqlx_core::{
    arguments::Arguments as _,
    error::Error,
    query::{query, query_with},
    sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgArguments, PgConnection, Postgres};

use super::{
    bind::{Cells, Moment},
    gather::keys,
    tables::{Table, Tables},
};
use crate::port::{OutcomeWrite, RowWrite, Seq, checksum};

/// A write and its place in the order of all changes.
pub(super) struct Placed<'a> {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) write: &'a RowWrite,
    /// Whether other rows are written in the same unit.
    pub(super) several: bool,
}

/// An answer to keep, with the change that it speaks of.
pub(super) struct Answered<'a> {
    pub(super) seq: Seq,
    pub(super) at: Timestamp,
    pub(super) outcome: &'a OutcomeWrite,
}

/// The statements of one append; a head is moved by whoever holds the commit lock, so that it needs no guard.
const ROWS: &str = "\
    WITH write AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[], \
    $6::boolean[], $7::bytea[], $8::bigint[], $9::text[], $10::text[], $11::timestamptz[], $12::text[], \
    $13::bytea[]) AS write (tenant, entity, row_id, seq, version, deleted, delta, checksum, author, kind, at, about, \
    ends)), \
    heads AS (INSERT INTO corella_rows (tenant, entity, row_id, head_seq, head_version, snapshot_seq, \
    snapshot_version, projected_seq, deleted, created_at) \
    SELECT tenant, entity, row_id, seq, version, 0, '', seq, deleted, at FROM write \
    ON CONFLICT (tenant, entity, row_id) DO UPDATE SET head_seq = excluded.head_seq, \
    head_version = excluded.head_version, projected_seq = excluded.projected_seq, deleted = excluded.deleted), \
    tails AS (INSERT INTO corella_tail (tenant, entity, row_id, seq, delta, checksum, author, at, about, ends) \
    SELECT tenant, entity, row_id, seq, delta, checksum, author, at, about, ends FROM write) \
    INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) \
    SELECT seq, tenant, entity, row_id, kind, at FROM write";

/// Writes rows: heads, tails, the log, and their lines in the app's tables.
pub(super) async fn rows(
    connection: &mut PgConnection,
    tables: &Tables,
    writes: &[Placed<'_>],
) -> Result<(), Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let [tenants, entities, ids] = keys(writes.iter().map(|placed| &placed.write.key));
    query::<Postgres>(ROWS)
        .bind(tenants)
        .bind(entities)
        .bind(ids)
        .bind(writes.iter().map(|placed| placed.seq.0).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| &placed.write.version[..]).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| placed.write.projection.deleted).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| &placed.write.delta[..]).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| checksum(&placed.write.delta)).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| placed.write.author.as_deref()).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| placed.write.kind.as_str()).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| Moment(placed.at)).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| placed.write.about.to_text()).collect::<Vec<_>>())
        .bind(writes.iter().map(|placed| &placed.write.ends[..]).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    let several = writes.iter().filter(|placed| placed.several).map(|placed| placed.write);
    for (table, lines) in by_table(tables, several) {
        // Within a unit, a value that must be unique may pass from any row to any other.
        if !table.unique.is_empty() {
            take_out(connection, table, &lines).await?;
        }
    }
    for (table, lines) in by_table(tables, writes.iter().map(|placed| placed.write)) {
        project(connection, table, &lines).await?;
    }
    Ok(())
}

type Line<'a> = (&'a RowKey, &'a Projection);

/// The writes' lines, each table's in the order of the writes.
fn by_table<'a>(
    tables: &'a Tables,
    writes: impl Iterator<Item = &'a RowWrite>,
) -> Vec<(&'a Table, Vec<Line<'a>>)> {
    let mut by_table: Vec<(&Table, Vec<Line<'_>>)> = Vec::new();
    for write in writes {
        let Some(table) = tables.find(&write.key.entity) else { continue };
        let line = (&write.key, &*write.projection);
        match by_table.iter_mut().find(|(known, _)| known.name() == table.name()) {
            Some((_, lines)) => lines.push(line),
            None => by_table.push((table, vec![line])),
        }
    }
    by_table
}

/// Brings rows' lines in their table to their projections.
pub(super) async fn project(
    connection: &mut PgConnection,
    table: &Table,
    lines: &[Line<'_>],
) -> Result<(), Error> {
    let (gone, here): (Vec<Line<'_>>, Vec<Line<'_>>) =
        lines.iter().partition(|(_, projection)| projection.deleted);
    // What goes makes room for what comes: a value that must be unique may pass from one to the other.
    if !gone.is_empty() {
        take_out(connection, table, &gone).await?;
    }
    if !here.is_empty() {
        let mut arguments = places(&here)?;
        for (position, column) in table.columns.iter().enumerate() {
            let mut cells = Cells::of(&column.ty, here.len());
            for (_, projection) in &here {
                cells.push(projection.values.get(position).unwrap_or(&corella_manifest::Value::Null));
            }
            cells.bind(&mut arguments)?;
        }
        query_with::<Postgres, _>(AssertSqlSafe(Arc::clone(&table.upsert)), arguments)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn take_out(connection: &mut PgConnection, table: &Table, lines: &[Line<'_>]) -> Result<(), Error> {
    let arguments = places(lines)?;
    let delete = AssertSqlSafe(Arc::clone(&table.delete));
    query_with::<Postgres, _>(delete, arguments).execute(connection).await.map(drop)
}

fn places(lines: &[Line<'_>]) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    let tenants: Vec<&str> = lines.iter().map(|(key, _)| key.tenant.as_str()).collect();
    let ids: Vec<&str> = lines.iter().map(|(key, _)| key.id.as_str()).collect();
    arguments.add(tenants).map_err(Error::Encode)?;
    arguments.add(ids).map_err(Error::Encode)?;
    Ok(arguments)
}

/// Keeps answers.
pub(super) async fn outcomes(connection: &mut PgConnection, answers: &[Answered<'_>]) -> Result<(), Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let keys = || answers.iter().map(|answered| &answered.outcome.key);
    query::<Postgres>(
        "INSERT INTO corella_outcomes (tenant, author, key, request, seq, answer, at) SELECT * FROM \
         unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::text[], $7::timestamptz[])",
    )
    .bind(keys().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
    .bind(keys().map(|key| &*key.author).collect::<Vec<_>>())
    .bind(keys().map(|key| &*key.key).collect::<Vec<_>>())
    .bind(answers.iter().map(|answered| &answered.outcome.request[..]).collect::<Vec<_>>())
    .bind(answers.iter().map(|answered| answered.seq.0).collect::<Vec<_>>())
    .bind(answers.iter().map(|answered| answered.outcome.answer.as_str()).collect::<Vec<_>>())
    .bind(answers.iter().map(|answered| Moment(answered.at)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}
