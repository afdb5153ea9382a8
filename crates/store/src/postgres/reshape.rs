//! The app's tables on their way from one schema to the next.

use corella_manifest::EntityName;
use sqlx_core::{
    connection::Connection as _, error::Error, query_as::query_as, query_scalar::query_scalar,
    raw_sql::raw_sql, sql_str::AssertSqlSafe,
};
use sqlx_postgres::{PgConnection, Postgres};

use super::tenants::SECURE;
use crate::{
    faults::{KillPoint, point},
    port::{Clash, KeptSchema, SchemaAction, TableRecord},
};

pub(super) async fn tables(connection: &mut PgConnection) -> Result<Vec<TableRecord>, Error> {
    // A reader beside a server of an older version finds no such column.
    let knows_missing: bool = query_scalar::<Postgres, _>(
        "SELECT EXISTS (SELECT 1 FROM information_schema.columns WHERE table_schema = current_schema() \
         AND table_name = 'corella_tables' AND column_name = 'missing')",
    )
    .fetch_one(&mut *connection)
    .await?;
    let missing = if knows_missing { "missing" } else { "stale" };
    let sql = format!("SELECT entity, columns, indexes, stale, {missing} FROM corella_tables");
    let found: Vec<(String, String, String, bool, bool)> =
        query_as::<Postgres, _>(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let lines = |text: &str| text.lines().map(str::to_owned).collect();
    Ok(found
        .into_iter()
        .map(|(entity, columns, indexes, stale, missing)| {
            let (columns, indexes) = (lines(&columns), lines(&indexes));
            TableRecord { entity, columns, indexes, stale, missing }
        })
        .collect())
}

pub(super) async fn schemas(connection: &mut PgConnection) -> Result<Vec<KeptSchema>, Error> {
    let is_there: bool = query_scalar::<Postgres, _>("SELECT to_regclass('corella_schemas') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(Vec::new());
    }
    let found: Vec<(String, String)> =
        query_as::<Postgres, _>("SELECT fingerprint, record FROM corella_schemas ORDER BY number DESC")
            .fetch_all(connection)
            .await?;
    Ok(found.into_iter().map(|(fingerprint, record)| KeptSchema { fingerprint, record }).collect())
}

pub(super) async fn has_documents(connection: &mut PgConnection, entity: &EntityName) -> Result<bool, Error> {
    query_scalar::<Postgres, _>("SELECT EXISTS (SELECT 1 FROM corella_rows WHERE entity = $1)")
        .bind(entity.as_str())
        .fetch_one(connection)
        .await
}

pub(super) async fn count_documents(
    connection: &mut PgConnection,
    entity: &EntityName,
) -> Result<u64, Error> {
    let count: i64 = query_scalar::<Postgres, _>("SELECT count(*) FROM corella_rows WHERE entity = $1")
        .bind(entity.as_str())
        .fetch_one(connection)
        .await?;
    Ok(count.unsigned_abs())
}

/// Makes all actions in one transaction, unless rows clash.
pub(super) async fn reshape(
    connection: &mut PgConnection,
    actions: &[SchemaAction],
) -> Result<Vec<Clash>, Error> {
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let mut transaction = connection.begin().await?;
    // Filling a large table with indexes takes its time, and other servers' writes are waited for.
    raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").execute(&mut *transaction).await?;
    for action in actions {
        match action {
            SchemaAction::Run(sql) | SchemaAction::Keep(sql) => {
                raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *transaction).await?;
                point(KillPoint::MidReshape);
            }
            SchemaAction::Check { sql, entity, fields } => {
                let found: Vec<(String, String, String)> =
                    query_as::<Postgres, _>(AssertSqlSafe(sql.clone())).fetch_all(&mut *transaction).await?;
                if !found.is_empty() {
                    transaction.rollback().await?;
                    let clash = |(tenant, one, other)| {
                        let (entity, fields) = (entity.clone(), fields.clone());
                        Clash { entity, fields, tenant, one, other }
                    };
                    return Ok(found.into_iter().map(clash).collect());
                }
            }
        }
    }
    raw_sql(SECURE).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Vec::new())
}
