//! One query, answered once.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use corella_query::Query;
use corella_store::SeenPage;
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, JsonObject};
use crate::{App, Failure};

/// `POST /api/query`
pub(super) async fn query(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    JsonObject(query): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let query = Query::read(&app.manifest(), &Json::Object(query))?;
    let SeenPage { rows, cursor, seq } = app.store.list(&caller.tenant, &caller.access(), &query).await?;
    let rows: Vec<Map<String, Json>> = rows.iter().map(|row| row.show(&query)).collect();
    Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0, "epoch": app.store.epoch() })))
}
