//! One query, answered once.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use corella_live::{OneAnswer, answer_once};
use corella_query::Query;
use serde_json::{Value as Json, json};

use super::caller::{Caller, JsonObject};
use crate::{App, Failure};

/// `POST /api/query`
pub(super) async fn query(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    JsonObject(query): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let query = Query::read(&app.manifest(), &Json::Object(query))?;
    let OneAnswer { rows, cursor, seq } = answer_once(&app.store, &caller.tenant, &query).await?;
    Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0, "epoch": app.store.epoch() })))
}
