//! Reads `orderBy`.

use corella_manifest::{Entity, FieldType, TypeMismatch};
use serde_json::Value as Json;

use super::path::Path;
use crate::{
    Column, ColumnType, Direction, OrderTerm, QueryError, QueryErrorKind, error::shown, read::filter,
};

/// Most columns that an order may name.
const MAX_ORDER_TERMS: usize = 16;

/// Reads an order of `entity`'s rows and appends the id, in the direction of the last column named.
pub(crate) fn order(entity: &Entity, json: Option<&Json>) -> Result<Vec<OrderTerm>, QueryError> {
    let mut path = Path::new("orderBy");
    let mut terms: Vec<OrderTerm> = Vec::new();
    let mut add = |json, path: &mut Path<'_>| -> Result<(), QueryError> {
        let term = order_term(entity, json, path)?;
        if terms.iter().any(|earlier| earlier.column == term.column) {
            let found = format!("`{}` a second time", term.column.name());
            return Err(QueryError::new(
                QueryErrorKind::Malformed,
                path.to_string(),
                "each column once",
                found,
            ));
        }
        terms.push(term);
        Ok(())
    };
    match json {
        None | Some(Json::Null) => {}
        Some(Json::Array(items)) if items.len() > MAX_ORDER_TERMS => {
            return Err(QueryError::new(
                QueryErrorKind::TooLarge,
                path.to_string(),
                format!("at most {MAX_ORDER_TERMS} columns"),
                items.len().to_string(),
            ));
        }
        Some(Json::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                path.push_index(index);
                add(item, &mut path)?;
                path.pop();
            }
        }
        Some(single) => add(single, &mut path)?,
    }
    // An order that ends as it runs can be read off an index from either end.
    let direction = terms.last().map_or(Direction::Ascending, |term| term.direction);
    if !terms.iter().any(|term| term.column == Column::id()) {
        terms.push(OrderTerm { column: Column::id(), direction });
    }
    Ok(terms)
}

fn order_term(entity: &Entity, json: &Json, path: &Path<'_>) -> Result<OrderTerm, QueryError> {
    const EXPECTED: &str = r#"a column such as "created" or {"created": "desc"}"#;
    match json {
        Json::String(name) => {
            Ok(OrderTerm { column: order_column(entity, name, path)?, direction: Direction::Ascending })
        }
        Json::Object(map) => match (map.iter().next(), map.len()) {
            (Some((name, direction)), 1) => Ok(OrderTerm {
                column: order_column(entity, name, path)?,
                direction: read_direction(name, direction, path)?,
            }),
            (_, count) => Err(QueryError::new(
                QueryErrorKind::Malformed,
                path.to_string(),
                r#"one column per object, such as [{"a": "desc"}, {"b": "asc"}]"#,
                format!("an object of {count} keys"),
            )),
        },
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => {
            let TypeMismatch { expected, found } = TypeMismatch::new(EXPECTED, json);
            Err(QueryError::new(QueryErrorKind::Malformed, path.to_string(), expected, found))
        }
    }
}

pub(super) fn order_column(entity: &Entity, name: &str, path: &Path<'_>) -> Result<Column, QueryError> {
    let column = Column::of(entity, name).ok_or_else(|| filter::unknown_column(entity, name, path))?;
    let ty = column.field().and_then(|field| entity.field(field.as_str())).map(|field| &field.ty);
    // A place in the order is carried in a cursor, so what decides it must be a value of ordinary size.
    let has_order =
        column.ty() != ColumnType::Json && !matches!(ty, Some(FieldType::Richtext | FieldType::Document));
    if has_order {
        return Ok(column);
    }
    let spelling = ty.map(FieldType::spelling).unwrap_or_default();
    Err(QueryError::new(
        QueryErrorKind::Inapplicable,
        path.to_string(),
        "a column that rows can be ordered by (not json, richtext or document)",
        format!("`{name}`, which is {spelling}"),
    ))
}

fn read_direction(name: &str, json: &Json, path: &Path<'_>) -> Result<Direction, QueryError> {
    match json.as_str() {
        Some("asc") => Ok(Direction::Ascending),
        Some("desc") => Ok(Direction::Descending),
        other => {
            let TypeMismatch { expected, found } = TypeMismatch::new(r#""asc" or "desc""#, json);
            let path = format!("{path}.{}", shown(name));
            let error = QueryError::new(QueryErrorKind::Malformed, path, expected, found);
            Err(error.nearest(other.unwrap_or_default(), ["asc", "desc"]))
        }
    }
}
