//! Several rows changed together.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State, http::HeaderMap};
use corella_rowdoc::RowKey;
use corella_store::{MOST_ROWS, RowChange, Transaction};
use corella_wire::ErrorCode;
use serde_json::{Map, Value as Json, json};

use super::{
    caller::{Caller, JsonObject, idempotency, message},
    rows::new_id,
};
use crate::{App, Failure};

/// The keys of which a change has one.
const VERBS: [&str; 4] = ["insert", "patch", "delete", "restore"];

/// `POST /api/transactions`
pub(super) async fn transact(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let idempotency = idempotency(&caller.0, &headers, "transaction", &body)?;
    let changes = changes(body)?
        .into_iter()
        .enumerate()
        .map(|(place, change)| read(&app, &caller, change).map_err(|failure| within(place, failure)))
        .collect::<Result<Vec<(RowKey, RowChange)>, Failure>>()?;
    let keys: Vec<RowKey> = changes.iter().map(|(key, _)| key.clone()).collect();
    let transaction =
        Transaction { changes, author: caller.author(), idempotency, message: message(&headers)? };
    let written = app.store.transact(transaction).await?;
    let seq = written.iter().map(|written| written.seq.0).max().unwrap_or(0);
    let rows: Vec<Json> = keys
        .into_iter()
        .zip(written)
        .map(|(key, written)| {
            let row = written.row.unwrap_or_default();
            // A repeated request is answered with the ids that were minted the first time.
            let id = row.get("id").cloned().unwrap_or_else(|| Json::from(key.id.as_str()));
            json!({ "entity": key.entity.as_str(), "id": id, "row": row })
        })
        .collect();
    Ok(JsonBody(json!({ "rows": rows, "seq": seq })))
}

/// The changes that the body asks for.
fn changes(mut body: Map<String, Json>) -> Result<Vec<Json>, Failure> {
    let expected = format!("expected {{\"changes\": […]}} with 1 to {MOST_ROWS} changes");
    let wrong = |found: String| Failure::new(ErrorCode::InvalidJson, format!("{expected}, found {found}"));
    let changes = body.remove("changes");
    if let Some(other) = body.keys().next() {
        return Err(wrong(format!("the key {other:.60?}")));
    }
    match changes {
        Some(Json::Array(changes)) if (1..=MOST_ROWS).contains(&changes.len()) => Ok(changes),
        Some(Json::Array(changes)) if changes.len() > MOST_ROWS => {
            let found = changes.len();
            let detail = format!("{expected}, found {found}: send them in several transactions");
            Err(Failure::new(ErrorCode::TooManyRows, detail))
        }
        Some(Json::Array(_)) => Err(wrong("none".to_owned())),
        Some(_) => Err(wrong("another JSON value".to_owned())),
        None => Err(wrong("no such key".to_owned())),
    }
}

fn within(place: usize, failure: Failure) -> Failure {
    Failure { detail: format!("changes[{place}]: {}", failure.detail), ..failure }
}

/// One change: the row, and what is to become of it.
fn read(app: &App, caller: &Caller, change: Json) -> Result<(RowKey, RowChange), Failure> {
    let invalid = |detail: String| Failure::new(ErrorCode::InvalidJson, detail);
    let expected = "expected {\"entity\", \"id\", and one of \"insert\", \"patch\", \"delete\", \"restore\"}";
    let Json::Object(mut change) = change else {
        return Err(invalid(format!("{expected}, found another JSON value")));
    };
    let entity = match change.remove("entity") {
        Some(Json::String(entity)) => entity,
        Some(other) => return Err(invalid(format!("expected `entity` as a string, found {other:.60}"))),
        None => return Err(invalid(format!("{expected}, found no `entity`"))),
    };
    let id = change.remove("id").filter(|id| !id.is_null());
    let mut verbs = change.into_iter();
    let (Some((verb, what)), None) = (verbs.next(), verbs.next()) else {
        return Err(invalid(format!("{expected}, found none or several of them")));
    };
    if verb != "insert" && id.is_none() {
        return Err(Failure::new(ErrorCode::InvalidRowId, "expected the id of the row, found none"));
    }
    let change = match (verb.as_str(), what) {
        ("insert", Json::Object(fields)) => RowChange::Insert(fields),
        ("patch", Json::Object(fields)) => RowChange::Patch(fields),
        ("delete", Json::Bool(true)) => RowChange::Delete,
        ("restore", Json::Bool(true)) => RowChange::Restore,
        ("insert" | "patch", other) => {
            return Err(invalid(format!("expected `{verb}` as an object of fields, found {other:.60}")));
        }
        ("delete" | "restore", other) => {
            return Err(invalid(format!("expected `{verb}` as true, found {other:.60}")));
        }
        (other, _) => {
            return Err(invalid(format!("expected one of {}, found {other:.60?}", VERBS.join(", "))));
        }
    };
    let id = new_id(id)?;
    Ok((app.row_key(&caller.0.tenant, &entity, id.as_str())?, change))
}
