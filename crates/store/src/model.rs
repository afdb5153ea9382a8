//! The manifest as the store serves it, replaced whole when it changes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use corella_manifest::{Entity, EntityName, Manifest};
use corella_policy::Policies;
use corella_rowdoc::{Form, RowShape, UnservedField};

use crate::{
    error::StartError,
    references::{Referrer, referrers},
};

/// Whether rows offer all that `manifest` asks of them, and its policies are right; says so before anything is opened.
///
/// # Errors
/// [`StartError`] names the first field that they do not, or all mistakes in the policies.
pub fn check_served(manifest: &Arc<Manifest>) -> Result<(), StartError> {
    Model::new(Arc::clone(manifest), 0).map(drop)
}

/// Every entity with the shape of its documents.
pub(crate) struct Model {
    pub(crate) manifest: Arc<Manifest>,
    entities: HashMap<String, EntityModel>,
    referrers: HashMap<EntityName, Vec<Referrer>>,
    /// Goes up with each manifest, so that documents loaded under an older one are loaded again.
    pub(crate) generation: u64,
}

/// One entity with the shape of its documents.
#[derive(Clone)]
pub(crate) struct EntityModel {
    pub(crate) entity: Arc<Entity>,
    pub(crate) shape: Arc<RowShape>,
    /// The columns that may be written later when they are large: texts that no two rows have to differ in, lists,
    /// maps and trees, and the whole value of an open entity.
    pub(crate) late: Arc<BTreeSet<usize>>,
    /// Who may do what, with this entity and all others.
    pub(crate) policies: Arc<Policies>,
}

impl EntityModel {
    /// Whether a column may be unable to hold what its document says.
    pub(crate) fn may_be_unfit(&self) -> bool {
        self.shape.has_former() || self.shape.fields().iter().any(|field| field.form == Form::Counter)
    }

    fn new(entity: &Entity, policies: &Arc<Policies>) -> Result<Self, UnservedField> {
        let shape = RowShape::new(entity)?;
        let is_unique = |name| {
            entity.field(name).is_some_and(|field| field.unique)
                || entity
                    .indexes
                    .iter()
                    .any(|index| index.unique && index.fields.iter().any(|field| field.as_str() == name))
        };
        let large = shape.fields().iter().enumerate().filter_map(|(column, field)| {
            let may_be_large = match field.form {
                Form::Text | Form::Document | Form::List | Form::MovableList | Form::Map | Form::Tree => true,
                Form::Register | Form::Counter => false,
            };
            (may_be_large && !is_unique(field.name.as_str())).then_some(column)
        });
        let late = large.chain(shape.is_open().then_some(shape.fields().len())).collect();
        Ok(Self {
            entity: Arc::new(entity.clone()),
            shape: Arc::new(shape),
            late: Arc::new(late),
            policies: Arc::clone(policies),
        })
    }
}

impl Model {
    pub(crate) fn new(manifest: Arc<Manifest>, generation: u64) -> Result<Self, StartError> {
        let policies = Arc::new(Policies::new(Arc::clone(&manifest)).map_err(StartError::Policies)?);
        let entities = manifest
            .entities
            .iter()
            .map(|entity| Ok((entity.name.to_string(), EntityModel::new(entity, &policies)?)))
            .collect::<Result<_, UnservedField>>()?;
        let referrers = referrers(&manifest);
        Ok(Self { manifest, entities, referrers, generation })
    }

    /// The fields that name rows of that entity.
    pub(crate) fn referrers(&self, entity: &EntityName) -> &[Referrer] {
        self.referrers.get(entity).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn entity(&self, name: &str) -> Option<&EntityModel> {
        self.entities.get(name)
    }
}
