//! The watchers of each row's document.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use corella_store::{Committed, SourceId, port::FollowedChange};
use corella_wire::{BatchId, Magic, RoomName, encode_update};
use dashmap::DashMap;

use crate::outbox::{Outbox, flush_all};

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

    /// Has the connection catch up with the row once its outbox drains.
    fn fall_behind(&mut self, key: &RowKey) {
        self.standing = Standing::Behind;
        self.outbox.push_behind(key.clone(), self.room.clone());
        metrics::counter!("corella_watchers_behind_total").increment(1);
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

    /// Hands changes to everybody who watches their rows.
    pub(crate) fn publish(&self, changes: &[Committed]) {
        let mut filled = Vec::new();
        changes.iter().for_each(|change| self.queue(change, &mut filled));
        flush_all(filled);
    }

    /// Queues a change for everybody who watches the row, and notes whose outboxes it has filled.
    fn queue(&self, change: &Committed, filled: &mut Vec<Arc<Outbox>>) {
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
            if watcher.outbox.push_change(&watcher.room, frames) {
                watcher.sent = Arc::clone(&event.version);
                filled.push(Arc::clone(&watcher.outbox));
            } else {
                watcher.fall_behind(&event.key);
            }
        }
    }

    /// Hands changes that another server made to everybody who watches their rows and does not have them yet.
    pub(crate) fn publish_elsewhere(&self, changes: &[FollowedChange]) {
        let mut filled = Vec::new();
        changes.iter().for_each(|change| self.queue_elsewhere(change, &mut filled));
        flush_all(filled);
    }

    fn queue_elsewhere(&self, change: &FollowedChange, filled: &mut Vec<Arc<Outbox>>) {
        let key = &change.entry.key;
        let Some(mut watchers) = self.rooms.get_mut(key) else { return };
        let brought = change.delta.as_ref().and_then(|delta| Some((delta, Version::span_of(delta)?)));
        for watcher in watchers.iter_mut().filter(|watcher| watcher.standing == Standing::Current) {
            let Some((delta, (needed, reached))) = &brought else {
                watcher.fall_behind(key);
                continue;
            };
            // Whoever joined since the change was made was sent it then.
            if watcher.sent.includes(reached) {
                continue;
            }
            let frames = self.frames(&watcher.room, std::slice::from_ref(*delta));
            if watcher.sent.includes(needed) && watcher.outbox.push_change(&watcher.room, &frames) {
                let mut sent = Version::clone(&watcher.sent);
                sent.merge(reached);
                watcher.sent = Arc::new(sent);
                filled.push(Arc::clone(&watcher.outbox));
            } else {
                watcher.fall_behind(key);
            }
        }
    }

    /// Has everybody catch up: any row may have changed.
    pub(crate) fn set_all_behind(&self) {
        for mut room in self.rooms.iter_mut() {
            let (key, watchers) = room.pair_mut();
            for watcher in watchers.iter_mut().filter(|watcher| watcher.standing == Standing::Current) {
                watcher.fall_behind(key);
            }
        }
    }

    /// How many rows are watched.
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }
}
