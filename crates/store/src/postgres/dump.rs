//! Rows as they lie, read without judging them.

use bytes::Bytes;
use corella_manifest::EntityName;
use corella_rowdoc::{RowKey, Tenant};
use sqlx_core::{
    connection::Connection as _, error::Error, query::query, query_scalar::query_scalar, raw_sql::raw_sql,
    row::Row as _, sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, PgRow, Postgres};
use tokio::sync::mpsc;

use super::{
    accounts,
    bind::row_key,
    history,
    read::{self, HEAD, HEAD_COLUMNS, stored_head, timestamp},
};
use crate::port::{
    About, DumpScope, Kept, KeptDelta, KeptOutcome, KeptRow, Moment, Outcome, OutcomeKey, Sealed, Seq,
};

/// Rows read at once.
const PAGE: usize = 128;

/// A row with all its pieces, behind the columns of its head; times in microseconds since 1970.
const PIECES: &str = "\
    kept.tenant, kept.entity, kept.row_id, (extract(epoch FROM kept.created_at) * 1000000)::bigint, \
    snapshot.snapshot, snapshot.checksum, tail.seqs, tail.deltas, tail.checksums, tail.authors, tail.times, tail.abouts, tail.ends \
    FROM corella_rows AS kept \
    LEFT JOIN corella_snapshots AS snapshot ON snapshot.tenant = kept.tenant AND snapshot.entity = kept.entity \
    AND snapshot.row_id = kept.row_id \
    CROSS JOIN LATERAL (SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(delta ORDER BY seq) AS deltas, \
    array_agg(checksum ORDER BY seq) AS checksums, array_agg(author ORDER BY seq) AS authors, \
    array_agg((extract(epoch FROM at) * 1000000)::bigint ORDER BY seq) AS times, \
    array_agg(about ORDER BY seq) AS abouts, array_agg(ends ORDER BY seq) AS ends \
    FROM corella_tail AS piece WHERE piece.tenant = kept.tenant AND piece.entity = kept.entity \
    AND piece.row_id = kept.row_id AND piece.seq > kept.snapshot_seq) AS tail";

/// Sends what `scope` has, in one transaction that reads; stops when nobody listens.
pub(super) async fn dump(
    connection: &mut PgConnection,
    scope: &DumpScope,
    pieces: &mpsc::Sender<Kept>,
) -> Result<(), Error> {
    let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    // Whoever listens may take its time.
    raw_sql("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *transaction).await?;
    let start = moment(&mut transaction).await?;
    if pieces.send(Kept::Start(start)).await.is_err() {
        return Ok(());
    }
    let page_of = format!(
        "SELECT {HEAD}, {PIECES} WHERE (kept.tenant, kept.entity, kept.row_id) > ($1, $2, $3) \
         ORDER BY kept.tenant, kept.entity, kept.row_id LIMIT {PAGE}"
    );
    let mut after = (String::new(), String::new(), String::new());
    loop {
        let found = query::<Postgres>(AssertSqlSafe(page_of.clone()))
            .bind(&after.0)
            .bind(&after.1)
            .bind(&after.2)
            .fetch_all(&mut *transaction)
            .await?;
        for row in &found {
            let mut row = kept_row(row)?;
            let key = &row.key;
            after = (key.tenant.as_str().to_owned(), key.entity.to_string(), key.id.as_str().to_owned());
            if !scope.has(key) {
                continue;
            }
            if row.head.snapshot != Seq::ZERO {
                row.history = history::kept(&mut transaction, &row.key).await?;
            }
            if pieces.send(Kept::Row(row)).await.is_err() {
                return Ok(());
            }
        }
        if found.len() < PAGE {
            break;
        }
    }
    if scope.outcomes && !dump_outcomes(&mut transaction, pieces).await? {
        return Ok(());
    }
    if scope.accounts {
        for account in accounts::all(&mut transaction).await? {
            if pieces.send(Kept::Account(account)).await.is_err() {
                return Ok(());
            }
        }
    }
    pieces.send(Kept::End).await.ok();
    transaction.commit().await
}

async fn moment(connection: &mut PgConnection) -> Result<Moment, Error> {
    let rows: i64 =
        query_scalar::<Postgres, _>("SELECT count(*) FROM corella_rows").fetch_one(&mut *connection).await?;
    Ok(Moment {
        epoch: super::migrate::epoch(connection).await?,
        seq: read::last_seq(connection).await?,
        rows: rows.unsigned_abs(),
    })
}

async fn dump_outcomes(connection: &mut PgConnection, pieces: &mpsc::Sender<Kept>) -> Result<bool, Error> {
    let page_of = format!(
        "SELECT tenant, author, key, request, seq, answer, (extract(epoch FROM at) * 1000000)::bigint \
         FROM corella_outcomes WHERE (tenant, author, key) > ($1, $2, $3) \
         ORDER BY tenant, author, key LIMIT {PAGE}"
    );
    let mut after = (String::new(), String::new(), String::new());
    loop {
        let found = query::<Postgres>(AssertSqlSafe(page_of.clone()))
            .bind(&after.0)
            .bind(&after.1)
            .bind(&after.2)
            .fetch_all(&mut *connection)
            .await?;
        for row in &found {
            after = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let kept = KeptOutcome {
                key: OutcomeKey {
                    tenant: Tenant::new(&after.0),
                    author: after.1.as_str().into(),
                    key: after.2.as_str().into(),
                },
                outcome: Outcome {
                    request: Bytes::from(row.try_get::<Vec<u8>, _>(3)?),
                    seq: Seq(row.try_get(4)?),
                    answer: row.try_get(5)?,
                },
                at: timestamp(row.try_get(6)?)?,
            };
            if pieces.send(Kept::Outcome(kept)).await.is_err() {
                return Ok(false);
            }
        }
        if found.len() < PAGE {
            return Ok(true);
        }
    }
}

/// One row as it lies.
pub(super) async fn kept(connection: &mut PgConnection, key: &RowKey) -> Result<Option<KeptRow>, Error> {
    let sql =
        format!("SELECT {HEAD}, {PIECES} WHERE kept.tenant = $1 AND kept.entity = $2 AND kept.row_id = $3");
    let found = query::<Postgres>(AssertSqlSafe(sql))
        .bind(key.tenant.as_str())
        .bind(key.entity.as_str())
        .bind(key.id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let Some(found) = found else { return Ok(None) };
    let mut row = kept_row(&found)?;
    row.history = history::kept(connection, key).await?;
    Ok(Some(row))
}

fn kept_row(row: &PgRow) -> Result<KeptRow, Error> {
    /// Where the row's key starts, behind its head.
    const KEY: usize = HEAD_COLUMNS;
    let entity = EntityName::new(row.try_get(KEY + 1)?).map_err(|error| Error::Decode(error.into()))?;
    let snapshot: Option<Vec<u8>> = row.try_get(KEY + 4)?;
    let sum: Option<i64> = row.try_get(KEY + 5)?;
    let seqs: Vec<i64> = row.try_get::<Option<_>, _>(KEY + 6)?.unwrap_or_default();
    let deltas: Vec<Vec<u8>> = row.try_get::<Option<_>, _>(KEY + 7)?.unwrap_or_default();
    let sums: Vec<i64> = row.try_get::<Option<_>, _>(KEY + 8)?.unwrap_or_default();
    let authors: Vec<Option<String>> = row.try_get::<Option<_>, _>(KEY + 9)?.unwrap_or_default();
    let times: Vec<i64> = row.try_get::<Option<_>, _>(KEY + 10)?.unwrap_or_default();
    let abouts: Vec<Option<String>> = row.try_get::<Option<_>, _>(KEY + 11)?.unwrap_or_default();
    let ends: Vec<Option<Vec<u8>>> = row.try_get::<Option<_>, _>(KEY + 12)?.unwrap_or_default();
    let told = abouts.into_iter().zip(ends);
    let pieces = seqs.into_iter().zip(deltas).zip(sums).zip(authors).zip(times).zip(told);
    let tail = pieces.map(|(((((seq, delta), checksum), author), at), (about, ends))| {
        let delta = Sealed { bytes: Bytes::from(delta), checksum };
        Ok(KeptDelta {
            seq: Seq(seq),
            delta,
            author: author.map(Into::into),
            at: timestamp(at)?,
            about: about.map(|text| About::of_text(Some(&text))),
            ends: ends.map(Bytes::from),
        })
    });
    Ok(KeptRow {
        key: row_key(&entity, row.try_get(KEY)?, row.try_get(KEY + 2)?)?,
        head: stored_head(row, 0)?,
        created_at: timestamp(row.try_get(KEY + 3)?)?,
        snapshot: snapshot
            .map(|bytes| Sealed { bytes: Bytes::from(bytes), checksum: sum.unwrap_or_default() }),
        tail: tail.collect::<Result<_, Error>>()?,
        history: Vec::new(),
    })
}
