//! Rows as JSON, the same from a document and from a table.

use corella_manifest::{Entity, Value};
use corella_policy::Sight;
use serde_json::{Map, Value as Json};

/// A row as JSON: `id`, then every declared field, then `value` when the entity is open.
#[must_use]
pub fn row_json(entity: &Entity, id: &str, values: &[Value]) -> Map<String, Json> {
    let names = entity.fields.iter().map(|field| field.name.as_str()).chain(entity.open.then_some("value"));
    std::iter::once(("id".to_owned(), Json::from(id)))
        .chain(names.zip(values).map(|(name, value)| (name.to_owned(), value.to_json())))
        .collect()
}

/// A row as JSON, as far as somebody may see it: hidden fields are left out, and of a row that may not be seen nothing
/// stays but its id.
pub(crate) fn seen_json(entity: &Entity, id: &str, values: &[Value], sight: &Sight) -> Map<String, Json> {
    match sight {
        Sight::Nothing => std::iter::once(("id".to_owned(), Json::from(id))).collect(),
        Sight::Row { hidden } => {
            let mut row = row_json(entity, id, values);
            let hidden: Vec<&str> = hidden
                .iter()
                .filter_map(|place| entity.fields.get(*place))
                .map(|field| field.name.as_str())
                .collect();
            // The whole document of an open entity has all fields in it.
            let shows = |name: &str| {
                !hidden.contains(&name) && (hidden.is_empty() || !entity.open || name != "value")
            };
            row.retain(|name, _| shows(name));
            row
        }
    }
}
