//! What the database has of that which a commit touches, found in a few statements however many units there are.

use std::collections::HashMap;

use bytes::Bytes;
use corella_manifest::Value;
use corella_rowdoc::{Projection, RowId, RowKey};
use sqlx_core::{
    arguments::Arguments as _,
    error::Error,
    query_as::{query_as, query_as_with},
    query_scalar::query_scalar,
    sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgArguments, PgConnection, Postgres};

use super::{
    bind::Cells,
    judge::{Claim, Facts},
    references::References,
    tables::{Table, Tables},
};
use crate::port::{OutcomeKey, RowWrite, Seq, TailEntry, Unit};

/// Locks the rows of `units` and reads what there is of them; `last` is the last change of all.
pub(super) async fn facts(
    connection: &mut PgConnection,
    tables: &Tables,
    units: &[Unit],
    last: Seq,
) -> Result<Facts, Error> {
    let mut facts = Facts::default();
    facts.last = last;
    let writes: Vec<&RowWrite> = units.iter().flat_map(|unit| &unit.writes).collect();
    lock(connection, &writes, &mut facts).await?;
    facts.references = References::gather(connection, tables, units).await?;
    used(connection, units, &mut facts).await?;
    let mut by_entity: HashMap<_, Vec<&RowWrite>> = HashMap::new();
    for write in &writes {
        by_entity.entry(&write.key.entity).or_default().push(write);
    }
    for (entity, writes) in by_entity {
        if let Some(table) = tables.find(entity) {
            holders(connection, table, &writes, &mut facts).await?;
        }
    }
    Ok(facts)
}

/// Locks the rows in the order of their keys, as everybody does, so that nobody waits in a circle.
async fn lock(connection: &mut PgConnection, writes: &[&RowWrite], facts: &mut Facts) -> Result<(), Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let [tenants, entities, ids] = keys(writes.iter().map(|write| &write.key));
    let found: Vec<(i64, i64)> = query_as::<Postgres, _>(
        "SELECT wanted.place, line.head_seq FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY \
         AS wanted (tenant, entity, row_id, place) JOIN corella_rows AS line USING (tenant, entity, row_id) \
         ORDER BY line.tenant, line.entity, line.row_id FOR UPDATE OF line",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    for (place, head) in found {
        facts.heads.insert(at(writes, place)?.key.clone(), Seq(head));
    }
    Ok(())
}

/// The element at a place that the database has counted, from 1.
pub(super) fn at<T: Copy>(elements: &[T], place: i64) -> Result<T, Error> {
    let index = usize::try_from(place - 1).ok();
    let found = index.and_then(|index| elements.get(index)).copied();
    found.ok_or_else(|| Error::Decode("the database counted a place that was not asked for".into()))
}

/// Keys as three columns.
pub(super) fn keys<'a>(keys: impl Iterator<Item = &'a RowKey>) -> [Vec<&'a str>; 3] {
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for key in keys {
        columns[0].push(key.tenant.as_str());
        columns[1].push(key.entity.as_str());
        columns[2].push(key.id.as_str());
    }
    columns
}

async fn used(connection: &mut PgConnection, units: &[Unit], facts: &mut Facts) -> Result<(), Error> {
    let wanted: Vec<&OutcomeKey> =
        units.iter().flat_map(|unit| &unit.outcomes).map(|outcome| &outcome.key).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let found: Vec<i64> = query_scalar::<Postgres, _>(
        "SELECT wanted.place FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY \
         AS wanted (tenant, author, key, place) JOIN corella_outcomes USING (tenant, author, key)",
    )
    .bind(wanted.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
    .bind(wanted.iter().map(|key| &*key.author).collect::<Vec<_>>())
    .bind(wanted.iter().map(|key| &*key.key).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    for place in found {
        facts.used.insert(at(&wanted, place)?.clone());
    }
    Ok(())
}

/// Finds who holds what the writes claim, and what the rows themselves hold of it.
async fn holders(
    connection: &mut PgConnection,
    table: &Table,
    writes: &[&RowWrite],
    facts: &mut Facts,
) -> Result<(), Error> {
    for (set, unique) in table.unique.iter().enumerate() {
        let claims: Vec<(&RowWrite, Claim)> =
            writes.iter().filter_map(|write| Some((*write, Claim::of(table, set, write)?))).collect();
        if claims.is_empty() {
            continue;
        }
        let mut arguments = PgArguments::default();
        let tenants: Vec<&str> = claims.iter().map(|(write, _)| write.key.tenant.as_str()).collect();
        arguments.add(tenants).map_err(Error::Encode)?;
        for position in &unique.positions {
            let mut cells = Cells::of(&table.columns[*position].ty, claims.len());
            claims.iter().for_each(|(write, _)| cells.push(&write.projection.values[*position]));
            cells.bind(&mut arguments)?;
        }
        let found: Vec<(i64, String)> =
            query_as_with(AssertSqlSafe(std::sync::Arc::clone(&unique.holders)), arguments)
                .fetch_all(&mut *connection)
                .await?;
        let places: Vec<&(&RowWrite, Claim)> = claims.iter().collect();
        for (place, id) in found {
            let (write, claim) = at(&places, place)?;
            let id = RowId::new(&id).map_err(|error| Error::Decode(error.into()))?;
            facts.hold(claim.clone(), RowKey { id, ..write.key.clone() });
        }
    }
    Ok(())
}

/// What rows got after a change that is known, for each the unseen deltas in their order.
pub(super) async fn unseen(
    connection: &mut PgConnection,
    rows: &[(&RowKey, Seq)],
) -> Result<Vec<Vec<TailEntry>>, Error> {
    let mut unseen = vec![Vec::new(); rows.len()];
    if rows.is_empty() {
        return Ok(unseen);
    }
    let [tenants, entities, ids] = keys(rows.iter().map(|(key, _)| *key));
    let found: Vec<(i64, i64, Vec<u8>)> = query_as::<Postgres, _>(
        "SELECT stale.place, tail.seq, tail.delta FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) \
         WITH ORDINALITY AS stale (tenant, entity, row_id, known, place) \
         JOIN corella_tail AS tail USING (tenant, entity, row_id) \
         WHERE tail.seq > stale.known ORDER BY stale.place, tail.seq",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .bind(rows.iter().map(|(_, known)| known.0).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    for (place, seq, delta) in found {
        let entries = usize::try_from(place - 1).ok().and_then(|index| unseen.get_mut(index));
        entries
            .ok_or_else(|| Error::Decode("the database counted a place that was not asked for".into()))?
            .push(TailEntry { seq: Seq(seq), delta: Bytes::from(delta) });
    }
    Ok(unseen)
}

/// Finds the fields in which a row would clash with another, and that row.
pub(super) async fn holder(
    connection: &mut PgConnection,
    table: &Table,
    key: &RowKey,
    projection: &Projection,
) -> Result<Option<(Vec<String>, RowId)>, Error> {
    for unique in table.unique.iter().filter(|_| !projection.deleted) {
        let mut arguments = PgArguments::default();
        arguments.add(vec![key.tenant.as_str()]).map_err(Error::Encode)?;
        for position in &unique.positions {
            let mut cells = Cells::of(&table.columns[*position].ty, 1);
            cells.push(projection.values.get(*position).unwrap_or(&Value::Null));
            cells.bind(&mut arguments)?;
        }
        let found: Vec<(i64, String)> =
            query_as_with(AssertSqlSafe(std::sync::Arc::clone(&unique.holders)), arguments)
                .fetch_all(&mut *connection)
                .await?;
        for (_, id) in found {
            let id = RowId::new(&id).map_err(|error| Error::Decode(error.into()))?;
            if id != key.id {
                return Ok(Some((unique.fields.iter().map(ToString::to_string).collect(), id)));
            }
        }
    }
    Ok(None)
}
