use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::{
    json_schema,
    problem::{Path, Report},
    reader::{ReadObject, keys_of, read_object},
};

/// Compares the keys that a reader asks for with those that the schema at `pointer` lists.
#[track_caller]
fn check<T: ReadObject>(pointer: &str) {
    let schema: Json = serde_json::from_str(&json_schema()).expect("JSON");
    let object = schema.pointer(pointer).expect("a definition");
    let (known, required) = keys_of::<T>();

    let listed: BTreeSet<&str> =
        object["properties"].as_object().expect("properties").keys().map(String::as_str).collect();
    assert_eq!(known.iter().copied().collect::<BTreeSet<_>>(), listed, "keys at {pointer}");

    let listed: BTreeSet<&str> =
        object["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    assert_eq!(
        required.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        listed,
        "required keys at {pointer}"
    );

    for (key, property) in object["properties"].as_object().expect("properties") {
        assert!(property["description"].is_string(), "{pointer} does not say what {key} is");
    }
}

#[test]
fn the_readers_know_the_keys_of_the_schema() {
    check::<RawManifest>("");
    check::<RawEntity>("/definitions/Entity");
    check::<RawField>("/definitions/Field");
    check::<RawConversion>("/definitions/Conversion");
    check::<RawIndex>("/definitions/Index");
    check::<RawRelation>("/definitions/Relation");
    check::<RawSearch>("/definitions/Search");
    check::<RawHistory>("/definitions/History");
    check::<RawPolicy>("/definitions/Policy");
    check::<RawTenancy>("/definitions/Tenancy");
}

#[test]
fn the_schema_defines_nothing_that_no_reader_reads() {
    let schema: Json = serde_json::from_str(&json_schema()).expect("JSON");
    let definitions: BTreeSet<&str> =
        schema["definitions"].as_object().expect("definitions").keys().map(String::as_str).collect();
    let read =
        ["Conversion", "Entity", "Field", "History", "Index", "Policy", "Relation", "Search", "Tenancy"];
    assert_eq!(definitions, BTreeSet::from(read));
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_readers() {
    let schema: Json = serde_json::from_str(&json_schema()).expect("JSON");
    let default =
        |entity: &str, key: &str| schema["definitions"][entity]["properties"][key]["default"].clone();

    let entity: RawEntity = read(&json!({}));
    assert_eq!(default("Entity", "crdt"), json!(entity.crdt));
    assert_eq!(default("Entity", "open"), json!(entity.open));
    let field: RawField = read(&json!({}));
    assert_eq!(default("Field", "optional"), json!(field.optional));
    assert_eq!(default("Field", "unique"), json!(field.unique));
    let index: RawIndex = read(&json!({}));
    assert_eq!(default("Index", "unique"), json!(index.unique));
    let relation: RawRelation = read(&json!({}));
    assert_eq!(default("Relation", "many"), json!(relation.many));
}

fn read<T: ReadObject>(json: &Json) -> T {
    read_object(json, Path::default(), "an object", &mut Report::default()).expect("an object").value
}
