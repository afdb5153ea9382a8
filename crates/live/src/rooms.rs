//! The watchers of each row's document.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use corella_store::{Committed, SourceId};
use corella_wire::{BatchId, Magic, RoomName, encode_update};
use dashmap::DashMap;

use crate::outbox::Outbox;

/// One connection that watches a row.
struct Watcher {
    outbox: Arc<Outbox>,
    room: RoomName,
    /// What it was last sent.
    sent: Arc<Version>,
    standing: Standing,
}

impl Watcher {
    fn is(&self, source: SourceId, room: &RoomName) -> bool {
        self.outbox.source() == source && self.room == *room
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It has been sent everything.
    Current,
    /// It has missed changes, and waits for its outbox to drain.
    Behind,
}

/// Every watched row. A room is there while somebody watches; a map of its own locks, each held while one change
/// is handed out, never across an await.
#[derive(Default)]
pub(crate) struct Rooms {
    rooms: DashMap<RowKey, Vec<Watcher>>,
    batches: AtomicU64,
}

impl Rooms {
    pub(crate) fn next_batch(&self) -> BatchId {
        BatchId(self.batches.fetch_add(1, Ordering::Relaxed).to_be_bytes())
    }

    /// The frames that carry `updates` of a room.
    pub(crate) fn frames(&self, room: &RoomName, updates: &[Bytes]) -> Vec<Bytes> {
        encode_update(Magic::Document, room, updates, || self.next_batch())
    }

    /// Lets a connection watch a row under a name from `sent` on, in the place of what it watched under that name.
    ///
    /// The caller holds the row, so that no change falls between.
    pub(crate) fn watch(&self, key: &RowKey, outbox: &Arc<Outbox>, room: RoomName, sent: Arc<Version>) {
        let mut watchers = self.rooms.entry(key.clone()).or_default();
        watchers.retain(|watcher| !watcher.is(outbox.source(), &room));
        watchers.push(Watcher { outbox: Arc::clone(outbox), room, sent, standing: Standing::Current });
    }

    /// Ends a connection's watching of a row under a name.
    pub(crate) fn leave(&self, key: &RowKey, source: SourceId, room: &RoomName) {
        if let Some(mut watchers) = self.rooms.get_mut(key) {
            watchers.retain(|watcher| !watcher.is(source, room));
        }
        self.rooms.remove_if(key, |_, watchers| watchers.is_empty());
    }

    /// What a connection that watches a row under a name was last sent.
    pub(crate) fn sent(&self, key: &RowKey, source: SourceId, room: &RoomName) -> Option<Arc<Version>> {
        let watchers = self.rooms.get(key)?;
        let watcher = watchers.iter().find(|watcher| watcher.is(source, room))?;
        Some(Arc::clone(&watcher.sent))
    }

    /// Hands a change to everybody who watches the row.
    pub(crate) fn publish(&self, change: &Committed) {
        let event = &change.event;
        let Some(mut watchers) = self.rooms.get_mut(&event.key) else { return };
        let mut encoded: Option<(RoomName, Vec<Bytes>)> = None;
        for watcher in watchers.iter_mut() {
            if watcher.standing == Standing::Behind {
                continue;
            }
            if event.sole_source == Some(watcher.outbox.source()) {
                watcher.sent = Arc::clone(&event.version);
                continue;
            }
            // All names of a row but one are rare, so one encoding is kept at a time.
            let frames = match &encoded {
                Some((room, frames)) if *room == watcher.room => frames,
                Some(_) | None => {
                    let frames = self.frames(&watcher.room, std::slice::from_ref(&event.delta));
                    &encoded.insert((watcher.room.clone(), frames)).1
                }
            };
            if watcher.outbox.push_change(frames) {
                watcher.sent = Arc::clone(&event.version);
            } else {
                watcher.standing = Standing::Behind;
                watcher.outbox.push_behind(event.key.clone(), watcher.room.clone());
                metrics::counter!("corella_watchers_behind_total").increment(1);
            }
        }
    }

    /// How many rows are watched.
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }
}
