//! A write on its way into a row.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{RowKey, Version};
use serde_json::{Map, Value as Json};

use crate::{
    access::Access,
    error::WriteError,
    port::{OutcomeKey, Seq},
};

/// What to change in one row.
#[derive(Debug, Clone)]
pub enum RowChange {
    /// Merge a Loro update; the row comes to be if it is not there.
    Update(Bytes),
    /// Merge a Loro update that fills the document, unless something was written to it before. One that is in the
    /// document already was sent twice, and changes nothing.
    Seed(Bytes),
    /// Merge a document that was stored elsewhere, its snapshot first, as far as it was stored; trusted as stored
    /// bytes are.
    Merge(Vec<Bytes>),
    /// Make a row with these fields.
    Insert(Map<String, Json>),
    /// Set these fields.
    Patch(Map<String, Json>),
    /// Take the row out of its table.
    Delete,
    /// Bring the row back.
    Restore,
    /// Bring the row to what it was at this version, by new operations.
    Revert(Version),
}

impl RowChange {
    /// How much of the caller's bytes it carries, in bytes; nothing for JSON, which is bounded by its request.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Update(update) | Self::Seed(update) => update.len(),
            Self::Merge(pieces) => pieces.iter().map(Bytes::len).sum(),
            Self::Insert(_) | Self::Patch(_) | Self::Delete | Self::Restore | Self::Revert(_) => 0,
        }
    }
}

/// Where a write came from: one id per connection, so that a watcher is not sent what it wrote itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

/// Who writes.
#[derive(Debug, Clone)]
pub struct Author {
    /// The user's id.
    pub user: Arc<str>,
    /// How far the manifest's policies let it go.
    pub access: Access,
    /// The connection, when there is one that may watch the row itself.
    pub source: Option<SourceId>,
}

impl Author {
    /// An author whom no policy holds back: the server itself, or a command of its administrator.
    #[must_use]
    pub fn trusted(user: &str) -> Self {
        Self { user: user.into(), access: Access::Everything, source: None }
    }
}

/// A promise to answer the same request in the same way.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Whose key.
    pub key: OutcomeKey,
    /// A hash of the request.
    pub request: Bytes,
}

/// A write of one row.
pub struct Write {
    /// The row.
    pub key: RowKey,
    /// The change.
    pub change: RowChange,
    /// Who writes.
    pub author: Author,
    /// Whether the writer wants to see the row afterwards.
    pub wants_row: bool,
    /// The promise that was asked for.
    pub idempotency: Option<Idempotency>,
    /// What the writer says of it, for the row's history.
    pub message: Option<Arc<str>>,
}

/// A write that is durable.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its place in the order of all changes; for a write that changed nothing, the row's last change.
    pub seq: Seq,
    /// The document's version afterwards.
    pub version: Arc<Version>,
    /// The row afterwards, if the writer wanted to see it.
    pub row: Option<Map<String, Json>>,
}

impl Written {
    /// The answer to a request that was answered before.
    pub(crate) fn earlier(seq: Seq) -> Self {
        Self { seq, version: Arc::new(Version::empty()), row: None }
    }
}

/// What to call once a write is durable or refused; called once, whatever happens.
pub struct Reply(Option<Then>);

type Then = Box<dyn FnOnce(Result<Written, WriteError>) + Send + Sync>;

impl Reply {
    /// Calls `then` with what became of the write.
    pub fn new(then: impl FnOnce(Result<Written, WriteError>) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(then)))
    }

    pub(crate) fn send(mut self, result: Result<Written, WriteError>) {
        if let Some(then) = self.0.take() {
            then(result);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then(Err(WriteError::Internal(
                "the write was given up half-way; whether it is durable is unknown",
            )));
        }
    }
}

/// A write in its row's queue.
pub(crate) struct Job {
    pub(crate) change: RowChange,
    pub(crate) author: Author,
    pub(crate) wants_row: bool,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) message: Option<Arc<str>>,
    pub(crate) reply: Reply,
}
