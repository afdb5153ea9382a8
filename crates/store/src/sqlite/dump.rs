//! Rows as they lie, read without judging them.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{RowKey, Tenant};
use jiff::Timestamp;
use rusqlite::{
    Connection, Error, OptionalExtension, Row,
    types::{Type, ValueRef},
};

use super::{
    accounts, history,
    read::{self, HEAD, HEAD_COLUMNS, any_key, last_seq_of, stored_head},
};
use crate::port::{
    About, DumpScope, Kept, KeptDelta, KeptOutcome, KeptRow, Moment, Outcome, OutcomeKey, Sealed, Seq,
    StoredHead,
};

/// Sends what `scope` has, in one read transaction; stops when `send` says that nobody listens.
pub(super) fn dump(
    connection: &mut Connection,
    scope: &DumpScope,
    mut send: impl FnMut(Kept) -> bool,
) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    let start = Moment {
        epoch: transaction
            .query_row("SELECT value FROM corella_meta WHERE name = 'epoch'", [], |row| row.get(0))?,
        seq: last_seq_of(&transaction)?,
        rows: transaction.query_row("SELECT count(*) FROM corella_rows", [], |row| {
            row.get::<_, i64>(0).map(|count| u64::try_from(count).unwrap_or(0))
        })?,
    };
    if !send(Kept::Start(start)) {
        return Ok(());
    }
    let mut statement = transaction.prepare(&format!(
        "SELECT tenant, entity, row_id, {HEAD}, created_at FROM corella_rows ORDER BY tenant, entity, row_id"
    ))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = any_key(row, 0)?;
        if scope.has(&key) {
            let (head, created_at) = (stored_head(row, 3)?, timestamp(row, 3 + HEAD_COLUMNS)?);
            if !send(Kept::Row(with_pieces(&transaction, key, head, created_at)?)) {
                return Ok(());
            }
        }
    }
    if scope.outcomes && !dump_outcomes(&transaction, &mut send)? {
        return Ok(());
    }
    if scope.accounts {
        let mut statement = transaction.prepare(accounts::ALL_ACCOUNTS)?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let account = accounts::account(row)?;
            if !send(Kept::Account(account)) {
                return Ok(());
            }
        }
    }
    send(Kept::End);
    Ok(())
}

fn dump_outcomes(connection: &Connection, send: &mut impl FnMut(Kept) -> bool) -> Result<bool, Error> {
    let mut statement = connection.prepare(
        "SELECT tenant, author, key, request, seq, answer, at FROM corella_outcomes ORDER BY tenant, author, key",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, author, key): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let kept = KeptOutcome {
            key: OutcomeKey { tenant: Tenant::new(&tenant), author: author.into(), key: key.into() },
            outcome: Outcome {
                request: Bytes::from(row.get::<_, Vec<u8>>(3)?),
                seq: Seq(row.get(4)?),
                answer: row.get(5)?,
            },
            at: timestamp(row, 6)?,
        };
        if !send(Kept::Outcome(kept)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One row as it lies.
pub(super) fn kept(connection: &mut Connection, key: &RowKey) -> Result<Option<KeptRow>, Error> {
    let transaction = connection.transaction()?;
    row(&transaction, key)
}

/// One row as it lies, within a transaction.
pub(super) fn row(connection: &Connection, key: &RowKey) -> Result<Option<KeptRow>, Error> {
    let Some(head) = read::head(connection, key)? else { return Ok(None) };
    let created_at = connection
        .prepare_cached(
            "SELECT created_at FROM corella_rows WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
        )?
        .query_row(read::place(key), |row| timestamp(row, 0))?;
    with_pieces(connection, key.clone(), head, created_at).map(Some)
}

fn with_pieces(
    connection: &Connection,
    key: RowKey,
    head: StoredHead,
    created_at: Timestamp,
) -> Result<KeptRow, Error> {
    let snapshot = connection
        .prepare_cached(
            "SELECT snapshot, checksum FROM corella_snapshots \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3",
        )?
        .query_row(read::place(&key), |row| sealed(row, 0))
        .optional()?;
    let (tenant, entity, id) = read::place(&key);
    let tail = connection
        .prepare_cached(
            "SELECT seq, delta, checksum, author, at, about, ends FROM corella_tail \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq > ?4 ORDER BY seq",
        )?
        .query_map((tenant, entity, id, head.snapshot.0), |row| {
            Ok(KeptDelta {
                seq: Seq(row.get(0)?),
                delta: sealed(row, 1)?,
                author: row.get::<_, Option<String>>(3)?.map(Arc::from),
                at: timestamp(row, 4)?,
                about: row.get::<_, Option<String>>(5)?.map(|text| About::of_text(Some(&text))),
                ends: row.get::<_, Option<Vec<u8>>>(6)?.map(Bytes::from),
            })
        })?
        .collect::<Result<_, _>>()?;
    let history = history::kept(connection, &key)?;
    Ok(KeptRow { key, head, created_at, snapshot, tail, history })
}

fn sealed(row: &Row<'_>, offset: usize) -> Result<Sealed, Error> {
    // SQLite gives a blob that was overwritten by a text as a text; its checksum will tell.
    let bytes = match row.get_ref(offset)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Bytes::copy_from_slice(bytes),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => Bytes::new(),
    };
    Ok(Sealed { bytes, checksum: row.get(offset + 1)? })
}

/// A time that is stored in microseconds since 1970.
pub(super) fn timestamp(row: &Row<'_>, column: usize) -> Result<Timestamp, Error> {
    Timestamp::from_microsecond(row.get(column)?)
        .map_err(|error| Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}
