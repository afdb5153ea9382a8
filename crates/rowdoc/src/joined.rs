//! Several updates as one blob.
//!
//! An update is a row of blocks behind a head with a checksum. Loro decodes each block by itself and merges all that came
//! in one blob at once, so that the blocks of several updates, one after the other, are an update as well.

use std::borrow::Cow;

use xxhash_rust::xxh32::xxh32;

use crate::import::{MAGIC, MODE_AT, MODE_UPDATES};

/// Where the checksum stands: at the end of the 16 bytes that are kept for one, of all that follows them.
const CHECKSUM: std::ops::Range<usize> = MODE_AT.start - 4..MODE_AT.start;
/// What Loro's checksum starts from.
const SEED: u32 = u32::from_le_bytes(*b"LORO");

/// Bytes up to which a stored update is joined with its neighbours, and bytes of what they make: to merge long insertions
/// at once takes Loro the square of their length.
const SMALL: usize = 4 * 1024;
const FULL: usize = 64 * 1024;

/// Stored updates in their order, of which neighbours that are small and whole have become one.
pub(crate) fn join_stored<'a>(updates: &[&'a [u8]]) -> Vec<Cow<'a, [u8]>> {
    let mut joined = Vec::new();
    let mut lot: Vec<&[u8]> = Vec::new();
    let mut bytes = 0;
    for update in updates {
        let joins = update.len() <= SMALL && is_whole(update);
        if !joins || bytes + update.len() > FULL {
            joined.extend(one_of(&mut lot));
            bytes = 0;
        }
        if joins {
            bytes += update.len();
            lot.push(update);
        } else {
            joined.push(Cow::Borrowed(*update));
        }
    }
    joined.extend(one_of(&mut lot));
    joined
}

/// What a lot makes; nothing when there is none in it.
fn one_of<'a>(lot: &mut Vec<&'a [u8]>) -> Option<Cow<'a, [u8]>> {
    match *std::mem::take(lot) {
        [] => None,
        [only] => Some(Cow::Borrowed(only)),
        ref several => Some(Cow::Owned(join(several))),
    }
}

/// Whether the head says that it is an update, and the checksum that it is as it was made.
fn is_whole(update: &[u8]) -> bool {
    update.starts_with(MAGIC)
        && update.get(MODE_AT) == Some(&MODE_UPDATES)
        && update[CHECKSUM] == xxh32(&update[MODE_AT.start..], SEED).to_le_bytes()
}

/// Updates whose heads and checksums were looked at, as one.
pub(crate) fn join(updates: &[&[u8]]) -> Vec<u8> {
    let blocks = updates.iter().filter_map(|update| update.get(MODE_AT.end..));
    let mut joined = Vec::with_capacity(updates.iter().map(|update| update.len()).sum());
    joined.extend_from_slice(MAGIC);
    joined.resize(MODE_AT.start, 0);
    joined.extend_from_slice(&MODE_UPDATES);
    blocks.for_each(|blocks| joined.extend_from_slice(blocks));
    let checksum = xxh32(&joined[MODE_AT.start..], SEED);
    joined[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    joined
}

#[cfg(test)]
mod tests {
    use loro::{ExportMode, LoroDoc};

    use super::*;

    /// What `writer` adds to a text of its own making.
    fn written(writer: u64, text: &str) -> Vec<u8> {
        let doc = LoroDoc::new();
        doc.set_peer_id(writer).unwrap();
        doc.get_text("text").insert(0, text).unwrap();
        doc.commit();
        doc.export(ExportMode::all_updates()).unwrap()
    }

    #[test]
    fn one_joined_is_itself() {
        let update = written(1, "a");
        assert_eq!(join(&[&update]), update);
    }

    #[test]
    fn what_is_long_damaged_or_of_another_kind_is_not_joined() {
        let update = written(1, "a");
        let two = join(&[&update, &update]);
        assert_eq!(join_stored(&[&update, &update]), [&two[..]]);
        assert_eq!(join_stored(&[]), [&[] as &[u8]; 0]);
        let mut damaged = update.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let doc = LoroDoc::new();
        doc.import(&update).unwrap();
        let snapshot = doc.export(ExportMode::Snapshot).unwrap();
        let long = written(1, &"long ".repeat(SMALL));
        for other in [&damaged[..], &snapshot, &long, b"loro", b""] {
            assert_eq!(join_stored(&[&update, &update, other, &update]), [&two[..], other, &update]);
        }
        let many = vec![&update[..]; FULL / update.len() + 1];
        assert_eq!(join_stored(&many).len(), 2);
    }

    #[test]
    fn all_of_them_are_in_what_they_make() {
        let updates = [written(1, "one"), written(2, "two"), written(2, "two")];
        let (together, alone) = (LoroDoc::new(), LoroDoc::new());
        let pieces: Vec<&[u8]> = updates.iter().map(Vec::as_slice).collect();
        together.import(&join(&pieces)).unwrap();
        updates.iter().for_each(|update| drop(alone.import(update).unwrap()));
        assert_eq!(together.oplog_vv(), alone.oplog_vv());
        assert_eq!(together.get_deep_value(), alone.get_deep_value());
    }
}
