//! The answer in SQL equals the answer in memory, page by page.

use corella_manifest::Value;
use corella_query::{Cursor, Dialect, QueryTexts};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value as Json, json};

use crate::{
    database::{Database, TENANT},
    fixture::{empty_row, parse, parse_texts},
    generate::{any_json, condition, float, order, pattern, rows, stored_text},
};

/// Asks for all pages of a query and returns their rows in a row.
fn all_pages(database: &Database, where_: &Json, order_by: &Json, limit: u32) -> Vec<Vec<Value>> {
    let mut collected = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query =
            parse(where_.clone(), order_by.clone(), limit, cursor.as_deref()).expect("the query is valid");
        let (page, has_more) = database.page(&query);
        for row in &page {
            assert!(query.matches(row), "{row:?} is in the answer but does not match");
        }
        cursor = page.last().map(|row| query.cursor_after(row).to_string());
        collected.extend(page);
        if !has_more {
            return collected;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn sql_and_memory_give_the_same_rows_in_the_same_order(
        rows in rows(), where_ in condition(), order_by in order(), limit in 1_u32..8
    ) {
        let query = parse(where_.clone(), order_by.clone(), limit, None).expect("the query is valid");
        let mut expected: Vec<Vec<Value>> = rows.iter().filter(|row| query.matches(*row)).cloned().collect();
        expected.sort_by(|left, right| query.compare(left, right));
        let database = Database::with_rows(&rows);
        prop_assert_eq!(all_pages(&database, &where_, &order_by, limit), expected);
    }

    #[test]
    fn a_filter_and_its_opposite_share_all_rows_between_them(rows in rows(), where_ in condition()) {
        let database = Database::with_rows(&rows);
        let opposite = json!({"$not": where_.clone()});
        let [held, failed] = [where_, opposite]
            .map(|where_| all_pages(&database, &where_, &Json::Null, 100).len());
        prop_assert_eq!(held + failed, rows.len());
    }

    #[test]
    fn patterns_fit_the_same_texts(
        texts in vec(stored_text(), 1..30), pattern in pattern(), operator in select(vec!["$like", "$ilike"])
    ) {
        let rows: Vec<_> = texts.into_iter().chain(["a", "A", "[a]", "[A]"].map(String::from)).enumerate()
            .map(|(index, text)| {
                let mut row = empty_row(&format!("{index:03}"));
                row[1] = Value::Text(text.into());
                row
            })
            .collect();
        let where_ = json!({"title": {operator: pattern}});
        let query = parse(where_.clone(), Json::Null, 100, None).expect("the query is valid");
        let expected: Vec<_> = rows.iter().filter(|row| query.matches(*row)).cloned().collect();
        prop_assert_eq!(all_pages(&Database::with_rows(&rows), &where_, &Json::Null, 100), expected);
    }

    #[test]
    fn a_number_comes_back_to_the_last_bit(number in float()) {
        let mut row = empty_row("a");
        row[6] = Value::Float(number);
        let where_ = json!({"position": number}).to_string();
        let order_by = Some(r#""position""#);
        let texts = QueryTexts { where_: Some(&where_), order_by, ..QueryTexts::default() };
        let query = parse_texts("Note", texts).expect("the query is valid");
        prop_assert!(query.matches(&row), "{}", where_);
        let cursor = query.cursor_after(&row).to_string();
        let query = parse_texts("Note", QueryTexts { cursor: Some(&cursor), ..texts }).expect("the cursor is valid");
        prop_assert_eq!(query.after().map(Cursor::values), Some(&[row[6].clone(), row[0].clone()][..]));
    }

    #[test]
    fn any_json_is_a_query_or_an_error(where_ in any_json(), order_by in any_json(), cursor in any::<Option<String>>()) {
        match parse(where_, order_by, 10, cursor.as_deref()) {
            Ok(query) => {
                Database::new().prepare(&query.to_statement(Dialect::Sqlite, TENANT));
                query.matches(&empty_row("a"));
                prop_assert!(query.to_statement(Dialect::Postgres, TENANT).text.contains("$1"));
            }
            Err(error) => {
                let line = error.to_string();
                prop_assert!(!line.contains('\n') && line.len() < 4_000, "{line:?}");
            }
        }
    }
}
