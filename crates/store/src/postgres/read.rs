//! Everything that is read, each answer from one moment.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use corella_manifest::{Entity, EntityName, Value};
use corella_query::{Identifier, SearchCheck, Statement};
use corella_rowdoc::RowKey;
use jiff::Timestamp;
use sqlx_core::{
    connection::Connection as _,
    error::Error,
    query::{query, query_with},
    query_as::query_as,
    query_scalar::query_scalar,
    row::Row as _,
    sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, PgRow, Postgres};

use super::{
    bind::{parameters, row_key, table_row},
    tables::Table,
    tenants::ServingRole,
};
use crate::port::{
    AstrayWords, ChangeEntry, FollowedChange, HistoryMark, Outcome, OutcomeKey, ScannedRow, SelectedParts,
    Seq, StoredHead, StoredRow, TailEntry, checksum,
};

/// Where a row stands, its line of `corella_rows` being called `kept`.
pub(super) const HEAD: &str = "\
    kept.head_seq, kept.head_version, kept.snapshot_seq, kept.snapshot_version, kept.deleted, \
    kept.mark_version, (extract(epoch FROM kept.mark_at) * 1000000)::bigint";
/// How many columns these are.
pub(super) const HEAD_COLUMNS: usize = 7;

/// A row's snapshot and tail beside that.
const BYTES: &str = "\
    LEFT JOIN corella_snapshots AS snapshot ON kept.snapshot_seq > 0 AND snapshot.tenant = kept.tenant \
    AND snapshot.entity = kept.entity AND snapshot.row_id = kept.row_id \
    CROSS JOIN LATERAL (SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(delta ORDER BY seq) AS deltas, \
    array_agg(checksum ORDER BY seq) AS checksums FROM corella_tail AS piece WHERE piece.tenant = kept.tenant \
    AND piece.entity = kept.entity AND piece.row_id = kept.row_id AND piece.seq > kept.snapshot_seq) AS tail";

/// The columns of [`BYTES`], behind those of [`HEAD`].
const PIECES: &str = "snapshot.snapshot, snapshot.checksum, tail.seqs, tail.deltas, tail.checksums";

pub(super) fn stored_head(row: &PgRow, offset: usize) -> Result<StoredHead, Error> {
    Ok(StoredHead {
        head: Seq(row.try_get(offset)?),
        head_version: Bytes::from(row.try_get::<Vec<u8>, _>(offset + 1)?),
        snapshot: Seq(row.try_get(offset + 2)?),
        snapshot_version: Bytes::from(row.try_get::<Vec<u8>, _>(offset + 3)?),
        deleted: row.try_get(offset + 4)?,
        mark: mark(row, offset + 5)?,
    })
}

fn mark(row: &PgRow, offset: usize) -> Result<Option<HistoryMark>, Error> {
    let version: Option<Vec<u8>> = row.try_get(offset)?;
    let at: Option<i64> = row.try_get(offset + 1)?;
    let (Some(version), Some(at)) = (version, at) else { return Ok(None) };
    Ok(Some(HistoryMark { version: Bytes::from(version), at: timestamp(at)? }))
}

/// A time in microseconds since 1970.
pub(super) fn timestamp(micros: i64) -> Result<Timestamp, Error> {
    Timestamp::from_microsecond(micros).map_err(|error| Error::Decode(error.into()))
}

pub(super) async fn head(connection: &mut PgConnection, key: &RowKey) -> Result<Option<StoredHead>, Error> {
    let sql =
        format!("SELECT {HEAD} FROM corella_rows AS kept WHERE tenant = $1 AND entity = $2 AND row_id = $3");
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(key.tenant.as_str())
        .bind(key.entity.as_str())
        .bind(key.id.as_str())
        .fetch_optional(connection)
        .await?;
    found.as_ref().map(|row| stored_head(row, 0)).transpose()
}

/// A row's bytes, or what is wrong with them.
pub(super) async fn row(
    connection: &mut PgConnection,
    key: &RowKey,
) -> Result<Option<Result<StoredRow, String>>, Error> {
    let sql = format!(
        "SELECT {HEAD}, {PIECES} FROM corella_rows AS kept {BYTES} \
         WHERE kept.tenant = $1 AND kept.entity = $2 AND kept.row_id = $3"
    );
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(key.tenant.as_str())
        .bind(key.entity.as_str())
        .bind(key.id.as_str())
        .fetch_optional(connection)
        .await?;
    found.as_ref().map(stored_row).transpose()
}

/// Reads the columns of [`HEAD`] and [`PIECES`].
fn stored_row(row: &PgRow) -> Result<Result<StoredRow, String>, Error> {
    let head = stored_head(row, 0)?;
    let snapshot: Option<Vec<u8>> = row.try_get(HEAD_COLUMNS)?;
    let sum: Option<i64> = row.try_get(HEAD_COLUMNS + 1)?;
    match (&snapshot, sum) {
        (None, _) if head.snapshot != Seq::ZERO => return Ok(Err("its snapshot is missing".into())),
        (Some(bytes), sum) if sum != Some(checksum(bytes)) => {
            return Ok(Err("its snapshot's checksum does not match".into()));
        }
        (_, _) => {}
    }
    let seqs: Vec<i64> = row.try_get::<Option<_>, _>(HEAD_COLUMNS + 2)?.unwrap_or_default();
    let deltas: Vec<Vec<u8>> = row.try_get::<Option<_>, _>(HEAD_COLUMNS + 3)?.unwrap_or_default();
    let sums: Vec<i64> = row.try_get::<Option<_>, _>(HEAD_COLUMNS + 4)?.unwrap_or_default();
    let mut tail = Vec::with_capacity(seqs.len());
    for ((seq, delta), sum) in seqs.into_iter().zip(deltas).zip(sums) {
        if checksum(&delta) != sum {
            return Ok(Err(format!("the checksum of its change {seq} does not match")));
        }
        tail.push(TailEntry { seq: Seq(seq), delta: Bytes::from(delta) });
    }
    Ok(Ok(StoredRow { head, snapshot: snapshot.map(Bytes::from), tail }))
}

pub(super) async fn select(
    connection: &mut PgConnection,
    role: ServingRole,
    queries: &[(Entity, Statement)],
) -> Result<SelectedParts, Error> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let tenants: BTreeSet<&str> = queries.iter().filter_map(|(_, statement)| statement.tenant()).collect();
    let seq = role.enter(&mut transaction, &tenants.into_iter().collect::<Vec<_>>()).await?;
    let mut parts = Vec::with_capacity(queries.len());
    for (entity, statement) in queries {
        let arguments = parameters(&statement.parameters)?;
        let text: Arc<str> = statement.text.as_str().into();
        let found =
            query_with::<Postgres, _>(AssertSqlSafe(text), arguments).fetch_all(&mut *transaction).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in &found {
            let Some(mut line) = table_row(row, entity, 0)? else { continue };
            if statement.is_ranked {
                line.cells.push(Value::Int(row.try_get(line.cells.len())?));
            }
            rows.push(line);
        }
        parts.push(rows);
    }
    transaction.commit().await?;
    Ok(SelectedParts { parts, seq })
}

pub(super) async fn scan(
    connection: &mut PgConnection,
    table: &Table,
    entity: &Entity,
    after: Option<&RowKey>,
    limit: usize,
) -> Result<Vec<ScannedRow>, Error> {
    /// Where the line of the app's table starts among the columns.
    const LINE: usize = KEY + 2;
    /// Where the tenant and the id stand, behind the head and five columns of pieces.
    const KEY: usize = HEAD_COLUMNS + 5;
    let (tenant, id) = after.map_or(("", ""), |key| (key.tenant.as_str(), key.id.as_str()));
    let sql = format!(
        "SELECT {HEAD}, {PIECES}, kept.tenant, kept.row_id, line.id{} FROM \
         (SELECT * FROM corella_rows WHERE entity = $1 AND (tenant, row_id) > ($2, $3) \
         ORDER BY tenant, row_id LIMIT $4) AS kept {BYTES} \
         LEFT JOIN {} AS line ON line.corella_tenant = kept.tenant AND line.id = kept.row_id \
         ORDER BY kept.tenant, kept.row_id",
        table.listed(),
        table.name(),
    );
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(entity.name.as_str())
        .bind(tenant)
        .bind(id)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let scanned = |row: &PgRow| {
        Ok(ScannedRow {
            key: row_key(&entity.name, row.try_get(KEY)?, row.try_get(KEY + 1)?)?,
            stored: stored_row(row)?,
            table: table_row(row, entity, LINE)?,
            late: false,
        })
    };
    found.iter().map(scanned).collect()
}

pub(super) async fn documents(
    connection: &mut PgConnection,
    entity: &Entity,
    after: Option<&RowKey>,
    limit: usize,
) -> Result<Vec<(RowKey, Result<StoredRow, String>)>, Error> {
    /// Where the tenant and the id stand, behind the head and five columns of pieces.
    const KEY: usize = HEAD_COLUMNS + 5;
    let (tenant, id) = after.map_or(("", ""), |key| (key.tenant.as_str(), key.id.as_str()));
    let sql = format!(
        "SELECT {HEAD}, {PIECES}, kept.tenant, kept.row_id FROM \
         (SELECT * FROM corella_rows WHERE entity = $1 AND (tenant, row_id) > ($2, $3) \
         ORDER BY tenant, row_id LIMIT $4) AS kept {BYTES} ORDER BY kept.tenant, kept.row_id"
    );
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(entity.name.as_str())
        .bind(tenant)
        .bind(id)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let document = |row: &PgRow| {
        Ok((row_key(&entity.name, row.try_get(KEY)?, row.try_get(KEY + 1)?)?, stored_row(row)?))
    };
    found.iter().map(document).collect()
}

pub(super) async fn orphans(connection: &mut PgConnection, entity: &Entity) -> Result<Vec<RowKey>, Error> {
    let sql = format!(
        "SELECT corella_tenant, id FROM {} AS line WHERE NOT EXISTS (SELECT 1 FROM corella_rows \
         WHERE tenant = line.corella_tenant AND entity = $1 AND row_id = line.id)",
        Identifier::from(&entity.name)
    );
    let found: Vec<(String, String)> =
        query_as::<Postgres, _>(AssertSqlSafe(sql)).bind(entity.name.as_str()).fetch_all(connection).await?;
    found.iter().map(|(tenant, id)| row_key(&entity.name, tenant, id)).collect()
}

/// Compares the words of a table's lines with their texts.
pub(super) async fn astray_words(
    connection: &mut PgConnection,
    entity: &Entity,
    check: &SearchCheck,
) -> Result<AstrayWords, Error> {
    let parts: i64 =
        query_scalar::<Postgres, _>(AssertSqlSafe(check.parts.clone())).fetch_one(&mut *connection).await?;
    if parts < check.expected {
        return Ok(AstrayWords { is_missing: true, ..AstrayWords::default() });
    }
    let found: Vec<(String, String)> =
        query_as::<Postgres, _>(AssertSqlSafe(check.astray.clone())).fetch_all(connection).await?;
    let rows =
        found.iter().map(|(tenant, id)| row_key(&entity.name, tenant, id)).collect::<Result<_, _>>()?;
    Ok(AstrayWords { rows, ..AstrayWords::default() })
}

pub(super) async fn changes(
    connection: &mut PgConnection,
    since: Seq,
    limit: usize,
) -> Result<Vec<ChangeEntry>, Error> {
    let found = query::<Postgres>(
        "SELECT seq, tenant, entity, row_id, kind FROM corella_changes WHERE seq > $1 ORDER BY seq LIMIT $2",
    )
    .bind(since.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    found.iter().map(change).collect()
}

pub(super) async fn follow(
    connection: &mut PgConnection,
    since: Seq,
    limit: usize,
) -> Result<Vec<FollowedChange>, Error> {
    let found = query::<Postgres>(
        "SELECT change.seq, change.tenant, change.entity, change.row_id, change.kind, tail.delta, tail.checksum \
         FROM (SELECT * FROM corella_changes WHERE seq > $1 ORDER BY seq LIMIT $2) AS change \
         LEFT JOIN corella_tail AS tail ON tail.tenant = change.tenant AND tail.entity = change.entity \
         AND tail.row_id = change.row_id AND tail.seq = change.seq ORDER BY change.seq",
    )
    .bind(since.0)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let followed = |row: &PgRow| {
        let delta: Option<Vec<u8>> = row.try_get(5)?;
        let sum: Option<i64> = row.try_get(6)?;
        // Damaged bytes are as good as none: whoever loads the row hears of them.
        let delta = delta.filter(|delta| sum == Some(checksum(delta)));
        Ok(FollowedChange { entry: change(row)?, delta: delta.map(Bytes::from) })
    };
    found.iter().map(followed).collect()
}

fn change(row: &PgRow) -> Result<ChangeEntry, Error> {
    let entity = EntityName::new(row.try_get(2)?).map_err(|error| Error::Decode(error.into()))?;
    let key = row_key(&entity, row.try_get(1)?, row.try_get(3)?)?;
    Ok(ChangeEntry { seq: Seq(row.try_get(0)?), key, kind: row.try_get(4)? })
}

pub(super) async fn outcome(
    connection: &mut PgConnection,
    key: &OutcomeKey,
) -> Result<Option<Outcome>, Error> {
    let found: Option<(Vec<u8>, i64, String)> = query_as::<Postgres, _>(
        "SELECT request, seq, answer FROM corella_outcomes WHERE tenant = $1 AND author = $2 AND key = $3",
    )
    .bind(key.tenant.as_str())
    .bind(&*key.author)
    .bind(&*key.key)
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(request, seq, answer)| Outcome { request: Bytes::from(request), seq: Seq(seq), answer }))
}

pub(super) async fn last_seq(connection: &mut PgConnection) -> Result<Seq, Error> {
    query_scalar::<Postgres, _>("SELECT coalesce(max(seq), 0) FROM corella_changes")
        .fetch_one(connection)
        .await
        .map(Seq)
}
