//! Who is where: presence entries, each owned by the connection that set it.
//!
//! Loro's presence store decides by the clocks of clients, and nobody owns a key. So the server keeps the entries
//! itself: it stamps each with its own clock, lets only the owner change it, refreshes what is still there, and
//! takes away what belonged to a connection that is gone.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use corella_rowdoc::{
    RowKey,
    presence::{PresenceEntry, PresenceValue, decode_presence, encode_presence},
};
use corella_store::SourceId;
use corella_wire::{BatchId, Magic, RoomName, encode_update};
use dashmap::DashMap;

use crate::outbox::{Outbox, flush_all};

/// How long receivers remember an entry that they are not told of again, in milliseconds.
const REMEMBERED_MS: i64 = 30_000;

/// How much presence may be kept.
#[derive(Debug, Clone, Copy)]
pub struct PresenceLimits {
    /// Bytes of one update.
    pub update_bytes: usize,
    /// Keys that one connection may hold in one room.
    pub keys_per_connection: usize,
}

impl Default for PresenceLimits {
    /// 16 KiB and 16 keys.
    fn default() -> Self {
        Self { update_bytes: 16 * 1024, keys_per_connection: 16 }
    }
}

/// Why a presence update was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PresenceError {
    /// It is too large.
    #[error("expected a presence update of at most {most} bytes, found {found}")]
    TooLarge {
        /// The limit.
        most: usize,
        /// What came.
        found: usize,
    },
    /// It does not decode.
    #[error("expected a presence update, found bytes that are none: {0}")]
    Invalid(String),
    /// A key belongs to somebody else.
    #[error(
        "the presence key {0:?} belongs to somebody else; choose a key of your own, such as your peer id"
    )]
    NotYours(String),
    /// The connection holds too many keys.
    #[error("expected at most {0} presence keys per connection")]
    TooManyKeys(usize),
    /// The connection is not in the room.
    #[error("the presence room was not joined; join it first")]
    NotJoined,
}

/// The presence of every row.
///
/// Each room behind its map's lock, held while one update is handed out, never across an await.
pub struct Presence {
    limits: PresenceLimits,
    rooms: DashMap<RowKey, Room>,
    /// Counts up the ids of the batches that are sent.
    batches: Mutex<u64>,
    /// When the first connection joined. For a while after that, clients know of more than the server does.
    first_join: OnceLock<i64>,
}

#[derive(Default)]
struct Room {
    members: Vec<Member>,
    entries: BTreeMap<String, Entry>,
    /// Whose the keys were that are gone, and the stamp under which that was told: clients that were away, or have not
    /// heard of it yet, may still repeat them.
    gone: BTreeMap<String, (Arc<str>, i64)>,
    /// The last stamp that was given; the next is later, because receivers drop what is not.
    last_stamp: i64,
}

struct Member {
    outbox: Arc<Outbox>,
    room: RoomName,
    user: Arc<str>,
    /// Whether it has said anything since it joined.
    has_spoken: bool,
}

struct Entry {
    user: Arc<str>,
    value: PresenceValue,
    /// The connections that set it, all of that user.
    holders: BTreeMap<SourceId, Hold>,
    /// When it was last set.
    set_at: i64,
    /// When that was by the clock of the client.
    client_stamp: i64,
    /// The last stamp under which it was told.
    told_stamp: i64,
}

/// How sure it is that a key is a connection's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// It came in the first update after a join, in which stock clients repeat all that they know, their own keys and
    /// those of others, and the server is too young to tell which are whose.
    Repeated,
    /// It came in such an update, and the server knows that it is nobody else's.
    First,
    /// The connection set it by itself.
    Set,
}

impl Entry {
    fn is_owned(&self) -> bool {
        self.holders.values().any(|hold| *hold != Hold::Repeated)
    }
}

impl Presence {
    pub(crate) fn new(limits: PresenceLimits) -> Self {
        Self { limits, rooms: DashMap::new(), batches: Mutex::new(0), first_join: OnceLock::new() }
    }

    fn next_batch(&self) -> BatchId {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        *batches += 1;
        BatchId(batches.to_be_bytes())
    }

    fn frames(&self, room: &RoomName, update: &[u8]) -> Vec<Bytes> {
        encode_update(Magic::Ephemeral, room, &[update], || self.next_batch())
    }

    /// Lets a connection of `user` see and take part in a row's presence; what comes back is to be sent to it.
    pub fn join(
        &self,
        outbox: &Arc<Outbox>,
        key: &RowKey,
        name: RoomName,
        user: Arc<str>,
        now_ms: i64,
    ) -> Vec<Bytes> {
        self.first_join.get_or_init(|| now_ms);
        let mut room = self.rooms.entry(key.clone()).or_default();
        room.members.retain(|member| member.outbox.source() != outbox.source());
        let frames = match room.everything(now_ms) {
            Some(update) => self.frames(&name, &update),
            None => Vec::new(),
        };
        room.members.push(Member { outbox: Arc::clone(outbox), room: name, user, has_spoken: false });
        frames
    }

    /// Takes in what a connection says of itself and hands it to the others.
    ///
    /// In its first update after a join, keys of others are passed over: stock clients repeat all that they know then.
    ///
    /// # Errors
    /// [`PresenceError`] says what is wrong with it; then nothing of it is kept.
    pub fn update(
        &self,
        source: SourceId,
        key: &RowKey,
        update: &[u8],
        now_ms: i64,
    ) -> Result<(), PresenceError> {
        if update.len() > self.limits.update_bytes {
            return Err(PresenceError::TooLarge { most: self.limits.update_bytes, found: update.len() });
        }
        let entries = decode_presence(update).map_err(|error| PresenceError::Invalid(error.to_string()))?;
        let mut room = self.rooms.get_mut(key).ok_or(PresenceError::NotJoined)?;
        let room = &mut *room;
        let (user, has_spoken) = room.speaker(source).ok_or(PresenceError::NotJoined)?;
        let hold = match has_spoken {
            true => Hold::Set,
            false if self.is_young(now_ms) => Hold::Repeated,
            false => Hold::First,
        };
        let entries = room.admit(entries, source, &user, hold, self.limits)?;
        let mut told = Vec::new();
        let mut overtaken = Vec::new();
        for entry in entries {
            if room.has_told_later(&entry) {
                overtaken.push(entry.key.clone());
            }
            told.push(room.set(entry, source, &user, hold, now_ms));
        }
        self.hand_out(room, &told, |member| member != source);
        told.retain(|entry| overtaken.contains(&entry.key));
        self.hand_out(room, &told, |member| member == source);
        Ok(())
    }

    /// Whether clients may still remember what a server before this one told them.
    fn is_young(&self, now_ms: i64) -> bool {
        self.first_join.get().is_none_or(|first| now_ms - first < REMEMBERED_MS)
    }

    fn hand_out(&self, room: &Room, entries: &[PresenceEntry], to: impl Fn(SourceId) -> bool) {
        if entries.is_empty() {
            return;
        }
        let update = encode_presence(entries);
        let mut encoded: Option<(&RoomName, Vec<Bytes>)> = None;
        let mut filled = Vec::new();
        for member in room.members.iter().filter(|member| to(member.outbox.source())) {
            let frames = match &encoded {
                Some((name, frames)) if **name == member.room => frames,
                Some(_) | None => &encoded.insert((&member.room, self.frames(&member.room, &update))).1,
            };
            let fits = |frame: &Bytes| member.outbox.push_presence(&member.room, frame.clone());
            if frames.iter().filter(|frame| fits(frame)).count() > 0 {
                filled.push(Arc::clone(&member.outbox));
            }
        }
        flush_all(filled);
    }

    /// Takes a connection out of a row's presence, with everything that it said of itself.
    pub fn leave(&self, source: SourceId, key: &RowKey, now_ms: i64) {
        if let Some(mut room) = self.rooms.get_mut(key) {
            room.members.retain(|member| member.outbox.source() != source);
            let gone = room.remove_all_of(source, now_ms);
            self.hand_out(&room, &gone, |_| true);
        }
        self.rooms.remove_if(key, |_, room| room.is_forgotten());
    }

    /// Tells everybody again what is still true, so that receivers do not take the idle for gone.
    pub fn refresh(&self, now_ms: i64) {
        for mut room in self.rooms.iter_mut() {
            let room = &mut *room;
            room.forget(now_ms);
            let entries = room.restamped(now_ms, Entry::is_owned);
            self.hand_out(room, &entries, |_| true);
        }
        self.rooms.retain(|_, room| !room.is_forgotten());
    }
}

impl Room {
    /// The user of a connection, and whether it has spoken before; from now on it has.
    fn speaker(&mut self, source: SourceId) -> Option<(Arc<str>, bool)> {
        let member = self.members.iter_mut().find(|member| member.outbox.source() == source)?;
        Some((Arc::clone(&member.user), std::mem::replace(&mut member.has_spoken, true)))
    }

    /// The entries that are the connection's to set.
    fn admit(
        &self,
        entries: Vec<PresenceEntry>,
        source: SourceId,
        user: &Arc<str>,
        hold: Hold,
        limits: PresenceLimits,
    ) -> Result<Vec<PresenceEntry>, PresenceError> {
        if let (Hold::Set, [only]) = (hold, entries.as_slice())
            && !self.may_set(only, user, hold)
        {
            return Err(PresenceError::NotYours(only.key.clone()));
        }
        let most = limits.keys_per_connection;
        let mut count = self.entries.values().filter(|entry| entry.holders.contains_key(&source)).count();
        let mut admitted = Vec::new();
        for entry in entries.into_iter().filter(|entry| self.may_set(entry, user, hold)) {
            let held = self.entries.get(&entry.key).is_some_and(|held| held.holders.contains_key(&source));
            if entry.value.is_some() && !held {
                count += 1;
                match hold {
                    Hold::Set if count > most => return Err(PresenceError::TooManyKeys(most)),
                    Hold::First | Hold::Repeated if count > most => continue,
                    Hold::Set | Hold::First | Hold::Repeated => {}
                }
            }
            admitted.push(entry);
        }
        Ok(admitted)
    }

    /// A key is its user's; what was only repeated goes to whoever sets it, or repeats something newer.
    fn may_set(&self, entry: &PresenceEntry, user: &Arc<str>, hold: Hold) -> bool {
        match self.entries.get(&entry.key) {
            None => self.gone.get(&entry.key).is_none_or(|(owner, since)| match hold {
                Hold::Set => true,
                Hold::First => owner == user,
                Hold::Repeated => owner == user || entry.stamp > *since,
            }),
            Some(held) if held.user == *user => true,
            Some(held) if held.is_owned() => false,
            Some(held) => hold != Hold::Repeated || entry.stamp > held.client_stamp,
        }
    }

    fn stamp(&mut self, now_ms: i64) -> i64 {
        self.last_stamp = now_ms.max(self.last_stamp + 1);
        self.last_stamp
    }

    /// Whether the key was told under a stamp that makes its owner's own word look outdated to the owner: what a
    /// client says while such a telling is under way to it, it has to hear again.
    fn has_told_later(&self, entry: &PresenceEntry) -> bool {
        self.entries.get(&entry.key).is_some_and(|held| held.told_stamp >= entry.stamp)
    }

    fn set(
        &mut self,
        entry: PresenceEntry,
        source: SourceId,
        user: &Arc<str>,
        hold: Hold,
        now_ms: i64,
    ) -> PresenceEntry {
        let stamp = self.stamp(now_ms);
        let Some(value) = &entry.value else {
            if let Some(held) = self.entries.remove(&entry.key) {
                self.gone.insert(entry.key.clone(), (held.user, stamp));
            }
            return PresenceEntry { stamp, ..entry };
        };
        let held = self.entries.entry(entry.key.clone()).or_insert_with(|| Entry {
            user: Arc::clone(user),
            value: value.clone(),
            holders: BTreeMap::new(),
            set_at: now_ms,
            client_stamp: entry.stamp.min(now_ms),
            told_stamp: stamp,
        });
        held.told_stamp = stamp;
        if held.user != *user {
            held.user = Arc::clone(user);
            held.holders.clear();
        }
        // What a connection repeats of another's key is older than what that one said itself.
        if hold != Hold::Repeated || !held.is_owned() {
            held.value = value.clone();
            held.set_at = now_ms;
            held.client_stamp = entry.stamp.min(now_ms);
        }
        let known = held.holders.entry(source).or_insert(hold);
        *known = hold.max(*known);
        PresenceEntry { key: entry.key, value: Some(held.value.clone()), stamp }
    }

    fn remove_all_of(&mut self, source: SourceId, now_ms: i64) -> Vec<PresenceEntry> {
        let stamp = self.stamp(now_ms);
        let gone = self
            .entries
            .extract_if(.., |_, entry| entry.holders.remove(&source).is_some() && entry.holders.is_empty());
        let mut told = Vec::new();
        for (key, entry) in gone {
            self.gone.insert(key.clone(), (entry.user, stamp));
            told.push(PresenceEntry { key, value: None, stamp });
        }
        told
    }

    /// Forgets what receivers have forgotten: keys that are gone, and those that nobody has set by themselves.
    fn forget(&mut self, now_ms: i64) {
        self.entries.retain(|_, entry| entry.is_owned() || now_ms - entry.set_at < REMEMBERED_MS);
        self.gone.retain(|_, (_, since)| now_ms - *since < REMEMBERED_MS);
    }

    /// Whether nothing is left to remember.
    fn is_forgotten(&self) -> bool {
        self.members.is_empty() && self.gone.is_empty()
    }

    fn restamped(&mut self, now_ms: i64, wanted: impl Fn(&Entry) -> bool) -> Vec<PresenceEntry> {
        let stamp = self.stamp(now_ms);
        let wanted = self.entries.iter_mut().filter(|(_, entry)| wanted(entry));
        let told = |(key, entry): (&String, &mut Entry)| {
            entry.told_stamp = stamp;
            PresenceEntry { key: key.clone(), value: Some(entry.value.clone()), stamp }
        };
        wanted.map(told).collect()
    }

    fn everything(&mut self, now_ms: i64) -> Option<Vec<u8>> {
        let entries = self.restamped(now_ms, |_| true);
        (!entries.is_empty()).then(|| encode_presence(&entries))
    }
}
