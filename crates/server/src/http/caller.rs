//! What requests have in common: who calls, what the body says.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Request, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use corella_store::{Author, Idempotency, port::OutcomeKey};
use corella_wire::ErrorCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    App, Carrier, Failure, Principal,
    accounts::cookies::{Carriage, Cookie, check_page},
    auth::AuthError,
    limits::Requester,
    listen::Remote,
};

/// Longest idempotency key, in bytes.
const MOST_KEY: usize = 255;

/// Whoever makes the request.
pub(crate) struct Caller(pub(crate) Principal);

impl Caller {
    /// Whose request it is, which came from `remote`.
    pub(super) fn requester(&self, remote: Option<&Remote>) -> Option<Requester> {
        Requester::of(Some(&self.0), remote.copied())
    }

    pub(super) fn author(&self) -> Author {
        self.0.author(None)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let found = match credential(app, parts) {
            Ok(Some(credential)) => credential.caller(app).await,
            Ok(None) => stranger(app).map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        let remote = parts.extensions.get::<Remote>().copied();
        if let Some(requester) = Requester::of(found.as_ref().ok(), remote) {
            app.count_request(requester)?;
        }
        found.map(Self)
    }
}

/// A token, and how it came.
pub(crate) struct Credential {
    token: String,
    carrier: Carrier,
}

impl Credential {
    /// Who calls with it.
    pub(crate) async fn caller(&self, app: &App) -> Result<Principal, Failure> {
        Ok(Principal { carrier: self.carrier, ..caller(app, &self.token).await? })
    }
}

/// Who calls with this token, whose session has not ended.
pub(crate) async fn caller(app: &App, token: &str) -> Result<Principal, Failure> {
    let manifest = app.manifest();
    let principal = app.authority.caller(Some(token), manifest.tenant_claim()).await?;
    let Some(accounts) = &app.accounts else { return Ok(principal) };
    let given = accounts.standings.check(&principal).await?;
    Ok(app.authority.entitled(&principal, given.as_deref()).unwrap_or(principal))
}

/// The token of a request; one in a cookie only where a page of this site asks.
pub(crate) fn credential(app: &App, parts: &Parts) -> Result<Option<Credential>, Failure> {
    if let Some(token) = token(parts)? {
        return Ok(Some(Credential { token, carrier: Carrier::Caller }));
    }
    let Some(accounts) = &app.accounts else { return Ok(None) };
    let carriage = Carriage::of(&accounts.options, &parts.headers);
    let Some(token) = carriage.read(Cookie::Access, &parts.headers) else { return Ok(None) };
    check_page(&app.options.limits, &parts.method, parts.uri.path(), &parts.headers)?;
    Ok(Some(Credential { token: token.to_owned(), carrier: Carrier::Cookie }))
}

/// Who calls without a token.
pub(crate) fn stranger(app: &App) -> Result<Principal, AuthError> {
    app.authority.stranger(app.manifest().tenant_claim())
}

/// The token of a request: `Authorization: Bearer …` or `?token=…`.
fn token(parts: &Parts) -> Result<Option<String>, AuthError> {
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let text = value.to_str().ok();
        let bearer = text.and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        });
        return bearer
            .map(Some)
            .ok_or_else(|| AuthError::Invalid("expected Authorization: Bearer <token>".into()));
    }
    let query = parts.uri.query().unwrap_or_default();
    let token = query.split('&').find_map(|pair| pair.strip_prefix("token="));
    Ok(token.filter(|token| !token.is_empty()).map(str::to_owned))
}

/// The header in which a client names the schema that it was made for.
const SCHEMA: &str = "corella-schema";

/// Refuses requests of clients that were made for a schema which the served one has left behind.
pub(super) async fn check_schema(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    if let Some(value) = request.headers().get(SCHEMA) {
        app.store.check_schema(&String::from_utf8_lossy(value.as_bytes()))?;
    }
    Ok(next.run(request).await)
}

/// The names in a path.
pub(super) struct Address<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Address<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failure> {
        let path = Path::<T>::from_request_parts(parts, app).await;
        path.map(|Path(names)| Self(names))
            .map_err(|rejection| Failure::new(ErrorCode::NotFound, rejection.body_text()))
    }
}

/// A body that is a JSON object.
pub(crate) struct JsonObject(pub(crate) Map<String, Json>);

/// A body of any bytes.
pub(crate) struct Body(pub(crate) Bytes);

impl FromRequest<Arc<App>> for Body {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        Bytes::from_request(request, app).await.map(Self).map_err(|rejection| unread(&rejection))
    }
}

impl FromRequest<Arc<App>> for JsonObject {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failure> {
        let Body(bytes) = Body::from_request(request, app).await?;
        parse_object(&bytes).map(Self)
    }
}

fn unread(rejection: &BytesRejection) -> Failure {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::TooLarge,
        _ => ErrorCode::InvalidJson,
    };
    Failure::new(code, rejection.body_text())
}

fn parse_object(bytes: &[u8]) -> Result<Map<String, Json>, Failure> {
    let invalid = |detail| Failure::new(ErrorCode::InvalidJson, detail);
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err(invalid("expected a JSON object of fields, found another JSON value".to_owned())),
        Err(error) => Err(invalid(format!("expected a JSON object of fields: {error}"))),
    }
}

/// Longest message of a change, in characters.
const MOST_MESSAGE: usize = 500;

/// What the author of a change says of it in `Corella-Message`, as UTF-8.
pub(super) fn message(headers: &HeaderMap) -> Result<Option<Arc<str>>, Failure> {
    let Some(value) = headers.get("corella-message") else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| {
        Failure::new(ErrorCode::InvalidValue, "Corella-Message: expected text in UTF-8, found other bytes")
    })?;
    message_of(text).map(Some)
}

/// What the author of a change says of it.
pub(crate) fn message_of(text: &str) -> Result<Arc<str>, Failure> {
    let count = text.chars().count();
    if !(1..=MOST_MESSAGE).contains(&count) || text.chars().any(char::is_control) {
        let detail = format!(
            "message: expected 1 to {MOST_MESSAGE} characters without control characters, found {count}{}",
            if text.chars().any(char::is_control) { ", some of them control characters" } else { "" }
        );
        return Err(Failure::new(ErrorCode::InvalidValue, detail));
    }
    Ok(text.into())
}

/// The promise that a request asks for in `Idempotency-Key`.
pub(super) fn idempotency(
    caller: &Principal,
    headers: &HeaderMap,
    request: &str,
    body: &Map<String, Json>,
) -> Result<Option<Idempotency>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| (1..=MOST_KEY).contains(&key.len())).ok_or_else(|| {
        Failure::new(
            ErrorCode::InvalidValue,
            format!("expected an Idempotency-Key of 1 to {MOST_KEY} visible ASCII characters"),
        )
    })?;
    Ok(Some(promise(caller, key, request, body)))
}

/// The promise to answer a request again as it was answered first.
pub(crate) fn promise(caller: &Principal, key: &str, request: &str, body: &Map<String, Json>) -> Idempotency {
    let text = format!("{request}\n{}", Json::Object(body.clone()));
    Idempotency {
        key: OutcomeKey { tenant: caller.tenant.clone(), author: Arc::clone(&caller.user), key: key.into() },
        request: Bytes::copy_from_slice(&xxh3_128(text.as_bytes()).to_be_bytes()),
    }
}
