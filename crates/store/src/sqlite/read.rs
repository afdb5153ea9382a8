//! Everything that is read, each answer from one moment.

use bytes::Bytes;
use corella_manifest::{Entity, Value};
use corella_query::{Identifier, SearchCheck, Statement};
use corella_rowdoc::{RowId, RowKey, Tenant};
use jiff::Timestamp;
use rusqlite::{
    Connection, Error, OptionalExtension, Row, ToSql, params_from_iter,
    types::{Type, ValueRef},
};

use super::{
    bind::{Bound, row_key, table_row, table_row_as_it_lies},
    tables::Tables,
};
use crate::port::{
    AstrayWords, ChangeEntry, HistoryMark, Outcome, OutcomeKey, ScannedRow, SelectedParts, Seq, StoredHead,
    StoredRow, TailEntry, checksum,
};

/// The columns of [`stored_head`].
pub(super) const HEAD: &str =
    "head_seq, head_version, snapshot_seq, snapshot_version, deleted, mark_version, mark_at";
/// How many they are.
pub(super) const HEAD_COLUMNS: usize = 7;

pub(super) fn stored_head(row: &Row<'_>, offset: usize) -> Result<StoredHead, Error> {
    Ok(StoredHead {
        head: Seq(row.get(offset)?),
        head_version: Bytes::from(row.get::<_, Vec<u8>>(offset + 1)?),
        snapshot: Seq(row.get(offset + 2)?),
        snapshot_version: Bytes::from(row.get::<_, Vec<u8>>(offset + 3)?),
        deleted: row.get(offset + 4)?,
        mark: mark(row, offset + 5)?,
    })
}

fn mark(row: &Row<'_>, offset: usize) -> Result<Option<HistoryMark>, Error> {
    let version: Option<Vec<u8>> = row.get(offset)?;
    let at: Option<i64> = row.get(offset + 1)?;
    let (Some(version), Some(at)) = (version, at) else { return Ok(None) };
    let at = Timestamp::from_microsecond(at)
        .map_err(|error| Error::FromSqlConversionFailure(offset + 1, Type::Integer, Box::new(error)))?;
    Ok(Some(HistoryMark { version: Bytes::from(version), at }))
}

pub(super) fn place(key: &RowKey) -> (&str, &str, &str) {
    (key.tenant.as_str(), key.entity.as_str(), key.id.as_str())
}

pub(super) fn head(connection: &Connection, key: &RowKey) -> Result<Option<StoredHead>, Error> {
    connection
        .prepare_cached(&format!(
            "SELECT {HEAD} FROM corella_rows WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3"
        ))?
        .query_row(place(key), |row| stored_head(row, 0))
        .optional()
}

/// A row's bytes, or what is wrong with them.
pub(super) fn row(
    connection: &mut Connection,
    key: &RowKey,
) -> Result<Option<Result<StoredRow, String>>, Error> {
    let transaction = connection.transaction()?;
    let Some(head) = head(&transaction, key)? else { return Ok(None) };
    bytes_of(&transaction, key, head).map(Some)
}

fn bytes_of(
    connection: &Connection,
    key: &RowKey,
    head: StoredHead,
) -> Result<Result<StoredRow, String>, Error> {
    let snapshot = match head.snapshot {
        Seq::ZERO => None,
        _ => connection
            .prepare_cached(
                "SELECT snapshot, checksum FROM corella_snapshots \
                 WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
            )?
            .query_row(place(key), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, i64>(1)?)))
            .optional()?
            .map(Some)
            .unwrap_or_default(),
    };
    match &snapshot {
        None if head.snapshot != Seq::ZERO => return Ok(Err("its snapshot is missing".into())),
        Some((bytes, sum)) if checksum(bytes) != *sum => {
            return Ok(Err("its snapshot's checksum does not match".into()));
        }
        Some(_) | None => {}
    }
    let mut statement = connection.prepare_cached(TAIL)?;
    let mut rows =
        statement.query((key.tenant.as_str(), key.entity.as_str(), key.id.as_str(), head.snapshot.0))?;
    let mut tail = Vec::new();
    while let Some(row) = rows.next()? {
        let entry = tail_entry(row)?;
        if checksum(&entry.delta) != row.get::<_, i64>(2)? {
            return Ok(Err(format!("the checksum of its change {} does not match", entry.seq.0)));
        }
        tail.push(entry);
    }
    let snapshot = snapshot.map(|(bytes, _)| Bytes::from(bytes));
    Ok(Ok(StoredRow { head, snapshot, tail }))
}

const TAIL: &str = "SELECT seq, delta, checksum FROM corella_tail \
                    WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq > ?4 ORDER BY seq";

fn tail_entry(row: &Row<'_>) -> Result<TailEntry, Error> {
    Ok(TailEntry { seq: Seq(row.get(0)?), delta: Bytes::from(row.get::<_, Vec<u8>>(1)?) })
}

/// What a row got after `since`.
pub(super) fn tail(connection: &Connection, key: &RowKey, since: Seq) -> Result<Vec<TailEntry>, Error> {
    let (tenant, entity, id) = place(key);
    connection.prepare_cached(TAIL)?.query_map((tenant, entity, id, since.0), tail_entry)?.collect()
}

pub(super) fn select(
    connection: &mut Connection,
    queries: &[(Entity, Statement)],
) -> Result<SelectedParts, Error> {
    let transaction = connection.transaction()?;
    let seq = last_seq_of(&transaction)?;
    let mut parts = Vec::with_capacity(queries.len());
    for (entity, statement) in queries {
        let mut prepared = transaction.prepare_cached(&statement.text)?;
        let parameters = params_from_iter(statement.parameters.iter().map(Bound));
        let rows = prepared.query_map(parameters, |row| {
            let mut line = table_row(row, entity, 0)?;
            if statement.is_ranked {
                line.cells.push(Value::Int(row.get(line.cells.len())?));
            }
            Ok(line)
        })?;
        parts.push(rows.collect::<Result<_, _>>()?);
    }
    Ok(SelectedParts { parts, seq })
}

pub(super) fn scan(
    connection: &mut Connection,
    tables: &Tables,
    entity: &Entity,
    after: Option<&RowKey>,
    limit: usize,
) -> Result<Vec<ScannedRow>, Error> {
    let transaction = connection.transaction()?;
    let (tenant, id) = after.map_or(("", ""), |key| (key.tenant.as_str(), key.id.as_str()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let heads: Vec<(RowKey, StoredHead, bool)> = transaction
        .prepare_cached(&format!(
            "SELECT tenant, row_id, {HEAD}, projected_seq < head_seq FROM corella_rows \
             WHERE entity = ?1 AND (tenant, row_id) > (?2, ?3) ORDER BY tenant, row_id LIMIT ?4"
        ))?
        .query_map((entity.name.as_str(), tenant, id, limit), |row| {
            Ok((row_key(row, entity, 0)?, stored_head(row, 2)?, row.get(2 + HEAD_COLUMNS)?))
        })?
        .collect::<Result<_, _>>()?;
    let line =
        tables.get(&entity.name).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?.line();
    let mut line = transaction.prepare_cached(&line)?;
    let mut rows = Vec::with_capacity(heads.len());
    for (key, head, late) in heads {
        let table = line
            .query_row((key.tenant.as_str(), key.id.as_str()), |row| table_row_as_it_lies(row, entity))
            .optional()?;
        let stored = bytes_of(&transaction, &key, head)?;
        rows.push(ScannedRow { key, stored, table, late });
    }
    Ok(rows)
}

/// A row's key with its bytes, or what is wrong with them.
type KeyedDocument = (RowKey, Result<StoredRow, String>);

pub(super) fn documents(
    connection: &mut Connection,
    entity: &Entity,
    after: Option<&RowKey>,
    limit: usize,
) -> Result<Vec<KeyedDocument>, Error> {
    let transaction = connection.transaction()?;
    let (tenant, id) = after.map_or(("", ""), |key| (key.tenant.as_str(), key.id.as_str()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let heads: Vec<(RowKey, StoredHead)> = transaction
        .prepare_cached(&format!(
            "SELECT tenant, row_id, {HEAD} FROM corella_rows \
             WHERE entity = ?1 AND (tenant, row_id) > (?2, ?3) ORDER BY tenant, row_id LIMIT ?4"
        ))?
        .query_map((entity.name.as_str(), tenant, id, limit), |row| {
            Ok((row_key(row, entity, 0)?, stored_head(row, 2)?))
        })?
        .collect::<Result<_, _>>()?;
    heads
        .into_iter()
        .map(|(key, head)| {
            let stored = bytes_of(&transaction, &key, head)?;
            Ok((key, stored))
        })
        .collect()
}

pub(super) fn orphans(connection: &mut Connection, entity: &Entity) -> Result<Vec<RowKey>, Error> {
    connection
        .prepare(&format!(
            "SELECT corella_tenant, id FROM {} AS line WHERE NOT EXISTS (SELECT 1 FROM corella_rows \
             WHERE tenant = line.corella_tenant AND entity = ?1 AND row_id = line.id)",
            Identifier::from(&entity.name)
        ))?
        .query_map([entity.name.as_str()], |row| row_key(row, entity, 0))?
        .collect()
}

/// Compares an index of words with its table.
pub(super) fn astray_words(
    connection: &mut Connection,
    entity: &Entity,
    check: &SearchCheck,
) -> Result<AstrayWords, Error> {
    // Its own tables go with the transaction, which writes to nothing else.
    let transaction = connection.transaction()?;
    let parts: i64 = transaction.query_row(&check.parts, [], |row| row.get(0))?;
    if parts < check.expected {
        return Ok(AstrayWords { is_missing: true, ..AstrayWords::default() });
    }
    for sql in &check.prepare {
        transaction.execute(sql, [])?;
    }
    let mut found = AstrayWords::default();
    let mut statement = transaction.prepare(&check.astray)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match row.get_ref(0)? {
            ValueRef::Null => found.has_strangers = true,
            ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => {
                found.rows.push(row_key(row, entity, 0)?);
            }
        }
    }
    drop(rows);
    drop(statement);
    for sql in &check.tidy {
        transaction.execute(sql, [])?;
    }
    transaction.commit()?;
    Ok(found)
}

pub(super) fn late_rows(connection: &mut Connection) -> Result<Vec<RowKey>, Error> {
    connection
        .prepare_cached("SELECT tenant, entity, row_id FROM corella_rows WHERE projected_seq < head_seq")?
        .query_map([], |row| any_key(row, 0))?
        .collect()
}

pub(super) fn changes(
    connection: &mut Connection,
    since: Seq,
    limit: usize,
) -> Result<Vec<ChangeEntry>, Error> {
    connection
        .prepare_cached(
            "SELECT seq, tenant, entity, row_id, kind FROM corella_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?
        .query_map((since.0, i64::try_from(limit).unwrap_or(i64::MAX)), change)?
        .collect()
}

fn change(row: &Row<'_>) -> Result<ChangeEntry, Error> {
    Ok(ChangeEntry { seq: Seq(row.get(0)?), key: any_key(row, 1)?, kind: row.get(4)? })
}

/// Reads `tenant, entity, row_id` from `offset` on.
pub(super) fn any_key(row: &Row<'_>, offset: usize) -> Result<RowKey, Error> {
    let conversion = |column, error: Box<dyn std::error::Error + Send + Sync>| {
        Error::FromSqlConversionFailure(column, Type::Text, error)
    };
    let (tenant, entity, id): (String, String, String) =
        (row.get(offset)?, row.get(offset + 1)?, row.get(offset + 2)?);
    Ok(RowKey {
        tenant: Tenant::new(&tenant),
        entity: corella_manifest::EntityName::new(&entity)
            .map_err(|error| conversion(offset + 1, error.into()))?,
        id: RowId::new(&id).map_err(|error| conversion(offset + 2, error.into()))?,
    })
}

pub(super) fn outcome(connection: &mut Connection, key: &OutcomeKey) -> Result<Option<Outcome>, Error> {
    let parameters: [&dyn ToSql; 3] = [&key.tenant.as_str(), &&*key.author, &&*key.key];
    connection
        .prepare_cached(
            "SELECT request, seq, answer FROM corella_outcomes WHERE tenant = ?1 AND author = ?2 AND key = ?3",
        )?
        .query_row(parameters, |row| {
            let request = Bytes::from(row.get::<_, Vec<u8>>(0)?);
            Ok(Outcome { request, seq: Seq(row.get(1)?), answer: row.get(2)? })
        })
        .optional()
}

pub(super) fn last_seq(connection: &mut Connection) -> Result<Seq, Error> {
    last_seq_of(connection)
}

pub(super) fn last_seq_of(connection: &Connection) -> Result<Seq, Error> {
    connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM corella_changes")?
        .query_row([], |row| row.get(0).map(Seq))
}
