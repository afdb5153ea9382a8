//! Reading and editing a row's document the way clients do.

use loro::{Container, LoroDoc, LoroMap, LoroText, LoroValue, ValueOrContainer};

/// The map of a row's fields.
#[must_use]
pub fn fields(doc: &LoroDoc) -> LoroMap {
    doc.get_map("row")
}

/// A collaborative text, made if it is not there.
///
/// # Panics
/// When the field holds something else.
#[must_use]
pub fn text(doc: &LoroDoc, field: &str) -> LoroText {
    fields(doc).ensure_mergeable_text(field).expect("the field can hold a text")
}

/// Adds to the end of a collaborative text.
///
/// # Panics
/// When the field holds something else.
pub fn append(doc: &LoroDoc, field: &str, more: &str) {
    let text = text(doc, field);
    text.insert(text.len_unicode(), more).expect("the end of a text is within it");
}

/// What a field reads as: its text, or its plain value as JSON would write it.
#[must_use]
pub fn read(doc: &LoroDoc, field: &str) -> String {
    match fields(doc).get(field) {
        Some(ValueOrContainer::Container(Container::Text(text))) => text.to_string(),
        Some(ValueOrContainer::Value(LoroValue::String(text))) => text.to_string(),
        Some(ValueOrContainer::Value(LoroValue::Bool(bool))) => bool.to_string(),
        Some(ValueOrContainer::Value(LoroValue::I64(int))) => int.to_string(),
        Some(ValueOrContainer::Value(LoroValue::Double(double))) => double.to_string(),
        Some(_) | None => String::new(),
    }
}

/// Sets a plain field.
///
/// # Panics
/// When Loro refuses.
pub fn set(doc: &LoroDoc, field: &str, value: impl Into<LoroValue>) {
    fields(doc).insert(field, value.into()).expect("a map takes any plain value");
}
