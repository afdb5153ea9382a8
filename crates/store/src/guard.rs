//! Holding a row still: where it stands, and what somebody lacks of it.

use std::sync::Arc;

use bytes::Bytes;
use corella_policy::Sight;
use corella_rowdoc::{Change, DocFault, Projection, RowDoc, RowKey, Version};
use serde_json::{Map, Value as Json};
use tokio::sync::OwnedMutexGuard;

use crate::{
    access::Access,
    apply,
    error::ReadError,
    json::seen_json,
    port::{Seq, StoredRow},
    resident::{Loaded, Resident, Slot, Tail},
    store::Inner,
};

/// What somebody who follows a row lacks.
#[derive(Debug, Clone)]
pub struct Backfill {
    /// Loro blobs, to be imported in this order; none when nothing is lacking.
    pub updates: Vec<Bytes>,
    /// The version that the row has, which is reached by importing them.
    pub version: Arc<Version>,
    /// The row's last change; [`Seq::ZERO`] when it was never written.
    pub seq: Seq,
    /// Whether the row is out of its table.
    pub deleted: bool,
}

/// What somebody lacks of a row, as one blob.
#[derive(Debug, Clone)]
pub struct Export {
    /// A Loro blob; `None` when nothing is lacking.
    pub update: Option<Bytes>,
    /// The version that the row has.
    pub version: Arc<Version>,
    /// The row's last change; [`Seq::ZERO`] when it was never written.
    pub seq: Seq,
    /// Whether the row is out of its table.
    pub deleted: bool,
}

/// A row with more than its columns hold.
#[derive(Debug, Clone, PartialEq)]
pub struct RichRow {
    /// The row as JSON, without what is hidden.
    pub row: Map<String, Json>,
    /// What fields have beside their plain text, by name.
    pub rich: Map<String, Json>,
    /// The row's last change.
    pub seq: Seq,
}

/// A row that is held still: while the guard lives, no change of the row is announced.
pub struct RowGuard {
    store: Arc<Inner>,
    /// `None` only while it is dropped.
    slot: Option<Arc<Slot>>,
    resident: Option<OwnedMutexGuard<Resident>>,
}

impl RowGuard {
    pub(crate) async fn lock(store: &Arc<Inner>, key: &RowKey) -> Self {
        let slot = store.cache.slot(key);
        let resident = Arc::clone(&slot.resident).lock_owned().await;
        Self { store: Arc::clone(store), slot: Some(slot), resident: Some(resident) }
    }

    /// What somebody at `since` lacks.
    ///
    /// A row that is not in memory is served from its stored bytes, without making a document of them, whenever
    /// `since` has nothing of the row, or all of it.
    ///
    /// No policy is asked: see [`RowGuard::question`].
    ///
    /// # Errors
    /// [`ReadError::HistoryTrimmed`] when `since` has something of the row, but less than the history that is kept
    /// starts with. [`ReadError`] when the row's bytes are damaged or the database fails.
    pub async fn backfill(&mut self, since: &Version) -> Result<Backfill, ReadError> {
        let (Some(slot), Some(resident)) = (self.slot.as_ref(), self.resident.as_mut()) else {
            return Err(ReadError::Internal("the guard was used while it was dropped"));
        };
        let model = self.store.entity(slot.key.entity.as_str())?;
        if model.shape.is_plain() {
            return Err(ReadError::NoDocument(model.entity.name.clone()));
        }
        self.store.refresh(slot, resident).await?;
        if resident.loaded.is_none()
            && let Some(backfill) = cold(&self.store, slot, since).await?
        {
            return Ok(backfill);
        }
        let loaded = self.store.loaded(slot, resident).await?;
        let updates = if since.includes(&loaded.version) { Vec::new() } else { vec![export(loaded, since)?] };
        Ok(Backfill {
            updates,
            version: Arc::clone(&loaded.version),
            seq: loaded.head,
            deleted: loaded.projection.deleted,
        })
    }
}

impl RowGuard {
    /// What somebody at `since` lacks, as one blob.
    ///
    /// # Errors
    /// As [`RowGuard::backfill`]; [`ReadError::Forbidden`] when `access` does not go so far.
    pub async fn export(&mut self, since: &Version, access: &Access) -> Result<Export, ReadError> {
        let Backfill { mut updates, version, seq, deleted } = self.backfill(since).await?;
        self.admit(access).await?;
        if updates.len() < 2 {
            return Ok(Export { update: updates.pop(), version, seq, deleted });
        }
        let loaded = self.loaded().await?;
        let update = Some(export(loaded, since)?);
        Ok(Export { update, version: Arc::clone(&loaded.version), seq: loaded.head, deleted })
    }

    /// The row's columns as its document says them, the change that they have in them, and the manifest under which
    /// they were read.
    pub(crate) async fn columns(&mut self) -> Result<(Seq, Arc<Projection>, u64), ReadError> {
        let loaded = self.loaded().await?;
        if !loaded.late.is_empty() {
            let late = &loaded.late;
            let projection =
                apply::weigh(&mut loaded.doc, 0, |doc| doc.project_changed(&loaded.projection, late));
            let projection = projection.map_err(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "a row's columns cannot be read");
                ReadError::Internal("the row's columns could not be read")
            })?;
            loaded.projection = Arc::new(projection);
            loaded.late = Change::default();
        }
        Ok((loaded.head, Arc::clone(&loaded.projection), loaded.generation))
    }

    /// Puts `doc` in the place of the row's document, if that is in memory: the same operations, less of their history.
    pub(crate) fn replace(&mut self, doc: RowDoc, tail: Tail) {
        let Some(resident) = &mut self.resident else { return };
        match &mut resident.loaded {
            Some(loaded) if *loaded.version == doc.version() => {
                loaded.doc = doc;
                loaded.tail = tail;
            }
            other => *other = None,
        }
    }

    /// The row with what `fields` have beside their plain text: marks, and the node trees of documents.
    ///
    /// `None` when there is no row, or it is deleted, or not for somebody whose access goes so far. A field that has
    /// nothing beside its text is left out, and so is one that stays hidden.
    ///
    /// # Errors
    /// [`ReadError`] when the row's bytes are damaged or the database fails.
    pub async fn rich(&mut self, fields: &[&str], access: &Access) -> Result<Option<RichRow>, ReadError> {
        let key = self.key()?.clone();
        let model = self.store.entity(key.entity.as_str())?;
        let loaded = self.loaded().await?;
        if loaded.head == Seq::ZERO || loaded.projection.deleted {
            return Ok(None);
        }
        let failed = |error: DocFault| {
            tracing::error!(error = &error as &dyn std::error::Error, "reading a document failed");
            ReadError::Internal("the row could not be read")
        };
        let values = loaded.doc.project().map_err(|refusal| failed(refusal.into()))?.values;
        let seq = loaded.head;
        let sight = self.store.sight(access, &model, &key, &values).await?;
        let Sight::Row { hidden } = &sight else { return Ok(None) };
        let loaded = self.loaded().await?;
        let mut rich = Map::new();
        for field in fields {
            if model.shape.field_index(field).is_some_and(|place| hidden.contains(&place)) {
                continue;
            }
            if let Some(json) = loaded.doc.rich_json(field).map_err(failed)? {
                rich.insert((*field).to_owned(), json);
            }
        }
        let row = seen_json(&model.entity, key.id.as_str(), &values, &sight);
        Ok(Some(RichRow { row, rich, seq }))
    }

    /// Takes the document out, loaded if it was not. Whoever changes it puts it back once that is durable; otherwise
    /// the next one to look loads it as it is stored.
    pub(crate) async fn take(&mut self) -> Result<Loaded, ReadError> {
        self.loaded().await?;
        let taken = self.resident.as_mut().and_then(|resident| resident.loaded.take());
        taken.ok_or(ReadError::Internal("the document was not loaded"))
    }

    /// Puts a document back that was taken out.
    pub(crate) fn put(&mut self, loaded: Loaded) {
        if let Some(resident) = &mut self.resident {
            resident.loaded = Some(loaded);
        }
    }

    /// The row's slot.
    pub(crate) fn slot(&self) -> Option<&Arc<Slot>> {
        self.slot.as_ref()
    }

    pub(crate) fn store(&self) -> &Arc<Inner> {
        &self.store
    }

    pub(crate) fn key(&self) -> Result<&RowKey, ReadError> {
        let slot =
            self.slot.as_ref().ok_or(ReadError::Internal("the guard was used while it was dropped"))?;
        Ok(&slot.key)
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.resident.as_ref().is_some_and(|resident| resident.loaded.is_some())
    }

    pub(crate) async fn loaded(&mut self) -> Result<&mut Loaded, ReadError> {
        match (&self.slot, &mut self.resident) {
            (Some(slot), Some(resident)) => {
                // Another server may have written since the document was loaded.
                self.store.refresh(slot, resident).await?;
                self.store.loaded(slot, resident).await
            }
            (_, _) => Err(ReadError::Internal("the guard was used while it was dropped")),
        }
    }
}

fn export(loaded: &Loaded, since: &Version) -> Result<Bytes, ReadError> {
    loaded.doc.export_since(since).map(Bytes::from).map_err(|fault| match fault {
        DocFault::HistoryTrimmed => ReadError::HistoryTrimmed,
        DocFault::Poisoned | DocFault::Export(_) | DocFault::Unfit(_) | DocFault::NoSuchVersion => {
            tracing::error!(error = &fault as &dyn std::error::Error, "an export failed");
            ReadError::Internal("the row could not be exported")
        }
    })
}

impl Drop for RowGuard {
    fn drop(&mut self) {
        let bytes = self.resident.take().map_or(0, |mut resident| {
            resident.forget_unwritten();
            resident.bytes()
        });
        if let Some(slot) = self.slot.take() {
            self.store.cache.settle(slot, bytes);
        }
    }
}

/// A backfill from stored bytes, or nothing when only a document can tell.
async fn cold(store: &Inner, slot: &Slot, since: &Version) -> Result<Option<Backfill>, ReadError> {
    if since.is_empty() {
        let Some(row) = store.backend.load(&slot.key).await? else { return Ok(Some(never_written())) };
        let version = version(slot, &row.head.head_version)?;
        let (seq, deleted) = (row.head.head, row.head.deleted);
        return Ok(Some(Backfill { updates: blobs(row), version, seq, deleted }));
    }
    let Some(head) = store.backend.head(&slot.key).await? else { return Ok(Some(never_written())) };
    let version = version(slot, &head.head_version)?;
    let up_to_date = since.includes(&version);
    Ok(up_to_date.then(|| Backfill { updates: Vec::new(), version, seq: head.head, deleted: head.deleted }))
}

fn never_written() -> Backfill {
    Backfill { updates: Vec::new(), version: Arc::new(Version::empty()), seq: Seq::ZERO, deleted: false }
}

fn blobs(row: StoredRow) -> Vec<Bytes> {
    row.snapshot.into_iter().chain(row.tail.into_iter().map(|entry| entry.delta)).collect()
}

fn version(slot: &Slot, encoded: &[u8]) -> Result<Arc<Version>, ReadError> {
    Version::decode(encoded).map(Arc::new).map_err(|error| {
        tracing::error!(row = %slot.key, error = &error as &dyn std::error::Error, "a stored version is damaged");
        metrics::counter!("corella_rows_quarantined_total").increment(1);
        ReadError::Quarantined(slot.key.to_string())
    })
}
