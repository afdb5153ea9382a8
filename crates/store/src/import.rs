//! Rows that were kept elsewhere, merged into these.

use std::sync::Arc;

use corella_manifest::Manifest;
use corella_rowdoc::{PeerId, Refusal, RowDoc};
use serde_json::{Map, Value as Json};

use crate::{
    error::{StartError, WriteError},
    job::{Author, RowChange, Write, Written},
    json::row_json,
    model::Model,
    port::{Backend, KeptRow},
    schema::{Consent, apply},
    store::Store,
};

/// Whom the tail names as the author of what was merged.
const AUTHOR: &str = "corella import";

impl Store {
    /// Merges a row that was kept elsewhere into the row of the same key; resolves once that is durable.
    ///
    /// The operations of both sides stay. Merging the same row twice changes nothing.
    ///
    /// # Errors
    /// [`WriteError`] when the row's bytes are not sound, do not fit the manifest, or clash with another row; then
    /// nothing of it is stored.
    pub async fn merge(&self, row: KeptRow) -> Result<Written, WriteError> {
        if let Some(reason) = row.fault() {
            return Err(Refusal::InvalidUpdate { reason }.into());
        }
        let change = RowChange::Merge(row.blobs().cloned().collect());
        let author = Author::trusted(AUTHOR);
        let write =
            Write { key: row.key, change, author, wants_row: false, idempotency: None, message: None };
        self.write(write).await
    }
}

/// Reads rows as they lie, as a manifest declares them.
pub struct RowReader(Model);

/// What a row as it lies says.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Its id and fields.
    Fields(Map<String, Json>),
    /// The manifest has no such entity.
    UnknownEntity,
    /// Its bytes are damaged, or do not fit the manifest.
    Unreadable(String),
}

impl RowReader {
    /// Reads as `manifest` declares.
    ///
    /// # Errors
    /// [`StartError`] when the manifest asks for what rows do not offer.
    pub fn new(manifest: Arc<Manifest>) -> Result<Self, StartError> {
        Ok(Self(Model::new(manifest, 0)?))
    }

    /// Whether the manifest has this row's entity.
    #[must_use]
    pub fn knows(&self, row: &KeptRow) -> bool {
        self.0.entity(row.key.entity.as_str()).is_some()
    }

    /// Whether the row is no document, so that its bytes are JSON.
    #[must_use]
    pub fn is_plain(&self, row: &KeptRow) -> bool {
        self.0.entity(row.key.entity.as_str()).is_some_and(|model| model.shape.is_plain())
    }

    /// The row's fields.
    #[must_use]
    pub fn read(&self, row: &KeptRow) -> Reading {
        let Some(model) = self.0.entity(row.key.entity.as_str()) else { return Reading::UnknownEntity };
        if let Some(fault) = row.fault() {
            return Reading::Unreadable(fault);
        }
        let deltas: Vec<&[u8]> = row.tail.iter().map(|entry| &entry.delta.bytes[..]).collect();
        let snapshot = row.snapshot.as_ref().map(|snapshot| &snapshot.bytes[..]);
        let doc = match RowDoc::load(Arc::clone(&model.shape), PeerId(0), snapshot, &deltas) {
            Ok(doc) => doc,
            Err(error) => return Reading::Unreadable(error.to_string()),
        };
        match doc.project() {
            Ok(projection) => {
                Reading::Fields(row_json(&model.entity, row.key.id.as_str(), &projection.values))
            }
            Err(error) => Reading::Unreadable(error.to_string()),
        }
    }
}

/// Brings the tables to `manifest` and fills those that ask for it. Nobody else may have the database open for writing.
///
/// # Errors
/// As [`crate::schema::apply`], when steps would lose something.
pub(crate) async fn fill_tables(backend: &dyn Backend, manifest: Arc<Manifest>) -> Result<(), StartError> {
    apply(backend, manifest, Consent::Additive, &mut |_| {}).await.map(drop)
}
