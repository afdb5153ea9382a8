//! Writing rows' columns again, without a change in the log.

use corella_rowdoc::{Projection, RowKey};
use sqlx_core::{error::Error, query_scalar::query_scalar, raw_sql::raw_sql};
use sqlx_postgres::{PgConnection, Postgres};

use super::{append::project, failure::is_of_values, gather::keys, locks, tables::Table};
use crate::port::Seq;

/// Writes the columns of these rows again, leaving out those that have moved on since, and those whose values the
/// database does not take.
pub(super) async fn reproject(
    connection: &mut PgConnection,
    table: &Table,
    rows: &[(RowKey, Seq, Projection)],
) -> Result<(), Error> {
    raw_sql(locks::BEGIN_COMMITTING).execute(&mut *connection).await?;
    let current = current(connection, rows).await?;
    let lines: Vec<(&RowKey, &Projection)> = rows
        .iter()
        .zip(current)
        .filter(|(_, current)| *current)
        .map(|((key, _, projection), _)| (key, projection))
        .collect();
    raw_sql("SAVEPOINT page").execute(&mut *connection).await?;
    match project(connection, table, &lines).await {
        Ok(()) => {}
        Err(error) if is_of_values(&error) => {
            raw_sql("ROLLBACK TO SAVEPOINT page").execute(&mut *connection).await?;
            one_by_one(connection, table, &lines).await?;
        }
        Err(error) => return Err(error),
    }
    raw_sql("COMMIT").execute(connection).await.map(drop)
}

/// Locks the rows, and says of each whether it still is at the change that is expected of it.
async fn current(
    connection: &mut PgConnection,
    rows: &[(RowKey, Seq, Projection)],
) -> Result<Vec<bool>, Error> {
    let [tenants, entities, ids] = keys(rows.iter().map(|(key, _, _)| key));
    let places: Vec<i64> = query_scalar::<Postgres, _>(
        "SELECT wanted.place FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) WITH ORDINALITY \
         AS wanted (tenant, entity, row_id, seq, place) JOIN corella_rows AS line USING (tenant, entity, row_id) \
         WHERE line.head_seq = wanted.seq ORDER BY line.tenant, line.entity, line.row_id FOR UPDATE OF line",
    )
    .bind(tenants)
    .bind(entities)
    .bind(ids)
    .bind(rows.iter().map(|(_, seq, _)| seq.0).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut current = vec![false; rows.len()];
    for place in places {
        let index = usize::try_from(place - 1).unwrap_or(usize::MAX);
        if let Some(row) = current.get_mut(index) {
            *row = true;
        }
    }
    Ok(current)
}

async fn one_by_one(
    connection: &mut PgConnection,
    table: &Table,
    lines: &[(&RowKey, &Projection)],
) -> Result<(), Error> {
    for line in lines {
        raw_sql("SAVEPOINT line").execute(&mut *connection).await?;
        match project(connection, table, std::slice::from_ref(line)).await {
            Ok(()) => {}
            Err(error) if is_of_values(&error) => {
                raw_sql("ROLLBACK TO SAVEPOINT line").execute(&mut *connection).await?;
                tracing::error!(
                    row = %line.0,
                    error = &error as &dyn std::error::Error,
                    "the table does not take a row, its line is left out"
                );
            }
            Err(error) => return Err(error),
        }
        raw_sql("RELEASE SAVEPOINT line").execute(&mut *connection).await?;
    }
    Ok(())
}
