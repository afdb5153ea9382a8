//! What changes a manifest's fingerprint, and what does not.

use corella_manifest::Manifest;
use serde_json::{Value as Json, json};

fn base() -> Json {
    json!({
        "manifest_version": 1,
        "name": "app",
        "version": "1",
        "entities": [
            {
                "name": "Note",
                "fields": [
                    { "name": "title", "type": "string", "optional": true },
                    { "name": "color", "type": "enum(red,green)" },
                ],
                "indexes": [{ "name": "by_both", "fields": ["color", "title"] }],
            },
            { "name": "User" },
        ],
    })
}

fn fingerprint(manifest: &Json) -> String {
    Manifest::parse(&manifest.to_string()).expect("a manifest").manifest.fingerprint()
}

#[track_caller]
fn check_same(change: impl FnOnce(&mut Json)) {
    let mut changed = base();
    change(&mut changed);
    assert_eq!(fingerprint(&changed), fingerprint(&base()));
}

#[track_caller]
fn check_different(change: impl FnOnce(&mut Json)) {
    let mut changed = base();
    change(&mut changed);
    assert_ne!(fingerprint(&changed), fingerprint(&base()));
}

/// Databases remember fingerprints: a new value here means that each of them is projected anew.
#[test]
fn it_stays_what_it_is() {
    insta::assert_snapshot!(fingerprint(&base()), @"c7eade6bcd85a98a");
}

#[test]
fn what_does_not_reach_stored_rows_leaves_it_alone() {
    check_same(|manifest| manifest["version"] = json!("2"));
    check_same(|manifest| manifest["name"] = json!("other"));
    check_same(|manifest| {
        manifest["policies"] = json!([{ "name": "all", "entity": "Note", "allow": "true" }]);
    });
    check_same(|manifest| manifest["defaultEntity"] = json!("Note"));
    check_same(|manifest| manifest["entities"][0]["history"] = json!({ "keep": "latest" }));
    check_same(|manifest| manifest["entities"][0]["fields"][0]["default"] = json!("Untitled"));
    check_same(|manifest| manifest["entities"][0]["fields"][0]["allowRead"] = json!("true"));
    check_same(|manifest| manifest["entities"][0]["fields"][0]["crdt"] = json!("lww"));
    check_same(|manifest| manifest["entities"][0]["fields"][1]["type"] = json!("enum(green, red)"));
    check_same(|manifest| manifest["entities"].as_array_mut().expect("a list").reverse());
    check_same(|manifest| manifest["entities"][0]["fields"].as_array_mut().expect("a list").reverse());
}

#[test]
fn what_reaches_stored_rows_changes_it() {
    check_different(|manifest| manifest["entities"][1]["name"] = json!("Person"));
    check_different(|manifest| manifest["entities"][0]["open"] = json!(true));
    check_different(|manifest| manifest["entities"][0]["crdt"] = json!(false));
    check_different(|manifest| manifest["entities"][0]["fields"][0]["optional"] = json!(false));
    check_different(|manifest| manifest["entities"][0]["fields"][0]["unique"] = json!(true));
    check_different(|manifest| manifest["entities"][0]["fields"][0]["crdt"] = json!("text"));
    check_different(|manifest| manifest["entities"][0]["fields"][0]["type"] = json!("int"));
    check_different(|manifest| manifest["entities"][0]["fields"][1]["type"] = json!("enum(red,green,blue)"));
    check_different(|manifest| manifest["entities"][0]["indexes"][0]["unique"] = json!(true));
    check_different(|manifest| manifest["entities"][0]["indexes"][0]["fields"] = json!(["title", "color"]));
    check_different(|manifest| manifest["entities"][0]["indexes"] = json!([]));
    check_different(|manifest| manifest["entities"].as_array_mut().expect("a list").truncate(1));
}

/// The same file is read by a test of `@corella/client`.
#[test]
fn it_is_as_the_golden_file_says() {
    let golden: Json =
        serde_json::from_str(include_str!("../../../schema/golden/fingerprints.json")).expect("JSON");
    let schemas = golden["schemas"].as_array().expect("a list");
    assert!(!schemas.is_empty());
    for schema in schemas {
        assert_eq!(Json::from(fingerprint(&schema["manifest"])), schema["fingerprint"]);
    }
}
