//! What is told of each change, beside the tail and after it is gone.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::RowKey;
use rusqlite::{Connection, Error, Row};

use super::{dump::timestamp, read::place};
use crate::port::{About, HistoryCut, HistoryLine, HistoryScope, Reach, Seq};

/// What is told of a row's changes.
pub(super) fn lines(
    connection: &mut Connection,
    key: &RowKey,
    scope: HistoryScope,
) -> Result<Vec<HistoryLine>, Error> {
    let (tenant, entity, id) = place(key);
    let before = scope.before.map_or(i64::MAX, |seq| seq.0);
    let until = scope.until.map_or(i64::MAX, jiff::Timestamp::as_microsecond);
    let limit = i64::try_from(scope.limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&format!(
            "SELECT seq, author, at, about, ends, 0 AS whole, iif(ends IS NULL, delta, NULL) FROM corella_tail \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq < ?4 AND at <= ?5 AND seq > ?7 \
             UNION ALL \
             SELECT seq, author, at, about, ends, whole, NULL FROM corella_history \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq < ?4 AND at <= ?5 AND seq > ?7 \
             ORDER BY seq {} LIMIT ?6",
            scope.order.sql()
        ))?
        .query_map((tenant, entity, id, before, until, limit, scope.after.0), line)?
        .collect()
}

fn line(row: &Row<'_>) -> Result<HistoryLine, Error> {
    let ends: Option<Vec<u8>> = row.get(4)?;
    let reach = match (ends, row.get(5)?) {
        (Some(version), true) => Reach::Whole(Bytes::from(version)),
        (Some(ends), false) => Reach::Ends(Bytes::from(ends)),
        (None, _) => Reach::Delta(Bytes::from(row.get::<_, Option<Vec<u8>>>(6)?.unwrap_or_default())),
    };
    Ok(HistoryLine {
        seq: Seq(row.get(0)?),
        author: row.get::<_, Option<String>>(1)?.map(Arc::from),
        at: timestamp(row, 2)?,
        about: About::of_text(row.get::<_, Option<String>>(3)?.as_deref()),
        reach,
    })
}

/// What is kept for a dump: the changes that the snapshot has swallowed, oldest first.
pub(super) fn kept(connection: &Connection, key: &RowKey) -> Result<Vec<HistoryLine>, Error> {
    connection
        .prepare_cached(
            "SELECT seq, author, at, about, ends, whole, NULL FROM corella_history \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 ORDER BY seq",
        )?
        .query_map(place(key), line)?
        .collect()
}

/// Keeps what is told of the changes in the tail up to `upto`, where the document has `version`.
pub(super) fn keep_of_tail(
    connection: &Connection,
    key: &RowKey,
    upto: Seq,
    version: &[u8],
) -> Result<(), Error> {
    let (tenant, entity, id) = place(key);
    connection
        .prepare_cached(
            "INSERT INTO corella_history (tenant, entity, row_id, seq, author, at, about, ends, whole) \
             SELECT tenant, entity, row_id, seq, author, at, about, iif(seq = ?4, ?5, ends), seq = ?4 \
             FROM corella_tail WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq <= ?4 \
             AND (ends IS NOT NULL OR seq = ?4) ON CONFLICT DO NOTHING",
        )?
        .execute((tenant, entity, id, upto.0, version))
        .map(drop)
}

/// Puts one line into the history of a row.
pub(super) fn put(connection: &Connection, key: &RowKey, line: &HistoryLine) -> Result<(), Error> {
    let (tenant, entity, id) = place(key);
    let (ends, whole) = match &line.reach {
        Reach::Whole(version) => (version, true),
        Reach::Ends(bytes) | Reach::Delta(bytes) => (bytes, false),
    };
    connection
        .prepare_cached(
            "INSERT INTO corella_history (tenant, entity, row_id, seq, author, at, about, ends, whole) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute((
            tenant,
            entity,
            id,
            line.seq.0,
            line.author.as_deref(),
            line.at.as_microsecond(),
            line.about.to_text(),
            &ends[..],
            whole,
        ))
        .map(drop)
}

/// Forgets what is told of the changes before `cut`.
pub(super) fn cut(connection: &Connection, key: &RowKey, cut: &HistoryCut) -> Result<(), Error> {
    let (tenant, entity, id) = place(key);
    connection
        .prepare_cached(
            "DELETE FROM corella_history WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq < ?4",
        )?
        .execute((tenant, entity, id, cut.from.0))?;
    connection
        .prepare_cached(
            "UPDATE corella_history SET ends = ?5, whole = 1 \
             WHERE tenant = ?1 AND entity = ?2 AND row_id = ?3 AND seq = ?4",
        )?
        .execute((tenant, entity, id, cut.from.0, &cut.version[..]))
        .map(drop)
}
