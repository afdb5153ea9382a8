//! What comes in on a connection.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::extract::ws::{Message, WebSocket};
use bytes::Bytes;
use corella_rowdoc::Version;
use corella_wire::{
    BatchId, DecodeError, Envelope, ErrorCode, Frame, JoinErrorCode, Magic, Permission, Progress,
    Reassembler, ReassemblyLimits, RoomName,
    control::{ErrorReply, ServerMessage},
    decode, encode,
};
use futures_util::{StreamExt as _, stream::SplitStream};
use jiff::Timestamp;
use tokio::time::{Instant as Clock, sleep_until};
use tokio_tungstenite::tungstenite;

use super::{
    control,
    rooms::{JoinedRoom, JoinedRooms},
    session::{Connection, End},
    updates::{self, Batch, Kind},
};
use crate::{Failure, Principal, http::caller::caller};

/// How long a client may be silent; its own pings count, and browsers answer the server's.
const SILENCE: Duration = Duration::from_secs(75);
/// How often a silent client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Frames that do not decode after which a connection is closed.
const MOST_MALFORMED: u32 = 16;
/// Batches that may be announced as seeds and not have come.
const MOST_SEEDS: usize = 256;

/// The receiving half of a connection.
pub(super) struct Inbound {
    pub(super) connection: Arc<Connection>,
    /// Who calls where a join brings no token of its own.
    pub(super) principal: Option<Principal>,
    rooms: JoinedRooms,
    fragments: Reassembler,
    malformed: u32,
    /// Batches that were said to fill their documents, and have not come yet.
    seeds: HashSet<(RoomName, BatchId)>,
}

impl Inbound {
    pub(super) fn new(connection: Arc<Connection>, principal: Option<Principal>, rooms: JoinedRooms) -> Self {
        let fragments = Reassembler::new(ReassemblyLimits::default());
        Self { connection, principal, rooms, fragments, malformed: 0, seeds: HashSet::new() }
    }

    /// Takes in frames until the connection ends.
    pub(super) async fn run(&mut self, mut stream: SplitStream<WebSocket>) -> End {
        let mut heard = Clock::now();
        let mut asked = heard;
        loop {
            // A client that does not read its answers is not read from either.
            self.connection.outbox.wait_for_room().await;
            let fragments_end = self.fragments.next_deadline().map(Clock::from_std);
            let next_ping = heard.max(asked) + PING_EVERY;
            let wake = fragments_end.map_or(next_ping, |end| end.min(next_ping)).min(heard + SILENCE);
            tokio::select! {
                message = stream.next() => {
                    heard = Clock::now();
                    let end = match message {
                        Some(Ok(message)) => self.take_in(message).await,
                        Some(Err(error)) => Some(broken(error)),
                        None => Some(End::Gone),
                    };
                    if let Some(end) = end {
                        return end;
                    }
                }
                () = sleep_until(wake) => {
                    let now = Clock::now();
                    self.expire_fragments();
                    if now >= heard + SILENCE {
                        return End::Silent;
                    }
                    if now >= next_ping {
                        asked = now;
                        self.connection.outbox.push_text(corella_wire::control::PING.to_owned());
                    }
                }
            }
        }
    }

    /// Leaves every room.
    pub(super) fn leave_all(&mut self) {
        let rooms: Vec<((Magic, RoomName), JoinedRoom)> = self.rooms.drain().collect();
        for ((magic, name), room) in rooms {
            self.left(magic, &name, &room);
        }
    }

    async fn take_in(&mut self, message: Message) -> Option<End> {
        match message {
            Message::Binary(bytes) => match decode(bytes) {
                Ok(envelope) => self.frame(envelope).await,
                Err(error) => return self.not_a_frame(&error),
            },
            Message::Text(text) => return control::text(self, text.as_str()),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Close(_) => return Some(End::Left),
        }
        None
    }

    fn not_a_frame(&mut self, error: &DecodeError) -> Option<End> {
        self.malformed += 1;
        let mut reply = ErrorReply::new(error.code(), error.to_string());
        reply.room = error.room().map(|(_, room)| room.as_str().to_owned());
        self.connection.outbox.push_text(ServerMessage::Error(reply).encode());
        (self.malformed >= MOST_MALFORMED).then_some(End::Violation)
    }

    async fn frame(&mut self, envelope: Envelope) {
        let Envelope { magic, room, frame } = envelope;
        match frame {
            Frame::JoinRequest { auth, version } => self.join(magic, room, &auth, &version),
            Frame::DocUpdate { updates, batch } => {
                self.updates(Batch { magic, room, id: batch }, updates).await;
            }
            Frame::FragmentHeader { batch, count, total_bytes } => {
                let batch = Batch { magic, room, id: batch };
                if let Err(failure) = self.rooms.get(magic, &batch.room) {
                    self.fragments.refuse(magic, &batch.room, batch.id);
                    return batch.acknowledge(&self.connection, Err(&failure));
                }
                let begun =
                    self.fragments.begin(magic, &batch.room, batch.id, count, total_bytes, Instant::now());
                if let Err(error) = begun {
                    let failure = Failure::new(error.code(), error.to_string());
                    batch.acknowledge(&self.connection, Err(&failure));
                }
            }
            Frame::Fragment { batch, index, chunk } => {
                self.fragment(Batch { magic, room, id: batch }, index, &chunk).await;
            }
            Frame::Leave => {
                self.fragments.leave(magic, &room);
                if magic == Magic::Document {
                    self.seeds.retain(|(seeded, _)| *seeded != room);
                }
                if let Some(joined) = self.rooms.leave(magic, &room) {
                    self.left(magic, &room, &joined);
                }
            }
            // Clients acknowledge what they were sent; a refused one rejoins by itself.
            Frame::Ack { .. } => {}
            Frame::JoinOk { .. } | Frame::JoinError { .. } | Frame::RoomError { .. } => {
                let detail = "expected a frame that clients send, found one that servers send";
                let mut reply = ErrorReply::new(ErrorCode::InvalidFrame, detail);
                reply.room = Some(room.as_str().to_owned());
                self.connection.outbox.push_text(ServerMessage::Error(reply).encode());
            }
        }
    }

    async fn fragment(&mut self, batch: Batch, index: u64, chunk: &Bytes) {
        match self.fragments.accept(batch.magic, &batch.room, batch.id, index, chunk, Instant::now()) {
            Ok(Progress::Complete(update)) => self.updates(batch, vec![update]).await,
            Ok(Progress::Waiting | Progress::Ignored) => {}
            Err(error) => {
                let failure = Failure::new(error.code(), error.to_string());
                batch.acknowledge(&self.connection, Err(&failure));
            }
        }
    }

    /// Remembers that a batch to come is to fill its document.
    pub(super) fn expect_seed(&mut self, room: &str, batch: BatchId) -> Result<(), Failure> {
        let room =
            RoomName::new(room).map_err(|error| Failure::new(ErrorCode::UnknownRoom, error.to_string()))?;
        self.rooms.get(Magic::Document, &room)?;
        if self.seeds.len() >= MOST_SEEDS {
            let detail = format!("expected the batches of the last {MOST_SEEDS} seeds first");
            return Err(Failure::new(ErrorCode::RateLimited, detail));
        }
        self.seeds.insert((room, batch));
        Ok(())
    }

    fn expire_fragments(&mut self) {
        for (magic, room, id) in self.fragments.expire(Instant::now()) {
            let detail = "the fragments of this batch stayed away for too long; send it again";
            let failure = Failure::new(ErrorCode::FragmentTimeout, detail);
            Batch { magic, room, id }.acknowledge(&self.connection, Err(&failure));
        }
    }

    async fn updates(&mut self, batch: Batch, updates: Vec<Bytes>) {
        let joined = match self.rooms.get(batch.magic, &batch.room) {
            Ok(joined) => joined,
            Err(failure) => return batch.acknowledge(&self.connection, Err(&failure)),
        };
        if batch.magic == Magic::Document {
            let is_seed = self.seeds.remove(&(batch.room.clone(), batch.id));
            let kind = if is_seed { Kind::Seed } else { Kind::Update };
            return updates::submit(&self.connection, joined, batch, kind, updates).await;
        }
        let presence = self.connection.app.hub.presence();
        let source = self.connection.outbox.source();
        let now = Timestamp::now().as_millisecond();
        let result = updates.iter().try_for_each(|update| presence.update(source, &joined.key, update, now));
        match result.map_err(Failure::from) {
            Ok(()) => batch.acknowledge(&self.connection, Ok(())),
            Err(failure) => batch.acknowledge(&self.connection, Err(&failure)),
        }
    }

    fn join(&mut self, magic: Magic, room: RoomName, auth: &Bytes, version: &Bytes) {
        if let Err(failure) = self.try_join(magic, &room, auth, version) {
            let frame = refused_join(failure);
            self.connection.outbox.push_answer(encode(&Envelope { magic, room, frame }));
        }
    }

    fn try_join(
        &mut self,
        magic: Magic,
        room: &RoomName,
        auth: &Bytes,
        version: &Bytes,
    ) -> Result<(), Failure> {
        if !matches!(magic, Magic::Document | Magic::Ephemeral) {
            let detail = format!("expected a room of kind %LOR or %EPH, found {magic}");
            return Err(Failure::new(ErrorCode::UnsupportedMagic, detail));
        }
        let app = Arc::clone(&self.connection.app);
        let principal = self.principal_of(auth)?;
        let key = app.room_key(&principal.tenant, room)?;
        let since = match magic {
            Magic::Document => Version::decode(version)
                .map_err(|error| Failure::new(ErrorCode::VersionUnknown, error.to_string()))?,
            Magic::Ephemeral | Magic::PersistedEphemeral | Magic::Other(_) => Version::empty(),
        };
        let user = Arc::clone(&principal.user);
        self.rooms.join(magic, room.clone(), JoinedRoom { key: key.clone(), principal })?;
        let outbox = &self.connection.outbox;
        if magic == Magic::Document {
            outbox.push_join(key, room.clone(), since);
            return Ok(());
        }
        let frame = Frame::JoinOk {
            permission: Permission::Write,
            version: Bytes::from_static(&[0]),
            extra: Bytes::new(),
        };
        outbox.push_answer(encode(&Envelope { magic, room: room.clone(), frame }));
        let now = Timestamp::now().as_millisecond();
        for frame in app.hub.presence().join(outbox, &key, room.clone(), user, now) {
            outbox.push_answer(frame);
        }
        Ok(())
    }

    /// Who joins: as the join's own token says, else as the connection's does.
    fn principal_of(&self, auth: &Bytes) -> Result<Principal, Failure> {
        if auth.is_empty() {
            return match &self.principal {
                Some(principal) => Ok(principal.clone()),
                None => Ok(caller(&self.connection.app, None)?),
            };
        }
        let token = std::str::from_utf8(auth).map_err(|_| {
            Failure::new(
                ErrorCode::Unauthorized,
                "expected a token in the join's auth bytes, found other bytes",
            )
        })?;
        Ok(caller(&self.connection.app, Some(token))?)
    }

    fn left(&self, magic: Magic, name: &RoomName, room: &JoinedRoom) {
        let Connection { app, outbox, .. } = &*self.connection;
        match magic {
            Magic::Document => {
                app.hub.leave(outbox, &room.key, name);
            }
            Magic::Ephemeral | Magic::PersistedEphemeral | Magic::Other(_) => {
                app.hub.presence().leave(outbox.source(), &room.key, Timestamp::now().as_millisecond());
            }
        }
    }
}

/// How a connection ends on which nothing more can be read.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => End::TooLarge,
        Some(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => End::Violation,
        Some(_) | None => End::Gone,
    }
}

/// The frame that says why a join was refused.
pub(super) fn refused_join(failure: Failure) -> Frame {
    let code = if matches!(failure.code, ErrorCode::Unauthorized | ErrorCode::Forbidden) {
        JoinErrorCode::AuthFailed
    } else if failure.code == ErrorCode::VersionUnknown {
        JoinErrorCode::VersionUnknown { version: Bytes::from_static(&[0]) }
    } else {
        JoinErrorCode::App { code: failure.code.as_str().to_owned() }
    };
    Frame::JoinError { code, message: failure.detail }
}
