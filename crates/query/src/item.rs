//! One item that a list may have in it.

use corella_manifest::Value;
use serde_json::Value as Json;

/// What to look for among the items of a `json` column's list.
///
/// Its numbers are those for which memory and both databases agree on what is equal.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// This text.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// This whole number, also where it is written as `1.0`.
    Whole(i64),
    /// This other number, whose size is below 2^53.
    Fraction(f64),
}

impl Item {
    /// What an item may be, in words.
    pub(crate) const EXPECTED: &'static str =
        "a string, true, false, a whole number of 64 bits, or another number below 2^53";
    /// From here on, floats are further apart than whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    /// Reads a literal; `None` when a list cannot be asked for it.
    #[must_use]
    pub fn new(json: &Json) -> Option<Self> {
        match json {
            Json::Bool(bool) => Some(Self::Bool(*bool)),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Some(Self::Whole(whole)),
                None => Self::float(number.as_f64()?),
            },
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn float(float: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "it has been seen to be whole and below 2^53")]
        match (float.abs() < Self::EXACT, float.fract() == 0.0) {
            (true, true) => Some(Self::Whole(float as i64)),
            (true, false) => Some(Self::Fraction(float)),
            (false, _) => None,
        }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Bool(bool) => (*bool).into(),
            Self::Whole(whole) => (*whole).into(),
            Self::Fraction(float) => (*float).into(),
        }
    }

    /// Whether `value` is a list that has it.
    pub(crate) fn is_in(&self, value: &Value) -> bool {
        let Value::Json(Json::Array(items)) = value else { return false };
        items.iter().any(|item| match (item, self) {
            (Json::Number(number), Self::Whole(whole)) if number.is_f64() => {
                number.as_f64().is_some_and(|float| is_whole(float, *whole))
            }
            (item, _) => Self::new(item).as_ref() == Some(self),
        })
    }
}

/// Whether the float is exactly this whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond 128 bits is beyond any whole number of 64"
)]
fn is_whole(float: f64, whole: i64) -> bool {
    float.fract() == 0.0 && float as i128 == i128::from(whole)
}
