//! What became of an entity's fields.

use super::step::{Reading, SchemaChange};
use crate::{Crdt, Entity, Field, FieldType};

/// The fields of an entity before and after.
pub(super) struct FieldsBetween<'a> {
    pub(super) old: &'a Entity,
    pub(super) new: &'a Entity,
    /// The entity as earlier manifests declared it.
    pub(super) earlier: Vec<&'a Entity>,
}

impl FieldsBetween<'_> {
    /// First what is renamed, then what goes, then what comes, then what changes.
    pub(super) fn changes(&self) -> Vec<SchemaChange> {
        let mut changes = Vec::new();
        let pairs = || self.new.fields.iter().filter_map(|field| Some((by_key(self.old, field)?, field)));
        for (before, field) in pairs().filter(|(before, field)| before.name != field.name) {
            changes.push(SchemaChange::RenameField { from: before.name.clone(), to: field.name.clone() });
        }
        for gone in self.old.fields.iter().filter(|gone| by_key(self.new, gone).is_none()) {
            changes.push(match self.new.field(gone.name.as_str()) {
                Some(field) if by_key(self.old, field).is_none() => SchemaChange::ChangeKey {
                    field: field.name.clone(),
                    from: gone.key().clone(),
                    to: field.key().clone(),
                },
                Some(_) | None => SchemaChange::RemoveField { field: gone.name.clone(), ty: gone.ty.clone() },
            });
        }
        for field in self.new.fields.iter().filter(|field| by_key(self.old, field).is_none()) {
            let changed_key = self.old.field(field.name.as_str());
            if changed_key.is_none_or(|before| by_key(self.new, before).is_some()) {
                let fills = self.may_hold(field);
                changes.push(SchemaChange::AddField { field: field.clone(), fills });
            }
        }
        for (before, field) in pairs() {
            between(before, field, &mut changes);
        }
        changes
    }

    /// Whether documents may hold something for a field that is new, or show something without holding it.
    fn may_hold(&self, field: &Field) -> bool {
        let starts_empty = field.crdt != Crdt::Lww && !field.optional;
        let was_there = self.earlier.iter().any(|entity| by_key(entity, field).is_some());
        let was_open = self.old.open || self.earlier.iter().any(|entity| entity.open);
        starts_empty || was_there || was_open
    }
}

/// The field that documents hold under the same key.
fn by_key<'a>(entity: &'a Entity, field: &Field) -> Option<&'a Field> {
    entity.fields.iter().find(|other| other.key() == field.key())
}

fn between(old: &Field, new: &Field, changes: &mut Vec<SchemaChange>) {
    let field = || new.name.clone();
    if let Some(change) = type_change(old, new) {
        changes.push(change);
    } else if old.convert != new.convert {
        // What the former conversion read may be read no more.
        let loses = old.convert.is_some();
        changes.push(SchemaChange::ChangeConversion { field: field(), loses });
    }
    match (old.optional, new.optional) {
        (true, false) => {
            changes.push(SchemaChange::Require { field: field(), fills: new.crdt != Crdt::Lww });
        }
        (false, true) => {
            changes.push(SchemaChange::Relax { field: field(), fills: new.crdt != Crdt::Lww });
        }
        (true, true) | (false, false) => {}
    }
    match (old.unique, new.unique) {
        (false, true) => changes.push(SchemaChange::AddUnique { field: field() }),
        (true, false) => changes.push(SchemaChange::RemoveUnique { field: field() }),
        (true, true) | (false, false) => {}
    }
}

fn type_change(old: &Field, new: &Field) -> Option<SchemaChange> {
    let field = new.name.clone();
    let same_rule = old.crdt == new.crdt;
    if let (FieldType::Enum(before), FieldType::Enum(after), true) = (&old.ty, &new.ty, same_rule) {
        let gone: Vec<String> = before.iter().filter(|variant| !after.contains(variant)).cloned().collect();
        if !gone.is_empty() {
            let reading = match reading(old, new) {
                Reading::Converted => Reading::Converted,
                Reading::AsItIs | Reading::Lost => Reading::Lost,
            };
            return Some(SchemaChange::RemoveVariants { field, variants: gone, reading });
        }
        let come: Vec<String> = after.iter().filter(|variant| !before.contains(variant)).cloned().collect();
        return (!come.is_empty()).then_some(SchemaChange::AddVariants { field, variants: come });
    }
    if old.ty == new.ty && same_rule {
        return None;
    }
    Some(SchemaChange::Retype { field, from: told(old), to: told(new), reading: reading(old, new) })
}

fn told(field: &Field) -> String {
    let spelling = field.ty.spelling();
    if field.crdt == field.ty.default_crdt() {
        return spelling;
    }
    format!("{spelling} with `crdt: {}`", field.crdt.word())
}

/// How the new declaration reads what was written under the old one.
fn reading(old: &Field, new: &Field) -> Reading {
    if let Some(convert) = &new.convert
        && convert.crdt == old.crdt
        && covers(&convert.from, &old.ty)
    {
        // What was written even before that, and never since, is held in a third way.
        return if old.convert.is_some() { Reading::Lost } else { Reading::Converted };
    }
    if old.convert.is_some() { Reading::Lost } else { as_it_is(old, new) }
}

/// Whether every value of the type `of` is one of the type `ty`.
fn covers(ty: &FieldType, of: &FieldType) -> bool {
    match (ty, of) {
        (FieldType::Enum(all), FieldType::Enum(some)) => some.iter().all(|variant| all.contains(variant)),
        (ty, of) => ty == of,
    }
}

/// What a field reads of another declaration by itself.
fn as_it_is(old: &Field, new: &Field) -> Reading {
    use FieldType as T;
    if old.crdt != Crdt::Lww {
        return Reading::Lost;
    }
    let is_text = matches!(&old.ty, T::String | T::Enum(_) | T::Id(_) | T::Richtext | T::Datetime);
    let reads = match (&new.ty, new.crdt) {
        (T::String | T::Richtext, Crdt::Lww | Crdt::Text) | (T::Document, Crdt::Document) => is_text,
        (T::Json, Crdt::Lww) => true,
        (T::Int, Crdt::Lww | Crdt::Counter) => old.ty == T::Int,
        (T::Float, Crdt::Lww | Crdt::Counter) => matches!(old.ty, T::Int | T::Float),
        (T::Enum(_) | T::Id(_), Crdt::Lww) => covers(&new.ty, &old.ty),
        // Those that are no list, or no object, are lost.
        (_, _) => false,
    };
    if reads { Reading::AsItIs } else { Reading::Lost }
}
