//! A document as the values of its table row.

use corella_manifest::{FieldName, FieldType, TypeMismatch, Value};
use loro::{Container, LoroDoc, LoroMap, LoroValue, ValueOrContainer};
use serde_json::{Map, Value as Json};

use crate::{
    Change, Form, Refusal, RowDoc, RowShape, ShapeField, container, counter,
    doc::{META, ROW, row_is_deleted},
    former::{self, Found},
    node_read,
    read::{self, Levels, Texts},
    refusal::DocFault,
    rich, tree_value,
};

/// The values of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// Whether the row is deleted, and thus in no table.
    pub deleted: bool,
    /// One value for each declared field, in the order of their declaration; for an open entity, the whole
    /// document as one [`Value::Json`] after them.
    pub values: Vec<Value>,
}

impl RowDoc {
    /// The row's values.
    ///
    /// A field without a value is [`Value::Null`]; a required text or document without one is empty.
    ///
    /// # Errors
    /// [`Refusal`] when a value does not fit its field, when values nest too deep, or when Loro fails from
    /// within.
    pub fn project(&self) -> Result<Projection, Refusal> {
        let shape = &*self.shape;
        if let Some(plain) = &self.plain {
            return Ok(plain.project(shape));
        }
        self.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            let mut values = Vec::with_capacity(shape.fields().len() + usize::from(shape.is_open()));
            for field in shape.fields() {
                values.push(read_field(&row, field)?);
            }
            if shape.is_open() {
                values.push(whole(doc)?);
            }
            Ok(Projection { deleted: row_is_deleted(doc), values })
        })?
    }

    /// The row's values after `change`, where `previous` are those before it; reads only what changed.
    ///
    /// # Errors
    /// As [`RowDoc::project`].
    pub fn project_changed(&self, previous: &Projection, change: &Change) -> Result<Projection, Refusal> {
        let shape = &*self.shape;
        if let Some(plain) = &self.plain {
            return Ok(plain.project(shape));
        }
        let mut next = previous.clone();
        self.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            for index in &change.fields {
                if let (Some(field), Some(value)) = (shape.fields().get(*index), next.values.get_mut(*index))
                {
                    *value = read_field(&row, field)?;
                }
            }
            if change.open
                && shape.is_open()
                && let Some(value) = next.values.last_mut()
            {
                *value = whole(doc)?;
            }
            next.deleted = row_is_deleted(doc);
            Ok(next)
        })?
    }

    /// The values of some declared fields, which are named by their place in the shape.
    ///
    /// # Errors
    /// As [`RowDoc::project`].
    pub fn project_fields(
        &self,
        fields: impl IntoIterator<Item = usize>,
    ) -> Result<Vec<(usize, Value)>, Refusal> {
        let shape = &*self.shape;
        if let Some(plain) = &self.plain {
            let values = plain.project(shape).values;
            return Ok(fields
                .into_iter()
                .filter_map(|index| Some((index, values.get(index)?.clone())))
                .collect());
        }
        self.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            let known = fields.into_iter().filter_map(|index| Some((index, shape.fields().get(index)?)));
            known.map(|(index, field)| Ok((index, read_field(&row, field)?))).collect()
        })?
    }

    /// The declared fields as JSON, without the row's id.
    ///
    /// # Errors
    /// [`DocFault`] when the values do not fit the shape or Loro fails from within.
    pub fn to_json(&self) -> Result<Map<String, Json>, DocFault> {
        let projection = self.project()?;
        Ok(projection.fields_json(&self.shape))
    }

    /// What a field has beside its plain text: the node tree of a document as ProseMirror writes it, a richtext as a
    /// list of inserts with their marks. `None` for other fields.
    ///
    /// # Errors
    /// [`DocFault`] when the nodes nest too deep or Loro fails from within.
    pub fn rich_json(&self, field: &str) -> Result<Option<Json>, DocFault> {
        let Some(field) = self.shape.field_index(field).map(|index| &self.shape.fields()[index]) else {
            return Ok(None);
        };
        if self.plain.is_some() {
            return Ok(None);
        }
        let rich = self.vessel.with(|doc| {
            let slot = doc.get_map(ROW).get(field.key.as_str());
            match (field.form, container::present(field, slot.as_ref())) {
                (Form::Document, Some(Container::Map(map))) => {
                    node_read::element(&map, Levels::ALL).map(|element| Some(element.to_json()))
                }
                (Form::Text, Some(Container::Text(text))) if field.ty == FieldType::Richtext => {
                    rich::delta_json(&text, Levels::ALL).map(Some)
                }
                (_, _) => Ok(None),
            }
        })?;
        Ok(rich.map_err(Refusal::from)?)
    }

    /// The fields whose columns cannot hold what the document says, which happens when edits that are each sound
    /// come together.
    ///
    /// # Errors
    /// [`DocFault::Poisoned`] when Loro fails from within.
    pub fn unfit(&self) -> Result<Vec<Unfit>, DocFault> {
        let shape = &*self.shape;
        if let Some(plain) = &self.plain {
            return Ok(plain.unfit(shape));
        }
        Ok(self.vessel.with(|doc| {
            let row = doc.get_map(ROW);
            let may_be = |field: &&ShapeField| field.form == Form::Counter || field.former.is_some();
            shape.fields().iter().filter(may_be).filter_map(|field| unfit_field(&row, field)).collect()
        })?)
    }
}

fn unfit_field(row: &LoroMap, field: &ShapeField) -> Option<Unfit> {
    let slot = row.get(field.key.as_str());
    if field.form == Form::Counter
        && let Some(Container::Map(map)) = container::present(field, slot.as_ref())
    {
        let found = counter::total(&field.ty, &map).beyond?;
        return Some(Unfit { field: field.name.clone(), found, shown: Shown::Nearest });
    }
    let is_read = field.form == Form::Register && read_register(field, slot.as_ref()).is_ok();
    match former::read(field, slot.as_ref()) {
        Ok(Some(Found::Unread(value))) if !is_read => Some(Unfit::unread(field, &value)),
        Ok(_) | Err(_) => None,
    }
}

/// A field whose column cannot hold what the document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The field.
    pub field: FieldName,
    /// What the document says, in words.
    pub found: String,
    /// What the column holds in its place.
    pub shown: Shown,
}

impl Unfit {
    /// A value of a former type that does not convert.
    pub(crate) fn unread(field: &ShapeField, value: &Value) -> Self {
        let found = TypeMismatch::new("", &value.to_json()).found;
        Self { field: field.name.clone(), found, shown: Shown::Null }
    }
}

/// What a column holds in the place of what it cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The nearest value that it can.
    Nearest,
    /// Nothing: the value is of a former type of the field, and cannot be converted.
    Null,
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { field, found, shown } = self;
        match shown {
            Shown::Nearest => {
                write!(
                    f,
                    "{field} stands at {found}, which its column cannot hold; the table has the nearest value"
                )
            }
            Shown::Null => {
                write!(
                    f,
                    "{field} holds {found} from before its type changed, which does not convert; the table has null"
                )
            }
        }
    }
}

impl Projection {
    /// The declared fields as JSON, without the row's id.
    #[must_use]
    pub fn fields_json(&self, shape: &RowShape) -> Map<String, Json> {
        let fields = shape.fields().iter().zip(&self.values);
        fields.map(|(field, value)| (field.name.to_string(), value.to_json())).collect()
    }
}

/// The whole document; the map of declared fields stays out while it is empty, because looking for it is what made it.
fn whole(doc: &LoroDoc) -> Result<Value, Refusal> {
    let mut whole = read::whole(doc, Texts::Plain, &[META])?;
    if whole.get(ROW).is_some_and(|row| row.as_object().is_some_and(Map::is_empty)) {
        whole.remove(ROW);
    }
    Ok(Value::Json(json_without_nul(Json::Object(whole))))
}

/// The value of one field.
pub(crate) fn read_field(row: &LoroMap, field: &ShapeField) -> Result<Value, Refusal> {
    let value = read_slot(row, field)?;
    Ok(match value {
        Value::Text(text) if text.contains('\0') => Value::Text(without_nul(&text).into()),
        Value::Json(json) => Value::Json(json_without_nul(json)),
        value @ (Value::Null | Value::Text(_) | Value::Time(_) | Value::Int(_)) => value,
        value @ (Value::Float(_) | Value::Bool(_) | Value::Bytes(_)) => value,
    })
}

/// The text as a database shows it: PostgreSQL has no U+0000, and readers of SQLite often stop there. The document
/// keeps it; in its table, U+FFFD stands in its place.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

fn json_without_nul(json: Json) -> Json {
    match json {
        Json::String(text) if text.contains('\0') => Json::String(without_nul(&text)),
        Json::Array(items) => Json::Array(items.into_iter().map(json_without_nul).collect()),
        Json::Object(entries) => {
            let entry = |(key, value): (String, Json)| {
                let key = if key.contains('\0') { without_nul(&key) } else { key };
                (key, json_without_nul(value))
            };
            Json::Object(entries.into_iter().map(entry).collect())
        }
        other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) => other,
    }
}

fn read_slot(row: &LoroMap, field: &ShapeField) -> Result<Value, Refusal> {
    let slot = row.get(field.key.as_str());
    // Imports and patches are checked; what does not fit was written under another declaration of the field. It
    // stays in the document, and can be read again when the declaration takes it.
    if field.form == Form::Register {
        return match read_register(field, slot.as_ref()) {
            Ok(value) => Ok(value),
            Err(_) => Ok(match former::read(field, slot.as_ref())? {
                Some(Found::Value(value)) => value,
                Some(Found::Unread(_)) | None => Value::Null,
            }),
        };
    }
    match container::present(field, slot.as_ref()) {
        Some(container) => read_container(field, &container),
        None => Ok(no_container(field, slot.as_ref())),
    }
}

/// The value of a field that a container of its kind carries.
pub(crate) fn read_container(field: &ShapeField, container: &Container) -> Result<Value, Refusal> {
    Ok(match (field.form, container) {
        (Form::Text, Container::Text(text)) => Value::Text(text.to_string().into()),
        (Form::Document, Container::Map(map)) => Value::Text(node_read::plain_text(map, Levels::ALL)?.into()),
        (Form::Counter, Container::Map(map)) => counter::total(&field.ty, map).value,
        (Form::Tree, Container::Tree(tree)) => Value::Json(tree_value::forest(tree, Levels::ALL)?),
        (_, container) => Value::Json(read::read_container(container, Texts::Plain, Levels::ALL)?),
    })
}

/// The value of a collaborative field whose container is not there.
///
/// A field that was a plain value before its declaration changed still reads as that value.
fn no_container(field: &ShapeField, slot: Option<&ValueOrContainer>) -> Value {
    if let Some(earlier) = container::earlier(field, slot) {
        return field.ty.read(&earlier).unwrap_or(Value::Null);
    }
    let is_missing = matches!(slot, None | Some(ValueOrContainer::Value(LoroValue::Null)));
    match field.form {
        _ if field.optional || !is_missing => Value::Null,
        Form::Register => Value::Null,
        Form::Text | Form::Document => Value::Text("".into()),
        Form::Counter if field.ty == FieldType::Int => Value::Int(0),
        Form::Counter => Value::Float(0.0),
        Form::List | Form::MovableList | Form::Tree => Value::Json(Json::Array(Vec::new())),
        Form::Map => Value::Json(Json::Object(Map::new())),
    }
}

/// The value of a field that a plain value carries.
pub(crate) fn read_register(
    field: &ShapeField,
    slot: Option<&ValueOrContainer>,
) -> Result<Value, TypeMismatch> {
    let json = match slot {
        None => Json::Null,
        Some(ValueOrContainer::Value(LoroValue::Binary(bytes))) if field.ty == FieldType::Bytes => {
            return Ok(Value::Bytes(bytes.as_slice().into()));
        }
        Some(ValueOrContainer::Value(value)) if field.ty == FieldType::Json && is_finite(value) => {
            read::plain(value, Levels::ALL).unwrap_or(Json::Null)
        }
        Some(ValueOrContainer::Value(value)) if is_scalar(value) => {
            read::plain(value, Levels::ALL).unwrap_or(Json::Null)
        }
        Some(other) => {
            // A list is read by no type but json, so that its mismatch says what the field expects.
            let expected = match field.ty.read(&Json::Array(Vec::new())) {
                Err(mismatch) => mismatch.expected,
                Ok(_) => "a plain value with finite numbers".into(),
            };
            return Err(TypeMismatch { expected, found: describe(other) });
        }
    };
    field.ty.read(&json)
}

/// Whether all numbers in `value` are finite: NaN and the infinities have no JSON.
pub(crate) fn is_finite(value: &LoroValue) -> bool {
    !any_value(value, |value| matches!(value, LoroValue::Double(double) if !double.is_finite()))
}

/// Whether `wanted` holds for a value or any that lies in it, however deep.
pub(crate) fn any_value(value: &LoroValue, wanted: impl Fn(&LoroValue) -> bool) -> bool {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        if wanted(value) {
            return true;
        }
        match value {
            LoroValue::List(items) => waiting.extend(items.iter()),
            LoroValue::Map(entries) => waiting.extend(entries.values()),
            LoroValue::Null | LoroValue::Bool(_) | LoroValue::Double(_) | LoroValue::I64(_) => {}
            LoroValue::Binary(_) | LoroValue::String(_) | LoroValue::Container(_) => {}
        }
    }
    false
}

/// NaN and the infinities have no JSON, and must not pass as null.
fn is_scalar(value: &LoroValue) -> bool {
    match value {
        LoroValue::Null | LoroValue::Bool(_) | LoroValue::I64(_) | LoroValue::String(_) => true,
        LoroValue::Double(double) => double.is_finite(),
        LoroValue::Binary(_) | LoroValue::List(_) | LoroValue::Map(_) | LoroValue::Container(_) => false,
    }
}

/// What lies in a slot, in words.
pub(crate) fn describe(slot: &ValueOrContainer) -> String {
    match slot {
        ValueOrContainer::Container(container) => format!("a container of type {}", container.get_type()),
        ValueOrContainer::Value(value) => match value {
            LoroValue::Null => "null".into(),
            LoroValue::Bool(bool) => bool.to_string(),
            LoroValue::I64(int) => int.to_string(),
            LoroValue::Double(double) => double.to_string(),
            LoroValue::String(text) => format!("{text:.60?}", text = text.as_str()),
            LoroValue::Binary(bytes) => format!("{} bytes", bytes.len()),
            LoroValue::List(items) => format!("a list of {} items", items.len()),
            LoroValue::Map(entries) => format!("an object of {} keys", entries.len()),
            LoroValue::Container(id) => format!("a container of type {}", id.container_type()),
        },
    }
}
