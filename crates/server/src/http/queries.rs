//! One query, answered once.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use corella_query::Query;
use corella_store::Page;
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
    let Page { rows, cursor, seq } = app.store.select(&caller.tenant, &query).await?;
    let rows: Vec<Map<String, Json>> = rows.iter().map(|row| query.show(&row.cells)).collect();
    Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0, "epoch": app.store.epoch() })))
}
