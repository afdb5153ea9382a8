//! Rows as document bytes.

use std::sync::Arc;

use axum::{
    Extension, Json as JsonBody,
    extract::{Query as QueryString, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use corella_rowdoc::Version;
use corella_store::{RowChange, Write, port::Seq};
use corella_wire::ErrorCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    caller::{Address, Body, Caller, message},
    rows::not_found,
};
use crate::{App, Failure, guard::GuardError, listen::Remote};

const VERSION: HeaderName = HeaderName::from_static("corella-version");
const SEQ: HeaderName = HeaderName::from_static("corella-seq");

/// The query string of a document.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Since {
    since: Option<String>,
}

/// `GET /api/entities/{entity}/{id}/doc`
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address((entity, id)): Address<(String, String)>,
    parameters: Result<QueryString<Since>, QueryRejection>,
) -> Result<Response, Failure> {
    let QueryString(Since { since }) =
        parameters.map_err(|error| Failure::new(ErrorCode::InvalidQuery, error.body_text()))?;
    let key = app.row_key(&caller.tenant, &entity, &id)?;
    let since = version(since.as_deref().unwrap_or_default())?;
    let export = app.store.lock(&key).await.export(&since, &caller.access()).await?;
    if export.seq == Seq::ZERO || export.deleted {
        return Err(not_found(&key));
    }
    let status = if export.update.is_some() { StatusCode::OK } else { StatusCode::NO_CONTENT };
    let mut response = (status, export.update.unwrap_or_default()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VERSION, version_header(&export.version));
    headers.insert(SEQ, HeaderValue::from(export.seq.0));
    Ok(response)
}

fn version(text: &str) -> Result<Version, Failure> {
    version_of("since", text)
}

/// Reads a version in base64url, which was given as `name`.
pub(super) fn version_of(name: &str, text: &str) -> Result<Version, Failure> {
    let unreadable = |what: String| Failure::new(ErrorCode::VersionUnknown, what);
    let bytes = BASE64
        .decode(text.trim_end_matches('='))
        .map_err(|error| unreadable(format!("{name}: expected a version in base64url: {error}")))?;
    Version::decode(&bytes).map_err(|error| unreadable(format!("{name}: {error}")))
}

/// A version in base64url, as `Corella-Version` has it.
pub(super) fn version_text(version: &Version) -> String {
    BASE64.encode(version.encode())
}

fn version_header(version: &Version) -> HeaderValue {
    let text = version_text(version);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether the update is only to be taken in by an empty document, as `If-None-Match: *` says.
fn fills(headers: &HeaderMap) -> Result<bool, Failure> {
    match headers.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(b"*") => Ok(true),
        Some(other) => {
            let found = String::from_utf8_lossy(other);
            let detail = format!("expected If-None-Match: *, or none, found {found:.60}");
            Err(Failure::new(ErrorCode::InvalidQuery, detail))
        }
    }
}

/// `POST /api/entities/{entity}/{id}/doc`
pub(super) async fn merge(
    State(app): State<Arc<App>>,
    caller: Caller,
    Address((entity, id)): Address<(String, String)>,
    remote: Option<Extension<Remote>>,
    headers: HeaderMap,
    Body(update): Body,
) -> Result<Response, Failure> {
    let key = app.row_key(&caller.0.tenant, &entity, &id)?;
    for outcome in app.examine(std::slice::from_ref(&update)).await {
        if let (Err(GuardError::Deadly), Some(requester)) = (&outcome, caller.requester(remote.as_deref())) {
            app.count_offence(requester);
        }
        outcome.map_err(|error| Failure::from(&error))?;
    }
    let change = if fills(&headers)? { RowChange::Seed(update) } else { RowChange::Update(update) };
    let write = Write {
        key,
        change,
        author: caller.author(),
        wants_row: true,
        idempotency: None,
        message: message(&headers)?,
    };
    let written = app.store.write(write).await?;
    let body = json!({ "id": id, "row": written.row, "seq": written.seq.0 });
    let mut response = JsonBody(body).into_response();
    response.headers_mut().insert(VERSION, version_header(&written.version));
    Ok(response)
}
