//! A live query as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Query as QueryString, State, rejection::QueryRejection},
    response::sse::{Event, KeepAlive, Sse},
};
use corella_live::{Interest, Outbox, Work};
use corella_query::Query;
use corella_wire::ErrorCode;
use futures_util::Stream;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Notify;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::caller::Caller;
use crate::{
    App, Failure, Principal,
    accounts::Vigil,
    following::{self, Wanted},
};

/// What the messages of the only query of such a connection name.
const REFERENCE: &str = "live";
/// How often a quiet stream says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes taken from the outbox at once.
const MOST_BYTES: usize = 128 * 1024;

/// The query string of a stream.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Parameters {
    query: Option<String>,
}

/// `GET /api/live`
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    Caller(caller): Caller,
    parameters: Result<QueryString<Parameters>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let QueryString(Parameters { query }) =
        parameters.map_err(|error| Failure::new(ErrorCode::InvalidQuery, error.body_text()))?;
    let expected = r#"query: expected a query such as {"from": "Note"} as JSON"#;
    let text =
        query.ok_or_else(|| Failure::new(ErrorCode::InvalidQuery, format!("{expected}, found none")))?;
    let json: Json = serde_json::from_str(&text)
        .map_err(|error| Failure::new(ErrorCode::InvalidQuery, format!("{expected}: {error}")))?;
    let query = Query::read(&app.manifest(), &json)?;
    let outbox = Arc::new(Outbox::new(app.next_source(), app.options.outbox));
    let wanted = Wanted { reference: REFERENCE.to_owned(), query, interest: Interest::Columns, since: None };
    following::follow(&app, &caller, &outbox, wanted)?;
    let expires = caller.expires;
    let wake = Arc::new(Notify::new());
    let vigil = app.accounts.as_ref().and_then(|accounts| accounts.standings.watch(&caller, &wake));
    // It may have ended before it was watched.
    wake.notify_one();
    let open = app.connections.token();
    let follower =
        Follower { app, outbox, caller, wake, _vigil: vigil, expires, is_over: false, _open: open };
    let events = futures_util::stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Whoever reads the stream; the query is let go of when the stream is dropped.
struct Follower {
    app: Arc<App>,
    outbox: Arc<Outbox>,
    caller: Principal,
    /// Notified when the caller's access may have changed.
    wake: Arc<Notify>,
    _vigil: Option<Vigil>,
    /// When the caller's token is over.
    expires: Option<Timestamp>,
    is_over: bool,
    /// The server waits for it before it ends.
    _open: TaskTrackerToken,
}

impl Follower {
    /// Whether the caller's session still goes on, with the same rights.
    async fn is_welcome(&self) -> bool {
        let Self { app, caller, .. } = self;
        let Some(accounts) = &app.accounts else { return true };
        let given = accounts.standings.given(caller).await;
        given.is_ok_and(|given| app.authority.entitled(caller, given.as_deref()).is_none())
    }

    /// The next event; nothing once the query or the server has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if self.is_over {
                return None;
            }
            match self.outbox.take(MOST_BYTES) {
                Some(Work::Text(text)) => {
                    let kind = kind_of(&text);
                    self.is_over = kind == "error";
                    return Some(Event::default().event(kind).data(text));
                }
                Some(Work::Answer(reference)) => {
                    self.app.hub.queries().catch_up(self.outbox.source(), reference);
                }
                // Nothing is joined on such a connection.
                Some(Work::Frames { .. } | Work::Join { .. } | Work::CatchUp { .. } | Work::Reply(_)) => {}
                None => {
                    tokio::select! {
                        () = self.outbox.filled() => {}
                        () = self.wake.notified() => {
                            if !self.is_welcome().await {
                                return None;
                            }
                        }
                        () = over(self.expires) => return None,
                        () = self.app.stop.cancelled() => return None,
                    }
                }
            }
        }
    }
}

/// Resolves when a token is over.
async fn over(expires: Option<Timestamp>) {
    match expires.map(|end| Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default()) {
        Some(rest) => tokio::time::sleep(rest).await,
        None => std::future::pending().await,
    }
}

/// The type of a message, by which its event is named.
fn kind_of(text: &str) -> String {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_str::<Head>(text).map_or_else(|_| "message".into(), |head| head.kind)
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.app.hub.queries().leave(self.outbox.source());
        self.outbox.close();
    }
}
