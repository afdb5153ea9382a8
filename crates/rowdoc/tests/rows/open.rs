//! Open entities: documents of any shape beside the declared fields.

use std::sync::Arc;

use corella_manifest::Value;
use corella_rowdoc::{Folded, PeerId, Refusal, RowDoc, Version, merge_stored};
use loro::{LoroMap, LoroText};
use serde_json::json;

use crate::support::{Client, board, object};

fn whole(row: &RowDoc) -> serde_json::Value {
    match row.project().unwrap().values.pop() {
        Some(Value::Json(json)) => json,
        other => panic!("expected the whole document, found {other:?}"),
    }
}

#[test]
fn any_container_is_projected() {
    let mut row = RowDoc::new(board(), PeerId(1));
    row.initialise(&object(json!({"title": "b"}))).unwrap();
    let mut client = Client::of(&row, 7);
    let list = client.doc.get_list("list");
    list.push(1).unwrap();
    list.push_container(LoroText::new()).unwrap().insert(0, "in a list").unwrap();
    client.doc.get_movable_list("cards").push("card").unwrap();
    client.doc.get_map("map").insert_container("child", LoroMap::new()).unwrap().insert("k", 2.5).unwrap();
    client.doc.get_text("text").insert(0, "root text").unwrap();
    client.row().insert("extra", vec![1_u8, 2]).unwrap();
    let tree = client.doc.get_tree("tree");
    let root = tree.create(None).unwrap();
    let child = tree.create(root).unwrap();
    tree.get_meta(child).unwrap().insert("name", "leaf").unwrap();

    let before = row.project().unwrap();
    let change = row.import(&client.update()).unwrap();
    assert!(change.open && change.fields.is_empty() && !change.liveness);
    assert_eq!(row.project_changed(&before, &change).unwrap(), row.project().unwrap());
    let json = whole(&row);
    let leaf = &json["tree"][0]["children"][0];
    assert_eq!((&leaf["meta"], &leaf["parent"]), (&json!({"name": "leaf"}), &json!(root.to_string())));
    let mut rest = object(json);
    rest.remove("tree");
    insta::assert_snapshot!(serde_json::Value::Object(rest), @r#"{"cards":["card"],"list":[1,"in a list"],"map":{"child":{"k":2.5}},"row":{"extra":"AQI=","title":"b"},"text":"root text"}"#);

    let snapshot = row.snapshot().unwrap();
    let Folded { snapshot: folded, version, .. } =
        merge_stored(row.shape(), Some(&snapshot), &[] as &[Vec<u8>], None).unwrap();
    assert_eq!(version, row.version());
    let again = RowDoc::load(board(), PeerId(3), Some(&folded), &[] as &[Vec<u8>]).unwrap();
    assert_eq!(again.project().unwrap(), row.project().unwrap());
}

#[test]
fn declared_fields_are_checked_there_too() {
    for edit in [
        (|client: &Client| client.row().insert("title", 1).unwrap()) as fn(&Client),
        |client| drop(client.row().ensure_mergeable_text("title").unwrap()),
        |client| client.doc.get_map("meta").insert("note", "x").unwrap(),
        |client| client.doc.get_list("row").push(1).unwrap(),
    ] {
        let mut row = RowDoc::new(board(), PeerId(1));
        let mut client = Client::new(7);
        edit(&client);
        let refusal = row.import(&client.update()).unwrap_err();
        assert!(matches!(refusal, Refusal::InvalidValue { .. } | Refusal::UnknownField { .. }), "{refusal}");
    }
}

#[test]
fn the_whole_value_follows_patches_and_deletes() {
    let mut row = RowDoc::new(board(), PeerId(1));
    let change = row.patch(&object(json!({"title": "one"}))).unwrap();
    assert!(change.open);
    assert_eq!(whole(&row), json!({"row": {"title": "one"}}));
    let change = row.set_deleted(true).unwrap();
    assert!(change.liveness && !change.open);
    assert_eq!(whole(&row), json!({"row": {"title": "one"}}), "what is about the row is not its value");
}

#[test]
fn a_tree_deeper_than_json_readers_go_is_refused_when_read() {
    let mut row = RowDoc::new(board(), PeerId(1));
    let mut client = Client::new(7);
    let tree = client.doc.get_tree("tree");
    let mut node = tree.create(None).unwrap();
    for _ in 0..2_000 {
        node = tree.create(node).unwrap();
    }
    let outcome = row.import(&client.update()).and_then(|_| row.project());
    assert!(matches!(outcome, Err(Refusal::TooDeep { .. })), "{outcome:?}");
}

#[test]
fn an_update_of_all_is_the_document() {
    let mut row = RowDoc::new(board(), PeerId(1));
    row.patch(&object(json!({"title": "one"}))).unwrap();
    let mut other = RowDoc::new(Arc::clone(row.shape()), PeerId(2));
    other.import(&row.export_since(&Version::empty()).unwrap()).unwrap();
    assert_eq!(whole(&other), whole(&row));
}
