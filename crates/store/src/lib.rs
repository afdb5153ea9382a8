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

mod access;
mod apply;
pub mod archive;
mod audit;
mod batch;
mod cache;
mod committer;
mod defaults;
mod durability;
mod error;
mod explain;
mod faults;
mod fold;
mod follow;
mod forbidden;
mod gather;
mod guard;
mod history;
mod import;
mod included;
mod job;
mod json;
mod late;
mod model;
mod peers;
mod permit;
pub mod port;
pub mod postgres;
mod prepared;
mod question;
mod reading;
mod references;
mod refill;
mod repair;
mod resident;
pub mod schema;
pub mod sqlite;
mod store;
mod told;
mod transaction;

pub use access::Access;
pub use audit::{CheckReport, Difference, check};
pub use cache::CacheBudget;
pub use committer::{CommitSink, Committed, RowEvent};
pub use durability::Durability;
pub use error::{ReadError, StartError, WriteError};
pub use explain::{ExplainError, PolicyAnswer, PolicyQuestion, explain_policy};
pub use follow::FollowInterval;
pub use forbidden::{Denied, Forbidden};
pub use guard::{Backfill, Export, RichRow, RowGuard};
pub use history::{
    At, Blame, BlameRun, Blamed, HistoryChange, HistoryError, HistoryPage, HistoryPart, HistoryPoint,
    PastRow, RowDifference,
};
pub use import::{Reading, RowReader};
pub use job::{Author, Idempotency, Reply, RowChange, SourceId, Write, Written};
pub use json::row_json;
pub use late::LateDelay;
pub use model::check_served;
pub use question::{About, Question};
pub use reading::{Restricted, SeenPage, SeenRow};
pub use repair::{MendedRow, RepairReport, repair};
pub use store::{Page, Store, StoreOptions};
pub use transaction::{MOST_ROWS, Transaction, TransactionError};
