//! JSON patches as minimal operations.

use corella_manifest::{Value, time_text};
use loro::{Container, LoroDoc, LoroError, LoroMap, LoroResult, LoroValue, TextDelta};
use serde_json::{Map, Value as Json};

use crate::{
    Change, Form, Refusal, RowDoc, RowShape, ShapeField,
    container::{self, Made},
    counter,
    doc::{DELETED, META, ROW, commit},
    node_edit::{self, Place},
    node_read,
    node_tree::Element,
    project::read_register,
    read::{self, Levels},
    wanted::{self, Wanted},
};

/// Why an edit ended.
pub(crate) enum EditError {
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
    /// Sets declared fields to JSON values, by as few operations as possible, or makes operations on them.
    ///
    /// A text becomes an edit of the text that is there, a list or a tree one of what lies in it; equal values make
    /// no operation; `null` clears a field that is optional, and empties it where it is collaborative, since taking
    /// its container away would hide what others write into it. A document takes a string as its lines, or a node
    /// tree `{"type", "attrs", "content"}`. `docs/fields.md` lists the operations of each kind.
    ///
    /// # Errors
    /// [`Refusal`] when a key is not declared or a value not of its field's type. The document is then as it
    /// was; only after [`Refusal::Poisoned`] it has to be dropped.
    pub fn patch(&mut self, patch: &Map<String, Json>) -> Result<Change, Refusal> {
        if let Some(plain) = &mut self.plain {
            return plain.patch(&self.shape, patch);
        }
        let wanted = wanted::read(&self.shape, patch)?;
        self.edit(size_of(patch), |doc, shape| apply(doc, shape, &wanted))
    }

    /// Fills a new row: `fields` as in [`RowDoc::patch`], defaults already among them.
    ///
    /// Documents get the empty tree that editors start from, so that two of them do not each make their own.
    ///
    /// # Errors
    /// As [`RowDoc::patch`]; also when a required field has no value. Required collaborative fields start
    /// empty instead.
    pub fn initialise(&mut self, fields: &Map<String, Json>) -> Result<Change, Refusal> {
        let wanted = wanted::read(&self.shape, fields)?;
        let missing = self.shape.fields().iter().find(|field| {
            let given = [&field.name, &field.key].iter().any(|name| fields.contains_key(name.as_str()));
            field.form == Form::Register && !field.optional && !given
        });
        if let Some(field) = missing {
            return Err(Refusal::required(&field.name, "none"));
        }
        if let Some(plain) = &mut self.plain {
            let change = plain.patch(&self.shape, fields)?;
            plain.begin();
            return Ok(change);
        }
        self.edit(size_of(fields), |doc, shape| {
            let mut change = Change::default();
            let row = doc.get_map(ROW);
            for (index, field) in shape.fields().iter().enumerate() {
                let before = operations(doc);
                match field.form {
                    Form::Register => {}
                    Form::Document => {
                        let made = Made::of(doc, &row, field)?;
                        let map = made.map()?;
                        if map.is_empty() {
                            let nothing = Element { children: Vec::new(), ..Element::empty_document() };
                            node_edit::bring_to(map, Place::Root, &nothing, &Element::empty_document())?;
                        }
                    }
                    Form::Text | Form::Counter | Form::List | Form::MovableList | Form::Map | Form::Tree => {
                        if !field.optional {
                            Made::of(doc, &row, field)?;
                        }
                    }
                }
                if operations(doc) != before {
                    change.fields.insert(index);
                }
            }
            change.merge(&apply(doc, shape, &wanted)?);
            if operations(doc) == 0 {
                // A row without any value is a row all the same.
                doc.get_map(META).insert(DELETED, false)?;
            }
            Ok(change)
        })
    }

    /// Makes one edit that brings about `bytes` bytes of values.
    pub(crate) fn edit(
        &mut self,
        bytes: usize,
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
                self.taken_in = self.taken_in.saturating_add(bytes);
                Ok(change)
            }
            Err(EditError::Refused(refusal)) => Err(refusal),
            Err(EditError::Loro) => Err(self.poisoned()),
        }
    }
}

/// About how many bytes a patch brings into the document.
fn size_of(patch: &Map<String, Json>) -> usize {
    patch.values().map(size).sum()
}

/// About how many bytes a value brings into the document.
fn size(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => 64,
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(size).sum(),
        Json::Object(entries) => entries.iter().map(|(key, value)| key.len() + size(value)).sum(),
    }
}

/// What is to be known before the first operation, so that a refusal comes before it.
enum Ready {
    Nothing,
    Nodes(Element),
    Deltas(Vec<Vec<TextDelta>>),
}

pub(crate) fn apply(
    doc: &LoroDoc,
    shape: &RowShape,
    wanted: &[(usize, Wanted)],
) -> Result<Change, EditError> {
    let row = doc.get_map(ROW);
    let mut ready = Vec::with_capacity(wanted.len());
    for (index, wanted) in wanted {
        ready.push(prepare(doc, &row, &shape.fields()[*index], wanted).map_err(EditError::Refused)?);
    }
    let mut change = Change::default();
    for ((index, wanted), ready) in wanted.iter().zip(&ready) {
        let before = operations(doc);
        bring(doc, &row, &shape.fields()[*index], wanted, ready)?;
        if operations(doc) != before {
            change.fields.insert(*index);
        }
    }
    Ok(change)
}

fn prepare(doc: &LoroDoc, row: &LoroMap, field: &ShapeField, wanted: &Wanted) -> Result<Ready, Refusal> {
    let slot = row.get(field.key.as_str());
    let present = container::present(field, slot.as_ref());
    let earlier = container::earlier(field, slot.as_ref());
    match wanted {
        Wanted::Register(_) | Wanted::Map(_) => {}
        Wanted::Lines(_) | Wanted::Nodes(_) => {
            return Ok(Ready::Nodes(match present {
                Some(Container::Map(map)) => node_read::element(&map, Levels::ALL)?,
                Some(_) | None => Element { children: Vec::new(), ..Element::empty_document() },
            }));
        }
        Wanted::Text(edit) => {
            let current = match (present, earlier) {
                (Some(Container::Text(text)), _) => text.to_string(),
                (_, Some(Json::String(text))) => text,
                (_, _) => String::new(),
            };
            return Ok(Ready::Deltas(edit.resolve(&current)?));
        }
        Wanted::Counter(edit) => {
            let map = present.as_ref().and_then(|container| container.as_map());
            counter::check(field, doc, map, earlier.as_ref(), *edit)?;
        }
        Wanted::List(edit) => {
            let list = present.as_ref().and_then(container::sequence);
            edit.check(list.as_ref(), earlier.as_ref())?;
        }
        Wanted::Tree(edit) => edit.check(present.as_ref().and_then(|container| container.as_tree()))?,
    }
    Ok(Ready::Nothing)
}

fn bring(doc: &LoroDoc, row: &LoroMap, field: &ShapeField, wanted: &Wanted, ready: &Ready) -> LoroResult<()> {
    let made = || Made::of(doc, row, field);
    match (wanted, ready) {
        (Wanted::Register(value), _) => set_register(row, field, value),
        (Wanted::Text(edit), Ready::Deltas(deltas)) => edit.apply(made()?.text()?, deltas),
        (Wanted::Lines(lines), Ready::Nodes(current)) => {
            if current.plain_text() == *lines && !current.children.is_empty() {
                return Ok(());
            }
            node_edit::bring_to(made()?.map()?, Place::Root, current, &node_edit::with_lines(current, lines))
        }
        (Wanted::Nodes(nodes), Ready::Nodes(current)) => {
            node_edit::bring_to(made()?.map()?, Place::Root, current, nodes)
        }
        (Wanted::Counter(edit), _) => counter::apply(doc, &field.ty, made()?.map()?, *edit),
        (Wanted::List(edit), _) => edit.apply(&made()?.list()?),
        (Wanted::Map(edit), _) => edit.apply(made()?.map()?),
        (Wanted::Tree(edit), _) => edit.apply(made()?.tree()?),
        (Wanted::Text(_) | Wanted::Lines(_) | Wanted::Nodes(_), _) => {
            Err(LoroError::ArgErr("the edit was not prepared".into()))
        }
    }
}

/// How many operations the document has, those not yet committed included.
fn operations(doc: &LoroDoc) -> usize {
    doc.len_ops() + doc.get_pending_txn_len()
}

fn set_register(row: &LoroMap, field: &ShapeField, wanted: &Value) -> LoroResult<()> {
    let key = field.key.as_str();
    let slot = row.get(key);
    if read_register(field, slot.as_ref()).as_ref() == Ok(wanted) {
        return Ok(());
    }
    match wanted {
        Value::Null => row.delete(key),
        Value::Text(text) => row.insert(key, &**text),
        Value::Time(time) => row.insert(key, time_text(*time)),
        Value::Int(int) => row.insert(key, *int),
        Value::Float(float) => row.insert(key, *float),
        Value::Bool(bool) => row.insert(key, *bool),
        Value::Bytes(bytes) => row.insert(key, LoroValue::Binary(bytes.to_vec().into())),
        Value::Json(json) => row.insert(key, read::to_loro(json, Levels::ALL).unwrap_or(LoroValue::Null)),
    }
}
