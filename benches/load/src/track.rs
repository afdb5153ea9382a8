//! What each writer has sent, and when, so that whoever receives it knows how long it took.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

/// One writer's edits in their order: where each ends on the writer's own clock, and when it was sent.
///
/// Held for a few instructions by the writer before it sends, and by readers when something has arrived.
#[derive(Clone, Default)]
pub(crate) struct Track(Arc<Mutex<Vec<Sent>>>);

#[derive(Clone, Copy)]
struct Sent {
    end: u64,
    at: Instant,
}

/// How far a reader has followed a writer, and how long each edit took, in microseconds.
#[derive(Default)]
pub(crate) struct Followed {
    next: usize,
    pub(crate) took: Vec<u32>,
}

impl Followed {
    /// How many edits are known.
    pub(crate) fn count(&self) -> usize {
        self.next
    }
}

impl Track {
    /// Notes an edit that is about to be sent.
    pub(crate) fn sends(&self, end: u64) {
        self.edits().push(Sent { end, at: Instant::now() });
    }

    /// How many edits were sent.
    pub(crate) fn len(&self) -> usize {
        self.edits().len()
    }

    /// How many edits lie at or before `end`.
    pub(crate) fn reached(&self, end: u64) -> usize {
        self.edits().partition_point(|sent| sent.end <= end)
    }

    /// Notes that all up to `end` has arrived; only what was sent in `window` counts.
    pub(crate) fn arrived(&self, followed: &mut Followed, end: u64, window: &Range<Instant>) {
        let now = Instant::now();
        let edits = self.edits();
        while let Some(sent) = edits.get(followed.next).filter(|sent| sent.end <= end) {
            followed.next += 1;
            if window.contains(&sent.at) {
                let took = now.duration_since(sent.at).as_micros();
                followed.took.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        }
    }

    /// Whether a reader has all that was sent.
    pub(crate) fn is_followed(&self, followed: &Followed) -> bool {
        followed.next == self.len()
    }

    fn edits(&self) -> std::sync::MutexGuard<'_, Vec<Sent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
