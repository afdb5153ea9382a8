//! JSON patches: what they change, what they cost, what they refuse.

use corella_rowdoc::{Folded, PeerId, Refusal, RowDoc, merge_stored};
use serde_json::{Value as Json, json};

use crate::support::{Client, json, new_note, note, object, replica};

#[track_caller]
fn check_refused(patch: Json, expected: &str) {
    let mut row = new_note();
    let before = (row.version(), row.project().unwrap());
    let refusal = row.patch(&object(patch)).expect_err("this patch must be refused");
    assert_eq!(refusal.to_string(), expected);
    assert_eq!((row.version(), row.project().unwrap()), before, "a refused patch changes nothing");
}

#[test]
fn every_kind_of_field_reads_as_it_was_written() {
    let mut row = new_note();
    let written = json!({
        "title": "T", "summary": "short", "body": "long", "page": "one\n\ntwo", "color": "red",
        "author": "u_1", "created": "2026-11-20T06:14:00.000000Z", "count": -3, "position": 1.5,
        "pinned": true, "footer": "plain",
    });
    let change = row.patch(&object(written.clone())).unwrap();
    assert_eq!(change.fields.len(), 11);
    assert_eq!(Json::Object(row.to_json().unwrap()), written);
    assert_eq!(Json::Object(replica(&row, 2).to_json().unwrap()), written);
}

#[test]
fn whole_numbers_stay_exact_beyond_doubles() {
    let mut row = new_note();
    for (written, read) in [
        (json!(9_007_199_254_740_993_i64), json!("9007199254740993")),
        (json!("-9223372036854775808"), json!("-9223372036854775808")),
        (json!(9_007_199_254_740_992_i64), json!(9_007_199_254_740_992_i64)),
    ] {
        row.patch(&object(json!({ "count": written }))).unwrap();
        assert_eq!(json(&replica(&row, 2), "count"), read);
    }
}

#[test]
fn times_are_kept_in_utc() {
    let mut row = new_note();
    row.patch(&object(json!({"created": "2026-11-20T08:14:00+02:00"}))).unwrap();
    assert_eq!(json(&row, "created"), "2026-11-20T06:14:00.000000Z");
}

#[test]
fn equal_values_make_no_operation() {
    let mut row = new_note();
    let fields = object(json!({
        "title": "T", "summary": "short", "body": "long", "page": "one\n\ntwo",
        "created": "2026-11-20T06:14:00Z", "count": 7, "position": 2.0, "pinned": false,
    }));
    row.patch(&fields).unwrap();
    let version = row.version();
    assert!(row.patch(&fields).unwrap().is_empty());
    let same_instant = object(json!({"created": "2026-11-20T07:14:00+01:00", "position": 2}));
    assert!(row.patch(&same_instant).unwrap().is_empty());
    assert_eq!(row.version(), version);
}

#[test]
fn a_small_change_of_a_text_is_a_small_update() {
    let mut row = new_note();
    let text = "All work and no play makes Jack a dull boy. ".repeat(1_000);
    row.patch(&object(json!({"body": text, "page": text}))).unwrap();
    for field in ["body", "page"] {
        let version = row.version();
        let changed = row.patch(&object(json!({field: text.replacen("dull", "dulls", 1)}))).unwrap();
        assert_eq!(changed.fields.len(), 1);
        let bytes = row.export_since(&version).unwrap().len();
        assert!(bytes < 200, "{field}: {bytes} bytes");
    }
}

#[test]
fn a_thousand_saves_of_a_text_stay_small() {
    let mut row = new_note();
    let mut words: Vec<String> = (0..400).map(|i| format!("w{}", i % 90)).collect();
    let mut deltas = Vec::new();
    let mut text = String::new();
    for save in 0..1_000_usize {
        let at = save * 7 % words.len();
        words[at] = format!("w{}", save % 90);
        text = words.join(" ");
        let version = row.version();
        row.patch(&object(json!({ "body": text }))).unwrap();
        deltas.push(row.export_since(&version).unwrap());
    }
    let start = new_note().snapshot().unwrap();
    let Folded { snapshot, version, .. } = merge_stored(row.shape(), Some(&start), &deltas, None).unwrap();
    assert_eq!(version, row.version());
    assert!(snapshot.len() < 10_000, "{} bytes for a text of {}", snapshot.len(), text.len());
}

#[test]
fn null_clears_what_is_optional() {
    let mut row = new_note();
    row.patch(&object(json!({"count": 1, "summary": "x", "page": "y"}))).unwrap();
    let change = row.patch(&object(json!({"count": null, "summary": null, "page": null}))).unwrap();
    assert_eq!(change.fields.len(), 3);
    assert_eq!(
        (json(&row, "count"), json(&row, "summary"), json(&row, "page")),
        (Json::Null, json!(""), json!(""))
    );
    assert!(row.patch(&object(json!({"count": null, "summary": null, "page": null}))).unwrap().is_empty());
}

#[test]
fn marks_on_kept_text_survive_a_patch() {
    let mut row = new_note();
    row.patch(&object(json!({"body": "plain and bold words"}))).unwrap();
    let mut client = Client::of(&row, 7);
    client.doc.config_default_text_style(Some(loro::StyleConfig { expand: loro::ExpandType::After }));
    client.row().ensure_mergeable_text("body").unwrap().mark(10..14, "bold", true).unwrap();
    row.import(&client.update()).unwrap();
    row.patch(&object(json!({"body": "plain but bold words today"}))).unwrap();
    client.pull(&row);
    let delta = client.row().ensure_mergeable_text("body").unwrap().to_delta();
    insta::assert_compact_debug_snapshot!(delta, @r#"[Insert { insert: "plain but ", attributes: None }, Insert { insert: "bold", attributes: Some({"bold": Bool(true)}) }, Insert { insert: " words today", attributes: None }]"#);
}

#[test]
fn a_wholly_different_long_text_arrives() {
    let mut row = new_note();
    let long = |factor: u32| -> String {
        (0..30_000_u32).filter_map(|i| char::from_u32(0x4e00 + i.wrapping_mul(factor) % 20_000)).collect()
    };
    row.patch(&object(json!({"body": long(7_919)}))).unwrap();
    row.patch(&object(json!({"body": long(104_729)}))).unwrap();
    assert_eq!(json(&row, "body"), json!(long(104_729)));
}

#[test]
fn mistakes_are_told_before_anything_changes() {
    check_refused(
        json!({"body": "x", "titel": "y"}),
        r#"no field "titel" is declared: did you mean "title"?"#,
    );
    check_refused(json!({"body": "x", "zzz": 1}), r#"no field "zzz" is declared"#);
    check_refused(
        json!({"body": "x", "title": null}),
        "expected a value in title, since the field is required, found null",
    );
    check_refused(
        json!({"body": "x", "count": 1.5}),
        "expected a whole number of 64 bits (as a string beyond 2^53) in count, found 1.5",
    );
    check_refused(
        json!({"body": "x", "color": "blue"}),
        r#"expected one of red, green in color, found "blue""#,
    );
    check_refused(
        json!({"page": "x", "body": ["y"]}),
        r#"expected one of {"insert": "text"}, {"retain": 1} and {"delete": 1} in body[0], found "y""#,
    );
    check_refused(
        json!({"body": "x", "author": "a/b"}),
        r#"expected the id of a row of User: 1 to 64 of A-Z a-z 0-9 _ - in author, found "a/b""#,
    );
    check_refused(json!({"body": "x", "pinned": "yes"}), r#"expected true or false in pinned, found "yes""#);
}

#[test]
fn a_new_row_needs_what_is_required() {
    let mut row = RowDoc::new(note(), PeerId(1));
    let refusal = row.initialise(&object(json!({"count": 1}))).unwrap_err();
    assert!(matches!(&refusal, Refusal::Required { field, .. } if field == "title"), "{refusal}");
    assert!(row.version().is_empty());
    let change = row.initialise(&object(json!({"title": "t"}))).unwrap();
    assert_eq!(change.fields.into_iter().collect::<Vec<_>>(), [0, 3], "the title and the empty page");
}
