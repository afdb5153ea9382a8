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
    let grant = Grant { user: user.clone(), roles: Vec::new(), admin: false, lifetime: LIFETIME };
    let token = app.authority.token(&grant)?;
    Ok(JsonBody(json!({ "token": token, "user": user })))
}
