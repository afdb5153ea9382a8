//! What every request passes first: where it comes from, and how long it may take.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, header},
    middleware::Next,
    response::Response,
};
use corella_wire::ErrorCode;

use crate::{App, Failure, limits::Limits};

/// Ends requests that take too long, and refuses those that web pages of other origins make.
pub(super) async fn pass(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let limits = &app.options.limits;
    let is_socket = request.uri().path() == "/ws";
    if is_socket || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        check_origin(limits, request.headers())?;
    }
    tokio::time::timeout(limits.request_time, next.run(request)).await.map_err(|_| {
        let seconds = limits.request_time.as_secs();
        Failure::new(
            ErrorCode::Unavailable,
            format!("expected the request to be done within {seconds} seconds"),
        )
    })
}

/// Browsers say which page makes a request; whoever else does so says nothing.
fn check_origin(limits: &Limits, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = String::from_utf8_lossy(origin.as_bytes());
    let host = headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()));
    if may_use(limits, &origin, host.as_deref().unwrap_or_default()) {
        return Ok(());
    }
    metrics::counter!("corella_origins_refused_total").increment(1);
    let detail = format!(
        "expected a page of this server's own origin, or of one that `--allow-origin` names, found {origin:.200}"
    );
    Err(Failure::new(ErrorCode::Forbidden, detail))
}

/// Whether a page of `origin` may use the server that it knows as `host`.
fn may_use(limits: &Limits, origin: &str, host: &str) -> bool {
    limits.origins.contains("*") || is_trusted(limits, origin, host)
}

/// Whether a page of `origin` is this server's own, or named; not merely one of any.
pub(crate) fn is_trusted(limits: &Limits, origin: &str, host: &str) -> bool {
    if limits.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((_, authority)) = origin.split_once("://") else { return false };
    // What one machine serves to itself, such as a developer's pages, is one place.
    (!host.is_empty() && authority.eq_ignore_ascii_case(host)) || (is_local(authority) && is_local(host))
}

/// Whether an address leads to the same machine.
pub(crate) fn is_local(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => authority,
    };
    matches!(name, "localhost" | "127.0.0.1" | "[::1]") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_its_own_and_those_that_are_named() {
        let limits = Limits { origins: ["https://app.example.com".to_owned()].into(), ..Limits::default() };
        for (origin, host, expected) in [
            ("https://api.example.com", "api.example.com", true),
            ("https://API.example.com", "api.example.com", true),
            ("https://app.example.com", "api.example.com", true),
            ("https://app.example.com.evil.example", "api.example.com", false),
            ("https://evil.example", "api.example.com", false),
            ("https://api.example.com:8443", "api.example.com", false),
            ("http://localhost:5173", "127.0.0.1:4400", true),
            ("http://notes.localhost:5173", "[::1]:4400", true),
            ("http://localhost.evil.example", "127.0.0.1:4400", false),
            ("http://localhost:5173", "api.example.com", false),
            ("null", "api.example.com", false),
            ("", "", false),
            ("https://", "", false),
        ] {
            assert_eq!(may_use(&limits, origin, host), expected, "{origin:?} of {host:?}");
        }
        let open = Limits { origins: ["*".to_owned()].into(), ..Limits::default() };
        assert!(may_use(&open, "null", "api.example.com"));
    }
}
