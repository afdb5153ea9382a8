//! How much work live queries make.

use std::sync::atomic::{AtomicU64, Ordering};

/// How much work live queries have made so far.
#[derive(Debug, Default)]
pub struct LiveCounters {
    changes: AtomicU64,
    candidates: AtomicU64,
    matches: AtomicU64,
    reads: AtomicU64,
    refills: AtomicU64,
    loads: AtomicU64,
    encodings: AtomicU64,
    messages: AtomicU64,
}

/// [`LiveCounters`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LiveCounts {
    /// Changed rows of entities that somebody asks about.
    pub changes: u64,
    /// Queries that were looked at because of a changed row.
    pub candidates: u64,
    /// Those whose rows changed.
    pub matches: u64,
    /// Answers read from the database for the first time.
    pub reads: u64,
    /// Answers read again because rows had left them.
    pub refills: u64,
    /// Rows read because a change did not bring them.
    pub loads: u64,
    /// Differences written as text.
    pub encodings: u64,
    /// Messages handed to connections.
    pub messages: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Count {
    Changes,
    Candidates,
    Matches,
    Reads,
    Refills,
    Loads,
    Encodings,
    Messages,
}

impl LiveCounters {
    pub(super) fn add(&self, what: Count, number: usize) {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        let (counter, name) = match what {
            Count::Changes => (&self.changes, "corella_live_changes_total"),
            Count::Candidates => (&self.candidates, "corella_live_candidates_total"),
            Count::Matches => (&self.matches, "corella_live_matches_total"),
            Count::Reads => (&self.reads, "corella_live_reads_total"),
            Count::Refills => (&self.refills, "corella_live_refills_total"),
            Count::Loads => (&self.loads, "corella_live_loads_total"),
            Count::Encodings => (&self.encodings, "corella_live_encodings_total"),
            Count::Messages => (&self.messages, "corella_live_messages_total"),
        };
        counter.fetch_add(number, Ordering::Relaxed);
        metrics::counter!(name).increment(number);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn counts(&self) -> LiveCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LiveCounts {
            changes: read(&self.changes),
            candidates: read(&self.candidates),
            matches: read(&self.matches),
            reads: read(&self.reads),
            refills: read(&self.refills),
            loads: read(&self.loads),
            encodings: read(&self.encodings),
            messages: read(&self.messages),
        }
    }
}
