//! Concurrent writes keep both sides.

use std::sync::Arc;

use corella_rowdoc::{PeerId, RowDoc, Version};
use serde_json::json;

use crate::support::{json, new_note, note, object, replica};

/// Two replicas that know nothing of each other write `field` first, then meet.
fn both_first(field: &str) -> String {
    let (mut one, mut two) = (RowDoc::new(note(), PeerId(1)), RowDoc::new(note(), PeerId(2)));
    one.patch(&object(json!({field: "alpha"}))).unwrap();
    two.patch(&object(json!({field: "beta"}))).unwrap();
    let from_one = one.export_since(&Version::empty()).unwrap();
    let from_two = two.export_since(&Version::empty()).unwrap();
    one.import(&from_two).unwrap();
    two.import(&from_one).unwrap();
    assert_eq!(one.project().unwrap(), two.project().unwrap());
    assert_eq!(one.version(), two.version());
    json(&one, field).as_str().unwrap().to_owned()
}

#[test]
fn concurrent_first_writes_keep_both_sides() {
    for field in ["summary", "body", "page"] {
        let text = both_first(field);
        assert!(text.contains("alpha") && text.contains("beta"), "{field}: {text:?}");
    }
}

#[test]
fn concurrent_first_writes_of_a_register_agree_on_one() {
    assert!(["alpha", "beta"].contains(&both_first("title").as_str()));
}

#[test]
fn an_edit_made_while_the_row_was_deleted_comes_back_with_it() {
    let mut row = new_note();
    row.patch(&object(json!({"body": "kept"}))).unwrap();
    let mut away = replica(&row, 2);
    assert!(row.set_deleted(true).unwrap().liveness);
    assert!(row.set_deleted(true).unwrap().is_empty(), "nothing is left to do");
    assert!(row.is_deleted() && row.project().unwrap().deleted);

    let known = away.version();
    away.patch(&object(json!({"body": "kept and edited"}))).unwrap();
    let change = row.import(&away.export_since(&known).unwrap()).unwrap();
    assert!(!change.liveness && row.is_deleted(), "an edit does not restore");

    let change = row.set_deleted(false).unwrap();
    assert!(change.liveness && change.fields.is_empty());
    assert!(!row.project().unwrap().deleted);
    assert_eq!(json(&row, "body"), "kept and edited");
}

#[test]
fn two_initialised_pages_share_one_list_of_blocks() {
    let fields = object(json!({"title": "t", "page": "from the server"}));
    let (mut one, mut two) = (RowDoc::new(note(), PeerId(1)), RowDoc::new(note(), PeerId(2)));
    one.initialise(&fields).unwrap();
    two.initialise(&object(json!({"title": "t", "page": "from the editor"}))).unwrap();
    one.import(&two.export_since(&Version::empty()).unwrap()).unwrap();
    let text = json(&one, "page").as_str().unwrap().to_owned();
    assert!(text.contains("from the server") && text.contains("from the editor"), "{text:?}");
}

#[test]
fn rows_move_between_threads() {
    fn holds<T: Send + Sync>(_: &T) {}
    let row = new_note();
    holds(&row);
    holds(&Arc::clone(row.shape()));
}
