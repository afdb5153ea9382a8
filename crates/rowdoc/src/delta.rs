//! Edits of a text between two versions, as deltas.

use loro::{
    Container, ContainerTrait as _, LoroDoc, LoroValue, TextDelta,
    event::{Diff, DiffBatch},
};
use serde_json::{Map, Value as Json, json};

use crate::{
    ShapeField, container,
    doc::ROW,
    read::{self, Levels},
};

/// The edits of the field's text among those of the whole document.
pub(crate) fn of_field(doc: &LoroDoc, field: &ShapeField, edits: &DiffBatch) -> Option<Vec<TextDelta>> {
    let slot = doc.get_map(ROW).get(field.key.as_str());
    let Some(Container::Text(text)) = container::present(field, slot.as_ref()) else { return None };
    let id = text.id();
    edits.iter().find(|(edited, _)| **edited == id).and_then(|(_, diff)| match diff {
        Diff::Text(delta) => Some(delta.clone()),
        Diff::List(_) | Diff::Map(_) | Diff::Tree(_) | Diff::Counter(_) | Diff::Unknown => None,
    })
}

/// The characters of a text, which reads as a string or as a list of inserts.
pub(crate) fn plain(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(pieces) => pieces.iter().filter_map(|piece| piece.get("insert")?.as_str()).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => String::new(),
    }
}

/// The delta as JSON, its lengths in UTF-16 code units; nothing when it does not lead from `before` to `after`.
pub(crate) fn in_units(delta: &[TextDelta], before: &str, after: &str) -> Option<Json> {
    let mut rest = before.chars();
    let mut take = |count: usize| {
        let mut taken = String::new();
        for _ in 0..count {
            taken.push(rest.next()?);
        }
        Some(taken)
    };
    let mut reached = String::with_capacity(after.len());
    let mut pieces = Vec::with_capacity(delta.len());
    for piece in delta {
        pieces.push(match piece {
            TextDelta::Retain { retain, attributes } => {
                let kept = take(*retain)?;
                reached.push_str(&kept);
                with_marks(json!({ "retain": units(&kept) }), marks(attributes.iter().flatten())?)
            }
            TextDelta::Insert { insert, attributes } => {
                reached.push_str(insert);
                with_marks(json!({ "insert": insert }), marks(attributes.iter().flatten())?)
            }
            TextDelta::Delete { delete } => json!({ "delete": units(&take(*delete)?) }),
        });
    }
    reached.extend(rest);
    (reached == after).then(|| Json::Array(pieces))
}

fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn marks<'a>(marks: impl Iterator<Item = (&'a String, &'a LoroValue)>) -> Option<Map<String, Json>> {
    let mut marks: Vec<_> = marks.collect();
    marks.sort_by_key(|(name, _)| *name);
    marks
        .into_iter()
        .map(|(name, value)| Some((name.clone(), read::plain(value, Levels::ALL).ok()?)))
        .collect()
}

fn with_marks(mut piece: Json, marks: Map<String, Json>) -> Json {
    if let (Json::Object(piece), false) = (&mut piece, marks.is_empty()) {
        piece.insert("attributes".into(), Json::Object(marks));
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_as_javascript_does() {
        let delta = [
            TextDelta::Retain { retain: 1, attributes: None },
            TextDelta::Delete { delete: 1 },
            TextDelta::Insert { insert: "b".into(), attributes: None },
        ];
        let expected = json!([{"retain": 2}, {"delete": 1}, {"insert": "b"}]);
        assert_eq!(in_units(&delta, "😀ac", "😀bc"), Some(expected));
        assert_eq!(in_units(&delta, "😀ac", "other"), None);
        assert_eq!(in_units(&delta, "x", "xb"), None, "longer than the text that it starts from");
    }
}
