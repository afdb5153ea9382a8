//! Maps, which merge key by key.

use loro::{LoroMap, LoroText};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, kinds_refused, meet, new_kinds, patch_refused, patched, replica};

#[test]
fn values_and_operations() {
    let mut row = new_kinds();
    assert_eq!(json(&row, "settings"), Json::Null);
    let mut check = |asked: Json, expected: Json| {
        assert_eq!(patched(&mut row, "settings", asked.clone()), expected, "{asked}");
    };
    check(json!({"$set": ["dark", true]}), json!({"dark": true}));
    check(json!({"$merge": {"size": 3, "dark": false}}), json!({"dark": false, "size": 3}));
    check(json!({"$remove": "dark"}), json!({"size": 3}));
    check(json!({"$remove": "dark"}), json!({"size": 3}));
    check(
        json!({"$ops": [{"$set": ["a", [1, {"b": null}]]}, {"$remove": "size"}]}),
        json!({"a": [1, {"b": null}]}),
    );
    check(
        json!({"x": 1.0, "y": 0.5, "z": {"deep": {"er": []}}}),
        json!({"x": 1, "y": 0.5, "z": {"deep": {"er": []}}}),
    );
    check(json!({"$value": {"$set": 1}}), json!({"$set": 1}));
    check(json!({"a key": 1, "$ref": 2}), json!({"a key": 1, "$ref": 2}));
    check(Json::Null, json!({}));
}

#[test]
fn only_changed_keys_are_written() {
    let mut one = new_kinds();
    patched(&mut one, "settings", json!({"a": 1, "b": 1, "c": 1}));
    let mut two = replica(&one, 2);
    patched(&mut one, "settings", json!({"a": 2, "b": 1, "c": 1}));
    patched(&mut two, "settings", json!({"a": 1, "b": 2, "d": 1}));
    meet(&mut one, &mut two);
    assert_eq!(json(&one, "settings"), json!({"a": 2, "b": 2, "d": 1}));
}

#[test]
fn first_writes_at_once_stay() {
    let mut one = new_kinds();
    let mut two = replica(&one, 2);
    patched(&mut one, "settings", json!({"a": 1}));
    patched(&mut two, "settings", json!({"b": 1}));
    meet(&mut one, &mut two);
    assert_eq!(json(&one, "settings"), json!({"a": 1, "b": 1}));
}

#[test]
fn what_a_client_put_in_is_edited_in_place() {
    let mut row = new_kinds();
    let mut client = Client::of(&row, 7);
    let settings = client.row().ensure_mergeable_map("settings").unwrap();
    let nested = settings.ensure_mergeable_map("nested").unwrap();
    nested.insert("a", 1).unwrap();
    let text = nested.insert_container("text", LoroText::new()).unwrap();
    text.insert(0, "one two").unwrap();
    row.import(&client.update()).unwrap();
    patched(&mut row, "settings", json!({"nested": {"a": 2, "text": "one and two"}}));
    text.insert(7, " three").unwrap();
    row.import(&client.update()).unwrap();
    assert_eq!(json(&row, "settings"), json!({"nested": {"a": 2, "text": "one and two three"}}));
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    let mut row = new_kinds();
    let mut told = Vec::new();
    for asked in [
        json!([1]),
        json!({"$set": ["a"]}),
        json!({"$set": [1, 2]}),
        json!({"$remove": 1}),
        json!({"$merge": [1]}),
        json!({"$push": 1}),
        json!({"a\u{0}": 1}),
        json!({"$set": ["a", {"b": "\u{0}"}]}),
    ] {
        told.push(patch_refused(&mut row, "settings", asked));
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected an object, or an operation ($set, $remove, $merge) in settings, found a list of 1 item
    expected [key, value] in settings.$set, found a list of 1 item
    expected a key as a string in settings.$set, found 1
    expected a key as a string in settings.$remove, found 1
    expected an object in settings.$merge, found a list of 1 item
    expected one of $set, $remove, $merge, $ops (a value of this shape is written {"$value": …}) in settings.$push, found $push
    expected keys without U+0000, which not every database holds in settings, found one with it
    expected text without U+0000, which not every database holds in settings.$set, found an object of 1 key
    "#);
}

#[test]
fn clients_that_break_a_map_are_refused() {
    let map = |client: &Client| client.row().ensure_mergeable_map("settings").unwrap();
    insta::assert_snapshot!(kinds_refused(|c| map(c).insert("a", vec![loro::LoroValue::from(f64::INFINITY)]).unwrap()), @"expected finite numbers, since JSON has no others in settings, found NaN or an infinity");
    insta::assert_snapshot!(kinds_refused(|c| map(c).insert("a\0", 1).unwrap()), @"expected text without U+0000, which not every database holds in settings, found text with it");
    insta::assert_snapshot!(kinds_refused(|c| {
        c.row().insert_container("settings", LoroMap::new()).unwrap();
    }), @"expected the mergeable map of that key (ensureMergeableMap) in settings, found a container of type Map");
    insta::assert_snapshot!(kinds_refused(|c| c.row().insert("settings", "plain").unwrap()), @r#"expected the mergeable map of that key (ensureMergeableMap) in settings, found "plain""#);
}
