//! JSON patches as minimal operations.

use corella_manifest::{Value, time_text};
use loro::{Container, LoroDoc, LoroError, LoroMap, LoroResult, LoroValue, ValueOrContainer};
use serde_json::{Map, Value as Json};

use crate::{
    Change, Form, Refusal, RowDoc, RowShape, ShapeField,
    doc::{ROW, commit},
    node_edit::{self, Place},
    node_read,
    node_tree::{Element, NotANode},
    project::read_register,
    read::Levels,
    text,
};

/// What a field shall hold.
enum Wanted {
    Register(Value),
    Text(String),
    /// These lines of text, in paragraphs where no block of the document has them.
    Lines(String),
    Tree(Element),
}

/// Why an edit ended.
enum EditError {
    /// Found out before the first operation.
    Refused(Refusal),
    /// Loro refused an operation halfway.
    Loro,
}

impl From<LoroError> for EditError {
    fn from(_: LoroError) -> Self {
        Self::Loro
    }
}

impl RowDoc {
    /// Sets declared fields to JSON values, by as few operations as possible.
    ///
    /// A text becomes an edit of the text that is there; equal values make no operation; `null` clears a
    /// field that is optional, and empties it where it is a text or a document, since taking the text away
    /// would hide what others write into it. A document takes a string as its lines, or a node tree
    /// `{"type", "attrs", "content"}`.
    ///
    /// # Errors
    /// [`Refusal`] when a key is not declared or a value not of its field's type. The document is then as it
    /// was; only after [`Refusal::Poisoned`] it has to be dropped.
    pub fn patch(&mut self, patch: &Map<String, Json>) -> Result<Change, Refusal> {
        let wanted = self.wanted(patch)?;
        self.edit(patch, |doc, shape| apply(doc, shape, &wanted))
    }

    /// Fills a new row: `fields` as in [`RowDoc::patch`], defaults already among them.
    ///
    /// Documents get the empty tree that editors start from, so that two of them do not each make their own.
    ///
    /// # Errors
    /// As [`RowDoc::patch`]; also when a required field has no value. Required texts and documents start
    /// empty instead.
    pub fn initialise(&mut self, fields: &Map<String, Json>) -> Result<Change, Refusal> {
        let wanted = self.wanted(fields)?;
        let missing = self.shape.fields().iter().find(|field| {
            field.form == Form::Register && !field.optional && !fields.contains_key(field.name.as_str())
        });
        if let Some(field) = missing {
            return Err(Refusal::value(&field.name, "a value, since the field is required", "none"));
        }
        self.edit(fields, |doc, shape| {
            let mut change = Change::default();
            let row = doc.get_map(ROW);
            for (index, field) in shape.fields().iter().enumerate() {
                let made = match field.form {
                    Form::Register => false,
                    Form::Text if field.optional => false,
                    Form::Text => make_text(&row, field.name.as_str())?.1,
                    Form::Document => {
                        let (map, made) = make_map(&row, field.name.as_str())?;
                        let bare = map.is_empty();
                        if bare {
                            let nothing = Element { children: Vec::new(), ..Element::empty_document() };
                            node_edit::bring_to(&map, Place::Root, &nothing, &Element::empty_document())?;
                        }
                        made || bare
                    }
                };
                if made {
                    change.fields.insert(index);
                }
            }
            change.merge(&apply(doc, shape, &wanted)?);
            Ok(change)
        })
    }

    fn wanted(&self, patch: &Map<String, Json>) -> Result<Vec<(usize, Wanted)>, Refusal> {
        patch
            .iter()
            .map(|(key, json)| {
                let index = self.shape.field_index(key).ok_or_else(|| Refusal::UnknownField {
                    path: key.chars().take(80).collect(),
                    nearest: self.shape.nearest(key),
                })?;
                Ok((index, want(&self.shape.fields()[index], json)?))
            })
            .collect()
    }

    fn edit(
        &mut self,
        patch: &Map<String, Json>,
        work: impl FnOnce(&LoroDoc, &RowShape) -> Result<Change, EditError>,
    ) -> Result<Change, Refusal> {
        let shape = &*self.shape;
        let done = self.vessel.with(|doc| {
            let done = work(doc, shape);
            commit(doc);
            done
        })?;
        match done {
            Ok(mut change) => {
                change.open = shape.is_open() && !change.fields.is_empty();
                let texts = patch.values().map(|json| json.as_str().map_or(64, str::len));
                self.taken_in = self.taken_in.saturating_add(texts.sum());
                Ok(change)
            }
            Err(EditError::Refused(refusal)) => Err(refusal),
            Err(EditError::Loro) => Err(self.poisoned()),
        }
    }
}

/// Reads what a field shall hold.
fn want(field: &ShapeField, json: &Json) -> Result<Wanted, Refusal> {
    if json.is_null() && !field.optional {
        return Err(Refusal::value(&field.name, "a value, since the field is required", "null"));
    }
    let mismatch = |mismatch| Refusal::mismatch(&field.name, mismatch);
    match (field.form, json) {
        (Form::Register, json) => Ok(Wanted::Register(field.ty.read(json).map_err(mismatch)?)),
        (Form::Text, Json::Null) => Ok(Wanted::Text(String::new())),
        (Form::Text, Json::String(text)) => Ok(Wanted::Text(text.clone())),
        (Form::Text, other) => {
            field.ty.read(other).map_err(mismatch)?;
            Err(Refusal::value(&field.name, "a string", "another value"))
        }
        (Form::Document, Json::Null) => Ok(Wanted::Lines(String::new())),
        (Form::Document, Json::String(text)) => Ok(Wanted::Lines(text.clone())),
        (Form::Document, other) => match Element::from_json(other, Levels::ALL) {
            Ok(element) => Ok(Wanted::Tree(element)),
            Err(NotANode::TooDeep(too_deep)) => Err(too_deep.into()),
            Err(NotANode::Shape(found)) => Err(Refusal::value(
                &field.name,
                "a string, or a node such as {\"type\": \"doc\", \"attrs\": {…}, \"content\": […]}",
                found,
            )),
        },
    }
}

fn apply(doc: &LoroDoc, shape: &RowShape, wanted: &[(usize, Wanted)]) -> Result<Change, EditError> {
    let row = doc.get_map(ROW);
    // A document that nests too deep must be found out before the first operation.
    let mut current = Vec::with_capacity(wanted.len());
    for (index, wanted) in wanted {
        let key = shape.fields()[*index].name.as_str();
        current.push(match (wanted, row.get(key)) {
            (Wanted::Lines(_) | Wanted::Tree(_), Some(ValueOrContainer::Container(Container::Map(map)))) => {
                node_read::element(&map, Levels::ALL).map_err(|deep| EditError::Refused(deep.into()))?
            }
            (Wanted::Register(_) | Wanted::Text(_) | Wanted::Lines(_) | Wanted::Tree(_), _) => {
                Element { children: Vec::new(), ..Element::empty_document() }
            }
        });
    }
    let mut change = Change::default();
    for ((index, wanted), current) in wanted.iter().zip(&current) {
        let field = &shape.fields()[*index];
        let key = field.name.as_str();
        let changed = match wanted {
            Wanted::Register(value) => set_register(&row, field, value)?,
            Wanted::Text(wanted) => {
                let (target, made) = make_text(&row, key)?;
                let differs = target.to_string() != *wanted;
                if differs {
                    text::bring_to(&target, wanted)?;
                }
                made || differs
            }
            Wanted::Lines(lines) => {
                let same = current.plain_text() == *lines && !current.children.is_empty();
                !same && bring_document(&row, key, current, &node_edit::with_lines(current, lines))?
            }
            Wanted::Tree(tree) => bring_document(&row, key, current, tree)?,
        };
        if changed {
            change.fields.insert(*index);
        }
    }
    Ok(change)
}

/// Edits a document; whether any operation was made.
fn bring_document(row: &LoroMap, key: &str, current: &Element, wanted: &Element) -> LoroResult<bool> {
    let (map, made) = make_map(row, key)?;
    let before = operations(&map);
    node_edit::bring_to(&map, Place::Root, current, wanted)?;
    Ok(made || before != operations(&map))
}

/// How many operations the container's document has, those not yet committed included.
fn operations(map: &LoroMap) -> usize {
    use loro::ContainerTrait as _;
    map.doc().map_or(0, |doc| doc.len_ops() + doc.get_pending_txn_len())
}

fn set_register(row: &LoroMap, field: &ShapeField, wanted: &Value) -> LoroResult<bool> {
    let key = field.name.as_str();
    let slot = row.get(key);
    if read_register(field, slot.as_ref()).as_ref() == Ok(wanted) {
        return Ok(false);
    }
    match wanted {
        Value::Null => row.delete(key)?,
        Value::Text(text) => row.insert(key, &**text)?,
        Value::Time(time) => row.insert(key, time_text(*time))?,
        Value::Int(int) => row.insert(key, *int)?,
        Value::Float(float) => row.insert(key, *float)?,
        Value::Bool(bool) => row.insert(key, *bool)?,
        Value::Bytes(bytes) => row.insert(key, LoroValue::Binary(bytes.to_vec().into()))?,
        Value::Json(json) => {
            let value = crate::read::to_loro(json, Levels::ALL).unwrap_or(LoroValue::Null);
            row.insert(key, value)?;
        }
    }
    Ok(true)
}

/// The field's text, and whether it had to be made.
fn make_text(row: &LoroMap, key: &str) -> LoroResult<(loro::LoroText, bool)> {
    let slot = row.get(key);
    if let Some(ValueOrContainer::Container(Container::Text(text))) = slot {
        return Ok((text, false));
    }
    // What a field held before its declaration changed would be in the way.
    if slot.is_some() {
        row.delete(key)?;
    }
    Ok((row.ensure_mergeable_text(key)?, true))
}

/// The field's map, and whether it had to be made.
fn make_map(row: &LoroMap, key: &str) -> LoroResult<(LoroMap, bool)> {
    let slot = row.get(key);
    if let Some(ValueOrContainer::Container(Container::Map(map))) = slot {
        return Ok((map, false));
    }
    if slot.is_some() {
        row.delete(key)?;
    }
    Ok((row.ensure_mergeable_map(key)?, true))
}
