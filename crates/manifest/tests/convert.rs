//! Values of one type as values of another.

use corella_manifest::{Conversion, Crdt, FieldType, Value};
use serde_json::{Value as Json, json};

fn conversion(from: FieldType) -> Conversion {
    let crdt = from.default_crdt();
    Conversion { from, crdt, values: Vec::new(), otherwise: None }
}

/// What the JSON value `value` of the type `from` becomes.
fn becomes(from: FieldType, value: &Json, to: &FieldType) -> Option<Json> {
    let value = from.read(value).expect("a value of that type");
    conversion(from).convert(&value, to, to.default_crdt()).map(|value| value.to_json())
}

#[test]
fn everything_has_a_text() {
    for (from, value, text) in [
        (FieldType::Int, json!(7), "7"),
        (FieldType::Int, json!("9223372036854775807"), "9223372036854775807"),
        (FieldType::Float, json!(0.1), "0.1"),
        (FieldType::Bool, json!(true), "true"),
        (FieldType::Datetime, json!("2026-11-21T13:00:00+01:00"), "2026-11-21T12:00:00.000000Z"),
        (FieldType::Bytes, json!("AQID"), "AQID"),
        (FieldType::Json, json!({ "a": [1] }), r#"{"a":[1]}"#),
        (FieldType::Json, json!("plain"), "plain"),
        (FieldType::Enum(vec!["red".into()]), json!("red"), "red"),
    ] {
        assert_eq!(becomes(from, &value, &FieldType::String), Some(json!(text)));
    }
}

#[test]
fn texts_are_parsed_or_are_none() {
    let colors = FieldType::Enum(vec!["red".into(), "green".into()]);
    for (to, good, value, bad) in [
        (&FieldType::Int, " 42 ", json!(42), "4.5"),
        (&FieldType::Float, "4.5", json!(4.5), "NaN"),
        (&FieldType::Bool, "Yes", json!(true), "2"),
        (&FieldType::Datetime, "2026-11-21T12:00:00Z", json!("2026-11-21T12:00:00.000000Z"), "yesterday"),
        (&FieldType::Bytes, "AQID", json!("AQID"), "not base64"),
        (&colors, "green", json!("green"), "blue"),
    ] {
        assert_eq!(becomes(FieldType::String, &json!(good), to), Some(value));
        assert_eq!(becomes(FieldType::String, &json!(bad), to), None, "{bad}");
    }
}

#[test]
fn numbers_stay_exact_or_are_none() {
    assert_eq!(becomes(FieldType::Float, &json!(3.0), &FieldType::Int), Some(json!(3)));
    assert_eq!(becomes(FieldType::Float, &json!(3.5), &FieldType::Int), None);
    assert_eq!(becomes(FieldType::Int, &json!(3), &FieldType::Float), Some(json!(3.0)));
    assert_eq!(becomes(FieldType::Int, &json!(2), &FieldType::Bool), None);
}

#[test]
fn a_mapping_comes_first_and_otherwise_last() {
    let conversion = Conversion {
        values: vec![("open".into(), Value::Int(1))],
        otherwise: Some(Value::Int(0)),
        ..conversion(FieldType::String)
    };
    let int = |text: &str| conversion.convert(&Value::Text(text.into()), &FieldType::Int, Crdt::Lww);
    assert_eq!(int("open"), Some(Value::Int(1)));
    assert_eq!(int("12"), Some(Value::Int(12)));
    assert_eq!(int("closed"), Some(Value::Int(0)));
    assert_eq!(conversion.convert(&Value::Null, &FieldType::Int, Crdt::Lww), Some(Value::Null));
}

#[test]
fn lists_and_maps_take_only_their_kind() {
    let conversion = conversion(FieldType::Json);
    let of = |json: Json, crdt| conversion.convert(&Value::Json(json), &FieldType::Json, crdt);
    assert!(of(json!([1]), Crdt::MovableList).is_some());
    assert!(of(json!({ "a": 1 }), Crdt::MovableList).is_none());
    assert!(of(json!({ "a": 1 }), Crdt::Map).is_some());
    assert!(of(json!([1]), Crdt::Map).is_none());
}
