//! Cursors: a place in one query's order, and of no other.

use corella_query::{Dialect, Filter, Query, QueryErrorKind};
use serde_json::{Value as Json, json};

use crate::{
    database::{Database, TENANT},
    fixture::{parse, row},
};

fn cursor(where_: Json, order_by: Json) -> String {
    let query = parse(where_, order_by, 10, None).expect("the query is valid");
    query.cursor_after(&row("a", &json!({"title": "A", "position": 0.1}))).to_string()
}

fn with_cursor(where_: Json, order_by: Json, cursor: &str) -> Result<Query, QueryErrorKind> {
    parse(where_, order_by, 10, Some(cursor)).map_err(|error| error.kind)
}

#[test]
fn a_cursor_belongs_to_its_query() {
    let where_ = || json!({"pinned": true, "position": {"$gt": 1}});
    let order = || json!(["title", {"position": "desc"}]);
    let cursor = cursor(where_(), order());
    assert!(with_cursor(where_(), order(), &cursor).is_ok());
    let reordered = json!({"position": {"$gt": 1}, "pinned": true});
    assert!(with_cursor(reordered, order(), &cursor).is_ok(), "the sequence of conditions means nothing");

    let foreign = Err(QueryErrorKind::ForeignCursor);
    let kind = |result: Result<Query, QueryErrorKind>| result.map(|_| ());
    assert_eq!(kind(with_cursor(json!({"pinned": true}), order(), &cursor)), foreign);
    assert_eq!(
        kind(with_cursor(json!({"pinned": true, "position": {"$gte": 1}}), order(), &cursor)),
        foreign
    );
    assert_eq!(kind(with_cursor(where_(), json!(["title", "position"]), &cursor)), foreign);
    assert_eq!(kind(with_cursor(where_(), json!("title"), &cursor)), foreign);
}

#[test]
fn a_damaged_cursor_is_refused() {
    let whole = cursor(json!({}), json!("title"));
    let refused = Err(QueryErrorKind::InvalidCursor);
    let kind = |text: &str| with_cursor(json!({}), json!("title"), text).map(|_| ());
    assert_eq!(kind(""), refused);
    assert_eq!(kind("not base64!"), refused);
    assert_eq!(kind(&whole[..whole.len() - 4]), refused);
    assert_eq!(kind(&format!("{whole}AAAA")), refused);
}

#[test]
fn a_restriction_keeps_the_callers_cursors() {
    let query = parse(json!({}), json!("title"), 10, None).expect("the query is valid");
    let row = row("a", &json!({"title": "A"}));
    let restricted = query.clone().restricted_to(Filter::nothing());
    assert!(query.matches(&row) && !restricted.matches(&row));
    assert_eq!(restricted.cursor_after(&row), query.cursor_after(&row));
}

#[test]
fn an_index_serves_the_order_and_starts_at_the_cursor() {
    let cursor = cursor(json!({}), json!("position"));
    let query = parse(json!({}), json!("position"), 10, Some(&cursor)).expect("the query is valid");
    let plan = Database::new().plan(&query.to_statement(Dialect::Sqlite, TENANT));
    insta::assert_snapshot!(plan, @"SEARCH r USING INDEX by_position (corella_tenant=? AND position>?)");
    let query = parse(json!({}), json!({"position": "desc"}), 10, None).expect("the query is valid");
    let plan = Database::new().plan(&query.to_statement(Dialect::Sqlite, TENANT));
    insta::assert_snapshot!(plan, @"SEARCH r USING INDEX by_position (corella_tenant=?)");
}
