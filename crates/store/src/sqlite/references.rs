//! Whether rows that a unit has come to name are there, and whether others name what it has deleted.

use corella_rowdoc::{RowId, RowKey};
use rusqlite::{Connection, Error};

use super::{commit::Halt, tables::Tables};
use crate::port::{BackendError, ChangeKind, Reference, RowWrite, Unit, UnitOutcome};

/// Looks at what `unit` has written, whole.
pub(super) fn check(connection: &Connection, tables: &Tables, unit: &Unit) -> Result<(), Halt> {
    for reference in &unit.references {
        let target = &reference.target;
        let table = tables.get(&target.entity).map_err(unknown)?;
        let place = (target.tenant.as_str(), target.id.as_str());
        if !connection.prepare_cached(&table.exists)?.exists(place)? {
            return Err(Halt::Outcome(UnitOutcome::Dangling(reference.clone())));
        }
    }
    for write in unit.writes.iter().filter(|write| write.kind == ChangeKind::Delete) {
        if let Some(held) = holder(connection, tables, write)? {
            return Err(Halt::Outcome(UnitOutcome::Held(held)));
        }
    }
    Ok(())
}

/// Somebody who names the row.
fn holder(connection: &Connection, tables: &Tables, write: &RowWrite) -> Result<Option<Reference>, Halt> {
    let RowKey { tenant, entity, id } = &write.key;
    for holders in &tables.get(entity).map_err(unknown)?.holders {
        let mut find = connection.prepare_cached(&holders.find)?;
        let found = find.query_map((tenant.as_str(), id.as_str()), |row| row.get::<_, String>(0))?.next();
        let Some(id) = found.transpose()?.and_then(|id| RowId::new(&id).ok()) else { continue };
        let holder = RowKey { tenant: tenant.clone(), entity: holders.entity.clone(), id };
        return Ok(Some(Reference { holder, field: holders.field.clone(), target: write.key.clone() }));
    }
    Ok(None)
}

fn unknown(error: BackendError) -> Halt {
    Halt::Error(Error::ToSqlConversionFailure(Box::new(error)))
}
