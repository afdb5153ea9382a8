//! Signing in without a password, for developers only.

use std::{sync::Arc, time::Duration};

use axum::{Json as JsonBody, extract::State};
use corella_wire::ErrorCode;
use serde_json::{Value as Json, json};

use super::caller::JsonObject;
use crate::{App, Failure, Grant};

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Longest user id, in bytes.
const MOST_USER: usize = 64;

/// `POST /dev/token`: a token for whoever the caller says to be.
pub(super) async fn token(
    State(app): State<Arc<App>>,
    JsonObject(body): JsonObject,
) -> Result<JsonBody<Json>, Failure> {
    let user = match body.get("user") {
        Some(Json::String(user)) if (1..=MOST_USER).contains(&user.len()) => user.clone(),
        other => {
            let found = other.map_or_else(|| "none".to_owned(), ToString::to_string);
            let detail = format!("expected \"user\", a name of 1 to {MOST_USER} bytes, found {found}");
            return Err(Failure::new(ErrorCode::InvalidValue, detail));
        }
    };
    let grant = Grant {
        user: user.clone(),
        roles: roles(body.get("roles"))?,
        tenant: tenant(body.get("tenant"))?,
        admin: false,
        lifetime: LIFETIME,
        session: None,
    };
    let token = app.authority.token(&grant, app.manifest().tenant_claim())?;
    Ok(JsonBody(json!({ "token": token, "user": user })))
}

/// The roles that are asked for.
fn roles(asked: Option<&Json>) -> Result<Vec<String>, Failure> {
    let Some(asked) = asked else { return Ok(Vec::new()) };
    let texts = asked.as_array().and_then(|roles| {
        roles.iter().map(|role| role.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    texts.ok_or_else(|| {
        let detail = format!("expected \"roles\" as a list of texts, found {asked}");
        Failure::new(ErrorCode::InvalidValue, detail)
    })
}

/// The tenant that is asked for.
fn tenant(asked: Option<&Json>) -> Result<Option<String>, Failure> {
    match asked {
        None => Ok(None),
        Some(Json::String(tenant)) if !tenant.is_empty() => Ok(Some(tenant.clone())),
        Some(other) => {
            let detail = format!("expected \"tenant\" as a text that is not empty, found {other}");
            Err(Failure::new(ErrorCode::InvalidValue, detail))
        }
    }
}
