//! The mergeable container that a collaborative field lives in.

use loro::{
    Container, ContainerType, LoroDoc, LoroError, LoroMap, LoroResult, LoroText, LoroTree, LoroValue,
    ValueOrContainer,
};
use serde_json::Value as Json;

use crate::{
    Form, ShapeField, counter,
    former::{self, Found},
    json_edit::{self, Sequence},
    read::{self, Levels},
    text,
};

/// The kind of container that holds fields of that form; `None` for plain values.
pub(crate) fn kind(form: Form) -> Option<ContainerType> {
    match form {
        Form::Register => None,
        Form::Text => Some(ContainerType::Text),
        Form::Document | Form::Counter | Form::Map => Some(ContainerType::Map),
        Form::List => Some(ContainerType::List),
        Form::MovableList => Some(ContainerType::MovableList),
        Form::Tree => Some(ContainerType::Tree),
    }
}

/// The field's container, if it is there and of its kind.
pub(crate) fn present(field: &ShapeField, slot: Option<&ValueOrContainer>) -> Option<Container> {
    match slot {
        Some(ValueOrContainer::Container(container)) if Some(container.get_type()) == kind(field.form) => {
            Some(container.clone())
        }
        Some(ValueOrContainer::Container(_) | ValueOrContainer::Value(_)) | None => None,
    }
}

/// What the field held before its declaration changed, if its container can take it over.
pub(crate) fn earlier(field: &ShapeField, slot: Option<&ValueOrContainer>) -> Option<Json> {
    if let Ok(Some(Found::Value(value))) = former::read(field, slot) {
        return Some(value.to_json());
    }
    let Some(ValueOrContainer::Value(value)) = slot else { return None };
    let fits = match (field.form, value) {
        (Form::Text | Form::Document, LoroValue::String(_))
        | (Form::List | Form::MovableList, LoroValue::List(_))
        | (Form::Map, LoroValue::Map(_)) => true,
        (Form::Counter, value) => counter::entry(&field.ty, value).is_some(),
        (
            Form::Register
            | Form::Text
            | Form::Document
            | Form::List
            | Form::MovableList
            | Form::Map
            | Form::Tree,
            _,
        ) => false,
    };
    if fits { read::plain(value, Levels::ALL).ok() } else { None }
}

/// A field's container, which is there now.
pub(crate) struct Made(Container);

impl Made {
    /// The field's container, made if it is not there; what the field held before takes its place in it.
    pub(crate) fn of(doc: &LoroDoc, row: &LoroMap, field: &ShapeField) -> LoroResult<Self> {
        let key = field.key.as_str();
        let slot = row.get(key);
        if let Some(container) = present(field, slot.as_ref()) {
            return Ok(Self(container));
        }
        let earlier = earlier(field, slot.as_ref());
        // What is no mergeable container would be in the way.
        if slot.is_some() {
            row.delete(key)?;
        }
        let made = match field.form {
            Form::Register => return Err(LoroError::ArgErr("a plain value has no container".into())),
            Form::Text => Container::Text(row.ensure_mergeable_text(key)?),
            Form::Document | Form::Counter | Form::Map => Container::Map(row.ensure_mergeable_map(key)?),
            Form::List => Container::List(row.ensure_mergeable_list(key)?),
            Form::MovableList => Container::MovableList(row.ensure_mergeable_movable_list(key)?),
            Form::Tree => Container::Tree(row.ensure_mergeable_tree(key)?),
        };
        let made = Self(made);
        match (&made.0, earlier) {
            (Container::Text(target), Some(Json::String(text))) => text::bring_to(target, &text)?,
            (Container::Map(map), Some(Json::Object(entries))) => json_edit::bring_map(map, &entries)?,
            (Container::Map(map), Some(number)) if field.form == Form::Counter => {
                if let Some(edit) = counter::start(field, &number) {
                    counter::apply(doc, &field.ty, map, edit)?;
                }
            }
            (_, Some(Json::Array(items))) => {
                if let Some(list) = made.sequence() {
                    json_edit::bring_list(&list, &items)?;
                }
            }
            (_, _) => {}
        }
        Ok(made)
    }

    pub(crate) fn map(&self) -> LoroResult<&LoroMap> {
        self.0.as_map().ok_or_else(wrong)
    }

    pub(crate) fn text(&self) -> LoroResult<&LoroText> {
        self.0.as_text().ok_or_else(wrong)
    }

    pub(crate) fn tree(&self) -> LoroResult<&LoroTree> {
        self.0.as_tree().ok_or_else(wrong)
    }

    pub(crate) fn list(&self) -> LoroResult<Sequence> {
        self.sequence().ok_or_else(wrong)
    }

    fn sequence(&self) -> Option<Sequence> {
        sequence(&self.0)
    }
}

/// The container as a list of either kind.
pub(crate) fn sequence(container: &Container) -> Option<Sequence> {
    match container {
        Container::List(list) => Some(Sequence::List(list.clone())),
        Container::MovableList(list) => Some(Sequence::Movable(list.clone())),
        Container::Map(_)
        | Container::Text(_)
        | Container::Tree(_)
        | Container::Counter(_)
        | Container::Unknown(_) => None,
    }
}

fn wrong() -> LoroError {
    LoroError::ArgErr("the field's container is of another kind".into())
}
