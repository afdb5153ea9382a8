//! Requests over HTTP.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value as Json;

use crate::within;

/// Talks to one server, as one caller.
#[derive(Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    token: Option<String>,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Http {
    /// A caller with this token, or none.
    #[must_use]
    pub fn new(address: SocketAddr, token: Option<&str>) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, base: format!("http://{address}"), token: token.map(str::to_owned) }
    }

    /// The same caller with another token, or none.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Json) -> Answer {
        self.send(Method::POST, path, &[], body.to_string()).await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Json) -> Answer {
        self.send(Method::PATCH, path, &[], body.to_string()).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Bytes::new()).await
    }

    /// Any request.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let what = format!("the answer to {method} {path}");
        let answer = within(&what, self.try_send(method, path, headers, body)).await;
        answer.unwrap_or_else(|error| unreachable!("{what} did not come: {error}"))
    }

    /// Any request without a body of which only the answer's status is wanted: its body may have no end.
    ///
    /// # Panics
    /// When no answer comes.
    pub async fn status(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> StatusCode {
        let what = format!("the answer to {method} {path}");
        let request = self.request(method, path, headers, Bytes::new());
        let answer = within(&what, self.client.request(request)).await;
        answer.unwrap_or_else(|error| unreachable!("{what} did not come: {error}")).status()
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(body.into())).expect("the request can be written")
    }

    /// Any request to a server that may end meanwhile.
    ///
    /// # Errors
    /// When no answer comes.
    ///
    /// # Panics
    /// When the request cannot be written.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let request = self.request(method, path, headers, body);
        let (parts, body) = self.client.request(request).await?.into_parts();
        Ok(Answer { status: parts.status, headers: parts.headers, body: body.collect().await?.to_bytes() })
    }
}

/// A query string of these pairs, with the question mark.
#[must_use]
pub fn query(pairs: &[(&str, &str)]) -> String {
    let encoded = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02X}"),
            })
            .collect()
    };
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    format!("?{}", pairs.join("&"))
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            unreachable!("expected JSON ({error}), found {} {}", self.status, self.text())
        })
    }

    /// A header's text, empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body of an answer of that status.
    ///
    /// # Panics
    /// When the status is another.
    pub fn expect(&self, status: u16) -> Json {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// The code of a refusal, with its status: `404 row_not_found`.
    ///
    /// # Panics
    /// When the answer is no problem of RFC 9457.
    #[must_use]
    pub fn problem(&self) -> String {
        let kind = self.header("content-type");
        assert_eq!(kind, "application/problem+json", "{} {}", self.status, self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        for key in ["title", "detail", "code"] {
            assert!(problem[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {problem}");
        }
        format!("{} {}", self.status.as_u16(), problem["code"].as_str().unwrap_or_default())
    }
}
