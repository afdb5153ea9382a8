//! The SQL as it is sent.

use corella_query::{Dialect, QueryTexts};
use serde_json::json;

use crate::fixture::{parse, parse_texts, row};

fn statement(entity: &str, dialect: Dialect, where_: &str, order_by: &str, follows: bool) -> String {
    let mut texts = QueryTexts { where_: Some(where_), order_by: Some(order_by), ..QueryTexts::default() };
    let query = parse_texts(entity, texts).expect("the query is valid");
    let cursor = query.cursor_after(&row("r1", &json!({"title": "T", "position": 1.5}))).to_string();
    texts.cursor = follows.then_some(cursor.as_str());
    let query = parse_texts(entity, texts).expect("the query is valid");
    let statement = query.to_statement(dialect, "acme");
    let (_, behind_where) = statement.text.split_once(" FROM ").expect("a statement selects from a table");
    let parameters = statement.parameters.iter().map(|value| value.to_json().to_string());
    format!("{behind_where}\n{}", parameters.collect::<Vec<_>>().join(" "))
}

const WHERE: &str = r#"{"pinned": true, "position": {"$gt": 1}, "title": {"$ilike": "P%", "$ne": "x"}}"#;
const ORDER: &str = r#"["title", {"position": "desc"}]"#;

#[test]
fn sqlite() {
    insta::assert_snapshot!(statement("Note", Dialect::Sqlite, WHERE, ORDER, true), @r#"
    "Note" AS r WHERE r."corella_tenant" = ?1 AND ((r."pinned" = ?2 AND r."position" > ?3) AND (lower(r."title") GLOB ?4 AND r."title" IS NOT ?5)) AND (r."title" >= ?6 AND (r."title" > ?6 OR (r."title" = ?6 AND ((r."position" < ?7 OR r."position" IS NULL) OR (r."position" = ?7 AND r."id" < ?8))))) ORDER BY r."title" ASC NULLS FIRST, r."position" DESC NULLS LAST, r."id" DESC LIMIT ?9
    "acme" true 1.0 "p*" "x" "T" 1.5 "r1" 101
    "#);
}

#[test]
fn postgres() {
    insta::assert_snapshot!(statement("Note", Dialect::Postgres, WHERE, ORDER, true), @r#"
    "Note" AS r WHERE r."corella_tenant" = $1 AND ((r."pinned" = $2 AND r."position" > $3) AND (lower(r."title" COLLATE "C") LIKE $4 AND r."title" IS DISTINCT FROM $5)) AND (r."title" COLLATE "C" >= $6 AND (r."title" COLLATE "C" > $6 OR (r."title" = $6 AND ((r."position" < $7 OR r."position" IS NULL) OR (r."position" = $7 AND r."id" COLLATE "C" < $8))))) ORDER BY r."title" COLLATE "C" ASC NULLS FIRST, r."position" DESC NULLS LAST, r."id" COLLATE "C" DESC LIMIT $9
    "acme" true 1.0 "p%" "x" "T" 1.5 "r1" 101
    "#);
}

#[test]
fn an_open_entity_gives_its_whole_value_last() {
    let query = parse_texts("Board", QueryTexts::default()).expect("the query is valid");
    insta::assert_snapshot!(query.to_statement(Dialect::Sqlite, "acme").text, @r#"SELECT r."id", r."title", r."value" FROM "Board" AS r WHERE r."corella_tenant" = ?1 ORDER BY r."id" ASC LIMIT ?2"#);
}

#[test]
fn a_query_says_how_it_is_answered() {
    let explained =
        |where_| parse(where_, json!("count"), 5, None).expect("the query is valid").explain(Dialect::Sqlite);
    let indexed = explained(json!({"author": "u1", "count": {"$gte": 1}, "title": {"$like": "a%"}}));
    assert_eq!(
        indexed["live"],
        json!({"found": "index", "index": [{"equal": ["author"], "within": "count"}]}),
    );
    assert!(indexed["sql"].as_str().is_some_and(|sql| sql.starts_with("SELECT ")), "{indexed}");
    assert_eq!(explained(json!({"title": {"$like": "a%"}}))["live"], json!({"found": "scan", "index": []}));
}
