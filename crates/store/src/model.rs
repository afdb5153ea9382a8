//! The manifest as the store serves it, replaced whole when it changes.

use std::{collections::HashMap, sync::Arc};

use corella_manifest::{Entity, Manifest};
use corella_rowdoc::{RowShape, UnservedField};

/// Whether rows offer all that `manifest` asks of them; says so before anything is opened.
///
/// # Errors
/// [`UnservedField`] names the first field that they do not.
pub fn check_served(manifest: &Manifest) -> Result<(), UnservedField> {
    manifest.entities.iter().try_for_each(|entity| RowShape::new(entity).map(drop))
}

/// Every entity with the shape of its documents.
pub(crate) struct Model {
    pub(crate) manifest: Arc<Manifest>,
    entities: HashMap<String, EntityModel>,
    /// Goes up with each manifest, so that documents loaded under an older one are loaded again.
    pub(crate) generation: u64,
}

/// One entity with the shape of its documents.
#[derive(Clone)]
pub(crate) struct EntityModel {
    pub(crate) entity: Arc<Entity>,
    pub(crate) shape: Arc<RowShape>,
}

impl Model {
    pub(crate) fn new(manifest: Arc<Manifest>, generation: u64) -> Result<Self, UnservedField> {
        let entities = manifest
            .entities
            .iter()
            .map(|entity| {
                let shape = Arc::new(RowShape::new(entity)?);
                Ok((entity.name.to_string(), EntityModel { entity: Arc::new(entity.clone()), shape }))
            })
            .collect::<Result<_, UnservedField>>()?;
        Ok(Self { manifest, entities, generation })
    }

    pub(crate) fn entity(&self, name: &str) -> Option<&EntityModel> {
        self.entities.get(name)
    }
}
