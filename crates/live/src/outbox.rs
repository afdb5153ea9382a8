//! A connection's outgoing queue: bounded, and never waited for.

mod shortcut;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use corella_store::{Access, SourceId};
use corella_wire::{Magic, RoomName};
use tokio::sync::Notify;

use self::shortcut::Shortcut;
pub(crate) use self::shortcut::flush_all;
pub use self::shortcut::{HandedOver, Socket};
use crate::admissions::Pass;

/// How much may wait in an outbox.
#[derive(Debug, Clone, Copy)]
pub struct OutboxLimits {
    /// Bytes of changes; a change beyond them marks its row as behind. Presence gets half of it.
    pub bytes: usize,
    /// Frames of changes, likewise.
    pub frames: usize,
}

impl Default for OutboxLimits {
    /// 1 MiB in 4,096 frames.
    fn default() -> Self {
        Self { bytes: 1024 * 1024, frames: 4_096 }
    }
}

/// What a connection's writer is to do next.
#[derive(Debug)]
pub enum Work {
    /// Send these frames.
    Frames {
        /// In this order.
        frames: Vec<Queued>,
        /// How many bytes of the first are out already.
        begun: usize,
    },
    /// Let the connection join a row that it asked for.
    Join {
        /// The row.
        key: RowKey,
        /// Under which name it is watched.
        room: RoomName,
        /// What the connection has of it.
        since: Version,
        /// As whom it is joined.
        access: Access,
    },
    /// Bring the connection up to date with a row that it fell behind of.
    CatchUp {
        /// The row.
        key: RowKey,
        /// Under which name it is watched.
        room: RoomName,
    },
    /// Send this text.
    Text(String),
    /// Send these bytes, which are whole WebSocket frames.
    Reply(Bytes),
    /// Have the whole answer to a live query sent, of which the connection fell behind.
    Answer(Arc<str>),
}

/// A frame that waits.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The frame.
    pub frame: Bytes,
    /// The room that it is about, when that may be taken away from the connection.
    pub about: Option<(Magic, RoomName)>,
}

/// A connection's outgoing queue.
pub struct Outbox {
    source: SourceId,
    limits: OutboxLimits,
    /// A plain mutex, held to push or to take, and while what was published is handed to a socket that takes it at once;
    /// nothing is awaited or locked meanwhile.
    queue: Mutex<Queue>,
    /// Wakes the writer.
    filled: Notify,
    /// Wakes a reader that waits for the queue to shrink.
    drained: Notify,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
    /// The rooms that the connection may not be in any more; before anything is sent, that has to be asked.
    doubts: VecDeque<Arc<Pass>>,
    texts: VecDeque<Text>,
    /// WebSocket frames that answer others, such as a pong.
    replies: Vec<u8>,
    /// Bytes of the texts about live queries.
    live_bytes: usize,
    joins: VecDeque<Work>,
    behind: VecDeque<(RowKey, RoomName)>,
    answers_behind: VecDeque<Arc<str>>,
    shortcut: Shortcut,
    closed: bool,
}

enum Text {
    /// To the connection itself.
    Answer(String),
    /// About others' changes.
    Live(String),
}

impl Queue {
    fn take_reply(&mut self) -> Option<Bytes> {
        (!self.replies.is_empty()).then(|| std::mem::take(&mut self.replies).into())
    }

    fn take(&mut self, most_bytes: usize) -> Option<Work> {
        // Nothing comes between the parts of a frame.
        if self.shortcut.begun > 0 {
            return Some(self.take_frames(most_bytes));
        }
        if let Some(reply) = self.take_reply() {
            return Some(Work::Reply(reply));
        }
        match self.texts.pop_front() {
            Some(Text::Answer(text)) => return Some(Work::Text(text)),
            Some(Text::Live(text)) => {
                self.live_bytes -= text.len();
                return Some(Work::Text(text));
            }
            None => {}
        }
        if let Some(join) = self.joins.pop_front() {
            return Some(join);
        }
        if let (true, Some(reference)) = (self.frames.is_empty(), self.answers_behind.pop_front()) {
            return Some(Work::Answer(reference));
        }
        if self.frames.is_empty() {
            return self.behind.pop_front().map(|(key, room)| Work::CatchUp { key, room });
        }
        Some(self.take_frames(most_bytes))
    }

    fn take_frames(&mut self, most_bytes: usize) -> Work {
        let mut frames = Vec::new();
        let mut bytes = 0;
        while bytes < most_bytes
            && let Some(queued) = self.frames.pop_front()
        {
            bytes += queued.frame.len();
            frames.push(queued);
        }
        self.bytes -= bytes;
        let begun = std::mem::take(&mut self.shortcut.begun);
        Work::Frames { frames, begun }
    }
}

impl Outbox {
    /// An empty outbox for one connection.
    #[must_use]
    pub fn new(source: SourceId, limits: OutboxLimits) -> Self {
        Self { source, limits, queue: Mutex::default(), filled: Notify::new(), drained: Notify::new() }
    }

    /// The connection, as writes name it.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.source
    }

    fn with<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Queues an answer to the connection itself, whatever is waiting; the reader must not take in more while
    /// the queue is full (see [`Outbox::has_room`]).
    pub fn push_answer(&self, frame: Bytes) {
        self.with(|queue| {
            queue.bytes += frame.len();
            queue.frames.push_back(Queued { frame, about: None });
        });
        self.flush();
    }

    /// Queues an answer as [`Outbox::push_answer`] does, which is dropped if the room is taken away from the connection.
    pub fn push_answer_about(&self, pass: &Pass, frame: Bytes) {
        let about = Some((pass.magic, pass.room.clone()));
        self.with(|queue| {
            queue.bytes += frame.len();
            queue.frames.push_back(Queued { frame, about });
        });
        self.flush();
    }

    /// Queues a text for the connection itself, as [`Outbox::push_answer`] does a frame.
    pub fn push_text(&self, text: String) {
        self.with(|queue| queue.texts.push_back(Text::Answer(text)));
        self.filled.notify_one();
    }

    /// Queues whole WebSocket frames that answer others.
    pub fn push_reply(&self, bytes: &[u8]) {
        self.with(|queue| queue.replies.extend_from_slice(bytes));
        self.filled.notify_one();
    }

    /// The answers that [`Outbox::push_reply`] has queued.
    #[must_use]
    pub fn take_reply(&self) -> Option<Bytes> {
        self.with(Queue::take_reply)
    }

    /// Queues a text about changes of answers, unless it does not fit; says whether it did.
    pub(crate) fn push_live(&self, text: String) -> bool {
        let fits = self.with(|queue| {
            let is_full =
                queue.live_bytes + text.len() > self.limits.bytes || queue.texts.len() >= self.limits.frames;
            if queue.closed || (is_full && queue.live_bytes > 0) {
                return false;
            }
            queue.live_bytes += text.len();
            queue.texts.push_back(Text::Live(text));
            true
        });
        if fits {
            self.filled.notify_one();
        }
        fits
    }

    /// Queues an answer that the connection fell behind of, to be sent whole once everything else is.
    pub(crate) fn push_live_behind(&self, reference: Arc<str>) {
        self.with(|queue| {
            if !queue.closed {
                queue.answers_behind.push_back(reference);
            }
        });
        self.filled.notify_one();
    }

    /// Queues the frames of one change of a row's document, or none of them when they do not fit; says whether they did.
    /// [`flush_all`] has them sent.
    pub(crate) fn push_change(&self, room: &RoomName, frames: &[Bytes]) -> bool {
        let about = (Magic::Document, room.clone());
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        self.with(|queue| {
            let is_full = queue.bytes + bytes > self.limits.bytes
                || queue.frames.len() + frames.len() > self.limits.frames;
            if queue.closed || (is_full && !queue.frames.is_empty()) {
                return false;
            }
            queue.bytes += bytes;
            let frames = frames.iter().cloned();
            queue.frames.extend(frames.map(|frame| Queued { frame, about: Some(about.clone()) }));
            true
        })
    }

    /// Queues a presence frame of a room, unless the queue is half full: presence is the first to go. Says whether it did;
    /// [`flush_all`] has it sent.
    pub(crate) fn push_presence(&self, room: &RoomName, frame: Bytes) -> bool {
        let about = Some((Magic::Ephemeral, room.clone()));
        let fits = self.with(|queue| {
            let fits = !queue.closed && queue.bytes + frame.len() <= self.limits.bytes / 2;
            if fits {
                queue.bytes += frame.len();
                queue.frames.push_back(Queued { frame, about });
            }
            fits
        });
        if !fits {
            metrics::counter!("corella_presence_dropped_total").increment(1);
        }
        fits
    }

    /// Queues the connection's wish to join a row.
    pub fn push_join(&self, key: RowKey, room: RoomName, since: Version, access: Access) {
        self.with(|queue| queue.joins.push_back(Work::Join { key, room, since, access }));
        self.filled.notify_one();
    }

    /// Queues the question whether the connection may still be in a room; nothing more is sent before it is answered.
    pub(crate) fn push_doubt(&self, pass: Arc<Pass>) {
        self.with(|queue| {
            if !queue.closed && !queue.doubts.contains(&pass) {
                queue.doubts.push_back(pass);
            }
        });
        self.filled.notify_one();
    }

    /// The next room of which it has to be asked whether the connection may still be in it. While there is one, nothing
    /// may be handed to the socket.
    #[must_use]
    pub fn take_doubt(&self) -> Option<Arc<Pass>> {
        self.with(|queue| {
            let doubt = queue.doubts.pop_front();
            queue.shortcut.rests &= doubt.is_none();
            doubt
        })
    }

    /// Whether [`Outbox::take_doubt`] has something.
    #[must_use]
    pub fn has_doubts(&self) -> bool {
        self.with(|queue| !queue.doubts.is_empty())
    }

    /// Drops everything that waits and is about this room.
    pub(crate) fn drop_all_about(&self, pass: &Pass) {
        let about = (pass.magic, pass.room.clone());
        self.with(|queue| {
            let Queue { frames, bytes, behind, shortcut, .. } = queue;
            // A frame that has begun has to be sent to its end.
            let mut has_begun = shortcut.begun > 0;
            frames.retain(|queued| {
                let stays = std::mem::take(&mut has_begun) || queued.about.as_ref() != Some(&about);
                if !stays {
                    *bytes -= queued.frame.len();
                }
                stays
            });
            if pass.magic == Magic::Document {
                behind.retain(|(_, room)| *room != pass.room);
            }
        });
        self.drained.notify_waiters();
    }

    /// Queues a row that the connection fell behind of, to be caught up with once everything else is sent.
    pub(crate) fn push_behind(&self, key: RowKey, room: RoomName) {
        self.with(|queue| {
            if !queue.closed {
                queue.behind.push_back((key, room));
            }
        });
        self.filled.notify_one();
    }

    /// What to do next, if anything: texts and joins first, then frames up to about `most_bytes`, then rows that
    /// are behind. No order between them is needed: an update that comes twice or late changes nothing.
    ///
    /// Whoever is told that there is nothing has handed over all that it took before, and rests until
    /// [`Outbox::filled`].
    #[must_use]
    pub fn take(&self, most_bytes: usize) -> Option<Work> {
        let work = self.with(|queue| {
            let work = queue.take(most_bytes);
            queue.shortcut.rests = work.is_none();
            work
        });
        if work.is_some() {
            self.drained.notify_waiters();
        }
        work
    }

    /// Resolves when something may have been queued since the last [`Outbox::take`].
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Whether more may be taken in from the connection.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.with(|queue| {
            queue.bytes + queue.replies.len() <= self.limits.bytes * 2
                && queue.frames.len() + queue.texts.len() <= self.limits.frames * 2
                && queue.joins.len() <= self.limits.frames
        })
    }

    /// Resolves once [`Outbox::has_room`].
    pub async fn wait_for_room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }

    /// Drops what waits; from now on nothing is queued for others' changes.
    pub fn close(&self) {
        self.with(|queue| *queue = Queue { closed: true, ..Queue::default() });
        self.drained.notify_waiters();
    }
}
