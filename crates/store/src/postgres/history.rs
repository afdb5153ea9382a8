//! What is told of each change, beside the tail and after it is gone.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::RowKey;
use sqlx_core::{error::Error, query::query, row::Row as _, sql_str::AssertSqlSafe};
use sqlx_postgres::{PgConnection, PgRow, Postgres};

use super::{bind::Moment, gather::keys, read::timestamp};
use crate::port::{About, HistoryCut, HistoryLine, HistoryScope, KeptRow, Reach, Seq};

/// What is told of a row's changes.
///
/// What lingers in the tail after a fold is told by the history alone.
pub(super) async fn lines(
    connection: &mut PgConnection,
    key: &RowKey,
    scope: HistoryScope,
) -> Result<Vec<HistoryLine>, Error> {
    let sql = format!(
        "SELECT seq, author, (extract(epoch FROM at) * 1000000)::bigint, about, ends, whole, delta FROM ( \
         SELECT tail.seq, tail.author, tail.at, tail.about, tail.ends, false AS whole, \
         CASE WHEN tail.ends IS NULL THEN tail.delta END AS delta FROM corella_tail AS tail \
         JOIN corella_rows AS kept USING (tenant, entity, row_id) \
         WHERE tail.tenant = $1 AND tail.entity = $2 AND tail.row_id = $3 AND tail.seq > kept.snapshot_seq \
         UNION ALL \
         SELECT seq, author, at, about, ends, whole, NULL FROM corella_history \
         WHERE tenant = $1 AND entity = $2 AND row_id = $3) AS change \
         WHERE ($4::bigint IS NULL OR seq < $4) AND ($5::timestamptz IS NULL OR at <= $5) \
         AND seq > $7 ORDER BY seq {} LIMIT $6",
        scope.order.sql()
    );
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(key.tenant.as_str())
        .bind(key.entity.as_str())
        .bind(key.id.as_str())
        .bind(scope.before.map(|seq| seq.0))
        .bind(scope.until.map(Moment))
        .bind(i64::try_from(scope.limit).unwrap_or(i64::MAX))
        .bind(scope.after.0)
        .fetch_all(connection)
        .await?;
    found.iter().map(line).collect()
}

fn line(row: &PgRow) -> Result<HistoryLine, Error> {
    let ends: Option<Vec<u8>> = row.try_get(4)?;
    let reach = match (ends, row.try_get(5)?) {
        (Some(version), true) => Reach::Whole(Bytes::from(version)),
        (Some(ends), false) => Reach::Ends(Bytes::from(ends)),
        (None, _) => Reach::Delta(Bytes::from(row.try_get::<Option<Vec<u8>>, _>(6)?.unwrap_or_default())),
    };
    Ok(HistoryLine {
        seq: Seq(row.try_get(0)?),
        author: row.try_get::<Option<String>, _>(1)?.map(Arc::from),
        at: timestamp(row.try_get(2)?)?,
        about: About::of_text(row.try_get::<Option<String>, _>(3)?.as_deref()),
        reach,
    })
}

/// What is kept for a dump: the changes that the snapshot has swallowed, oldest first.
pub(super) async fn kept(connection: &mut PgConnection, key: &RowKey) -> Result<Vec<HistoryLine>, Error> {
    let found = query::<Postgres>(
        "SELECT seq, author, (extract(epoch FROM at) * 1000000)::bigint, about, ends, whole, NULL::bytea \
         FROM corella_history WHERE tenant = $1 AND entity = $2 AND row_id = $3 ORDER BY seq",
    )
    .bind(key.tenant.as_str())
    .bind(key.entity.as_str())
    .bind(key.id.as_str())
    .fetch_all(connection)
    .await?;
    found.iter().map(line).collect()
}

/// Keeps what is told of the changes in the tail up to `upto`, where the document has `version`.
pub(super) async fn keep_of_tail(
    connection: &mut PgConnection,
    key: &RowKey,
    upto: Seq,
    version: &[u8],
) -> Result<(), Error> {
    query::<Postgres>(
        "INSERT INTO corella_history (tenant, entity, row_id, seq, author, at, about, ends, whole) \
         SELECT tenant, entity, row_id, seq, author, at, about, CASE WHEN seq = $4 THEN $5 ELSE ends END, seq = $4 \
         FROM corella_tail WHERE tenant = $1 AND entity = $2 AND row_id = $3 AND seq <= $4 \
         AND (ends IS NOT NULL OR seq = $4) ON CONFLICT DO NOTHING",
    )
    .bind(key.tenant.as_str())
    .bind(key.entity.as_str())
    .bind(key.id.as_str())
    .bind(upto.0)
    .bind(version)
    .execute(connection)
    .await
    .map(drop)
}

/// Puts what is told of rows' changes into their history.
pub(super) async fn put(
    connection: &mut PgConnection,
    lines: &[(&RowKey, &HistoryLine)],
) -> Result<(), Error> {
    let [tenants, entities, ids] = keys(lines.iter().map(|(key, _)| *key));
    query::<Postgres>(
        "INSERT INTO corella_history (tenant, entity, row_id, seq, author, at, about, ends, whole) \
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], \
         $7::text[], $8::bytea[], $9::boolean[])",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .bind(lines.iter().map(|(_, line)| line.seq.0).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.author.as_deref()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| Moment(line.at)).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| line.about.to_text()).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| bytes(line)).collect::<Vec<_>>())
    .bind(lines.iter().map(|(_, line)| matches!(line.reach, Reach::Whole(_))).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

fn bytes(line: &HistoryLine) -> &[u8] {
    match &line.reach {
        Reach::Whole(bytes) | Reach::Ends(bytes) | Reach::Delta(bytes) => bytes,
    }
}

/// Puts the history of rows that were kept elsewhere into the database.
pub(super) async fn put_rows(connection: &mut PgConnection, rows: &[KeptRow]) -> Result<(), Error> {
    let mut lines = Vec::new();
    for row in rows {
        lines.extend(row.history.iter().map(|line| (&row.key, line)));
    }
    put(connection, &lines).await
}

/// Forgets what is told of the changes before `cut`.
pub(super) async fn cut(connection: &mut PgConnection, key: &RowKey, cut: &HistoryCut) -> Result<(), Error> {
    let (tenant, entity, id) = (key.tenant.as_str(), key.entity.as_str(), key.id.as_str());
    query::<Postgres>(
        "DELETE FROM corella_history WHERE tenant = $1 AND entity = $2 AND row_id = $3 AND seq < $4",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .bind(cut.from.0)
    .execute(&mut *connection)
    .await?;
    query::<Postgres>(
        "UPDATE corella_history SET ends = $5, whole = true \
         WHERE tenant = $1 AND entity = $2 AND row_id = $3 AND seq = $4",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .bind(cut.from.0)
    .bind(&cut.version[..])
    .execute(connection)
    .await
    .map(drop)
}
