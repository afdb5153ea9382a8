//! Rows as JSON, the same from a document and from a table.

use corella_manifest::{Entity, Value};
use serde_json::{Map, Value as Json};

/// A row as JSON: `id`, then every declared field, then `value` when the entity is open.
#[must_use]
pub fn row_json(entity: &Entity, id: &str, values: &[Value]) -> Map<String, Json> {
    let names = entity.fields.iter().map(|field| field.name.as_str()).chain(entity.open.then_some("value"));
    std::iter::once(("id".to_owned(), Json::from(id)))
        .chain(names.zip(values).map(|(name, value)| (name.to_owned(), value.to_json())))
        .collect()
}
