//! The routes.

pub(crate) mod caller;
mod development;
mod documents;
mod gate;
mod history;
mod live;
mod queries;
pub(crate) mod rows;
mod status;
mod transactions;
mod web;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, post},
};

use crate::{
    app::{App, Mode},
    failure::Failure,
    socket,
};

/// Largest JSON body, in bytes.
const MOST_JSON: usize = 2 * 1024 * 1024;
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
    Router::new()
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

async fn method_not_allowed(method: axum::http::Method, uri: axum::http::Uri) -> Failure {
    Failure::new(
        corella_wire::ErrorCode::MethodNotAllowed,
        format!("{} does not take {method}; see docs/protocol.md for the methods", uri.path()),
    )
}
