//! Who may come in now: joins are answered in turn, and whoever comes while too many wait is sent away for a while.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use corella_wire::ErrorCode;
use serde_json::json;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::Failure;

/// What a join counts for that needs the whole document.
const WHOLE: u32 = 4;
/// What one counts for that needs what it lacks.
const REST: u32 = 1;
/// Joins that may wait for each that is answered, before newcomers are sent away.
const MOST_WAITING_EACH: usize = 64;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_millis(500);
/// The longest that whoever is sent away is asked to stay, in seconds.
const LONGEST: u64 = 15;

/// The turns of those who join.
#[derive(Debug)]
pub(crate) struct Admission {
    turns: Semaphore,
    at_once: u32,
    waiting: AtomicUsize,
    /// How many were sent away; each is told another time to come back.
    sent_away: AtomicU64,
}

impl Admission {
    pub(crate) fn new(at_once: u32) -> Self {
        let at_once = at_once.max(WHOLE);
        let turns = Semaphore::new(usize::try_from(at_once).unwrap_or(Semaphore::MAX_PERMITS));
        Self { turns, at_once, waiting: AtomicUsize::new(0), sent_away: AtomicU64::new(0) }
    }

    /// Waits for a turn to join; it lasts until what comes back is dropped. Whoever has waited for long goes on without
    /// one: those before it may wait for a row that is busy, and others must not wait with them.
    pub(crate) async fn turn(&self, needs_all: bool) -> Option<SemaphorePermit<'_>> {
        let weight = if needs_all { WHOLE } else { REST };
        if let Ok(turn) = self.turns.try_acquire_many(weight) {
            return Some(turn);
        }
        let _waits = Waits::new(&self.waiting);
        timeout(PATIENCE, self.turns.acquire_many(weight)).await.ok()?.ok()
    }

    /// Whether another connection may be taken in now.
    ///
    /// # Errors
    /// A failure that says when to come back, not the same time to all.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let most = usize::try_from(self.at_once).unwrap_or(usize::MAX).saturating_mul(MOST_WAITING_EACH);
        if self.waiting.load(Ordering::Relaxed) <= most {
            return Ok(());
        }
        metrics::counter!("corella_connections_sent_away_total").increment(1);
        let count = self.sent_away.fetch_add(1, Ordering::Relaxed);
        let seconds = 1 + xxh3_64(&count.to_le_bytes()) % LONGEST;
        let detail = format!("too many clients are coming back at once; come back in {seconds} seconds");
        Err(Failure::new(ErrorCode::Unavailable, detail).with("retryAfter", json!(seconds)))
    }
}

/// Counts one that waits, until it is dropped.
pub(crate) struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }

    /// One more, unless `most` wait already.
    pub(crate) fn among(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        let waits = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < most).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn newcomers_are_sent_away_while_too_many_wait() {
        let admission = Admission::new(4);
        let held = admission.turn(true).await.expect("a turn");
        assert_eq!(admission.check(), Ok(()));
        let waiting = async { join_all((0..257).map(|_| admission.turn(false))).await.len() };
        let come = async {
            let told: Vec<u64> = (0..40)
                .map(|_| {
                    let failure = admission.check().expect_err("257 wait");
                    failure.facts["retryAfter"].as_u64().expect("a number of seconds")
                })
                .collect();
            assert!(told.iter().all(|seconds| (1..=LONGEST).contains(seconds)), "{told:?}");
            assert!(told.iter().any(|seconds| *seconds != told[0]), "all are told the same: {told:?}");
            drop(held);
        };
        // The turns that come back are dropped one by one only after all were taken, so that only some get one.
        tokio::select! {
            biased;
            _ = waiting => {}
            () = come => {}
        }
        assert_eq!(admission.check(), Ok(()), "nobody waits any more");
    }
}
