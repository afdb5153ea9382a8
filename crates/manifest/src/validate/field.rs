//! One field: its name, its type, and what it says about itself.

use serde_json::Value as Json;

use super::{
    convert,
    names::{Names, checked_name, quoted},
    non_empty,
};
use crate::{
    Crdt, Default, Field, FieldName, FieldType, OnDelete,
    problem::{Report, nearest},
    raw::{RawEntity, RawField, read::ON_DELETE},
    reader::At,
    type_text,
    value::describe,
};

/// Names of columns that each table of SQLite or PostgreSQL has by itself.
const DATABASE_COLUMNS: [&str; 9] =
    ["rowid", "oid", "_rowid_", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Builds a field; `None` when its name or its type is not known.
pub(crate) fn field(
    raw: &At<RawField>,
    entity: &RawEntity,
    names: &mut Names,
    former: &mut Names,
    report: &mut Report,
) -> Option<At<Field>> {
    let At { path, value: field } = raw;
    let name = field.name.as_ref().and_then(|name| field_name(name, entity, names, report));
    let ty = field.r#type.as_ref().and_then(|text| field_type(text, report));
    let allow_read = non_empty(field.allow_read.as_ref(), "a CEL expression", report);
    let allow_write = non_empty(field.allow_write.as_ref(), "a CEL expression", report);
    let renamed_from =
        field.renamed_from.as_ref().and_then(|before| renamed_from(before, entity, former, report));
    let ty = ty?;
    let crdt = merge_rule(raw, &ty, entity, report);
    let convert = field.convert.as_ref().and_then(|raw| convert::conversion(raw, &ty, crdt, report));
    let default = field.default.as_ref().and_then(|json| default_value(json, &ty, crdt, report));
    if field.unique && !ty.is_comparable() {
        let expected = format!("false for a field of type {}, which has no comparable column", ty.spelling());
        report.problem(&path.key("unique"), expected, "true", None);
    }
    let on_delete = on_delete(field, &ty, report);
    let (optional, unique) = (field.optional, field.unique);
    let value = Field {
        name: name?,
        ty,
        crdt,
        optional,
        unique,
        default,
        on_delete,
        allow_read,
        allow_write,
        renamed_from,
        convert,
    };
    Some(At { path: path.clone(), value })
}

fn field_name(
    name: &At<String>,
    entity: &RawEntity,
    names: &mut Names,
    report: &mut Report,
) -> Option<FieldName> {
    let unique = names.claim(name, "a field name", report);
    let lower = name.value.to_ascii_lowercase();
    let taken_by = match lower.as_str() {
        "id" => Some("because every row has an id already"),
        "value" if entity.open => Some("because the table of an open entity has a column `value` already"),
        other if DATABASE_COLUMNS.contains(&other) => {
            Some("because databases have a column of that name in every table")
        }
        _ => None,
    };
    if let Some(reason) = taken_by {
        report.problem(&name.path, format!("another name, {reason}"), quoted(&name.value), None);
        return None;
    }
    checked_name(name, FieldName::new, report).filter(|_| unique)
}

fn field_type(text: &At<String>, report: &mut Report) -> Option<FieldType> {
    type_text::parse(&text.value)
        .map_err(|error| report.problem(&text.path, error.expected, quoted(&text.value), error.nearest))
        .ok()
}

fn renamed_from(
    before: &At<String>,
    entity: &RawEntity,
    former: &mut Names,
    report: &mut Report,
) -> Option<FieldName> {
    let name = checked_name(before, FieldName::new, report)?;
    let names = entity.fields.iter().filter_map(|field| field.value.name.as_ref());
    if names.into_iter().any(|name| name.value.eq_ignore_ascii_case(&before.value)) {
        let found = format!("{}, which is still a field", quoted(&before.value));
        report.problem(&before.path, "the name of a field that is no more", found, None);
        return None;
    }
    former.claim(before, "a former name", report).then_some(name)
}

fn merge_rule(raw: &At<RawField>, ty: &FieldType, entity: &RawEntity, report: &mut Report) -> Crdt {
    let allowed: &[Crdt] = match (entity.crdt, ty.allowed_crdts()) {
        (true, allowed) => allowed,
        (false, allowed) if allowed.contains(&Crdt::Lww) => &[Crdt::Lww],
        (false, _) => {
            let expected = "a type that a plain row can hold, because the entity says `crdt: false`";
            report.problem(&raw.path.key("type"), expected, quoted(&ty.spelling()), None);
            return ty.default_crdt();
        }
    };
    let default = if entity.crdt { ty.default_crdt() } else { Crdt::Lww };
    let of = if entity.crdt { "" } else { " of plain rows" };
    chosen(raw.value.crdt.as_ref(), ty, (default, allowed), of, report)
}

/// The merge rule that `word` names, of those that a field of that type may have.
pub(crate) fn merge_rule_of(word: Option<&At<String>>, ty: &FieldType, report: &mut Report) -> Crdt {
    chosen(word, ty, (ty.default_crdt(), ty.allowed_crdts()), "", report)
}

fn chosen(
    word: Option<&At<String>>,
    ty: &FieldType,
    (default, allowed): (Crdt, &[Crdt]),
    of: &str,
    report: &mut Report,
) -> Crdt {
    let Some(At { path, value: word }) = word else { return default };
    let known = Crdt::ALL.into_iter().find(|crdt| crdt.word() == word);
    if let Some(crdt) = known.filter(|crdt| allowed.contains(crdt)) {
        return crdt;
    }
    let words: Vec<String> = allowed.iter().map(|crdt| format!("{:?}", crdt.word())).collect();
    let expected = format!("{} for a field of type {}{of}", words.join(" or "), ty.spelling());
    let near = nearest(word, allowed.iter().map(|crdt| crdt.word()));
    report.problem(path, expected, quoted(word), near);
    default
}

fn on_delete(field: &RawField, ty: &FieldType, report: &mut Report) -> OnDelete {
    let Some(At { path, value: word }) = &field.on_delete else { return OnDelete::Restrict };
    if !matches!(ty, FieldType::Id(_)) {
        let expected = format!("no such key for a field of type {}, which names no row", ty.spelling());
        report.problem(path, expected, quoted(word), None);
        return OnDelete::Restrict;
    }
    match OnDelete::ALL.into_iter().find(|known| known.word() == word) {
        Some(OnDelete::SetNull) if !field.optional => {
            let expected = "restrict or cascade for a field that is not optional, which cannot be emptied";
            report.problem(path, expected, quoted(word), None);
            OnDelete::Restrict
        }
        Some(known) => known,
        None => {
            let near = nearest(word, OnDelete::ALL.map(OnDelete::word));
            report.problem(path, ON_DELETE, quoted(word), near);
            OnDelete::Restrict
        }
    }
}

/// Reads `default`, whose three special words stand for values that are known only at the insertion.
fn default_value(json: &At<Json>, ty: &FieldType, crdt: Crdt, report: &mut Report) -> Option<Default> {
    let At { path, value } = json;
    let is_text_or_id = matches!(ty, FieldType::String | FieldType::Id(_));
    let (default, fits, kept_for) = match value.as_str() {
        Some("now") => (Default::Now, *ty == FieldType::Datetime, "datetime"),
        Some("uuid") => (Default::Uuid, is_text_or_id, "string and id"),
        Some("auth.userId") => (Default::AuthUserId, is_text_or_id, "string and id"),
        Some(_) | None => return literal(json, ty, crdt, report),
    };
    if fits {
        return Some(default);
    }
    if let FieldType::Enum(_) = ty {
        return literal(json, ty, crdt, report);
    }
    let expected = format!("a default for a field of type {}", ty.spelling());
    let found = format!("{}, which only {kept_for} fields take", describe(value));
    report.problem(path, expected, found, None);
    None
}

fn literal(json: &At<Json>, ty: &FieldType, crdt: Crdt, report: &mut Report) -> Option<Default> {
    let At { path, value } = json;
    let expected = match crdt {
        Crdt::List | Crdt::MovableList if !value.is_array() => {
            Some("a list, as the merge rule of the field says")
        }
        Crdt::Map if !value.is_object() => Some("an object, as the merge rule of the field says"),
        Crdt::Tree if !value.is_array() => Some("a list of nodes, as the merge rule of the field says"),
        Crdt::Lww | Crdt::Text | Crdt::Counter | Crdt::Document => None,
        Crdt::List | Crdt::MovableList | Crdt::Map | Crdt::Tree => None,
    };
    if let Some(expected) = expected {
        report.problem(path, expected, describe(value), None);
        return None;
    }
    match ty.read(value) {
        Ok(value) => Some(Default::Literal(value)),
        Err(mismatch) => {
            let near = match (ty, value.as_str()) {
                (FieldType::Enum(variants), Some(text)) => nearest(text, variants.iter().map(String::as_str)),
                (FieldType::Datetime, Some(text)) => nearest(text, ["now"]),
                (FieldType::Id(_), Some(text)) => nearest(text, ["uuid", "auth.userId"]),
                _ => None,
            };
            report.problem(path, mismatch.expected, mismatch.found, near);
            None
        }
    }
}
