//! The routes.

mod accounts;
pub(crate) mod caller;
mod development;
mod documents;
mod gate;
mod history;
mod live;
mod provider;
mod queries;
pub(crate) mod rows;
mod status;
mod transactions;
mod web;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    middleware,
    routing::{any, delete, get, post},
};

pub(crate) use self::gate::{is_local, is_trusted};
use crate::{
    app::{App, Mode},
    failure::Failure,
    socket,
};

/// Largest JSON body, in bytes.
const MOST_JSON: usize = 2 * 1024 * 1024;
/// Largest body of a sign-in, in bytes.
const MOST_SIGN_IN: usize = 16 * 1024;
/// Largest document update, in bytes.
const MOST_UPDATE: usize = 16 * 1024 * 1024;

/// Everything that is served.
pub(crate) fn router(app: Arc<App>) -> Router {
    let gate = middleware::from_fn_with_state(Arc::clone(&app), gate::pass);
    let schema = middleware::from_fn_with_state(Arc::clone(&app), caller::check_schema);
    let rows = Router::new()
        .route("/api/entities/{entity}", get(rows::list).post(rows::insert))
        .route("/api/entities/{entity}/{id}", get(rows::read).patch(rows::patch).delete(rows::delete))
        .route("/api/entities/{entity}/{id}/restore", post(rows::restore))
        .route("/api/entities/{entity}/{id}/history", get(history::list))
        .route("/api/entities/{entity}/{id}/diff", get(history::diff))
        .route("/api/entities/{entity}/{id}/blame", get(history::blame))
        .route("/api/entities/{entity}/{id}/revert", post(history::revert))
        .route("/api/query", post(queries::query))
        .route("/api/query/explain", post(queries::explain))
        .route("/api/live", get(live::follow))
        .route("/api/transactions", post(transactions::transact))
        .layer(DefaultBodyLimit::max(MOST_JSON))
        .layer(schema.clone());
    let documents = Router::new()
        .route("/api/entities/{entity}/{id}/doc", get(documents::read).post(documents::merge))
        .layer(DefaultBodyLimit::max(MOST_UPDATE))
        .layer(schema);
    let development = match app.options.mode {
        Mode::Production => Router::new(),
        Mode::Development => Router::new().route("/dev/token", post(development::token)),
    };
    let accounts = match &app.accounts {
        None => Router::new(),
        Some(_) => Router::new()
            .route("/auth/sign-up", post(accounts::sign_up))
            .route("/auth/sign-in", post(accounts::sign_in))
            .route("/auth/refresh", post(accounts::refresh))
            .route("/auth/sign-out", post(accounts::sign_out))
            .route("/auth/user", get(accounts::user))
            .route("/auth/password", post(accounts::password))
            .route("/auth/sessions", get(accounts::sessions).delete(accounts::end_others))
            .route("/auth/sessions/{id}", delete(accounts::end))
            .route("/auth/providers", get(provider::list))
            .route("/auth/provider", get(provider::begin))
            .route("/auth/provider/{name}", get(provider::begin))
            .route("/auth/provider/{name}/callback", get(provider::finish))
            .route("/auth/provider/callback", get(provider::finish))
            .layer(DefaultBodyLimit::max(MOST_SIGN_IN)),
    };
    Router::new()
        .merge(accounts)
        .merge(rows)
        .merge(documents)
        .merge(development)
        .route("/ws", any(socket::upgrade))
        .route("/health", get(status::health))
        .route("/ready", get(status::ready))
        .route("/metrics", get(status::metrics))
        .route("/api", any(not_found))
        .route("/api/{*path}", any(not_found))
        .route("/dev/{*path}", any(not_found))
        .route("/auth/{*path}", any(no_accounts))
        .fallback(web::page)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(gate)
        .with_state(app)
}

async fn not_found(uri: axum::http::Uri) -> Failure {
    Failure::new(
        corella_wire::ErrorCode::NotFound,
        format!("nothing is served under {}; see docs/protocol.md for the paths", uri.path()),
    )
}

async fn no_accounts(State(app): State<Arc<App>>, uri: axum::http::Uri) -> Failure {
    let why = match &app.accounts {
        Some(_) => "see docs/accounts.md for the paths",
        None => "this server has no accounts of its own; `--accounts` gives it some",
    };
    let detail = format!("nothing is served under {}: {why}", uri.path());
    Failure::new(corella_wire::ErrorCode::NotFound, detail)
}

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Failure {
    Failure::new(
        corella_wire::ErrorCode::MethodNotAllowed,
        format!("{} does not take {method}; see docs/protocol.md for the methods", uri.path()),
    )
}
