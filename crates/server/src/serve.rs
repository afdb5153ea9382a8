//! Listening, and stopping in good order.

use std::{future::Future, io, sync::Arc, time::Duration};

use axum::serve::ListenerExt as _;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::{App, http::router};

/// How often those who are idle are told of again, well within the 30 seconds after which receivers forget them.
const REFRESH_PRESENCE: Duration = Duration::from_secs(12);
/// How long open requests and connections may take to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves `app` on `listener` until `stop` resolves, then ends in good order: everything that was accepted is
/// durable, every connection is closed with code 1012, so that clients come back.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    app: Arc<App>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
    });
    let presence = tokio::spawn(refresh_presence(Arc::clone(&app)));
    let stopping = app.stop.clone();
    let serving = axum::serve(listener, router(Arc::clone(&app)))
        .with_graceful_shutdown(async move { stopping.cancelled().await })
        .into_future();
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended?,
        () = stop => {}
    }
    tracing::info!("stopping: finishing what was accepted");
    app.stop.cancel();
    app.connections.close();
    let farewell = async {
        app.connections.wait().await;
        serving.await.ok();
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
    presence.abort();
    app.store.close().await;
    Ok(())
}

async fn refresh_presence(app: Arc<App>) {
    let mut ticks = tokio::time::interval(REFRESH_PRESENCE);
    loop {
        ticks.tick().await;
        app.hub.presence().refresh(Timestamp::now().as_millisecond());
    }
}
