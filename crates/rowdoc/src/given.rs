//! JSON that came from outside, checked and brought to one spelling.

use corella_manifest::{TypeMismatch, has_nul};
use serde_json::{Map, Value as Json};

use crate::{
    Refusal,
    read::{self, Levels},
};

/// What came, in words.
pub(crate) fn found(json: &Json) -> String {
    TypeMismatch::new("", json).found
}

/// A value for a `json` field, or for a place within one.
///
/// # Errors
/// [`Refusal`] when it nests too deep, has U+0000 in a text, or a number that neither 64 bits nor a double hold.
pub(crate) fn value(path: &str, json: &Json, levels: Levels) -> Result<Json, Refusal> {
    if has_nul(json) {
        let expected = "text without U+0000, which not every database holds";
        return Err(Refusal::value(path, expected, found(json)));
    }
    let canonical = read::canonical(json, levels)?;
    match inexact(json) {
        Some(number) => {
            let expected = "whole numbers of 64 bits (larger ones as strings)";
            Err(Refusal::value(path, expected, number))
        }
        None => Ok(canonical),
    }
}

/// The items of a list, each as [`value`] takes it.
pub(crate) fn items(path: &str, json: &Json) -> Result<Vec<Json>, Refusal> {
    let Json::Array(items) = json else { return Err(Refusal::value(path, "a list", found(json))) };
    let levels = Levels::ALL.down()?;
    items.iter().enumerate().map(|(index, item)| value(&format!("{path}[{index}]"), item, levels)).collect()
}

/// The entries of an object, each as [`value`] takes it.
pub(crate) fn entries(path: &str, json: &Json) -> Result<Map<String, Json>, Refusal> {
    let Json::Object(entries) = json else { return Err(Refusal::value(path, "an object", found(json))) };
    let levels = Levels::ALL.down()?;
    let checked = entries.iter().map(|(name, item)| {
        let name = key(path, name)?;
        Ok((name.clone(), value(&format!("{path}.{name}"), item, levels)?))
    });
    checked.collect()
}

/// A key of an object.
pub(crate) fn key(path: &str, name: &str) -> Result<String, Refusal> {
    if name.contains('\0') {
        return Err(Refusal::value(
            path,
            "keys without U+0000, which not every database holds",
            "one with it",
        ));
    }
    Ok(name.to_owned())
}

/// A place in a list.
pub(crate) fn index(path: &str, json: &Json) -> Result<usize, Refusal> {
    json.as_u64()
        .and_then(|index| usize::try_from(index).ok())
        .ok_or_else(|| Refusal::value(path, "a place in the list, counted from 0", found(json)))
}

/// A list of exactly two, such as the operand of `$insert`.
pub(crate) fn pair<'a>(path: &str, json: &'a Json, expected: &str) -> Result<(&'a Json, &'a Json), Refusal> {
    match json.as_array().map(Vec::as_slice) {
        Some([first, second]) => Ok((first, second)),
        Some(_) | None => Err(Refusal::value(path, expected, found(json))),
    }
}

/// The first number in `json` that a document would hold as another one.
fn inexact(json: &Json) -> Option<String> {
    let mut waiting = vec![json];
    while let Some(json) = waiting.pop() {
        match json {
            Json::Number(number) if number.as_i64().is_none() => {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the loss is what is looked for"
                )]
                let is_kept = number.as_u64().is_none_or(|whole| (whole as f64) as u128 == u128::from(whole));
                if !is_kept {
                    return Some(number.to_string());
                }
            }
            Json::Array(items) => waiting.extend(items),
            Json::Object(entries) => waiting.extend(entries.values()),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
        }
    }
    None
}
