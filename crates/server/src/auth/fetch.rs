//! Asking others over HTTP, for small answers.

use std::time::Duration;

use axum::http::{Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
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
    let request = Request::builder()
        .uri(uri)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|error| error.to_string())?;
    let answer = send(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("expected the status 200, found {}", answer.status()));
    }
    String::from_utf8(answer.into_body().into()).map_err(|_| "expected text, found other bytes".to_owned())
}

/// The answer to a request, of whatever status, without following to another address.
///
/// # Errors
/// Why there is none.
pub(crate) async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    let fetched = tokio::time::timeout(TIMEOUT, fetch(request)).await;
    fetched.unwrap_or_else(|_| Err(format!("no answer came within {} seconds", TIMEOUT.as_secs())))
}

async fn fetch(request: Request<Bytes>) -> Result<Response<Bytes>, String> {
    // A client for each time: minutes lie between two of them, and no connection is to be kept open so long.
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| error.to_string())?
        .https_or_http()
        .enable_http1()
        .build();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let answer = client.request(request.map(Full::new)).await.map_err(|error| with_causes(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await;
    let bytes = body.map_err(|error| format!("at most {MOST_BYTES} bytes: {error}"))?.to_bytes();
    Ok(Response::from_parts(parts, bytes))
}

/// An error with all that led to it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
