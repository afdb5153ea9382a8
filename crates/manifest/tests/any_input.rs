//! No text makes the reader of manifests panic, and a refusal always says why.

use corella_manifest::Manifest;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const NOTES: &str = include_str!("../../../schema/examples/notes.json");

/// Words that mean something somewhere in a manifest.
const WORDS: [&str; 34] = [
    "manifest_version",
    "name",
    "version",
    "entities",
    "fields",
    "type",
    "optional",
    "unique",
    "crdt",
    "default",
    "allowRead",
    "renamedFrom",
    "indexes",
    "relations",
    "target",
    "field",
    "many",
    "open",
    "history",
    "keep",
    "policies",
    "entity",
    "tenancy",
    "claim",
    "defaultEntity",
    "string",
    "enum(a,b)",
    "id(name)",
    "id(a)",
    "datetime",
    "now",
    "lww",
    "text",
    "30d",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![8 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        4 => word().prop_map(Json::from),
        1 => Just(Json::Null),
        1 => any::<bool>().prop_map(Json::from),
        1 => any::<i64>().prop_map(Json::from),
        1 => any::<f64>().prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}

/// An object with some of `keys`, each holding something that `value` makes.
fn object(keys: &'static [&'static str], value: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec(prop::option::weighted(0.8, value), keys.len()).prop_map(|values| {
        let entries = keys.iter().zip(values);
        Json::Object(entries.filter_map(|(key, value)| Some(((*key).to_owned(), value?))).collect())
    })
}

fn list(item: impl Strategy<Value = Json>) -> impl Strategy<Value = Json> {
    prop::collection::vec(item, 0..4).prop_map(Json::from)
}

/// A manifest of the right shape, in which little fits together.
fn manifest() -> impl Strategy<Value = Json> {
    let small = || prop_oneof![6 => word().prop_map(Json::from), 2 => any::<bool>().prop_map(Json::from), 1 => any_json()];
    let fields =
        list(object(&["name", "type", "optional", "unique", "crdt", "default", "renamedFrom"], small()));
    let indexes = list(object(&["name", "fields", "unique"], prop_oneof![small(), list(small())]));
    let relations = list(object(&["name", "target", "field", "many"], small()));
    let entity = (object(&["name", "crdt", "open", "history"], small()), fields, indexes, relations);
    let entity = entity.prop_map(|(mut entity, fields, indexes, relations)| {
        entity["fields"] = fields;
        entity["indexes"] = indexes;
        entity["relations"] = relations;
        entity
    });
    let policies = list(object(&["name", "entity", "action", "allow"], small()));
    (list(entity), policies, small()).prop_map(|(entities, policies, default_entity)| {
        json!({
            "manifest_version": 1,
            "name": "app",
            "version": "1",
            "entities": entities,
            "policies": policies,
            "defaultEntity": default_entity,
        })
    })
}

fn check(text: &str) -> Result<(), TestCaseError> {
    match Manifest::parse(text) {
        Ok(parsed) => {
            let _ = parsed.manifest.fingerprint();
        }
        Err(errors) => {
            prop_assert!(!errors.problems.is_empty());
            for problem in &errors.problems {
                let line = problem.to_string();
                prop_assert!(!line.contains('\n'), "{line:?} is not one line");
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text(text in "\\PC{0,64}|[\\[\\]{}\",:0-9a-z \\n\\\\-]{0,64}") {
        check(&text)?;
    }

    #[test]
    fn any_json_value(json in any_json()) {
        check(&json.to_string())?;
    }

    #[test]
    fn anything_in_the_shape_of_a_manifest(json in manifest()) {
        check(&json.to_string())?;
    }

    #[test]
    fn a_manifest_that_was_cut_or_overwritten(at in 0..NOTES.len(), length in 0_usize..24, text in ".{0,6}") {
        let end = (at + length).min(NOTES.len());
        let changed = format!("{}{text}{}", &NOTES[..at], &NOTES[end..]);
        check(&changed)?;
        check(&NOTES[..at])?;
    }
}
