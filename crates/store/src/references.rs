//! Who names whom, as a manifest declares it with `id(…)` fields.

use std::collections::HashMap;

use corella_manifest::{Entity, EntityName, Field, FieldName, FieldType, Manifest, OnDelete, Value};
use corella_rowdoc::{Projection, RowId, RowKey};

use crate::port::Reference;

/// A field that names rows of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Referrer {
    /// The entity that has the field.
    pub(crate) entity: EntityName,
    pub(crate) field: FieldName,
    pub(crate) on_delete: OnDelete,
}

/// The fields that name the rows of each entity, in the order of their declaration.
pub(crate) fn referrers(manifest: &Manifest) -> HashMap<EntityName, Vec<Referrer>> {
    let mut referrers: HashMap<EntityName, Vec<Referrer>> = HashMap::new();
    for entity in &manifest.entities {
        for (_, field, target) in id_fields(entity) {
            let referrer = Referrer {
                entity: entity.name.clone(),
                field: field.name.clone(),
                on_delete: field.on_delete,
            };
            referrers.entry(target.clone()).or_default().push(referrer);
        }
    }
    referrers
}

/// An entity's `id(…)` fields: their place among the columns, and the entity that they name.
pub(crate) fn id_fields(entity: &Entity) -> impl Iterator<Item = (usize, &Field, &EntityName)> {
    entity.fields.iter().enumerate().filter_map(|(position, field)| match &field.ty {
        FieldType::Id(target) => Some((position, field, target)),
        FieldType::String | FieldType::Enum(_) | FieldType::Datetime | FieldType::Int | FieldType::Float => {
            None
        }
        FieldType::Bool | FieldType::Bytes | FieldType::Json | FieldType::Richtext | FieldType::Document => {
            None
        }
    })
}

/// The `id(…)` fields that no index of the entity starts with. Each gets one: who deletes a row looks for those that
/// name it.
pub(crate) fn unindexed(entity: &Entity) -> impl Iterator<Item = &FieldName> {
    id_fields(entity)
        .map(|(_, field, _)| field)
        .filter(|field| {
            let leads = |fields: &[FieldName]| fields.first() == Some(&field.name);
            !field.unique && !entity.indexes.iter().any(|index| leads(&index.fields))
        })
        .map(|field| &field.name)
}

/// The row that a column's value names.
pub(crate) fn target(holder: &RowKey, entity: &EntityName, value: Option<&Value>) -> Option<RowKey> {
    let Some(Value::Text(id)) = value else { return None };
    let id = RowId::new(id).ok()?;
    Some(RowKey { tenant: holder.tenant.clone(), entity: entity.clone(), id })
}

/// What a row that goes from `before` to `after` has come to name: what it named before is not looked at again, so
/// that a row stays writable whatever it once named.
pub(crate) fn new_references(
    entity: &Entity,
    key: &RowKey,
    before: Option<&Projection>,
    after: &Projection,
) -> Vec<Reference> {
    if after.deleted {
        return Vec::new();
    }
    let before = before.filter(|before| !before.deleted);
    let named = |(position, field, target_entity): (usize, &Field, &EntityName)| {
        let value = after.values.get(position);
        if before.is_some_and(|before| before.values.get(position) == value) {
            return None;
        }
        let target = target(key, target_entity, value)?;
        Some(Reference { holder: key.clone(), field: field.name.clone(), target })
    };
    id_fields(entity).filter_map(named).collect()
}
