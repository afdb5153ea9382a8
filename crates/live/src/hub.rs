//! The hub: hears of every change, lets connections join rows, and keeps them up to date.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use corella_store::{CommitSink, Committed, ReadError, Store, port::FollowedChange};
use corella_wire::{Envelope, Frame, Magic, Permission, RoomName, encode};

use crate::{
    outbox::Outbox,
    presence::{Presence, PresenceLimits},
    queries::{LiveLimits, LiveQueries},
    rooms::Rooms,
};

/// Why a connection could not join a row.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct JoinError(#[from] pub ReadError);

/// What a connection that has joined a row is to be sent.
#[derive(Debug)]
pub struct Joined {
    /// The answer to its request and what it lacks, in this order.
    pub frames: Vec<Bytes>,
}

/// Everything that is watched on one server.
pub struct Hub {
    rooms: Rooms,
    presence: Presence,
    queries: LiveQueries,
}

impl CommitSink for Hub {
    fn committed(&self, changes: &[Committed]) {
        for change in changes {
            self.rooms.publish(change);
        }
        self.queries.committed(changes);
    }

    fn changed_elsewhere(&self, changes: &[FollowedChange]) {
        for change in changes {
            self.rooms.publish_elsewhere(change);
        }
        self.queries.changed_elsewhere(changes);
    }

    fn lost_track(&self) {
        self.rooms.set_all_behind();
        self.queries.lost_track();
    }

    fn reshaped(&self) {
        self.queries.reshaped();
    }
}

impl Hub {
    /// A hub that nobody watches anything through yet.
    #[must_use]
    pub fn new(presence: PresenceLimits) -> Self {
        Self::with_limits(presence, LiveLimits::default())
    }

    /// A hub whose live queries may take this much.
    #[must_use]
    pub fn with_limits(presence: PresenceLimits, live: LiveLimits) -> Self {
        Self { rooms: Rooms::default(), presence: Presence::new(presence), queries: LiveQueries::new(live) }
    }

    /// The queries that are followed.
    #[must_use]
    pub fn queries(&self) -> &LiveQueries {
        &self.queries
    }

    /// Who is where.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Lets a connection watch a row.
    ///
    /// What comes back has to be sent before anything that is queued from now on.
    ///
    /// # Errors
    /// [`JoinError`] when the row cannot be read; then the connection does not watch it.
    pub async fn join(
        &self,
        store: &Store,
        outbox: &Arc<Outbox>,
        key: &RowKey,
        room: RoomName,
        since: &Version,
    ) -> Result<Joined, JoinError> {
        let mut row = store.lock(key).await;
        let backfill = row.backfill(since).await?;
        let answer = Envelope {
            magic: Magic::Document,
            room: room.clone(),
            frame: Frame::JoinOk {
                permission: Permission::Write,
                version: backfill.version.encode().into(),
                extra: Bytes::new(),
            },
        };
        let mut frames = vec![encode(&answer)];
        frames.extend(self.rooms.frames(&room, &backfill.updates));
        self.rooms.watch(key, outbox, room, backfill.version);
        drop(row);
        Ok(Joined { frames })
    }

    /// What a connection that fell behind lacks of a row; nothing when it does not watch it any more.
    ///
    /// What comes back has to be sent before anything that is queued from now on.
    ///
    /// # Errors
    /// [`JoinError`] when the row cannot be read; then the connection stays behind.
    pub async fn catch_up(
        &self,
        store: &Store,
        outbox: &Arc<Outbox>,
        key: &RowKey,
        room: RoomName,
    ) -> Result<Vec<Bytes>, JoinError> {
        let mut row = store.lock(key).await;
        let Some(sent) = self.rooms.sent(key, outbox.source(), &room) else { return Ok(Vec::new()) };
        let backfill = row.backfill(&sent).await?;
        let frames = self.rooms.frames(&room, &backfill.updates);
        self.rooms.watch(key, outbox, room, backfill.version);
        drop(row);
        Ok(frames)
    }

    /// Ends a connection's watching of a row under a name.
    pub fn leave(&self, outbox: &Outbox, key: &RowKey, room: &RoomName) {
        self.rooms.leave(key, outbox.source(), room);
    }

    /// Sets the gauges of what is watched.
    pub fn report(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("corella_rows_watched").set(self.rooms.len() as f64);
    }
}
