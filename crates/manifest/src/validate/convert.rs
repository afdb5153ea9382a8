//! What a field says of the type that it had before.

use serde_json::Value as Json;

use super::{field::merge_rule_of, names::quoted};
use crate::{
    Conversion, Crdt, FieldType, Value, convert,
    problem::{Path, Report},
    raw::RawConversion,
    reader::At,
    type_text,
};

/// Reads `convert` of a field that now has the type `ty` and the merge rule `crdt`.
pub(crate) fn conversion(
    raw: &At<RawConversion>,
    ty: &FieldType,
    crdt: Crdt,
    report: &mut Report,
) -> Option<Conversion> {
    let At { path, value: raw } = raw;
    let text = raw.from.as_ref()?;
    let from = type_text::parse(&text.value)
        .map_err(|error| report.problem(&text.path, error.expected, quoted(&text.value), error.nearest))
        .ok()?;
    let from_crdt = merge_rule_of(raw.crdt.as_ref(), &from, report);
    if !convert::is_possible(&from, ty) || crdt == Crdt::Tree {
        let sources = if crdt == Crdt::Tree { "no type" } else { convert::sources(ty) };
        let expected = format!("{sources}, from which a field of type {} can be read", ty.spelling());
        report.problem(&text.path, expected, quoted(&text.value), None);
        return None;
    }
    if from == *ty && from_crdt == crdt {
        report.problem(path, "another type or merge rule than the field has now", "the same", None);
        return None;
    }
    let values = raw.values.as_ref().map(|json| values(json, ty, report)).unwrap_or_default();
    let otherwise = raw.otherwise.as_ref().and_then(|json| read(&json.value, &json.path, ty, report));
    Some(Conversion { from, crdt: from_crdt, values, otherwise })
}

fn values(json: &At<Json>, ty: &FieldType, report: &mut Report) -> Vec<(String, Value)> {
    let At { path, value } = json;
    let Json::Object(entries) = value else {
        report.wrong(path, "an object from former values to new ones", value);
        return Vec::new();
    };
    let mut values = Vec::with_capacity(entries.len());
    for (from, to) in entries {
        let place = path.key(from);
        let same = ty.read(&Json::String(from.clone())).is_ok();
        if same && !matches!(ty, FieldType::String | FieldType::Richtext | FieldType::Document) {
            let expected = format!("a value that a field of type {} does not read by itself", ty.spelling());
            report.problem(&place, expected, quoted(from), None);
        } else if let Some(value) = read(to, &place, ty, report) {
            values.push((from.clone(), value));
        }
    }
    values
}

fn read(json: &Json, path: &Path, ty: &FieldType, report: &mut Report) -> Option<Value> {
    ty.read(json)
        .map_err(|mismatch| report.problem(path, mismatch.expected, mismatch.found, None))
        .ok()
        .filter(|value| !value.is_null())
}
