//! How fast a connection may send.

use std::time::{Duration, Instant};

use corella_wire::{Frame, Magic};

/// How much may come at once, as the time in which it may come evenly.
const BURST: Duration = Duration::from_secs(10);
/// The longest that a connection is not read from because of what it has sent.
pub(super) const MOST_PAUSE: Duration = Duration::from_secs(10);
/// Bytes that count as one update more.
const BYTES_PER_UPDATE: usize = 16 * 1024;
/// Updates that one of presence counts for, because it goes to everybody in the room at once.
const PRESENCE: usize = 10;

/// How long an update fills the bucket that was refused: until that was known it may have taken as much work as many edits.
const REFUSED: Duration = Duration::from_millis(50);

/// A bucket of updates, which fills again evenly.
#[derive(Debug)]
pub(super) struct Pace {
    /// How long the bucket takes to fill by one; zero when there is no bound.
    interval: Duration,
    /// When the bucket will be full again.
    full_at: Option<Instant>,
}

/// More than the bucket will hold for too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

impl Pace {
    pub(super) fn new(per_second: u32) -> Self {
        let interval = Duration::from_secs(1).checked_div(per_second).unwrap_or_default();
        Self { interval, full_at: None }
    }

    /// Takes out `cost` updates; what comes back is how long to pause before more is taken in.
    pub(super) fn take(&mut self, cost: usize, now: Instant) -> Result<Duration, TooMuch> {
        let cost = self.interval.saturating_mul(u32::try_from(cost).unwrap_or(u32::MAX));
        let full_at = self.full_at.map_or(now, |at| at.max(now)).checked_add(cost).ok_or(TooMuch)?;
        let pause = full_at.saturating_duration_since(now).saturating_sub(BURST);
        if pause > MOST_PAUSE {
            return Err(TooMuch);
        }
        self.full_at = Some(full_at);
        Ok(pause)
    }

    /// Takes out what updates that were refused have cost, as far as a pause makes up for it.
    pub(super) fn charge(&mut self, refused: u32, now: Instant) {
        if refused > 0 && !self.interval.is_zero() {
            let cost = REFUSED.saturating_mul(refused).min(MOST_PAUSE);
            let full_at = self.full_at.map_or(now, |at| at.max(now)) + cost;
            self.full_at = Some(full_at.min(now + BURST + MOST_PAUSE / 2));
        }
    }
}

/// What a frame counts for.
pub(super) fn cost(magic: Magic, frame: &Frame) -> usize {
    let bytes = |bytes: usize| bytes / BYTES_PER_UPDATE;
    match frame {
        Frame::DocUpdate { updates, .. } => {
            let each = updates.iter().map(|update| 1 + bytes(update.len())).sum::<usize>().max(1);
            if magic == Magic::Document { each } else { each * PRESENCE }
        }
        Frame::Fragment { chunk, .. } => 1 + bytes(chunk.len()),
        Frame::JoinRequest { .. }
        | Frame::JoinOk { .. }
        | Frame::JoinError { .. }
        | Frame::FragmentHeader { .. }
        | Frame::RoomError { .. }
        | Frame::Leave
        | Frame::Ack { .. } => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_what_follows_is_even() {
        let mut pace = Pace::new(100);
        let start = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(pace.take(1, start), Ok(Duration::ZERO));
        }
        assert_eq!(pace.take(50, start), Ok(Duration::from_millis(500)));
        let later = start + Duration::from_secs(5);
        assert_eq!(pace.take(1, later), Ok(Duration::ZERO), "it fills again");
        assert_eq!(pace.take(10_000, later), Err(TooMuch), "more than may be waited for");
        assert_eq!(pace.take(1, later), Ok(Duration::ZERO), "what was refused costs nothing");
    }

    #[test]
    fn what_is_refused_is_made_good_by_a_pause() {
        let mut pace = Pace::new(100);
        let now = Instant::now();
        pace.charge(20, now);
        assert_eq!(pace.take(1, now), Ok(Duration::ZERO), "a few are nothing");
        for _ in 0..100 {
            pace.charge(100, now);
        }
        assert_eq!(pace.take(1, now), Ok(MOST_PAUSE / 2 + Duration::from_millis(10)));
    }

    #[test]
    fn without_a_bound_nothing_waits() {
        let mut pace = Pace::new(0);
        pace.charge(1_000, Instant::now());
        assert_eq!(pace.take(usize::MAX, Instant::now()), Ok(Duration::ZERO));
    }
}
