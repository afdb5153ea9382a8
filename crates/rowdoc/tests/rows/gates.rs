//! What clients may send, and what they are told when they may not.

use corella_rowdoc::{Bounds, PeerId, Refusal, RowDoc, Version, merge_stored};
use loro::{ExpandType, ExportMode, LoroList, LoroMap, LoroText, LoroValue, StyleConfig};
use serde_json::json;

use crate::support::{Client, accepted, json, new_note, note, object, refused, replica};

#[track_caller]
fn check_refused(edit: impl FnOnce(&Client), code: &str, about: &str) {
    let refusal = refused(edit);
    assert_eq!(refusal.code(), code, "{refusal}");
    assert!(refusal.to_string().contains(about), "{refusal}");
}

#[test]
fn edits_of_declared_fields_name_them() {
    let (row, fields) = accepted(|client| {
        client.row().insert("title", "t").unwrap();
        client.row().ensure_mergeable_text("body").unwrap().insert(0, "b").unwrap();
    });
    assert_eq!(fields, ["title", "body"]);
    assert_eq!(json(&row, "body"), "b");
    let (_, fields) = accepted(|client| {
        let page = client.row().ensure_mergeable_map("page").unwrap();
        let blocks = page.ensure_mergeable_list("children").unwrap();
        let block = blocks.insert_container(0, LoroMap::new()).unwrap();
        block.insert("anything", vec![LoroValue::from(1)]).unwrap();
    });
    assert_eq!(fields, ["page"]);
}

#[test]
fn what_is_known_already_changes_nothing() {
    let mut row = new_note();
    let everything = row.export_since(&Version::empty()).unwrap();
    let version = row.version();
    assert!(row.import(&everything).unwrap().is_empty());
    assert_eq!(row.version(), version);
}

#[test]
fn deleting_and_restoring_is_a_client_s_right() {
    let mut row = new_note();
    let mut client = Client::of(&row, 7);
    client.doc.get_map("meta").insert("deleted", true).unwrap();
    let change = row.import(&client.update()).unwrap();
    assert!(change.liveness && change.fields.is_empty() && row.is_deleted());
}

#[test]
fn undeclared_places_are_refused() {
    check_refused(|c| c.row().insert("titel", "x").unwrap(), "unknown_field", r#"did you mean "title""#);
    check_refused(|c| drop(c.row().ensure_mergeable_text("notes").unwrap()), "unknown_field", "notes");
    check_refused(
        |c| {
            c.row().insert_container("x", LoroText::new()).unwrap();
        },
        "unknown_field",
        "x",
    );
    check_refused(|c| c.doc.get_text("body").insert(0, "x").unwrap(), "unknown_field", "body");
    check_refused(|c| c.doc.get_map("meta").insert("owner", "x").unwrap(), "unknown_field", "meta.owner");
    check_refused(|c| c.doc.get_text("row").insert(0, "x").unwrap(), "invalid_value", "type Map");
    check_refused(
        |c| {
            // Hidden in a child that nothing makes visible.
            let notes = c.row().ensure_mergeable_text("notes").unwrap();
            notes.insert(0, "x").unwrap();
            c.row().delete("notes").unwrap();
        },
        "unknown_field",
        "notes",
    );
}

#[test]
fn values_of_another_type_are_refused() {
    let invalid = |edit: fn(&Client), about: &str| check_refused(edit, "invalid_value", about);
    invalid(|c| c.row().insert("title", 1).unwrap(), "title");
    invalid(|c| c.row().insert("color", "blue").unwrap(), "red, green");
    invalid(|c| c.row().insert("author", "a b").unwrap(), "User");
    invalid(|c| c.row().insert("created", "yesterday").unwrap(), "created");
    invalid(|c| c.row().insert("count", 0.5).unwrap(), "count");
    invalid(|c| c.row().insert("position", f64::NAN).unwrap(), "position");
    invalid(|c| c.row().insert("pinned", vec![LoroValue::from(true)]).unwrap(), "pinned");
    invalid(|c| c.row().insert("body", "plain").unwrap(), "ensureMergeableText");
    invalid(|c| c.doc.get_map("meta").insert("deleted", "yes").unwrap(), "meta.deleted");
    invalid(|c| drop(c.row().ensure_mergeable_list("body").unwrap()), "List");
    invalid(
        |c| {
            c.row().delete("title").unwrap();
            c.row().ensure_mergeable_text("title").unwrap();
        },
        "title",
    );
    invalid(
        |c| {
            c.row().insert_container("body", LoroText::new()).unwrap();
        },
        "ensureMergeableText",
    );
    invalid(
        |c| {
            c.row().insert_container("page", LoroMap::new()).unwrap();
        },
        "ensureMergeableMap",
    );
}

#[test]
fn undoing_the_first_write_is_no_offence() {
    let mut row = new_note();
    row.patch(&object(json!({"count": 1}))).unwrap();
    let mut client = Client::of(&row, 7);
    client.row().delete("count").unwrap();
    row.import(&client.update()).unwrap();
    assert!(json(&row, "count").is_null());
}

#[test]
fn a_required_field_keeps_a_value() {
    let refused = |edit: fn(&Client), about: &str| check_refused(edit, "required_field", about);
    refused(
        |c| c.row().insert("title", LoroValue::Null).unwrap(),
        "title, since the field is required, found null",
    );
    refused(|c| c.row().delete("title").unwrap(), "title, since the field is required, found its removal");
}

#[test]
fn an_edit_of_a_paragraph_that_is_gone_is_taken_in() {
    let mut row = new_note();
    row.patch(&object(json!({"page": "one\ntwo"}))).unwrap();
    let mut client = Client::of(&row, 7);
    let blocks =
        client.row().ensure_mergeable_map("page").unwrap().ensure_mergeable_list("children").unwrap();
    let block = blocks.get(1).unwrap().into_container().unwrap().into_map().unwrap();
    let text = block.get("children").unwrap().into_container().unwrap().into_list().unwrap();
    let text = text.get(0).unwrap().into_container().unwrap().into_text().unwrap();
    row.patch(&object(json!({"page": "one"}))).unwrap();
    text.insert(0, "late ").unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "page"), "one");
    client.pull(&row);
    assert!(text.is_deleted() && row.version() == Version::decode(&client.doc.oplog_vv().encode()).unwrap());
}

#[test]
fn deep_containers_are_refused() {
    check_refused(
        |client| {
            let mut map = client.row().ensure_mergeable_map("page").unwrap();
            for _ in 0..5_000 {
                map = map.insert_container("m", LoroMap::new()).unwrap();
            }
        },
        "too_deep",
        "100",
    );
    // Under a container that is gone, where no path leads.
    check_refused(
        |client| {
            let page = client.row().ensure_mergeable_map("page").unwrap();
            let mut list = page.insert_container("m", LoroList::new()).unwrap();
            for _ in 0..5_000 {
                list = list.insert_container(0, LoroList::new()).unwrap();
            }
            list.push(1).unwrap();
            page.delete("m").unwrap();
        },
        "too_deep",
        "100",
    );
}

#[test]
fn deep_plain_values_are_refused() {
    let deep = || (0..20_000).fold(LoroValue::Null, |value, _| LoroValue::from(vec![value]));
    check_refused(|client| client.row().insert("title", deep()).unwrap(), "too_deep", "100");
    check_refused(
        |client| client.row().ensure_mergeable_map("page").unwrap().insert("x", deep()).unwrap(),
        "too_deep",
        "100",
    );
    // As the value of a mark, which reading the plain text would not meet.
    check_refused(
        |client| {
            client.doc.config_default_text_style(Some(StyleConfig { expand: ExpandType::After }));
            let body = client.row().ensure_mergeable_text("body").unwrap();
            body.insert(0, "text").unwrap();
            body.mark(0..4, "comment", deep()).unwrap();
        },
        "too_deep",
        "100",
    );
    // And one that is just deep enough comes back.
    let (row, _) = accepted(|client| {
        client.doc.config_default_text_style(Some(StyleConfig { expand: ExpandType::After }));
        let value = (0..90).fold(LoroValue::Null, |value, _| LoroValue::from(vec![value]));
        let body = client.row().ensure_mergeable_text("body").unwrap();
        body.insert(0, "text").unwrap();
        body.mark(0..4, "comment", value.clone()).unwrap();
        client.row().ensure_mergeable_map("page").unwrap().insert("x", value).unwrap();
    });
    let snapshot = row.snapshot().unwrap();
    merge_stored(row.shape(), Some(&snapshot), &[] as &[Vec<u8>], None).unwrap();
}

#[test]
fn snapshots_are_refused() {
    let mut row = new_note();
    let snapshot = row.snapshot().unwrap();
    assert_eq!(row.import(&snapshot), Err(Refusal::SnapshotRefused));
    let client = Client::of(&row, 7);
    let shallow = client.doc.export(ExportMode::state_only(None)).unwrap();
    assert_eq!(row.import(&shallow), Err(Refusal::SnapshotRefused));
}

#[test]
fn what_builds_on_unknown_operations_is_refused() {
    let mut row = new_note();
    let mut client = Client::of(&row, 7);
    client.row().insert("title", "first").unwrap();
    let first = client.update();
    client.row().insert("title", "second").unwrap();
    let second = client.update();
    assert_eq!(replica(&row, 2).import(&second), Err(Refusal::MissingDependencies));
    row.import(&first).unwrap();
    row.import(&second).unwrap();
    assert_eq!(json(&row, "title"), "second");
}

#[test]
fn one_peer_id_used_twice() {
    let mut row = new_note();
    let (mut one, mut two) = (Client::of(&row, 7), Client::of(&row, 7));
    let start = two.doc.oplog_vv();
    one.row().insert("title", "one").unwrap();
    two.row().insert("title", "two").unwrap();
    row.import(&one.update()).unwrap();
    // FIXME: Loro takes operations under known ids for known ones and compares them only when the update
    // brings new ones too. Until it does, whoever hands out peer ids must see to it that no two writers
    // share one.
    assert!(row.import(&two.update()).unwrap().is_empty());
    assert_eq!(json(&row, "title"), "one");
    two.row().insert("title", "three").unwrap();
    two.doc.commit();
    let outcome = row.import(&two.doc.export(ExportMode::updates(&start)).unwrap());
    assert!(matches!(outcome, Err(Refusal::InvalidUpdate { .. })), "{outcome:?}");
}

#[test]
fn size_and_count_are_bounded() {
    let mut row = new_note();
    let large = vec![0; Bounds::CLIENT.update_bytes + 1];
    assert!(matches!(row.import(&large), Err(Refusal::TooLarge { .. })));
    let mut client = Client::of(&row, 7);
    let text = client.row().ensure_mergeable_text("body").unwrap();
    text.insert(0, &"x".repeat(1_000_001)).unwrap();
    assert!(matches!(row.import(&client.update()), Err(Refusal::TooManyOperations { .. })));
}

#[test]
fn stored_bytes_that_miss_operations_do_not_load() {
    let mut row = new_note();
    let snapshot = row.snapshot().unwrap();
    row.patch(&object(json!({"title": "a"}))).unwrap();
    let between = row.version();
    row.patch(&object(json!({"title": "b"}))).unwrap();
    let gap = row.export_since(&between).unwrap();
    let load = |snapshot, deltas: &[&[u8]]| RowDoc::load(note(), PeerId(3), snapshot, deltas).map(drop);
    assert_eq!(
        load(Some(&snapshot), &[&gap]).unwrap_err().to_string(),
        "the stored tail builds on operations that are not stored"
    );
    assert!(load(Some(&snapshot[..snapshot.len() / 2]), &[]).is_err());
    assert!(load(None, &[b"garbage"]).is_err());
}

/// So that of what honest clients send nothing is decoded twice.
#[test]
fn what_is_sound_is_handed_on_as_it_came() {
    let mut client = new_note();
    let mut server = RowDoc::new(note(), PeerId(2));
    let mut before = Version::empty();
    for body in ["one", "one two", "one three"] {
        client.patch(&object(json!({ "body": body, "title": body }))).unwrap();
        let update = client.export_since(&before).unwrap();
        server.import_for_good(&update).unwrap();
        assert_eq!(server.export_since(&before).unwrap(), update);
        before = client.version();
    }
}
