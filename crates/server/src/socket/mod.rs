//! The conversation on `/ws`: binary frames of the Loro Syncing Protocol v1, control messages in text.

mod control;
mod inbound;
mod pace;
mod rooms;
mod session;
mod standing;
mod transport;
mod updates;
mod writer;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Request, request::Parts},
    response::Response,
};
use corella_wire::ErrorCode;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use crate::{
    App, Failure,
    http::caller::{credential, stranger},
    limits::Requester,
    listen::{Place, Remote},
};

/// `GET /ws`
pub(crate) async fn upgrade(State(app): State<Arc<App>>, mut parts: Parts) -> Result<Response, Failure> {
    let no_handshake =
        |why: String| Failure::new(ErrorCode::InvalidFrame, format!("expected a WebSocket handshake: {why}"));
    let upgrading = parts.extensions.remove::<OnUpgrade>();
    let answer = create_response(&Request::from_parts(parts.clone(), ()));
    let answer = answer.map_err(|error| no_handshake(error.to_string()))?;
    let upgrading =
        upgrading.ok_or_else(|| no_handshake("this connection cannot be taken over from HTTP".to_owned()))?;
    // Without a token the connection is open, but each join must bring one.
    let principal = match credential(&app, &parts)? {
        Some(credential) => Some(credential.caller(&app).await?),
        None => stranger(&app).ok(),
    };
    let remote = parts.extensions.get::<Remote>().copied();
    if let Some(requester) = Requester::of(principal.as_ref(), remote) {
        app.count_request(requester)?;
    }
    app.admission.check()?;
    let seat = match &principal {
        Some(principal) => app.seat(principal)?,
        None => None,
    };
    let place = parts.extensions.get::<Place>().cloned();
    let tracked = app.connections.clone();
    let session = async move {
        let _place = place;
        session::run(app, upgrading, principal, seat, remote).await;
    };
    tokio::spawn(tracked.track_future(session));
    Ok(answer.map(|()| Body::empty()))
}
