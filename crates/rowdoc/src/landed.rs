//! What the operations of an import put into their containers.

use std::slice;

use corella_manifest::Value;
use loro::{
    ContainerID, ContainerType, JsonListOp, JsonMapOp, JsonMovableListOp, JsonOp, JsonOpContent, JsonTextOp,
    LoroValue,
};

use crate::{
    Form, Refusal, RowShape, counter,
    doc::ROW,
    project::{any_value, describe, is_finite},
    read::nesting,
};

/// What the operations on one container put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Landed {
    /// How deep the plain values nest.
    pub(crate) nesting: usize,
    /// What no column can hold.
    pub(crate) fault: Option<Fault>,
}

/// What no column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// U+0000 in a text or a key.
    Nul,
    /// NaN or an infinity.
    NotFinite,
}

impl Landed {
    /// Takes in one more operation; looks at no more than just beyond `levels`.
    pub(crate) fn add(&mut self, content: &JsonOpContent, levels: usize) {
        for value in values(content) {
            self.nesting = self.nesting.max(nesting(value, levels));
            if self.nesting > levels {
                return;
            }
            if !is_finite(value) {
                self.fault = Some(Fault::NotFinite);
            }
            if has_nul(value) {
                self.fault = Some(Fault::Nul);
            }
        }
        if texts(content).contains('\0') {
            self.fault = Some(Fault::Nul);
        }
    }
}

impl Fault {
    /// The refusal of a change that would bring it into the field at `path`.
    pub(crate) fn refusal(self, path: &str) -> Refusal {
        match self {
            Self::Nul => {
                Refusal::value(path, "text without U+0000, which not every database holds", "text with it")
            }
            Self::NotFinite => {
                Refusal::value(path, "finite numbers, since JSON has no others", "NaN or an infinity")
            }
        }
    }
}

/// The plain values that an operation puts into its container.
fn values(content: &JsonOpContent) -> &[LoroValue] {
    match content {
        JsonOpContent::Map(JsonMapOp::Insert { value, .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Set { value, .. })
        | JsonOpContent::Text(JsonTextOp::Mark { style_value: value, .. }) => slice::from_ref(value),
        JsonOpContent::List(JsonListOp::Insert { value, .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Insert { value, .. }) => value,
        JsonOpContent::Map(JsonMapOp::Delete { .. })
        | JsonOpContent::List(JsonListOp::Delete { .. })
        | JsonOpContent::MovableList(JsonMovableListOp::Delete { .. } | JsonMovableListOp::Move { .. })
        | JsonOpContent::Text(JsonTextOp::Insert { .. } | JsonTextOp::Delete { .. } | JsonTextOp::MarkEnd)
        | JsonOpContent::Tree(_)
        | JsonOpContent::Future(_) => &[],
    }
}

/// The text or the key that an operation brings beside its values.
fn texts(content: &JsonOpContent) -> &str {
    match content {
        JsonOpContent::Map(JsonMapOp::Insert { key, .. }) => key,
        JsonOpContent::Text(JsonTextOp::Insert { text, .. }) => text,
        JsonOpContent::Text(JsonTextOp::Mark { style_key, .. }) => style_key,
        JsonOpContent::Map(JsonMapOp::Delete { .. })
        | JsonOpContent::Text(JsonTextOp::Delete { .. } | JsonTextOp::MarkEnd)
        | JsonOpContent::List(_)
        | JsonOpContent::MovableList(_)
        | JsonOpContent::Tree(_)
        | JsonOpContent::Future(_) => "",
    }
}

/// Whether a plain field's value has U+0000 in a text.
pub(crate) fn value_has_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.contains('\0'),
        Value::Json(json) => corella_manifest::has_nul(json),
        Value::Null | Value::Time(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Bytes(_) => {
            false
        }
    }
}

fn has_nul(value: &LoroValue) -> bool {
    any_value(value, |value| match value {
        LoroValue::String(text) => text.contains('\0'),
        LoroValue::Map(entries) => entries.keys().any(|key| key.contains('\0')),
        LoroValue::Null | LoroValue::Bool(_) | LoroValue::Double(_) | LoroValue::I64(_) => false,
        LoroValue::Binary(_) | LoroValue::List(_) | LoroValue::Container(_) => false,
    })
}

/// The key of the row's own map that an operation writes to.
pub(crate) fn row_key(operation: &JsonOp) -> Option<&str> {
    if !is_row(&operation.container) {
        return None;
    }
    match &operation.content {
        JsonOpContent::Map(JsonMapOp::Insert { key, .. } | JsonMapOp::Delete { key }) => Some(key),
        JsonOpContent::List(_)
        | JsonOpContent::MovableList(_)
        | JsonOpContent::Text(_)
        | JsonOpContent::Tree(_)
        | JsonOpContent::Future(_) => None,
    }
}

fn is_row(container: &ContainerID) -> bool {
    matches!(container, ContainerID::Root { name, container_type: ContainerType::Map } if &**name == ROW)
}

/// Refuses what `peer` may not do to a counter: write another peer's total, or something that is no number.
pub(crate) fn check_counter(shape: &RowShape, peer: u64, operation: &JsonOp) -> Result<(), Refusal> {
    let Some((parent, key, ContainerType::Map)) = operation.container.parse_mergeable() else {
        return Ok(());
    };
    if !is_row(&parent) {
        return Ok(());
    }
    let Some(field) = shape.key_index(&key).map(|index| &shape.fields()[index]) else { return Ok(()) };
    if field.form != Form::Counter {
        return Ok(());
    }
    let written = match &operation.content {
        JsonOpContent::Map(JsonMapOp::Insert { key, value }) => {
            if counter::entry(&field.ty, value).is_none() {
                let expected = format!("{} as a peer's total", field.ty.spelling());
                let found = describe(&loro::ValueOrContainer::Value(value.clone()));
                return Err(Refusal::value(&field.name, expected, found));
            }
            key
        }
        JsonOpContent::Map(JsonMapOp::Delete { key }) => key,
        JsonOpContent::List(_)
        | JsonOpContent::MovableList(_)
        | JsonOpContent::Text(_)
        | JsonOpContent::Tree(_)
        | JsonOpContent::Future(_) => return Ok(()),
    };
    if *written == peer.to_string() {
        return Ok(());
    }
    let expected = format!("the total of the peer that writes it, under the key \"{peer}\"");
    Err(Refusal::value(&field.name, expected, format!("the key {written:.40?}")))
}
