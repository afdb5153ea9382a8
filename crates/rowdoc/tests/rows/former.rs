//! Rows that were written under an earlier declaration of their fields.

use std::sync::Arc;

use corella_manifest::{Conversion, Crdt, Entity, Field, FieldName, FieldType, Value};
use corella_rowdoc::{PeerId, RowDoc, RowShape, Shown};
use serde_json::{Value as Json, json};

use crate::support::{Client, entity, field, json, object};

fn shape(field: Field) -> Arc<RowShape> {
    Arc::new(RowShape::new(&entity(vec![field], false)).unwrap())
}

fn conversion(from: FieldType, crdt: Crdt) -> Conversion {
    Conversion { from, crdt, values: Vec::new(), otherwise: None }
}

/// A field `x` that has been of another type.
fn converted(ty: FieldType, crdt: Crdt, from: FieldType, from_crdt: Crdt) -> Field {
    Field { crdt, convert: Some(conversion(from, from_crdt)), ..field("x", ty) }
}

/// The row with its field declared anew.
fn anew(row: &RowDoc, shape: Arc<RowShape>) -> RowDoc {
    RowDoc::load(shape, PeerId(2), Some(&row.snapshot().unwrap()), &[] as &[Vec<u8>]).unwrap()
}

/// What a value reads as under the new declaration, and still reads as after another edit.
#[track_caller]
fn check(old: Field, value: Json, new: Field, expected: Json) -> RowDoc {
    let mut row = RowDoc::new(shape(old), PeerId(1));
    row.patch(&object(json!({ "x": value }))).unwrap();
    let row = anew(&row, shape(new));
    assert_eq!(json(&row, "x"), expected);
    row
}

fn of(ty: FieldType, crdt: Crdt) -> Field {
    Field { crdt, ..field("x", ty) }
}

#[test]
fn plain_values_take_another_type() {
    use FieldType as T;
    for (from, value, to, expected) in [
        (T::Int, json!(7), T::String, json!("7")),
        (T::String, json!("7.5"), T::Float, json!(7.5)),
        (T::Bool, json!(true), T::Int, json!(1)),
        (T::String, json!("2026-11-21T12:00:00Z"), T::Datetime, json!("2026-11-21T12:00:00.000000Z")),
        (T::Json, json!({ "a": 1 }), T::String, json!(r#"{"a":1}"#)),
    ] {
        let new = converted(to, Crdt::Lww, from.clone(), Crdt::Lww);
        let row = check(of(from, Crdt::Lww), value, new, expected);
        assert_eq!(row.unfit().unwrap(), []);
    }
}

#[test]
fn plain_rows_take_another_type_too() {
    use FieldType as T;
    let plain = |field| {
        let entity = Entity { crdt: false, ..entity(vec![field], false) };
        Arc::new(RowShape::new(&entity).unwrap())
    };
    let check = |from: FieldType, value: Json, to: FieldType, expected: Json| {
        let mut row = RowDoc::new(plain(field("x", from.clone())), PeerId(1));
        row.patch(&object(json!({ "x": value }))).unwrap();
        let row = anew(&row, plain(converted(to, Crdt::Lww, from, Crdt::Lww)));
        assert_eq!(json(&row, "x"), expected);
        row
    };
    for (from, value, to, expected) in [
        (T::Int, json!(7), T::String, json!("7")),
        (T::Int, json!("9007199254740993"), T::String, json!("9007199254740993")),
        (T::String, json!("7.5"), T::Float, json!(7.5)),
        (T::Bool, json!(true), T::Int, json!(1)),
        (T::String, json!("2026-11-21T12:00:00Z"), T::Datetime, json!("2026-11-21T12:00:00.000000Z")),
        (T::Json, json!({ "a": 1 }), T::String, json!(r#"{"a":1}"#)),
    ] {
        assert_eq!(check(from, value, to, expected).unfit().unwrap(), []);
    }
    let mut row = check(T::String, json!("seven"), T::Int, Json::Null);
    let unfit = row.unfit().unwrap();
    assert_eq!((unfit.len(), unfit[0].shown), (1, Shown::Null));
    assert_eq!(json(&anew(&row, plain(field("x", T::String))), "x"), "seven");
    row.patch(&object(json!({ "x": 7 }))).unwrap();
    assert_eq!((json(&row, "x"), row.unfit().unwrap().len()), (json!(7), 0));
}

#[test]
fn a_value_that_does_not_convert_is_told_and_stays() {
    use FieldType as T;
    let new = converted(T::Int, Crdt::Lww, T::String, Crdt::Lww);
    let mut row = check(of(T::String, Crdt::Lww), json!("seven"), new, Json::Null);
    let unfit = row.unfit().unwrap();
    assert_eq!((unfit.len(), unfit[0].shown), (1, Shown::Null));
    assert_eq!(
        unfit[0].to_string(),
        r#"x holds "seven" from before its type changed, which does not convert; the table has null"#
    );
    // It comes back with its declaration.
    assert_eq!(json(&anew(&row, shape(of(T::String, Crdt::Lww))), "x"), "seven");
    row.patch(&object(json!({ "x": 8 }))).unwrap();
    assert_eq!((json(&row, "x"), row.unfit().unwrap().len()), (json!(8), 0));
}

#[test]
fn merge_rules_change_in_both_directions() {
    use FieldType as T;
    let edits = [
        (
            of(T::String, Crdt::Text),
            json!("abc"),
            converted(T::String, Crdt::Lww, T::String, Crdt::Text),
            json!("abc"),
            json!("abd"),
        ),
        (
            of(T::Int, Crdt::Counter),
            json!(5),
            converted(T::Int, Crdt::Lww, T::Int, Crdt::Counter),
            json!(5),
            json!(6),
        ),
        (of(T::Int, Crdt::Lww), json!(5), of(T::Int, Crdt::Counter), json!(5), json!({ "$inc": 1 })),
        (
            of(T::Json, Crdt::List),
            json!([1, 2]),
            converted(T::Json, Crdt::MovableList, T::Json, Crdt::List),
            json!([1, 2]),
            json!({ "$move": [0, 1] }),
        ),
        (
            of(T::Int, Crdt::Lww),
            json!(5),
            converted(T::String, Crdt::Text, T::Int, Crdt::Lww),
            json!("5"),
            json!("56"),
        ),
        (
            of(T::String, Crdt::Lww),
            json!("5"),
            converted(T::Int, Crdt::Counter, T::String, Crdt::Lww),
            json!(5),
            json!({ "$inc": 2 }),
        ),
    ];
    let after = [json!("abd"), json!(6), json!(6), json!([2, 1]), json!("56"), json!(7)];
    for ((old, value, new, expected, edit), after) in edits.into_iter().zip(after) {
        let mut row = check(old, value, new, expected);
        row.patch(&object(json!({ "x": edit }))).unwrap();
        assert_eq!(json(&row, "x"), after, "an edit goes on from what was there");
    }
}

/// Somebody who was offline while the type changed goes on writing the former one.
#[test]
fn late_writers_of_the_former_type_are_understood() {
    use FieldType as T;
    let mut row = RowDoc::new(shape(of(T::Int, Crdt::Lww)), PeerId(1));
    row.patch(&object(json!({ "x": 1 }))).unwrap();
    let mut late = Client::of(&row, 7);
    late.row().insert("x", 2).unwrap();
    let update = late.update();

    let mut strict = anew(&row, shape(of(T::String, Crdt::Lww)));
    assert!(strict.import(&update).is_err(), "without a conversion it is of the wrong type");
    let mut row = anew(&row, shape(converted(T::String, Crdt::Lww, T::Int, Crdt::Lww)));
    row.import(&update).unwrap();
    assert_eq!(json(&row, "x"), "2");

    let mut row = RowDoc::new(shape(of(T::String, Crdt::Text)), PeerId(1));
    row.patch(&object(json!({ "x": "ab" }))).unwrap();
    let mut late = Client::of(&row, 7);
    late.row().ensure_mergeable_text("x").unwrap().insert(2, "c").unwrap();
    let mut row = anew(&row, shape(converted(T::String, Crdt::Lww, T::String, Crdt::Text)));
    row.import(&late.update()).unwrap();
    assert_eq!(json(&row, "x"), "abc");
}

#[test]
fn mapped_values_and_what_takes_the_place_of_others() {
    let states = FieldType::Enum(vec!["todo".into(), "done".into()]);
    let text = |text: &str| Value::Text(text.into());
    let convert = Conversion {
        values: vec![("open".into(), text("todo"))],
        otherwise: Some(text("done")),
        ..conversion(FieldType::String, Crdt::Lww)
    };
    for (value, expected) in [("open", "todo"), ("todo", "todo"), ("lost", "done")] {
        let new = Field { convert: Some(convert.clone()), ..field("x", states.clone()) };
        check(of(FieldType::String, Crdt::Lww), json!(value), new, json!(expected));
    }
}

/// Documents hold a field under its first name, whoever writes it.
#[test]
fn a_renamed_field_keeps_its_key() {
    let named = |name: &str| Field { crdt: Crdt::Text, ..field(name, FieldType::String) };
    let renamed = Field { renamed_from: Some(FieldName::new("title").unwrap()), ..named("heading") };
    let mut row = RowDoc::new(shape(named("title")), PeerId(1));
    row.patch(&object(json!({ "title": "one" }))).unwrap();
    let mut late = Client::of(&row, 7);

    let mut row = anew(&row, shape(renamed));
    assert_eq!(Json::Object(row.to_json().unwrap()), json!({ "heading": "one" }));
    row.patch(&object(json!({ "heading": "one two" }))).unwrap();
    // Somebody who has not heard of the rename edits the same text, and patches by the former name.
    late.row().ensure_mergeable_text("title").unwrap().insert(0, "zero ").unwrap();
    row.import(&late.update()).unwrap();
    assert_eq!(json(&row, "heading"), "zero one two");
    row.patch(&object(json!({ "title": "all" }))).unwrap();
    assert_eq!(json(&row, "heading"), "all");
    // Somebody who takes the name for the key is told which one it is.
    let mut mistaken = Client::of(&row, 8);
    mistaken.row().ensure_mergeable_text("heading").unwrap().insert(0, "x").unwrap();
    let refusal = row.import(&mistaken.update()).unwrap_err().to_string();
    assert!(refusal.contains(r#"did you mean "title"?"#), "{refusal}");
}
