//! Who watches what, and how they hear of it.
//!
//! A [`Hub`] is told of every change that became durable, and of every presence update. Each connection has an
//! [`Outbox`]: a bounded queue of frames. Those who watch a row get each change of it as one frame, encoded once
//! for all of them. A watcher whose outbox is full misses nothing: the row is only marked as behind, and once the
//! outbox has drained, the watcher gets one update from the version that it was last sent to the present one.
//!
//! Whoever joins is let in by the manifest's policies. When a change may have taken the row from somebody's sight, that is
//! asked again before anything else is sent to them.
//!
//! [`LiveQueries`] does the same for the answers to queries: it keeps them true as rows change.
//!
//! In reading order: [`Outbox`], [`Hub`], [`LiveQueries`], [`Presence`].
//!
//! This crate does not know HTTP or SQL text.

mod admissions;
mod hub;
mod outbox;
mod presence;
mod queries;
mod rooms;

pub use admissions::Pass;
pub use hub::{Hub, JoinError, Joined};
pub use outbox::{HandedOver, Outbox, OutboxLimits, Queued, Socket, Work};
pub use presence::{Presence, PresenceError, PresenceLimits};
pub use queries::{
    Interest, LiveCounters, LiveCounts, LiveLimits, LiveQueries, NewSubscription, OneAnswer, Refused,
    answer_once,
};
