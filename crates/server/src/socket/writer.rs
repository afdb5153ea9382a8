//! What goes out on a connection, in the order in which it may.

use std::{collections::VecDeque, io::ErrorKind, sync::Arc};

use bytes::Bytes;
use corella_live::{Pass, Queued, Work};
use corella_rowdoc::{RowKey, Version};
use corella_store::Access;
use corella_wire::{Envelope, ErrorCode, Frame, Magic, RoomErrorCode, RoomName, encode};
use tokio::task::coop::consume_budget;

use super::{
    inbound::refused_join,
    session::{CloseFrame, Connection},
    transport::{Outgoing, WritingHalf},
};
use crate::Failure;

/// Bytes taken from the outbox at once.
const MOST_BYTES: usize = 128 * 1024;

/// The sending half of a connection.
pub(super) struct Writer {
    connection: Arc<Connection>,
    half: Arc<WritingHalf>,
    /// Taken from the outbox, not yet handed to the socket; kept here so that nothing is lost when
    /// [`Writer::run`] is dropped half-way.
    taken: VecDeque<Taken>,
    /// How many bytes of the first of these the socket has.
    sent: usize,
}

/// A message on its way to the socket, and the room that it is about when that may be taken away.
struct Taken {
    frame: Outgoing,
    about: Option<(Magic, RoomName)>,
    /// Whether the client waits for it to know what became of its join.
    answers_join: bool,
}

impl Taken {
    fn new(frame: Outgoing, about: Option<(Magic, RoomName)>) -> Self {
        Self { frame, about, answers_join: false }
    }
}

/// The other side cannot be reached any more.
struct Broken;

impl Writer {
    pub(super) fn new(connection: Arc<Connection>, half: Arc<WritingHalf>) -> Self {
        Self { connection, half, taken: VecDeque::new(), sent: 0 }
    }

    /// Sends what is queued, until the other side is gone.
    pub(super) async fn run(&mut self) {
        loop {
            if self.send_waiting().await.is_err() {
                return;
            }
            // Most connections rest most of the time, and keep no room for what they may send once.
            self.taken = VecDeque::new();
            let connection = Arc::clone(&self.connection);
            connection.outbox.filled().await;
        }
    }

    /// Sends what is still queued, and then that the connection is over.
    pub(super) async fn finish(&mut self, close: CloseFrame) {
        self.close_shortcut();
        if self.send_waiting().await.is_ok() {
            self.taken.push_back(Taken::new(Outgoing::close(close.code, close.reason), None));
            self.drain().await.ok();
        }
    }

    /// Answers the other side's goodbye, as the library has prepared it; whoever said it waits for nothing else.
    pub(super) async fn close(&mut self) {
        self.close_shortcut();
        self.taken.truncate(usize::from(self.sent > 0));
        while let Some(reply) = self.connection.outbox.take_reply() {
            self.taken.push_back(Taken::new(Outgoing::framed(reply), None));
        }
        self.drain().await.ok();
    }

    /// From here on nobody else hands anything to the socket.
    fn close_shortcut(&mut self) {
        if let Some((Queued { frame, about }, begun)) = self.connection.outbox.close_shortcut() {
            self.taken.push_front(Taken::new(Outgoing::binary(frame), about));
            self.sent = begun;
        }
    }

    async fn send_waiting(&mut self) -> Result<(), Broken> {
        loop {
            self.drain().await?;
            let Some(work) = self.connection.outbox.take(MOST_BYTES) else { return Ok(()) };
            self.prepare(work).await;
        }
    }

    /// Hands what was taken to the socket, and whatever is in doubt only once that is settled.
    async fn drain(&mut self) -> Result<(), Broken> {
        loop {
            // The socket may have let us wait for long.
            while let Some(pass) = self.connection.outbox.take_doubt() {
                Box::pin(self.settle(&pass)).await;
            }
            if self.taken.is_empty() {
                return Ok(());
            }
            match self.half.hand_over(self.taken.iter().map(|taken| &taken.frame), self.sent) {
                Ok(count) => self.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.half.writable().await.map_err(|_| Broken)?;
                }
                Err(_) => return Err(Broken),
            }
            consume_budget().await;
        }
    }

    /// Drops what the socket has taken: so many bytes more.
    fn advance(&mut self, count: usize) {
        self.sent += count;
        while let Some(first) = self.taken.front()
            && self.sent >= first.frame.len()
        {
            self.sent -= first.frame.len();
            self.taken.pop_front();
        }
    }

    /// Asks again whether the connection may be in a room; if not, nothing more about it is sent, but that it is over.
    async fn settle(&mut self, pass: &Arc<Pass>) {
        let Connection { app, outbox, .. } = &*self.connection;
        let Err(error) = app.hub.ask_again(&app.store, outbox, pass).await else { return };
        let failure = Failure::from(error);
        let about = Some((pass.magic, pass.room.clone()));
        let mut is_joining = false;
        // A frame that has begun before has to be sent to its end.
        let mut has_begun = self.sent > 0;
        self.taken.retain(|taken| {
            let stays = std::mem::take(&mut has_begun) || taken.about != about;
            is_joining |= !stays && taken.answers_join;
            stays
        });
        metrics::counter!("corella_evictions_total").increment(1);
        let frame = if is_joining {
            refused_join(failure)
        } else {
            let is_forbidden = failure.code == ErrorCode::Forbidden;
            let code = if is_forbidden { RoomErrorCode::Evicted } else { RoomErrorCode::RejoinSuggested };
            Frame::RoomError { code, message: failure.detail }
        };
        let frame = encode(&Envelope { magic: pass.magic, room: pass.room.clone(), frame });
        self.taken.push_back(Taken::new(Outgoing::binary(frame), None));
    }

    async fn prepare(&mut self, work: Work) {
        match work {
            Work::Reply(reply) => self.taken.push_back(Taken::new(Outgoing::framed(reply), None)),
            Work::Text(text) => {
                self.taken.push_back(Taken::new(Outgoing::text(text), None));
            }
            Work::Frames { frames, begun } => {
                let taken = |Queued { frame, about }| Taken::new(Outgoing::binary(frame), about);
                self.taken.extend(frames.into_iter().map(taken));
                self.sent = begun;
            }
            // On the heap, since a connection that rests would keep room for them otherwise.
            Work::Join { key, room, since, access } => Box::pin(self.join(key, room, since, access)).await,
            Work::CatchUp { key, room } => Box::pin(self.catch_up(key, room)).await,
            Work::Answer(reference) => {
                let Connection { app, outbox, .. } = &*self.connection;
                app.hub.queries().catch_up(outbox.source(), reference);
            }
        }
    }

    async fn join(&mut self, key: RowKey, room: RoomName, since: Version, access: Access) {
        let Connection { app, outbox, .. } = &*self.connection;
        let turn = app.admission.turn(since.is_empty()).await;
        let joined = app.hub.join(&app.store, outbox, &key, room.clone(), &since, access).await;
        drop(turn);
        match joined {
            Ok(joined) => {
                let answer = self.taken.len();
                self.push(&room, joined.frames);
                if let Some(answer) = self.taken.get_mut(answer) {
                    answer.answers_join = true;
                }
            }
            Err(error) => {
                let frame = refused_join(error.into());
                self.push(&room.clone(), vec![encode(&Envelope { magic: Magic::Document, room, frame })]);
            }
        }
    }

    /// Takes frames about a row's document.
    fn push(&mut self, room: &RoomName, frames: Vec<Bytes>) {
        let about = Some((Magic::Document, room.clone()));
        let taken = |frame| Taken::new(Outgoing::binary(frame), about.clone());
        self.taken.extend(frames.into_iter().map(taken));
    }

    async fn catch_up(&mut self, key: RowKey, room: RoomName) {
        let Connection { app, outbox, .. } = &*self.connection;
        match app.hub.catch_up(&app.store, outbox, &key, room.clone()).await {
            Ok(frames) => self.push(&room, frames),
            Err(error) => {
                // The row cannot be read now; a rejoin tries again.
                tracing::warn!(row = %key, error = &error as &dyn std::error::Error, "a watcher stays behind");
                let pass = Pass { key, magic: Magic::Document, room: room.clone() };
                app.hub.leave(outbox, &pass);
                let frame = Frame::RoomError {
                    code: RoomErrorCode::RejoinSuggested,
                    message: Failure::from(error).detail,
                };
                self.push(&room.clone(), vec![encode(&Envelope { magic: Magic::Document, room, frame })]);
            }
        }
    }
}
