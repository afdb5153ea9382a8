//! A query at its bounds still runs; one beyond them is refused.

use corella_query::{Dialect, Query};
use serde_json::{Value as Json, json};

use crate::{
    database::{Database, TENANT},
    fixture::{empty_row, parse},
};

/// Runs a query that is as large as one may be.
#[track_caller]
fn runs(where_: Json, order_by: Json) {
    let query = parse(where_, order_by, 10, None).expect("the query is within bounds");
    let cursor = query.cursor_after(&empty_row("a"));
    assert_eq!(cursor.values().len(), query.order().len());
    let database = Database::with_rows(&[empty_row("a")]);
    let (page, _) = database.page(&query);
    assert_eq!(page.len(), usize::from(query.matches(&empty_row("a"))));
    database.prepare(&query.to_statement(Dialect::Sqlite, TENANT));
}

fn refusal(result: Result<Query, corella_query::QueryError>) -> String {
    result.expect_err("the query is too large").to_string()
}

fn nested(depth: usize, joint: &str) -> Json {
    let wrap = |inner: Json| match joint {
        "$not" => json!({"$not": inner}),
        _ => json!({joint: [{"position": {"$lt": 1}}, inner]}),
    };
    (1..depth).fold(json!({"pinned": true}), |inner, _| wrap(inner))
}

#[test]
fn terms() {
    let items =
        |count: usize| (0..count).map(|index| json!({"title": {"$like": format!("%{index}")}})).collect();
    let list = |joint: &str, count: usize| json!({joint: Json::Array(items(count))});
    runs(list("$or", 999), Json::Null);
    runs(list("$and", 999), Json::Null);
    runs(json!({"$not": list("$or", 998)}), Json::Null);
    let error = refusal(parse(list("$or", 1_000), Json::Null, 10, None));
    insta::assert_snapshot!(error, @"where.$or[999].title.$like: expected at most 1000 tests and joints in all, found more");
}

#[test]
fn depth() {
    for joint in ["$or", "$and", "$not"] {
        runs(nested(32, joint), Json::Null);
    }
    insta::assert_snapshot!(refusal(parse(nested(33, "$not"), Json::Null, 10, None)), @"where.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not.$not: expected at most 32 levels, found a deeper one");
}

#[test]
fn literals() {
    let list = |count: usize| json!({"count": {"$in": (0..count).collect::<Vec<_>>()}});
    let lists = |count: usize| json!({"$and": vec![list(1_000); count]});
    runs(lists(10), Json::Null);
    insta::assert_snapshot!(refusal(parse(lists(11), Json::Null, 10, None)), @"where.$and[10].count.$in[0]: expected at most 10000 values in all, found more");
    insta::assert_snapshot!(refusal(parse(list(1_001), Json::Null, 10, None)), @"where.count.$in: expected at most 1000 items, found 1001");
}

#[test]
fn patterns() {
    runs(json!({"title": {"$like": "%a".repeat(500)}}), Json::Null);
    let like = json!({"title": {"$like": "é".repeat(1_001)}});
    insta::assert_snapshot!(refusal(parse(like, Json::Null, 10, None)), @"where.title.$like: expected a pattern of at most 1000 characters, found 1001");
}

#[test]
fn order() {
    let columns =
        json!(["title", "pinned", "color", "position", "count", "created", "author", "raw", {"id": "desc"}]);
    runs(json!({}), columns);
    insta::assert_snapshot!(refusal(parse(json!({}), json!(vec!["title"; 17]), 10, None)), @"orderBy: expected at most 16 columns, found 17");
}
