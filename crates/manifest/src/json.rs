//! Reads JSON text, and says in plain words where it is malformed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json, error::Category};

use crate::Problem;

/// Marks our own message among those of the JSON reader.
const TWICE: &str = "key given twice: ";

/// Reads `text`, which must name each key of an object once: of two, one would be lost without a word.
///
/// # Errors
/// The problem's path is the line and the column, both counted from 1.
pub(crate) fn read(text: &str) -> Result<Json, Problem> {
    serde_json::from_str(text).map(|Strict(json)| json).map_err(|error| explain(text, &error))
}

fn explain(text: &str, error: &serde_json::Error) -> Problem {
    let line_text = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The reader counts columns in bytes; editors count characters.
    let before = line_text.as_bytes().get(..error.column().saturating_sub(1)).unwrap_or(line_text.as_bytes());
    let before = String::from_utf8_lossy(before);
    let character = line_text.get(before.len()..).and_then(|rest| rest.chars().next());
    let found = match (error.classify(), character) {
        (Category::Eof, _) => "the end of the text".to_owned(),
        (_, Some(character)) => format!("{:?}", character.to_string()),
        (_, None) => "the end of the line".to_owned(),
    };
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let (expected, found) = match (message.strip_prefix(TWICE), message) {
        (Some(key), _) => ("each key of an object once", format!("{key} a second time")),
        // Where the reader stops at these is not where the mistake can be seen.
        (None, "number out of range") => ("a number that a double can hold", "a larger one".to_owned()),
        (None, "recursion limit exceeded") => ("JSON nested less than 128 deep", "a deeper one".to_owned()),
        (None, other) if other.starts_with("control character") => {
            ("line breaks and the like written as `\\n` within a text", "one as it is".to_owned())
        }
        (None, other) => (plain_words(other), found),
    };
    let path = format!("line {}, column {}", error.line(), before.chars().count() + 1);
    Problem { path, expected: expected.to_owned(), found, nearest: None }
}

/// What the JSON reader would have accepted, in words of ours; its own where it has new ones.
fn plain_words(message: &str) -> &str {
    match message {
        "EOF while parsing a list" => "`,` or `]`",
        "EOF while parsing an object" => "`,` or `}`",
        "EOF while parsing a string" => "the closing quote of a text",
        "EOF while parsing a value" | "expected value" => "a JSON value",
        "expected ident" => "true, false or null",
        "expected `:`" => "`:` after a key",
        "key must be a string" => "a key in double quotes",
        "trailing comma" => "another item after the comma",
        "trailing characters" => "nothing after the end of the manifest",
        "invalid number" => "a number",
        "invalid escape" => "an escape such as `\\n` or `\\u00e9`",
        "invalid unicode code point"
        | "lone leading surrogate in hex escape"
        | "unexpected end of hex escape" => "a `\\u` escape of a whole character",
        other => other.strip_prefix("expected ").unwrap_or(other),
    }
}

/// A JSON value without repeated keys.
struct Strict(Json);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("{TWICE}{key:?}")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Json::Object(map))
    }
}
