//! Documents as the values of their rows.

use std::sync::Arc;

use corella_manifest::{Crdt, Field, FieldType, Value};
use corella_rowdoc::{PeerId, RowDoc, RowShape};
use serde_json::{Value as Json, json};

use crate::support::{Client, accepted, entity, field, json, new_note, note, object};

#[test]
fn the_projection_is_the_json() {
    let mut row = new_note();
    row.patch(&object(json!({"summary": "s", "count": 9_007_199_254_740_993_i64, "position": 0.25})))
        .unwrap();
    let projection = row.project().unwrap();
    assert_eq!(projection.fields_json(row.shape()), row.to_json().unwrap());
    for (field, value) in row.shape().fields().iter().zip(&projection.values) {
        assert_eq!(value.to_json(), json(&row, field.name.as_str()));
    }
    assert_eq!(projection.values[7], Value::Int(9_007_199_254_740_993));
}

#[test]
fn a_row_without_operations_has_no_values() {
    let row = RowDoc::new(note(), PeerId(1));
    let values = row.project().unwrap().values;
    assert!(values.iter().all(Value::is_null), "{values:?}");
    assert!(row.version().is_empty());
}

/// JavaScript has one kind of number; its whole ones arrive as integers and others as doubles.
#[test]
fn both_kinds_of_numbers_fit_both_types() {
    let (row, _) = accepted(|client| {
        client.row().insert("count", 3.0).unwrap();
        client.row().insert("position", 4).unwrap();
    });
    let values = row.project().unwrap().values;
    assert_eq!((&values[7], &values[8]), (&Value::Int(3), &Value::Float(4.0)));
}

#[test]
fn reading_what_changed_equals_reading_all() {
    let mut row = new_note();
    let mut known = row.project().unwrap();
    for patch in [
        json!({"title": "a"}),
        json!({"body": "b", "count": 1}),
        json!({"page": "c\nd"}),
        json!({"count": null}),
    ] {
        let change = row.patch(&object(patch)).unwrap();
        known = row.project_changed(&known, &change).unwrap();
        assert_eq!(known, row.project().unwrap());
    }
    let change = row.set_deleted(true).unwrap();
    known = row.project_changed(&known, &change).unwrap();
    assert_eq!(known, row.project().unwrap());
}

/// A manifest may change under rows that are already there.
#[test]
fn rows_outlive_their_shape() {
    let old = Arc::new(
        RowShape::new(&entity(vec![field("title", FieldType::String), field("gone", FieldType::Int)], false))
            .unwrap(),
    );
    let mut row = RowDoc::new(old, PeerId(1));
    row.patch(&object(json!({"title": "was a register", "gone": 1}))).unwrap();
    let snapshot = row.snapshot().unwrap();

    let title = Field { crdt: Crdt::Text, ..field("title", FieldType::String) };
    let new = Arc::new(RowShape::new(&entity(vec![title], false)).unwrap());
    let mut row = RowDoc::load(new, PeerId(2), Some(&snapshot), &[] as &[Vec<u8>]).unwrap();
    assert_eq!(Json::Object(row.to_json().unwrap()), json!({"title": "was a register"}));
    row.patch(&object(json!({"title": "is a text"}))).unwrap();
    assert_eq!(json(&row, "title"), "is a text");

    // What is no longer declared is not held against those who edit the rest.
    let mut client = Client::of(&row, 7);
    client.row().ensure_mergeable_text("title").unwrap().insert(0, "it ").unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "title"), "it is a text");
}

#[test]
fn what_is_not_served_is_named() {
    let unserved = |field: Field| RowShape::new(&entity(vec![field], false)).unwrap_err().to_string();
    let counter = Field { crdt: Crdt::Counter, ..field("likes", FieldType::Bool) };
    insta::assert_snapshot!(unserved(counter), @"the field Note.likes is declared as bool with `crdt: counter`, expected `crdt: lww`");
}

/// A field that becomes collaborative goes on from the value that it had.
#[test]
fn plain_values_become_collaborative() {
    let old = ["likes", "tags", "settings"].map(|name| {
        let ty = if name == "likes" { FieldType::Int } else { FieldType::Json };
        field(name, ty)
    });
    let mut row = RowDoc::new(Arc::new(RowShape::new(&entity(old.to_vec(), false)).unwrap()), PeerId(1));
    let was = json!({"likes": 7, "tags": ["a", "b"], "settings": {"dark": true}});
    row.patch(&object(was.clone())).unwrap();
    let snapshot = row.snapshot().unwrap();

    let rules = [Crdt::Counter, Crdt::List, Crdt::Map];
    let new = old.into_iter().zip(rules).map(|(field, crdt)| Field { crdt, ..field }).collect();
    let new = Arc::new(RowShape::new(&entity(new, false)).unwrap());
    let mut row = RowDoc::load(new, PeerId(2), Some(&snapshot), &[] as &[Vec<u8>]).unwrap();
    assert_eq!(Json::Object(row.to_json().unwrap()), was);
    row.patch(&object(
        json!({"likes": {"$inc": 1}, "tags": {"$set": [1, "c"]}, "settings": {"$set": ["size", 2]}}),
    ))
    .unwrap();
    let is = json!({"likes": 8, "tags": ["a", "c"], "settings": {"dark": true, "size": 2}});
    assert_eq!(Json::Object(row.to_json().unwrap()), is);
}

#[test]
fn the_estimate_grows_with_the_document() {
    let mut row = new_note();
    let small = row.resident_bytes();
    assert!((16_000..64_000).contains(&small), "{small}");
    row.patch(&object(json!({"body": "x".repeat(100_000)}))).unwrap();
    assert!(row.resident_bytes() > small + 1_000_000, "{}", row.resident_bytes());
}
