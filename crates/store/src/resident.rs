//! A row in memory: its document, its queue of writes, and who holds it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use corella_rowdoc::{Change, Projection, RowDoc, RowKey, Version};

use crate::{job::Job, port::Seq};

/// Writes that may wait for one row; more are answered [`crate::WriteError::Busy`].
const MOST_WAITING: usize = 8_192;
/// Bytes that may wait for one row.
const MOST_WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Writes taken from a queue at once.
const MOST_TAKEN: usize = 512;

/// One row that somebody works with, or whose document is kept.
pub(crate) struct Slot {
    pub(crate) key: RowKey,
    /// Writes that wait. A plain mutex, held to push or to take.
    waiting: Mutex<Waiting>,
    /// The document. An async mutex, because it is held while a commit is under way, so that nobody sees a
    /// change before it is durable.
    pub(crate) resident: Arc<tokio::sync::Mutex<Resident>>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Whether a task is working the queue off.
    worked: bool,
}

/// What came of putting a write into a queue.
pub(crate) enum Queued {
    /// A task is at work and will come to it.
    Worked,
    /// The caller must start a task.
    Idle,
    /// The queue is full.
    Full(Box<Job>),
}

impl Slot {
    pub(crate) fn new(key: RowKey) -> Self {
        Self { key, waiting: Mutex::default(), resident: Arc::default() }
    }

    pub(crate) fn push(&self, job: Job) -> Queued {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = waiting.bytes + job.change.bytes();
        if waiting.jobs.len() >= MOST_WAITING || (bytes > MOST_WAITING_BYTES && !waiting.jobs.is_empty()) {
            return Queued::Full(Box::new(job));
        }
        waiting.bytes = bytes;
        waiting.jobs.push_back(job);
        if std::mem::replace(&mut waiting.worked, true) { Queued::Worked } else { Queued::Idle }
    }

    /// Takes what waits, or, when nothing does, leaves the queue to the next task.
    pub(crate) fn take(&self) -> Vec<Job> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.jobs.len().min(MOST_TAKEN);
        let jobs: Vec<Job> = waiting.jobs.drain(..count).collect();
        waiting.bytes -= jobs.iter().map(|job| job.change.bytes()).sum::<usize>();
        if jobs.is_empty() {
            waiting.worked = false;
        }
        jobs
    }

    /// Gives the queue up after a panic: what waits is answered, and the next write starts afresh.
    pub(crate) fn abandon(&self) {
        let jobs = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        drop(jobs);
    }
}

/// The state of a row in memory.
#[derive(Default)]
pub(crate) struct Resident {
    pub(crate) loaded: Option<Loaded>,
}

/// A document that is loaded, exactly as it is stored.
pub(crate) struct Loaded {
    pub(crate) doc: RowDoc,
    /// The manifest under which it was loaded.
    pub(crate) generation: u64,
    /// Its last change; [`Seq::ZERO`] for a row that was never written.
    pub(crate) head: Seq,
    pub(crate) version: Arc<Version>,
    /// The row's columns, except that those in `late` are as they were before.
    pub(crate) projection: Arc<Projection>,
    /// What has changed since the columns in question were last read from the document.
    pub(crate) late: Change,
    pub(crate) tail: Tail,
}

/// How much has been written since the snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tail {
    pub(crate) deltas: usize,
    pub(crate) bytes: usize,
    pub(crate) snapshot_bytes: usize,
}

impl Loaded {
    /// Whether the row was ever written.
    pub(crate) fn exists(&self) -> bool {
        self.head != Seq::ZERO
    }

    /// What the columns in hand lack after `change`.
    pub(crate) fn behind(&self, change: &Change) -> Change {
        let mut behind = self.late.clone();
        behind.merge(change);
        behind
    }
}

impl Resident {
    /// Lets go of a document that was never written: there is nothing to keep.
    pub(crate) fn forget_unwritten(&mut self) {
        self.loaded.take_if(|loaded| !loaded.exists());
    }

    /// What the document costs in memory, roughly, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.loaded.as_ref().map_or(0, |loaded| loaded.doc.resident_bytes())
    }
}
