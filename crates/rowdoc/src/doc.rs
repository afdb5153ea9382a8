//! The document of one row: load, export, delete, size.

use std::{fmt, sync::Arc};

use loro::{CommitOptions, ExportMode, LoroDoc, LoroValue, ValueOrContainer};

use crate::{
    Change, PeerId, RowShape, Version,
    faithful::HandedOn,
    joined::join_stored,
    plain::PlainRow,
    refusal::{CorruptRow, DocFault, Refusal},
    vessel::Vessel,
};

/// The root map with the fields.
pub(crate) const ROW: &str = "row";
/// The root map about the row itself.
pub(crate) const META: &str = "meta";
/// The key of `meta` that says whether the row is deleted.
pub(crate) const DELETED: &str = "deleted";
/// What subscribers of a document are told about who made a local change.
const ORIGIN: &str = "corella";

/// One row as a Loro document, or, where the entity's rows are no documents, its fields as they were written last.
///
/// After a [`Refusal`] from [`RowDoc::import`] the document may hold the refused operations: drop it and load
/// the row again. A refused patch leaves it as it was, except for [`Refusal::Poisoned`]. A poisoned document
/// answers everything with an error and leaks its memory when dropped, since dropping it for good could end
/// the process.
pub struct RowDoc {
    pub(crate) shape: Arc<RowShape>,
    pub(crate) vessel: Vessel,
    /// The row itself, where it is no document.
    pub(crate) plain: Option<PlainRow>,
    /// Bytes of values that went in, for the estimate of what the document occupies.
    pub(crate) taken_in: usize,
    /// What it was last seen to hand on: most of the time what it is asked for next.
    pub(crate) handed_on: Option<HandedOn>,
}

impl RowDoc {
    /// A row without operations, whose local changes carry `peer`.
    ///
    /// No two documents of one row may make changes under one peer id. `u64::MAX` is no peer id; a random
    /// one takes its place.
    #[must_use]
    pub fn new(shape: Arc<RowShape>, peer: PeerId) -> Self {
        if shape.is_plain() {
            return Self {
                shape,
                vessel: Vessel::none(),
                plain: Some(PlainRow::default()),
                taken_in: 0,
                handed_on: None,
            };
        }
        Self { shape, vessel: Vessel::new(peer), plain: None, taken_in: 0, handed_on: None }
    }

    /// A row from its snapshot and the deltas since.
    ///
    /// The bytes are trusted as far as stored bytes are: checksums are verified, panics are caught, bounds
    /// are not.
    ///
    /// # Errors
    /// [`CorruptRow`] when the bytes do not decode or do not belong together.
    pub fn load<B: AsRef<[u8]>>(
        shape: Arc<RowShape>,
        peer: PeerId,
        snapshot: Option<&[u8]>,
        deltas: &[B],
    ) -> Result<Self, CorruptRow> {
        let mut row = Self::new(shape, peer);
        if row.plain.is_some() {
            row.plain = Some(PlainRow::load(snapshot, deltas)?);
            return Ok(row);
        }
        let one_by_one: Vec<&[u8]> = deltas.iter().map(AsRef::as_ref).collect();
        // A tail of updates that were made side by side takes Loro the square of its length when they come one by one.
        let joined = join_stored(&one_by_one);
        let tail: Vec<&[u8]> = joined.iter().map(AsRef::as_ref).collect();
        match row.vessel.with(|doc| import_stored(doc, snapshot, &tail)) {
            Ok(Ok(())) => {}
            // Whatever it was: one by one it may not be, or can be named.
            Ok(Err(_)) | Err(_) if tail.len() < one_by_one.len() => {
                row.vessel = Vessel::new(peer);
                row.vessel.with(|doc| import_stored(doc, snapshot, &one_by_one))??;
            }
            outcome @ (Ok(Err(_)) | Err(_)) => outcome??,
        }
        row.taken_in =
            snapshot.map_or(0, <[u8]>::len) + deltas.iter().map(|delta| delta.as_ref().len()).sum::<usize>();
        Ok(row)
    }

    /// The shape that the row was made with.
    #[must_use]
    pub fn shape(&self) -> &Arc<RowShape> {
        &self.shape
    }

    /// How far the document has come; empty when it is poisoned.
    #[must_use]
    pub fn version(&self) -> Version {
        if let Some(plain) = &self.plain {
            return plain.version();
        }
        self.vessel.with(LoroDoc::oplog_vv).map(Version::from_vector).unwrap_or_default()
    }

    /// Whether the row is deleted; `false` when the document is poisoned.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        if let Some(plain) = &self.plain {
            return plain.is_deleted();
        }
        self.vessel.with(row_is_deleted).unwrap_or_default()
    }

    /// Deletes or restores the row. Its fields, and edits of them made meanwhile elsewhere, stay.
    ///
    /// # Errors
    /// [`Refusal::Poisoned`] when Loro fails from within.
    pub fn set_deleted(&mut self, deleted: bool) -> Result<Change, Refusal> {
        if let Some(plain) = &mut self.plain {
            return Ok(plain.set_deleted(deleted));
        }
        let changed = self.vessel.with(|doc| {
            if row_is_deleted(doc) == deleted {
                return Ok(false);
            }
            let done = doc.get_map(META).insert(DELETED, deleted);
            commit(doc);
            done.map(|()| true)
        })?;
        match changed {
            Ok(liveness) => Ok(Change { liveness, ..Change::default() }),
            Err(_) => Err(self.poisoned()),
        }
    }

    /// Where the history starts that the document still has; empty when it has all of it.
    ///
    /// What somebody made who has less than this version, or made beside it, can be merged no more.
    #[must_use]
    pub fn history_start(&self) -> Version {
        // A row that is no document has no history, and thus all of it.
        let start = self.vessel.with(|doc| doc.shallow_since_vv().to_vv());
        start.map(Version::from_vector).unwrap_or_default()
    }

    /// The operations that a replica at `since` lacks, as an update; for one without any, the whole document as a
    /// snapshot where its history is not whole.
    ///
    /// # Errors
    /// [`DocFault::HistoryTrimmed`] when the replica has something, but less than the history starts with: Loro would
    /// export what the replica can never apply. [`DocFault`] when Loro cannot export.
    pub fn export_since(&self, since: &Version) -> Result<Vec<u8>, DocFault> {
        let known =
            self.handed_on.as_ref().filter(|known| known.from == *since && known.to == self.version());
        if let Some(known) = known {
            return Ok(known.update.clone());
        }
        let start = self.history_start();
        if since.includes(&start) {
            return self.export(ExportMode::updates(since.vector()));
        }
        if since.is_empty() { self.snapshot() } else { Err(DocFault::HistoryTrimmed) }
    }

    /// The whole document, with what it has of its history, as a snapshot.
    ///
    /// # Errors
    /// [`DocFault`] when Loro cannot export.
    pub fn snapshot(&self) -> Result<Vec<u8>, DocFault> {
        self.export(ExportMode::Snapshot)
    }

    /// About how many bytes of memory the document occupies.
    ///
    /// Measured: a document with a few scalars 20 KB; with a text typed in order 7 to 16 bytes for each
    /// character beside it, with one typed at random 12 to 130.
    #[must_use]
    pub fn resident_bytes(&self) -> usize {
        if let Some(plain) = &self.plain {
            return plain.resident_bytes();
        }
        const BASE: usize = 20 << 10;
        const PER_OPERATION: usize = 24;
        let operations = self.vessel.with(LoroDoc::len_ops).unwrap_or_default();
        BASE + operations.saturating_mul(PER_OPERATION) + self.taken_in.saturating_mul(2)
    }

    /// The document with its history from `start` on, or from the last version before it that everything later
    /// builds on; with all that it has when there is none, or when
    /// `start` is not in the document.
    pub(crate) fn snapshot_since(&self, start: &Version) -> Result<Vec<u8>, DocFault> {
        // A repair may have lost what the document once had.
        if self.plain.is_some() || !start.includes(&self.history_start()) || !self.version().includes(start) {
            return self.snapshot();
        }
        let frontiers = self
            .vessel
            .with(|doc| doc.try_vv_to_frontiers(start.vector()))?
            .map_err(|error| DocFault::Export(error.to_string()))?;
        if frontiers.is_empty() {
            return self.snapshot();
        }
        self.export(ExportMode::shallow_snapshot_owned(frontiers))
    }

    fn export(&self, mode: ExportMode<'_>) -> Result<Vec<u8>, DocFault> {
        if let Some(plain) = &self.plain {
            return Ok(plain.image());
        }
        self.vessel.with(|doc| doc.export(mode))?.map_err(|error| DocFault::Export(error.to_string()))
    }

    /// Gives the document up: it holds half of an edit.
    pub(crate) fn poisoned(&self) -> Refusal {
        self.vessel.poison();
        Refusal::Poisoned
    }
}

impl fmt::Debug for RowDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowDoc")
            .field("entity", self.shape.entity())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

/// Brings a row's stored bytes into an empty document.
fn import_stored(doc: &LoroDoc, snapshot: Option<&[u8]>, tail: &[&[u8]]) -> Result<(), CorruptRow> {
    let pieces = snapshot
        .into_iter()
        .map(|bytes| ("snapshot", bytes))
        .chain(tail.iter().map(|bytes| ("tail", *bytes)));
    for (piece, bytes) in pieces {
        let undecodable =
            |error: loro::LoroError| CorruptRow::Undecodable { piece, reason: error.to_string() };
        let status = doc.import(bytes).map_err(undecodable)?;
        if status.pending.is_some_and(|pending| !pending.is_empty()) {
            return Err(CorruptRow::MissingDependencies);
        }
    }
    Ok(())
}

pub(crate) fn commit(doc: &LoroDoc) {
    doc.commit_with(CommitOptions::new().origin(ORIGIN));
}

pub(crate) fn row_is_deleted(doc: &LoroDoc) -> bool {
    matches!(doc.get_map(META).get(DELETED), Some(ValueOrContainer::Value(LoroValue::Bool(true))))
}
