//! Values of every type at its edges: as they go in, they come out, over both ways and from both databases.

use corella_testkit::{Database, KINDS, Stage, on_both};
use serde_json::{Value as Json, json};

on_both!(what_goes_in_comes_out);
on_both!(what_does_not_fit_is_refused);

/// A field, what is given, and what is read; the same where there is nothing.
fn round_trips() -> Vec<(&'static str, Json, Option<Json>)> {
    let long = "lorem ipsum 😀 ".repeat(20_000);
    let deep = (0..60).fold(json!("end"), |below, _| json!([below]));
    vec![
        ("amount", json!(i64::MAX.to_string()), Some(json!(i64::MAX.to_string()))),
        ("amount", json!(i64::MIN.to_string()), Some(json!(i64::MIN.to_string()))),
        ("amount", json!(9_007_199_254_740_993_i64), Some(json!("9007199254740993"))),
        ("amount", json!(-1), None),
        ("amount", json!(0), None),
        ("amount", Json::Null, None),
        ("weight", json!(f64::MAX), None),
        ("weight", json!(f64::MIN_POSITIVE), None),
        ("weight", json!(5e-324), None),
        ("weight", json!(0.1), None),
        ("weight", json!(-0.0), Some(json!(0.0))),
        ("weight", json!(7), Some(json!(7.0))),
        ("title", json!(""), None),
        ("title", json!("ä 漢字 👩‍👩‍👧 \u{202e} \" ' \\ \n\t"), None),
        ("title", json!(long), None),
        ("summary", json!(""), None),
        ("summary", json!(long), None),
        ("body", json!("line\r\nline\u{2028}"), None),
        ("due", json!("2024-02-29T23:59:59.999999Z"), None),
        ("due", json!("2026-06-30T00:30:00+05:45"), Some(json!("2026-06-29T18:45:00.000000Z"))),
        ("due", json!("2026-12-31T20:00:00-08:00"), Some(json!("2027-01-01T04:00:00.000000Z"))),
        ("icon", json!(""), None),
        ("icon", json!("AA=="), None),
        ("icon", json!("/+8="), None),
        ("data", deep.clone(), None),
        ("data", json!({ "": null, "a.b": [true, 1.5, "x"], "n": { "m": {} } }), None),
        ("data", json!([]), None),
        ("data", json!(false), None),
        ("data", json!("text"), None),
        ("tags", json!([]), None),
        ("tags", json!([null, [], {}, "😀", -1.5]), None),
        ("settings", json!({}), None),
        ("pinned", json!(true), None),
        ("status", json!("done"), None),
        ("likes", json!(i64::MAX.to_string()), Some(json!(i64::MAX.to_string()))),
        ("likes", json!(i64::MIN.to_string()), Some(json!(i64::MIN.to_string()))),
        ("score", json!(-1e308), None),
    ]
}

async fn what_goes_in_comes_out(database: Database) {
    let stage = Stage::on(database, KINDS).await;
    let ada = stage.ada();
    let mut expected = Vec::new();
    for (place, (field, given, read)) in round_trips().into_iter().enumerate() {
        let (path, read) = (format!("/api/entities/Item/e{place}"), read.unwrap_or_else(|| given.clone()));
        // Through an insert, and through a patch of a row that is there.
        let mut fields = json!({ "id": format!("e{place}"), "title": "edge" });
        if place % 2 == 0 {
            fields[field] = given.clone();
        }
        ada.post("/api/entities/Item", fields).await.expect(201);
        let answer = ada.patch(&path, json!({ field: given })).await.expect(200);
        assert_same(field, &answer["row"][field], &read);
        assert_same(field, &ada.get(&path).await.expect(200)["row"][field], &read);
        expected.push((path, field, read));
    }
    let stage = stage.crash().await;
    for (path, field, read) in &expected {
        assert_same(field, &stage.ada().get(path).await.expect(200)["row"][*field], read);
    }
    assert_eq!(stage.installation.check_clean().await, expected.len() as u64);
}

/// JSON tells `1` and `1.0` apart, a column of floats does not.
fn assert_same(field: &str, found: &Json, expected: &Json) {
    if let (Some(found), Some(expected)) = (found.as_f64(), expected.as_f64()) {
        assert!(found.to_bits() == expected.to_bits() || found == expected, "{field}: {found} {expected}");
        return;
    }
    assert_eq!(found, expected, "{field}");
}

async fn what_does_not_fit_is_refused(database: Database) {
    let stage = Stage::on(database, KINDS).await;
    let ada = stage.ada();
    ada.post("/api/entities/Item", json!({ "id": "i1", "title": "edge" })).await.expect(201);
    let path = "/api/entities/Item/i1";
    let before = ada.get(path).await.expect(200);
    let deep = (0..400).fold("0".to_owned(), |below, _| format!("[{below}]"));
    for (body, problem) in [
        (r#"{"amount": 9223372036854775808}"#.to_owned(), "422 invalid_value"),
        (r#"{"amount": 1.5}"#.to_owned(), "422 invalid_value"),
        (r#"{"amount": "ten"}"#.to_owned(), "422 invalid_value"),
        (r#"{"weight": 1e999}"#.to_owned(), "400 invalid_json"),
        (r#"{"weight": "NaN"}"#.to_owned(), "422 invalid_value"),
        (r#"{"title": "a\u0000b"}"#.to_owned(), "422 invalid_value"),
        (r#"{"summary": "a\u0000b"}"#.to_owned(), "422 invalid_value"),
        (r#"{"data": {"a\u0000": 1}}"#.to_owned(), "422 invalid_value"),
        // Half of a pair of surrogates is no character.
        (r#"{"title": "\ud83d"}"#.to_owned(), "400 invalid_json"),
        (r#"{"title": "\ude00\ud83d"}"#.to_owned(), "400 invalid_json"),
        (r#"{"due": "2025-02-29T00:00:00Z"}"#.to_owned(), "422 invalid_value"),
        (r#"{"due": "2026-01-01"}"#.to_owned(), "422 invalid_value"),
        (r#"{"due": "2026-01-01T00:00:00"}"#.to_owned(), "422 invalid_value"),
        (r#"{"icon": "no base64!"}"#.to_owned(), "422 invalid_value"),
        (r#"{"status": "closed"}"#.to_owned(), "422 invalid_value"),
        (r#"{"pinned": "true"}"#.to_owned(), "422 invalid_value"),
        (r#"{"likes": {"$inc": 0.5}}"#.to_owned(), "422 invalid_value"),
        (format!(r#"{{"data": {deep}}}"#), "400 invalid_json"),
    ] {
        let answer = ada.send("PATCH".parse().unwrap(), path, &[], body.clone()).await;
        assert_eq!(answer.problem(), problem, "{body:.80}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("expected") || detail.contains("line 1"), "{detail}");
    }
    assert_eq!(ada.get(path).await.expect(200)["row"], before["row"]);
    assert_eq!(stage.installation.check_clean().await, 1);
}
