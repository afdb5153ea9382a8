//! Rows as they lie at rest, on their way out of a database, into one, or out of harm.

use std::sync::Arc;

use bytes::Bytes;
use corella_manifest::EntityName;
use corella_rowdoc::{Projection, RowId, RowKey, Tenant};
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use super::{About, Account, HistoryLine, Outcome, OutcomeKey, Reach, Seq, StoredHead};

/// The checksum that is stored beside each blob.
#[must_use]
pub fn checksum(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(xxh3_64(bytes).to_le_bytes())
}

/// Bytes with the checksum that is stored beside them, whether it fits or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The bytes.
    pub bytes: Bytes,
    /// What [`checksum`] said when they were written.
    pub checksum: i64,
}

impl Sealed {
    /// Seals bytes that are known to be right.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        let checksum = checksum(&bytes);
        Self { bytes, checksum }
    }

    /// Whether the bytes are those that were sealed.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        checksum(&self.bytes) == self.checksum
    }
}

/// A row as it lies, sound or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRow {
    /// The row.
    pub key: RowKey,
    /// Where its document stands.
    pub head: StoredHead,
    /// When it was first written.
    pub created_at: Timestamp,
    /// Its snapshot, if there is one.
    pub snapshot: Option<Sealed>,
    /// What was written since the snapshot, oldest first.
    pub tail: Vec<KeptDelta>,
    /// What is told of the changes that the snapshot has swallowed, oldest first.
    pub history: Vec<HistoryLine>,
}

impl KeptRow {
    /// What is wrong with the row's bytes, if anything is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        match &self.snapshot {
            None if self.head.snapshot != Seq::ZERO => return Some("its snapshot is missing".into()),
            Some(snapshot) if !snapshot.is_sound() => {
                return Some("its snapshot's checksum does not match".into());
            }
            Some(_) | None => {}
        }
        let harmed = self.tail.iter().find(|entry| !entry.delta.is_sound());
        harmed.map(|entry| format!("the checksum of its change {} does not match", entry.seq.0))
    }

    /// The snapshot and the deltas, to be merged in this order.
    pub fn blobs(&self) -> impl Iterator<Item = &Bytes> {
        let snapshot = self.snapshot.iter().map(|snapshot| &snapshot.bytes);
        snapshot.chain(self.tail.iter().map(|entry| &entry.delta.bytes))
    }
}

/// One delta of a row as it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDelta {
    /// The change that brought it.
    pub seq: Seq,
    /// A Loro update.
    pub delta: Sealed,
    /// Who wrote it, if known.
    pub author: Option<Arc<str>>,
    /// When.
    pub at: Timestamp,
    /// What is told of it beside that.
    pub about: Option<About>,
    /// As [`Reach::Ends`], if known.
    pub ends: Option<Bytes>,
}

/// An answer that is kept under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptOutcome {
    /// Whose key.
    pub key: OutcomeKey,
    /// The answer.
    pub outcome: Outcome,
    /// When it was given.
    pub at: Timestamp,
}

/// The moment that a dump speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// The database's epoch.
    pub epoch: String,
    /// Its last change.
    pub seq: Seq,
    /// How many rows it has, whether the dump's scope has them or not.
    pub rows: u64,
}

/// One piece of a dump: first the moment, then rows, outcomes and accounts, then the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// What the dump speaks of.
    Start(Moment),
    /// A row.
    Row(KeptRow),
    /// An answer.
    Outcome(KeptOutcome),
    /// An account; nobody's sessions belong to a dump.
    Account(Account),
    /// That was all; pieces that end without it are incomplete.
    End,
}

/// What of a database is dumped.
#[derive(Debug, Clone, Default)]
pub struct DumpScope {
    /// These entities alone; all when empty.
    pub entities: Vec<EntityName>,
    /// These tenants alone; all when empty.
    pub tenants: Vec<Tenant>,
    /// Whether the answers under idempotency keys belong to it.
    pub outcomes: bool,
    /// Whether the accounts belong to it.
    pub accounts: bool,
}

impl DumpScope {
    /// Everything there is.
    #[must_use]
    pub fn everything() -> Self {
        Self { outcomes: true, accounts: true, ..Self::default() }
    }

    /// Whether a row belongs to it.
    #[must_use]
    pub fn has(&self, key: &RowKey) -> bool {
        (self.entities.is_empty() || self.entities.contains(&key.entity))
            && (self.tenants.is_empty() || self.tenants.contains(&key.tenant))
    }
}

/// What a restored database may take the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreOnto {
    /// A database without rows.
    Empty,
    /// Whatever is there; it is gone afterwards.
    Anything,
}

/// What became of a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreOutcome {
    /// Everything is there, under a new epoch and a new server peer.
    Restored,
    /// Nothing was done: there are rows already.
    NotEmpty,
    /// Nothing was done: the pieces ended before their end.
    CutOff,
}

/// A row made whole again from what was sound of it.
#[derive(Debug, Clone)]
pub struct Mend {
    /// The row.
    pub key: RowKey,
    /// The last change that was looked at.
    pub known_head: Seq,
    /// What is wrong with the bytes that it replaces, in words.
    pub fault: String,
    /// The snapshot that takes the place of all that was stored.
    pub snapshot: Bytes,
    /// Its version, encoded.
    pub version: Bytes,
    /// Its columns.
    pub projection: Projection,
    /// When it was mended.
    pub at: Timestamp,
}

impl Mend {
    /// What the row's history tells of it when it is the change `seq`.
    #[must_use]
    pub fn line(&self, seq: Seq) -> HistoryLine {
        HistoryLine {
            seq,
            author: None,
            at: self.at,
            about: About {
                kind: REPAIR.into(),
                message: Some(self.fault.as_str().into()),
                ..About::default()
            },
            reach: Reach::Whole(self.version.clone()),
        }
    }
}

/// What became of a mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MendOutcome {
    /// The row is whole; this change of the log says so.
    Mended(Seq),
    /// Nothing was done: the row has moved on.
    Stale,
    /// Nothing was done: another row holds a value that must be unique.
    NotUnique {
        /// The fields that clash.
        fields: Vec<String>,
        /// The row that holds the value.
        holder: Option<RowId>,
    },
}

/// How the change log names a mend.
pub const REPAIR: &str = "repair";
