//! Serving, and stopping in good order.

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::{App, http::router, listen::listen};

/// How often those who are idle are told of again, well within the 30 seconds after which receivers forget them.
const REFRESH_PRESENCE: Duration = Duration::from_secs(12);
/// How long open requests and connections may take to end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Serves `app` on `listener` until `stop` resolves, then ends in good order: everything that was accepted is
/// durable, every connection is closed with code 1012, so that clients come back.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()> + Send) {
    let presence = tokio::spawn(refresh_presence(Arc::clone(&app)));
    let listening = {
        let (app, router) = (Arc::clone(&app), router(Arc::clone(&app)));
        tokio::spawn(async move { listen(&app, listener, router).await })
    };
    stop.await;
    tracing::info!("stopping: finishing what was accepted");
    app.stop.cancel();
    app.connections.close();
    let farewell = async {
        app.connections.wait().await;
        listening.await.ok();
    };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
    presence.abort();
    app.store.close().await;
}

async fn refresh_presence(app: Arc<App>) {
    let mut ticks = tokio::time::interval(REFRESH_PRESENCE);
    loop {
        ticks.tick().await;
        app.hub.presence().refresh(Timestamp::now().as_millisecond());
    }
}
