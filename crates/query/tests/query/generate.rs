//! Random rows, conditions and orders, drawn from small pools so that they meet.

use corella_manifest::{Value, time_text};
use jiff::Timestamp;
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Map, Value as Json, json};

/// Pieces of text that are special somewhere: in patterns, in SQL, in UTF-8.
const PIECES: [&str; 24] = [
    "", "a", "A", "b", "B", "ab", "%", "_", "*", "?", "[", "]", "[a]", "^", "-", "\\", "é", "É", "ß", "𝄞",
    "'", "\"", "\n", "';--",
];
const COLORS: [&str; 3] = ["red", "green", "Blue"];
const TEXT_COLUMNS: [&str; 6] = ["id", "title", "body", "page", "color", "author"];

fn text() -> impl Strategy<Value = String> {
    vec(select(&PIECES[..]), 0..4).prop_map(|pieces| pieces.concat())
}

/// Texts as rows may hold them: with characters that literals may not have.
pub(crate) fn stored_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => text(),
        1 => (text(), select(&["\0", "\u{FFFD}", "\u{FFFE}", "\u{FFFF}"][..]), text())
            .prop_map(|(head, rare, tail)| format!("{head}{rare}{tail}")),
        1 => any::<String>(),
    ]
}

pub(crate) fn pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => select(&["%", "_", "%", "\\%", "\\_", "\\\\", "\\a"][..]),
        4 => select(&PIECES[..]).prop_filter("a lone backslash may end the pattern", |piece| *piece != "\\"),
    ];
    vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn row_id() -> impl Strategy<Value = String> {
    "[A-Ca-c_-]{1,2}"
}

fn int() -> impl Strategy<Value = i64> {
    let edge = 1_i64 << 53;
    prop_oneof![3 => -2..3_i64, 2 => select(vec![i64::MIN, i64::MAX, i64::MAX - 1, edge - 1, edge, edge + 1, -edge - 1])]
}

pub(crate) fn float() -> impl Strategy<Value = f64> {
    let extremes = vec![
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        0.1 + 0.2,
        0.3,
        1e23,
        9_007_199_254_740_993.0,
    ];
    prop_oneof![
        3 => select(vec![0.0, -0.0, 1.0, -1.0, 1.5, 2.0]),
        2 => select(extremes),
        1 => any::<f64>().prop_filter("stored numbers are finite", |float| float.is_finite()),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    let first = -62_135_596_800_000_000_i64;
    let last = 253_402_207_199_999_999_i64;
    prop_oneof![select(vec![0, 1, -1, 1_000_000, 999_999, first, last]), first..=last]
        .prop_map(|microseconds| Timestamp::from_microsecond(microseconds).expect("the years 1 to 9999 fit"))
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(select(vec![0_u8, 1, 0x7F, 0x80, 0xFF]), 0..3)
}

/// What a list may be asked for.
fn item() -> impl Strategy<Value = Json> {
    let numbers = vec![
        json!(0),
        json!(0.0),
        json!(1),
        json!(1.0),
        json!(0.1),
        json!(-1),
        json!(i64::MAX),
        json!((1_i64 << 53) + 1),
    ];
    prop_oneof![
        2 => text().prop_map(Json::String),
        2 => select(numbers),
        1 => int().prop_map(Json::from),
        1 => any::<bool>().prop_map(Json::from),
    ]
}

fn value(column: &str) -> BoxedStrategy<Value> {
    let of_text = |text: String| Value::Text(text.into());
    let some = match column {
        "id" | "author" => row_id().prop_map(of_text).boxed(),
        "title" | "body" | "page" => stored_text().prop_map(of_text).boxed(),
        "color" => select(&COLORS[..]).prop_map(|color| Value::Text(color.into())).boxed(),
        "pinned" => any::<bool>().prop_map(Value::Bool).boxed(),
        "position" => float().prop_map(Value::Float).boxed(),
        "count" => int().prop_map(Value::Int).boxed(),
        "created" => time().prop_map(Value::Time).boxed(),
        "raw" => bytes().prop_map(|bytes| Value::Bytes(bytes.into())).boxed(),
        "extra" => prop_oneof![
            1 => select(vec![json!({"a": [1]}), json!({"0": "a"}), json!("a"), json!(0)]),
            3 => vec(prop_oneof![4 => item(), 1 => select(vec![Json::Null, json!(["a"]), json!({"a": 1}), json!(u64::MAX)])], 0..4)
                .prop_map(Json::Array),
        ].prop_map(Value::Json).boxed(),
        other => unreachable!("the fixture has no column {other}"),
    };
    if column == "id" { some } else { prop_oneof![1 => Just(Value::Null), 3 => some].boxed() }
}

const COLUMNS: [&str; 12] = [
    "id", "title", "body", "page", "pinned", "color", "position", "count", "created", "author", "raw",
    "extra",
];

/// Rows with different ids.
pub(crate) fn rows() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let row: Vec<_> = COLUMNS.iter().map(|column| value(column)).collect();
    vec(row, 0..24).prop_map(|mut rows| {
        let mut seen = std::collections::HashSet::new();
        rows.retain(|row: &Vec<Value>| seen.insert(row[0].to_json().to_string()));
        rows
    })
}

/// A literal that `column` may be compared with, null included.
fn literal(column: &str) -> BoxedStrategy<Json> {
    let some = match column {
        "title" | "body" | "page" => text().prop_map(Json::String).boxed(),
        "created" => time().prop_map(|time| Json::String(time_text(time))).boxed(),
        "count" => {
            prop_oneof![int().prop_map(Json::from), int().prop_map(|int| Json::from(int.to_string()))].boxed()
        }
        "extra" => Just(Json::Null).boxed(),
        other => value(other).prop_map(|value| value.to_json()).boxed(),
    };
    prop_oneof![12 => some, 1 => Just(Json::Null)].boxed()
}

fn test(column: &'static str) -> BoxedStrategy<Json> {
    let ordinary = (select(vec!["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]), literal(column))
        .prop_map(|(operator, literal)| json!({operator: literal}));
    let list = (select(vec!["$in", "$nin"]), vec(literal(column), 0..4))
        .prop_map(|(operator, literals)| json!({operator: literals}));
    let exists = any::<bool>().prop_map(|exists| json!({"$exists": exists}));
    let range = (literal(column), literal(column)).prop_map(|(from, to)| json!({"$gte": from, "$lt": to}));
    let all = prop_oneof![4 => ordinary, 2 => list, 1 => exists, 1 => range, 2 => literal(column)];
    if column == "extra" {
        let has = item().prop_map(|item| json!({"$contains": item}));
        return prop_oneof![1 => all, 3 => has].boxed();
    }
    if !TEXT_COLUMNS.contains(&column) {
        return all.boxed();
    }
    let like =
        (select(vec!["$like", "$ilike"]), pattern()).prop_map(|(operator, text)| json!({operator: text}));
    let contains = text().prop_map(|text| json!({"$contains": text}));
    prop_oneof![4 => all, 3 => like, 1 => contains].boxed()
}

/// A valid `where`.
pub(crate) fn condition() -> impl Strategy<Value = Json> {
    let leaf =
        select(&COLUMNS[..]).prop_flat_map(|column| test(column).prop_map(move |test| json!({column: test})));
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|all| json!({"$and": all})),
            vec(inner.clone(), 0..4).prop_map(|any| json!({"$or": any})),
            inner.clone().prop_map(|not| json!({"$not": not})),
            vec(inner, 0..3).prop_map(|objects| {
                let entries = objects.into_iter().filter_map(|json| json.as_object().cloned()).flatten();
                Json::Object(entries.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// A valid `orderBy`.
pub(crate) fn order() -> impl Strategy<Value = Json> {
    let columns = vec!["id", "title", "pinned", "color", "position", "count", "created", "author", "raw"];
    let columns = proptest::sample::subsequence(columns, 0..4).prop_shuffle();
    (columns, vec(select(vec![None, Some("asc"), Some("desc")]), 4)).prop_map(|(columns, directions)| {
        let terms = columns.into_iter().zip(directions).map(|(column, direction)| match direction {
            None => json!(column),
            Some(direction) => json!({column: direction}),
        });
        Json::Array(terms.collect())
    })
}

/// JSON of any shape, with words that a query knows in wrong places.
pub(crate) fn any_json() -> impl Strategy<Value = Json> {
    let word = prop_oneof![
        2 => select(&COLUMNS[..]).prop_map(String::from),
        2 => select(vec!["$eq", "$ne", "$gt", "$lte", "$in", "$nin", "$like", "$ilike", "$contains", "$exists"])
            .prop_map(String::from),
        2 => select(vec!["$and", "$or", "$not", "$nor", "desc", "asc", ""]).prop_map(String::from),
        1 => any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        word.clone().prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::Array),
            vec((word.clone(), inner), 0..5).prop_map(|entries| Json::Object(entries.into_iter().collect())),
        ]
    })
}
