//! The shapes of the manifest's texts, for its JSON Schema.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{Crdt, Language, OnDelete, history, name, type_text};

pub(crate) fn manifest_version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "const": crate::parse::MANIFEST_VERSION })
}

pub(crate) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}

pub(crate) fn name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": name::PATTERN })
}

pub(crate) fn names(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": name(generator), "minItems": 1, "uniqueItems": true })
}

pub(crate) fn field_type(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": type_text::pattern(), "examples": type_text::EXAMPLES })
}

pub(crate) fn crdt(_: &mut SchemaGenerator) -> Schema {
    let one = |crdt: Crdt| serde_json::json!({ "const": crdt.word(), "description": meaning(crdt) });
    json_schema!({ "type": "string", "oneOf": Crdt::ALL.map(one) })
}

pub(crate) fn on_delete(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": OnDelete::ALL.map(OnDelete::word), "default": OnDelete::Restrict.word() })
}

pub(crate) fn language(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "enum": Language::ALL.map(Language::word),
        "default": Language::default().word(),
    })
}

pub(crate) fn keep(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": history::PATTERN,
        "default": "all",
        "examples": ["all", "latest", "30d", "12h"],
    })
}

pub(crate) fn expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}

fn meaning(crdt: Crdt) -> &'static str {
    match crdt {
        Crdt::Lww => "The last writer wins.",
        Crdt::Text => "Texts merge character by character.",
        Crdt::Counter => "Increments add up.",
        Crdt::List => "Items are inserted and removed by position.",
        Crdt::MovableList => "A list whose items can also be moved and set.",
        Crdt::Map => "Objects merge key by key.",
        Crdt::Tree => "Nodes with parents and positions.",
        Crdt::Document => "An editor's node tree merges node by node.",
    }
}
