//! Following what other servers of the same database write.
//!
//! Changes are numbered without gaps in the order in which they become visible. So whoever has seen everything up to
//! one number knows what is missing before another, and asks the log for it: nothing is told twice, and nothing is
//! missed.

use std::time::{Duration, Instant};

use crate::port::{Backend, BackendError, FollowedChange, Seq};

/// Changes read at once.
const PAGE: usize = 256;

/// How often the log of a shared database is looked at while nothing is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowInterval(pub Duration);

impl Default for FollowInterval {
    /// Half a second.
    fn default() -> Self {
        Self(Duration::from_millis(500))
    }
}

/// What others have written.
#[derive(Debug)]
pub(crate) enum Heard {
    /// These changes, in their order.
    Changes(Vec<FollowedChange>),
    /// Changes that the log cannot tell any more.
    LostTrack,
}

/// How far the log has been told. It belongs to the commit thread, which alone knows what it has written itself.
#[derive(Debug)]
pub(crate) struct Follower {
    seen: Seq,
    every: Duration,
    due: Instant,
    /// Whether the last look has failed, so that an outage is told once.
    failing: bool,
}

impl Follower {
    pub(crate) fn new(seen: Seq, FollowInterval(every): FollowInterval) -> Self {
        Self { seen, every, due: Instant::now() + every, failing: false }
    }

    /// How long until the next look.
    pub(crate) fn rest(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Looks for what has come, when nothing of this server's own is under way.
    pub(crate) async fn look(&mut self, backend: &dyn Backend) -> Vec<Heard> {
        let mut heard = Vec::new();
        match self.read(backend, None, &mut heard).await {
            Ok(()) => self.failing = false,
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the log of changes cannot be read; trying again");
                }
            }
        }
        self.due = Instant::now() + self.every;
        heard
    }

    /// What others have written before this server's own changes from `first` to `last`.
    pub(crate) async fn before(&mut self, backend: &dyn Backend, first: Seq, last: Seq) -> Vec<Heard> {
        let mut heard = Vec::new();
        if let Err(error) = self.read(backend, Some(first), &mut heard).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "changes of other servers cannot be told"
            );
            heard.push(Heard::LostTrack);
        }
        self.seen = last;
        heard
    }

    /// Reads on until `end`, or until there is nothing more.
    async fn read(
        &mut self,
        backend: &dyn Backend,
        end: Option<Seq>,
        heard: &mut Vec<Heard>,
    ) -> Result<(), BackendError> {
        while end.is_none_or(|end| self.seen.0 + 1 < end.0) {
            let mut page = backend.follow(self.seen, PAGE).await?;
            let whole = page.len() == PAGE;
            if let Some(end) = end {
                page.retain(|change| change.entry.seq < end);
            }
            let Some(last) = page.last().map(|change| change.entry.seq) else {
                // The log has been trimmed up to here, or there is nothing.
                heard.extend(end.map(|_| Heard::LostTrack));
                return Ok(());
            };
            let gapless = page.iter().zip(self.seen.0 + 1..).all(|(change, seq)| change.entry.seq.0 == seq);
            self.seen = last;
            heard.push(if gapless { Heard::Changes(page) } else { Heard::LostTrack });
            if !whole && end.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }
}
