//! SQL that both backends understand.

use corella_manifest::Entity;
use corella_query::Identifier;

use crate::{
    port::{IndexDesign, KeptSchema, TableRecord},
    references::unindexed,
};

/// An entity's indexes, each led by the tenant; `order` stands behind each field.
pub(crate) fn indexes(entity: &Entity, table: &Identifier, order: &str) -> Vec<IndexDesign> {
    let of_fields = entity.fields.iter().filter(|field| field.unique).map(|field| {
        let name = Identifier::index(&entity.name, &format!("unique {}", field.name));
        (name, vec![field.name.clone()], true)
    });
    let declared = entity.indexes.iter().map(|index| {
        let name = Identifier::index(&entity.name, &format!("index {}", index.name));
        (name, index.fields.clone(), index.unique)
    });
    let of_references = unindexed(entity).map(|field| {
        let name = Identifier::index(&entity.name, &format!("reference {field}"));
        (name, vec![field.clone()], false)
    });
    of_fields
        .chain(declared)
        .chain(of_references)
        .map(|(name, fields, unique)| {
            let kind = if unique { "UNIQUE " } else { "" };
            let columns: String =
                fields.iter().map(|field| format!(", {}{order}", Identifier::from(field))).collect();
            let sql = format!("CREATE {kind}INDEX {name} ON {table} (corella_tenant{columns})");
            IndexDesign { name, fields, unique, sql }
        })
        .collect()
}

/// A text as SQL.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The query that finds rows which agree where no two may.
pub(super) fn clashes(table: &Identifier, index: &IndexDesign) -> String {
    let columns: Vec<String> = index.fields.iter().map(|field| Identifier::from(field).to_string()).collect();
    let held: Vec<String> = columns.iter().map(|column| format!("{column} IS NOT NULL")).collect();
    format!(
        "SELECT corella_tenant, min(id), max(id) FROM {table} WHERE {} GROUP BY corella_tenant, {} \
         HAVING count(*) > 1 LIMIT 5",
        held.join(" AND "),
        columns.join(", ")
    )
}

/// The statement that records a table.
pub(super) fn record(table: &TableRecord) -> String {
    format!(
        "INSERT INTO corella_tables (entity, columns, indexes, stale, missing) VALUES ({}, {}, {}, {}, {}) \
         ON CONFLICT (entity) DO UPDATE SET columns = excluded.columns, indexes = excluded.indexes, \
         stale = excluded.stale, missing = excluded.missing",
        quoted(&table.entity),
        quoted(&table.columns.join("\n")),
        quoted(&table.indexes.join("\n")),
        if table.stale { "TRUE" } else { "FALSE" },
        if table.missing { "TRUE" } else { "FALSE" },
    )
}

/// The statement that records a schema as the present one.
pub(super) fn keep_schema(schema: &KeptSchema) -> String {
    format!(
        "INSERT INTO corella_schemas (fingerprint, record, number) VALUES ({}, {}, \
         (SELECT coalesce(max(number), 0) + 1 FROM corella_schemas)) ON CONFLICT (fingerprint) DO UPDATE SET \
         record = excluded.record, number = excluded.number",
        quoted(&schema.fingerprint),
        quoted(&schema.record),
    )
}
