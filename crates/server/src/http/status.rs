//! How the server is.

use std::sync::Arc;

use axum::{
    Json as JsonBody,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use corella_wire::ErrorCode;
use serde_json::{Value as Json, json};

use crate::{App, Failure};

/// `GET /health`: the process lives.
pub(super) async fn health() -> JsonBody<Json> {
    JsonBody(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /ready`: requests can be served.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Result<JsonBody<Json>, Failure> {
    if app.stop.is_cancelled() {
        return Err(Failure::new(ErrorCode::ShuttingDown, "the server is shutting down"));
    }
    let seq = app.store.last_seq().await?;
    Ok(JsonBody(json!({ "status": "ready", "epoch": app.store.epoch(), "seq": seq.0 })))
}

/// `GET /metrics`: the counters, as Prometheus reads them.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Failure> {
    let Some(metrics) = &app.options.metrics else {
        return Err(Failure::new(ErrorCode::NotFound, "this server keeps no metrics"));
    };
    app.store.report();
    app.hub.report();
    #[expect(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!("corella_connections").set(app.connections.len() as f64);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    Ok(([(header::CONTENT_TYPE, kind)], metrics.render()).into_response())
}
