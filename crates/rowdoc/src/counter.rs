//! Counters: a map with one total for each peer.
//!
//! Loro's own counter adds doubles in the order in which they arrive, so that replicas end with different sums
//! and whole numbers beyond 2^53 are lost. Here each peer keeps the total of its own increments under its id, nobody
//! else writes it, and the value is the sum of all totals: exact, and the same everywhere.

use corella_manifest::{FieldType, Value};
use loro::{LoroDoc, LoroMap, LoroResult, LoroValue, ValueOrContainer};
use serde_json::{Number, Value as Json};

use crate::{
    Refusal, ShapeField, given,
    operation::{Asked, Step},
};

pub(crate) const OPERATIONS: [&str; 1] = ["$inc"];

/// What a patch wants of a counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Edit {
    /// That it stands at this.
    To(Amount),
    /// That it goes up by this.
    By(Amount),
}

/// A number of the counter's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Amount {
    Int(i128),
    Float(f64),
}

/// A counter's value, and whether its column can hold it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Total {
    /// The nearest value that the column can hold.
    pub(crate) value: Value,
    /// What the counter stands at, in words, when the column cannot hold it.
    pub(crate) beyond: Option<String>,
}

/// Reads what a patch wants.
pub(crate) fn read(field: &ShapeField, asked: &Asked<'_>) -> Result<Edit, Refusal> {
    match asked {
        Asked::Whole(Json::Null) => Ok(Edit::To(zero(field))),
        Asked::Whole(json) => amount(field, field.name.as_str(), json).map(Edit::To),
        Asked::Steps(steps) => steps
            .iter()
            .try_fold(zero(field), |sum, Step { operand, path, .. }| {
                Ok(sum.plus(amount(field, path, operand)?))
            })
            .map(Edit::By),
    }
}

/// What a plain number becomes by an edit.
///
/// # Errors
/// [`Refusal`] when the field's column cannot hold it.
pub(crate) fn added(field: &ShapeField, current: &Value, edit: Edit) -> Result<Value, Refusal> {
    let current = match current {
        Value::Int(int) => Amount::Int((*int).into()),
        Value::Float(float) => Amount::Float(*float),
        Value::Null | Value::Text(_) | Value::Time(_) | Value::Bool(_) | Value::Bytes(_) | Value::Json(_) => {
            zero(field)
        }
    };
    let next = match edit {
        Edit::To(amount) => amount,
        Edit::By(amount) => current.plus(amount),
    };
    let beyond = |found: String| Refusal::value(&field.name, "a sum that the column can hold", found);
    match next {
        Amount::Int(int) => i64::try_from(int).map(Value::Int).map_err(|_| beyond(int.to_string())),
        Amount::Float(float) if float.is_finite() => Ok(Value::Float(float + 0.0)),
        Amount::Float(float) => Err(beyond(float.to_string())),
    }
}

/// The edit that starts a counter at what its field held before.
pub(crate) fn start(field: &ShapeField, earlier: &Json) -> Option<Edit> {
    amount(field, field.name.as_str(), earlier).ok().map(Edit::To)
}

/// The edit that brings a counter to what it stands at in `map`.
pub(crate) fn to_total(ty: &FieldType, map: &LoroMap) -> Edit {
    Edit::To(sum(ty, map))
}

/// The edit that brings a counter to zero.
pub(crate) fn to_zero(field: &ShapeField) -> Edit {
    Edit::To(zero(field))
}

fn amount(field: &ShapeField, path: &str, json: &Json) -> Result<Amount, Refusal> {
    match field.ty.read(json) {
        Ok(Value::Int(int)) => Ok(Amount::Int(int.into())),
        Ok(Value::Float(float)) => Ok(Amount::Float(float)),
        Ok(_) => Err(Refusal::value(path, "a number", given::found(json))),
        Err(mismatch) => Err(Refusal::value(path, mismatch.expected, mismatch.found)),
    }
}

fn zero(field: &ShapeField) -> Amount {
    if field.ty == FieldType::Int { Amount::Int(0) } else { Amount::Float(0.0) }
}

impl Amount {
    fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => Self::Int(one.saturating_add(other)),
            (Self::Int(_) | Self::Float(_), _) => Self::Float(self.double() + other.double()),
        }
    }

    fn minus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => Self::Int(one.saturating_sub(other)),
            (Self::Int(_) | Self::Float(_), _) => Self::Float(self.double() - other.double()),
        }
    }

    fn double(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a float counter adds doubles")]
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    fn is_zero(self) -> bool {
        match self {
            Self::Int(int) => int == 0,
            Self::Float(float) => float == 0.0,
        }
    }

    /// The number as one entry of the map, if 64 bits hold it.
    fn stored(self) -> Option<LoroValue> {
        match self {
            Self::Int(int) => i64::try_from(int).ok().map(LoroValue::I64),
            Self::Float(float) => float.is_finite().then_some(LoroValue::Double(float + 0.0)),
        }
    }
}

/// The total that one entry of the map says, if it is one.
pub(crate) fn entry(ty: &FieldType, value: &LoroValue) -> Option<Amount> {
    let number = match value {
        LoroValue::I64(int) => Number::from(*int),
        LoroValue::Double(double) => Number::from_f64(*double)?,
        LoroValue::Null
        | LoroValue::Bool(_)
        | LoroValue::Binary(_)
        | LoroValue::String(_)
        | LoroValue::List(_)
        | LoroValue::Map(_)
        | LoroValue::Container(_) => return None,
    };
    match ty.read(&Json::Number(number)).ok()? {
        Value::Int(int) => Some(Amount::Int(int.into())),
        Value::Float(float) => Some(Amount::Float(float)),
        Value::Null | Value::Text(_) | Value::Time(_) | Value::Bool(_) | Value::Bytes(_) | Value::Json(_) => {
            None
        }
    }
}

/// What the counter stands at.
pub(crate) fn total(ty: &FieldType, map: &LoroMap) -> Total {
    match sum(ty, map) {
        Amount::Int(sum) => match i64::try_from(sum) {
            Ok(int) => Total { value: Value::Int(int), beyond: None },
            Err(_) => {
                let nearest = if sum < 0 { i64::MIN } else { i64::MAX };
                Total { value: Value::Int(nearest), beyond: Some(sum.to_string()) }
            }
        },
        Amount::Float(sum) if sum.is_finite() => Total { value: Value::Float(sum + 0.0), beyond: None },
        Amount::Float(sum) => {
            let (nearest, words) =
                if sum < 0.0 { (f64::MIN, "less than -1.8e308") } else { (f64::MAX, "more than 1.8e308") };
            Total { value: Value::Float(nearest), beyond: Some(words.into()) }
        }
    }
}

fn sum(ty: &FieldType, map: &LoroMap) -> Amount {
    let mut entries = Vec::new();
    map.for_each(|_, value| {
        if let ValueOrContainer::Value(value) = value {
            entries.extend(entry(ty, &value));
        }
    });
    if *ty == FieldType::Int {
        return entries.into_iter().fold(Amount::Int(0), Amount::plus);
    }
    Amount::Float(exact_sum(entries.into_iter().map(Amount::double).collect()))
}

/// The double nearest to the sum of `terms`; infinite when none is near.
///
/// Rounding errors are carried along instead of lost, so that the order of the terms does not matter.
fn exact_sum(mut terms: Vec<f64>) -> f64 {
    /// Keeps sums of doubles within what a double holds, and is undone without rounding.
    const SCALE: f64 = 18_446_744_073_709_551_616.0;
    terms.sort_by(f64::total_cmp);
    let plain = sum_of_parts(&terms);
    if plain.is_finite() {
        return plain;
    }
    let scaled: Vec<f64> = terms.iter().map(|term| term / SCALE).collect();
    sum_of_parts(&scaled) * SCALE
}

fn sum_of_parts(terms: &[f64]) -> f64 {
    // Parts that do not overlap, the smallest first; together they are the exact sum so far.
    let mut parts: Vec<f64> = Vec::new();
    for term in terms {
        let mut rest = *term;
        let mut kept = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let (large, small) = if rest.abs() < part.abs() { (part, rest) } else { (rest, part) };
            let high = large + small;
            let low = small - (high - large);
            if low != 0.0 {
                kept.push(low);
            }
            rest = high;
        }
        kept.push(rest);
        parts = kept;
    }
    // From the largest part down, until one does not fit any more. Where that one lies just between two doubles, the
    // next part decides.
    let mut sum = parts.pop().unwrap_or(0.0);
    while let Some(part) = parts.pop() {
        let before = sum;
        sum = before + part;
        let rest = part - (sum - before);
        if rest == 0.0 {
            continue;
        }
        let next = parts.last().copied().unwrap_or(0.0);
        let further = sum + 2.0 * rest;
        if rest * next > 0.0 && further - sum == 2.0 * rest {
            sum = further;
        }
        break;
    }
    sum
}

/// Finds out before the first operation whether the edit can be made.
///
/// `earlier` is what the field held before it became a counter.
pub(crate) fn check(
    field: &ShapeField,
    doc: &LoroDoc,
    map: Option<&LoroMap>,
    earlier: Option<&Json>,
    edit: Edit,
) -> Result<(), Refusal> {
    let start = match earlier.and_then(|json| start(field, json)) {
        Some(Edit::To(amount) | Edit::By(amount)) => amount,
        None => zero(field),
    };
    let before = map.map_or(start, |map| sum(&field.ty, map));
    let (after, step) = match edit {
        Edit::To(wanted) => (wanted, wanted.minus(before)),
        Edit::By(step) => (before.plus(step), step),
    };
    let own = map.map_or(start, |map| own(doc, &field.ty, map)).plus(step);
    if after.stored().is_some() && own.stored().is_some() {
        return Ok(());
    }
    let (expected, found) = match after {
        Amount::Int(after) => ("increments that keep the counter within 64 bits", after.to_string()),
        Amount::Float(_) => ("increments that keep the counter finite", "ones that do not".to_owned()),
    };
    Err(Refusal::value(&field.name, expected, found))
}

/// Makes the edit.
pub(crate) fn apply(doc: &LoroDoc, ty: &FieldType, map: &LoroMap, edit: Edit) -> LoroResult<()> {
    match edit {
        Edit::By(step) => add(doc, ty, map, step),
        // A step between doubles may be rounded; the rest of it is made good.
        Edit::To(wanted) => (0..4).try_for_each(|_| add(doc, ty, map, wanted.minus(sum(ty, map)))),
    }
}

fn add(doc: &LoroDoc, ty: &FieldType, map: &LoroMap, step: Amount) -> LoroResult<()> {
    if step.is_zero() {
        return Ok(());
    }
    match own(doc, ty, map).plus(step).stored() {
        Some(total) => map.insert(&own_key(doc), total),
        None => Ok(()),
    }
}

/// What this replica has added so far.
fn own(doc: &LoroDoc, ty: &FieldType, map: &LoroMap) -> Amount {
    let none = if *ty == FieldType::Int { Amount::Int(0) } else { Amount::Float(0.0) };
    match map.get(&own_key(doc)) {
        Some(ValueOrContainer::Value(value)) => entry(ty, &value).unwrap_or(none),
        Some(ValueOrContainer::Container(_)) | None => none,
    }
}

fn own_key(doc: &LoroDoc) -> String {
    doc.peer_id().to_string()
}

#[cfg(test)]
mod tests {
    use super::exact_sum;

    #[test]
    fn sums_are_exact() {
        assert_eq!(exact_sum(vec![0.1; 10]), 1.0);
        assert_eq!(exact_sum(vec![0.1, 0.2, 0.3, 1e16, -1e16, 0.7]), 1.3);
        assert_eq!(exact_sum(vec![1.0, 2.0_f64.powi(-53), 2.0_f64.powi(-200)]), 1.0 + f64::EPSILON);
        assert_eq!(exact_sum(vec![1e308, 1e308, -1e308, -1e308, 0.5]), 0.5);
        assert_eq!(exact_sum(vec![1e100, 1.0, -1e100]), 1.0);
        assert!(exact_sum(vec![f64::MAX, f64::MAX]).is_infinite());
        assert_eq!(exact_sum(Vec::new()), 0.0);
    }
}
