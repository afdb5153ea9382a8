//! The gate of the policies on the way into a row: each write is asked of with its own row before and after.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use corella_manifest::Value;
use corella_policy::{Action, Caller, Images, Sight, Verdict};
use corella_query::{Column, RowView};
use corella_rowdoc::{RowDoc, RowKey};
use jiff::Timestamp;

use crate::{
    access::Lookup,
    apply::{Applied, Rejection, apply},
    error::WriteError,
    forbidden::{Denied, Forbidden},
    job::{Author, RowChange},
    model::EntityModel,
    resident::Loaded,
    store::Inner,
};

/// The values of a row while a batch is being applied to its document, as far as rules look at them.
///
/// Large texts are not read from the document at every keystroke: what no rule looks at is never read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    /// What differs from the columns in hand.
    values: BTreeMap<usize, Value>,
    /// What has changed in the document since it was last read.
    pub(crate) unread: BTreeSet<usize>,
}

impl Live {
    pub(crate) fn of(loaded: &Loaded) -> Self {
        Self { values: BTreeMap::new(), unread: loaded.late.fields.clone() }
    }

    /// Reads of `wanted` what is behind the document.
    pub(crate) fn read(&mut self, doc: &RowDoc, wanted: &BTreeSet<usize>) -> Result<(), WriteError> {
        let missing: Vec<usize> = self.unread.intersection(wanted).copied().collect();
        if missing.is_empty() {
            return Ok(());
        }
        for (field, value) in doc.project_fields(missing)? {
            self.unread.remove(&field);
            self.values.insert(field, value);
        }
        Ok(())
    }
}

/// A row at one moment of a batch.
struct LiveRow<'a> {
    id: Value,
    stored: &'a [Value],
    live: &'a BTreeMap<usize, Value>,
}

impl RowView for LiveRow<'_> {
    fn value(&self, column: &Column) -> &Value {
        let Some(place) = column.position().checked_sub(1) else { return &self.id };
        self.live.get(&place).or_else(|| self.stored.get(place)).unwrap_or(&Value::Null)
    }
}

/// A row that a write is made to.
pub(crate) struct Target<'a> {
    pub(crate) store: &'a Inner,
    pub(crate) model: &'a EntityModel,
    pub(crate) key: &'a RowKey,
}

impl Target<'_> {
    /// Applies one write to the document, if its author may do what it does, under the peer ids that it comes with.
    ///
    /// `written_before` says whether earlier writes of the same commit have written to the row.
    pub(crate) async fn apply(
        &self,
        loaded: &mut Loaded,
        live: &mut Live,
        write: &RowChange,
        author: &Author,
        written_before: bool,
    ) -> Result<Applied, Rejection> {
        let applied = self.apply_permitted(loaded, live, write, author, written_before).await?;
        match write {
            RowChange::Update(_) | RowChange::Seed(_) => {
                let checked = self.store.check_peers(self.key, author, &applied.change).await;
                checked.map_err(|error| Rejection { error, traces: true })?;
            }
            RowChange::Merge(_)
            | RowChange::Insert(_)
            | RowChange::Patch(_)
            | RowChange::Delete
            | RowChange::Restore
            | RowChange::Revert(_) => {}
        }
        Ok(applied)
    }

    async fn apply_permitted(
        &self,
        loaded: &mut Loaded,
        live: &mut Live,
        write: &RowChange,
        author: &Author,
        written_before: bool,
    ) -> Result<Applied, Rejection> {
        let rejected = |traces| move |error: WriteError| Rejection { error, traces };
        let Some(caller) = author.access.caller() else {
            let applied = apply(loaded, self.model, self.key, write, author, written_before)?;
            live.unread.extend(&applied.change.fields);
            return Ok(applied);
        };
        let looked_at = self.looked_at(write);
        live.read(&loaded.doc, &looked_at).map_err(rejected(false))?;
        let before = State::of(loaded, live, written_before);
        let version = loaded.doc.version();
        let result = apply(loaded, self.model, self.key, write, author, written_before);
        let applied = match result {
            Ok(applied) => applied,
            // Whoever may not see the row does not hear that there is one either.
            Err(rejection) => {
                return Err(self.hide(caller, write, &before, &loaded.projection.values, rejection).await);
            }
        };
        live.unread.extend(&applied.change.fields);
        let is_new = loaded.doc.version() != version;
        if !is_new && matches!(write, RowChange::Update(_) | RowChange::Seed(_)) {
            return Ok(applied);
        }
        live.read(&loaded.doc, &looked_at).map_err(rejected(is_new))?;
        let after = State::of(loaded, live, true);
        let stored = &loaded.projection.values;
        match self.ask(caller, write, &before, &after, &applied, stored).await {
            Ok(()) => Ok(applied),
            Err(error) => {
                let rejection = Rejection { error, traces: is_new };
                Err(self.hide(caller, write, &before, stored, rejection).await)
            }
        }
    }

    /// The fields whose values the rules need that are asked about such a write.
    fn looked_at(&self, change: &RowChange) -> Cow<'_, BTreeSet<usize>> {
        let EntityModel { policies, entity, .. } = self.model;
        let written = &policies.write_sources(entity).fields;
        if names_row(change) {
            return Cow::Owned(written | &policies.read_sources(entity).fields);
        }
        Cow::Borrowed(written)
    }

    /// Whether the caller may do what has been applied, with the row before and after it.
    pub(crate) async fn ask(
        &self,
        caller: &Caller,
        write: &RowChange,
        before: &State,
        after: &State,
        applied: &Applied,
        stored: &[Value],
    ) -> Result<(), WriteError> {
        let Self { model, .. } = self;
        let (policies, entity) = (&model.policies, &model.entity);
        let lookup = Lookup { store: self.store, tenant: &self.key.tenant };
        let now = Timestamp::now();
        let (row_before, row_after) = (self.row(&before.values, stored), self.row(&after.values, stored));
        let touched = self.touched(write, applied);
        for action in actions(before, after, !touched.is_empty() || applied.change.open) {
            let images = match action {
                Action::Insert => Images { before: None, after: Some(&row_after) },
                Action::Delete => Images { before: Some(&row_before), after: None },
                Action::Read | Action::Update => {
                    Images { before: Some(&row_before), after: Some(&row_after) }
                }
            };
            let verdict = policies.may(caller, entity, action, images, now, &lookup).await?;
            if verdict == Verdict::Denied {
                let entity = entity.name.clone();
                let denied = Denied::Row { entity, action };
                return Err(WriteError::Forbidden(Forbidden::new(denied, caller, self.key)));
            }
        }
        let images = Images { before: before.exists.then_some(&row_before as _), after: Some(&row_after) };
        match policies.denied_field(caller, entity, &touched, images, now, &lookup).await? {
            None => Ok(()),
            Some(field) => {
                let (entity, field) = (entity.name.clone(), field.clone());
                let action = if before.exists { Action::Update } else { Action::Insert };
                let denied = Denied::Field { entity, field, action };
                Err(WriteError::Forbidden(Forbidden::new(denied, caller, self.key)))
            }
        }
    }

    fn row<'r>(&self, live: &'r BTreeMap<usize, Value>, stored: &'r [Value]) -> LiveRow<'r> {
        LiveRow { id: Value::Text(self.key.id.as_str().into()), stored, live }
    }

    /// The fields that a write's author has touched: those that it names, or those that its operations are about.
    fn touched(&self, write: &RowChange, applied: &Applied) -> BTreeSet<usize> {
        let shape = &self.model.shape;
        match write {
            RowChange::Update(_) | RowChange::Seed(_) | RowChange::Merge(_) | RowChange::Revert(_) => {
                &applied.change.fields - &applied.completed.fields
            }
            RowChange::Insert(fields) | RowChange::Patch(fields) => {
                fields.keys().filter_map(|name| shape.called(name)).collect()
            }
            RowChange::Delete | RowChange::Restore => BTreeSet::new(),
        }
    }

    /// A refusal that says no more of the row than the caller may know: to those who do not see it, it is not there.
    async fn hide(
        &self,
        caller: &Caller,
        write: &RowChange,
        before: &State,
        stored: &[Value],
        rejection: Rejection,
    ) -> Rejection {
        if !before.exists || !names_row(write) {
            return rejection;
        }
        let row = self.row(&before.values, stored);
        let reading = self.model.policies.reading(caller, &self.model.entity, &row, Timestamp::now());
        let lookup = Lookup { store: self.store, tenant: &self.key.tenant };
        let error = match reading.settle(&lookup).await {
            Ok(Sight::Row { .. }) => return rejection,
            Ok(Sight::Nothing) => {
                WriteError::NotFound { entity: self.key.entity.clone(), id: self.key.id.clone() }
            }
            Err(error) => error.into(),
        };
        Rejection { error, ..rejection }
    }
}

/// Whether a write speaks of a row that is there. Who makes one learns anyhow that its id is taken, and who sends
/// operations of a document has had it.
fn names_row(change: &RowChange) -> bool {
    match change {
        RowChange::Patch(_) | RowChange::Delete | RowChange::Restore | RowChange::Revert(_) => true,
        RowChange::Insert(_) | RowChange::Update(_) | RowChange::Seed(_) | RowChange::Merge(_) => false,
    }
}

/// Where a row stands at one moment of a batch.
pub(crate) struct State {
    exists: bool,
    deleted: bool,
    values: BTreeMap<usize, Value>,
}

impl State {
    pub(crate) fn of(loaded: &Loaded, live: &Live, written_before: bool) -> Self {
        Self {
            exists: loaded.exists() || written_before,
            deleted: loaded.doc.is_deleted(),
            values: live.values.clone(),
        }
    }
}

/// What a write does to a row; a document update may do several things at once.
fn actions(before: &State, after: &State, touches: bool) -> Vec<Action> {
    if !before.exists {
        return vec![Action::Insert];
    }
    let deletes = !before.deleted && after.deleted;
    let updates = touches || !deletes;
    deletes.then_some(Action::Delete).into_iter().chain(updates.then_some(Action::Update)).collect()
}
