//! Connections as they come in, each with a bound on how long it may be silent and how many an address may have.

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::Request,
    http::HeaderMap,
    response::IntoResponse as _,
};
use corella_wire::ErrorCode;
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower_service::Service as _;

use crate::{
    App, Failure,
    limits::{Counted, network},
};

/// Most bytes of a request's head.
const MOST_HEAD: usize = 64 * 1024;
/// How long nothing is accepted after the system had no more to give, such as file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection's place among those of its address, which a socket keeps as long as it lives.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    _counted: Arc<Counted<IpAddr>>,
}

/// Where a request comes from: what of its address is counted together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote(pub(crate) IpAddr);

/// Serves whoever connects until the server is to stop, and then those who are there until they have been answered.
pub(crate) async fn listen(app: &Arc<App>, listener: TcpListener, router: Router) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = app.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => take_in(app, stream, address, router.clone(), &open),
            Err(error) => pause_after(&error).await,
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

fn take_in(app: &Arc<App>, stream: TcpStream, address: SocketAddr, router: Router, open: &TaskTracker) {
    let Some(sender) = Sender::of(app, address.ip()) else {
        // Whoever has so many open is not worth an answer.
        metrics::counter!("corella_connections_refused_total").increment(1);
        tracing::debug!(%address, most = app.addresses.most(), "an address has too many connections");
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let serving = Arc::clone(app);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (mut parts, body) = request.into_parts();
        let answer = sender.place(&serving, &parts.headers).map(|(place, remote)| {
            parts.extensions.insert(place.clone());
            parts.extensions.insert(remote);
            (place, router.clone().call(Request::from_parts(parts, Body::new(body))))
        });
        async move {
            let (place, answer) = match answer {
                Ok(answer) => answer,
                Err(failure) => return Ok(failure.into_response()),
            };
            let answer = answer.await.unwrap_or_else(|never| match never {});
            if answer.body().size_hint().exact().is_some() {
                return Ok(answer);
            }
            // An answer that goes on for long keeps its place as long.
            Ok::<_, Infallible>(answer.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _place = &place;
                    frame
                }))
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.options.limits.head_time)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let stop = app.stop.clone();
    open.spawn(async move {
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection has broken");
        }
    });
}

/// Who is at the other end of a connection.
enum Sender {
    /// A client, which has one place for the whole connection.
    Client(Place, Remote),
    /// A proxy that says for whom it asks.
    Proxy(IpAddr),
}

impl Sender {
    /// Whoever connects from `address`; nobody where that has as many connections as it may.
    fn of(app: &App, address: IpAddr) -> Option<Self> {
        if app.options.limits.proxies.include(address) {
            return Some(Self::Proxy(address));
        }
        let network = network(address);
        let counted = app.addresses.enter(network)?;
        Some(Self::Client(Place { _counted: Arc::new(counted) }, Remote(network)))
    }

    /// The place that a request takes, and where it comes from.
    fn place(&self, app: &App, headers: &HeaderMap) -> Result<(Place, Remote), Failure> {
        let peer = match self {
            Self::Client(place, remote) => return Ok((place.clone(), *remote)),
            Self::Proxy(peer) => *peer,
        };
        let network = network(app.options.limits.proxies.origin(peer, headers));
        let counted = app.addresses.enter(network).ok_or_else(|| {
            metrics::counter!("corella_connections_refused_total").increment(1);
            let detail = format!(
                "expected at most {} requests and sockets of one address at a time; close some first",
                app.addresses.most()
            );
            Failure::new(ErrorCode::RateLimited, detail)
        })?;
        Ok((Place { _counted: Arc::new(counted) }, Remote(network)))
    }
}

/// A connection that was gone before it was accepted is nothing; where the system has no more to give, it needs a moment.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::error!(%error, "a connection could not be accepted");
        tokio::time::sleep(PAUSE).await;
    }
}
