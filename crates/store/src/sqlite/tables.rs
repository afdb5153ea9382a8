//! The app's own tables: one per entity, one column per field.

use std::collections::HashMap;

use corella_manifest::{Entity, EntityName, FieldName, FieldType, Manifest};
use corella_query::Identifier;

use crate::{
    port::{BackendError, ColumnDesign, IndexDesign, TableDesign},
    references::{Referrer, referrers},
    schema,
};

/// The tables that a manifest declares, with the statements that write them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables(HashMap<EntityName, Table>);

/// One entity's table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    name: Identifier,
    columns: Vec<Column>,
    indexes: Vec<IndexDesign>,
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
        Self(manifest.entities.iter().map(table).collect())
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
    pub(super) fn new(entity: &Entity, referrers: &[Referrer]) -> Self {
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
        let indexes = schema::indexes(entity, &name, "");
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

    pub(super) fn design(&self) -> TableDesign {
        let columns: String = self.columns.iter().map(|column| format!(", {}", column.sql)).collect();
        let create = format!(
            "CREATE TABLE {} (corella_tenant TEXT NOT NULL, id TEXT NOT NULL{columns}, \
             PRIMARY KEY (corella_tenant, id))",
            self.name
        );
        let column =
            |column: &Column| ColumnDesign { name: column.identifier.clone(), sql: column.sql.clone() };
        TableDesign {
            name: self.name.clone(),
            create,
            columns: self.columns.iter().map(column).collect(),
            indexes: self.indexes.clone(),
        }
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
