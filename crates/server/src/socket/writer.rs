//! What goes out on a connection, in the order in which it may.

use std::{collections::VecDeque, future::poll_fn, sync::Arc};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use corella_live::{Pass, Queued, Work};
use corella_rowdoc::RowKey;
use corella_wire::{Envelope, ErrorCode, Frame, Magic, RoomErrorCode, RoomName, encode};
use futures_util::{SinkExt as _, stream::SplitSink};

use super::{inbound::refused_join, session::Connection};
use crate::Failure;

/// Bytes taken from the outbox at once.
const MOST_BYTES: usize = 128 * 1024;

/// The sending half of a connection.
pub(super) struct Writer {
    connection: Arc<Connection>,
    sink: SplitSink<WebSocket, Message>,
    /// Taken from the outbox, not yet handed to the socket; kept here so that nothing is lost when
    /// [`Writer::run`] is dropped half-way.
    taken: VecDeque<Taken>,
}

/// A message on its way to the socket, and the room that it is about when that may be taken away.
struct Taken {
    message: Message,
    about: Option<(Magic, RoomName)>,
    /// Whether the client waits for it to know what became of its join.
    answers_join: bool,
}

impl Taken {
    fn new(message: Message, about: Option<(Magic, RoomName)>) -> Self {
        Self { message, about, answers_join: false }
    }
}

/// The other side cannot be reached any more.
struct Broken;

impl Writer {
    pub(super) fn new(connection: Arc<Connection>, sink: SplitSink<WebSocket, Message>) -> Self {
        Self { connection, sink, taken: VecDeque::new() }
    }

    /// Sends what is queued, until the other side is gone.
    pub(super) async fn run(&mut self) {
        loop {
            if self.send_waiting().await.is_err() {
                return;
            }
            let connection = Arc::clone(&self.connection);
            connection.outbox.filled().await;
        }
    }

    /// Sends what is still queued, and then that the connection is over.
    pub(super) async fn finish(&mut self, close: CloseFrame) {
        if self.send_waiting().await.is_ok() {
            self.sink.send(Message::Close(Some(close))).await.ok();
        }
    }

    /// Answers the other side's goodbye, which the library has prepared.
    pub(super) async fn close(&mut self) {
        self.sink.close().await.ok();
    }

    async fn send_waiting(&mut self) -> Result<(), Broken> {
        loop {
            self.drain().await?;
            let Some(work) = self.connection.outbox.take(MOST_BYTES) else { break };
            self.prepare(work).await;
        }
        self.sink.flush().await.map_err(|_| Broken)
    }

    /// Hands what was taken to the socket, and whatever is in doubt only once that is settled.
    async fn drain(&mut self) -> Result<(), Broken> {
        loop {
            while let Some(pass) = self.connection.outbox.take_doubt() {
                self.settle(&pass).await;
            }
            if self.taken.is_empty() {
                return Ok(());
            }
            poll_fn(|context| self.sink.poll_ready_unpin(context)).await.map_err(|_| Broken)?;
            // The socket may have let us wait for long.
            if !self.connection.outbox.has_doubts()
                && let Some(Taken { message, .. }) = self.taken.pop_front()
            {
                self.sink.start_send_unpin(message).map_err(|_| Broken)?;
            }
        }
    }

    /// Asks again whether the connection may be in a room; if not, nothing more about it is sent, but that it is over.
    async fn settle(&mut self, pass: &Arc<Pass>) {
        let Connection { app, outbox, .. } = &*self.connection;
        let Err(error) = app.hub.ask_again(&app.store, outbox, pass).await else { return };
        let failure = Failure::from(error);
        let about = Some((pass.magic, pass.room.clone()));
        let mut is_joining = false;
        self.taken.retain(|taken| {
            let stays = taken.about != about;
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
        self.taken.push_back(Taken::new(Message::Binary(frame), None));
    }

    async fn prepare(&mut self, work: Work) {
        match work {
            Work::Text(text) => {
                self.taken.push_back(Taken::new(Message::Text(text.into()), None));
            }
            Work::Frames(frames) => {
                let taken = |Queued { frame, about }| Taken::new(Message::Binary(frame), about);
                self.taken.extend(frames.into_iter().map(taken));
            }
            Work::Join { key, room, since, access } => {
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
                        self.push(
                            &room.clone(),
                            vec![encode(&Envelope { magic: Magic::Document, room, frame })],
                        );
                    }
                }
            }
            Work::CatchUp { key, room } => self.catch_up(key, room).await,
            Work::Answer(reference) => {
                let Connection { app, outbox, .. } = &*self.connection;
                app.hub.queries().catch_up(outbox.source(), reference);
            }
        }
    }

    /// Takes frames about a row's document.
    fn push(&mut self, room: &RoomName, frames: Vec<Bytes>) {
        let about = Some((Magic::Document, room.clone()));
        let taken = |frame| Taken::new(Message::Binary(frame), about.clone());
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
