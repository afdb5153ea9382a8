use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::EntityName;

const BEYOND: i64 = (1 << 53) + 1;

fn check(ty: &FieldType, json: Json, expected: Value) {
    assert_eq!(ty.read(&json), Ok(expected), "{json}");
}

fn refused(ty: &FieldType, json: Json) -> String {
    ty.read(&json).expect_err("a mismatch").to_string()
}

fn colors() -> FieldType {
    FieldType::Enum(vec!["red".into(), "green".into()])
}

fn user() -> FieldType {
    FieldType::Id(EntityName::new("User").expect("a name"))
}

#[test]
fn null_is_read_by_every_type() {
    for ty in [FieldType::String, colors(), user(), FieldType::Int, FieldType::Json, FieldType::Document] {
        check(&ty, Json::Null, Value::Null);
    }
    assert_eq!(Value::Null.to_json(), Json::Null);
}

#[test]
fn whole_numbers_are_exact() {
    let parsed: Json = serde_json::from_str("9007199254740993").expect("JSON");
    check(&FieldType::Int, parsed, Value::Int(BEYOND));
    check(&FieldType::Int, json!("9007199254740993"), Value::Int(BEYOND));
    check(&FieldType::Int, json!(i64::MIN), Value::Int(i64::MIN));
    check(&FieldType::Int, json!("-9223372036854775808"), Value::Int(i64::MIN));
    check(&FieldType::Int, json!(1e3), Value::Int(1000));
    check(&FieldType::Int, json!(-0.0), Value::Int(0));
    assert_eq!(Value::Int(BEYOND).to_json(), json!("9007199254740993"));
    assert_eq!(Value::Int(BEYOND - 1).to_json(), json!(9_007_199_254_740_992_i64));
    assert_eq!(Value::Int(i64::MIN).to_json(), json!("-9223372036854775808"));
}

#[test]
fn a_double_that_may_have_been_rounded_is_no_whole_number() {
    // 9007199254740993.0 is rounded to 2^53 while it is parsed, so that 2^53 as a double proves nothing.
    for text in ["9007199254740993.0", "9007199254740992.0", "1e300", "0.5", "18446744073709551615"] {
        let json: Json = serde_json::from_str(text).expect("JSON");
        assert!(FieldType::Int.read(&json).is_err(), "{text}");
    }
    check(&FieldType::Int, json!(9_007_199_254_740_991.0), Value::Int(BEYOND - 2));
    assert_eq!(whole_float(f64::NAN), None);
    assert_eq!(whole_float(f64::INFINITY), None);
    for text in ["", " 1", "1.0", "0x10", "9223372036854775808", "+-1"] {
        assert!(FieldType::Int.read(&json!(text)).is_err(), "{text:?}");
    }
}

#[test]
fn floats() {
    check(&FieldType::Float, json!(1.5), Value::Float(1.5));
    check(&FieldType::Float, json!(3), Value::Float(3.0));
    check(&FieldType::Float, json!(f64::MAX), Value::Float(f64::MAX));
    check(&FieldType::Float, json!(5e-324), Value::Float(5e-324));
    let huge: Json = serde_json::from_str(&format!("1{}", "0".repeat(300))).expect("JSON");
    check(&FieldType::Float, huge, Value::Float(1e300));
    assert_eq!(Value::Float(f64::NAN).to_json(), Json::Null);
    // Read without care for the last bit, this comes out as its neighbour.
    let careful: Json = serde_json::from_str("-2.9026651242965224e-75").expect("JSON");
    check(&FieldType::Float, careful, Value::Float(-2.902_665_124_296_522_4e-75));
}

#[test]
fn there_is_one_zero() {
    let Ok(Value::Float(zero)) = FieldType::Float.read(&json!(-0.0)) else { panic!("not a float") };
    assert!(zero.is_sign_positive());
    assert_eq!(FieldType::Float.read(&json!(-0.0)).expect("a float").to_json(), json!(0.0));
}

#[test]
fn texts_may_hold_anything() {
    for text in ["", "a\0b", "line\nline", "\u{10ffff}", "\u{202e}"] {
        for ty in [FieldType::String, FieldType::Richtext, FieldType::Document] {
            check(&ty, json!(text), Value::Text(text.into()));
        }
    }
}

#[test]
fn bytes_are_base64() {
    check(&FieldType::Bytes, json!("AAH/"), Value::Bytes([0, 1, 255].as_slice().into()));
    check(&FieldType::Bytes, json!(""), Value::Bytes([].as_slice().into()));
    assert_eq!(Value::Bytes([0, 1, 255].as_slice().into()).to_json(), json!("AAH/"));
    insta::assert_snapshot!(refused(&FieldType::Bytes, json!("AAH_")), @r#"expected bytes in base64, found "AAH_""#);
}

#[test]
fn times_enums_ids_and_json() {
    let time = "2026-11-20T06:14:00+01:00";
    assert_eq!(
        FieldType::Datetime.read(&json!(time)).expect("a time").to_json(),
        json!("2026-11-20T05:14:00.000000Z")
    );
    check(&colors(), json!("red"), Value::Text("red".into()));
    check(&user(), json!("ada_1-2"), Value::Text("ada_1-2".into()));
    check(&FieldType::Json, json!({ "a": [1, null] }), Value::Json(json!({ "a": [1, null] })));
    check(&FieldType::Bool, json!(false), Value::Bool(false));
}

#[test]
fn a_mismatch_says_what_was_expected() {
    insta::assert_snapshot!(refused(&FieldType::String, json!(1)), @"expected a string, found 1");
    insta::assert_snapshot!(refused(&FieldType::Bool, json!("true")), @r#"expected true or false, found "true""#);
    insta::assert_snapshot!(refused(&colors(), json!("Red")), @r#"expected one of red, green, found "Red""#);
    insta::assert_snapshot!(refused(&FieldType::Float, json!("1")), @r#"expected a finite number, found "1""#);
    insta::assert_snapshot!(refused(&FieldType::Float, json!([1])), @"expected a finite number, found a list of 1 item");
    insta::assert_snapshot!(
        refused(&FieldType::String, json!({ "a": 1, "b": 2 })),
        @"expected a string, found an object of 2 keys"
    );
    insta::assert_snapshot!(
        refused(&user(), json!("a/b")),
        @r#"expected the id of a row of User: 1 to 64 of A-Z a-z 0-9 _ -, found "a/b""#
    );
    insta::assert_snapshot!(
        refused(&FieldType::Int, json!(0.5)),
        @"expected a whole number of 64 bits (as a string beyond 2^53), found 0.5"
    );
    assert!(refused(&FieldType::Int, json!("x".repeat(1_000_000))).len() < 300);
}

#[test]
fn row_ids() {
    assert!(is_row_id("a"));
    assert!(is_row_id(&"a".repeat(64)));
    for text in ["", "a b", "a/b", "é", "a\0", &"a".repeat(65)] {
        assert!(!is_row_id(text), "{text:?}");
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Json::from))
}

proptest! {
    #[test]
    fn what_is_read_is_written_and_read_again(json in any_json()) {
        for ty in [FieldType::String, colors(), user(), FieldType::Datetime, FieldType::Int, FieldType::Float,
            FieldType::Bool, FieldType::Bytes, FieldType::Json, FieldType::Richtext, FieldType::Document]
        {
            if let Ok(value) = ty.read(&json) {
                prop_assert_eq!(ty.read(&value.to_json()), Ok(value));
            }
        }
    }

    #[test]
    fn every_int_survives_json_text(int in any::<i64>()) {
        let text = Value::Int(int).to_json().to_string();
        let json: Json = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(FieldType::Int.read(&json), Ok(Value::Int(int)));
    }

    #[test]
    fn every_finite_float_survives_json_text(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
        let text = Value::Float(float).to_json().to_string();
        let json: Json = serde_json::from_str(&text).expect("JSON");
        prop_assert_eq!(FieldType::Float.read(&json), Ok(Value::Float(float)));
    }
}
