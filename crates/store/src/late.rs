//! Lines of large texts, which are written to their tables a little later than their documents.
//!
//! A character typed into a text of a megabyte would otherwise write a megabyte. Such a line is written once after
//! some time, and at once when somebody asks for the entity's table; what stands in the document is durable
//! meanwhile, so that a server which was killed makes up for it at its next start.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use corella_manifest::{EntityName, Value};
use corella_rowdoc::{Change, Projection, RowId, RowKey, Tenant};
use serde_json::Value as Json;

use crate::{
    audit::project,
    error::ReadError,
    guard::RowGuard,
    model::EntityModel,
    port::{Backend, BackendError, ChangeKind, Seq, TableRow},
    schema::Waited,
    store::Inner,
};

/// How large a text must be for its line to be written later, in bytes.
const LARGE: usize = 4 * 1024;
/// Lines that are written in one transaction.
const AT_ONCE: usize = 32;

/// How long a line may be behind its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateDelay(pub Duration);

impl Default for LateDelay {
    /// Half a second.
    fn default() -> Self {
        Self(Duration::from_millis(500))
    }
}

/// Whether the line of a row may stay as it is for now after `change`.
pub(crate) fn may_wait(model: &EntityModel, before: &Projection, change: &Change, kind: ChangeKind) -> bool {
    let in_table = match kind {
        ChangeKind::Update => !before.deleted,
        ChangeKind::Insert | ChangeKind::Delete | ChangeKind::Restore => false,
    };
    if !in_table || change.liveness || change.is_empty() {
        return false;
    }
    let whole = change.open.then_some(model.shape.fields().len());
    change
        .fields
        .iter()
        .copied()
        .chain(whole)
        .all(|column| model.late.contains(&column) && before.values.get(column).is_some_and(is_large))
}

fn is_large(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.len() >= LARGE,
        Value::Json(json) => weigh(json, 0) >= LARGE,
        Value::Null | Value::Time(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Bytes(_) => {
            false
        }
    }
}

/// About how many bytes a value takes as text, counted no further than what makes it large.
fn weigh(json: &Json, before: usize) -> usize {
    const SMALLEST: usize = 2;
    let sum = before + SMALLEST;
    if sum >= LARGE {
        return sum;
    }
    match json {
        Json::String(text) => sum + text.len(),
        Json::Array(items) => {
            items.iter().fold(sum, |sum, item| if sum >= LARGE { sum } else { weigh(item, sum) })
        }
        Json::Object(entries) => entries
            .iter()
            .fold(sum, |sum, (key, value)| if sum >= LARGE { sum } else { weigh(value, sum + key.len()) }),
        Json::Null | Json::Bool(_) | Json::Number(_) => sum,
    }
}

/// The rows whose lines are behind.
#[derive(Default)]
pub(crate) struct LateRows {
    /// A plain mutex, held for a look-up, never across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entities: HashMap<EntityName, Entity>,
    /// Whether a task is about to write what is noted.
    timer: bool,
}

#[derive(Default)]
struct Entity {
    /// Each row with the number of its last note.
    rows: HashMap<RowKey, Note>,
    notes: u64,
}

/// Tells one late write of an entity from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note(u64);

impl LateRows {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the row's line is about to fall behind; says whether somebody has to see to it from now on.
    fn add(&self, key: &RowKey) -> bool {
        let mut state = self.state();
        let entity = state.entities.entry(key.entity.clone()).or_default();
        entity.notes += 1;
        entity.rows.insert(key.clone(), Note(entity.notes));
        !std::mem::replace(&mut state.timer, true)
    }

    /// Whether the row's line may be behind its document.
    pub(crate) fn has(&self, key: &RowKey) -> bool {
        self.state().entities.get(&key.entity).is_some_and(|entity| entity.rows.contains_key(key))
    }

    /// The row's line is as its document.
    pub(crate) fn forget(&self, key: &RowKey) {
        if let Some(entity) = self.state().entities.get_mut(&key.entity) {
            entity.rows.remove(key);
        }
    }

    fn forget_unless_noted_again(&self, key: &RowKey, note: Note) {
        if let Some(entity) = self.state().entities.get_mut(&key.entity)
            && entity.rows.get(key) == Some(&note)
        {
            entity.rows.remove(key);
        }
    }

    /// The last late write of an entity's rows, to see later whether there was another.
    pub(crate) fn last_note(&self, entity: &EntityName) -> Note {
        Note(self.state().entities.get(entity).map_or(0, |entity| entity.notes))
    }

    fn all(&self) -> Vec<(RowKey, Note)> {
        let state = self.state();
        state.entities.values().flat_map(Entity::noted).collect()
    }

    fn of(&self, entity: &EntityName) -> Vec<(RowKey, Note)> {
        self.state().entities.get(entity).into_iter().flat_map(Entity::noted).collect()
    }

    fn one(&self, key: &RowKey) -> Vec<(RowKey, Note)> {
        let state = self.state();
        let note = state.entities.get(&key.entity).and_then(|entity| entity.rows.get(key));
        note.map(|note| (key.clone(), *note)).into_iter().collect()
    }

    /// Whether nothing is noted any more; then nobody has to see to it until the next note.
    fn rest(&self) -> bool {
        let mut state = self.state();
        let done = state.entities.values().all(|entity| entity.rows.is_empty());
        state.timer = !done;
        done
    }
}

impl Entity {
    fn noted(&self) -> impl Iterator<Item = (RowKey, Note)> + '_ {
        self.rows.iter().map(|(key, note)| (key.clone(), *note))
    }
}

/// A row's columns, as of a change.
struct Line {
    key: RowKey,
    note: Note,
    seq: Seq,
    projection: Arc<Projection>,
    /// The manifest under which it was read.
    generation: u64,
}

impl Inner {
    /// Notes that the row's line is about to fall behind, and sees to its being written in time.
    ///
    /// To be called before the commit, so that whoever hears of the change finds the note.
    pub(crate) fn note_late(self: &Arc<Self>, key: &RowKey) {
        if !self.late.add(key) {
            return;
        }
        let (store, delay, closing) = (Arc::downgrade(self), self.late_delay.0, self.closing.clone());
        self.tasks.spawn(async move {
            loop {
                // The store is not held meanwhile: it may go before its time.
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = closing.cancelled() => {}
                }
                let Some(store) = store.upgrade() else { return };
                let written = store.write_lines(store.late.all()).await;
                if let Err(error) = &written {
                    tracing::error!(error = error as &dyn std::error::Error, "writing late lines failed");
                }
                // The next start makes up for what could not be written at the last.
                if store.late.rest() || (written.is_err() && closing.is_cancelled()) {
                    return;
                }
            }
        });
    }

    /// Brings every line of an entity's table up to date.
    pub(crate) async fn write_lines_of(self: &Arc<Self>, entity: &EntityName) -> Result<(), ReadError> {
        self.write_lines(self.late.of(entity)).await
    }

    /// Brings one row's line up to date.
    pub(crate) async fn write_line_of(self: &Arc<Self>, key: &RowKey) -> Result<(), ReadError> {
        self.write_lines(self.late.one(key)).await
    }

    async fn write_lines(self: &Arc<Self>, mut rows: Vec<(RowKey, Note)>) -> Result<(), ReadError> {
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        for rows in rows.chunk_by(|one, other| one.0.entity == other.0.entity) {
            for rows in rows.chunks(AT_ONCE) {
                self.write_some(rows).await?;
            }
        }
        Ok(())
    }

    /// Writes the lines of some rows of one entity.
    async fn write_some(self: &Arc<Self>, rows: &[(RowKey, Note)]) -> Result<(), ReadError> {
        loop {
            let mut lines = Vec::with_capacity(rows.len());
            for (key, note) in rows {
                lines.extend(self.read_line(key, *note).await?);
            }
            // Not before the rows are let go of: whoever works one off waits for this while holding it.
            let _serving = self.serving.read().await;
            let generation = self.model.load().generation;
            if lines.iter().any(|line| line.generation != generation) {
                continue;
            }
            let Some(first) = lines.first() else { return Ok(()) };
            let entity = self.entity(first.key.entity.as_str())?.entity;
            let columns = lines.iter().map(|line| (line.key.clone(), line.seq, (*line.projection).clone()));
            self.backend.reproject(&entity, columns.collect()).await?;
            for line in &lines {
                self.late.forget_unless_noted_again(&line.key, line.note);
            }
            metrics::counter!("corella_late_lines_total").increment(lines.len() as u64);
            return Ok(());
        }
    }

    /// A row's columns as they are now; nothing for a row that is not behind any more, or cannot be read.
    async fn read_line(self: &Arc<Self>, key: &RowKey, note: Note) -> Result<Option<Line>, ReadError> {
        let mut row = RowGuard::lock(self, key).await;
        if !self.late.has(key) {
            return Ok(None);
        }
        match row.columns().await {
            Ok((seq, projection, generation)) => {
                Ok(Some(Line { key: key.clone(), note, seq, projection, generation }))
            }
            // It harms no other row; a read of the row itself says what is wrong.
            Err(ReadError::Quarantined(_) | ReadError::UnknownEntity(_)) => {
                self.late.forget(key);
                Ok(None)
            }
            Err(error @ (ReadError::Backend(_) | ReadError::Internal(_))) => Err(error),
            Err(error @ (ReadError::Forbidden(_) | ReadError::HistoryTrimmed | ReadError::NoDocument(_))) => {
                Err(error)
            }
            Err(error @ (ReadError::Filling { .. } | ReadError::OpenPolicies(_))) => Err(error),
            Err(error @ ReadError::TooManyIncluded(_)) => Err(error),
        }
    }

    /// These rows of a table, those that are behind as their documents say them; all of them when the table is.
    pub(crate) async fn shown(
        self: &Arc<Self>,
        tenant: &Tenant,
        entity: &EntityName,
        mut rows: Vec<TableRow>,
        standing: Waited,
    ) -> Result<Vec<TableRow>, ReadError> {
        for row in &mut rows {
            let Ok(id) = RowId::new(row.id()) else { continue };
            let key = RowKey { tenant: tenant.clone(), entity: entity.clone(), id };
            if standing == Waited::Filled && !self.late.has(&key) {
                continue;
            }
            let (_, projection, _) = RowGuard::lock(self, &key).await.columns().await?;
            // What stands behind the columns is of the query, not of the row.
            let behind = row.cells.split_off(row.cells.len().min(1 + projection.values.len()));
            row.cells.truncate(1);
            row.cells.extend(projection.values.iter().cloned().chain(behind));
        }
        Ok(rows)
    }

    /// Writes the lines that were behind when the last server ended.
    pub(crate) async fn recover_lines(&self) -> Result<(), BackendError> {
        let mut rows = self.backend.late_rows().await?;
        rows.sort();
        for rows in rows.chunk_by(|one, other| one.entity == other.entity) {
            let Some(model) = rows.first().and_then(|key| self.entity(key.entity.as_str()).ok()) else {
                continue;
            };
            for rows in rows.chunks(AT_ONCE) {
                recover(&*self.backend, &model, rows).await?;
            }
        }
        Ok(())
    }
}

async fn recover(backend: &dyn Backend, model: &EntityModel, rows: &[RowKey]) -> Result<(), BackendError> {
    let mut lines = Vec::with_capacity(rows.len());
    for key in rows {
        let stored = match backend.load(key).await {
            Ok(Some(stored)) => Ok(stored),
            Ok(None) => continue,
            Err(BackendError::Damaged { what, .. }) => Err(what),
            Err(
                error @ (BackendError::Full(_) | BackendError::Unknown(_) | BackendError::Unavailable(_)),
            ) => {
                return Err(error);
            }
        };
        match stored.and_then(|stored| Ok((stored.head.head, project(model, &stored)?))) {
            Ok((seq, projection)) => lines.push((key.clone(), seq, projection)),
            Err(what) => {
                tracing::error!(row = %key, what, "a row cannot be read, its table line stays behind");
            }
        }
    }
    tracing::info!(entity = %model.entity.name, rows = lines.len(), "lines that were behind are written");
    backend.reproject(&model.entity, lines).await
}
