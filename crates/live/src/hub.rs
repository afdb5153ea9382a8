//! The hub: hears of every change, lets connections join rows, and keeps them up to date.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use corella_store::{About, Access, CommitSink, Committed, ReadError, RowGuard, Store, port::FollowedChange};
use corella_wire::{Envelope, Frame, Magic, Permission, RoomName, encode};
use jiff::Timestamp;

use crate::{
    admissions::{Admissions, Pass},
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
    admissions: Admissions,
    presence: Presence,
    queries: LiveQueries,
}

impl CommitSink for Hub {
    fn committed(&self, changes: &[Committed]) {
        // Doubts come first: what is queued after them is not sent before they are settled.
        changes.iter().for_each(|change| self.admissions.committed(change));
        self.rooms.publish(changes);
        self.queries.committed(changes);
    }

    fn changed_elsewhere(&self, changes: &[FollowedChange]) {
        changes.iter().for_each(|change| self.admissions.changed_elsewhere(change));
        self.rooms.publish_elsewhere(changes);
        self.queries.changed_elsewhere(changes);
    }

    fn lost_track(&self) {
        self.admissions.doubt_all();
        self.rooms.set_all_behind();
        self.queries.lost_track();
    }

    fn reshaped(&self) {
        self.admissions.doubt_all();
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
        Self {
            rooms: Rooms::default(),
            admissions: Admissions::default(),
            presence: Presence::new(presence),
            queries: LiveQueries::new(live),
        }
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

    /// Lets a connection watch a row, if it may see it.
    ///
    /// What comes back has to be sent before anything that is queued from now on, but after every
    /// [doubt](Outbox::take_doubt) is settled.
    ///
    /// # Errors
    /// [`JoinError`] when the row cannot be read, or not by this caller; then the connection does not watch it.
    pub async fn join(
        &self,
        store: &Store,
        outbox: &Arc<Outbox>,
        key: &RowKey,
        room: RoomName,
        since: &Version,
        access: Access,
    ) -> Result<Joined, JoinError> {
        let mut row = store.lock(key).await;
        let backfill = row.backfill(since).await;
        let pass = Arc::new(Pass { key: key.clone(), magic: Magic::Document, room: room.clone() });
        let permission = self.admit(&mut row, outbox, &pass, access, About::Writing).await?;
        let backfill = backfill?;
        let answer = Envelope {
            magic: Magic::Document,
            room: room.clone(),
            frame: Frame::JoinOk {
                permission,
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

    /// Lets a connection take part in a row's presence, if it may see the row; what comes back is to be sent to it.
    ///
    /// # Errors
    /// [`JoinError`] when the row cannot be read, or not by this caller; then the connection does not take part.
    pub async fn join_presence(
        &self,
        store: &Store,
        outbox: &Arc<Outbox>,
        pass: &Arc<Pass>,
        user: Arc<str>,
        access: Access,
        now_ms: i64,
    ) -> Result<Vec<Bytes>, JoinError> {
        let mut row = store.lock(&pass.key).await;
        self.admit(&mut row, outbox, pass, access, About::Reading).await?;
        Ok(self.presence.join(outbox, &pass.key, pass.room.clone(), user, now_ms))
    }

    /// Lets a connection in, or out when it may not see the row; says what it may, as far as that was asked.
    async fn admit(
        &self,
        row: &mut RowGuard,
        outbox: &Arc<Outbox>,
        pass: &Arc<Pass>,
        access: Access,
        about: About,
    ) -> Result<Permission, JoinError> {
        let result = async {
            let question = row.question(&access, about).await?;
            // Noted before it is asked, so that nothing which changes the answer is missed.
            self.admissions.enter(outbox, pass, access, &question);
            row.settle(&question).await?;
            let may_write = row.may_write(&question).await?;
            Ok::<_, ReadError>(if may_write { Permission::Write } else { Permission::Read })
        };
        let result = result.await;
        if result.is_err() {
            self.evict(outbox, pass);
        }
        Ok(result?)
    }

    /// Asks again whether a connection may be in a room.
    ///
    /// # Errors
    /// [`JoinError`] when it may not, or when that cannot be told; then it is not any more, and nothing is queued that
    /// is about the room.
    pub async fn ask_again(
        &self,
        store: &Store,
        outbox: &Arc<Outbox>,
        pass: &Arc<Pass>,
    ) -> Result<(), JoinError> {
        let Some(access) = self.admissions.access(outbox.source(), pass) else { return Ok(()) };
        let mut row = store.lock(&pass.key).await;
        self.admit(&mut row, outbox, pass, access, About::Reading).await.map(drop)
    }

    /// Goes on with another access of a connection that is in a room; it is put in doubt.
    pub fn renew(&self, outbox: &Outbox, pass: &Pass, access: Access) {
        self.admissions.renew(outbox.source(), pass, access);
    }

    /// Takes a connection out of a room, with all that waits for it there.
    pub fn evict(&self, outbox: &Outbox, pass: &Pass) {
        self.leave(outbox, pass);
        outbox.drop_all_about(pass);
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

    /// Takes a connection out of a room.
    pub fn leave(&self, outbox: &Outbox, pass: &Pass) {
        let source = outbox.source();
        self.admissions.leave(source, pass);
        match pass.magic {
            Magic::Document => self.rooms.leave(&pass.key, source, &pass.room),
            Magic::Ephemeral | Magic::PersistedEphemeral | Magic::Other(_) => {
                self.presence.leave(source, &pass.key, Timestamp::now().as_millisecond());
            }
        }
    }

    /// Sets the gauges of what is watched.
    pub fn report(&self) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        metrics::gauge!("corella_rows_watched").set(self.rooms.len() as f64);
    }
}
