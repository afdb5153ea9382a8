//! Damaged rows made whole: what is replaced is set aside first.

use corella_manifest::Entity;
use corella_rowdoc::RowKey;
use jiff::Timestamp;
use sqlx_core::{
    error::Error, query::query, query_scalar::query_scalar, raw_sql::raw_sql, sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, Postgres};

use super::{append::project, bind::Moment, dump, gather, history, locks, read, tables::Table};
use crate::port::{KeptRow, Mend, MendOutcome, REPAIR, Sealed, Seq, checksum};

/// A stored piece on its way out.
struct Aside<'a> {
    key: &'a RowKey,
    piece: &'static str,
    seq: Seq,
    sealed: &'a Sealed,
    what: &'a str,
    at: Timestamp,
}

impl Aside<'_> {
    async fn keep(&self, connection: &mut PgConnection) -> Result<(), Error> {
        query::<Postgres>(
            "INSERT INTO corella_damaged (tenant, entity, row_id, piece, seq, bytes, checksum, what, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(self.key.tenant.as_str())
        .bind(self.key.entity.as_str())
        .bind(self.key.id.as_str())
        .bind(self.piece)
        .bind(self.seq.0)
        .bind(&self.sealed.bytes[..])
        .bind(self.sealed.checksum)
        .bind(self.what)
        .bind(Moment(self.at))
        .execute(connection)
        .await
        .map(drop)
    }
}

/// Puts a mended row in the place of a damaged one.
pub(super) async fn mend(
    connection: &mut PgConnection,
    table: &Table,
    mend: &Mend,
) -> Result<MendOutcome, Error> {
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    let outcome = mend_within(connection, table, mend).await?;
    let end = match outcome {
        MendOutcome::Mended(_) => "COMMIT",
        MendOutcome::Stale | MendOutcome::NotUnique { .. } => "ROLLBACK",
    };
    raw_sql(end).execute(connection).await?;
    Ok(outcome)
}

async fn mend_within(
    connection: &mut PgConnection,
    table: &Table,
    mend: &Mend,
) -> Result<MendOutcome, Error> {
    let (tenant, entity, id) = (mend.key.tenant.as_str(), mend.key.entity.as_str(), mend.key.id.as_str());
    // A fold must not change the row from here on.
    query::<Postgres>(
        "SELECT 1 FROM corella_rows WHERE tenant = $1 AND entity = $2 AND row_id = $3 FOR UPDATE",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .execute(&mut *connection)
    .await?;
    let row = dump::kept(connection, &mend.key).await?;
    let Some(row) = row.filter(|row| row.head.head == mend.known_head) else { return Ok(MendOutcome::Stale) };
    if let Some((fields, holder)) = gather::holder(connection, table, &mend.key, &mend.projection).await? {
        return Ok(MendOutcome::NotUnique { fields, holder: Some(holder) });
    }
    set_aside(connection, &row, mend).await?;
    let seq = Seq(read::last_seq(connection).await?.0 + 1);
    history::keep_of_tail(connection, &mend.key, Seq(i64::MAX), &[]).await?;
    history::put(connection, &[(&mend.key, &mend.line(seq))]).await?;
    query::<Postgres>("DELETE FROM corella_tail WHERE tenant = $1 AND entity = $2 AND row_id = $3")
        .bind(tenant)
        .bind(entity)
        .bind(id)
        .execute(&mut *connection)
        .await?;
    query::<Postgres>(
        "INSERT INTO corella_snapshots (tenant, entity, row_id, snapshot, checksum) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, entity, row_id) DO UPDATE SET snapshot = excluded.snapshot, \
         checksum = excluded.checksum",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .bind(&mend.snapshot[..])
    .bind(checksum(&mend.snapshot))
    .execute(&mut *connection)
    .await?;
    query::<Postgres>(
        "WITH logged AS (INSERT INTO corella_changes (seq, tenant, entity, row_id, kind, at) \
         VALUES ($4, $1, $2, $3, $7, $8)) \
         UPDATE corella_rows SET head_seq = $4, head_version = $5, snapshot_seq = $4, snapshot_version = $5, \
         projected_seq = $4, deleted = $6 WHERE tenant = $1 AND entity = $2 AND row_id = $3",
    )
    .bind(tenant)
    .bind(entity)
    .bind(id)
    .bind(seq.0)
    .bind(&mend.version[..])
    .bind(mend.projection.deleted)
    .bind(REPAIR)
    .bind(Moment(mend.at))
    .execute(&mut *connection)
    .await?;
    project(connection, table, &[(&mend.key, &mend.projection)]).await?;
    Ok(MendOutcome::Mended(seq))
}

async fn set_aside(connection: &mut PgConnection, row: &KeptRow, mend: &Mend) -> Result<(), Error> {
    let snapshot = row.snapshot.iter().map(|sealed| ("snapshot", row.head.snapshot, sealed));
    let tail = row.tail.iter().map(|entry| ("delta", entry.seq, &entry.delta));
    for (piece, seq, sealed) in snapshot.chain(tail) {
        let aside = Aside { key: &row.key, piece, seq, sealed, what: &mend.fault, at: mend.at };
        aside.keep(connection).await?;
    }
    Ok(())
}

/// Takes lines out of an entity's table.
pub(super) async fn take_out(
    connection: &mut PgConnection,
    table: &Table,
    entity: &Entity,
    keys: &[RowKey],
    what: &str,
) -> Result<(), Error> {
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    let sql = format!(
        "DELETE FROM {} AS line WHERE corella_tenant = $1 AND id = $2 RETURNING to_jsonb(line)::text",
        table.name()
    );
    for key in keys.iter().filter(|key| key.entity == entity.name) {
        let line: Option<String> = query_scalar::<Postgres, _>(AssertSqlSafe(sql.clone()))
            .bind(key.tenant.as_str())
            .bind(key.id.as_str())
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(line) = line {
            let sealed = Sealed::new(line.into_bytes().into());
            let at = Timestamp::now();
            Aside { key, piece: "line", seq: Seq::ZERO, sealed: &sealed, what, at }.keep(connection).await?;
        }
    }
    raw_sql("COMMIT").execute(connection).await.map(drop)
}
