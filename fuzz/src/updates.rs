//! Clients' updates.

use std::sync::{Arc, LazyLock};

use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, RowDoc, RowShape, examine};
use xxhash_rust::xxh32::xxh32;

/// What every blob begins with.
const MAGIC: [u8; 4] = *b"loro";
/// Where the checksum of an update stands, and what it is of.
const CHECKSUM: std::ops::Range<usize> = 16..20;
/// What Loro's checksum starts from.
const SEED: u32 = u32::from_le_bytes(*b"LORO");
/// Where the mode stands, and the one of updates.
const MODE: (std::ops::Range<usize>, [u8; 2]) = (20..22, [0, 4]);

/// Rows with a field of every kind, and rows that may be anything.
static SHAPES: LazyLock<[Arc<RowShape>; 2]> = LazyLock::new(|| {
    [include_str!("../../schema/examples/kinds.json"), include_str!("../../schema/examples/open.json")].map(
        |text| {
            let manifest = Manifest::parse(text).expect("the example is sound").manifest;
            let entity = manifest.entities.first().expect("it has entities");
            Arc::new(RowShape::new(entity).expect("rows can have its fields"))
        },
    )
});

/// Makes the head of an update fit, checksum and all, so that what is wrong is found further in.
#[must_use]
pub fn fitted(mut update: Vec<u8>) -> Vec<u8> {
    if update.len() >= MODE.0.end {
        update[..MAGIC.len()].copy_from_slice(&MAGIC);
        update[MODE.0].copy_from_slice(&MODE.1);
        let checksum = xxh32(&update[CHECKSUM.end..], SEED);
        update[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }
    update
}

/// Takes an update into new rows, and does with it what the server does.
///
/// # Panics
/// When what a row hands on of it is not what it has.
pub fn take_in(update: &[u8]) {
    for shape in &*SHAPES {
        let mut row = RowDoc::new(Arc::clone(shape), PeerId(1));
        let before = row.version();
        if row.import_for_good(update).is_err() {
            continue;
        }
        let Ok(values) = row.project() else { continue };
        let delta = row.export_since(&before).expect("what was read is handed on");
        let again = RowDoc::load(Arc::clone(shape), PeerId(1), None, &[delta])
            .expect("what is handed on is taken in");
        assert_eq!(again.version(), row.version());
        assert_eq!(again.project().ok(), Some(values));
    }
}

pub(crate) fn update(input: &[u8]) {
    let update = fitted(input.to_vec());
    if examine(&update).is_ok() {
        take_in(&update);
    }
}
