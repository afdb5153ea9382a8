//! Accounts over HTTP: signing up, in and out, and what one may do with one's own sessions.

use std::sync::Arc;

use axum::{
    Extension, Json as JsonBody,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use corella_rowdoc::Tenant;
use corella_store::port::{EndingSessions, Session};
use corella_wire::ErrorCode;
use serde_json::{Map, Value as Json, json};

use super::caller::{Address, Caller, JsonObject};
use crate::{
    App, Carrier, Failure, Principal,
    accounts::{
        Accounts, Email, SignUp, SignedIn,
        cookies::{Carriage, Cookie, check_page},
    },
    listen::Remote,
};

/// Longest name of a tenant, in bytes.
const MOST_TENANT: usize = 255;

/// The accounts, which are there wherever their routes are.
pub(super) fn accounts(app: &App) -> Result<&Arc<Accounts>, Failure> {
    let detail = "this server has no accounts of its own; `--accounts` gives it some";
    app.accounts.as_ref().ok_or_else(|| Failure::new(ErrorCode::NotFound, detail))
}

/// A text of the body; what it says is never repeated, since it may be a secret.
fn text(body: &Map<String, Json>, name: &str, what: &str) -> Result<String, Failure> {
    match body.get(name) {
        Some(Json::String(text)) => Ok(text.clone()),
        Some(_) => {
            Err(Failure::new(ErrorCode::InvalidValue, format!("expected \"{name}\" as a text, {what}")))
        }
        None => {
            Err(Failure::new(ErrorCode::InvalidValue, format!("expected \"{name}\", {what}, found none")))
        }
    }
}

/// The tenant that a body names, where the manifest has tenants.
fn tenant(app: &App, body: &Map<String, Json>) -> Result<Tenant, Failure> {
    let invalid = |detail: &str| Err(Failure::new(ErrorCode::InvalidValue, detail));
    match (app.manifest().tenant_claim(), body.get("tenant")) {
        (None, None | Some(Json::Null)) => Ok(Tenant::none()),
        (None, Some(_)) => invalid("expected no \"tenant\", since the manifest has no tenancy"),
        (Some(_), Some(Json::String(name))) if (1..=MOST_TENANT).contains(&name.len()) => {
            Ok(Tenant::new(name))
        }
        (Some(_), _) => {
            invalid("expected \"tenant\", the tenant of the account, since the manifest has tenants")
        }
    }
}

/// Whether a session is to be carried by cookies, as the body asks.
fn wants_cookies(body: &Map<String, Json>) -> Result<bool, Failure> {
    match body.get("cookies") {
        None => Ok(false),
        Some(Json::Bool(wants)) => Ok(*wants),
        Some(_) => Err(Failure::new(ErrorCode::InvalidValue, "expected \"cookies\" as true or false")),
    }
}

/// Where somebody signs in, for people.
pub(super) fn label(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn told(signed_in: &SignedIn) -> Json {
    let account = &signed_in.account;
    json!({
        "id": &*account.id,
        "email": account.email,
        "roles": account.roles,
        "tenant": Some(account.tenant.as_str()).filter(|tenant| !tenant.is_empty()),
        "session": &*signed_in.session.id,
    })
}

/// The answer to whoever is signed in: tokens, or the cookies that carry them.
fn answer(
    app: &App,
    accounts: &Accounts,
    headers: &HeaderMap,
    status: StatusCode,
    signed_in: &SignedIn,
    carrier: Carrier,
) -> Response {
    let mut body = json!({ "user": told(signed_in), "expiresIn": accounts.options.access.as_secs() });
    let mut response = match carrier {
        Carrier::Caller => {
            body["accessToken"] = signed_in.access.as_str().into();
            body["refreshToken"] = signed_in.refresh.to_text().into();
            (status, JsonBody(body)).into_response()
        }
        Carrier::Cookie => (status, JsonBody(body)).into_response(),
    };
    if carrier == Carrier::Cookie {
        for cookie in Carriage::of(&accounts.options, headers).keep(&accounts.options, signed_in) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    never_kept(&mut response);
    tracing::debug!(epoch = app.store.epoch(), user = &*signed_in.account.id, "a session goes on");
    response
}

/// Nobody on the way may keep an answer with a token or a cookie.
pub(super) fn never_kept(response: &mut Response) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// How the body asks for a session to be carried. Cookies are given only to pages of this site: others could sign somebody
/// in as somebody else.
fn carrier(app: &App, parts: &Parts, body: &Map<String, Json>) -> Result<Carrier, Failure> {
    if !wants_cookies(body)? {
        return Ok(Carrier::Caller);
    }
    check_page(&app.options.limits, &parts.method, parts.uri.path(), &parts.headers)?;
    Ok(Carrier::Cookie)
}

/// `POST /auth/sign-up`
pub(super) async fn sign_up(
    State(app): State<Arc<App>>,
    Extension(Remote(address)): Extension<Remote>,
    parts: Parts,
    JsonObject(body): JsonObject,
) -> Result<Response, Failure> {
    let accounts = accounts(&app)?;
    let closed = |why: &str| Err(Failure::new(ErrorCode::Forbidden, why));
    match accounts.options.sign_up {
        SignUp::Open if app.manifest().tenant_claim().is_none() => {}
        SignUp::Open => {
            return closed(
                "nobody chooses their tenant: accounts of tenants are made with `corella user add --tenant`",
            );
        }
        SignUp::Closed => {
            return closed(
                "accounts are made with `corella user add` here; `--sign-up open` lets anybody make one",
            );
        }
    }
    let carrier = carrier(&app, &parts, &body)?;
    let tenant = tenant(&app, &body)?;
    let email = text(&body, "email", "an e-mail")?;
    let password = text(&body, "password", "the password to sign in with")?;
    let email: Email = email.parse().map_err(|error: crate::accounts::EmailError| {
        Failure::new(ErrorCode::InvalidValue, error.to_string())
    })?;
    accounts.attempts.from(address)?;
    let account = accounts.sign_up(tenant, email, password).await?;
    let signed_in = accounts.begin(&app, account, label(&parts.headers)).await?;
    Ok(answer(&app, accounts, &parts.headers, StatusCode::CREATED, &signed_in, carrier))
}

/// `POST /auth/sign-in`
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(Remote(address)): Extension<Remote>,
    parts: Parts,
    JsonObject(body): JsonObject,
) -> Result<Response, Failure> {
    let accounts = accounts(&app)?;
    let carrier = carrier(&app, &parts, &body)?;
    let tenant = tenant(&app, &body)?;
    let email = text(&body, "email", "the account's e-mail")?;
    let password = text(&body, "password", "the account's password")?;
    accounts.attempts.from(address)?;
    let account = accounts.by_password(&tenant, &email, password).await?;
    let signed_in = accounts.begin(&app, account, label(&parts.headers)).await?;
    Ok(answer(&app, accounts, &parts.headers, StatusCode::OK, &signed_in, carrier))
}

/// The refresh token of a request, in its body or in its cookie, and how it came.
fn refresh_token(
    app: &App,
    accounts: &Accounts,
    parts: &Parts,
    body: &Map<String, Json>,
) -> Result<Option<(String, Carrier)>, Failure> {
    if body.contains_key("refreshToken") {
        return Ok(Some((text(body, "refreshToken", "the refresh token as it was given")?, Carrier::Caller)));
    }
    let carriage = Carriage::of(&accounts.options, &parts.headers);
    let Some(token) = carriage.read(Cookie::Refresh, &parts.headers) else { return Ok(None) };
    check_page(&app.options.limits, &parts.method, parts.uri.path(), &parts.headers)?;
    Ok(Some((token.to_owned(), Carrier::Cookie)))
}

/// `POST /auth/refresh`
pub(super) async fn refresh(
    State(app): State<Arc<App>>,
    parts: Parts,
    JsonObject(body): JsonObject,
) -> Result<Response, Failure> {
    let accounts = accounts(&app)?;
    let Some((token, carrier)) = refresh_token(&app, accounts, &parts, &body)? else {
        let detail = "expected \"refreshToken\", or the cookie of a session, found neither";
        return Err(Failure::new(ErrorCode::Unauthorized, detail));
    };
    let signed_in = accounts.refresh(&app, &token).await?;
    Ok(answer(&app, accounts, &parts.headers, StatusCode::OK, &signed_in, carrier))
}

/// `POST /auth/sign-out`: by the refresh token, or by the access token; it is done when it was done before.
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    caller: Result<Caller, Failure>,
    parts: Parts,
    JsonObject(body): JsonObject,
) -> Result<Response, Failure> {
    let accounts = accounts(&app)?;
    if let Some((token, _)) = refresh_token(&app, accounts, &parts, &body)? {
        if let Some(session) = accounts.session_of(&token).await? {
            accounts.end(&session.tenant, &session.account, EndingSessions::One(session.id)).await?;
        }
    } else if let Ok(Caller(caller)) = caller
        && let Some(session) = &caller.session
    {
        accounts.end(&caller.tenant, &caller.user, EndingSessions::One(Arc::clone(session))).await?;
    }
    let mut response = JsonBody(json!({ "signedOut": true })).into_response();
    for cookie in Carriage::of(&accounts.options, &parts.headers).forget() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    never_kept(&mut response);
    Ok(response)
}

/// `GET /auth/user`: who calls.
pub(super) async fn user(Caller(caller): Caller) -> JsonBody<Json> {
    JsonBody(json!({
        "id": &*caller.user,
        "roles": caller.caller.roles.iter().map(|role| &**role).collect::<Vec<&str>>(),
        "tenant": caller.caller.tenant.as_deref(),
        "admin": caller.caller.is_admin,
        "session": caller.session.as_deref(),
    }))
}

/// `POST /auth/password`
pub(super) async fn password(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    JsonObject(body): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let accounts = accounts(&app)?;
    let current = text(&body, "current", "the account's password")?;
    let new = text(&body, "new", "the password to take its place")?;
    let ended = accounts.change_password(&caller, current, new).await?;
    Ok(JsonBody(json!({ "sessionsEnded": ended })))
}

fn session_json(session: &Session, caller: &Principal) -> Json {
    let time = corella_manifest::time_text;
    json!({
        "id": &*session.id,
        "label": session.label,
        "createdAt": time(session.created_at),
        "refreshedAt": time(session.refreshed_at),
        "endsAt": time(session.ends_at),
        "current": caller.session.as_ref() == Some(&session.id),
    })
}

/// `GET /auth/sessions`: where the caller is signed in, the latest first.
pub(super) async fn sessions(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
) -> Result<JsonBody<Json>, Failure> {
    let accounts = accounts(&app)?;
    let account = accounts.account_of(&caller).await?;
    let sessions = accounts.sessions(&account.tenant, &account.id).await?;
    let sessions: Vec<Json> = sessions.iter().map(|session| session_json(session, &caller)).collect();
    Ok(JsonBody(json!({ "sessions": sessions })))
}

/// `DELETE /auth/sessions/{id}`: ends one of the caller's sessions.
pub(super) async fn end(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    Address(id): Address<String>,
) -> Result<JsonBody<Json>, Failure> {
    let accounts = accounts(&app)?;
    let account = accounts.account_of(&caller).await?;
    let ended = accounts.end(&account.tenant, &account.id, EndingSessions::One(id.into())).await?;
    if ended == 0 {
        let detail = "expected one of your sessions, as GET /auth/sessions lists them, found none of this id";
        return Err(Failure::new(ErrorCode::NotFound, detail));
    }
    Ok(JsonBody(json!({ "sessionsEnded": ended })))
}

/// `DELETE /auth/sessions`: ends the caller's other sessions.
pub(super) async fn end_others(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
) -> Result<JsonBody<Json>, Failure> {
    let accounts = accounts(&app)?;
    let account = accounts.account_of(&caller).await?;
    let ends = match &caller.session {
        Some(session) => EndingSessions::AllBut(Arc::clone(session)),
        None => EndingSessions::All,
    };
    let ended = accounts.end(&account.tenant, &account.id, ends).await?;
    Ok(JsonBody(json!({ "sessionsEnded": ended })))
}
