//! What a database keeps of a manifest, to compare the next one with.

use serde_json::{Map, Value as Json, json};

use crate::{Conversion, Entity, Field, History, Manifest};

impl Manifest {
    /// The manifest without what leaves rows alone (policies, defaults, tenancy), as a manifest that
    /// [`Manifest::parse`] reads.
    #[must_use]
    pub fn record(&self) -> String {
        let entities: Vec<Json> = self.entities.iter().map(entity).collect();
        json!({
            "manifest_version": crate::parse::MANIFEST_VERSION,
            "name": self.name,
            "version": self.version,
            "entities": entities,
        })
        .to_string()
    }
}

fn entity(entity: &Entity) -> Json {
    let mut object = Map::new();
    object.insert("name".into(), entity.name.as_str().into());
    object.insert("fields".into(), entity.fields.iter().map(field).collect());
    if !entity.indexes.is_empty() {
        let index = |index: &crate::Index| {
            let fields: Vec<&str> = index.fields.iter().map(AsRef::as_ref).collect();
            json!({ "name": index.name, "fields": fields, "unique": index.unique })
        };
        object.insert("indexes".into(), entity.indexes.iter().map(index).collect());
    }
    if !entity.relations.is_empty() {
        let relation = |relation: &crate::Relation| {
            let (target, field) = (relation.target.as_str(), relation.field.as_str());
            json!({ "name": relation.name, "target": target, "field": field, "many": relation.many })
        };
        object.insert("relations".into(), entity.relations.iter().map(relation).collect());
    }
    if let Some(search) = &entity.search {
        let text: Vec<&str> = search.text.iter().map(AsRef::as_ref).collect();
        object.insert("search".into(), json!({ "text": text, "language": search.language.word() }));
    }
    if entity.open {
        object.insert("open".into(), true.into());
    }
    if !entity.crdt {
        object.insert("crdt".into(), false.into());
    }
    if entity.history != History::All {
        object.insert("history".into(), json!({ "keep": crate::history::spelling(entity.history) }));
    }
    if let Some(before) = &entity.renamed_from {
        object.insert("renamedFrom".into(), before.as_str().into());
    }
    Json::Object(object)
}

fn field(field: &Field) -> Json {
    let mut object = Map::new();
    object.insert("name".into(), field.name.as_str().into());
    object.insert("type".into(), field.ty.spelling().into());
    object.insert("crdt".into(), field.crdt.word().into());
    if field.optional {
        object.insert("optional".into(), true.into());
    }
    if field.unique {
        object.insert("unique".into(), true.into());
    }
    if let Some(before) = &field.renamed_from {
        object.insert("renamedFrom".into(), before.as_str().into());
    }
    if let Some(convert) = &field.convert {
        object.insert("convert".into(), conversion(convert));
    }
    Json::Object(object)
}

fn conversion(convert: &Conversion) -> Json {
    let mut object = Map::new();
    object.insert("from".into(), convert.from.spelling().into());
    object.insert("crdt".into(), convert.crdt.word().into());
    if !convert.values.is_empty() {
        let values = convert.values.iter().map(|(from, to)| (from.clone(), to.to_json()));
        object.insert("values".into(), Json::Object(values.collect()));
    }
    if let Some(otherwise) = &convert.otherwise {
        object.insert("otherwise".into(), otherwise.to_json());
    }
    Json::Object(object)
}
