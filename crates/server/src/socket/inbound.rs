//! What comes in on a connection.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use corella_live::Pass;
use corella_rowdoc::Version;
use corella_wire::{
    BatchId, DecodeError, Envelope, ErrorCode, Frame, JoinErrorCode, Magic, Permission, Progress,
    Reassembler, ReassemblyLimits, RoomName,
    control::{ErrorReply, ServerMessage},
    decode, encode,
};
use futures_util::{SinkExt as _, StreamExt as _};
use jiff::Timestamp;
use tokio::{
    sync::Notify,
    time::{Instant as Clock, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{self, Message};

use super::{
    control,
    pace::{Pace, TooMuch, cost},
    rooms::{JoinedRoom, JoinedRooms},
    session::{Connection, End},
    standing::{Standing, watch},
    transport::Incoming,
    updates::{self, Batch, Kind},
};
use crate::{
    Failure, Principal,
    accounts::Vigil,
    http::caller::{caller, stranger},
    limits::{Counted, UserKey},
};

/// How long a client may leave unread what it is sent, once its outbox is full.
const DEAFNESS: Duration = Duration::from_secs(300);
/// Frames that do not decode after which a connection is closed.
const MOST_MALFORMED: u32 = 16;
/// Batches that may be announced as seeds and not have come.
const MOST_SEEDS: usize = 256;

/// The receiving half of a connection.
pub(super) struct Inbound {
    pub(super) connection: Arc<Connection>,
    /// Who calls where a join brings no token of its own.
    pub(super) principal: Option<Principal>,
    /// The connection's place among those of its user.
    pub(super) seat: Option<Counted<UserKey>>,
    /// Notified when the access of anybody whose token is used here may have changed.
    pub(super) wake: Arc<Notify>,
    /// Has `wake` notified for the principal.
    pub(super) vigil: Option<Vigil>,
    pub(super) rooms: JoinedRooms,
    pace: Pace,
    /// Until when nothing is read, because of how much has come.
    paused_until: Option<Clock>,
    fragments: Reassembler,
    malformed: u32,
    /// Batches that were said to fill their documents, and have not come yet.
    seeds: HashSet<(RoomName, BatchId)>,
}

impl Inbound {
    pub(super) fn new(
        connection: Arc<Connection>,
        principal: Option<Principal>,
        seat: Option<Counted<UserKey>>,
        rooms: JoinedRooms,
    ) -> Self {
        let pace = Pace::new(connection.app.options.limits.updates_per_second);
        let wake = Arc::new(Notify::new());
        let vigil = principal.as_ref().and_then(|principal| watch(&connection.app, principal, &wake));
        Self {
            wake,
            vigil,
            connection,
            principal,
            seat,
            rooms,
            pace,
            paused_until: None,
            fragments: Reassembler::new(ReassemblyLimits::default()),
            malformed: 0,
            seeds: HashSet::new(),
        }
    }

    /// Takes in frames until the connection ends.
    pub(super) async fn run(&mut self, mut incoming: Incoming) -> End {
        // Its own pings count, and browsers answer the server's.
        let silence = self.connection.app.options.limits.silence;
        let ping_every = silence * 2 / 5;
        let mut heard = Clock::now();
        let mut asked = heard;
        loop {
            // A client that does not read its answers is not read from either.
            if timeout(DEAFNESS, self.connection.outbox.wait_for_room()).await.is_err() {
                return End::Deaf;
            }
            let fragments_end = self.fragments.next_deadline().map(Clock::from_std);
            let next_ping = heard.max(asked) + ping_every;
            let paused = self.paused_until.take_if(|until| *until > Clock::now());
            self.paused_until = paused;
            let wakes = [Some(next_ping), Some(heard + silence), fragments_end, self.next_expiry(), paused];
            let wake = wakes.into_iter().flatten().min().unwrap_or(next_ping);
            tokio::select! {
                message = incoming.next(), if paused.is_none() => {
                    heard = Clock::now();
                    let end = match message {
                        // On the heap, since a connection that rests would keep room for it otherwise.
                        Some(Ok(message)) => Box::pin(self.take_in(message)).await,
                        Some(Err(error)) => Some(broken(&error)),
                        None => Some(End::Gone),
                    };
                    if end == Some(End::Left) {
                        // Has the library say goodbye as well.
                        incoming.flush().await.ok();
                    }
                    if let Some(end) = end {
                        return end;
                    }
                }
                () = self.wake.notified() => {
                    if Box::pin(self.check_standing()).await == Standing::Over {
                        return End::Revoked;
                    }
                }
                () = sleep_until(wake) => {
                    let now = Clock::now();
                    Box::pin(self.renew_by_cookie()).await;
                    if self.expire_tokens() == Standing::Over {
                        return End::Expired;
                    }
                    self.expire_fragments();
                    if now >= heard + silence {
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
        let Connection { app, outbox, .. } = &*self.connection;
        for room in self.rooms.drain() {
            app.hub.leave(outbox, &room.pass);
        }
    }

    async fn take_in(&mut self, message: Message) -> Option<End> {
        match message {
            Message::Binary(bytes) => match decode(bytes) {
                Ok(envelope) => {
                    if let Err(failure) = self.take_pace(cost(envelope.magic, &envelope.frame)) {
                        self.too_fast(envelope, failure);
                        return None;
                    }
                    self.frame(envelope).await;
                    if self.connection.offences.load(Ordering::Relaxed) >= updates::MOST_OFFENCES {
                        return Some(End::Refused);
                    }
                }
                Err(error) => return self.not_a_frame(&error),
            },
            Message::Text(text) => {
                // One message alone is never too much.
                self.take_pace(1).ok();
                return control::text(self, text.as_str()).await;
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            Message::Close(_) => return Some(End::Left),
        }
        None
    }

    /// Counts what has come against the pace of the connection, which is not read from until that is made good.
    ///
    /// What was refused of what came before counts as well.
    fn take_pace(&mut self, cost: usize) -> Result<(), Failure> {
        self.pace.charge(self.connection.refused.swap(0, Ordering::Relaxed), Instant::now());
        let pause = self.pace.take(cost, Instant::now()).map_err(|TooMuch| {
            let most = self.connection.app.options.limits.updates_per_second;
            let detail = format!(
                "expected at most {most} updates a second on one connection, found a frame that counts for {cost}; \
                 send it in smaller ones"
            );
            Failure::new(ErrorCode::RateLimited, detail)
        })?;
        if !pause.is_zero() {
            metrics::counter!("corella_connections_paused_total").increment(1);
            self.paused_until = Some(Clock::now() + pause);
        }
        Ok(())
    }

    /// Says of a frame that it is too much at once.
    fn too_fast(&self, Envelope { magic, room, frame }: Envelope, failure: Failure) {
        if let Frame::DocUpdate { batch: id, .. } = frame {
            return Batch { magic, room, id }.acknowledge(&self.connection, Err(&failure));
        }
        let mut reply = ErrorReply::new(failure.code, failure.detail);
        reply.room = Some(room.as_str().to_owned());
        self.connection.outbox.push_text(ServerMessage::Error(reply).encode());
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
            Frame::JoinRequest { auth, version } => self.join(magic, room, &auth, &version).await,
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
                    self.connection.app.hub.leave(&self.connection.outbox, &joined.pass);
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
        let result =
            updates.iter().try_for_each(|update| presence.update(source, &joined.pass.key, update, now));
        match result.map_err(Failure::from) {
            Ok(()) => batch.acknowledge(&self.connection, Ok(())),
            Err(failure) => batch.acknowledge(&self.connection, Err(&failure)),
        }
    }

    async fn join(&mut self, magic: Magic, room: RoomName, auth: &Bytes, version: &Bytes) {
        if let Err(failure) = self.try_join(magic, &room, auth, version).await {
            let frame = refused_join(failure);
            self.connection.outbox.push_answer(encode(&Envelope { magic, room, frame }));
        }
    }

    async fn try_join(
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
        let connection = Arc::clone(&self.connection);
        let Connection { app, outbox, .. } = &*connection;
        let mut principal = self.principal_of(auth).await?;
        let key = app.room_key(&principal.tenant, room)?;
        let since = match magic {
            Magic::Document => Version::decode(version)
                .map_err(|error| Failure::new(ErrorCode::VersionUnknown, error.to_string()))?,
            Magic::Ephemeral | Magic::PersistedEphemeral | Magic::Other(_) => Version::empty(),
        };
        let pass = Arc::new(Pass { key: key.clone(), magic, room: room.clone() });
        let has_token = !auth.is_empty();
        let vigil = match &app.accounts {
            Some(accounts) if has_token => {
                let vigil = accounts.standings.watch(&principal, &self.wake);
                // It may have ended, or have become another, before it was watched.
                let given = accounts.standings.check(&principal).await?;
                principal = app.authority.entitled(&principal, given.as_deref()).unwrap_or(principal);
                vigil
            }
            Some(_) | None => None,
        };
        let (user, access) = (Arc::clone(&principal.user), principal.access());
        let joined = JoinedRoom { pass: Arc::clone(&pass), principal, has_token, vigil: vigil.map(Arc::new) };
        if let Some(before) = self.rooms.join(joined)?
            && before.pass != pass
        {
            app.hub.evict(outbox, &before.pass);
        }
        if magic == Magic::Document {
            outbox.push_join(key, room.clone(), since, access);
            return Ok(());
        }
        let now = Timestamp::now().as_millisecond();
        let presence = app.hub.join_presence(&app.store, outbox, &pass, user, access, now).await;
        let presence = presence.inspect_err(|_| drop(self.rooms.leave(magic, room)))?;
        let frame = Frame::JoinOk {
            permission: Permission::Write,
            version: Bytes::from_static(&[0]),
            extra: Bytes::new(),
        };
        outbox.push_answer(encode(&Envelope { magic, room: room.clone(), frame }));
        for frame in presence {
            outbox.push_answer_about(&pass, frame);
        }
        Ok(())
    }

    /// Who joins: as the join's own token says, else as the connection's does.
    async fn principal_of(&self, auth: &Bytes) -> Result<Principal, Failure> {
        if auth.is_empty() {
            return match &self.principal {
                Some(principal) => Ok(principal.clone()),
                None => Ok(stranger(&self.connection.app)?),
            };
        }
        let token = std::str::from_utf8(auth).map_err(|_| {
            Failure::new(
                ErrorCode::Unauthorized,
                "expected a token in the join's auth bytes, found other bytes",
            )
        })?;
        caller(&self.connection.app, token).await
    }
}

/// How a connection ends on which nothing more can be read.
fn broken(error: &tungstenite::Error) -> End {
    use tungstenite::{
        Error::{Capacity, Protocol, Utf8},
        error::ProtocolError::ResetWithoutClosingHandshake,
    };
    if matches!(error, Capacity(_)) {
        End::TooLarge
    } else if matches!(error, Protocol(ResetWithoutClosingHandshake)) {
        End::Gone
    } else if matches!(error, Protocol(_) | Utf8(_)) {
        End::Violation
    } else {
        End::Gone
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
