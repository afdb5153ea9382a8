//! What a manifest without mistakes is read as.

use std::time::Duration;

use corella_manifest::{Crdt, Default, Entity, Field, FieldType, History, Manifest, OnDelete, Parsed, Value};
use serde_json::{Value as Json, json};

fn parse(manifest: &Json) -> Manifest {
    let Parsed { manifest, warnings } = Manifest::parse(&manifest.to_string()).expect("a manifest");
    assert_eq!(warnings, []);
    manifest
}

fn entity(entity: Json) -> Entity {
    let manifest = json!({ "manifest_version": 1, "name": "app", "version": "1", "entities": [entity] });
    parse(&manifest).entities.pop().expect("an entity")
}

fn field(field: Json) -> Field {
    entity(json!({ "name": "Note", "fields": [field] })).fields.pop().expect("a field")
}

#[test]
fn what_is_left_out_takes_its_default() {
    let entity = entity(json!({ "name": "Note" }));
    assert!(entity.crdt);
    assert!(!entity.open);
    assert_eq!(entity.history, History::All);
    assert_eq!((entity.fields.len(), entity.indexes.len(), entity.relations.len()), (0, 0, 0));

    let field = field(json!({ "name": "a", "type": "string" }));
    assert!(!field.optional && !field.unique);
    assert_eq!((field.crdt, field.default), (Crdt::Lww, None));
    assert_eq!((field.allow_read, field.allow_write), (None, None));

    let manifest = parse(&json!({ "manifest_version": 1, "name": "app", "version": "1", "entities": [] }));
    assert_eq!((manifest.default_entity, manifest.tenancy), (None, None));
    assert_eq!(manifest.policies, []);
}

#[test]
fn null_counts_as_left_out() {
    let with_null = field(json!({
        "name": "a", "type": "string", "optional": null, "crdt": null, "default": null, "allowRead": null,
    }));
    assert_eq!(with_null, field(json!({ "name": "a", "type": "string" })));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    let text = "\u{feff}{ \"manifest_version\": 1, \"name\": \"a\", \"version\": \"1\", \"entities\": [] }";
    assert!(Manifest::parse(text).is_ok());
}

#[test]
fn merge_rules() {
    let rule = |ty: &str, crdt: Option<&str>| field(json!({ "name": "a", "type": ty, "crdt": crdt })).crdt;
    assert_eq!(rule("string", None), Crdt::Lww);
    assert_eq!(rule("string", Some("text")), Crdt::Text);
    assert_eq!(rule("richtext", None), Crdt::Text);
    assert_eq!(rule("richtext", Some("lww")), Crdt::Lww);
    assert_eq!(rule("document", None), Crdt::Document);
    assert_eq!(rule("int", Some("counter")), Crdt::Counter);
    assert_eq!(rule("json", Some("movable-list")), Crdt::MovableList);

    let plain =
        entity(json!({ "name": "Note", "crdt": false, "fields": [{ "name": "a", "type": "richtext" }] }));
    assert_eq!(plain.fields[0].crdt, Crdt::Lww);
}

#[test]
fn every_merge_rule_that_a_type_allows_is_accepted() {
    let types =
        ["string", "enum(a,b)", "id(Note)", "datetime", "int", "float", "bool", "bytes", "json", "richtext"];
    for ty in types.into_iter().chain(["document"]) {
        let allowed = field(json!({ "name": "a", "type": ty })).ty.allowed_crdts();
        assert!(allowed.contains(&field(json!({ "name": "a", "type": ty })).ty.default_crdt()));
        for crdt in allowed {
            assert_eq!(field(json!({ "name": "a", "type": ty, "crdt": crdt.word() })).crdt, *crdt);
        }
    }
}

#[test]
fn defaults() {
    let default =
        |ty: &str, default: Json| field(json!({ "name": "a", "type": ty, "default": default })).default;
    assert_eq!(default("datetime", json!("now")), Some(Default::Now));
    assert_eq!(default("string", json!("uuid")), Some(Default::Uuid));
    assert_eq!(default("id(Note)", json!("uuid")), Some(Default::Uuid));
    assert_eq!(default("string", json!("auth.userId")), Some(Default::AuthUserId));
    assert_eq!(default("string", json!("hello")), Some(Default::Literal(Value::Text("hello".into()))));
    assert_eq!(default("enum(now,later)", json!("now")), Some(Default::Literal(Value::Text("now".into()))));
    assert_eq!(default("float", json!(0)), Some(Default::Literal(Value::Float(0.0))));
    assert_eq!(default("int", json!("9007199254740993")), Some(Default::Literal(Value::Int((1 << 53) + 1))));
    assert_eq!(default("json", json!({ "a": [] })), Some(Default::Literal(Value::Json(json!({ "a": [] })))));
}

#[test]
fn history_is_read() {
    let keep = |keep: &str| entity(json!({ "name": "Note", "history": { "keep": keep } })).history;
    assert_eq!(keep("all"), History::All);
    assert_eq!(keep("latest"), History::Latest);
    assert_eq!(keep("2d"), History::For(Duration::from_secs(2 * 24 * 60 * 60)));
    assert_eq!(entity(json!({ "name": "Note", "history": {} })).history, History::All);
}

#[test]
fn what_becomes_of_rows_that_name_others() {
    let on_delete = |word: Json| {
        let fields = json!([{ "name": "up", "type": "id(Note)", "optional": true, "onDelete": word }]);
        entity(json!({ "name": "Note", "fields": fields })).fields[0].on_delete
    };
    assert_eq!(on_delete(Json::Null), OnDelete::Restrict);
    assert_eq!(on_delete(json!("restrict")), OnDelete::Restrict);
    assert_eq!(on_delete(json!("cascade")), OnDelete::Cascade);
    assert_eq!(on_delete(json!("setNull")), OnDelete::SetNull);
}

#[test]
fn links_between_entities() {
    let manifest = parse(&json!({
        "manifest_version": 1,
        "name": "app",
        "version": "1",
        "defaultEntity": "User",
        "tenancy": { "claim": "org" },
        "entities": [
            {
                "name": "Note",
                "fields": [{ "name": "authorId", "type": "id(User)" }, { "name": "title", "type": "string" }],
                "indexes": [{ "name": "by_author", "fields": ["authorId", "title"], "unique": true }],
                "relations": [{ "name": "author", "target": "User", "field": "authorId" }],
            },
            { "name": "User", "relations": [{ "name": "notes", "target": "Note", "field": "authorId", "many": true }] },
        ],
        "policies": [{ "name": "own", "entity": "Note", "allowRead": "auth.userId == data.authorId", "allow": "false" }],
    }));
    let note = manifest.entity("Note").expect("declared");
    assert_eq!(
        note.field("authorId").expect("declared").ty,
        FieldType::Id(manifest.entities[1].name.clone())
    );
    assert_eq!(note.indexes[0].fields.len(), 2);
    assert!(note.indexes[0].unique);
    assert_eq!(note.relations[0].target.as_str(), "User");
    assert_eq!(manifest.entities[1].relations[0].field.as_str(), "authorId");
    assert_eq!(manifest.default_entity.expect("named").as_str(), "User");
    assert_eq!(manifest.tenancy.expect("named").claim, "org");
    let [policy] = manifest.policies.as_slice() else { panic!("one policy") };
    assert_eq!(policy.entity.as_ref().expect("named").as_str(), "Note");
    assert_eq!(policy.allow_read.as_deref(), Some("auth.userId == data.authorId"));
    assert_eq!((policy.allow.as_deref(), policy.allow_write.as_deref()), (Some("false"), None));
}
