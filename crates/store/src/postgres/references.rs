//! Whether rows that units come to name are there, and whether others name what they delete.

use std::collections::{BTreeMap, HashMap, HashSet};

use corella_manifest::{EntityName, FieldName};
use corella_rowdoc::{RowId, RowKey};
use sqlx_core::{error::Error, query_as::query_as, query_scalar::query_scalar, sql_str::AssertSqlSafe};
use sqlx_postgres::{PgConnection, Postgres};

use super::{
    gather::{at, keys},
    judge::Verdict,
    tables::Tables,
};
use crate::{
    port::{ChangeKind, Reference, RowWrite, Unit},
    references::target,
};

/// What stands in the tables of that which the units name, and who names what they delete; kept up as units are
/// accepted.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Those of the rows that are named which stand in their table.
    standing: HashSet<RowKey>,
    /// Who names the rows that are deleted. More than the units write, where there are as many.
    holders: HashMap<RowKey, HashSet<(RowKey, FieldName)>>,
}

impl References {
    /// Reads what there is.
    pub(super) async fn gather(
        connection: &mut PgConnection,
        tables: &Tables,
        units: &[Unit],
    ) -> Result<Self, Error> {
        let mut references = Self::default();
        let named = units.iter().flat_map(|unit| &unit.references).map(|reference| &reference.target);
        for (entity, wanted) in by_entity(named) {
            references.standing(connection, tables, entity, &wanted).await?;
        }
        // Units may move as many holders away as they write rows.
        let most = 1 + units.iter().map(|unit| unit.writes.len()).sum::<usize>();
        let deleted = units.iter().flat_map(|unit| &unit.writes).filter(|write| is_deletion(write));
        for (entity, wanted) in by_entity(deleted.map(|write| &write.key)) {
            references.holders(connection, tables, entity, &wanted, most).await?;
        }
        Ok(references)
    }

    async fn standing(
        &mut self,
        connection: &mut PgConnection,
        tables: &Tables,
        entity: &EntityName,
        wanted: &[&RowKey],
    ) -> Result<(), Error> {
        let Some(table) = tables.find(entity) else { return Ok(()) };
        let [tenants, _, ids] = keys(wanted.iter().copied());
        let sql = AssertSqlSafe(std::sync::Arc::clone(&table.standing));
        let found: Vec<i64> =
            query_scalar::<Postgres, _>(sql).bind(tenants).bind(ids).fetch_all(connection).await?;
        for place in found {
            self.standing.insert(at(wanted, place)?.clone());
        }
        Ok(())
    }

    async fn holders(
        &mut self,
        connection: &mut PgConnection,
        tables: &Tables,
        entity: &EntityName,
        wanted: &[&RowKey],
        most: usize,
    ) -> Result<(), Error> {
        let Some(table) = tables.find(entity) else { return Ok(()) };
        for key in wanted {
            self.holders.entry((*key).clone()).or_default();
        }
        for holders in &table.holders {
            let [tenants, _, ids] = keys(wanted.iter().copied());
            let sql = AssertSqlSafe(std::sync::Arc::clone(&holders.find));
            let found: Vec<(i64, String)> = query_as::<Postgres, _>(sql)
                .bind(tenants)
                .bind(ids)
                .bind(i64::try_from(most).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            for (place, id) in found {
                let key = at(wanted, place)?;
                let id = RowId::new(&id).map_err(|error| Error::Decode(error.into()))?;
                let holder = RowKey { tenant: key.tenant.clone(), entity: holders.entity.clone(), id };
                self.holders.entry(key.clone()).or_default().insert((holder, holders.field.clone()));
            }
        }
        Ok(())
    }

    /// Whether a unit leaves nothing that names a row which is not there.
    pub(super) fn check(&self, tables: &Tables, unit: &Unit) -> Result<(), Verdict> {
        let own: HashMap<&RowKey, &RowWrite> = unit.writes.iter().map(|write| (&write.key, write)).collect();
        for reference in &unit.references {
            let stands = match own.get(&reference.target) {
                Some(write) => !write.projection.deleted,
                None => self.standing.contains(&reference.target),
            };
            if !stands {
                return Err(Verdict::Dangling(reference.clone()));
            }
        }
        for write in unit.writes.iter().filter(|write| is_deletion(write)) {
            let held = self.holders.get(&write.key).into_iter().flatten();
            let others = held.filter(|(holder, _)| !own.contains_key(holder));
            let others = others.map(|(holder, field)| Reference {
                holder: holder.clone(),
                field: field.clone(),
                target: write.key.clone(),
            });
            let named = unit.writes.iter().flat_map(|other| named_by(tables, other));
            if let Some(held) = others.chain(named.filter(|named| named.target == write.key)).min() {
                return Err(Verdict::Held(held));
            }
        }
        Ok(())
    }

    /// Takes in what an accepted unit writes.
    pub(super) fn accept(&mut self, tables: &Tables, unit: &Unit) {
        for write in &unit.writes {
            if write.projection.deleted {
                self.standing.remove(&write.key);
            } else {
                self.standing.insert(write.key.clone());
            }
            if self.holders.is_empty() {
                continue;
            }
            for holders in self.holders.values_mut() {
                holders.retain(|(holder, _)| *holder != write.key);
            }
            for Reference { holder, field, target } in named_by(tables, write) {
                if let Some(holders) = self.holders.get_mut(&target) {
                    holders.insert((holder, field));
                }
            }
        }
    }
}

fn is_deletion(write: &RowWrite) -> bool {
    write.kind == ChangeKind::Delete
}

/// What a row names once it is written.
fn named_by<'a>(tables: &'a Tables, write: &'a RowWrite) -> impl Iterator<Item = Reference> + 'a {
    let table = tables.find(&write.key.entity).filter(|_| !write.projection.deleted);
    table.into_iter().flat_map(|table| &table.references).filter_map(|(position, field, entity)| {
        let target = target(&write.key, entity, write.projection.values.get(*position))?;
        Some(Reference { holder: write.key.clone(), field: field.clone(), target })
    })
}

fn by_entity<'a>(keys: impl Iterator<Item = &'a RowKey>) -> BTreeMap<&'a EntityName, Vec<&'a RowKey>> {
    let mut by_entity: BTreeMap<&EntityName, Vec<&RowKey>> = BTreeMap::new();
    for key in keys {
        by_entity.entry(&key.entity).or_default().push(key);
    }
    by_entity
}
