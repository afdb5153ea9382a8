//! One connection, from its first frame to its last.

use std::{
    sync::{Arc, atomic::AtomicU32},
    time::Duration,
};

use corella_live::Outbox;
use hyper::upgrade::OnUpgrade;
use tokio::sync::{Mutex, Semaphore};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::task::AbortOnDropHandle;

use super::{inbound::Inbound, rooms::JoinedRooms, transport::take_over, updates::IN_FLIGHT, writer::Writer};
use crate::{
    App, Principal,
    limits::{Counted, Requester, UserKey},
    listen::Remote,
};

/// How long a closing connection may take to send what it still owes.
const FAREWELL: Duration = Duration::from_secs(5);

/// The close code of a connection whose token is over, or is no longer good; stock clients do not come back by themselves then.
const EXPIRED: u16 = 4401;
/// The close code of a client that was made for another schema; 4400 to 4499 mirror HTTP's, and clients stay away.
const OTHER_SCHEMA: u16 = 4412;

/// What a connection's parts share.
pub(super) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) outbox: Arc<Outbox>,
    /// Permits for the writes that are under way; the reader waits for one before it takes in more.
    pub(super) in_flight: Arc<Semaphore>,
    /// How much its updates that the guards refused count against it.
    pub(super) offences: AtomicU32,
    /// Updates that were refused since its pace was last looked at.
    pub(super) refused: AtomicU32,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client has gone.
    Gone,
    /// The client has said goodbye.
    Left,
    /// The client was silent for too long.
    Silent,
    /// The client has not read what it was sent for too long.
    Deaf,
    /// The server stops.
    Stopping,
    /// The client said something that no client of this protocol says.
    Violation,
    /// The client sent a message over the limit.
    TooLarge,
    /// The token is over, and no fresh one came.
    Expired,
    /// The session has ended, or the account was disabled.
    Revoked,
    /// The client was made for another schema.
    OtherSchema,
    /// The client sent bytes for updates that are none, or that end the process that decodes them.
    Refused,
}

/// What a connection is told at its end.
pub(super) struct CloseFrame {
    pub(super) code: u16,
    /// At most 123 bytes.
    pub(super) reason: &'static str,
}

impl End {
    /// Whether it was brought about by what no honest client sends.
    fn is_offence(self) -> bool {
        match self {
            Self::Refused | Self::Violation | Self::TooLarge => true,
            Self::Gone
            | Self::Left
            | Self::Silent
            | Self::Deaf
            | Self::Stopping
            | Self::Expired
            | Self::Revoked
            | Self::OtherSchema => false,
        }
    }

    fn close_frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone | Self::Left => return None,
            Self::Deaf => (CloseCode::Away.into(), "nothing was read for too long"),
            Self::Silent => (CloseCode::Away.into(), "nothing was heard for too long"),
            Self::Stopping => (CloseCode::Restart.into(), "the server is restarting; come back"),
            Self::TooLarge => {
                (CloseCode::Size.into(), "a message may have 262144 bytes; send more in fragments")
            }
            Self::Expired => (EXPIRED, "the token has expired; come back with a fresh one"),
            Self::Revoked => (EXPIRED, "the session has ended or the account is disabled; sign in again"),
            Self::OtherSchema => (OTHER_SCHEMA, "schema_incompatible: load the newer version of the app"),
            Self::Refused => {
                (CloseCode::Policy.into(), "expected Loro updates, found too many that cannot be decoded")
            }
            Self::Violation => (CloseCode::Policy.into(), "expected the Loro Syncing Protocol v1"),
        };
        Some(CloseFrame { code, reason })
    }
}

/// Serves one connection until it ends.
pub(super) async fn run(
    app: Arc<App>,
    upgrading: OnUpgrade,
    principal: Option<Principal>,
    seat: Option<Counted<UserKey>>,
    remote: Option<Remote>,
) {
    metrics::counter!("corella_connections_total").increment(1);
    let outbox = Arc::new(Outbox::new(app.next_source(), app.options.outbox));
    let connection = Arc::new(Connection {
        app: Arc::clone(&app),
        outbox: Arc::clone(&outbox),
        in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
        offences: AtomicU32::new(0),
        refused: AtomicU32::new(0),
    });
    let (incoming, half) = match Box::pin(take_over(upgrading, &outbox)).await {
        Ok(halves) => halves,
        Err(error) => return tracing::debug!(%error, "a connection was gone before it began"),
    };
    // Held by whoever writes: its own task, and at the end this one.
    let writer = Arc::new(Mutex::new(Writer::new(Arc::clone(&connection), half)));
    let mut writing = AbortOnDropHandle::new(tokio::spawn({
        let writer = Arc::clone(&writer);
        async move { writer.lock().await.run().await }
    }));
    let rooms = JoinedRooms::new(app.options.limits.rooms_per_socket);
    let mut inbound = Inbound::new(Arc::clone(&connection), principal, seat, rooms);
    let end = tokio::select! {
        end = inbound.run(incoming) => end,
        _ended = &mut writing => End::Gone,
        () = app.stop.cancelled() => End::Stopping,
    };
    drop(writing);
    let mut writer = writer.lock().await;
    inbound.leave_all();
    if end.is_offence()
        && let Some(requester) = Requester::of(inbound.principal.as_ref(), remote)
    {
        app.count_offence(requester);
    }
    app.hub.queries().leave(outbox.source());
    if let Some(close) = end.close_frame() {
        let farewell = async {
            // Whatever was taken in is answered first.
            let _all = connection.in_flight.acquire_many(u32::try_from(IN_FLIGHT).unwrap_or(u32::MAX)).await;
            writer.finish(close).await;
        };
        tokio::time::timeout(FAREWELL, Box::pin(farewell)).await.ok();
    }
    if end == End::Left {
        tokio::time::timeout(FAREWELL, Box::pin(writer.close())).await.ok();
    }
    outbox.close();
    tracing::debug!(connection = outbox.source().0, ?end, "a connection ended");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call of `function` takes while it waits.
    fn waits_in<A, B, C, D, E, F>(_function: impl Fn(A, B, C, D, E) -> F) -> usize {
        size_of::<F>()
    }

    /// Most connections rest most of the time; what one needs only to work is on the heap while it works.
    #[test]
    fn a_connection_that_rests_takes_little() {
        let bytes = waits_in(run);
        assert!(bytes <= 2_048, "{bytes} bytes");
    }
}
