//! Values that were written while a field was of another type or merge rule.
//!
//! Nothing is rewritten: who has not heard of the change may go on writing as before, and what arrives is read by the
//! conversion that the manifest declares.

use corella_manifest::{FieldType, Value};
use loro::ValueOrContainer;
use serde_json::Value as Json;

use crate::{
    Form, Former, Refusal, ShapeField, container,
    project::{read_container, read_register},
};

/// What a slot holds that was written under the field's former declaration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// A value that can be read now.
    Value(Value),
    /// A value that cannot be converted.
    Unread(Value),
}

/// Reads a slot as the field's former declaration says; `None` when there is none, or it does not read it either.
pub(crate) fn read(field: &ShapeField, slot: Option<&ValueOrContainer>) -> Result<Option<Found>, Refusal> {
    let Some(former) = &field.former else { return Ok(None) };
    let value = match former.field.form {
        Form::Register => read_register(&former.field, slot).ok(),
        Form::Text
        | Form::Document
        | Form::Counter
        | Form::List
        | Form::MovableList
        | Form::Map
        | Form::Tree => match container::present(&former.field, slot) {
            Some(container) => Some(read_container(&former.field, &container)?),
            None => None,
        },
    };
    Ok(value.filter(|value| !value.is_null()).map(|value| former.convert(value, &field.ty)))
}

impl Former {
    /// Reads what a plain row holds; `None` when it was not written under this declaration either.
    pub(crate) fn read(&self, json: &Json, ty: &FieldType) -> Option<Found> {
        let value = self.field.ty.read(json).ok()?;
        Some(self.convert(value, ty))
    }

    fn convert(&self, value: Value, ty: &FieldType) -> Found {
        self.conversion.convert(&value, ty, self.crdt).map_or(Found::Unread(value), Found::Value)
    }
}

/// Whether the field's former declaration reads the slot, converted or not.
pub(crate) fn accepts(field: &ShapeField, slot: &ValueOrContainer) -> bool {
    matches!(read(field, Some(slot)), Ok(Some(Found::Value(_) | Found::Unread(_))))
}
