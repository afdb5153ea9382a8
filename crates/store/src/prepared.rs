//! One row's part of a commit, made of a document that was changed.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{Change, Projection, RowKey};

use crate::{
    committer::RowEvent,
    error::WriteError,
    job::SourceId,
    late,
    model::EntityModel,
    port::{ChangeKind, Reference, RowWrite, Seq},
    references::new_references,
    resident::Loaded,
    store::Inner,
};

/// Who wrote, as the tail and the watchers are told.
pub(crate) struct By {
    pub(crate) author: Option<Arc<str>>,
    /// The connection that wrote all of it as document bytes, if it was one alone.
    pub(crate) sole_source: Option<SourceId>,
}

/// Whether the line of a large text may be written later.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    Now,
    MayWait,
}

/// A row's part of a commit.
pub(crate) struct Prepared {
    pub(crate) write: RowWrite,
    pub(crate) event: RowEvent,
    /// What the row has come to name.
    pub(crate) references: Vec<Reference>,
    pub(crate) after: After,
}

/// What is true of the document once the commit is durable.
pub(crate) struct After {
    projection: Arc<Projection>,
    /// What the projection is behind in.
    behind: Change,
    /// Whether its line is written later.
    line_waits: bool,
    delta_bytes: usize,
}

impl Prepared {
    /// What `change` made of the document; nothing when that has no new operations.
    pub(crate) fn of(
        store: &Inner,
        model: &EntityModel,
        key: &RowKey,
        loaded: &Loaded,
        change: &Change,
        by: By,
        lines: Lines,
    ) -> Result<Option<Self>, WriteError> {
        let version = loaded.doc.version();
        if version == *loaded.version {
            return Ok(None);
        }
        let delta = Bytes::from(
            loaded
                .doc
                .export_since(&loaded.version)
                .map_err(|_| WriteError::Internal("the export failed"))?,
        );
        let kind = kind(loaded);
        let behind = loaded.behind(change);
        let late = lines == Lines::MayWait
            && !store.backend.is_shared()
            && late::may_wait(model, &loaded.projection, change, kind);
        let (projection, behind) = if late {
            (Arc::clone(&loaded.projection), behind)
        } else {
            (Arc::new(loaded.doc.project_changed(&loaded.projection, &behind)?), Change::default())
        };
        let before = loaded.exists().then(|| Arc::clone(&loaded.projection));
        let references = new_references(&model.entity, key, before.as_deref(), &projection);
        let after = After {
            projection: Arc::clone(&projection),
            behind: behind.clone(),
            line_waits: late,
            delta_bytes: delta.len(),
        };
        let write = RowWrite {
            key: key.clone(),
            known_head: loaded.head,
            delta: delta.clone(),
            version: version.encode().into(),
            projection: Arc::clone(&projection),
            kind,
            author: by.author,
            late,
        };
        let event = RowEvent {
            key: key.clone(),
            delta,
            version: Arc::new(version),
            sole_source: by.sole_source,
            kind,
            change: change.clone(),
            before,
            after: projection,
            late: behind,
        };
        Ok(Some(Self { write, event, references, after }))
    }
}

impl After {
    /// The commit is durable: the document is what is stored now.
    pub(crate) fn settle(self, store: &Inner, key: &RowKey, loaded: &mut Loaded, seq: Seq) {
        loaded.head = seq;
        loaded.version = Arc::new(loaded.doc.version());
        loaded.projection = self.projection;
        loaded.late = self.behind;
        if !self.line_waits {
            store.late.forget(key);
        }
        loaded.tail.deltas += 1;
        loaded.tail.bytes += self.delta_bytes;
    }
}

fn kind(loaded: &Loaded) -> ChangeKind {
    match (loaded.exists(), loaded.projection.deleted, loaded.doc.is_deleted()) {
        (false, _, _) => ChangeKind::Insert,
        (true, false, true) => ChangeKind::Delete,
        (true, true, false) => ChangeKind::Restore,
        (true, false, false) | (true, true, true) => ChangeKind::Update,
    }
}
