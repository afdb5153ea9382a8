//! Reads `aggregate` and `groupBy`.

use corella_manifest::{Entity, FieldType, TypeMismatch};
use serde_json::Value as Json;

use super::{filter, order::order_column, path::Path};
use crate::{
    Aggregation, Column, ColumnType, QueryError, QueryErrorKind,
    aggregate::{Bucket, GroupTerm, Measure, MeasureKind},
    error::shown,
};

const KINDS: [&str; 5] = ["$count", "$sum", "$avg", "$min", "$max"];
/// Most measures, and most columns to group by.
const MOST: usize = 32;

/// Reads what is asked about groups of `entity`'s rows; nothing when neither key is there.
pub(crate) fn aggregate(
    entity: &Entity,
    measures: Option<&Json>,
    groups: Option<&Json>,
) -> Result<Option<Aggregation>, QueryError> {
    let Some(measures) = measures else {
        return match groups {
            None => Ok(None),
            Some(_) => Err(QueryError::new(
                QueryErrorKind::Malformed,
                "groupBy",
                r#"an aggregate beside it, such as {"rows": {"$count": true}}"#,
                "none",
            )),
        };
    };
    let mut path = Path::new("aggregate");
    let expected =
        r#"names with what is asked, such as {"total": {"$sum": "price"}, "rows": {"$count": true}}"#;
    let Json::Object(map) = measures else { return Err(malformed(&path, expected, measures)) };
    if map.is_empty() || map.len() > MOST {
        return Err(malformed(&path, &format!("1 to {MOST} measures"), measures));
    }
    let groups = match groups {
        None => Vec::new(),
        Some(json) => group_terms(entity, json)?,
    };
    let mut read = Vec::new();
    for (name, json) in map {
        path.push_key(name);
        if name == Column::ID || groups.iter().any(|term| term.column.name() == name) {
            let found = format!("`{}`, which the answer has already", shown(name));
            return Err(QueryError::new(
                QueryErrorKind::Malformed,
                path.to_string(),
                "a name of its own",
                found,
            ));
        }
        read.push(measure(entity, name, json, &mut path)?);
        path.pop();
    }
    Ok(Some(Aggregation { groups, measures: read }))
}

fn measure<'a>(
    entity: &Entity,
    name: &str,
    json: &'a Json,
    path: &mut Path<'a>,
) -> Result<Measure, QueryError> {
    let single = json.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    let Some((operator, of)) = single else {
        return Err(malformed(path, r#"one of $count $sum $avg $min $max, as in {"$sum": "price"}"#, json));
    };
    path.push_key(operator);
    let kind = match operator.as_str() {
        "$count" => MeasureKind::Count,
        "$sum" => MeasureKind::Sum,
        "$avg" => MeasureKind::Average,
        "$min" => MeasureKind::Least,
        "$max" => MeasureKind::Greatest,
        other => {
            let error = QueryError::new(
                QueryErrorKind::UnknownOperator,
                path.to_string(),
                format!("one of {}", KINDS.join(" ")),
                format!("`{}`", shown(other)),
            );
            return Err(error.nearest(other, KINDS));
        }
    };
    let column = match (kind, of) {
        (MeasureKind::Count, Json::Bool(true)) => None,
        (_, Json::String(column)) => Some(measured_column(entity, kind, column, path)?),
        (MeasureKind::Count, other) => {
            return Err(malformed(path, "true, or the name of a column", other));
        }
        (_, other) => return Err(malformed(path, "the name of a column", other)),
    };
    path.pop();
    Ok(Measure { name: name.to_owned(), kind, column })
}

fn measured_column(
    entity: &Entity,
    kind: MeasureKind,
    name: &str,
    path: &Path<'_>,
) -> Result<Column, QueryError> {
    match kind {
        MeasureKind::Count => {
            Column::of(entity, name).ok_or_else(|| filter::unknown_column(entity, name, path))
        }
        MeasureKind::Sum | MeasureKind::Average => {
            let column =
                Column::of(entity, name).ok_or_else(|| filter::unknown_column(entity, name, path))?;
            match column.ty() {
                ColumnType::Int | ColumnType::Float => Ok(column),
                ColumnType::Text
                | ColumnType::Time
                | ColumnType::Bool
                | ColumnType::Bytes
                | ColumnType::Json => {
                    let field = entity.field(name).map(|field| field.ty.spelling()).unwrap_or_default();
                    Err(QueryError::new(
                        QueryErrorKind::Inapplicable,
                        path.to_string(),
                        "a column of numbers",
                        format!("`{name}`, which is {field}"),
                    ))
                }
            }
        }
        MeasureKind::Least | MeasureKind::Greatest => order_column(entity, name, path),
    }
}

fn group_terms(entity: &Entity, json: &Json) -> Result<Vec<GroupTerm>, QueryError> {
    let mut path = Path::new("groupBy");
    let mut terms: Vec<GroupTerm> = Vec::new();
    let mut add = |json, path: &Path<'_>| -> Result<(), QueryError> {
        let term = group_term(entity, json, path)?;
        if terms.iter().any(|other| other.column == term.column) {
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
    let Json::Array(items) = json else {
        add(json, &path)?;
        return Ok(terms);
    };
    if items.len() > MOST {
        return Err(malformed(&path, &format!("at most {MOST} columns"), json));
    }
    for (index, item) in items.iter().enumerate() {
        path.push_index(index);
        add(item, &path)?;
        path.pop();
    }
    Ok(terms)
}

fn group_term(entity: &Entity, json: &Json, path: &Path<'_>) -> Result<GroupTerm, QueryError> {
    const EXPECTED: &str = r#"a column such as "state" or {"created": "day"}"#;
    if let Json::String(name) = json {
        return Ok(GroupTerm { column: order_column(entity, name, path)?, bucket: None });
    }
    let single = json.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    let Some((name, word)) = single else { return Err(malformed(path, EXPECTED, json)) };
    let column = order_column(entity, name, path)?;
    let path = format!("{path}.{}", shown(name));
    if column.ty() != ColumnType::Time {
        let ty = entity.field(name).map_or(FieldType::String, |field| field.ty.clone());
        let found = format!("`{name}`, which is {}", ty.spelling());
        return Err(QueryError::new(QueryErrorKind::Inapplicable, path, "a column of type datetime", found));
    }
    let bucket = word.as_str().and_then(Bucket::of_word).ok_or_else(|| {
        let expected = format!("one of {}", Bucket::WORDS.join(" "));
        let error =
            QueryError::new(QueryErrorKind::Malformed, path, expected, TypeMismatch::new("", word).found);
        error.nearest(word.as_str().unwrap_or_default(), Bucket::WORDS)
    })?;
    Ok(GroupTerm { column, bucket: Some(bucket) })
}

fn malformed(path: &Path<'_>, expected: &str, found: &Json) -> QueryError {
    QueryError::new(QueryErrorKind::Malformed, path.to_string(), expected, TypeMismatch::new("", found).found)
}
