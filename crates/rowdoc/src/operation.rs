//! Operations in a JSON patch: `{"$push": …}` and kin, told apart from values.

use serde_json::{Map, Value as Json};

use crate::{Refusal, given};

/// The operations of every kind of field.
const KNOWN: [&str; 10] =
    ["$inc", "$push", "$insert", "$move", "$remove", "$set", "$merge", "$create", "$delete", "$delta"];
/// A value that is no operation, whatever it looks like.
const VALUE: &str = "$value";
/// Several operations, one after the other.
const SEVERAL: &str = "$ops";
/// Most operations on one field in one patch.
const MOST: usize = 10_000;

/// What a patch says of a field.
pub(crate) enum Asked<'a> {
    /// This value as a whole.
    Whole(&'a Json),
    /// These operations, in this order.
    Steps(Vec<Step<'a>>),
}

/// One operation that is known by its name only.
pub(crate) struct Step<'a> {
    pub(crate) name: &'a str,
    pub(crate) operand: &'a Json,
    /// Where it stands in the patch, such as `tags.$ops[1].$push`.
    pub(crate) path: String,
}

/// Reads what `json` asks of the field at `path`, whose operations are `own`.
///
/// An object with one key that starts with `$` is an operation. `own` is empty for fields that take whole values only;
/// there an unknown key is data, since JSON such as `{"$ref": "…"}` is common.
pub(crate) fn read<'a>(path: &str, json: &'a Json, own: &[&str]) -> Result<Asked<'a>, Refusal> {
    let Json::Object(object) = json else { return Ok(Asked::Whole(json)) };
    let Some((name, operand)) = lone_operation(path, object)? else { return Ok(Asked::Whole(json)) };
    let path = format!("{path}.{name}");
    if name == VALUE {
        return Ok(Asked::Whole(operand));
    }
    if own.is_empty() {
        if name != SEVERAL && !KNOWN.contains(&name) {
            return Ok(Asked::Whole(json));
        }
        let expected = format!(
            "a whole value, since this field takes no operations (an object of this shape as a value is \
             written {{\"{VALUE}\": …}})"
        );
        return Err(Refusal::value(path, expected, name));
    }
    if name != SEVERAL {
        return Ok(Asked::Steps(vec![step(path, name, operand, own)?]));
    }
    let Json::Array(items) = operand else {
        return Err(Refusal::value(path, "a list of operations", given::found(operand)));
    };
    if items.len() > MOST {
        let expected = format!("at most {MOST} operations");
        return Err(Refusal::value(path, expected, items.len().to_string()));
    }
    let steps = items.iter().enumerate().map(|(index, item)| {
        let path = format!("{path}[{index}]");
        let lone = item.as_object().map(|object| lone_operation(&path, object)).transpose()?.flatten();
        let Some((name, operand)) = lone else {
            let expected = format!("an operation, {}", listed(own));
            return Err(Refusal::value(path, expected, given::found(item)));
        };
        step(format!("{path}.{name}"), name, operand, own)
    });
    Ok(Asked::Steps(steps.collect::<Result<_, _>>()?))
}

fn lone_operation<'a>(
    path: &str,
    object: &'a Map<String, Json>,
) -> Result<Option<(&'a str, &'a Json)>, Refusal> {
    let known = |key: &str| KNOWN.contains(&key) || key == VALUE || key == SEVERAL;
    let mut entries = object.iter();
    match (entries.next(), entries.next()) {
        (Some((key, operand)), None) if key.starts_with('$') => Ok(Some((key, operand))),
        (Some(_), Some(_)) if object.keys().any(|key| known(key)) => {
            let keys: Vec<&str> = object.keys().map(String::as_str).take(8).collect();
            let expected =
                format!("one operation in an object (several are written {{\"{SEVERAL}\": [{{…}}, {{…}}]}})");
            Err(Refusal::value(path, expected, format!("the keys {}", keys.join(", "))))
        }
        (_, _) => Ok(None),
    }
}

fn step<'a>(path: String, name: &'a str, operand: &'a Json, own: &[&str]) -> Result<Step<'a>, Refusal> {
    if own.contains(&name) {
        return Ok(Step { name, operand, path });
    }
    let expected = format!("{} (a value of this shape is written {{\"{VALUE}\": …}})", listed(own));
    Err(Refusal::value(path, expected, name))
}

fn listed(own: &[&str]) -> String {
    match own {
        [one] => format!("{one} or {SEVERAL}"),
        several => format!("one of {}, {SEVERAL}", several.join(", ")),
    }
}
