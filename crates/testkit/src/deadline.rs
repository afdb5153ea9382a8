//! Waiting for what has to happen, with an end to it.

use std::{future::Future, time::Duration};

/// How long anything may take before a test gives it up; generous, because a slow machine is no failure.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for `event`.
///
/// # Panics
/// When it has not come within [`DEADLINE`]; `what` is said then.
pub async fn within<T>(what: &str, event: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(DEADLINE, event).await;
    outcome.unwrap_or_else(|_| unreachable!("{what} did not come within {} seconds", DEADLINE.as_secs()))
}
