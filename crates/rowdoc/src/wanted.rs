//! What a patch wants of each field, read and checked before anything changes.

use corella_manifest::{FieldType, Value};
use serde_json::{Map, Value as Json};

use crate::{
    Form, Refusal, RowShape, ShapeField, counter, given,
    json_steps::{ListEdit, MapEdit, OF_LISTS, OF_MAPS},
    node_tree::{Element, NotANode},
    operation,
    read::Levels,
    rich::{self, Marks, TextEdit},
    tree_steps::{self, TreeEdit},
};

/// What a field shall hold.
pub(crate) enum Wanted {
    Register(Value),
    Text(TextEdit),
    /// These lines of text, in paragraphs where no block of the document has them.
    Lines(String),
    Nodes(Element),
    Counter(counter::Edit),
    List(ListEdit),
    Map(MapEdit),
    Tree(TreeEdit),
}

/// Reads a patch, each field by its place in the shape.
pub(crate) fn read(shape: &RowShape, patch: &Map<String, Json>) -> Result<Vec<(usize, Wanted)>, Refusal> {
    patch
        .iter()
        .map(|(key, json)| {
            let index = shape.called(key).ok_or_else(|| unknown(shape, key))?;
            Ok((index, want(&shape.fields()[index], json)?))
        })
        .collect()
}

pub(crate) fn unknown(shape: &RowShape, key: &str) -> Refusal {
    Refusal::UnknownField { path: key.chars().take(80).collect(), nearest: shape.nearest(key) }
}

pub(crate) fn want(field: &ShapeField, json: &Json) -> Result<Wanted, Refusal> {
    let name = field.name.as_str();
    if json.is_null() && !field.optional {
        return Err(Refusal::required(&field.name, "null"));
    }
    let own: &[&str] = match field.form {
        Form::Register | Form::Document => &[],
        Form::Text => &rich::OPERATIONS,
        Form::Counter => &counter::OPERATIONS,
        Form::List | Form::MovableList => &OF_LISTS,
        Form::Map => &OF_MAPS,
        Form::Tree => &tree_steps::OPERATIONS,
    };
    let asked = operation::read(name, json, own)?;
    let whole = match &asked {
        operation::Asked::Whole(json) => *json,
        operation::Asked::Steps(_) => json,
    };
    match field.form {
        Form::Register => register(field, whole).map(Wanted::Register),
        Form::Document => document(field, whole),
        Form::Text => {
            let marks = if field.ty == FieldType::Richtext { Marks::Allowed } else { Marks::None };
            TextEdit::read(name, &asked, marks).map(Wanted::Text)
        }
        Form::Counter => counter::read(field, &asked).map(Wanted::Counter),
        Form::List | Form::MovableList => ListEdit::read(name, &asked).map(Wanted::List),
        Form::Map => MapEdit::read(name, &asked).map(Wanted::Map),
        Form::Tree => TreeEdit::read(name, &asked).map(Wanted::Tree),
    }
}

fn register(field: &ShapeField, json: &Json) -> Result<Value, Refusal> {
    let name = field.name.as_str();
    if field.ty == FieldType::Json && !json.is_null() {
        return given::value(name, json, Levels::ALL).map(Value::Json);
    }
    let value = field.ty.read(json).map_err(|mismatch| Refusal::mismatch(&field.name, mismatch))?;
    given::value(name, json, Levels::ALL)?;
    // Loro keeps its own marks of containers as bytes of this shape, and would take these for one.
    if let Value::Bytes(bytes) = &value
        && bytes.len() == 8
        && bytes.starts_with(&[0, b'L', b'M', 1])
    {
        let expected = "bytes other than Loro's mark of a container (one byte more or less will do)";
        return Err(Refusal::value(name, expected, given::found(json)));
    }
    Ok(value)
}

fn document(field: &ShapeField, json: &Json) -> Result<Wanted, Refusal> {
    let name = field.name.as_str();
    if json.is_null() {
        return Ok(Wanted::Lines(String::new()));
    }
    given::value(name, json, Levels::ALL)?;
    if let Some(text) = json.as_str() {
        return Ok(Wanted::Lines(text.to_owned()));
    }
    match Element::from_json(json, Levels::ALL) {
        Ok(element) => Ok(Wanted::Nodes(element)),
        Err(NotANode::TooDeep(too_deep)) => Err(too_deep.into()),
        Err(NotANode::Shape(found)) => Err(Refusal::value(
            name,
            "a string, or a node such as {\"type\": \"doc\", \"attrs\": {…}, \"content\": […]}",
            found,
        )),
    }
}
