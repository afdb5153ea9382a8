//! A row that is no document: its fields as they were written last.
//!
//! It is kept as one JSON object, which each write replaces. Its version counts the writes, so that whatever handles
//! rows at rest handles it like any other.

use std::collections::BTreeMap;

use corella_manifest::{FieldType, Value};
use loro::VersionVector;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{
    Change, CorruptRow, Projection, Refusal, RowShape, ShapeField, Unfit, Version, counter,
    former::Found,
    operation::{self, Asked},
    wanted::{self, Wanted},
};

/// The version of what is written here.
const FORMAT: u8 = 1;

/// The fields of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlainRow {
    plain: u8,
    writes: i32,
    deleted: bool,
    /// Also those that were declared once.
    fields: BTreeMap<String, Json>,
}

impl Default for PlainRow {
    fn default() -> Self {
        Self { plain: FORMAT, writes: 0, deleted: false, fields: BTreeMap::new() }
    }
}

impl PlainRow {
    /// A row from its stored pieces, of which the last is all there is to it.
    pub(crate) fn load<B: AsRef<[u8]>>(snapshot: Option<&[u8]>, deltas: &[B]) -> Result<Self, CorruptRow> {
        match (deltas.last(), snapshot) {
            (Some(last), _) => Self::read(last.as_ref(), "tail"),
            (None, Some(snapshot)) => Self::read(snapshot, "snapshot"),
            (None, None) => Ok(Self::default()),
        }
    }

    pub(crate) fn read(bytes: &[u8], piece: &'static str) -> Result<Self, CorruptRow> {
        let undecodable = |reason| CorruptRow::Undecodable { piece, reason };
        let row: Self = serde_json::from_slice(bytes).map_err(|error| undecodable(error.to_string()))?;
        if row.plain != FORMAT {
            return Err(undecodable(format!("expected plain rows of version {FORMAT}, found {}", row.plain)));
        }
        Ok(row)
    }

    /// The row as it is stored.
    pub(crate) fn image(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> Version {
        if self.writes == 0 {
            return Version::empty();
        }
        Version::from_vector(VersionVector::from_iter([(0, self.writes)]))
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    pub(crate) fn set_deleted(&mut self, deleted: bool) -> Change {
        let liveness = self.deleted != deleted;
        self.deleted = deleted;
        self.count(Change { liveness, ..Change::default() })
    }

    /// Takes in a row that was stored elsewhere: of two that differ, the one that was written more often.
    pub(crate) fn merge(&mut self, other: Self) -> Change {
        if other.writes <= self.writes {
            return Change::default();
        }
        *self = other;
        Change { liveness: true, ..Change::default() }
    }

    /// Sets fields to JSON values; numbers may be added to.
    pub(crate) fn patch(&mut self, shape: &RowShape, patch: &Map<String, Json>) -> Result<Change, Refusal> {
        let mut wanted = Vec::with_capacity(patch.len());
        for (key, json) in patch {
            let index = shape.called(key).ok_or_else(|| wanted::unknown(shape, key))?;
            wanted.push((index, self.want(&shape.fields()[index], json)?));
        }
        let mut change = Change::default();
        for (index, value) in wanted {
            let field = &shape.fields()[index];
            if self.value(field) == value {
                continue;
            }
            let name = field.key.to_string();
            if value.is_null() {
                self.fields.remove(&name);
            } else {
                self.fields.insert(name, value.to_json());
            }
            change.fields.insert(index);
        }
        Ok(self.count(change))
    }

    fn want(&self, field: &ShapeField, json: &Json) -> Result<Value, Refusal> {
        let name = field.name.as_str();
        if matches!(field.ty, FieldType::Int | FieldType::Float) {
            let asked = operation::read(name, json, &counter::OPERATIONS)?;
            if let Asked::Steps(_) = &asked {
                return counter::added(field, &self.value(field), counter::read(field, &asked)?);
            }
        }
        match wanted::want(field, json)? {
            Wanted::Register(value) => Ok(value),
            Wanted::Text(_) | Wanted::Lines(_) | Wanted::Nodes(_) | Wanted::Counter(_) => {
                Err(Refusal::value(name, "a plain value", "an operation"))
            }
            Wanted::List(_) | Wanted::Map(_) | Wanted::Tree(_) => {
                Err(Refusal::value(name, "a plain value", "an operation"))
            }
        }
    }

    /// Whether nobody has given the field anything.
    pub(crate) fn lacks(&self, field: &ShapeField) -> bool {
        self.fields.get(field.key.as_str()).is_none_or(Json::is_null)
    }

    fn value(&self, field: &ShapeField) -> Value {
        match self.found(field) {
            Found::Value(value) => value,
            Found::Unread(_) => Value::Null,
        }
    }

    /// What the field holds; what its type does not read was written under another declaration of it.
    fn found(&self, field: &ShapeField) -> Found {
        let json = self.fields.get(field.key.as_str()).unwrap_or(&Json::Null);
        if let Ok(value) = field.ty.read(json) {
            return Found::Value(value);
        }
        let former = field.former.as_ref().and_then(|former| former.read(json, &field.ty));
        former.unwrap_or(Found::Value(Value::Null))
    }

    /// The fields that hold what was written under a former declaration and does not convert.
    pub(crate) fn unfit(&self, shape: &RowShape) -> Vec<Unfit> {
        let unread = |field: &ShapeField| match self.found(field) {
            Found::Unread(value) => Some(Unfit::unread(field, &value)),
            Found::Value(_) => None,
        };
        shape.fields().iter().filter_map(unread).collect()
    }

    pub(crate) fn project(&self, shape: &RowShape) -> Projection {
        Projection {
            deleted: self.deleted,
            values: shape.fields().iter().map(|field| self.value(field)).collect(),
        }
    }

    /// About how many bytes of memory the row occupies.
    pub(crate) fn resident_bytes(&self) -> usize {
        const BASE: usize = 512;
        const PER_FIELD: usize = 128;
        let texts = self.fields.values().map(|json| match json {
            Json::String(text) => text.len(),
            Json::Array(_) | Json::Object(_) => json.to_string().len(),
            Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        });
        BASE + PER_FIELD * self.fields.len() + texts.sum::<usize>()
    }

    /// Counts a write that has changed something.
    fn count(&mut self, change: Change) -> Change {
        if !change.is_empty() {
            self.writes = self.writes.saturating_add(1);
        }
        change
    }

    /// A new row: written also when nothing was given.
    pub(crate) fn begin(&mut self) {
        self.writes = self.writes.max(1);
    }
}
