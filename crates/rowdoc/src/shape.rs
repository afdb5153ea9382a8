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
    /// A mergeable map under `row` with one total for each peer; the sum of them is the value.
    Counter,
    /// A mergeable list under `row`.
    List,
    /// A mergeable movable list under `row`.
    MovableList,
    /// A mergeable map under `row`.
    Map,
    /// A mergeable tree under `row`.
    Tree,
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

/// A field, or an entity, that documents do not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnservedField {
    /// The field's type does not go with its merge rule; no manifest that was read declares such a field.
    #[error("the field {entity}.{field} is declared as {declared}, expected {expected}")]
    Field {
        /// The entity.
        entity: EntityName,
        /// The field.
        field: FieldName,
        /// How the manifest declares it.
        declared: String,
        /// The merge rules that go with its type, in words.
        expected: String,
    },
    /// The entity's rows are declared to be no documents.
    #[error("the entity {entity} is declared with `crdt: false`, which is not served yet: leave `crdt` out")]
    PlainRows {
        /// The entity.
        entity: EntityName,
    },
}

impl RowShape {
    /// Compiles an entity's declaration.
    ///
    /// # Errors
    /// [`UnservedField`] names the first field whose type does not go with its merge rule, or the entity when its
    /// rows are no documents.
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
                    declared: format!("{} with `crdt: {}`", field.ty.spelling(), field.crdt.word()),
                    expected: allowed(&field.ty),
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
    if !field.ty.allowed_crdts().contains(&field.crdt) {
        return None;
    }
    Some(match field.crdt {
        Crdt::Lww => Form::Register,
        Crdt::Text => Form::Text,
        Crdt::Document => Form::Document,
        Crdt::Counter => Form::Counter,
        Crdt::List => Form::List,
        Crdt::MovableList => Form::MovableList,
        Crdt::Map => Form::Map,
        Crdt::Tree => Form::Tree,
    })
}

fn allowed(ty: &FieldType) -> String {
    let words: Vec<String> =
        ty.allowed_crdts().iter().map(|crdt| format!("`crdt: {}`", crdt.word())).collect();
    words.join(" or ")
}
