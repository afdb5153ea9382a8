//! The place in a query's order where the next page starts.

use std::{cmp::Ordering, fmt};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use corella_manifest::{TypeMismatch, Value, is_row_id};
use serde_json::{Value as Json, json};

use crate::{Column, OrderTerm, QueryError, QueryErrorKind, RowView, compare::ascending};

/// A place in a query's order, just behind one row.
///
/// As text ([`fmt::Display`]) it is opaque: what a client is given and gives back with the same query. It
/// holds the row's values in the order's columns, so it stays good when that row changes or goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    fingerprint: u64,
    values: Vec<Value>,
}

impl Cursor {
    /// The place behind `row`.
    pub(crate) fn behind<R: RowView + ?Sized>(row: &R, order: &[OrderTerm], fingerprint: u64) -> Self {
        Self { fingerprint, values: order.iter().map(|term| row.value(&term.column).clone()).collect() }
    }

    /// Reads a cursor of the query that has this `order` and `fingerprint`.
    ///
    /// # Errors
    /// When `text` is no cursor, or one of another query.
    pub(crate) fn read(text: &str, order: &[OrderTerm], fingerprint: u64) -> Result<Self, QueryError> {
        let invalid = || {
            QueryError::new(
                QueryErrorKind::InvalidCursor,
                "cursor",
                "a cursor as an answer gave it",
                "something else; start again without one",
            )
        };
        let bytes = BASE64.decode(text).map_err(|_| invalid())?;
        let json: Json = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        let query = json.get("query").and_then(Json::as_str).ok_or_else(invalid)?;
        let after = json.get("after").and_then(Json::as_array).ok_or_else(invalid)?;
        if query != spelled(fingerprint) {
            return Err(QueryError::new(
                QueryErrorKind::ForeignCursor,
                "cursor",
                "a cursor of this query",
                "one of a query with another entity, where or orderBy; start again without one",
            ));
        }
        if after.len() != order.len() {
            return Err(invalid());
        }
        let values: Result<Vec<Value>, TypeMismatch> =
            order.iter().zip(after).map(|(term, json)| term.column.ty().reader().read(json)).collect();
        let values = values.map_err(|_| invalid())?;
        // The id is what makes the place exact, so a row's place cannot be without one.
        let has_ids = order
            .iter()
            .zip(&values)
            .filter(|(term, _)| term.column == Column::id())
            .all(|(_, value)| matches!(value, Value::Text(id) if is_row_id(id)));
        if has_ids { Ok(Self { fingerprint, values }) } else { Err(invalid()) }
    }

    /// Whether `row` lies behind this place in `order`.
    pub(crate) fn is_before<R: RowView + ?Sized>(&self, row: &R, order: &[OrderTerm]) -> bool {
        order
            .iter()
            .zip(&self.values)
            .map(|(term, value)| term.direct(ascending(value, row.value(&term.column))))
            .find(|ordering| ordering.is_ne())
            == Some(Ordering::Less)
    }

    /// The row's value in each column of the order.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after: Vec<Json> = self.values.iter().map(Value::to_json).collect();
        let json = json!({"query": spelled(self.fingerprint), "after": after});
        f.write_str(&BASE64.encode(json.to_string()))
    }
}

/// The fingerprint as text, since not every JSON reader keeps 64 bits of a number.
fn spelled(fingerprint: u64) -> String {
    format!("{fingerprint:016x}")
}
