//! What is said about live queries.
//!
//! A client states a query under a `ref` of its own and is sent a `snapshot`, the whole answer. From then on each commit
//! that changes one or more of its answers brings one `changes` with what became of each.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A query whose answer the client wants to know from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    /// What messages about the answer name; of the client's choice, and once on a connection.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The query, such as `{"from": "Note", "where": {"pinned": true}, "orderBy": "title", "limit": 20}`.
    pub query: Value,
    /// The answer that the client has already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Whether every change of a row's document is told, such as one of marks alone, which no column shows.
    #[serde(default, skip_serializing_if = "is_false")]
    pub documents: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// An answer that a client has kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Since {
    /// The epoch of the database that it came from.
    pub epoch: String,
    /// Its version: the `seq` of the last message about it.
    pub seq: u64,
    /// The ids of its rows, in any order.
    pub ids: Vec<String>,
}

/// A query whose answer the client does not want to know any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unsubscribe {
    /// The `ref` of the query.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// A question that is answered once all answers have a change in them, such as the client's own mutation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Await {
    /// What the answer is to name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The change, as the answer to a mutation named it.
    pub seq: u64,
}

/// The answer to an [`Await`]: what came before it on this connection has the change in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The `ref` of the [`Await`].
    #[serde(rename = "ref")]
    pub reference: String,
    /// The change that was asked for.
    pub seq: u64,
}

/// The whole answer to a query, in the place of what the client has of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The `ref` of the query.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Its version: the last change that it has in it.
    pub seq: u64,
    /// The epoch of the database, to be named in [`Since`].
    pub epoch: String,
    /// Its rows in their order.
    pub rows: Vec<Map<String, Value>>,
    /// Where the next page starts, when the query has a limit and there is one.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// What one commit made of the answers to a client's queries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Their version now.
    pub seq: u64,
    /// The answers that have changed.
    pub answers: Vec<AnswerChange>,
}

/// What became of one answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerChange {
    /// The `ref` of the query.
    #[serde(rename = "ref")]
    pub reference: String,
    /// What became of it.
    #[serde(flatten)]
    pub difference: Difference,
}

/// What a client does to an answer: take out the rows of `remove` and those of `upsert` that have a place, then put these
/// in again, one after the other; the others stay and take the columns that are named.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Rows that are new in the answer, have changed or have moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upsert: Vec<Upsert>,
    /// The ids of rows that are not in the answer any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// A row that is new in an answer, has changed or has moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upsert {
    /// Its id.
    pub id: String,
    /// Its place in the answer, counted from 0, when it is new or has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<usize>,
    /// The columns that have changed; all of them when it is new.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub row: Map<String, Value>,
    /// What became of the rows that it brings with it, by the name of the relation; a new row has them among its columns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, PartChange>,
}

/// What became of the rows that a row brings with it through one relation. One that leads to a single row is a list of one
/// row, or of none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PartChange {
    /// They are others now.
    Whole {
        /// All of them in their order.
        rows: Vec<Map<String, Value>>,
    },
    /// Some of them have changed.
    Some(Difference),
}

/// A [`Difference`] as text, written once for all who are sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedDifference(Arc<str>);

impl Difference {
    /// The difference as text.
    #[must_use]
    pub fn encode(&self) -> EncodedDifference {
        let text = serde_json::to_string(self).expect("keys are strings, and no value refuses to be written");
        // What stands behind the `ref`, with the brace that closes.
        let behind = &text[1..];
        EncodedDifference(if behind == "}" { behind.into() } else { format!(",{behind}").into() })
    }
}

/// The rows of a [`Snapshot`] as text, written once for all who are sent them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedRows(Arc<str>);

impl EncodedRows {
    /// These rows and this cursor as text.
    #[must_use]
    pub fn new(rows: &[Map<String, Value>], cursor: Option<&str>) -> Self {
        let rows = serde_json::to_string(rows).expect("keys are strings, and no value refuses to be written");
        Self(format!(r#""rows":{rows},"cursor":{}}}"#, quoted_or_null(cursor)).into())
    }

    /// How long the text is, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text; there always is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A [`Snapshot`] as a text frame.
#[must_use]
pub fn encode_snapshot(reference: &str, seq: u64, epoch: &str, rows: &EncodedRows) -> String {
    let (reference, epoch, rows) = (quoted(reference), quoted(epoch), &rows.0);
    format!(r#"{{"type":"snapshot","ref":{reference},"seq":{seq},"epoch":{epoch},{rows}"#)
}

/// A [`Changes`] as a text frame.
#[must_use]
pub fn encode_changes<'a>(
    seq: u64,
    answers: impl IntoIterator<Item = (&'a str, &'a EncodedDifference)>,
) -> String {
    let mut text = format!(r#"{{"type":"changes","seq":{seq},"answers":["#);
    for (index, (reference, EncodedDifference(behind))) in answers.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(r#"{"ref":"#);
        text.push_str(&quoted(reference));
        text.push_str(behind);
    }
    text.push_str("]}");
    text
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn quoted_or_null(text: Option<&str>) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::ServerMessage;

    #[test]
    fn what_is_written_in_parts_reads_as_a_whole() {
        let upsert = Upsert {
            id: "n1".into(),
            at: Some(0),
            row: Map::from_iter([("a".into(), json!(1))]),
            parts: BTreeMap::new(),
        };
        let some = Difference { upsert: vec![upsert], remove: vec!["n2".into()] };
        let none = Difference::default();
        let (first, second) = (some.encode(), none.encode());
        let text = encode_changes(7, [("a\"b", &first), ("c", &second)]);
        insta::assert_snapshot!(text, @r#"{"type":"changes","seq":7,"answers":[{"ref":"a\"b","upsert":[{"id":"n1","at":0,"row":{"a":1}}],"remove":["n2"]},{"ref":"c"}]}"#);
        let answers = vec![
            AnswerChange { reference: "a\"b".into(), difference: some },
            AnswerChange { reference: "c".into(), difference: none },
        ];
        let whole = ServerMessage::Changes(Changes { seq: 7, answers });
        assert_eq!(serde_json::from_str::<ServerMessage>(&text).unwrap(), whole);
        assert_eq!(whole.encode(), text);

        let rows = vec![Map::from_iter([("id".into(), json!("n1"))])];
        let text = encode_snapshot("s", 7, "e", &EncodedRows::new(&rows, Some("c")));
        insta::assert_snapshot!(text, @r#"{"type":"snapshot","ref":"s","seq":7,"epoch":"e","rows":[{"id":"n1"}],"cursor":"c"}"#);
        let cursor = Some("c".into());
        let whole = ServerMessage::Snapshot(Snapshot {
            reference: "s".into(),
            seq: 7,
            epoch: "e".into(),
            rows,
            cursor,
        });
        assert_eq!(serde_json::from_str::<ServerMessage>(&text).unwrap(), whole);
        assert_eq!(whole.encode(), text);
    }
}
