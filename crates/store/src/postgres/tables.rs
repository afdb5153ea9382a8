//! The app's own tables: one per entity, one column per field.

use std::{collections::HashMap, sync::Arc};

use corella_manifest::{Entity, EntityName, FieldName, FieldType, Manifest};
use corella_query::Identifier;

use crate::{
    port::{BackendError, ColumnDesign, IndexDesign, TableDesign},
    references::{Referrer, id_fields, referrers},
    schema,
};

/// The tables that a manifest declares, with the statements that write them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables(HashMap<EntityName, Table>);

/// One entity's table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    name: Identifier,
    pub(super) columns: Vec<Column>,
    indexes: Vec<IndexDesign>,
    /// Each set of fields in which no two rows may agree.
    pub(super) unique: Vec<Unique>,
    /// Inserts or replaces rows: an array of tenants, one of ids, then one for every column.
    pub(super) upsert: Arc<str>,
    /// Takes rows out: an array of tenants, one of ids.
    pub(super) delete: Arc<str>,
    /// Finds those rows that are there: an array of tenants, one of ids. Gives their places in the arrays, from 1.
    pub(super) standing: Arc<str>,
    /// The columns that name rows: their place, their field, and the entity.
    pub(super) references: Vec<(usize, FieldName, EntityName)>,
    /// The fields that name this table's rows.
    pub(super) holders: Vec<Holders>,
}

/// A field that names rows of a table.
#[derive(Debug, Clone)]
pub(super) struct Holders {
    /// The entity that has it.
    pub(super) entity: EntityName,
    pub(super) field: FieldName,
    /// Finds rows that name others: an array of tenants, one of the others' ids, and how many rows for each of them at
    /// most. Gives the other's place in the arrays, from 1, and the id.
    pub(super) find: Arc<str>,
}

impl Holders {
    fn new(Referrer { entity, field, .. }: &Referrer) -> Self {
        let (table, column) = (Identifier::from(entity), Identifier::from(field));
        let find = format!(
            "SELECT wanted.place, line.id FROM unnest($1::text[], $2::text[]) WITH ORDINALITY \
             AS wanted (tenant, id, place) JOIN LATERAL (SELECT holder.id FROM {table} AS holder \
             WHERE holder.corella_tenant = wanted.tenant AND holder.{column} = wanted.id LIMIT $3) AS line ON true"
        );
        Self { entity: entity.clone(), field: field.clone(), find: find.into() }
    }
}

/// Fields in which no two rows may agree.
#[derive(Debug, Clone)]
pub(super) struct Unique {
    pub(super) fields: Vec<FieldName>,
    /// Where they stand among the columns.
    pub(super) positions: Vec<usize>,
    /// Finds the rows that hold values: an array of tenants, then one for every field. Gives the value's place in the
    /// arrays, from 1, and the id.
    pub(super) holders: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    name: String,
    identifier: Identifier,
    pub(super) ty: FieldType,
    sql: String,
}

impl Column {
    fn new(identifier: Identifier, ty: &FieldType) -> Self {
        // Texts are compared by their bytes, as everywhere else.
        let collation = if sql_type(ty) == "text" { " COLLATE \"C\"" } else { "" };
        let sql = format!("{identifier} {}{collation}", sql_type(ty));
        Self { name: identifier.as_str().to_owned(), identifier, ty: ty.clone(), sql }
    }
}

fn sql_type(ty: &FieldType) -> &'static str {
    match ty {
        FieldType::String | FieldType::Id(_) | FieldType::Enum(_) => "text",
        FieldType::Richtext | FieldType::Document => "text",
        FieldType::Datetime => "timestamptz",
        FieldType::Json => "jsonb",
        FieldType::Int => "bigint",
        FieldType::Bool => "boolean",
        FieldType::Float => "double precision",
        FieldType::Bytes => "bytea",
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
        self.find(entity).ok_or_else(|| {
            BackendError::Unavailable(
                format!("the entity {entity} is not in the manifest that is served").into(),
            )
        })
    }

    pub(super) fn find(&self, entity: &EntityName) -> Option<&Table> {
        self.0.get(entity)
    }
}

impl Table {
    pub(super) fn new(entity: &Entity, referrers: &[Referrer]) -> Self {
        let name = Identifier::from(&entity.name);
        let declared =
            entity.fields.iter().map(|field| Column::new(Identifier::from(&field.name), &field.ty));
        let whole = entity.open.then(|| Column::new(Identifier::fixed("value"), &FieldType::Json));
        let columns: Vec<Column> = declared.chain(whole).collect();
        let single = entity.fields.iter().filter(|field| field.unique).map(|field| vec![field.name.clone()]);
        let declared = entity.indexes.iter().filter(|index| index.unique).map(|index| index.fields.clone());
        let unique = single.chain(declared).map(|fields| Unique::new(&name, &columns, fields)).collect();
        // Queries order null before all values, and end with the id.
        let indexes = schema::indexes(entity, &name, " NULLS FIRST");
        let listed: String = columns.iter().map(|column| format!(", {}", column.identifier)).collect();
        let updates: Vec<String> =
            columns.iter().map(|column| format!("{0} = excluded.{0}", column.identifier)).collect();
        let on_conflict =
            if updates.is_empty() { "NOTHING".into() } else { format!("UPDATE SET {}", updates.join(", ")) };
        let arrays =
            arrays(["text", "text"].into_iter().chain(columns.iter().map(|column| sql_type(&column.ty))));
        let upsert = format!(
            "INSERT INTO {name} (corella_tenant, id{listed}) SELECT * FROM unnest({arrays}) \
             ON CONFLICT (corella_tenant, id) DO {on_conflict}",
        )
        .into();
        let delete = format!(
            "DELETE FROM {name} AS line USING unnest($1::text[], $2::text[]) AS gone (tenant, id) \
             WHERE line.corella_tenant = gone.tenant AND line.id = gone.id"
        )
        .into();
        let standing = format!(
            "SELECT wanted.place FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (tenant, id, place) \
             JOIN {name} AS line ON line.corella_tenant = wanted.tenant AND line.id = wanted.id"
        )
        .into();
        let references = id_fields(entity)
            .map(|(position, field, target)| (position, field.name.clone(), target.clone()))
            .collect();
        let holders = referrers.iter().map(Holders::new).collect();
        Self { name, columns, indexes, unique, upsert, delete, standing, references, holders }
    }

    pub(super) fn name(&self) -> &Identifier {
        &self.name
    }

    /// The columns of a row's line, each behind a comma and under the alias `line`, without the id.
    pub(super) fn listed(&self) -> String {
        self.columns.iter().map(|column| format!(", line.{}", column.identifier)).collect()
    }

    pub(super) fn design(&self) -> TableDesign {
        let columns: String = self.columns.iter().map(|column| format!(", {}", column.sql)).collect();
        let create = format!(
            "CREATE TABLE {} (corella_tenant text COLLATE \"C\" NOT NULL, id text COLLATE \"C\" NOT NULL{columns}, \
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

/// Placeholders for arrays of these types.
fn arrays<'a>(types: impl Iterator<Item = &'a str>) -> String {
    types.zip(1..).map(|(ty, place)| format!("${place}::{ty}[]")).collect::<Vec<_>>().join(", ")
}

impl Unique {
    fn new(table: &Identifier, columns: &[Column], fields: Vec<FieldName>) -> Self {
        let positions: Vec<usize> = fields
            .iter()
            .filter_map(|field| columns.iter().position(|column| column.name == field.as_str()))
            .collect();
        let held: Vec<&Column> = positions.iter().map(|position| &columns[*position]).collect();
        let arrays = arrays(std::iter::once("text").chain(held.iter().map(|column| sql_type(&column.ty))));
        let names: String = (0..held.len()).map(|place| format!("v{place}, ")).collect();
        let equal: String = held
            .iter()
            .zip(0..)
            .map(|(column, place)| format!(" AND line.{} = wanted.v{place}", column.identifier))
            .collect();
        let holders = format!(
            "SELECT wanted.place, line.id FROM unnest({arrays}) WITH ORDINALITY AS wanted (tenant, {names}place) \
             JOIN {table} AS line ON line.corella_tenant = wanted.tenant{equal}"
        );
        Self { fields, positions, holders: holders.into() }
    }
}
