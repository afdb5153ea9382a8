//! One query, answered once, and how it is answered.

use std::sync::Arc;

use axum::{Json as JsonBody, extract::State};
use corella_live::{OneAnswer, answer_once};
use corella_query::Query;
use corella_store::SeenPage;
use serde_json::{Map, Value as Json, json};

use super::caller::{Caller, JsonObject};
use crate::{App, Failure, following};

/// `POST /api/query`
pub(super) async fn query(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    JsonObject(query): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let query = Query::read(&app.manifest(), &Json::Object(query))?;
    let epoch = app.store.epoch();
    if query.aggregation().is_some() || !query.includes().is_empty() {
        let query = following::restricted(&app, &caller, query)?.query;
        let OneAnswer { rows, cursor, seq } = answer_once(&app.store, &caller.tenant, &query).await?;
        return Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0, "epoch": epoch })));
    }
    let SeenPage { rows, cursor, seq } = app.store.list(&caller.tenant, &caller.access(), &query).await?;
    let rows: Vec<Map<String, Json>> = rows.iter().map(|row| row.show(&query)).collect();
    Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0, "epoch": epoch })))
}

/// `POST /api/query/explain`
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    Caller(_): Caller,
    JsonObject(query): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let query = Query::read(&app.manifest(), &Json::Object(query))?;
    Ok(JsonBody(query.explain(app.store.dialect())))
}
