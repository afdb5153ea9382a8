//! What those who mean harm send, made once.

use std::sync::LazyLock;

use bytes::Bytes;
use corella_wire::{BatchId, Magic, RoomName, encode_update};
use loro::{ExportMode, LoroDoc, LoroMap};

/// Maps in one another, deeper than anybody may read.
pub(super) static DEEP_NEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let doc = LoroDoc::new();
    let mut map = doc.get_map("row").insert_container("title", LoroMap::new()).expect("a map takes a map");
    for _ in 0..4_000 {
        map = map.insert_container("k", LoroMap::new()).expect("a map takes a map");
    }
    doc.commit();
    doc.export(ExportMode::all_updates()).expect("a document can be exported")
});

/// A snapshot that is small, and of a text that is not.
pub(super) static UNFOLDING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let doc = LoroDoc::new();
    doc.get_text("t").insert(0, &"a".repeat(4 << 20)).expect("the start of a text is within it");
    doc.commit();
    doc.export(ExportMode::Snapshot).expect("a document can be exported")
});

/// Frames that carry an update, each batch under another name.
pub(super) fn frames(magic: Magic, room: &str, update: &[u8], number: u64) -> Vec<Bytes> {
    let room = RoomName::new(room).expect("a room name");
    encode_update(magic, &room, &[update], || BatchId(number.to_le_bytes()))
}

/// Bytes that mean nothing.
pub(super) fn noise(seed: u64) -> Vec<u8> {
    (0..300_u64).map(|at| (seed * 6_151 + at * 99_991).to_le_bytes()[1]).collect()
}
