//! No text from outside becomes SQL.

use corella_manifest::{EntityName, FieldName, Value};
use corella_query::{Dialect, Identifier, QueryTexts};
use serde_json::{Value as Json, json};

use crate::{
    database::Database,
    fixture::{parse, parse_texts, row},
};

const HOSTILE: [&str; 7] = [
    "'; DROP TABLE \"Note\"; --",
    "\" OR 1=1 --",
    "') OR ('1'='1",
    "\\'; DELETE FROM \"Note\"; --",
    "?1",
    "$1",
    "' UNION SELECT corella_tenant FROM \"Note\" --",
];

#[test]
fn literals_are_bound() {
    let rows: Vec<_> = HOSTILE
        .iter()
        .enumerate()
        .map(|(index, text)| row(&format!("row{index}"), &json!({"title": text})))
        .collect();
    let database = Database::with_rows(&rows);
    for (index, text) in HOSTILE.iter().enumerate() {
        let escaped = text.replace('\\', "\\\\");
        for test in [
            json!(text),
            json!({"$in": [text]}),
            json!({"$contains": text}),
            json!({"$like": escaped}),
            json!({"$ilike": escaped}),
        ] {
            let query =
                parse(json!({"title": test}), json!("title"), 10, None).expect("any text is a literal");
            assert_eq!(database.page(&query).0, [rows[index].clone()]);
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                let statement = query.to_statement(dialect, text);
                assert!(text.len() < 3 || !statement.text.contains(text));
                assert_eq!(statement.parameters[0], Value::Text((*text).into()));
            }
        }
    }
    assert_eq!(database.scalar("SELECT count(*) FROM \"Note\""), 2 * rows.len() as i64);
}

#[test]
fn a_forged_cursor_is_bound_too() {
    let rows = [row("a", &json!({"title": HOSTILE[0]})), row("b", &json!({"title": "b"}))];
    let database = Database::with_rows(&rows);
    let first = parse(Json::Null, json!("title"), 1, None);
    assert!(first.is_err(), "null is no condition");
    let first = parse(json!({}), json!("title"), 1, None).expect("the query is valid");
    let cursor = first.cursor_after(&rows[0]).to_string();
    let next = parse(json!({}), json!("title"), 1, Some(&cursor)).expect("the cursor is of this query");
    assert_eq!(database.page(&next).0, [rows[1].clone()]);
}

#[test]
fn names_are_the_manifests() {
    for text in HOSTILE {
        assert!(EntityName::new(text).is_err() && FieldName::new(text).is_err());
        assert!(parse_texts(text, QueryTexts::default()).is_err());
        assert!(parse(json!({text: 1}), Json::Null, 1, None).is_err());
        assert!(parse(json!({}), json!({text: "asc"}), 1, None).is_err());
    }
}

#[test]
fn an_identifier_doubles_quotes() {
    assert_eq!(Identifier::fixed("a\"b").to_string(), "\"a\"\"b\"");
}
