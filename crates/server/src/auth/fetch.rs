//! Fetching a small text over HTTP.

use std::time::Duration;

use axum::http::{Request, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// How long the whole answer may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer, in bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// The text at an address: `GET`, without following to another address.
///
/// # Errors
/// Why there is none.
pub(super) async fn text(uri: &Uri) -> Result<String, String> {
    let fetched = tokio::time::timeout(TIMEOUT, fetch(uri)).await;
    fetched.unwrap_or_else(|_| Err(format!("no answer came within {} seconds", TIMEOUT.as_secs())))
}

async fn fetch(uri: &Uri) -> Result<String, String> {
    // A client for each time: minutes lie between two of them, and no connection is to be kept open so long.
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| error.to_string())?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let request = Request::builder()
        .uri(uri)
        .header(header::ACCEPT, "application/json")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let answer = client.request(request).await.map_err(|error| with_causes(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("expected the status 200, found {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
    let bytes = body.map_err(|error| format!("at most {MOST_BYTES} bytes: {error}"))?.to_bytes();
    String::from_utf8(bytes.into()).map_err(|_| "expected text, found other bytes".to_owned())
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
