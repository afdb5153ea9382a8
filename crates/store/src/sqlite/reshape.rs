//! The app's tables on their way from one schema to the next.

use corella_manifest::EntityName;
use rusqlite::{Connection, Error, TransactionBehavior};

use super::bind::unavailable;
use crate::{
    faults::{KillPoint, point},
    port::{BackendError, Clash, KeptSchema, SchemaAction, TableRecord},
};

pub(super) fn tables(connection: &mut Connection) -> Result<Vec<TableRecord>, Error> {
    // A reader beside a server of an older version finds no such column.
    let knows_missing: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM pragma_table_info('corella_tables') WHERE name = 'missing')",
        [],
        |row| row.get(0),
    )?;
    let missing = if knows_missing { "missing" } else { "stale" };
    let lines = |text: String| text.lines().map(str::to_owned).collect();
    connection
        .prepare(&format!("SELECT entity, columns, indexes, stale, {missing} FROM corella_tables"))?
        .query_map([], |row| {
            Ok(TableRecord {
                entity: row.get(0)?,
                columns: lines(row.get(1)?),
                indexes: lines(row.get(2)?),
                stale: row.get(3)?,
                missing: row.get(4)?,
            })
        })?
        .collect()
}

pub(super) fn schemas(connection: &mut Connection) -> Result<Vec<KeptSchema>, Error> {
    let is_there: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'corella_schemas')",
        [],
        |row| row.get(0),
    )?;
    if !is_there {
        return Ok(Vec::new());
    }
    connection
        .prepare("SELECT fingerprint, record FROM corella_schemas ORDER BY number DESC")?
        .query_map([], |row| Ok(KeptSchema { fingerprint: row.get(0)?, record: row.get(1)? }))?
        .collect()
}

pub(super) fn has_documents(connection: &mut Connection, entity: &EntityName) -> Result<bool, Error> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM corella_rows WHERE entity = ?1)",
        [entity.as_str()],
        |row| row.get(0),
    )
}

pub(super) fn count_documents(connection: &mut Connection, entity: &EntityName) -> Result<u64, Error> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM corella_rows WHERE entity = ?1",
        [entity.as_str()],
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// Makes all actions in one transaction, unless rows clash.
pub(super) fn reshape(
    connection: &mut Connection,
    actions: &[SchemaAction],
) -> Result<Vec<Clash>, BackendError> {
    if actions.is_empty() {
        return Ok(Vec::new());
    }
    let mut work = || -> Result<Vec<Clash>, Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for action in actions {
            match action {
                SchemaAction::Run(sql) | SchemaAction::Keep(sql) => {
                    transaction.execute(sql, [])?;
                    point(KillPoint::MidReshape);
                }
                SchemaAction::Check { sql, entity, fields } => {
                    let clashes = clashes(&transaction, sql, entity, fields)?;
                    if !clashes.is_empty() {
                        // Dropping the transaction takes everything back.
                        return Ok(clashes);
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(Vec::new())
    };
    work().map_err(unavailable)
}

fn clashes(connection: &Connection, sql: &str, entity: &str, fields: &[String]) -> Result<Vec<Clash>, Error> {
    connection
        .prepare(sql)?
        .query_map([], |row| {
            let (entity, fields) = (entity.to_owned(), fields.to_vec());
            Ok(Clash { entity, fields, tenant: row.get(0)?, one: row.get(1)?, other: row.get(2)? })
        })?
        .collect()
}
