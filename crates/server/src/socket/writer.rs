//! What goes out on a connection, in the order in which it may.

use std::{collections::VecDeque, sync::Arc};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use corella_live::Work;
use corella_rowdoc::RowKey;
use corella_wire::{Envelope, Frame, Magic, RoomErrorCode, RoomName, encode};
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
    taken: VecDeque<Message>,
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

    /// Hands what was taken to the socket.
    async fn drain(&mut self) -> Result<(), Broken> {
        while let Some(message) = self.taken.front() {
            self.sink.feed(message.clone()).await.map_err(|_| Broken)?;
            self.taken.pop_front();
        }
        Ok(())
    }

    async fn prepare(&mut self, work: Work) {
        match work {
            Work::Text(text) => self.taken.push_back(Message::Text(text.into())),
            Work::Frames(frames) => self.push(frames),
            Work::Join { key, room, since } => {
                let Connection { app, outbox, .. } = &*self.connection;
                match app.hub.join(&app.store, outbox, &key, room.clone(), &since).await {
                    Ok(joined) => self.push(joined.frames),
                    Err(error) => self.refuse_join(room, error.into()),
                }
            }
            Work::CatchUp { key, room } => self.catch_up(key, room).await,
            Work::Answer(reference) => {
                let Connection { app, outbox, .. } = &*self.connection;
                app.hub.queries().catch_up(outbox.source(), reference);
            }
        }
    }

    fn push(&mut self, frames: Vec<Bytes>) {
        self.taken.extend(frames.into_iter().map(Message::Binary));
    }

    fn refuse_join(&mut self, room: RoomName, failure: Failure) {
        let frame = refused_join(failure);
        self.push(vec![encode(&Envelope { magic: Magic::Document, room, frame })]);
    }

    async fn catch_up(&mut self, key: RowKey, room: RoomName) {
        let Connection { app, outbox, .. } = &*self.connection;
        match app.hub.catch_up(&app.store, outbox, &key, room.clone()).await {
            Ok(frames) => self.push(frames),
            Err(error) => {
                // The row cannot be read now; a rejoin tries again.
                tracing::warn!(row = %key, error = &error as &dyn std::error::Error, "a watcher stays behind");
                app.hub.leave(outbox, &key, &room);
                let frame = Frame::RoomError {
                    code: RoomErrorCode::RejoinSuggested,
                    message: Failure::from(error).detail,
                };
                self.push(vec![encode(&Envelope { magic: Magic::Document, room, frame })]);
            }
        }
    }
}
