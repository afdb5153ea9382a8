//! Reads a query that is one JSON object.

use corella_manifest::TypeMismatch;
use serde_json::Value as Json;

use super::QueryParts;
use crate::{Limit, QueryError, QueryErrorKind, error::shown};

const KEYS: [&str; 10] =
    ["from", "where", "match", "orderBy", "limit", "cursor", "select", "include", "aggregate", "groupBy"];

/// The entity and the other parts of a query.
pub(crate) fn whole(json: &Json) -> Result<(&str, QueryParts<'_>), QueryError> {
    let expected = r#"a query such as {"from": "Note", "where": {"pinned": true}}"#;
    let Json::Object(map) = json else { return Err(wrong("query", expected, json)) };
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let found = format!("`{}`", shown(key));
        let error = QueryError::new(
            QueryErrorKind::Malformed,
            "query",
            format!("the keys {}", KEYS.join(", ")),
            found,
        );
        return Err(error.nearest(key, KEYS));
    }
    if map.contains_key("aggregate")
        && let Some(key) =
            ["orderBy", "limit", "cursor", "select", "include"].iter().find(|key| map.contains_key(**key))
    {
        let expected = "no such key beside aggregate: the answer is all groups in the order of their values";
        return Err(QueryError::new(QueryErrorKind::Malformed, *key, expected, format!("`{key}`")));
    }
    let present = |key| map.get(key).filter(|value| !value.is_null());
    let from = match present("from") {
        Some(Json::String(from)) => from,
        other => {
            return Err(wrong("from", "the name of an entity", other.unwrap_or(&Json::Null)));
        }
    };
    let limit = match present("limit") {
        None => None,
        Some(limit) => {
            let rows = limit.as_u64().and_then(|rows| u32::try_from(rows).ok());
            Some(rows.ok_or_else(|| Limit::refused(TypeMismatch::new("", limit).found))?)
        }
    };
    let cursor = match present("cursor") {
        None => None,
        Some(Json::String(cursor)) => Some(cursor.as_str()),
        Some(other) => return Err(wrong("cursor", "a cursor as an answer gave it", other)),
    };
    let parts = QueryParts {
        where_: present("where").cloned(),
        match_: present("match").cloned(),
        order_by: present("orderBy").cloned(),
        limit,
        cursor,
        select: present("select").cloned(),
        include: present("include").cloned(),
        aggregate: present("aggregate").cloned(),
        group_by: present("groupBy").cloned(),
    };
    Ok((from, parts))
}

fn wrong(path: &str, expected: &str, found: &Json) -> QueryError {
    QueryError::new(QueryErrorKind::Malformed, path, expected, TypeMismatch::new("", found).found)
}
