//! Reads `match`, and `$match` in `where`.

use std::borrow::Cow;

use corella_manifest::{Entity, FieldName, TypeMismatch};
use serde_json::{Map, Value as Json};

use crate::{
    QueryError, QueryErrorKind,
    search::{Search, sought},
};

/// Longest text that is looked for, in bytes.
const MAX_BYTES: usize = 1_000;
/// Most words that are looked for.
const MAX_WORDS: usize = 32;

/// The key in `where` that asks for words.
pub(super) const KEY: &str = "$match";
/// The key whose conditions all have to hold.
const AND: &str = "$and";

/// What is said of words, wherever it stands, and the condition without it; `depth` relations lead to the rows.
pub(crate) fn search<'j>(
    entity: &Entity,
    json: Option<&Json>,
    where_: Option<&'j Json>,
    depth: usize,
) -> Result<(Option<Search>, Option<Cow<'j, Json>>), QueryError> {
    let json = json.filter(|json| !json.is_null());
    let mut within = Vec::new();
    let rest = where_.map(|where_| match asks(where_) {
        true => Cow::Owned(take(where_, &mut within)),
        false => Cow::Borrowed(where_),
    });
    let (path, json) = match (json, within.as_slice()) {
        (None, []) => return Ok((None, rest)),
        (Some(json), []) => ("match", json.clone()),
        (None, [json]) => ("where.$match", json.clone()),
        (Some(_), [_, ..]) | (None, [_, ..]) => {
            let expected = "words to look for in one place of a query";
            return Err(QueryError::new(QueryErrorKind::Malformed, "match", expected, "several"));
        }
    };
    if depth > 0 {
        let expected = "no $match in an include: words are looked for in the query's own rows";
        return Err(QueryError::new(QueryErrorKind::Malformed, path, expected, "one"));
    }
    Ok((Some(read(entity, path, &json)?), rest))
}

/// Whether a condition asks for words where every row has to have them.
fn asks(json: &Json) -> bool {
    let Json::Object(map) = json else { return false };
    let all = map.get(AND).and_then(Json::as_array);
    map.contains_key(KEY) || all.is_some_and(|all| all.iter().any(asks))
}

/// The condition without what it says of words, which is put into `found`.
fn take(json: &Json, found: &mut Vec<Json>) -> Json {
    let Json::Object(map) = json else { return json.clone() };
    let mut rest = Map::new();
    for (key, json) in map {
        match (key.as_str(), json) {
            (KEY, json) => found.push(json.clone()),
            (AND, Json::Array(all)) => {
                let all = all.iter().map(|json| take(json, found)).collect();
                rest.insert(key.clone(), Json::Array(all));
            }
            (_, json) => drop(rest.insert(key.clone(), json.clone())),
        }
    }
    Json::Object(rest)
}

fn read(entity: &Entity, path: &str, json: &Json) -> Result<Search, QueryError> {
    let Json::String(text) = json else {
        let expected = r#"the words to look for as a text, such as "blue plan""#;
        return Err(QueryError::mismatch(path, TypeMismatch::new(expected, json)));
    };
    let Some(mut search) = Search::of(entity) else {
        return Err(not_declared(entity, path));
    };
    let too_large = |expected: String, found: usize| {
        QueryError::new(QueryErrorKind::TooLarge, path, expected, found.to_string())
    };
    if text.len() > MAX_BYTES {
        return Err(too_large(format!("a text of at most {MAX_BYTES} bytes"), text.len()));
    }
    search.sought = sought(text);
    let words: usize = search.sought.iter().map(|sought| sought.words.len()).sum();
    if words > MAX_WORDS {
        return Err(too_large(format!("at most {MAX_WORDS} words"), words));
    }
    Ok(search)
}

/// The error about an entity that cannot be searched, which says how to declare that it can.
fn not_declared(entity: &Entity, path: &str) -> QueryError {
    let texts = entity.fields.iter().filter(|field| field.ty.is_searchable());
    let texts: Vec<&FieldName> = texts.map(|field| &field.name).collect();
    let found = match texts.as_slice() {
        [] => format!("{}, which has no field of type string, richtext or document", entity.name),
        [first, ..] => format!(
            r#"{}, which declares none; add "search": {{"text": ["{first}"]}} to it in the manifest"#,
            entity.name
        ),
    };
    QueryError::new(QueryErrorKind::Inapplicable, path, "an entity that declares `search`", found)
}
