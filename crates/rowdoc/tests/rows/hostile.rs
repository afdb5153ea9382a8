//! Bytes that are no updates, or no longer.

use corella_rowdoc::{PeerId, Refusal, RowDoc, Version};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{new_note, note, object};

fn valid_update() -> Vec<u8> {
    let mut row = new_note();
    row.patch(&object(json!({"body": "some text", "page": "one\ntwo", "count": 3}))).unwrap();
    row.export_since(&Version::empty()).unwrap()
}

fn refused(bytes: &[u8]) -> bool {
    matches!(
        RowDoc::new(note(), PeerId(9)).import(bytes),
        Err(Refusal::InvalidUpdate { .. } | Refusal::SnapshotRefused | Refusal::MissingDependencies)
    )
}

#[test]
fn every_cut_of_an_update_is_refused() {
    let update = valid_update();
    for length in 0..update.len() {
        assert!(refused(&update[..length]), "cut to {length} bytes");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let update = valid_update();
    // Loro's checksum is the last 4 of the 16 bytes that it has room for; the others are not read.
    let unread = 4 * 8..16 * 8;
    for at in (0..update.len() * 8).filter(|at| !unread.contains(at)) {
        let mut bytes = update.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        assert!(refused(&bytes), "bit {at}");
    }
}

proptest! {
    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(refused(&bytes));
    }

    #[test]
    fn random_bytes_behind_a_good_header_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut update = valid_update();
        update.truncate(22);
        update.extend(bytes);
        prop_assert!(refused(&update));
    }
}

/// A small generator, so that the mutations below are the same for ever.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Bytes changed and the checksum made good again: Loro takes some of them in, and panics over others, at
/// once or when they are read. None of it may leave the row.
///
/// Some mutations make Loro ask for more memory than there is, which ends the process; those are kept from
/// this crate by the process that decodes before it. None is among these.
#[test]
fn mutations_with_a_good_checksum_harm_nobody() {
    let update = valid_update();
    let mut dice = Dice(7);
    let (mut read, mut poisoned) = (0, 0);
    for _ in 0..2_000 {
        let mut bytes = update.clone();
        for _ in 0..=dice.below(3) {
            let at = 20 + dice.below(bytes.len() - 20);
            bytes[at] = u8::try_from(dice.below(256)).unwrap();
        }
        let checksum = xxhash_rust::xxh32::xxh32(&bytes[20..], u32::from_le_bytes(*b"LORO"));
        bytes[16..20].copy_from_slice(&checksum.to_le_bytes());
        let mut row = new_note();
        match row.import(&bytes) {
            Ok(_) => {
                read += usize::from(row.project().is_ok());
                let _ = (row.to_json(), row.export_since(&Version::empty()), row.snapshot(), row.version());
            }
            Err(Refusal::Poisoned) => poisoned += 1,
            Err(_) => {}
        }
    }
    assert!(read > 0, "no mutation was taken in, so that nothing was tried");
    println!("{read} read, {poisoned} poisoned");
}

/// An update that imports and then fails on reading leaves a document that can be dropped.
#[test]
fn a_row_that_refused_can_be_dropped_and_loaded_again() {
    let mut row = new_note();
    let snapshot = row.snapshot().unwrap();
    let mut update = valid_update();
    let last = update.len() - 1;
    update[last] ^= 0xff;
    assert!(row.import(&update).is_err());
    drop(row);
    let row = RowDoc::load(note(), PeerId(2), Some(&snapshot), &[] as &[Vec<u8>]).unwrap();
    assert_eq!(row.to_json().unwrap()["title"], "New");
}
