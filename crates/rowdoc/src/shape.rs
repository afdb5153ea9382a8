//! An entity's declared fields, compiled for documents.

use std::collections::HashMap;

use corella_manifest::{Conversion, Crdt, Entity, EntityName, Field, FieldName, FieldType};

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
    /// Its name.
    pub name: FieldName,
    /// Its key in `row`, which is the first name that it had.
    pub key: FieldName,
    /// What it holds.
    pub ty: FieldType,
    /// Where and how.
    pub form: Form,
    /// Whether a row may lack it.
    pub optional: bool,
    /// How it was declared before, where the manifest says what becomes of values from then.
    pub former: Option<Box<Former>>,
}

/// How a field was declared before.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    /// The field as it was.
    pub field: ShapeField,
    /// How its values are read now.
    pub conversion: Conversion,
    /// The merge rule that the field has now.
    pub crdt: Crdt,
}

/// The field table of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShape {
    entity: EntityName,
    fields: Vec<ShapeField>,
    by_name: HashMap<FieldName, usize>,
    by_key: HashMap<FieldName, usize>,
    open: bool,
    plain: bool,
}

/// A field that rows do not hold.
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
}

impl RowShape {
    /// Compiles an entity's declaration.
    ///
    /// # Errors
    /// [`UnservedField`] names the first field whose type does not go with its merge rule.
    pub fn new(entity: &Entity) -> Result<Self, UnservedField> {
        let fields = entity
            .fields
            .iter()
            .map(|field| {
                ShapeField::new(field).ok_or_else(|| UnservedField::Field {
                    entity: entity.name.clone(),
                    field: field.name.clone(),
                    declared: format!("{} with `crdt: {}`", field.ty.spelling(), field.crdt.word()),
                    expected: allowed(&field.ty),
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let by_name = fields.iter().enumerate().map(|(index, field)| (field.name.clone(), index)).collect();
        let by_key = fields.iter().enumerate().map(|(index, field)| (field.key.clone(), index)).collect();
        let (name, open, plain) = (entity.name.clone(), entity.open, !entity.crdt);
        Ok(Self { entity: name, fields, by_name, by_key, open, plain })
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

    /// Whether rows are no documents: their fields are kept as they were written last.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// Where in [`RowShape::fields`] the field of that name stands.
    #[must_use]
    pub fn field_index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Where the field stands that documents hold under that key.
    #[must_use]
    pub fn key_index(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    /// Where the field stands that a patch calls by that name: the one that it has, or the first that it had, which
    /// somebody may say who has not heard of the rename.
    #[must_use]
    pub fn called(&self, name: &str) -> Option<usize> {
        self.field_index(name).or_else(|| self.key_index(name))
    }

    /// Whether a field may have values from before its type or merge rule changed.
    #[must_use]
    pub fn has_former(&self) -> bool {
        self.fields.iter().any(|field| field.former.is_some())
    }

    /// The key in documents that a mistaken one was most likely meant to be.
    pub(crate) fn nearest_key(&self, key: &str) -> Option<String> {
        let renamed = self.field_index(key).map(|index| self.fields[index].key.to_string());
        renamed.or_else(|| self.nearest(key))
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

impl ShapeField {
    /// `None` when the field's type does not go with its merge rule.
    fn new(field: &Field) -> Option<Self> {
        let form = form(&field.ty, field.crdt)?;
        let mut shape = Self {
            name: field.name.clone(),
            key: field.key().clone(),
            ty: field.ty.clone(),
            form,
            optional: field.optional,
            former: None,
        };
        if let Some(conversion) = &field.convert {
            let (ty, form) = (conversion.from.clone(), self::form(&conversion.from, conversion.crdt)?);
            let before = Self { ty, form, ..shape.clone() };
            let (conversion, crdt) = (conversion.clone(), field.crdt);
            shape.former = Some(Box::new(Former { field: before, conversion, crdt }));
        }
        Some(shape)
    }
}

fn form(ty: &FieldType, crdt: Crdt) -> Option<Form> {
    if !ty.allowed_crdts().contains(&crdt) {
        return None;
    }
    Some(match crdt {
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
