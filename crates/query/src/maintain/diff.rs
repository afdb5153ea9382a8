//! What became of an answer.

use std::sync::Arc;

/// The difference between an answer as it was and as it is.
///
/// Whoever has the old one takes out what was removed and what has a place, then puts in each changed row that has one,
/// in the order in which they come; the others stay where they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff<R> {
    /// Rows that are in the answer and are new or have changed.
    pub changed: Vec<Changed<R>>,
    /// Rows that are not in the answer any more.
    pub removed: Vec<Arc<str>>,
}

/// A row that is new in an answer or has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed<R> {
    /// The row as the answer had it; `None` for a new one.
    pub before: Option<R>,
    /// The row as it is.
    pub row: R,
    /// Its place, counted from 0, when it is new or may have moved.
    pub at: Option<usize>,
}

impl<R> Diff<R> {
    /// Whether nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}
