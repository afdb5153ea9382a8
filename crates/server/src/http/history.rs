//! Rows as they were, and who made them so.

use std::sync::Arc;

use axum::{
    Json as JsonBody,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::HeaderMap,
};
use corella_manifest::{parse_time, time_text};
use corella_rowdoc::{Difference, RowKey};
use corella_store::{
    At, Blame, BlameRun, Blamed, HistoryChange, HistoryError, HistoryPage, HistoryPoint, PastRow, RowChange,
    RowDifference, Write, port::Seq, row_json,
};
use corella_wire::ErrorCode;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{
    caller::{Address, Caller, JsonObject, idempotency, message, message_of},
    documents::{version_of, version_text},
    rows::{answer, not_found, rich_fields},
};
use crate::{App, Failure, Principal};

/// Changes in a page when none are asked for, and the most that there are in one.
const PAGE: (usize, usize) = (50, 200);
/// Characters of a text that are traced when none are asked for, and the most that are at once.
const CHARACTERS: (usize, usize) = (10_000, 100_000);

type Parameters<T> = Result<QueryString<T>, QueryRejection>;

fn read_parameters<T>(parameters: Parameters<T>) -> Result<T, Failure> {
    let QueryString(parameters) =
        parameters.map_err(|error| Failure::new(ErrorCode::InvalidQuery, error.body_text()))?;
    Ok(parameters)
}

/// The query string of a history.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ListParameters {
    before: Option<String>,
    limit: Option<String>,
}

/// `GET /api/entities/{entity}/{id}/history`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address((entity, id)): Address<(String, String)>,
    parameters: Parameters<ListParameters>,
) -> Result<JsonBody<Json>, Failure> {
    let ListParameters { before, limit } = read_parameters(parameters)?;
    let key = app.row_key(&caller.tenant, &entity, &id)?;
    admit(&app, &caller, &key).await?;
    let before = before.map(|text| seq("before", &text)).transpose()?;
    let limit = count("limit", limit.as_deref(), PAGE)?;
    let HistoryPage { changes, next } =
        app.store.history(&key, before, limit).await.map_err(|error| failure(&key, error))?;
    if changes.is_empty() && before.is_none() {
        return Err(not_found(&key));
    }
    let changes: Vec<Json> = changes.into_iter().map(change_json).collect();
    Ok(JsonBody(json!({ "changes": changes, "next": next.map(|seq| seq.0) })))
}

fn change_json(change: HistoryChange) -> Json {
    let HistoryChange { seq, version, kind, author, at, message, fields, parts } = change;
    let mut json = json!({
        "seq": seq.0,
        "version": version_text(&version),
        "kind": kind,
        "author": author,
        "at": time_text(at),
        "message": message,
        "fields": fields,
    });
    if let (Json::Object(json), false) = (&mut json, parts.is_empty()) {
        let part = |part: &corella_store::HistoryPart| json!({ "author": part.author, "message": part.message, "fields": part.fields });
        json.insert("parts".into(), parts.iter().map(part).collect());
    }
    json
}

/// Refuses those who may not have the row as a document: that has its whole history in it.
async fn admit(app: &App, caller: &Principal, key: &RowKey) -> Result<(), Failure> {
    Ok(app.store.lock(key).await.admit(&caller.access()).await?)
}

/// A row as it was, with the marks and node trees of the fields that `rich` lists.
pub(super) async fn read(
    app: &App,
    caller: &Principal,
    key: &RowKey,
    at: &str,
    rich: Option<&str>,
) -> Result<JsonBody<Json>, Failure> {
    admit(app, caller, key).await?;
    let entity = app.store.entity(key.entity.as_str())?;
    let at = moment("at", at)?;
    let fields = rich.map(|names| rich_fields(&entity, names)).transpose()?;
    let past = app.store.row_at(key, &at, fields.as_deref().unwrap_or_default()).await;
    let PastRow { point, deleted, values, rich } = past.map_err(|error| failure(key, error))?;
    if deleted {
        let detail = format!("{} {:?} was deleted at that time", key.entity, key.id.as_str());
        return Err(Failure::new(ErrorCode::RowNotFound, detail));
    }
    let row = row_json(&entity, key.id.as_str(), &values);
    let mut json = json!({ "id": key.id.as_str(), "row": row, "at": point_json(&point) });
    if let (Json::Object(json), true) = (&mut json, fields.is_some()) {
        json.insert("rich".into(), Json::Object(rich));
    }
    if let (Json::Object(json), Some(seq)) = (&mut json, point.seq) {
        json.insert("seq".into(), seq.0.into());
    }
    Ok(JsonBody(json))
}

fn point_json(point: &HistoryPoint) -> Json {
    json!({
        "seq": point.seq.map(|seq| seq.0),
        "at": point.at.map(time_text),
        "version": version_text(&point.version),
    })
}

/// The query string of a diff.
#[derive(Debug, Default, Deserialize)]
pub(super) struct DiffParameters {
    from: Option<String>,
    to: Option<String>,
}

/// `GET /api/entities/{entity}/{id}/diff`
pub(super) async fn diff(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address((entity, id)): Address<(String, String)>,
    parameters: Parameters<DiffParameters>,
) -> Result<JsonBody<Json>, Failure> {
    let DiffParameters { from, to } = read_parameters(parameters)?;
    let key = app.row_key(&caller.tenant, &entity, &id)?;
    admit(&app, &caller, &key).await?;
    let from = from.ok_or_else(|| {
        let detail = "from: expected the earlier moment (a seq, a time or a version), found none";
        Failure::new(ErrorCode::InvalidQuery, detail)
    })?;
    let from = moment("from", &from)?;
    let to = to.map_or(Ok(At::Now), |to| moment("to", &to))?;
    let RowDifference { from, to, diff } =
        app.store.diff(&key, &from, &to).await.map_err(|error| failure(&key, error))?;
    let fields = diff.fields.into_iter().map(|field| {
        let json = match field.difference {
            Difference::Value { before, after } => json!({ "before": before, "after": after }),
            Difference::Text(delta) => json!({ "delta": delta }),
        };
        (field.field.to_string(), json)
    });
    let mut fields: Map<String, Json> = fields.collect();
    if let Some((before, after)) = diff.open {
        fields.insert("value".into(), json!({ "before": before, "after": after }));
    }
    Ok(JsonBody(json!({
        "from": point_json(&from),
        "to": point_json(&to),
        "deleted": { "before": diff.deleted_before, "after": diff.deleted_after },
        "fields": fields,
    })))
}

/// The query string of a blame.
#[derive(Debug, Default, Deserialize)]
pub(super) struct BlameParameters {
    field: Option<String>,
    from: Option<String>,
    limit: Option<String>,
}

/// `GET /api/entities/{entity}/{id}/blame`
pub(super) async fn blame(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address((entity, id)): Address<(String, String)>,
    parameters: Parameters<BlameParameters>,
) -> Result<JsonBody<Json>, Failure> {
    let BlameParameters { field, from, limit } = read_parameters(parameters)?;
    let key = app.row_key(&caller.tenant, &entity, &id)?;
    admit(&app, &caller, &key).await?;
    let field = field.ok_or_else(|| {
        Failure::new(ErrorCode::InvalidQuery, "field: expected the field's name, found none")
    })?;
    let from = count("from", from.as_deref(), (0, usize::MAX))?;
    let limit = count("limit", limit.as_deref(), CHARACTERS)?;
    let blame = app.store.blame(&key, &field, from, limit).await.map_err(|error| failure(&key, error))?;
    Ok(JsonBody(match blame {
        Blame::Field(by) => json!({ "field": field, "by": by.map(|by| blamed_json(&by)) }),
        Blame::Text { runs, next } => {
            let run = |BlameRun { text, by }: &BlameRun| json!({ "text": text, "by": by.as_ref().map(blamed_json) });
            json!({ "field": field, "runs": runs.iter().map(run).collect::<Vec<_>>(), "next": next })
        }
    }))
}

fn blamed_json(by: &Blamed) -> Json {
    json!({ "seq": by.seq.0, "author": by.author, "at": time_text(by.at), "message": by.message })
}

/// `POST /api/entities/{entity}/{id}/revert`
pub(super) async fn revert(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address((entity, id)): Address<(String, String)>,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let key = app.row_key(&caller.0.tenant, &entity, &id)?;
    admit(&app, &caller.0, &key).await?;
    let idempotency = idempotency(&caller.0, &headers, &format!("revert {entity}/{id}"), &body)?;
    if let Some(other) = body.keys().find(|key| !["to", "message"].contains(&key.as_str())) {
        let detail = format!("expected {{\"to\": …, \"message\": …}}, found the key {other:.60?}");
        return Err(Failure::new(ErrorCode::InvalidValue, detail));
    }
    let to = match body.get("to") {
        Some(Json::String(text)) => moment("to", text)?,
        Some(Json::Number(number)) => moment("to", &number.to_string())?,
        other => {
            let found = other.map_or_else(|| "none".to_owned(), Json::to_string);
            let detail = format!("to: expected a seq, a time or a version, found {found:.60}");
            return Err(Failure::new(ErrorCode::InvalidValue, detail));
        }
    };
    let message = match body.get("message") {
        None | Some(Json::Null) => message(&headers)?,
        Some(Json::String(text)) => Some(message_of(text)?),
        Some(other) => {
            let detail = format!("message: expected a string, found {other:.60}");
            return Err(Failure::new(ErrorCode::InvalidValue, detail));
        }
    };
    let point = app.store.find(&key, &to).await.map_err(|error| failure(&key, error))?;
    let id = key.id.clone();
    let change = RowChange::Revert(point.version);
    let write = Write { key, change, author: caller.author(), wants_row: true, idempotency, message };
    Ok(JsonBody(answer(&id, app.store.write(write).await?)))
}

/// A moment: a seq, a time, or a version as `Corella-Version` has it.
fn moment(name: &str, text: &str) -> Result<At, Failure> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return seq(name, text).map(At::Seq);
    }
    // No version in base64url has a colon.
    if text.contains(':') {
        let time = parse_time(text)
            .map_err(|error| Failure::new(ErrorCode::InvalidQuery, format!("{name}: {error}")))?;
        return Ok(At::Time(time));
    }
    let version = version_of(name, text)?;
    if version.is_empty() {
        let detail = format!(
            "{name}: expected a seq, a time such as 2026-01-31T12:00:00Z, or a version, found {text:?}"
        );
        return Err(Failure::new(ErrorCode::VersionUnknown, detail));
    }
    Ok(At::Version(version))
}

fn seq(name: &str, text: &str) -> Result<Seq, Failure> {
    text.parse().map(Seq).map_err(|_| {
        Failure::new(
            ErrorCode::InvalidQuery,
            format!("{name}: expected the seq of a change, found {text:.60?}"),
        )
    })
}

fn count(name: &str, text: Option<&str>, (usual, most): (usize, usize)) -> Result<usize, Failure> {
    let Some(text) = text else { return Ok(usual) };
    text.parse().ok().filter(|count| *count <= most && (*count > 0 || usual == 0)).ok_or_else(|| {
        let detail = format!("{name}: expected a number of at most {most}, found {text:.60?}");
        Failure::new(ErrorCode::InvalidQuery, detail)
    })
}

/// Why a row cannot be seen as it was.
fn failure(key: &RowKey, error: HistoryError) -> Failure {
    let detail = error.to_string();
    let oldest = |point: &HistoryPoint| {
        let named = point.seq.map_or_else(|| version_text(&point.version), |seq| seq.0.to_string());
        format!(
            "; the oldest moment that there is is {named}, of {}",
            point.at.map(time_text).unwrap_or_default()
        )
    };
    match error {
        HistoryError::NoRow => not_found(key),
        HistoryError::NotYet { oldest: point } => {
            Failure::new(ErrorCode::RowNotFound, detail + &oldest(&point)).with("oldest", point_json(&point))
        }
        HistoryError::Trimmed { oldest: Some(point) } => {
            Failure::new(ErrorCode::HistoryTrimmed, detail + &oldest(&point))
                .with("oldest", point_json(&point))
        }
        HistoryError::Trimmed { oldest: None } => {
            Failure::new(ErrorCode::HistoryTrimmed, detail).with("oldest", Json::Null)
        }
        HistoryError::NoSuchVersion => Failure::new(ErrorCode::VersionUnknown, detail),
        HistoryError::UnknownField(_) => Failure::new(ErrorCode::UnknownField, detail),
        HistoryError::Read(error) => error.into(),
    }
}
