//! The web pages that the binary carries.

use axum::{
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use corella_wire::ErrorCode;
use rust_embed::RustEmbed;

use crate::Failure;

/// The notes app as `npm run build` left it; a debug build reads it from the folder instead.
#[derive(RustEmbed)]
#[folder = "../../web-client/apps/notes/dist"]
#[allow_missing = true]
struct Notes;

/// The board, under `/board/`, in the same way.
#[derive(RustEmbed)]
#[folder = "../../web-client/apps/board/dist"]
#[allow_missing = true]
struct Board;

const NOT_BUILT: &str = "<!doctype html><title>Corella</title><h1>Corella is running</h1>\
<p>This binary carries no web page: it was built before <code>npm run build</code> was run in \
<code>web-client</code>. <code>cargo xtask dev</code> does both.</p>";

/// Whatever is no route of the server: a file of a web page, or the page itself.
pub(super) async fn page(method: Method, uri: Uri) -> Result<Response, Failure> {
    if method != Method::GET && method != Method::HEAD {
        let detail = format!("nothing takes {method} under {}; see docs/protocol.md", uri.path());
        return Err(Failure::new(ErrorCode::NotFound, detail));
    }
    let path = uri.path().trim_start_matches('/');
    match path.strip_prefix("board/") {
        Some(path) => file::<Board>(&uri, path),
        // The page names its files relative to itself.
        None if path == "board" => Ok(Redirect::permanent("/board/").into_response()),
        None => file::<Notes>(&uri, path),
    }
}

/// A file of a page; the page itself for a path that names no file.
fn file<Page: RustEmbed>(uri: &Uri, path: &str) -> Result<Response, Failure> {
    if let Some(file) = Page::get(path) {
        let kind = mime_guess::from_path(path).first_or_octet_stream();
        let kind = HeaderValue::from_str(kind.as_ref())
            .unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
        let caching =
            if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers =
            [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(caching))];
        return Ok((headers, file.data).into_response());
    }
    if path.contains('.') {
        return Err(Failure::new(ErrorCode::NotFound, format!("there is no file {}", uri.path())));
    }
    match Page::get("index.html") {
        Some(page) => {
            let headers =
                [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
            Ok((headers, page.data).into_response())
        }
        None => Ok((StatusCode::OK, Html(NOT_BUILT)).into_response()),
    }
}
