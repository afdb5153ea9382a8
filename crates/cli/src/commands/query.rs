//! `corella query`: asks a running server.

use std::{io::Read as _, process::ExitCode};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value as Json;
use tokio::runtime::Runtime;

use crate::failure::Failure;

/// Ask a running server.
///
/// Prints each row of the answer as one line of JSON. With --live each message about the answer is one line instead: the
/// whole answer first, then what each commit makes of it, until the command is ended.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    corella query '{\"from\": \"Note\", \"where\": {\"pinned\": true}, \"orderBy\": \"title\"}'\n  \
    corella query --live '{\"from\": \"Note\", \"aggregate\": {\"rows\": {\"$count\": true}}}'")]
pub(crate) struct Query {
    /// The query as JSON; `-` reads it from the standard input.
    query: String,
    /// The server.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:4400", env = "CORELLA_SERVER")]
    server: String,
    /// The token of whoever asks, as `corella token` prints it.
    #[arg(long, value_name = "TOKEN", env = "CORELLA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Go on and tell every change of the answer.
    #[arg(long, conflicts_with = "explain")]
    live: bool,
    /// Tell how the query is answered instead: its SQL, and how a changed row finds it while it is live.
    #[arg(long)]
    explain: bool,
}

impl Query {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let runtime =
            Runtime::new().map_err(|source| Failure::Process { what: "start the async threads", source })?;
        runtime.block_on(async {
            let query = self.read()?;
            if self.live { self.follow(&query).await } else { self.ask(&query).await }
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// The query as one line of JSON.
    fn read(&self) -> Result<String, Failure> {
        let mut text = self.query.clone();
        if text == "-" {
            text.clear();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|source| Failure::Process { what: "read the query", source })?;
        }
        let json: Json = serde_json::from_str(&text)
            .map_err(|error| Failure::Refused(format!("expected a query as JSON: {error}")))?;
        Ok(json.to_string())
    }

    async fn ask(&self, query: &str) -> Result<(), Failure> {
        let path = if self.explain { "/api/query/explain" } else { "/api/query" };
        let request = self.request("POST", path, query.to_owned())?;
        let answer = self.send(request).await?;
        let bytes = answer.into_body().collect().await.map_err(|error| self.unreached(error))?.to_bytes();
        let answer: Json = serde_json::from_slice(&bytes).map_err(|error| self.unreached(error))?;
        match answer["rows"].as_array().filter(|_| !self.explain) {
            Some(rows) => rows.iter().for_each(|row| println!("{row}")),
            None => println!("{answer:#}"),
        }
        Ok(())
    }

    async fn follow(&self, query: &str) -> Result<(), Failure> {
        let path = format!("/api/live?query={}", encoded(query));
        let mut body = self.send(self.request("GET", &path, String::new())?).await?.into_body();
        let mut waiting: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.unreached(error))?;
            waiting.extend_from_slice(frame.data_ref().map(|data| &data[..]).unwrap_or_default());
            while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                let Some(data) = line.strip_prefix(b"data: ") else { continue };
                let message = String::from_utf8_lossy(data);
                let message = message.trim_end();
                let json: Json = serde_json::from_str(message).map_err(|error| self.unreached(error))?;
                if json["type"] == "error" {
                    return Err(Failure::Refused(json["message"].as_str().unwrap_or(message).to_owned()));
                }
                println!("{message}");
            }
        }
        Err(Failure::Refused("the server has ended the answer; ask again".to_owned()))
    }

    fn request(&self, method: &str, path: &str, body: String) -> Result<Request<Full<Bytes>>, Failure> {
        let address = format!("{}{path}", self.server.trim_end_matches('/'));
        let uri: Uri = address.parse().map_err(|error| self.unreached(error))?;
        if uri.scheme_str() != Some("http") {
            return Err(self.unreached("expected an address that begins with http://"));
        }
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body.into()))
            .map_err(|error| self.unreached(error))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.map_err(|error| self.unreached(error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(|error| self.unreached(error))?.to_bytes();
        let problem: Json = serde_json::from_slice(&bytes).unwrap_or_default();
        Err(Failure::Refused(problem["detail"].as_str().map_or_else(|| status.to_string(), str::to_owned)))
    }

    fn unreached(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::Unreached { address: self.server.clone(), source: source.into() }
    }
}

/// `text` as it may stand in the query string of an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}
