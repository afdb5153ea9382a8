//! The conversation on `/ws`: binary frames of the Loro Syncing Protocol v1, control messages in text.

mod control;
mod inbound;
mod pace;
mod rooms;
mod session;
mod updates;
mod writer;

use std::sync::Arc;

use axum::{
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::request::Parts,
    response::Response,
};
use corella_wire::{ErrorCode, MAX_FRAME_BYTES};

use crate::{
    App, Failure,
    http::caller::{caller, stranger, token},
    listen::Place,
};

/// Read buffer per socket, in bytes; the library's own default of 128 KiB would be most of a quiet connection.
const READ_BUFFER: usize = 4 * 1024;
/// Bytes collected before they are written to the socket.
const WRITE_BUFFER: usize = 32 * 1024;
/// Bytes that may wait in the socket's own buffer: what is collected, and a few whole frames.
const MOST_WRITE_BUFFER: usize = WRITE_BUFFER + 4 * MAX_FRAME_BYTES;

/// `GET /ws`
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    parts: Parts,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Failure> {
    let upgrade = upgrade.map_err(|rejection| {
        let detail = format!("expected a WebSocket handshake: {}", rejection.body_text());
        Failure::new(ErrorCode::InvalidFrame, detail)
    })?;
    // Without a token the connection is open, but each join must bring one.
    let principal = match token(&parts)? {
        Some(token) => Some(caller(&app, &token).await?),
        None => stranger(&app).ok(),
    };
    app.admission.check()?;
    let seat = match &principal {
        Some(principal) => app.seat(principal)?,
        None => None,
    };
    let place = parts.extensions.get::<Place>().cloned();
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(MOST_WRITE_BUFFER)
        .max_message_size(MAX_FRAME_BYTES)
        .max_frame_size(MAX_FRAME_BYTES);
    let tracked = app.connections.clone();
    Ok(upgrade.on_upgrade(move |socket| {
        tracked.track_future(async move {
            let _place = place;
            session::run(app, socket, principal, seat).await;
        })
    }))
}
