//! What a new row gets that its author left out, and what it must not leave out.
//!
//! A row is new once: when its first operations are committed, whichever way they come. A row that was there before a
//! field became required, or got its default, stays as it is.

use corella_manifest::{Crdt, Default, Entity, Field, time_text};
use corella_rowdoc::{Change, RowDoc};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{error::WriteError, job::Author};

/// Who stands behind a new row, for `auth.userId`.
#[derive(Clone, Copy)]
pub(crate) enum Maker<'a> {
    /// Its author.
    Author(&'a Author),
    /// Nobody that is known: it was made elsewhere, by somebody else.
    Elsewhere,
}

/// A new row's fields: those that were given, and the defaults of the others.
pub(crate) fn with_defaults(
    entity: &Entity,
    given: &Map<String, Json>,
    author: &Author,
) -> Result<Map<String, Json>, WriteError> {
    // A field that was renamed may be given by the name that it had.
    let lacks = |field: &Field| {
        [&field.name, field.key()].iter().all(|name| given.get(name.as_str()).is_none_or(Json::is_null))
    };
    let (defaults, missing) = fill(entity, Maker::Author(author), lacks);
    // A misspelt field is reported as such, not as the lack of the one that was meant.
    let is_known = |name: &str| {
        entity.fields.iter().any(|field| field.key().as_str() == name || field.name.as_str() == name)
    };
    let misspelt = given.keys().any(|name| !is_known(name));
    if !missing.is_empty() && !misspelt {
        return Err(WriteError::RequiredFields { fields: missing });
    }
    let mut fields = given.clone();
    fields.extend(defaults);
    Ok(fields)
}

/// The defaults that a new row would get, whatever else it lacks.
pub(crate) fn proposed(entity: &Entity, given: &Map<String, Json>, author: &Author) -> Map<String, Json> {
    let lacks = |field: &Field| given.get(field.name.as_str()).is_none_or(Json::is_null);
    fill(entity, Maker::Author(author), lacks).0
}

/// Puts the defaults into a new row that came as a document, by operations of the server's own.
///
/// An empty change comes back when there was nothing to put in.
pub(crate) fn complete(doc: &mut RowDoc, entity: &Entity, maker: Maker<'_>) -> Result<Change, WriteError> {
    let absent = doc.absent()?;
    let lacks = |field: &Field| {
        let index = doc.shape().field_index(field.name.as_str());
        index.is_some_and(|index| absent.contains(&index))
    };
    let (defaults, missing) = fill(entity, maker, lacks);
    if !missing.is_empty() {
        return Err(WriteError::RequiredFields { fields: missing });
    }
    if defaults.is_empty() {
        return Ok(Change::default());
    }
    Ok(doc.patch(&defaults)?)
}

/// The defaults of the fields that a new row lacks, and the names of those that it must not lack.
///
/// Collaborative fields that are required start empty.
fn fill(
    entity: &Entity,
    maker: Maker<'_>,
    lacks: impl Fn(&Field) -> bool,
) -> (Map<String, Json>, Vec<String>) {
    let mut defaults = Map::new();
    let mut missing = Vec::new();
    for field in entity.fields.iter().filter(|field| lacks(field)) {
        let name = field.name.to_string();
        match value(field, maker) {
            Some(value) => {
                defaults.insert(name, value);
            }
            None if field.optional || field.crdt != Crdt::Lww => {}
            None => missing.push(name),
        }
    }
    (defaults, missing)
}

fn value(field: &Field, maker: Maker<'_>) -> Option<Json> {
    match (field.default.as_ref()?, maker) {
        (Default::Literal(value), _) => Some(value.to_json()),
        (Default::Now, _) => Some(Json::from(time_text(Timestamp::now()))),
        (Default::Uuid, _) => Some(Json::from(uuid::Uuid::now_v7().to_string())),
        (Default::AuthUserId, Maker::Author(author)) => Some(Json::from(&*author.user)),
        (Default::AuthUserId, Maker::Elsewhere) => None,
    }
}
