//! Texts with marks, as deltas: lists of `{"insert", "attributes"}`, `{"retain", "attributes"}` and `{"delete"}`.
//!
//! Lengths are counted in UTF-16 code units, as Quill and JavaScript do.

use loro::{LoroResult, LoroText, TextDelta};
use serde_json::{Map, Value as Json, json};

use crate::{
    Refusal, given, node_edit, node_read,
    node_tree::{Run, Runs},
    operation::{Asked, Step},
    read::{self, Levels, TooDeep},
    text,
};

pub(crate) const OPERATIONS: [&str; 1] = ["$delta"];

/// Whether a text's pieces may carry marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    Allowed,
    None,
}

/// What a patch wants of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TextEdit {
    /// These characters, with the marks that are there.
    To(String),
    /// These characters with these marks.
    ToRuns(Runs),
    /// These changes, one delta after the other.
    Steps(Vec<(String, Vec<Piece>)>),
}

/// One piece of a delta.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Insert(String, Map<String, Json>),
    Retain(usize, Map<String, Json>),
    Delete(usize),
}

impl TextEdit {
    pub(crate) fn read(field: &str, asked: &Asked<'_>, marks: Marks) -> Result<Self, Refusal> {
        match asked {
            Asked::Whole(Json::Null) => Ok(Self::To(String::new())),
            Asked::Whole(Json::String(text)) => {
                given::value(field, &Json::String(text.clone()), Levels::ALL)?;
                Ok(Self::To(text.clone()))
            }
            Asked::Whole(json @ Json::Array(_)) if marks == Marks::Allowed => {
                let runs = pieces(field, json, marks)?.into_iter().map(|piece| match piece {
                    Piece::Insert(text, mut marks) => {
                        marks.retain(|_, value| !value.is_null());
                        Ok(Run { text, marks })
                    }
                    Piece::Retain(..) | Piece::Delete(_) => {
                        let expected =
                            "inserts only (a change of what is there is written {\"$delta\": […]})";
                        Err(Refusal::value(field, expected, "a retain or a delete"))
                    }
                });
                Ok(Self::ToRuns(Runs { runs: joined(runs.collect::<Result<_, _>>()?), marked: true }))
            }
            Asked::Whole(json) => {
                let expected = match marks {
                    Marks::Allowed => {
                        "a string, a list of {\"insert\", \"attributes\"}, or {\"$delta\": […]}"
                    }
                    Marks::None => "a string, or {\"$delta\": […]}",
                };
                Err(Refusal::value(field, expected, given::found(json)))
            }
            Asked::Steps(steps) => {
                let read =
                    |Step { operand, path, .. }: &Step<'_>| Ok((path.clone(), pieces(path, operand, marks)?));
                steps.iter().map(read).collect::<Result<_, Refusal>>().map(Self::Steps)
            }
        }
    }

    /// The deltas in the units of documents, once it is sure that all of them fit the text `current`.
    pub(crate) fn resolve(&self, current: &str) -> Result<Vec<Vec<TextDelta>>, Refusal> {
        let Self::Steps(steps) = self else { return Ok(Vec::new()) };
        let mut current = current.to_owned();
        steps.iter().map(|(path, pieces)| resolve(path, pieces, &mut current)).collect()
    }

    pub(crate) fn apply(&self, target: &LoroText, deltas: &[Vec<TextDelta>]) -> LoroResult<()> {
        match self {
            Self::To(wanted) if target.to_string() == *wanted => Ok(()),
            Self::To(wanted) => text::bring_to(target, wanted),
            Self::ToRuns(runs) => node_edit::bring_text(target, runs),
            Self::Steps(_) => deltas.iter().try_for_each(|delta| target.apply_delta(delta)),
        }
    }
}

/// Neighbours with the same marks as one run, and no empty ones, which is how a document reads.
fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs.into_iter().filter(|run| !run.text.is_empty()) {
        match joined.last_mut() {
            Some(last) if last.marks == run.marks => last.text.push_str(&run.text),
            Some(_) | None => joined.push(run),
        }
    }
    joined
}

fn pieces(path: &str, json: &Json, marks: Marks) -> Result<Vec<Piece>, Refusal> {
    let Json::Array(items) = json else {
        return Err(Refusal::value(path, "a list of inserts, retains and deletes", given::found(json)));
    };
    items.iter().enumerate().map(|(index, item)| piece(&format!("{path}[{index}]"), item, marks)).collect()
}

fn piece(path: &str, json: &Json, marks: Marks) -> Result<Piece, Refusal> {
    const EXPECTED: &str = "one of {\"insert\": \"text\"}, {\"retain\": 1} and {\"delete\": 1}";
    let refused = |found: String| Refusal::value(path, EXPECTED, found);
    let Json::Object(object) = json else { return Err(refused(given::found(json))) };
    if let Some(other) =
        object.keys().find(|key| !["insert", "retain", "delete", "attributes"].contains(&key.as_str()))
    {
        return Err(refused(format!("the key {other:?}")));
    }
    let attributes = match (object.get("attributes"), marks) {
        (None | Some(Json::Null), _) => Map::new(),
        (Some(json), Marks::Allowed) => {
            let path = format!("{path}.attributes");
            let attributes = given::entries(&path, json)?;
            if attributes.contains_key("") {
                return Err(Refusal::value(path, "names of marks", "an empty one"));
            }
            attributes
        }
        (Some(json), Marks::None) => {
            let expected = "no attributes (only a field of type richtext has marks)";
            return Err(Refusal::value(format!("{path}.attributes"), expected, given::found(json)));
        }
    };
    let count = |json: &Json| {
        let count = json.as_u64().and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        count.ok_or_else(|| refused(given::found(json)))
    };
    match (object.get("insert"), object.get("retain"), object.get("delete")) {
        (Some(Json::String(text)), None, None) => {
            given::value(path, &Json::String(text.clone()), Levels::ALL)?;
            Ok(Piece::Insert(text.clone(), attributes))
        }
        (None, Some(retain), None) => Ok(Piece::Retain(count(retain)?, attributes)),
        (None, None, Some(delete)) if attributes.is_empty() => Ok(Piece::Delete(count(delete)?)),
        (_, _, _) => Err(refused(json.to_string().chars().take(60).collect())),
    }
}

/// One delta in the units of documents; `current` becomes what the text reads afterwards.
fn resolve(path: &str, pieces: &[Piece], current: &mut String) -> Result<Vec<TextDelta>, Refusal> {
    let mut rest = current.as_str();
    let mut next = String::with_capacity(current.len());
    let mut delta = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let path = || format!("{path}[{index}]");
        match piece {
            Piece::Insert(text, _) if text.is_empty() => {}
            Piece::Insert(text, attributes) => {
                next.push_str(text);
                delta.push(TextDelta::Insert { insert: text.clone(), attributes: loro_marks(attributes) });
            }
            Piece::Retain(units, attributes) => {
                let kept = split_off(&mut rest, *units).map_err(|found| beyond(path(), found))?;
                next.push_str(kept);
                delta.push(TextDelta::Retain {
                    retain: kept.chars().count(),
                    attributes: loro_marks(attributes),
                });
            }
            Piece::Delete(units) => {
                let gone = split_off(&mut rest, *units).map_err(|found| beyond(path(), found))?;
                delta.push(TextDelta::Delete { delete: gone.chars().count() });
            }
        }
    }
    next.push_str(rest);
    *current = next;
    Ok(delta)
}

fn beyond(path: String, found: String) -> Refusal {
    Refusal::value(path, "a length within the text, in UTF-16 code units", found)
}

/// Takes so many UTF-16 code units from the start of `text`.
fn split_off<'a>(text: &mut &'a str, units: usize) -> Result<&'a str, String> {
    let mut left = units;
    for (at, character) in text.char_indices() {
        if left == 0 {
            let (head, tail) = text.split_at(at);
            *text = tail;
            return Ok(head);
        }
        left = left
            .checked_sub(character.len_utf16())
            .ok_or_else(|| format!("{units}, which ends within {character:?}"))?;
    }
    if left > 0 {
        return Err(format!("{units}, which is {left} beyond its end"));
    }
    Ok(std::mem::take(text))
}

fn loro_marks<S: std::hash::BuildHasher + Default>(
    attributes: &Map<String, Json>,
) -> Option<std::collections::HashMap<String, loro::LoroValue, S>> {
    let marks = attributes.iter().map(|(name, value)| {
        // Depth was checked when the JSON came in.
        (name.clone(), read::to_loro(value, Levels::ALL).unwrap_or(loro::LoroValue::Null))
    });
    (!attributes.is_empty()).then(|| marks.collect())
}

/// The text as a list of inserts with their marks.
pub(crate) fn delta_json(text: &LoroText, levels: Levels) -> Result<Json, TooDeep> {
    let Runs { runs, .. } = node_read::runs(text, levels)?.settled();
    let pieces = joined(runs).into_iter().map(|Run { text, marks }| {
        if marks.is_empty() {
            json!({ "insert": text })
        } else {
            json!({ "insert": text, "attributes": marks })
        }
    });
    Ok(pieces.collect())
}
