//! Reads `include`.

use corella_manifest::{Entity, Manifest, TypeMismatch};
use serde_json::Value as Json;

use super::{
    QueryParts,
    path::Path,
    reader::Reader,
    way::{Leads, MAX_RELATIONS},
};
use crate::{Include, Limit, Query, QueryError, QueryErrorKind, error::shown};

/// Most parts that one query may bring, those of its parts included.
const MAX_PARTS: usize = 16;
const KEYS: [&str; 5] = ["where", "orderBy", "limit", "select", "include"];

/// Reads what the rows of `entity` bring with them; `depth` relations lead to these rows.
pub(crate) fn include(
    manifest: Option<&Manifest>,
    entity: &Entity,
    json: Option<&Json>,
    depth: usize,
) -> Result<Vec<Include>, QueryError> {
    const EXPECTED: &str =
        r#"relations, such as ["author"] or {"comments": {"orderBy": "created", "limit": 3}}"#;
    let mut path = Path::new("include");
    let mut read = Vec::new();
    match json {
        None | Some(Json::Null) => {}
        Some(Json::String(name)) => read.push(part(manifest, entity, name, &Json::Bool(true), depth, &path)?),
        Some(Json::Array(names)) => {
            for (at, name) in names.iter().enumerate() {
                path.push_index(at);
                let Json::String(name) = name else {
                    return Err(malformed(&path, "the name of a relation", name));
                };
                if read.iter().any(|known: &Include| &*known.name == name.as_str()) {
                    let found = format!("`{}` a second time", shown(name));
                    return Err(QueryError::new(
                        QueryErrorKind::Malformed,
                        path.to_string(),
                        "each relation once",
                        found,
                    ));
                }
                read.push(part(manifest, entity, name, &Json::Bool(true), depth, &path)?);
                path.pop();
            }
        }
        Some(Json::Object(map)) => {
            for (name, json) in map {
                path.push_key(name);
                read.push(part(manifest, entity, name, json, depth, &path)?);
                path.pop();
            }
        }
        Some(other) => return Err(malformed(&path, EXPECTED, other)),
    }
    let count = |include: &Include| 1 + include.query.chains().len();
    let parts: usize = read.iter().map(count).sum();
    if parts > MAX_PARTS {
        let expected = format!("at most {MAX_PARTS} parts in all");
        return Err(QueryError::new(QueryErrorKind::TooLarge, path.to_string(), expected, parts.to_string()));
    }
    Ok(read)
}

fn part(
    manifest: Option<&Manifest>,
    entity: &Entity,
    name: &str,
    json: &Json,
    depth: usize,
    path: &Path<'_>,
) -> Result<Include, QueryError> {
    if depth >= MAX_RELATIONS {
        let expected = format!("at most {MAX_RELATIONS} relations in a row");
        return Err(QueryError::new(QueryErrorKind::TooLarge, path.to_string(), expected, "more"));
    }
    let reader = Reader::new(manifest, entity, Path::new("include"));
    let Some(relation) = reader.relation(name) else {
        let mut error = reader.leads_nowhere(name);
        error.path = path.to_string();
        error.expected = format!("a relation that {} declares", entity.name);
        return Err(error);
    };
    let Some(Leads { target, tie }) = reader.leads(name) else { return Err(reader.leads_nowhere(name)) };
    let within = |mut error: QueryError| {
        error.path = format!("{path}.{}", error.path);
        error
    };
    let parts = parts(json).map_err(|mut error| {
        error.path = match error.path.as_str() {
            "" => path.to_string(),
            key => format!("{path}.{key}"),
        };
        error
    })?;
    if !relation.many && (parts.limit.is_some() || parts.order_by.is_some()) {
        let expected = "no orderBy and no limit: the relation leads to one row";
        return Err(QueryError::new(QueryErrorKind::Malformed, path.to_string(), expected, "one of them"));
    }
    let query = Query::of_entity(manifest, target, parts, depth + 1).map_err(within)?;
    Ok(Include { name: name.into(), many: relation.many, tie, query })
}

/// The parts of what stands behind a relation's name.
fn parts(json: &Json) -> Result<QueryParts<'static>, QueryError> {
    const EXPECTED: &str =
        r#"true, or what is asked of the rows, such as {"orderBy": "created", "limit": 3}"#;
    let map = match json {
        Json::Bool(true) => return Ok(QueryParts::default()),
        Json::Object(map) => map,
        Json::Null | Json::Bool(false) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
            return Err(malformed(&Path::new(""), EXPECTED, json));
        }
    };
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let expected = format!("the keys {}", KEYS.join(", "));
        let error = QueryError::new(QueryErrorKind::Malformed, "", expected, format!("`{}`", shown(key)));
        return Err(error.nearest(key, KEYS));
    }
    let present = |key| map.get(key).filter(|value| !value.is_null());
    let limit = match present("limit") {
        None => None,
        Some(limit) => {
            let rows = limit.as_u64().and_then(|rows| u32::try_from(rows).ok());
            Some(rows.ok_or_else(|| Limit::refused(TypeMismatch::new("", limit).found))?)
        }
    };
    Ok(QueryParts {
        where_: present("where").cloned(),
        order_by: present("orderBy").cloned(),
        limit,
        select: present("select").cloned(),
        include: present("include").cloned(),
        ..QueryParts::default()
    })
}

fn malformed(path: &Path<'_>, expected: &str, found: &Json) -> QueryError {
    let found = TypeMismatch::new("", found).found;
    QueryError::new(QueryErrorKind::Malformed, path.to_string(), expected, found)
}
