//! Rows as JSON.

use std::sync::Arc;

use axum::{
    Json as JsonBody,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use corella_manifest::{Crdt, Entity, Field, FieldType};
use corella_query::{Query, QueryTexts};
use corella_rowdoc::{RowId, RowKey};
use corella_store::{RichRow, RowChange, SeenPage, Write, Written};
use corella_wire::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{
    caller::{Address, Caller, JsonObject, idempotency, message},
    history,
};
use crate::{App, Failure, Principal};

/// The query string of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListParameters {
    #[serde(rename = "where")]
    filter: Option<String>,
    #[serde(rename = "match")]
    words: Option<String>,
    order_by: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    select: Option<String>,
}

/// The query string of a row.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ReadParameters {
    /// The fields whose marks or node trees are asked for, with commas between them.
    rich: Option<String>,
    /// The moment that is asked for; now when there is none.
    at: Option<String>,
}

/// `GET /api/entities/{entity}`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address(entity): Address<String>,
    parameters: Result<QueryString<ListParameters>, QueryRejection>,
) -> Result<JsonBody<Json>, Failure> {
    let QueryString(parameters) =
        parameters.map_err(|error| Failure::new(ErrorCode::InvalidQuery, error.body_text()))?;
    app.entity_name(&entity)?;
    let texts = QueryTexts {
        where_: parameters.filter.as_deref(),
        match_: parameters.words.as_deref(),
        order_by: parameters.order_by.as_deref(),
        limit: parameters.limit.as_deref(),
        cursor: parameters.cursor.as_deref(),
        select: parameters.select.as_deref(),
    };
    let parts = texts.read()?;
    let query = Query::parse(&app.manifest(), &entity, parts)?;
    let SeenPage { rows, cursor, seq } = app.store.list(&caller.tenant, &caller.access(), &query).await?;
    let rows: Vec<Map<String, Json>> = rows.iter().map(|row| row.show(&query)).collect();
    Ok(JsonBody(json!({ "rows": rows, "cursor": cursor, "seq": seq.0 })))
}

/// `GET /api/entities/{entity}/{id}`
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address((entity, id)): Address<(String, String)>,
    parameters: Result<QueryString<ReadParameters>, QueryRejection>,
) -> Result<JsonBody<Json>, Failure> {
    let QueryString(ReadParameters { rich, at }) =
        parameters.map_err(|error| Failure::new(ErrorCode::InvalidQuery, error.body_text()))?;
    let key = app.row_key(&caller.tenant, &entity, &id)?;
    if let Some(at) = at {
        return history::read(&app, &caller, &key, &at, rich.as_deref()).await;
    }
    if let Some(names) = rich {
        return read_rich(&app, &caller, &key, &names).await;
    }
    let (row, seq) = app.store.see(&key, &caller.access()).await?;
    let row = row.ok_or_else(|| not_found(&key))?;
    let entity = app.store.entity(&entity)?;
    Ok(JsonBody(json!({ "id": key.id.as_str(), "row": row.to_json(&entity), "seq": seq.0 })))
}

/// A row with the marks and node trees of the fields that `names` lists.
async fn read_rich(
    app: &App,
    caller: &Principal,
    key: &RowKey,
    names: &str,
) -> Result<JsonBody<Json>, Failure> {
    let entity = app.store.entity(key.entity.as_str())?;
    let asked = rich_fields(&entity, names)?;
    let row = app.store.lock(key).await.rich(&asked, &caller.access()).await?;
    let RichRow { row, rich, seq } = row.ok_or_else(|| not_found(key))?;
    Ok(JsonBody(json!({ "id": key.id.as_str(), "row": row, "rich": rich, "seq": seq.0 })))
}

/// The fields that `names` lists, all of which have more than their plain text.
pub(super) fn rich_fields<'a>(entity: &Entity, names: &'a str) -> Result<Vec<&'a str>, Failure> {
    let has_more =
        |field: &Field| matches!(field.crdt, Crdt::Text | Crdt::Document) && field.ty != FieldType::String;
    let known: Vec<&str> =
        entity.fields.iter().filter(|field| has_more(field)).map(|field| field.name.as_str()).collect();
    let asked: Vec<&str> = names.split(',').map(str::trim).collect();
    if let Some(other) = asked.iter().find(|name| !known.contains(name)) {
        let what = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let detail =
            format!("rich: expected fields of type richtext or document ({what}), found {other:.60?}");
        return Err(Failure::new(ErrorCode::InvalidQuery, detail));
    }
    Ok(asked)
}

pub(super) fn not_found(key: &RowKey) -> Failure {
    Failure::new(
        ErrorCode::RowNotFound,
        format!("there is no {} with the id {:?}", key.entity, key.id.as_str()),
    )
}

/// `POST /api/entities/{entity}`
pub(super) async fn insert(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address(entity): Address<String>,
    headers: HeaderMap,
    JsonObject(mut fields): JsonObject,
) -> Result<impl IntoResponse, Failure> {
    app.entity_name(&entity)?;
    let idempotency = idempotency(&caller.0, &headers, &format!("insert {entity}"), &fields)?;
    let id = new_id(fields.remove("id"))?;
    let key = app.row_key(&caller.0.tenant, &entity, id.as_str())?;
    let write = Write {
        key,
        change: RowChange::Insert(fields),
        author: caller.author(),
        wants_row: true,
        idempotency,
        message: message(&headers)?,
    };
    let written = app.store.write(write).await?;
    Ok((StatusCode::CREATED, JsonBody(answer(&id, written))))
}

/// The id that a new row asks for, or a fresh one.
pub(crate) fn new_id(asked: Option<Json>) -> Result<RowId, Failure> {
    match asked {
        None | Some(Json::Null) => Ok(RowId::fresh()),
        Some(Json::String(id)) => {
            RowId::new(&id).map_err(|error| Failure::new(ErrorCode::InvalidRowId, error.to_string()))
        }
        Some(other) => {
            Err(Failure::new(ErrorCode::InvalidRowId, format!("expected the id as a string, found {other}")))
        }
    }
}

/// The answer to a write; a repeated one names the row that the first one made.
pub(super) fn answer(id: &RowId, written: Written) -> Json {
    let row = written.row.unwrap_or_default();
    let id = row.get("id").cloned().unwrap_or_else(|| Json::from(id.as_str()));
    json!({ "id": id, "row": row, "seq": written.seq.0 })
}

/// `PATCH /api/entities/{entity}/{id}`
pub(super) async fn patch(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address((entity, id)): Address<(String, String)>,
    headers: HeaderMap,
    JsonObject(fields): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    change(&app, &caller, (&entity, &id), &headers, "patch", fields, RowChange::Patch).await
}

/// `DELETE /api/entities/{entity}/{id}`
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address((entity, id)): Address<(String, String)>,
    headers: HeaderMap,
) -> Result<JsonBody<Json>, Failure> {
    change(&app, &caller, (&entity, &id), &headers, "delete", Map::new(), |_| RowChange::Delete).await
}

/// `POST /api/entities/{entity}/{id}/restore`
pub(super) async fn restore(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address((entity, id)): Address<(String, String)>,
    headers: HeaderMap,
) -> Result<JsonBody<Json>, Failure> {
    change(&app, &caller, (&entity, &id), &headers, "restore", Map::new(), |_| RowChange::Restore).await
}

async fn change(
    app: &App,
    caller: &Caller,
    (entity, id): (&str, &str),
    headers: &HeaderMap,
    verb: &str,
    fields: Map<String, Json>,
    to_change: impl FnOnce(Map<String, Json>) -> RowChange,
) -> Result<JsonBody<Json>, Failure> {
    let key = app.row_key(&caller.0.tenant, entity, id)?;
    let idempotency = idempotency(&caller.0, headers, &format!("{verb} {entity}/{id}"), &fields)?;
    let id = key.id.clone();
    let message = message(headers)?;
    let change = to_change(fields);
    let write = Write { key, change, author: caller.author(), wants_row: true, idempotency, message };
    Ok(JsonBody(answer(&id, app.store.write(write).await?)))
}
