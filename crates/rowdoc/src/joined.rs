//! Several updates as one blob.
//!
//! An update is a row of blocks behind a head with a checksum. Loro decodes each block by itself and merges all that came
//! in one blob at once, so that the blocks of several updates, one after the other, are an update as well.

use xxhash_rust::xxh32::xxh32;

use crate::import::{MAGIC, MODE_AT, MODE_UPDATES};

/// Where the checksum stands: at the end of the 16 bytes that are kept for one, of all that follows them.
const CHECKSUM: std::ops::Range<usize> = MODE_AT.start - 4..MODE_AT.start;
/// What Loro's checksum starts from.
const SEED: u32 = u32::from_le_bytes(*b"LORO");

/// Stored updates as one; nothing when there are not several, or one of them is damaged or of another kind.
pub(crate) fn join_stored<B: AsRef<[u8]>>(updates: &[B]) -> Option<Vec<u8>> {
    let updates: Vec<&[u8]> = updates.iter().map(AsRef::as_ref).collect();
    (updates.len() > 1 && updates.iter().all(|update| is_whole(update))).then(|| join(&updates))
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
    fn what_is_damaged_or_of_another_kind_is_not_joined() {
        let update = written(1, "a");
        assert_eq!(join_stored(&[&update, &update]), Some(join(&[&update, &update])));
        assert_eq!(join_stored(&[&update]), None, "one alone");
        let mut damaged = update.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let doc = LoroDoc::new();
        doc.import(&update).unwrap();
        let snapshot = doc.export(ExportMode::Snapshot).unwrap();
        for other in [&damaged[..], &snapshot, b"loro", b""] {
            assert_eq!(join_stored(&[&update[..], other]), None, "{other:?}");
        }
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
