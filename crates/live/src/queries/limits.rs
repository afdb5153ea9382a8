//! How much live queries may take.

use std::time::Duration;

/// How much live queries may take.
#[derive(Debug, Clone, Copy)]
pub struct LiveLimits {
    /// Queries that one connection may follow.
    pub subscriptions: usize,
    /// Rows of an answer without a limit of its own.
    pub rows: usize,
    /// Rows that are counted or added up for one answer.
    pub grouped_rows: usize,
    /// Different queries of one tenant.
    pub queries: usize,
    /// Bytes that the rows held for one tenant may take, about.
    pub bytes: usize,
    /// Different queries of one entity that have to be asked about every changed row.
    pub scanned: usize,
    /// How long a query is kept true that nobody follows any more.
    pub idle: Duration,
    /// Changes that may wait to be taken in; beyond them every answer is read again.
    pub backlog: usize,
    /// Answers that are read from the database at the same time.
    pub reads: usize,
    /// Changes that are gone through for a client that comes back; beyond them it gets the whole answer.
    pub resume: usize,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            subscriptions: 1_000,
            rows: 10_000,
            grouped_rows: 100_000,
            queries: 100_000,
            bytes: 512 * 1024 * 1024,
            scanned: 1_000,
            idle: Duration::from_secs(30),
            backlog: 65_536,
            reads: 4,
            resume: 10_000,
        }
    }
}
