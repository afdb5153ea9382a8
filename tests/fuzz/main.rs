//! Bytes and texts that nobody would write: corpora that are replayed, and changed at random.
//!
//! Each test replays the files of its folder in `corpus`, then makes `CORELLA_FUZZ_RUNS` others of them (2,000 when that is
//! not set). A failure prints the input; it is added to the folder once it is mended. What has to hold stands in
//! `fuzz/src`, and `cargo xtask fuzz` looks further.
#![expect(clippy::print_stdout, reason = "a run tells its seed, and the input that failed")]

mod corpus;
mod mutate;
mod traps;
mod updates;

use std::{env, panic::AssertUnwindSafe};

use corella_fuzz::{Target, lines::written};
use corella_testkit::Random;

use self::mutate::Mutator;

/// Runs without a wish.
const RUNS: usize = 2_000;

fn runs() -> usize {
    env::var("CORELLA_FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS)
}

/// Tries a target with the inputs of its folder, and with what becomes of them.
fn try_all(target: Target) {
    let name = target.name();
    let seeds = corpus::read(name);
    assert!(!seeds.is_empty(), "the corpus of {name} is empty");
    let random = Random::new();
    println!("{name}: seed {}", random.seed());
    let mut mutator = Mutator::new(random, &target.words());
    let try_one = |input: &[u8]| {
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| target.try_one(input))) {
            println!("{name} failed with:\n{}\n{}", written(input), String::from_utf8_lossy(input));
            std::panic::resume_unwind(panic);
        }
    };
    seeds.iter().for_each(|seed| try_one(seed));
    for _ in 0..runs() {
        try_one(&mutator.next(&seeds));
    }
}

#[test]
fn frames() {
    try_all(Target::Wire);
}

#[test]
fn control_messages() {
    try_all(Target::Control);
}

#[test]
fn versions() {
    try_all(Target::Version);
}

#[test]
fn presence() {
    try_all(Target::Presence);
}

#[test]
fn manifests() {
    try_all(Target::Manifest);
}

#[test]
fn queries() {
    try_all(Target::Query);
}

#[test]
fn policies() {
    try_all(Target::Policy);
}
