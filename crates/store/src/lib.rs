//! Rows at rest and in memory.
//!
//! A [`Store`] holds every row of one database. Whatever changes a row goes through [`Store::write`]: it is
//! applied to the row's document, checked, committed together with whatever else is waiting, and announced to
//! the [`CommitSink`] once it is durable; only then does the writer hear of it. Whoever wants to follow a row
//! takes its [`RowGuard`]: while that is held, nothing about the row is announced.
//!
//! The database behind it is a [`port::Backend`]: [`sqlite`] for one server, [`postgres`] also for several at once.
//!
//! This crate does not know sockets or users.

mod apply;
pub mod archive;
mod audit;
mod batch;
mod cache;
mod committer;
mod defaults;
mod durability;
mod error;
mod faults;
mod fold;
mod follow;
mod guard;
mod import;
mod job;
mod json;
mod late;
mod model;
pub mod port;
pub mod postgres;
mod prepared;
mod references;
mod refill;
mod repair;
mod resident;
pub mod schema;
pub mod sqlite;
mod store;
mod transaction;

pub use audit::{CheckReport, Difference, check};
pub use cache::CacheBudget;
pub use committer::{CommitSink, Committed, RowEvent};
pub use durability::Durability;
pub use error::{ReadError, StartError, WriteError};
pub use follow::FollowInterval;
pub use guard::{Backfill, Export, RichRow, RowGuard};
pub use import::{Reading, RowReader, fill_tables};
pub use job::{Author, Idempotency, Reply, RowChange, SourceId, Write, Written};
pub use json::row_json;
pub use late::LateDelay;
pub use model::check_served;
pub use repair::{MendedRow, RepairReport, repair};
pub use store::{Page, Store, StoreOptions};
pub use transaction::{MOST_ROWS, Transaction, TransactionError};
