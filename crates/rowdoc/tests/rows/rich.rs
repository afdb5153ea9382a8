//! Richtext: deltas in and out, marks, and how they grow.

use loro::{ExpandType, StyleConfig};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, kinds_refused, meet, new_kinds, patch_refused, patched, replica};

fn rich(row: &corella_rowdoc::RowDoc) -> Json {
    row.rich_json("body").unwrap().unwrap()
}

#[test]
fn deltas_go_in_and_come_out() {
    let mut row = new_kinds();
    let whole =
        json!([{"insert": "Hello "}, {"insert": "world", "attributes": {"bold": true}}, {"insert": "!"}]);
    assert_eq!(patched(&mut row, "body", whole.clone()), "Hello world!");
    assert_eq!(rich(&row), whole);
    assert_eq!(rich(&replica(&row, 2)), whole);
    let version = row.version();
    patched(&mut row, "body", whole);
    assert_eq!(row.version(), version, "the same content makes no operation");
    let delta = json!({"$delta": [
        {"retain": 5, "attributes": {"color": "red"}},
        {"delete": 1},
        {"insert": ", big ", "attributes": {"link": "https://example.org"}},
        {"retain": 5, "attributes": {"bold": null}},
    ]});
    assert_eq!(patched(&mut row, "body", delta), "Hello, big world!");
    assert_eq!(
        rich(&row),
        json!([
            {"insert": "Hello", "attributes": {"color": "red"}},
            {"insert": ", big ", "attributes": {"link": "https://example.org"}},
            {"insert": "world!"},
        ])
    );
    let both = json!({"$ops": [{"$delta": [{"delete": 7}]}, {"$delta": [{"insert": "A "}]}]});
    assert_eq!(patched(&mut row, "body", both), "A big world!");
    assert_eq!(patched(&mut row, "summary", json!({"$delta": [{"insert": "plain"}]})), "plain");
}

#[test]
fn lengths_are_those_of_javascript() {
    let mut row = new_kinds();
    patched(&mut row, "body", json!("a😀b"));
    assert_eq!(patched(&mut row, "body", json!({"$delta": [{"retain": 3}, {"insert": "!"}]})), "a😀!b");
    insta::assert_snapshot!(patch_refused(&mut row, "body", json!({"$delta": [{"retain": 2}]})), @"expected a length within the text, in UTF-16 code units in body.$delta[0], found 2, which ends within '😀'");
}

/// What is written behind a bold word is bold; what is written behind a link is not part of it.
#[test]
fn marks_grow_as_they_are_set_after_each_load() {
    let mut row = new_kinds();
    let both =
        json!([{"insert": "b", "attributes": {"bold": true}}, {"insert": "l", "attributes": {"link": "x"}}]);
    patched(&mut row, "body", both);
    let mut again = replica(&row, 3);
    patched(&mut again, "body", json!({"$delta": [{"retain": 2, "attributes": {"seen": true}}]}));
    let mut client = Client::of(&again, 7);
    let body = client.row().ensure_mergeable_text("body").unwrap();
    body.insert(1, "B").unwrap();
    body.insert(3, "L").unwrap();
    again.import(&client.update()).unwrap();
    assert_eq!(
        rich(&again),
        json!([
            {"insert": "bB", "attributes": {"bold": true, "seen": true}},
            {"insert": "l", "attributes": {"link": "x", "seen": true}},
            {"insert": "L", "attributes": {"seen": true}},
        ])
    );
}

#[test]
fn marks_of_both_stay() {
    let mut one = new_kinds();
    patched(&mut one, "body", json!("one two three"));
    let mut two = replica(&one, 2);
    patched(&mut one, "body", json!({"$delta": [{"retain": 7, "attributes": {"bold": true}}]}));
    patched(
        &mut two,
        "body",
        json!({"$delta": [{"retain": 4}, {"retain": 9, "attributes": {"italic": true}}]}),
    );
    patched(&mut two, "body", json!("one two and three"));
    meet(&mut one, &mut two);
    assert_eq!(rich(&one), rich(&two));
    let texts: Vec<String> =
        rich(&one).as_array().unwrap().iter().map(|run| run["attributes"].to_string()).collect();
    insta::assert_snapshot!(texts.join(" "), @r#"{"bold":true} {"bold":true,"italic":true} {"italic":true}"#);
    assert_eq!(json(&one, "body"), "one two and three");
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    let mut row = new_kinds();
    patched(&mut row, "body", json!("text"));
    let mut told = Vec::new();
    for asked in [
        json!(5),
        json!([{"retain": 1}]),
        json!({"$delta": "x"}),
        json!({"$delta": [{"insert": 1}]}),
        json!({"$delta": [{"insert": "a", "delete": 1}]}),
        json!({"$delta": [{"retain": 0}]}),
        json!({"$delta": [{"delete": 5}]}),
        json!({"$delta": [{"insert": "a", "attributes": "bold"}]}),
        json!({"$delta": [{"embed": "a"}]}),
        json!({"$push": "a"}),
        json!("a\u{0}"),
        json!({"$delta": [{"insert": "\u{0}"}]}),
    ] {
        told.push(patch_refused(&mut row, "body", asked));
    }
    told.push(patch_refused(
        &mut row,
        "summary",
        json!({"$delta": [{"insert": "a", "attributes": {"bold": true}}]}),
    ));
    insta::assert_snapshot!(told.join("\n"), @r#"
    expected a string, a list of {"insert", "attributes"}, or {"$delta": […]} in body, found 5
    expected inserts only (a change of what is there is written {"$delta": […]}) in body, found a retain or a delete
    expected a list of inserts, retains and deletes in body.$delta, found "x"
    expected one of {"insert": "text"}, {"retain": 1} and {"delete": 1} in body.$delta[0], found {"insert":1}
    expected one of {"insert": "text"}, {"retain": 1} and {"delete": 1} in body.$delta[0], found {"insert":"a","delete":1}
    expected one of {"insert": "text"}, {"retain": 1} and {"delete": 1} in body.$delta[0], found 0
    expected a length within the text, in UTF-16 code units in body.$delta[0], found 5, which is 1 beyond its end
    expected an object in body.$delta[0].attributes, found "bold"
    expected one of {"insert": "text"}, {"retain": 1} and {"delete": 1} in body.$delta[0], found the key "embed"
    expected $delta or $ops (a value of this shape is written {"$value": …}) in body.$push, found $push
    expected text without U+0000, which not every database holds in body, found "a\u0000"
    expected text without U+0000, which not every database holds in body.$delta[0], found "\u0000"
    expected no attributes (only a field of type richtext has marks) in summary.$delta[0].attributes, found an object of 1 key
    "#);
}

#[test]
fn nul_from_a_client_is_refused() {
    for field in ["body", "summary"] {
        let told = kinds_refused(|c| c.row().ensure_mergeable_text(field).unwrap().insert(0, "a\0").unwrap());
        assert!(told.contains("U+0000") && told.contains(field), "{told}");
    }
    let told = kinds_refused(|c| {
        c.doc.config_default_text_style(Some(StyleConfig { expand: ExpandType::After }));
        let body = c.row().ensure_mergeable_text("body").unwrap();
        body.insert(0, "a").unwrap();
        body.mark(0..1, "note", "\0").unwrap();
    });
    assert!(told.contains("U+0000"), "{told}");
}
