//! Reads `select`.

use corella_manifest::Entity;
use serde_json::Value as Json;

use super::{filter, path::Path};
use crate::{Column, QueryError, QueryErrorKind};

/// Reads which columns an answer shows: the id, then each named one in the entity's order; all without a list.
pub(crate) fn select(entity: &Entity, json: Option<&Json>) -> Result<Vec<Column>, QueryError> {
    let all = Column::all(entity).into_iter().chain(Column::whole(entity));
    let names = match json {
        None | Some(Json::Null) => return Ok(all.collect()),
        Some(Json::Array(names)) => names,
        Some(other) => return Err(malformed("select", "a list of columns such as [\"title\"]", other)),
    };
    let mut path = Path::new("select");
    let mut wanted = vec![Column::id()];
    for (index, name) in names.iter().enumerate() {
        path.push_index(index);
        let Json::String(name) = name else {
            return Err(malformed(&path.to_string(), "the name of a column", name));
        };
        let column = Column::of(entity, name)
            .or_else(|| Column::whole(entity).filter(|column| column.name() == name))
            .ok_or_else(|| filter::unknown_column(entity, name, &path))?;
        wanted.push(column);
        path.pop();
    }
    Ok(all.filter(|column| wanted.contains(column)).collect())
}

fn malformed(path: &str, expected: &str, found: &Json) -> QueryError {
    let found = corella_manifest::TypeMismatch::new("", found).found;
    QueryError::new(QueryErrorKind::Malformed, path, expected, found)
}
