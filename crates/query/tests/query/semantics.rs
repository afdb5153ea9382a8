//! What each operator means, null included, in memory and in SQL.

use corella_manifest::Value;
use serde_json::{Value as Json, json};

use crate::{
    database::Database,
    fixture::{parse, row},
};

fn rows() -> Vec<Vec<Value>> {
    vec![
        row("a", &json!({"title": "Alpha", "position": 1.0, "pinned": true, "count": "9007199254740993"})),
        row("b", &json!({"title": "beta 100%", "position": 2.5, "pinned": false, "count": 2})),
        row("c", &json!({"created": "2026-11-20T06:14:00Z", "extra": {"k": 1}, "raw": "AP8="})),
    ]
}

/// Checks which rows a condition gives, in memory and in SQL.
#[track_caller]
fn check(where_: Json, expected: &str) {
    check_among(&rows(), where_, expected);
}

#[track_caller]
fn check_among(rows: &[Vec<Value>], where_: Json, expected: &str) {
    let query = parse(where_.clone(), Json::Null, 10, None).expect("the query is valid");
    let ids = |rows: Vec<Vec<Value>>| -> String {
        rows.iter().map(|row| row[0].to_json().as_str().unwrap_or_default().to_owned()).collect()
    };
    let in_memory = ids(rows.iter().filter(|row| query.matches(*row)).cloned().collect());
    assert_eq!(in_memory, expected, "in memory: {where_}");
    let (page, _) = Database::with_rows(rows).page(&query);
    assert_eq!(ids(page), expected, "in SQL: {where_}");
}

#[test]
fn equality() {
    check(json!({}), "abc");
    check(json!({"pinned": true}), "a");
    check(json!({"pinned": {"$eq": false}}), "b");
    check(json!({"pinned": {"$ne": true}}), "bc");
    check(json!({"title": "Alpha", "pinned": true}), "a");
    check(json!({"title": "alpha"}), "");
    check(json!({"count": "9007199254740993"}), "a");
    check(json!({"count": 9_007_199_254_740_992_i64}), "");
    check(json!({"created": "2026-11-20T07:14:00+01:00"}), "c");
    check(json!({"raw": "AP8="}), "c");
    check(json!({"id": {"$in": ["a", "c", "zz"]}}), "ac");
}

#[test]
fn null() {
    check(json!({"title": null}), "c");
    check(json!({"title": {"$ne": null}}), "ab");
    check(json!({"title": {"$exists": false}}), "c");
    check(json!({"extra": {"$exists": true}}), "c");
    check(json!({"extra": null}), "ab");
    check(json!({"title": {"$in": [null, "Alpha"]}}), "ac");
    check(json!({"title": {"$nin": [null, "Alpha"]}}), "b");
    check(json!({"title": {"$nin": ["Alpha"]}}), "bc");
    check(json!({"position": {"$gt": null}}), "");
    check(json!({"$not": {"position": {"$gt": null}}}), "abc");
    check(json!({"$not": {"position": {"$gt": 1}}}), "ac");
}

#[test]
fn ranges_and_lists() {
    check(json!({"position": {"$gt": 1, "$lte": 5}}), "b");
    check(json!({"position": {"$gte": 1}}), "ab");
    check(json!({"position": {"$in": []}}), "");
    check(json!({"position": {"$nin": []}}), "abc");
    check(json!({"pinned": {"$lt": true}}), "b");
}

#[test]
fn texts() {
    check(json!({"title": {"$like": "%l%"}}), "a");
    check(json!({"title": {"$like": "%100\\%"}}), "b");
    check(json!({"title": {"$like": "a%"}}), "");
    check(json!({"title": {"$ilike": "a%"}}), "a");
    check(json!({"title": {"$ilike": "BETA ___%"}}), "b");
    check(json!({"title": {"$contains": "0%"}}), "b");
    check(json!({"title": {"$contains": ""}}), "ab");
    check(json!({"$not": {"title": {"$like": "%l%"}}}), "bc");
    check(json!({"$not": {"title": {"$contains": "eta"}}}), "ac");
}

#[test]
fn items() {
    let lists = |where_: Json, expected: &str| {
        let rows: Vec<_> =
            [json!(["x", 1, true]), json!([1.0, "1", [2]]), json!({"0": "x"}), json!("x"), Json::Null]
                .into_iter()
                .zip(["a", "b", "c", "d", "e"])
                .map(|(extra, id)| row(id, &json!({"extra": extra})))
                .collect();
        check_among(&rows, where_, expected);
    };
    lists(json!({"extra": {"$contains": "x"}}), "a");
    lists(json!({"extra": {"$contains": 1}}), "ab");
    lists(json!({"extra": {"$contains": "1"}}), "b");
    lists(json!({"extra": {"$contains": true}}), "a");
    lists(json!({"extra": {"$contains": 2}}), "");
    lists(json!({"$not": {"extra": {"$contains": "x"}}}), "bcde");
}

#[test]
fn joints() {
    check(json!({"$or": [{"pinned": true}, {"title": null}]}), "ac");
    check(json!({"$and": [{"pinned": {"$ne": true}}, {"title": {"$ne": null}}]}), "b");
    check(json!({"$or": []}), "");
    check(json!({"$and": []}), "abc");
    check(json!({"$not": {"$or": [{"pinned": true}, {"position": {"$gte": 2}}]}}), "c");
    check(json!({"$not": {"$not": {"pinned": true}}}), "a");
}
