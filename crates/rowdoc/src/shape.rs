//! An entity's declared fields, compiled for documents.

use std::collections::HashMap;

use corella_manifest::{Crdt, Entity, EntityName, Field, FieldName, FieldType};

/// Where and how a document holds a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A plain value in the map `row`; the last writer wins.
    Register,
    /// A mergeable text under `row`.
    Text,
    /// A mergeable map under `row`, the root of an editor's node tree.
    Document,
}

/// One declared field.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeField {
    /// Its name, which is its key in `row`.
    pub name: FieldName,
    /// What it holds.
    pub ty: FieldType,
    /// Where and how.
    pub form: Form,
    /// Whether a row may lack it.
    pub optional: bool,
}

/// The field table of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShape {
    entity: EntityName,
    fields: Vec<ShapeField>,
    by_name: HashMap<FieldName, usize>,
    open: bool,
}

/// A field, or an entity, that documents do not hold yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnservedField {
    /// The field's type or merge rule.
    #[error(
        "the field {entity}.{field} is declared as {declared}, which is not served yet: expected {SERVED}"
    )]
    Field {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// How the manifest declares it.
        declared: String,
    },
    /// The entity's rows are declared to be no documents.
    #[error("the entity {entity} is declared with `crdt: false`, which is not served yet: leave `crdt` out")]
    PlainRows {
        /// The entity.
        entity: EntityName,
    },
}

const SERVED: &str = "string, enum, id, datetime, int, float or bool with `crdt: lww`, string or richtext \
                      with `crdt: text`, richtext with `crdt: lww`, or document";

impl RowShape {
    /// Compiles an entity's declaration.
    ///
    /// # Errors
    /// [`UnservedField`] names the first field whose type or merge rule documents do not hold yet.
    pub fn new(entity: &Entity) -> Result<Self, UnservedField> {
        if !entity.crdt {
            return Err(UnservedField::PlainRows { entity: entity.name.clone() });
        }
        let fields = entity
            .fields
            .iter()
            .map(|field| {
                let form = form(field).ok_or_else(|| UnservedField::Field {
                    entity: entity.name.clone(),
                    field: field.name.clone(),
                    declared: format!("{} with `crdt: {}`", field.ty.spelling(), crdt_spelling(field.crdt)),
                })?;
                let (name, ty) = (field.name.clone(), field.ty.clone());
                Ok(ShapeField { name, ty, form, optional: field.optional })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let by_name = fields.iter().enumerate().map(|(index, field)| (field.name.clone(), index)).collect();
        Ok(Self { entity: entity.name.clone(), fields, by_name, open: entity.open })
    }

    /// The entity whose rows have this shape.
    #[must_use]
    pub fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The declared fields, in the order of their declaration.
    #[must_use]
    pub fn fields(&self) -> &[ShapeField] {
        &self.fields
    }

    /// Whether documents may hold containers of any shape beside the declared fields.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Where in [`RowShape::fields`] the field of that name stands.
    #[must_use]
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The declared name that a mistaken one was most likely meant to be.
    pub(crate) fn nearest(&self, name: &str) -> Option<String> {
        // Comparing texts costs the product of their lengths; no field name is longer than 63 bytes.
        const LONGEST: usize = 128;
        if name.len() > LONGEST {
            return None;
        }
        self.fields
            .iter()
            .map(|field| (strsim::jaro_winkler(field.name.as_str(), name), field.name.as_str()))
            .filter(|(likeness, _)| *likeness > 0.7)
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .map(|(_, name)| name.to_owned())
    }
}

fn form(field: &Field) -> Option<Form> {
    match (&field.ty, field.crdt) {
        (FieldType::String | FieldType::Richtext, Crdt::Lww) => Some(Form::Register),
        (FieldType::String | FieldType::Richtext, Crdt::Text) => Some(Form::Text),
        (FieldType::Enum(_) | FieldType::Id(_) | FieldType::Datetime, Crdt::Lww) => Some(Form::Register),
        (FieldType::Int | FieldType::Float | FieldType::Bool, Crdt::Lww) => Some(Form::Register),
        (FieldType::Document, Crdt::Document) => Some(Form::Document),
        (
            FieldType::String
            | FieldType::Enum(_)
            | FieldType::Id(_)
            | FieldType::Datetime
            | FieldType::Int
            | FieldType::Float
            | FieldType::Bool
            | FieldType::Bytes
            | FieldType::Json
            | FieldType::Richtext
            | FieldType::Document,
            _,
        ) => None,
    }
}

fn crdt_spelling(crdt: Crdt) -> &'static str {
    match crdt {
        Crdt::Lww => "lww",
        Crdt::Text => "text",
        Crdt::Counter => "counter",
        Crdt::List => "list",
        Crdt::MovableList => "movable-list",
        Crdt::Map => "map",
        Crdt::Tree => "tree",
        Crdt::Document => "document",
    }
}
