//! The steps that lead from one manifest to another.
//!
//! Documents are never rewritten: a step changes tables, and how documents are read. That is why a field is the same
//! field for as long as its key in documents is the same, whatever it is called.

mod field;
mod step;

pub use step::{Reading, SchemaChange, Step, StepClass};

use crate::{Entity, EntityName, FieldType, Manifest};
use field::FieldsBetween;

impl Manifest {
    /// The steps that lead from the manifest `old` to this one, in the order in which they are taken: first what is
    /// renamed, then what goes, then what comes, then what changes.
    ///
    /// `earlier` are all manifests that the database has been brought to so far; documents may hold what any of them
    /// declared.
    #[must_use]
    pub fn steps_from(&self, old: &Self, earlier: &[Self]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut add = |entity: &EntityName, change| steps.push(Step { entity: entity.clone(), change });
        let pairs: Vec<(&Entity, Option<&Entity>)> =
            self.entities.iter().map(|entity| (entity, former(entity, self, old))).collect();
        for (entity, before) in &pairs {
            if let Some(before) = before.filter(|before| before.name != entity.name) {
                add(&entity.name, SchemaChange::RenameEntity { from: before.name.clone() });
            }
        }
        for gone in &old.entities {
            let stays = |(_, before): &(&Entity, Option<&Entity>)| {
                before.is_some_and(|before| before.name == gone.name)
            };
            if !pairs.iter().any(stays) {
                add(&gone.name, SchemaChange::RemoveEntity);
            }
        }
        let renamed = |name: &EntityName| {
            let after = pairs.iter().find(|(_, before)| before.is_some_and(|before| before.name == *name));
            after.map_or_else(|| name.clone(), |(entity, _)| entity.name.clone())
        };
        for (entity, before) in &pairs {
            match before {
                Some(before) => {
                    let earlier = earlier_of(before, earlier);
                    let before = with_names(before, renamed);
                    for change in (FieldsBetween { old: &before, new: entity, earlier }).changes() {
                        add(&entity.name, change);
                    }
                    for change in of_the_entity(&before, entity) {
                        add(&entity.name, change);
                    }
                }
                None => {
                    let returns =
                        earlier.iter().any(|manifest| manifest.entity(entity.name.as_str()).is_some());
                    add(&entity.name, SchemaChange::AddEntity { returns });
                }
            }
        }
        steps
    }
}

/// The entity as earlier manifests declared it, the latest first, whatever it was called.
fn earlier_of<'a>(entity: &Entity, earlier: &'a [Manifest]) -> Vec<&'a Entity> {
    let mut names = vec![&entity.name];
    names.extend(&entity.renamed_from);
    let mut found = Vec::new();
    for manifest in earlier {
        let known = manifest.entities.iter().find(|other| names.contains(&&other.name));
        let Some(known) = known else { continue };
        found.push(known);
        if let Some(before) = &known.renamed_from
            && !names.contains(&before)
        {
            names.push(before);
        }
    }
    found
}

/// The entity as it was, the others called by the names that they have now: a row is named by its id alone.
fn with_names(entity: &Entity, renamed: impl Fn(&EntityName) -> EntityName) -> Entity {
    let mut entity = entity.clone();
    let rename = |ty: &mut FieldType| {
        if let FieldType::Id(target) = ty {
            *target = renamed(target);
        }
    };
    for field in &mut entity.fields {
        rename(&mut field.ty);
        if let Some(convert) = &mut field.convert {
            rename(&mut convert.from);
        }
    }
    for relation in &mut entity.relations {
        relation.target = renamed(&relation.target);
    }
    entity
}

/// What `entity` of the manifest `new` was in `old`.
fn former<'a>(entity: &Entity, new: &Manifest, old: &'a Manifest) -> Option<&'a Entity> {
    old.entity(entity.name.as_str()).or_else(|| {
        let before = entity.renamed_from.as_ref()?;
        old.entity(before.as_str()).filter(|before| new.entity(before.name.as_str()).is_none())
    })
}

fn of_the_entity(old: &Entity, new: &Entity) -> Vec<SchemaChange> {
    let mut changes = indexes(old, new);
    changes.extend(search(old, new));
    match (old.open, new.open) {
        (false, true) => changes.push(SchemaChange::Open),
        (true, false) => changes.push(SchemaChange::Close),
        (true, true) | (false, false) => {}
    }
    match (old.crdt, new.crdt) {
        (true, false) => changes.push(SchemaChange::BecomePlainRows),
        (false, true) => changes.push(SchemaChange::BecomeDocuments),
        (true, true) | (false, false) => {}
    }
    if old.history != new.history {
        changes.push(SchemaChange::KeepHistory { from: old.history, to: new.history });
    }
    let relation =
        |entity: &Entity, name: &str| entity.relations.iter().find(|relation| relation.name == name).cloned();
    for before in &old.relations {
        match relation(new, &before.name) {
            Some(after) if after == *before => {}
            Some(_) => changes.push(SchemaChange::ChangeRelation { name: before.name.clone() }),
            None => changes.push(SchemaChange::RemoveRelation { name: before.name.clone() }),
        }
    }
    for after in new.relations.iter().filter(|after| relation(old, &after.name).is_none()) {
        changes.push(SchemaChange::AddRelation { name: after.name.clone() });
    }
    changes
}

/// An index over the keys of fields, which a rename leaves alone.
fn index_keys(entity: &Entity, index: &crate::Index) -> (Vec<String>, bool) {
    (keys(entity, &index.fields), index.unique)
}

/// What is searched, by the keys of its fields, which a rename leaves alone.
fn search(old: &Entity, new: &Entity) -> Option<SchemaChange> {
    let keys =
        |entity: &Entity| entity.search.as_ref().map(|search| (keys(entity, &search.text), search.language));
    match (keys(old), keys(new), &new.search) {
        (before, after, _) if before == after => None,
        (_, _, None) => Some(SchemaChange::RemoveSearch),
        (None, _, Some(search)) => Some(SchemaChange::AddSearch { search: search.clone() }),
        (Some(_), _, Some(search)) => Some(SchemaChange::ChangeSearch { search: search.clone() }),
    }
}

fn keys(entity: &Entity, fields: &[crate::FieldName]) -> Vec<String> {
    let key = |name: &crate::FieldName| {
        entity.field(name.as_str()).map_or_else(|| name.to_string(), |field| field.key().to_string())
    };
    fields.iter().map(key).collect()
}

fn indexes(old: &Entity, new: &Entity) -> Vec<SchemaChange> {
    let same = |before: &crate::Index| {
        new.indexes
            .iter()
            .any(|after| after.name == before.name && index_keys(new, after) == index_keys(old, before))
    };
    let is_new =
        |after: &&crate::Index| !old.indexes.iter().any(|before| before.name == after.name && same(before));
    let gone = old.indexes.iter().filter(|before| !same(before));
    let gone = gone.map(|index| SchemaChange::RemoveIndex { name: index.name.clone() });
    let come = new.indexes.iter().filter(is_new);
    gone.chain(come.map(|index| SchemaChange::AddIndex { index: index.clone() })).collect()
}
