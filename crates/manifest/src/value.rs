//! The value of one field, as its type reads it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jiff::Timestamp;
use serde_json::{Number, Value as Json};

use crate::{
    FieldType,
    time::{self, parse_time, time_text},
};

/// Largest whole number that every JSON reader keeps exactly.
const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// The value of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// The row has no value there.
    Null,
    /// Of `string`, `enum`, `id`, `richtext` and `document` fields; the last two as plain text.
    Text(Arc<str>),
    /// Of `datetime` fields.
    Time(Timestamp),
    /// Of `int` fields.
    Int(i64),
    /// Of `float` fields; never NaN, never infinite, and zero has no sign.
    Float(f64),
    /// Of `bool` fields.
    Bool(bool),
    /// Of `bytes` fields.
    Bytes(Arc<[u8]>),
    /// Of `json` fields and of `open` entities' whole value.
    Json(Json),
}

/// A JSON value that is not of the type that a field declares.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct TypeMismatch {
    /// What the field's type takes, in words.
    pub expected: String,
    /// What came, cut to a readable length.
    pub found: String,
}

impl TypeMismatch {
    /// A mismatch between `expected`, in words, and the JSON that came.
    #[must_use]
    pub fn new(expected: impl Into<String>, found: &Json) -> Self {
        Self { expected: expected.into(), found: describe(found) }
    }
}

impl Value {
    /// The value as JSON. Whole numbers beyond 2^53 become strings, times RFC 3339 in UTC, bytes base64.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Text(text) => Json::String(text.to_string()),
            Self::Time(time) => Json::String(time_text(*time)),
            Self::Int(int) if int.unsigned_abs() > MAX_SAFE_INTEGER => Json::String(int.to_string()),
            Self::Int(int) => Json::Number((*int).into()),
            Self::Float(float) => Number::from_f64(*float).map_or(Json::Null, Json::Number),
            Self::Bool(bool) => Json::Bool(*bool),
            Self::Bytes(bytes) => Json::String(BASE64.encode(bytes)),
            Self::Json(json) => json.clone(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

pub(crate) fn read(ty: &FieldType, json: &Json) -> Result<Value, TypeMismatch> {
    match (ty, json) {
        (_, Json::Null) => Ok(Value::Null),
        (FieldType::String | FieldType::Richtext | FieldType::Document, Json::String(text)) => {
            Ok(Value::Text(text.as_str().into()))
        }
        (FieldType::String | FieldType::Richtext | FieldType::Document, other) => {
            Err(TypeMismatch::new("a string", other))
        }
        (FieldType::Enum(variants), Json::String(text)) if variants.contains(text) => {
            Ok(Value::Text(text.as_str().into()))
        }
        (FieldType::Enum(variants), other) => {
            Err(TypeMismatch::new(format!("one of {}", variants.join(", ")), other))
        }
        (FieldType::Id(_), Json::String(text)) if is_row_id(text) => Ok(Value::Text(text.as_str().into())),
        (FieldType::Id(entity), other) => {
            Err(TypeMismatch::new(format!("the id of a row of {entity}: 1 to 64 of A-Z a-z 0-9 _ -"), other))
        }
        (FieldType::Datetime, Json::String(text)) => parse_time(text).map(Value::Time),
        (FieldType::Datetime, other) => Err(TypeMismatch::new(time::EXPECTED, other)),
        (FieldType::Int, json) => read_int(json)
            .map(Value::Int)
            .ok_or_else(|| TypeMismatch::new("a whole number of 64 bits (as a string beyond 2^53)", json)),
        (FieldType::Float, json) => json
            .as_f64()
            .filter(|float| float.is_finite())
            // Adding zero takes the sign from a negative zero, which a database may not keep.
            .map(|float| Value::Float(float + 0.0))
            .ok_or_else(|| TypeMismatch::new("a finite number", json)),
        (FieldType::Bool, Json::Bool(bool)) => Ok(Value::Bool(*bool)),
        (FieldType::Bool, other) => Err(TypeMismatch::new("true or false", other)),
        (FieldType::Bytes, Json::String(text)) => BASE64
            .decode(text)
            .map(|bytes| Value::Bytes(bytes.into()))
            .map_err(|_| TypeMismatch::new("bytes in base64", json)),
        (FieldType::Bytes, other) => Err(TypeMismatch::new("bytes in base64", other)),
        (FieldType::Json, json) => Ok(Value::Json(json.clone())),
    }
}

fn read_int(json: &Json) -> Option<i64> {
    match json {
        Json::Number(number) => number.as_i64().or_else(|| whole_float(number.as_f64()?)),
        Json::String(text) => text.parse().ok(),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

/// The whole number that `float` is, when no other whole number is rounded to the same double.
#[must_use]
pub fn whole_float(float: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "2^53 is exact")]
    let limit = MAX_SAFE_INTEGER as f64;
    if !float.is_finite() || float.fract() != 0.0 || float.abs() >= limit {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, checked above")]
    Some(float as i64)
}

/// Whether `text` may name a row: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[must_use]
pub fn is_row_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether there is a U+0000 in a text or a key of `json`, which PostgreSQL cannot hold.
#[must_use]
pub fn has_nul(json: &Json) -> bool {
    let mut waiting = vec![json];
    while let Some(json) = waiting.pop() {
        match json {
            Json::String(text) if text.contains('\0') => return true,
            Json::Object(map) if map.keys().any(|key| key.contains('\0')) => return true,
            Json::Array(items) => waiting.extend(items),
            Json::Object(map) => waiting.extend(map.values()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    false
}

pub(crate) fn describe(json: &Json) -> String {
    const MOST: usize = 60;
    let text = match json {
        Json::Null => return "null".into(),
        Json::Array(items) => return format!("a list of {}", counted(items.len(), "item")),
        Json::Object(map) => return format!("an object of {}", counted(map.len(), "key")),
        Json::Bool(_) | Json::Number(_) | Json::String(_) => json.to_string(),
    };
    if text.chars().count() <= MOST {
        return text;
    }
    let head: String = text.chars().take(MOST).collect();
    format!("{head}… ({} bytes)", text.len())
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
