//! What a refused query is told.

use corella_query::QueryTexts;

use crate::fixture::parse_texts;

fn told(entity: &str, texts: QueryTexts<'_>) -> String {
    let error = parse_texts(entity, texts).expect_err("the query should be refused");
    format!("{} | {error}", error.kind.code())
}

/// The errors about these texts as `where`, one per line.
fn wheres(texts: &[&str]) -> String {
    let each =
        texts.iter().map(|text| told("Note", QueryTexts { where_: Some(text), ..QueryTexts::default() }));
    each.collect::<Vec<_>>().join("\n")
}

/// The errors about these texts as `orderBy`, one per line.
fn orders(texts: &[&str]) -> String {
    let each =
        texts.iter().map(|text| told("Note", QueryTexts { order_by: Some(text), ..QueryTexts::default() }));
    each.collect::<Vec<_>>().join("\n")
}

#[test]
fn names() {
    insta::assert_snapshot!(told("Notes", QueryTexts::default()), @"unknown_entity | entity: expected an entity of the manifest, found `Notes`; did you mean `Note`?");
    insta::assert_snapshot!(told("Zebra\n", QueryTexts::default()), @r"unknown_entity | entity: expected an entity of the manifest, found `Zebra\u{a}`");
    insta::assert_snapshot!(wheres(&[
        r#"{"titel": 1}"#,
        r#"{"corella_tenant": "other"}"#,
        r#"{"value": 1}"#,
        r#"{"$or": [{}, {"$and": [{"TITLE": 1}]}]}"#,
        r#"{"\u202Eltit\n": 1}"#,
    ]), @r"
    unknown_column | where.titel: expected a column of Note, found `titel`; did you mean `title`?
    unknown_column | where.corella_tenant: expected a column of Note, found `corella_tenant`
    unknown_column | where.value: expected a column of Note, found `value`
    unknown_column | where.$or[1].$and[0].TITLE: expected a column of Note, found `TITLE`; did you mean `title`?
    unknown_column | where.\u{202e}ltit\u{a}: expected a column of Note, found `\u{202e}ltit\u{a}`
    ");
}

#[test]
fn operators() {
    insta::assert_snapshot!(wheres(&[
        r#"{"position": {"$greater": 1}}"#,
        r#"{"position": {"$get": 1}}"#,
        r#"{"position": {"gt": 1}}"#,
        r#"{"$nor": []}"#,
        r#"{"$gt": 1}"#,
        r#"{"position": {}}"#,
        r#"{"position": {"$like": "1%"}}"#,
        r#"{"extra": {"$eq": {"a": 1}}}"#,
        r#"{"extra": 1}"#,
    ]), @r#"
    unknown_operator | where.position.$greater: expected one of $eq $ne $gt $gte $lt $lte $in $nin $like $ilike $contains $exists, found `$greater`
    unknown_operator | where.position.$get: expected one of $eq $ne $gt $gte $lt $lte $in $nin $like $ilike $contains $exists, found `$get`; did you mean `$gt`?
    unknown_operator | where.position.gt: expected one of $eq $ne $gt $gte $lt $lte $in $nin $like $ilike $contains $exists, found `gt`; did you mean `$gt`?
    unknown_operator | where.$nor: expected a column, $and, $or or $not, found `$nor`; did you mean `$or`?
    unknown_operator | where.$gt: expected a column around the operator, as in {"column": {"$gt": …}}, found `$gt` by itself
    malformed_query | where.position: expected a value, or operators such as {"$gt": …}, found an object of 0 keys
    operator_not_applicable | where.position.$like: expected a column of texts, found `position`, which is float
    operator_not_applicable | where.extra.$eq: expected null, $exists or $contains: json columns cannot be compared, found an object of 1 key
    operator_not_applicable | where.extra: expected null, $exists or $contains: json columns cannot be compared, found 1
    "#);
}

#[test]
fn literals() {
    insta::assert_snapshot!(wheres(&[
        r#"{"position": {"$gt": "high"}}"#,
        r#"{"count": 1.5}"#,
        r#"{"count": 9223372036854775808}"#,
        r#"{"color": "pink"}"#,
        r#"{"created": "yesterday"}"#,
        r#"{"author": "no such id"}"#,
        r#"{"id": {"$in": ["a", ""]}}"#,
        r#"{"raw": "?"}"#,
        r#"{"pinned": 1}"#,
        r#"{"pinned": [true]}"#,
        r#"{"title": "a\u0000b"}"#,
        r#"{"title": {"$in": "a"}}"#,
        r#"{"title": {"$contains": null}}"#,
        r#"{"title": {"$like": "a\\"}}"#,
        r#"{"title": {"$like": "\uFFFD"}}"#,
        r#"{"title": {"$exists": 1}}"#,
    ]), @r#"
    wrong_type | where.position.$gt: expected a finite number, found "high"
    wrong_type | where.count: expected a whole number of 64 bits (as a string beyond 2^53), found 1.5
    wrong_type | where.count: expected a whole number of 64 bits (as a string beyond 2^53), found 9223372036854775808
    wrong_type | where.color: expected one of red, green, Blue, found "pink"
    wrong_type | where.created: expected a time such as 2026-11-20T06:14:00Z, found "yesterday"
    wrong_type | where.author: expected the id of a row of User: 1 to 64 of A-Z a-z 0-9 _ -, found "no such id"
    wrong_type | where.id.$in[1]: expected the id of a row of Note: 1 to 64 of A-Z a-z 0-9 _ -, found ""
    wrong_type | where.raw: expected bytes in base64, found "?"
    wrong_type | where.pinned: expected true or false, found 1
    wrong_type | where.pinned: expected true or false, found a list of 1 item
    wrong_type | where.title: expected a string without U+0000, found one at byte 1
    malformed_query | where.title.$in: expected a list of values, found "a"
    wrong_type | where.title.$contains: expected a string, found null
    wrong_type | where.title.$like: expected a character after the last `\` (`\\` stands for the character itself), found the end
    wrong_type | where.title.$like: expected a pattern without U+0000 and U+FFFD to U+FFFF, found U+FFFD
    wrong_type | where.title.$exists: expected true or false, found 1
    "#);
}

#[test]
fn shapes() {
    insta::assert_snapshot!(wheres(&["", "{", "[]", "null", r#"{"$and": {}}"#, r#"{"$or": [1]}"#, r#"{"$not": []}"#]), @r#"
    malformed_query | where: expected JSON such as {"title": "Plan"}, found `` (EOF while parsing a value at line 1 column 0)
    malformed_query | where: expected JSON such as {"title": "Plan"}, found `{` (EOF while parsing an object at line 1 column 1)
    malformed_query | where: expected an object such as {"title": "Plan"}, found a list of 0 items
    malformed_query | where: expected an object such as {"title": "Plan"}, found null
    malformed_query | where.$and: expected a list of conditions, found an object of 0 keys
    malformed_query | where.$or[0]: expected an object such as {"title": "Plan"}, found 1
    malformed_query | where.$not: expected an object such as {"title": "Plan"}, found a list of 0 items
    "#);
}

#[test]
fn order() {
    insta::assert_snapshot!(orders(&[
        "created",
        r#""creatd""#,
        r#"["title", 1]"#,
        r#"["title", {"created": "down"}]"#,
        r#"{"created": "DESC"}"#,
        r#"{"title": "asc", "created": "desc"}"#,
        r#"["title", {"title": "desc"}]"#,
        r#""body""#,
        r#""extra""#,
    ]), @r#"
    malformed_query | orderBy: expected JSON such as "title" or {"title": "desc"}, found `created` (expected value at line 1 column 1)
    unknown_column | orderBy: expected a column of Note, found `creatd`; did you mean `created`?
    malformed_query | orderBy[1]: expected a column such as "created" or {"created": "desc"}, found 1
    malformed_query | orderBy[1].created: expected "asc" or "desc", found "down"
    malformed_query | orderBy.created: expected "asc" or "desc", found "DESC"; did you mean `desc`?
    malformed_query | orderBy: expected one column per object, such as [{"a": "desc"}, {"b": "asc"}], found an object of 2 keys
    malformed_query | orderBy[1]: expected each column once, found `title` a second time
    operator_not_applicable | orderBy: expected a column that rows can be ordered by (not json, richtext or document), found `body`, which is richtext
    operator_not_applicable | orderBy: expected a column that rows can be ordered by (not json, richtext or document), found `extra`, which is json
    "#);
}

#[test]
fn limit_and_cursor() {
    let limit = |text| told("Note", QueryTexts { limit: Some(text), ..QueryTexts::default() });
    insta::assert_snapshot!(["0", "10001", "-1", "many", "99999999999999999999"].map(limit).join("\n"), @"
    invalid_limit | limit: expected a whole number from 1 to 10000, found 0
    invalid_limit | limit: expected a whole number from 1 to 10000, found 10001
    invalid_limit | limit: expected a whole number from 1 to 10000, found -1
    invalid_limit | limit: expected a whole number from 1 to 10000, found many
    invalid_limit | limit: expected a whole number from 1 to 10000, found 99999999999999999999
    ");
    let cursor = |text| told("Note", QueryTexts { cursor: Some(text), ..QueryTexts::default() });
    insta::assert_snapshot!(cursor("xyz"), @"invalid_cursor | cursor: expected a cursor as an answer gave it, found something else; start again without one");
    let board = parse_texts("Board", QueryTexts::default()).expect("the query is valid");
    let of_board = board.cursor_after(&crate::fixture::empty_row("a")).to_string();
    insta::assert_snapshot!(cursor(&of_board), @"foreign_cursor | cursor: expected a cursor of this query, found one of a query with another entity, where or orderBy; start again without one");
}
