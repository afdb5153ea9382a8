//! Applying one write to its row's document.

use corella_rowdoc::{Change, Refusal, RowDoc, RowKey, Version};

use crate::{
    defaults::{Maker, complete, with_defaults},
    error::WriteError,
    job::{Author, RowChange},
    model::EntityModel,
    resident::Loaded,
};

/// Bytes from which on an import is kept off the threads that serve everybody else.
const HEAVY_UPDATE: usize = 64 * 1024;
/// Size of a document from which on all work with it is.
const HEAVY_DOCUMENT: usize = 4 * 1024 * 1024;

/// Why a job was not applied, and whether the document has traces of it.
pub(crate) struct Rejection {
    pub(crate) error: WriteError,
    pub(crate) traces: bool,
}

/// What a write did to the document.
pub(crate) struct Applied {
    pub(crate) change: Change,
    /// What of it the server has put in, beside the operations that came as bytes: their sender lacks it.
    pub(crate) completed: Change,
}

impl From<Change> for Applied {
    fn from(change: Change) -> Self {
        Self { change, completed: Change::default() }
    }
}

/// Applies one write to the document.
pub(crate) fn apply(
    loaded: &mut Loaded,
    model: &EntityModel,
    key: &RowKey,
    change: &RowChange,
    author: &Author,
    written_before: bool,
) -> Result<Applied, Rejection> {
    let clean = |error: WriteError| Rejection { error, traces: false };
    let exists = loaded.exists() || written_before;
    let deleted = loaded.doc.is_deleted();
    let not_found = || WriteError::NotFound { entity: key.entity.clone(), id: key.id.clone() };
    let refused = |traces: bool| {
        move |refusal: Refusal| {
            let traces = traces || matches!(refusal, Refusal::Poisoned);
            Rejection { error: refusal.into(), traces }
        }
    };
    let doc = &mut loaded.doc;
    match change {
        RowChange::Seed(update) if exists && !holds(doc, update) => {
            Err(clean(WriteError::AlreadySeeded { entity: key.entity.clone(), id: key.id.clone() }))
        }
        RowChange::Update(update) | RowChange::Seed(update) => {
            let change =
                weigh(doc, update.len(), |doc| doc.import_for_good(update)).map_err(refused(true))?;
            if exists { Ok(change.into()) } else { begin(doc, model, change, Maker::Author(author)) }
        }
        RowChange::Merge(pieces) => {
            let bytes = change.bytes();
            let change = weigh(doc, bytes, |doc| doc.merge(pieces)).map_err(refused(true))?;
            // A deleted row has no line to be filled.
            if exists || doc.is_deleted() {
                return Ok(change.into());
            }
            begin(doc, model, change, Maker::Elsewhere)
        }
        RowChange::Insert(_) if exists => {
            Err(clean(WriteError::Exists { entity: key.entity.clone(), id: key.id.clone(), deleted }))
        }
        RowChange::Insert(fields) => {
            let fields = with_defaults(&model.entity, fields, author).map_err(clean)?;
            doc.initialise(&fields).map(Applied::from).map_err(refused(false))
        }
        RowChange::Patch(_) | RowChange::Delete if !exists || deleted => Err(clean(not_found())),
        RowChange::Restore if !exists => Err(clean(not_found())),
        RowChange::Patch(fields) => {
            weigh(doc, 0, |doc| doc.patch(fields)).map(Applied::from).map_err(refused(false))
        }
        RowChange::Revert(_) if model.shape.is_plain() => {
            Err(clean(Refusal::NoDocument { entity: key.entity.clone() }.into()))
        }
        RowChange::Revert(_) if !exists => Err(clean(not_found())),
        RowChange::Revert(version) => {
            weigh(doc, doc_weight(doc), |doc| doc.revert(version)).map(Applied::from).map_err(refused(false))
        }
        RowChange::Delete => doc.set_deleted(true).map(Applied::from).map_err(refused(false)),
        RowChange::Restore => doc.set_deleted(false).map(Applied::from).map_err(refused(false)),
    }
}

/// Whether `update` brings nothing that the document lacks; bytes that are no update are left to the import to refuse.
fn holds(doc: &RowDoc, update: &[u8]) -> bool {
    Version::span_of(update).is_none_or(|(_, reached)| doc.version().includes(&reached))
}

/// Completes a row that has come to be with these operations.
fn begin(
    doc: &mut RowDoc,
    model: &EntityModel,
    mut change: Change,
    maker: Maker<'_>,
) -> Result<Applied, Rejection> {
    if doc.version().is_empty() {
        return Ok(change.into());
    }
    let completed = complete(doc, &model.entity, maker).map_err(|error| Rejection { error, traces: true })?;
    change.merge(&completed);
    Ok(Applied { change, completed })
}

/// What a revert has to go through: it copies the document.
fn doc_weight(doc: &RowDoc) -> usize {
    doc.resident_bytes() / 4
}

/// Runs `work` here, or, when it may take long, where it does not hold up others.
pub(crate) fn weigh<T>(doc: &mut RowDoc, bytes: usize, work: impl FnOnce(&mut RowDoc) -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let heavy = bytes > HEAVY_UPDATE || doc.resident_bytes() > HEAVY_DOCUMENT;
    if heavy && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        return tokio::task::block_in_place(|| work(doc));
    }
    work(doc)
}
