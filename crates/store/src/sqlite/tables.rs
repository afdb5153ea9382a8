//! The app's own tables: one per entity, one column per field.

use std::collections::HashMap;

use corella_manifest::{Entity, EntityName, FieldName, FieldType, Manifest};
use corella_query::Identifier;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::bind::unavailable;
use crate::{
    port::{BackendError, Opened},
    references::{Referrer, referrers, unindexed},
};

/// The tables that a manifest declares, with the statements that write them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables(HashMap<EntityName, Table>);

/// One entity's table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    name: Identifier,
    columns: Vec<Column>,
    indexes: Vec<String>,
    /// Each set of fields in which no two rows may agree.
    pub(super) unique: Vec<Vec<FieldName>>,
    /// Inserts or replaces a row: tenant, id, then every column.
    pub(super) upsert: String,
    /// Takes a row out: tenant, id.
    pub(super) delete: String,
    /// Finds out whether a row is there: tenant, id.
    pub(super) exists: String,
    /// The fields that name this table's rows.
    pub(super) holders: Vec<Holders>,
}

/// A field that names rows of a table.
#[derive(Debug, Clone)]
pub(super) struct Holders {
    /// The entity that has it.
    pub(super) entity: EntityName,
    pub(super) field: FieldName,
    /// Finds a row that names another: tenant, the other's id.
    pub(super) find: String,
}

impl Holders {
    fn new(Referrer { entity, field, .. }: &Referrer) -> Self {
        let (table, column) = (Identifier::from(entity), Identifier::from(field));
        let find = format!("SELECT id FROM {table} WHERE corella_tenant = ?1 AND {column} = ?2 LIMIT 1");
        Self { entity: entity.clone(), field: field.clone(), find }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    identifier: Identifier,
    sql: String,
}

impl Column {
    fn new(identifier: Identifier, ty: &FieldType) -> Self {
        let sql = format!("{identifier} {}", sql_type(ty));
        Self { name: identifier.as_str().to_owned(), identifier, sql }
    }
}

impl Tables {
    pub(super) fn new(manifest: &Manifest) -> Self {
        let referrers = referrers(manifest);
        let table = |entity: &Entity| {
            let referrers = referrers.get(&entity.name).map_or(&[][..], Vec::as_slice);
            (entity.name.clone(), Table::new(entity, referrers))
        };
        Self(manifest.entities.iter().filter(|entity| entity.crdt).map(table).collect())
    }

    /// The table of an entity that the manifest declares.
    pub(super) fn get(&self, entity: &EntityName) -> Result<&Table, BackendError> {
        self.0.get(entity).ok_or_else(|| {
            BackendError::Unavailable(
                format!("the entity {entity} is not in the manifest that is served").into(),
            )
        })
    }
}

impl Table {
    fn new(entity: &Entity, referrers: &[Referrer]) -> Self {
        let name = Identifier::from(&entity.name);
        let declared =
            entity.fields.iter().map(|field| Column::new(Identifier::from(&field.name), &field.ty));
        let whole = entity.open.then(|| Column::new(Identifier::fixed("value"), &FieldType::Json));
        let columns: Vec<Column> = declared.chain(whole).collect();
        let unique: Vec<Vec<FieldName>> = entity
            .fields
            .iter()
            .filter(|field| field.unique)
            .map(|field| vec![field.name.clone()])
            .chain(entity.indexes.iter().filter(|index| index.unique).map(|index| index.fields.clone()))
            .collect();
        let indexes = indexes(entity, &name);
        let quoted: Vec<String> = columns.iter().map(|column| column.identifier.to_string()).collect();
        let places: Vec<String> = (1..=quoted.len() + 2).map(|place| format!("?{place}")).collect();
        let listed: String = quoted.iter().map(|column| format!(", {column}")).collect();
        let updates: Vec<String> =
            quoted.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let on_conflict =
            if updates.is_empty() { "NOTHING".into() } else { format!("UPDATE SET {}", updates.join(", ")) };
        let upsert = format!(
            "INSERT INTO {name} (corella_tenant, id{listed}) VALUES ({}) \
             ON CONFLICT (corella_tenant, id) DO {on_conflict}",
            places.join(", ")
        );
        let delete = format!("DELETE FROM {name} WHERE corella_tenant = ?1 AND id = ?2");
        let exists = format!("SELECT 1 FROM {name} WHERE corella_tenant = ?1 AND id = ?2");
        let holders = referrers.iter().map(Holders::new).collect();
        Self { name, columns, indexes, unique, upsert, delete, exists, holders }
    }

    pub(super) fn name(&self) -> &Identifier {
        &self.name
    }

    /// The statement that reads one row: tenant, id.
    pub(super) fn line(&self) -> String {
        let columns: String = self.columns.iter().map(|column| format!(", {}", column.identifier)).collect();
        format!("SELECT id{columns} FROM {} WHERE corella_tenant = ?1 AND id = ?2", self.name)
    }

    /// The place of a field among the columns.
    pub(super) fn position(&self, field: &FieldName) -> Option<usize> {
        self.columns.iter().position(|column| column.name == field.as_str())
    }

    /// What the database records of the table, to see at the next start whether it is still as declared.
    fn record(&self) -> String {
        self.columns.iter().map(|column| column.sql.as_str()).collect::<Vec<_>>().join("\n")
    }

    fn create(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        let columns: String = self.columns.iter().map(|column| format!(", {}", column.sql)).collect();
        transaction.execute_batch(&format!(
            "CREATE TABLE {} (corella_tenant TEXT NOT NULL, id TEXT NOT NULL{columns}, \
             PRIMARY KEY (corella_tenant, id))",
            self.name
        ))
    }
}

fn sql_type(ty: &FieldType) -> &'static str {
    match ty {
        FieldType::String | FieldType::Id(_) | FieldType::Datetime | FieldType::Enum(_) => "TEXT",
        FieldType::Richtext | FieldType::Document | FieldType::Json => "TEXT",
        FieldType::Int | FieldType::Bool => "INTEGER",
        FieldType::Float => "REAL",
        FieldType::Bytes => "BLOB",
    }
}

/// The statements that make an entity's indexes, each led by the tenant.
fn indexes(entity: &Entity, table: &Identifier) -> Vec<String> {
    let of_fields = entity.fields.iter().filter(|field| field.unique).map(|field| {
        let name = Identifier::index(&entity.name, &format!("unique {}", field.name));
        (name, std::slice::from_ref(&field.name), true)
    });
    let declared = entity.indexes.iter().map(|index| {
        let name = Identifier::index(&entity.name, &format!("index {}", index.name));
        (name, index.fields.as_slice(), index.unique)
    });
    let of_references = unindexed(entity).map(|field| {
        let name = Identifier::index(&entity.name, &format!("reference {field}"));
        (name, std::slice::from_ref(field), false)
    });
    of_fields
        .chain(declared)
        .chain(of_references)
        .map(|(name, fields, unique)| {
            let unique = if unique { "UNIQUE " } else { "" };
            let columns: String =
                fields.iter().map(|field| format!(", {}", Identifier::from(field))).collect();
            format!("CREATE {unique}INDEX {name} ON {table} (corella_tenant{columns})")
        })
        .collect()
}

/// Makes, widens or renews tables until they are as declared; says which have to be filled again.
pub(super) fn bring_to(connection: &mut Connection, wanted: &Tables) -> Result<Opened, BackendError> {
    let mut work = || -> Result<Opened, rusqlite::Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut rebuild = Vec::new();
        for (entity, table) in &wanted.0 {
            if bring_one(&transaction, entity, table)? {
                rebuild.push(entity.to_string());
            }
        }
        transaction.commit()?;
        rebuild.sort();
        Ok(Opened { rebuild })
    };
    work().map_err(unavailable)
}

/// Whether the table has to be filled again.
fn bring_one(
    transaction: &Transaction<'_>,
    entity: &EntityName,
    table: &Table,
) -> Result<bool, rusqlite::Error> {
    let recorded = transaction
        .prepare_cached("SELECT columns, indexes, stale FROM corella_tables WHERE entity = ?1")?
        .query_map([entity.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .next()
        .transpose()?;
    let (columns, indexes) = (table.record(), table.indexes.join("\n"));
    let (old_columns, old_indexes, was_stale): (String, String, bool) = match recorded {
        Some(recorded) => recorded,
        None => {
            table.create(transaction)?;
            (columns.clone(), String::new(), has_documents(transaction, entity)?)
        }
    };
    let mut stale = was_stale;
    if old_columns != columns {
        let old: Vec<&str> = old_columns.lines().collect();
        let only_more = old.iter().all(|line| table.columns.iter().any(|column| column.sql == *line));
        if only_more {
            for column in table.columns.iter().filter(|column| !old.contains(&column.sql.as_str())) {
                transaction
                    .execute_batch(&format!("ALTER TABLE {} ADD COLUMN {}", table.name, column.sql))?;
            }
        } else {
            transaction.execute_batch(&format!("DROP TABLE {}", table.name))?;
            table.create(transaction)?;
        }
        stale = has_documents(transaction, entity)?;
    }
    if old_indexes != indexes || old_columns != columns {
        renew_indexes(transaction, table)?;
    }
    transaction.execute(
        "INSERT INTO corella_tables (entity, columns, indexes, stale) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT (entity) DO UPDATE SET columns = excluded.columns, indexes = excluded.indexes, \
         stale = excluded.stale",
        (entity.as_str(), &columns, &indexes, stale),
    )?;
    Ok(stale)
}

fn has_documents(transaction: &Transaction<'_>, entity: &EntityName) -> Result<bool, rusqlite::Error> {
    transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM corella_rows WHERE entity = ?1)",
        [entity.as_str()],
        |row| row.get(0),
    )
}

fn renew_indexes(transaction: &Transaction<'_>, table: &Table) -> Result<(), rusqlite::Error> {
    let old: Vec<String> = transaction
        .prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = ?1 AND name LIKE 'corella\\_%' \
             ESCAPE '\\'",
        )?
        .query_map([table.name.as_str()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for name in old {
        transaction.execute_batch(&format!("DROP INDEX {}", Identifier::of_catalogue(name)))?;
    }
    table.indexes.iter().try_for_each(|index| transaction.execute_batch(index))
}

/// Records that an entity's table has been filled again.
pub(super) fn rebuilt(
    connection: &Connection,
    tables: &Tables,
    entity: &EntityName,
) -> Result<(), BackendError> {
    tables.get(entity)?;
    connection
        .execute("UPDATE corella_tables SET stale = 0 WHERE entity = ?1", [entity.as_str()])
        .map(drop)
        .map_err(unavailable)
}
