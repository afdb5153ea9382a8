//! A row as it was, who changed it, and what: its history.
//!
//! What is told of each change (`port::HistoryLine`) says how far the document had come, so that its history can be read
//! without the document, and the document be looked at as it was after any change that its own history still reaches.

mod blame;
mod error;
mod lines;

use std::sync::Arc;

use corella_manifest::Value;
use corella_rowdoc::{Past, PeerId, RowDiff, RowDoc, RowKey, Version};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use self::lines::Told;
pub(crate) use self::lines::cut_at;
pub use self::{
    blame::{Blame, BlameRun, Blamed},
    error::HistoryError,
};
use crate::{
    error::ReadError,
    port::{HistoryOrder, HistoryScope, Part, Seq},
    store::Store,
};

/// A moment of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum At {
    /// As it is.
    Now,
    /// After the last change up to this one.
    Seq(Seq),
    /// After the last change up to this time.
    Time(Timestamp),
    /// At this version of its document.
    Version(Version),
}

/// A moment of a row that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPoint {
    /// The change after which it is; `None` for one that was named by its version.
    pub seq: Option<Seq>,
    /// When that was committed.
    pub at: Option<Timestamp>,
    /// The document's version then.
    pub version: Version,
}

/// One change of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryChange {
    /// Its place in the order of all changes.
    pub seq: Seq,
    /// The document's version after it.
    pub version: Version,
    /// What happened, as the change log names it.
    pub kind: String,
    /// Who made it, the last one where several did; if known.
    pub author: Option<Arc<str>>,
    /// When it was committed.
    pub at: Timestamp,
    /// What its author says of it.
    pub message: Option<Arc<str>>,
    /// The fields that it changed, by their names at that time.
    pub fields: Vec<String>,
    /// Who wrote which part, when several wrote what was committed together.
    pub parts: Vec<HistoryPart>,
}

/// What one author wrote of a change that several made.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPart {
    /// Who.
    pub author: Arc<str>,
    /// What the author says of it.
    pub message: Option<Arc<str>>,
    /// The fields.
    pub fields: Vec<String>,
}

/// Some of a row's changes, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPage {
    /// The changes.
    pub changes: Vec<HistoryChange>,
    /// Those before this one come next; `None` at the end.
    pub next: Option<Seq>,
}

/// A row as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRow {
    /// When.
    pub point: HistoryPoint,
    /// Whether it was deleted then.
    pub deleted: bool,
    /// The values of the declared fields, and of the whole document when the entity is open.
    pub values: Vec<Value>,
    /// What fields had beside their plain text, by name.
    pub rich: Map<String, Json>,
}

/// What differs between two moments of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDifference {
    /// The first.
    pub from: HistoryPoint,
    /// The second.
    pub to: HistoryPoint,
    /// What differs.
    pub diff: RowDiff,
}

impl Store {
    /// The row's changes before `before`, at most `limit`, the newest first.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such row or the database fails.
    pub async fn history(
        &self,
        key: &RowKey,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<HistoryPage, HistoryError> {
        let scope = HistoryScope { before, limit: limit.saturating_add(1), ..newest() };
        let mut told = self.told(key, scope).await?;
        let more = told.len() > limit;
        told.truncate(limit);
        let next = told.last().filter(|_| more).map(|told| told.line.seq);
        Ok(HistoryPage { changes: told.into_iter().map(HistoryChange::from).collect(), next })
    }

    /// Finds a moment of the row.
    ///
    /// # Errors
    /// [`HistoryError`] when the row's history does not reach it.
    pub async fn find(&self, key: &RowKey, at: &At) -> Result<HistoryPoint, HistoryError> {
        let scope = match at {
            At::Version(version) => {
                return Ok(HistoryPoint { seq: None, at: None, version: version.clone() });
            }
            At::Now => newest(),
            At::Seq(seq) => HistoryScope { before: Some(Seq(seq.0.saturating_add(1))), ..newest() },
            At::Time(time) => HistoryScope { until: Some(*time), ..newest() },
        };
        match self.told(key, scope).await?.into_iter().next() {
            Some(told) => Ok(told.point()),
            None => Err(self.out_of_reach(key).await?),
        }
    }

    /// The row as it was, with what the fields `rich` had beside their plain text.
    ///
    /// # Errors
    /// [`HistoryError`] when the row's history does not reach that moment, or its bytes are damaged.
    pub async fn row_at(&self, key: &RowKey, at: &At, rich: &[&str]) -> Result<PastRow, HistoryError> {
        let point = self.find(key, at).await?;
        let version = point.version.clone();
        let rich: Vec<String> = rich.iter().map(|name| (*name).to_owned()).collect();
        let read = move |past: &mut Past| {
            past.go_to(&version)?;
            let projection = past.project()?;
            let mut found = Map::new();
            for name in rich {
                if let Some(json) = past.rich_json(&name)? {
                    found.insert(name, json);
                }
            }
            Ok((projection, found))
        };
        let (projection, rich) = self.look_back(key, read).await?;
        Ok(PastRow { point, deleted: projection.deleted, values: projection.values, rich })
    }

    /// What differs between two moments of the row.
    ///
    /// # Errors
    /// As [`Store::row_at`].
    pub async fn diff(&self, key: &RowKey, from: &At, to: &At) -> Result<RowDifference, HistoryError> {
        let (from, to) = (self.find(key, from).await?, self.find(key, to).await?);
        let (start, end) = (from.version.clone(), to.version.clone());
        let diff = self.look_back(key, move |past| past.diff(&start, &end)).await?;
        Ok(RowDifference { from, to, diff })
    }

    /// Loads a copy of the row as it is stored, and works with it off the threads that serve everybody.
    async fn look_back<T: Send + 'static>(
        &self,
        key: &RowKey,
        work: impl FnOnce(&mut Past) -> Result<T, corella_rowdoc::DocFault> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let inner = &self.0;
        let model = inner.entity(key.entity.as_str())?;
        if model.shape.is_plain() {
            return Err(ReadError::NoDocument(model.entity.name.clone()).into());
        }
        let permit = Arc::clone(&inner.looks_back).acquire_owned().await;
        let permit = permit.map_err(|_| ReadError::Internal("nobody looks back any more"))?;
        let stored = inner.backend.load(key).await.map_err(ReadError::from)?;
        let stored = stored.ok_or(HistoryError::NoRow)?;
        let task = tokio::task::spawn_blocking(move || {
            let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
            let doc = RowDoc::load(model.shape, PeerId(0), stored.snapshot.as_deref(), &deltas);
            let done = doc.map(|doc| work(&mut doc.into_past()));
            drop(permit);
            done
        });
        let done = task.await.map_err(|_| ReadError::Internal("looking back failed"))?;
        match done {
            Err(corrupt) => {
                tracing::error!(row = %key, error = &corrupt as &dyn std::error::Error, "stored bytes are damaged");
                Err(ReadError::Quarantined(key.to_string()).into())
            }
            Ok(Ok(done)) => Ok(done),
            Ok(Err(fault)) => Err(self.fault(key, fault).await?),
        }
    }
}

pub(super) fn newest() -> HistoryScope {
    HistoryScope { after: Seq::ZERO, before: None, until: None, order: HistoryOrder::Newest, limit: 1 }
}

impl Told {
    fn point(self) -> HistoryPoint {
        HistoryPoint { seq: Some(self.line.seq), at: Some(self.line.at), version: self.version }
    }
}

impl From<Told> for HistoryChange {
    fn from(Told { line, version }: Told) -> Self {
        let part = |Part { author, fields, message, .. }| HistoryPart { author, message, fields };
        Self {
            seq: line.seq,
            version,
            kind: line.about.kind,
            author: line.author,
            at: line.at,
            message: line.about.message,
            fields: line.about.fields,
            parts: line.about.parts.into_iter().map(part).collect(),
        }
    }
}
