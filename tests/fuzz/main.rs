//! Bytes and texts that nobody would write: corpora that are replayed, and changed at random.
//!
//! Each test replays the files of its folder in `corpus`, then makes `CORELLA_FUZZ_RUNS` others of them (2,000 when that is
//! not set). A failure prints the input; it is added to the folder once it is mended.
#![expect(clippy::print_stdout, reason = "a run tells its seed, and the input that failed")]

mod corpus;
mod mutate;
mod texts;
mod updates;

use std::{env, panic::AssertUnwindSafe};

use bytes::Bytes;
use corella_rowdoc::{
    Version,
    presence::{PresenceEntry, decode_presence, encode_presence},
};
use corella_testkit::Random;
use corella_wire::{control::TextFrame, decode, encode};

use self::{corpus::Kind, mutate::Mutator};

/// Runs without a wish.
const RUNS: usize = 2_000;

fn runs() -> usize {
    env::var("CORELLA_FUZZ_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS)
}

/// Tries a target with the inputs of its folder, and with what becomes of them.
fn try_all(name: &str, kind: Kind, words: &[&str], target: impl Fn(&[u8])) {
    let seeds = corpus::read(name, kind);
    assert!(!seeds.is_empty(), "the corpus of {name} is empty");
    let random = Random::new();
    println!("{name}: seed {}", random.seed());
    let mut mutator = Mutator::new(random, words);
    let try_one = |input: &[u8]| {
        if let Err(panic) = std::panic::catch_unwind(AssertUnwindSafe(|| target(input))) {
            println!("{name} failed with:\n{}", kind.written(input));
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
    try_all("wire", Kind::Bytes, &[], |input| {
        // What decodes is what it says: written again, it decodes to the same.
        if let Ok(envelope) = decode(Bytes::copy_from_slice(input)) {
            assert_eq!(decode(encode(&envelope)), Ok(envelope));
        }
    });
}

#[test]
fn control_messages() {
    let words =
        ["\"type\"", "\"ref\"", "\"subscribe\"", "\"auth\"", "\"mutate\"", "\"seed\"", "null", "1e999"];
    try_all("control", Kind::Text, &words, |input| {
        let _ = TextFrame::decode(&String::from_utf8_lossy(input));
    });
}

#[test]
fn versions() {
    try_all("version", Kind::Bytes, &[], |input| {
        if let Ok(version) = Version::decode(input) {
            let again = Version::decode(&version.encode()).expect("what was written is read");
            assert!(again.includes(&version) && version.includes(&again));
        }
    });
}

#[test]
fn presence() {
    try_all("presence", Kind::Bytes, &[], |input| {
        if let Ok(entries) = decode_presence(input) {
            // Values are not compared: a number that is none differs from itself.
            let told = |entries: &[PresenceEntry]| -> Vec<(String, i64, bool)> {
                entries.iter().map(|entry| (entry.key.clone(), entry.stamp, entry.value.is_some())).collect()
            };
            let again = decode_presence(&encode_presence(&entries)).expect("what was written is read");
            assert_eq!(told(&again), told(&entries));
        }
    });
}
