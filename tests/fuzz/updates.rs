//! Updates, through guards as they are served, and then into a row.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, RowDoc, RowShape};
use corella_server::guard::{BlobKind, GuardError, GuardPool, GuardPoolOptions};
use corella_testkit::{KINDS, Random, binary};
use xxhash_rust::xxh32::xxh32;

use super::{
    corpus::{self, Kind},
    mutate::Mutator,
    runs,
};

/// Where the checksum of an update stands, and what it is of.
const CHECKSUM: std::ops::Range<usize> = 16..20;
/// What Loro's checksum starts from.
const SEED: u32 = u32::from_le_bytes(*b"LORO");
/// Updates that are looked at together.
const BATCH: usize = 32;

/// Makes the checksum fit, so that what is wrong is found further in.
fn with_checksum(mut update: Vec<u8>) -> Vec<u8> {
    if update.len() >= CHECKSUM.end {
        let checksum = xxh32(&update[CHECKSUM.end..], SEED);
        update[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }
    update
}

/// Takes an update into a new row, and does with it what the server does.
fn take_in(shape: &Arc<RowShape>, update: &[u8]) {
    let mut row = RowDoc::new(Arc::clone(shape), PeerId(1));
    let before = row.version();
    if row.import(update).is_ok() {
        let _ = row.project();
        let _ = row.export_since(&before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates() {
    let manifest = Manifest::parse(KINDS).expect("the sample is sound").manifest;
    let entity = manifest.entities.first().expect("it has entities");
    let shape = Arc::new(RowShape::new(entity).expect("rows can have its fields"));
    let seeds = corpus::read("update", Kind::Bytes);
    let random = Random::new();
    println!("update: seed {}", random.seed());
    let mut mutator = Mutator::new(random, &[]);
    let options =
        GuardPoolOptions { program: binary().to_path_buf(), arguments: vec!["guard".into()], count: 2 };
    let pool = GuardPool::start(options).expect("guards can be started");

    let (mut sound, mut refused, mut deadly) = (0_usize, 0_usize, 0_usize);
    let mut left = runs();
    let mut batch = seeds.clone();
    while !batch.is_empty() {
        let blobs: Vec<Bytes> = batch.iter().cloned().map(Bytes::from).collect();
        let outcomes = pool.examine(BlobKind::Update, blobs).await;
        assert_eq!(outcomes.len(), batch.len());
        for (update, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    sound += 1;
                    // This process has to survive what the guard has let through.
                    take_in(&shape, update);
                }
                Err(GuardError::Refused(_)) => refused += 1,
                Err(GuardError::Deadly) => {
                    deadly += 1;
                    println!("deadly: {}", Kind::Bytes.written(update));
                }
                Err(GuardError::Unavailable) => unreachable!("a guard could not be started"),
            }
        }
        let size = left.min(BATCH);
        left -= size;
        batch = (0..size).map(|_| with_checksum(mutator.next(&seeds))).collect();
    }
    println!("update: {sound} sound, {refused} refused, {deadly} deadly");
    assert!(sound > 0 && refused > 0 && deadly > 0, "the corpus has some of each");
}
