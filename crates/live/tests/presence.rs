//! Presence belongs to whoever set it, and ends with its connection.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use corella_live::{Hub, Outbox, OutboxLimits, PresenceError, PresenceLimits, Work};
use corella_manifest::EntityName;
use corella_rowdoc::{
    RowId, RowKey, Tenant,
    presence::{PresenceEntry, decode_presence, encode_presence},
};
use corella_store::SourceId;
use corella_wire::{Frame, RoomName, decode};

const NOW: i64 = 1_800_000_000_000;

fn key() -> RowKey {
    RowKey { tenant: Tenant::none(), entity: EntityName::new("Note").unwrap(), id: RowId::new("n1").unwrap() }
}

fn update(keys: &[&str], stamp: i64) -> Vec<u8> {
    // One string value: the fifth kind of Loro's values, of one byte.
    let value = postcard_string("x");
    let entries = keys.iter().map(|key| entry(key, &value, stamp));
    let mut bytes = vec![u8::try_from(keys.len()).unwrap()];
    bytes.extend(entries.flatten());
    assert_eq!(decode_presence(&bytes).unwrap().len(), keys.len());
    bytes
}

fn postcard_string(text: &str) -> Vec<u8> {
    [&[4, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn entry(key: &str, value: &[u8], stamp: i64) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(key.len()).unwrap()];
    bytes.extend(key.as_bytes());
    bytes.push(1);
    bytes.extend(value);
    let mut zigzag = u64::try_from(stamp).unwrap() << 1;
    while zigzag > 0x7f {
        bytes.push(u8::try_from(zigzag & 0x7f).unwrap() | 0x80);
        zigzag >>= 7;
    }
    bytes.push(u8::try_from(zigzag).unwrap());
    bytes
}

fn taken_back(key: &str, stamp: i64) -> Vec<u8> {
    encode_presence(&[PresenceEntry { key: key.into(), value: None, stamp }])
}

struct Room {
    hub: Hub,
}

impl Room {
    fn new() -> Self {
        Self { hub: Hub::new(PresenceLimits { update_bytes: 200, keys_per_connection: 2 }) }
    }

    /// Joins as a client that knows nothing yet, which is what it says first.
    fn join(&self, source: u64, user: &str) -> (Arc<Outbox>, Vec<PresenceEntry>) {
        let joined = self.join_silently(source, user);
        self.say(source, &update(&[], NOW)).unwrap();
        joined
    }

    fn join_silently(&self, source: u64, user: &str) -> (Arc<Outbox>, Vec<PresenceEntry>) {
        let outbox = Arc::new(Outbox::new(SourceId(source), OutboxLimits::default()));
        let room = RoomName::new("Note/n1").unwrap();
        let frames = self.hub.presence().join(&outbox, &key(), room, user.into(), NOW);
        let entries = frames.into_iter().flat_map(entries_of).collect();
        (outbox, entries)
    }

    fn say(&self, source: u64, update: &[u8]) -> Result<(), PresenceError> {
        self.hub.presence().update(SourceId(source), &key(), update, NOW)
    }
}

fn entries_of(frame: bytes::Bytes) -> Vec<PresenceEntry> {
    let Frame::DocUpdate { updates, .. } = decode(frame).unwrap().frame else { panic!("expected an update") };
    decode_presence(&updates[0]).unwrap()
}

fn heard(outbox: &Outbox) -> Vec<PresenceEntry> {
    let works = std::iter::from_fn(|| outbox.take(usize::MAX));
    let frames = works.flat_map(|work| {
        let Work::Frames { frames, .. } = work else { panic!("expected frames, found {work:?}") };
        frames.into_iter().map(|queued| queued.frame)
    });
    frames.flat_map(entries_of).collect()
}

#[test]
fn others_hear_of_it_and_late_joiners_see_it() {
    let room = Room::new();
    let (ada, _) = room.join(1, "ada");
    let (bob, _) = room.join(2, "bob");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    assert!(heard(&ada).is_empty(), "not told of oneself");
    assert_eq!(heard(&bob)[0].key, "ada");
    assert_eq!(room.join(3, "eve").1[0].key, "ada");
}

#[test]
fn a_stamp_from_the_future_is_replaced_and_the_next_is_later_still() {
    let room = Room::new();
    room.join(1, "ada");
    let (bob, _) = room.join(2, "bob");
    room.say(1, &update(&["ada"], NOW * 2)).unwrap();
    room.say(1, &update(&["ada"], NOW)).unwrap();
    let stamps: Vec<i64> = heard(&bob).iter().map(|entry| entry.stamp).collect();
    assert!(stamps[0] <= NOW + 10 && stamps[1] > stamps[0], "{stamps:?}");
}

#[test]
fn a_key_is_its_owners_alone() {
    let room = Room::new();
    room.join(1, "ada");
    let (bob, _) = room.join(2, "bob");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    assert_eq!(room.say(2, &update(&["ada"], NOW)), Err(PresenceError::NotYours("ada".into())));
    heard(&bob);
    let (_again, _) = room.join(3, "ada");
    room.say(3, &update(&["ada"], NOW)).unwrap();
    room.hub.presence().leave(SourceId(1), &key(), NOW);
    let told = heard(&bob);
    assert!(told.iter().all(|entry| entry.value.is_some()), "the new connection took the key over: {told:?}");
}

#[test]
fn it_ends_with_its_connection() {
    let room = Room::new();
    room.join(1, "ada");
    let (bob, _) = room.join(2, "bob");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    heard(&bob);
    room.hub.presence().leave(SourceId(1), &key(), NOW);
    let told = heard(&bob);
    assert_eq!((told[0].key.as_str(), told[0].value.is_none()), ("ada", true));
    assert!(room.join(3, "eve").1.is_empty());
}

#[test]
fn the_idle_are_told_of_again() {
    let room = Room::new();
    room.join(1, "ada");
    let (bob, _) = room.join(2, "bob");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    heard(&bob);
    room.hub.presence().refresh(NOW + 12_000);
    assert_eq!(heard(&bob)[0].stamp, NOW + 12_000);
}

#[test]
fn what_is_too_much_or_nonsense_is_refused() {
    let room = Room::new();
    room.join(1, "ada");
    room.say(1, &update(&["mine"], NOW)).unwrap();
    assert!(matches!(room.say(1, &[0xff; 20]), Err(PresenceError::Invalid(_))));
    assert_eq!(room.say(1, &[0; 201]), Err(PresenceError::TooLarge { most: 200, found: 201 }));
    assert_eq!(room.say(1, &update(&["a", "b", "c"], NOW)), Err(PresenceError::TooManyKeys(2)));
    assert_eq!(room.say(9, &update(&["a"], NOW)), Err(PresenceError::NotJoined));
    assert_eq!(encode_presence(&[]), [0]);
}

/// Stock clients send all that they know after each join.
#[test]
fn what_a_joiner_repeats_of_others_is_passed_over_and_its_own_is_kept() {
    let room = Room::new();
    room.join(1, "ada");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    room.join_silently(2, "bob");
    room.say(2, &update(&["ada", "bob"], NOW)).unwrap();
    let (_, seen) = room.join(3, "eve");
    assert_eq!(seen.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["ada", "bob"]);
    room.hub.presence().leave(SourceId(1), &key(), NOW);
    let (_, seen) = room.join(4, "joe");
    assert_eq!(
        seen.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
        ["bob"],
        "ada's was never bob's"
    );
}

#[test]
fn what_was_only_repeated_goes_to_whoever_sets_it() {
    let room = Room::new();
    room.join_silently(2, "bob");
    room.say(2, &update(&["ada", "bob"], NOW)).unwrap();
    let (ada, _) = room.join(1, "ada");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    room.hub.presence().leave(SourceId(2), &key(), NOW);
    let gone: Vec<_> = heard(&ada).into_iter().filter(|entry| entry.value.is_none()).collect();
    assert_eq!(gone.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn what_was_only_repeated_is_forgotten_in_time() {
    let room = Room::new();
    room.join_silently(2, "bob");
    room.say(2, &update(&["ada", "bob"], NOW)).unwrap();
    room.say(2, &update(&["bob"], NOW)).unwrap();
    room.hub.presence().refresh(NOW + 30_000);
    let (_, seen) = room.join(3, "eve");
    assert_eq!(seen.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["bob"]);
}

#[test]
fn two_windows_of_one_user_each_keep_their_own() {
    let room = Room::new();
    room.join(1, "ada");
    room.say(1, &update(&["one"], NOW)).unwrap();
    room.join_silently(2, "ada");
    room.say(2, &update(&["one", "two"], NOW)).unwrap();
    room.hub.presence().leave(SourceId(2), &key(), NOW);
    let (_, seen) = room.join(3, "eve");
    assert_eq!(seen.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["one"]);
}

/// After a restart of the server, whoever comes back first repeats what it knew of the others.
#[test]
fn of_what_is_repeated_the_newer_counts() {
    let room = Room::new();
    let (bob, _) = room.join_silently(2, "bob");
    room.say(2, &update(&["ada"], NOW - 2_000)).unwrap();
    room.join_silently(1, "ada");
    room.say(1, &update(&["ada"], NOW - 1_000)).unwrap();
    assert_eq!(heard(&bob).len(), 1, "ada's own word takes the place of what bob remembered");
    room.join_silently(3, "eve");
    room.say(3, &update(&["ada"], NOW - 2_000)).unwrap();
    assert!(heard(&bob).is_empty(), "older words do not");
}

/// Who was away for a moment still knows of those who left meanwhile.
#[test]
fn the_gone_are_not_brought_back_by_those_who_remember_them() {
    let room = Room::new();
    room.join(1, "ada");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    room.hub.presence().leave(SourceId(1), &key(), NOW);
    let late = NOW + 40_000;
    let outbox = Arc::new(Outbox::new(SourceId(2), OutboxLimits::default()));
    let presence = room.hub.presence();
    presence.join(&outbox, &key(), RoomName::new("Note/n1").unwrap(), "eve".into(), late - 20_000);
    presence.update(SourceId(2), &key(), &update(&["eve"], late), late).unwrap();
    presence.leave(SourceId(2), &key(), late);
    presence.join(&outbox, &key(), RoomName::new("Note/n1").unwrap(), "bob".into(), late);
    presence.update(SourceId(2), &key(), &update(&["eve", "bob"], late), late).unwrap();
    let (_, seen) = room.join_silently(3, "joe");
    assert_eq!(seen.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["bob"]);
}

/// A refresh that is under way to a client while the client says something newer would win by its stamp.
#[test]
fn what_was_overtaken_by_a_telling_is_said_to_its_owner_again() {
    let room = Room::new();
    let (ada, _) = room.join(1, "ada");
    room.say(1, &update(&["ada"], NOW)).unwrap();
    assert!(heard(&ada).is_empty());
    room.hub.presence().refresh(NOW + 10);
    let refreshed = heard(&ada);
    room.say(1, &update(&["ada"], NOW + 5)).unwrap();
    let again = heard(&ada);
    assert_eq!(again.len(), 1);
    assert!(again[0].stamp > refreshed[0].stamp);
    room.say(1, &update(&["ada"], NOW + 10_000)).unwrap();
    assert!(heard(&ada).is_empty(), "nothing overtook that");
}

/// A joiner repeats at once what it was just told, also when that is taken back in the same moment.
#[test]
fn what_is_taken_back_is_not_brought_back_by_a_joiner_that_repeats_it() {
    let room = Room::new();
    let (bob, _) = room.join(1, "bob");
    room.say(1, &update(&["bob"], NOW)).unwrap();
    let (_, told) = room.join_silently(2, "late");
    room.say(1, &taken_back("bob", NOW + 1)).unwrap();
    heard(&bob);
    room.say(2, &update(&["bob"], told[0].stamp)).unwrap();
    assert!(heard(&bob).is_empty());
    assert!(room.join_silently(3, "eve").1.is_empty());
}
