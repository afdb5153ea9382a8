//! Updates, through guards as they are served, and then into a row.

use bytes::Bytes;
use corella_fuzz::{Target, fitted, lines::written, take_in};
use corella_server::guard::{BlobKind, GuardError, GuardPool, GuardPoolOptions};
use corella_testkit::{Random, binary};

use super::{corpus, mutate::Mutator, runs};

/// Updates that are looked at together.
const BATCH: usize = 32;

#[tokio::test(flavor = "multi_thread")]
async fn updates() {
    let seeds = corpus::read(Target::Update.name());
    let random = Random::new();
    println!("update: seed {}", random.seed());
    let mut mutator = Mutator::new(random, &[]);
    let options =
        GuardPoolOptions { program: binary().to_path_buf(), arguments: vec!["guard".into()], count: 2 };
    let pool = GuardPool::start(options).expect("guards can be started");

    let (mut sound, mut refused, mut deadly) = (0_usize, 0_usize, 0_usize);
    let mut left = runs();
    // As they are kept, and as libFuzzer had them tried.
    let mut batch: Vec<_> = seeds.iter().cloned().chain(seeds.iter().cloned().map(fitted)).collect();
    while !batch.is_empty() {
        let blobs: Vec<Bytes> = batch.iter().cloned().map(Bytes::from).collect();
        let outcomes = pool.examine(BlobKind::Update, blobs).await;
        assert_eq!(outcomes.len(), batch.len());
        for (update, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Ok(()) => {
                    sound += 1;
                    // This process has to survive what the guard has let through.
                    if let Err(panic) = std::panic::catch_unwind(|| take_in(update)) {
                        println!("update failed with:\n{}", written(update));
                        std::panic::resume_unwind(panic);
                    }
                }
                Err(GuardError::Refused(_)) => refused += 1,
                Err(GuardError::Deadly) => {
                    deadly += 1;
                    println!("deadly: {}", written(update));
                }
                Err(GuardError::Unavailable) => unreachable!("a guard could not be started"),
            }
        }
        let size = left.min(BATCH);
        left -= size;
        batch = (0..size).map(|_| fitted(mutator.next(&seeds))).collect();
    }
    println!("update: {sound} sound, {refused} refused, {deadly} deadly");
    assert!(sound > 0 && refused > 0 && deadly > 0, "the corpus has some of each");
}
