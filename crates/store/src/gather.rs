//! Whether a commit waits a moment for what else is about to come.
//!
//! More than half of what it costs to commit a keystroke is the transaction's own, most of that its sync. Where many people type, each in a
//! document of their own, commits would follow one another with one keystroke in each. Those who type do not wait for an
//! answer before they go on, so that commits of nothing but keystrokes keep a small distance from one another, and share
//! what they cost. A commit that comes alone is not held up, and neither is one with a write whose author waits.

use std::time::{Duration, Instant};

/// How far apart commits of nothing but pipelined writes begin.
const DISTANCE: Duration = Duration::from_millis(2);

/// Whether a writer waits for the answer before it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// It does, as a request over HTTP.
    Awaited,
    /// It does not, as a document's updates on a socket.
    Pipelined,
}

/// When the last commit began.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    last: Option<Instant>,
}

impl Gathering {
    /// How long a commit of such writes is to wait for others; nothing when it is not.
    pub(crate) fn rest(&self, mut hastes: impl Iterator<Item = Haste>) -> Option<Duration> {
        let rest = DISTANCE.checked_sub(self.last?.elapsed()).filter(|rest| !rest.is_zero())?;
        hastes.all(|haste| haste == Haste::Pipelined).then_some(rest)
    }

    /// A commit begins.
    pub(crate) fn begins(&mut self) {
        self.last = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pipelined_writes_right_after_a_commit_wait() {
        let mut gathering = Gathering::default();
        let pipelined = || std::iter::once(Haste::Pipelined);
        assert_eq!(gathering.rest(pipelined()), None, "the first commit");
        // In a moment that has not come yet, so that the test's own pace does not matter.
        gathering.last = Some(Instant::now() + Duration::from_secs(60));
        assert_eq!(gathering.rest(pipelined()), Some(DISTANCE));
        assert_eq!(gathering.rest(pipelined().chain([Haste::Awaited])), None, "somebody waits");
        gathering.last = Instant::now().checked_sub(DISTANCE);
        assert_eq!(gathering.rest(pipelined()), None, "long after the last commit");
    }
}
