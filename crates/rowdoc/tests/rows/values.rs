//! Whole values of any JSON, and bytes.

use corella_manifest::Value;
use loro::LoroValue;
use serde_json::{Value as Json, json};

use crate::support::{Client, json, kinds_refused, new_kinds, patch_refused, patched};

#[test]
fn json_reads_as_it_was_written() {
    let mut row = new_kinds();
    for value in [
        json!({"b": [1, 2.5, "x", null, true], "a": {"$ref": "#/x"}}),
        json!([]),
        json!("text"),
        json!(0),
        json!(false),
        json!({"$ref": "#/x"}),
        json!(-9_007_199_254_740_993_i64),
        json!(1e300),
    ] {
        assert_eq!(patched(&mut row, "data", value.clone()), value);
        let version = row.version();
        patched(&mut row, "data", value);
        assert_eq!(row.version(), version, "an equal value makes no operation");
    }
    assert_eq!(patched(&mut row, "data", json!({"n": 1.0, "z": -0.0})), json!({"n": 1, "z": 0}));
    assert_eq!(patched(&mut row, "data", json!({"$value": {"$inc": 1}})), json!({"$inc": 1}));
    assert_eq!(patched(&mut row, "data", Json::Null), Json::Null);
}

#[test]
fn bytes_are_base64_outside_and_bytes_inside() {
    let mut row = new_kinds();
    assert_eq!(patched(&mut row, "blob", json!("AAH/")), "AAH/");
    assert_eq!(row.project().unwrap().values[7], Value::Bytes([0, 1, 255].as_slice().into()));
    let mut client = Client::of(&row, 7);
    assert_eq!(
        client.row().get("blob").unwrap().into_value().unwrap(),
        LoroValue::Binary(vec![0, 1, 255].into())
    );
    client.row().insert("blob", LoroValue::Binary(vec![9].into())).unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "blob"), "CQ==");
    assert_eq!(patched(&mut row, "blob", json!("")), "");
    assert_eq!(patched(&mut row, "blob", Json::Null), Json::Null);
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    let mut row = new_kinds();
    let mut told = Vec::new();
    for (field, asked) in [
        ("data", json!({"$inc": 1})),
        ("data", json!({"$ops": []})),
        ("data", json!({"$set": ["a", 1], "b": 1})),
        ("data", json!(["\u{0}"])),
        ("data", json!(18_446_744_073_709_551_615_u64)),
        ("blob", json!("no base64!")),
        ("blob", json!([1, 2])),
        ("blob", json!("AExNAQBfX18=")),
        ("page", json!("a\u{0}")),
        ("data", (0..120).fold(json!(1), |below, _| json!([below]))),
    ] {
        told.push(patch_refused(&mut row, field, asked));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected a whole value, since this field takes no operations (an object of this shape as a value is written {"$value": …}) in data.$inc, found $inc
    expected a whole value, since this field takes no operations (an object of this shape as a value is written {"$value": …}) in data.$ops, found $ops
    expected one operation in an object (several are written {"$ops": [{…}, {…}]}) in data, found the keys $set, b
    expected text without U+0000, which not every database holds in data, found a list of 1 item
    expected whole numbers of 64 bits (larger ones as strings) in data, found 18446744073709551615
    expected bytes in base64 in blob, found "no base64!"
    expected bytes in base64 in blob, found a list of 2 items
    expected bytes other than Loro's mark of a container (one byte more or less will do) in blob, found "AExNAQBfX18="
    expected text without U+0000, which not every database holds in page, found "a\u0000"
    expected values nested at most 100 levels deep, found deeper ones
    "#);
}

#[test]
fn clients_that_break_a_value_are_refused() {
    let data = |value: LoroValue| kinds_refused(move |c| c.row().insert("data", value).unwrap());
    insta::assert_snapshot!(data(vec![LoroValue::from(f64::NAN)].into()), @"expected a plain value with finite numbers in data, found a list of 1 items");
    insta::assert_snapshot!(data("\0".into()), @"expected text without U+0000, which not every database holds in data, found text with it");
    insta::assert_snapshot!(kinds_refused(|c| drop(c.row().ensure_mergeable_map("data").unwrap())), @"expected a plain value with finite numbers in data, found a container of type Map");
    insta::assert_snapshot!(kinds_refused(|c| c.row().insert("blob", 1).unwrap()), @"expected bytes in base64 in blob, found 1");
}
