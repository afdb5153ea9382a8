//! What is asked of every server: the scenarios, read from `scenarios.json`.

use std::time::Duration;

use serde::Deserialize;

/// Documents with writers at a steady pace and readers who wait for each edit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// By what name it is chosen.
    pub(crate) name: String,
    /// What happens in it, in words.
    pub(crate) what: String,
    pub(crate) documents: usize,
    /// Of each document.
    pub(crate) writers: usize,
    /// Of each document.
    pub(crate) readers: usize,
    /// How many of these take in nothing for ten seconds; their times do not count.
    #[serde(default)]
    pub(crate) slow: usize,
    /// Edits of each writer in a second; each is one character.
    pub(crate) rate: f64,
    /// How long each document's text is at first.
    pub(crate) characters: usize,
    /// How long is measured.
    seconds: u64,
}

impl Scenario {
    /// All that there are.
    pub(crate) fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("scenarios.json")).expect("the scenarios are well formed")
    }

    /// The same at another pace.
    pub(crate) fn at(&self, rate: f64) -> Self {
        Self { rate, ..self.clone() }
    }

    /// The time between two edits of a writer.
    pub(crate) fn pace(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
    }

    /// How long writers write before it counts.
    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs(2)
    }

    /// How long it counts.
    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
