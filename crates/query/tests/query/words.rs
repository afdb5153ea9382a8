//! Words that rows have in their texts.

use corella_manifest::Value;
use corella_query::{Dialect, Query, QueryError};
use serde_json::{Value as Json, json};

use crate::{
    database::{Database, TENANT},
    fixture::{manifest, row},
};

fn read(json: &Json) -> Result<Query, QueryError> {
    Query::read(&manifest(), json)
}

/// The errors about these queries, one per line.
fn told(queries: &[Json]) -> String {
    let tell = |query: &Json| {
        let error = read(query).expect_err("the query should be refused");
        format!("{} | {error}", error.kind.code())
    };
    queries.iter().map(tell).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_wrong_is_told() {
    insta::assert_snapshot!(told(&[
        json!({"from": "Board", "match": "plan"}),
        json!({"from": "Note", "match": ["plan"]}),
        json!({"from": "Note", "match": "plan", "where": {"$match": "plan"}}),
        json!({"from": "Note", "where": {"$match": "a", "$and": [{"$match": "b"}]}}),
        json!({"from": "Note", "where": {"$or": [{"$match": "plan"}]}}),
        json!({"from": "Note", "where": {"$not": {"$match": "plan"}}}),
        json!({"from": "Note", "where": {"title": {"$match": "plan"}}}),
        json!({"from": "Note", "match": "x".repeat(1_001)}),
        json!({"from": "Note", "match": "w ".repeat(33)}),
        json!({"from": "Note", "orderBy": "corella_rank", "match": "plan"}),
    ]), @r#"
    operator_not_applicable | match: expected an entity that declares `search`, found Board, which declares none; add "search": {"text": ["title"]} to it in the manifest
    wrong_type | match: expected the words to look for as a text, such as "blue plan", found a list of 1 item
    malformed_query | match: expected words to look for in one place of a query, found several
    malformed_query | match: expected words to look for in one place of a query, found several
    unknown_operator | where.$or[0].$match: expected $match where every row has to have the words: at the top of a query's where, or in $and there, found `$match` within another condition, or of rows that a relation leads to
    unknown_operator | where.$not.$match: expected $match where every row has to have the words: at the top of a query's where, or in $and there, found `$match` within another condition, or of rows that a relation leads to
    unknown_operator | where.title.$match: expected $match where every row has to have the words: at the top of a query's where, or in $and there, found `$match` of one column
    query_too_large | match: expected a text of at most 1000 bytes, found 1001
    query_too_large | match: expected at most 32 words, found 33
    unknown_column | orderBy: expected a column of Note, found `corella_rank`
    "#);
}

#[test]
fn a_cursor_is_of_its_words() {
    let query = read(&json!({"from": "Note", "match": "plan"})).expect("the query is valid");
    let place = row("r1", &json!({"title": "plan"}));
    let ranked = [place, vec![Value::Int(7)]].concat();
    let cursor = query.cursor_after(&ranked).to_string();
    read(&json!({"from": "Note", "match": "PLAN", "cursor": cursor})).expect_err("other words");
    read(&json!({"from": "Note", "cursor": cursor})).expect_err("no words");
    let next = read(&json!({"from": "Note", "where": {"$and": [{"$match": "plan"}]}, "cursor": cursor}));
    assert_eq!(
        next.expect("the same query").after().expect("it has a place").values(),
        [Value::Int(7), Value::Text("r1".into())]
    );
}

#[test]
fn the_words_are_bound() {
    let query =
        json!({"from": "Note", "match": "blue \"great plan\" pai*", "where": {"pinned": true}, "limit": 5});
    let query = read(&query).expect("the query is valid");
    let shown = |dialect| {
        let statement = query.to_statement(dialect, TENANT);
        let (_, from) = statement.text.split_once("\"extra\"").expect("all columns are selected");
        let parameters = statement.parameters.iter().map(|value| value.to_json().to_string());
        format!("{from}\n{}", parameters.collect::<Vec<_>>().join(" "))
    };
    insta::assert_snapshot!(shown(Dialect::Sqlite), @r#"
    , ((length(highlight(m0."corella_Note_search_words_0e99fd81", 0, char(1), '')) - length(m0.words)) * 1000000 / (200 + length(m0.words))) FROM "corella_Note_search_words_0e99fd81" AS m0 CROSS JOIN "corella_Note_search_places_54131eb0" AS p0 ON m0.rowid = p0.place CROSS JOIN "Note" AS r ON r.corella_tenant = p0.corella_tenant AND r.id = p0.id WHERE r."corella_tenant" = ?1 AND m0."corella_Note_search_words_0e99fd81" MATCH ?2 AND r."pinned" = ?3 ORDER BY ((length(highlight(m0."corella_Note_search_words_0e99fd81", 0, char(1), '')) - length(m0.words)) * 1000000 / (200 + length(m0.words))) DESC, r."id" ASC LIMIT ?4
    "acme" "\"blue\" AND \"great plan\" AND \"pai\"*" true 6
    "#);
    insta::assert_snapshot!(shown(Dialect::Postgres), @r#"
    , (ts_rank(r."corella_search", ((phraseto_tsquery('pg_catalog.english'::regconfig, $2)) && (phraseto_tsquery('pg_catalog.english'::regconfig, $3)) && (to_tsquery('pg_catalog.english'::regconfig, $4))))::double precision * 1000000000000 / (50 + length(r."corella_search")))::bigint FROM "Note" AS r WHERE r."corella_tenant" = $1 AND r."corella_search" @@ ((phraseto_tsquery('pg_catalog.english'::regconfig, $2)) && (phraseto_tsquery('pg_catalog.english'::regconfig, $3)) && (to_tsquery('pg_catalog.english'::regconfig, $4))) AND r."pinned" = $5 ORDER BY (ts_rank(r."corella_search", ((phraseto_tsquery('pg_catalog.english'::regconfig, $2)) && (phraseto_tsquery('pg_catalog.english'::regconfig, $3)) && (to_tsquery('pg_catalog.english'::regconfig, $4))))::double precision * 1000000000000 / (50 + length(r."corella_search")))::bigint DESC, r."id" COLLATE "C" ASC LIMIT $6
    "acme" "blue" "great plan" "'pai':*" true 6
    "#);
    Database::new().prepare(&query.to_statement(Dialect::Sqlite, TENANT));
}

#[test]
fn words_lead_unless_rows_are_named() {
    let database =
        Database::with_rows(&[row("r1", &json!({"title": "plan"})), row("r2", &json!({"title": "Plans"}))]);
    let plan = |query: Json| {
        let query = read(&query).expect("the query is valid");
        let plan = database.plan(&query.to_statement(Dialect::Sqlite, TENANT));
        let first = plan.lines().next().unwrap_or_default().to_owned();
        (first, database.page(&query).0.len())
    };
    let (first, found) = plan(json!({"from": "Note", "match": "plan"}));
    assert!(first.contains("VIRTUAL TABLE"), "{first}");
    assert_eq!(found, 2);
    let (first, found) =
        plan(json!({"from": "Note", "match": "plan", "where": {"id": {"$in": ["r1", "r3"]}}}));
    assert!(first.contains("SEARCH r USING"), "{first}");
    assert_eq!(found, 1);
}
