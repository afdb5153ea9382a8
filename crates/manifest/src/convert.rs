//! How a field reads values that were written while it was of another type or merge rule.

use serde_json::Value as Json;

use crate::{Crdt, FieldType, Value, is_row_id, parse_time, time_text, whole_float};

/// How a field reads values of the type and merge rule that it had before.
///
/// Nothing is rewritten: documents keep what was written, and whoever reads the field converts. So it does not
/// matter when a value of the former type arrives.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    /// The type that the field had.
    pub from: FieldType,
    /// The merge rule that it had.
    pub crdt: Crdt,
    /// What becomes of single values, by their text.
    pub values: Vec<(String, Value)>,
    /// What takes the place of a value that cannot be converted.
    pub otherwise: Option<Value>,
}

impl Conversion {
    /// What a value of the former type is as a value of the type `to`; `None` when it cannot be converted.
    ///
    /// Null stays null.
    #[must_use]
    pub fn convert(&self, value: &Value, to: &FieldType, crdt: Crdt) -> Option<Value> {
        if value.is_null() {
            return Some(Value::Null);
        }
        let mapped = || {
            let text = text_of(value);
            self.values.iter().find(|(from, _)| *from == text).map(|(_, to)| to.clone())
        };
        mapped()
            .or_else(|| converted(value, to).filter(|value| fits(value, crdt)))
            .or_else(|| self.otherwise.clone())
    }
}

/// The types whose values can become values of the type `to`, in words.
pub(crate) fn sources(to: &FieldType) -> &'static str {
    match to {
        FieldType::String | FieldType::Richtext | FieldType::Document => "any type",
        FieldType::Json => "any type",
        FieldType::Enum(_) => "string, enum, id, int, float, bool, json or richtext",
        FieldType::Id(_) => "string, enum, id, int or json",
        FieldType::Datetime | FieldType::Bytes => "string, json or richtext",
        FieldType::Int | FieldType::Float => "string, enum, id, int, float, bool, json or richtext",
        FieldType::Bool => "string, enum, int, float, json or richtext",
    }
}

/// Whether values of the type `from` can become values of the type `to`.
pub(crate) fn is_possible(from: &FieldType, to: &FieldType) -> bool {
    use FieldType as T;
    match to {
        T::String | T::Richtext | T::Document | T::Json => true,
        T::Enum(_) => !matches!(from, T::Datetime | T::Bytes | T::Document),
        T::Id(_) => matches!(from, T::String | T::Enum(_) | T::Id(_) | T::Int | T::Json),
        T::Datetime => matches!(from, T::String | T::Datetime | T::Json | T::Richtext),
        T::Bytes => matches!(from, T::String | T::Bytes | T::Json | T::Richtext),
        T::Int | T::Float => !matches!(from, T::Datetime | T::Bytes | T::Document),
        T::Bool => !matches!(from, T::Datetime | T::Bytes | T::Document | T::Id(_)),
    }
}

/// A value as a text: what stands in a text, a number's digits, a time in UTC, base64, or JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.to_string(),
        Value::Time(time) => time_text(*time),
        Value::Int(int) => int.to_string(),
        Value::Float(float) => Value::Float(*float).to_json().to_string(),
        Value::Bool(bool) => bool.to_string(),
        Value::Json(Json::String(text)) => text.clone(),
        Value::Json(json) => json.to_string(),
        Value::Bytes(_) => value.to_json().as_str().unwrap_or_default().to_owned(),
    }
}

fn converted(value: &Value, to: &FieldType) -> Option<Value> {
    let text = || text_of(value).trim().to_owned();
    match to {
        FieldType::String | FieldType::Richtext | FieldType::Document => {
            Some(Value::Text(text_of(value).into()))
        }
        FieldType::Json => Some(Value::Json(value.to_json())),
        FieldType::Enum(variants) => variants.contains(&text()).then(|| Value::Text(text().into())),
        FieldType::Id(_) => Some(text()).filter(|id| is_row_id(id)).map(|id| Value::Text(id.into())),
        FieldType::Datetime => parse_time(&text()).ok().map(Value::Time),
        FieldType::Bytes => to.read(&Json::String(text())).ok(),
        FieldType::Int => match value {
            Value::Int(int) => Some(*int),
            Value::Float(float) => whole_float(*float),
            Value::Bool(bool) => Some(i64::from(*bool)),
            Value::Text(_) | Value::Json(_) => text().parse().ok(),
            Value::Null | Value::Time(_) | Value::Bytes(_) => None,
        }
        .map(Value::Int),
        FieldType::Float => match value {
            #[expect(clippy::cast_precision_loss, reason = "a float holds no more")]
            Value::Int(int) => Some(*int as f64),
            Value::Float(float) => Some(*float),
            Value::Bool(bool) => Some(f64::from(u8::from(*bool))),
            Value::Text(_) | Value::Json(_) => text().parse::<f64>().ok().filter(|float| float.is_finite()),
            Value::Null | Value::Time(_) | Value::Bytes(_) => None,
        }
        // Adding zero takes the sign from a negative zero.
        .map(|float| Value::Float(float + 0.0)),
        FieldType::Bool => match text().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" | "1.0" => Some(Value::Bool(true)),
            "false" | "no" | "0" | "0.0" => Some(Value::Bool(false)),
            _ => None,
        },
    }
}

/// Whether the merge rule takes a value of that shape.
fn fits(value: &Value, crdt: Crdt) -> bool {
    match (crdt, value) {
        (Crdt::List | Crdt::MovableList, Value::Json(json)) => json.is_array(),
        (Crdt::Map, Value::Json(json)) => json.is_object(),
        (Crdt::Tree, _) => false,
        (Crdt::List | Crdt::MovableList | Crdt::Map, _) => false,
        (Crdt::Lww | Crdt::Text | Crdt::Counter | Crdt::Document, _) => true,
    }
}
