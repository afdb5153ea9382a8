//! One attempt at a transaction: the rows locked, changed, committed, and let go of.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use corella_manifest::FieldName;
use corella_rowdoc::{Change, Projection, RowKey};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use super::{
    ByKey, Kept, MOST_ROWS, Transaction, TransactionError,
    consequences::{Consequence, Consequences},
};
use crate::{
    apply::{Applied, Rejection},
    committer::Commitment,
    error::WriteError,
    fold,
    gather::Haste,
    guard::RowGuard,
    job::{RowChange, Written},
    json::seen_json,
    model::EntityModel,
    permit::{Live, Target},
    port::{ChangeKind, OutcomeWrite, Reference, Seq, Unit, UnitOutcome},
    prepared::{After, By, Lines, Prepared},
    references::{id_fields, target},
    resident::Loaded,
    store::Inner,
    told::Writer,
};

/// How an attempt ended that may be followed by another.
pub(super) enum Ended {
    /// All is durable.
    Done(Vec<Written>),
    /// A row was behind what another server has written.
    Behind,
    /// The idempotency key has been used meanwhile.
    KeyUsed,
    /// A row that is deleted is named by another.
    Held {
        reference: Reference,
        /// All rows that the attempt would have deleted.
        deleted: BTreeSet<RowKey>,
    },
}

/// A row that is locked, its document taken out: whatever happens before the commit is durable, what is in memory of
/// it goes with the attempt.
struct Row {
    guard: RowGuard,
    model: EntityModel,
    loaded: Loaded,
    change: Change,
    /// The row as policies are asked about it.
    live: Live,
    /// Whether it has been written in this attempt.
    written: bool,
    /// Whether all that it got are document bytes to which the server has added nothing.
    as_sent: bool,
}

/// An attempt at a transaction.
pub(super) struct Attempt<'a> {
    store: &'a Arc<Inner>,
    transaction: &'a Transaction,
    consequences: &'a Consequences,
    kept: Kept,
    rows: ByKey<Row>,
}

impl<'a> Attempt<'a> {
    /// Locks the rows in the order of their keys.
    pub(super) async fn begin(
        store: &'a Arc<Inner>,
        transaction: &'a Transaction,
        consequences: &'a Consequences,
        kept: Kept,
    ) -> Result<Self, TransactionError> {
        let asked = transaction.changes.iter().map(|(key, _)| key);
        let keys: BTreeSet<&RowKey> = asked.chain(consequences.0.keys()).collect();
        if keys.len() > MOST_ROWS {
            return Err(WriteError::TooManyRows { most: MOST_ROWS }.into());
        }
        let mut rows = BTreeMap::new();
        for key in keys {
            let model = store.entity(key.entity.as_str())?;
            let mut guard = RowGuard::lock(store, key).await;
            let loaded = guard.take().await?;
            let live = Live::of(&loaded);
            let change = Change::default();
            let row = Row { guard, model, loaded, change, live, written: false, as_sent: true };
            rows.insert(key.clone(), row);
        }
        Ok(Self { store, transaction, consequences, kept, rows })
    }

    /// Makes the changes and commits them.
    pub(super) async fn run(mut self) -> Result<Ended, TransactionError> {
        // Held on a clone, since what follows needs the whole attempt.
        let store = Arc::clone(self.store);
        let _serving = store.serving.read().await;
        let generation = store.model.load().generation;
        if self.rows.values().any(|row| row.loaded.generation != generation) {
            return Ok(Ended::Behind);
        }
        for (index, (key, change)) in self.transaction.changes.iter().enumerate() {
            let Some(row) = self.rows.get_mut(key) else { continue };
            if let Err(error) = row.write(self.store, key, change, self.transaction).await {
                if self.is_behind().await? {
                    return Ok(Ended::Behind);
                }
                return Err(TransactionError { change: Some(index), error });
            }
        }
        self.suffer()?;
        self.commit().await
    }

    /// Makes the consequences: deletions first, since what is emptied depends on them.
    fn suffer(&mut self) -> Result<(), WriteError> {
        for (key, consequence) in &self.consequences.0 {
            if let (Some(row), Consequence::Delete) = (self.rows.get_mut(key), consequence) {
                row.delete()?;
            }
        }
        let deleted: BTreeSet<RowKey> = self
            .rows
            .iter()
            .filter(|(_, row)| row.loaded.doc.is_deleted())
            .map(|(key, _)| key.clone())
            .collect();
        for (key, consequence) in &self.consequences.0 {
            if let (Some(row), Consequence::Empty(fields)) = (self.rows.get_mut(key), consequence) {
                row.empty(key, fields, &deleted)?;
            }
        }
        Ok(())
    }

    async fn commit(self) -> Result<Ended, TransactionError> {
        let mut writes = Vec::new();
        let mut events = Vec::new();
        let mut references = Vec::new();
        let mut afters = BTreeMap::new();
        let mut answers = BTreeMap::new();
        for (key, row) in &self.rows {
            let by = By {
                author: Some(Arc::clone(&self.transaction.author.user)),
                sole_source: self.transaction.author.source.filter(|_| row.as_sent),
                writers: vec![Writer {
                    author: Arc::clone(&self.transaction.author.user),
                    message: self.transaction.message.clone(),
                    change: row.change.clone(),
                    before: None,
                }],
            };
            let prepared =
                Prepared::of(self.store, &row.model, key, &row.loaded, &row.change, by, Lines::Now)?;
            answers
                .insert(key.clone(), row.json(self.store, key, prepared.as_ref(), self.transaction).await?);
            if let Some(prepared) = prepared {
                afters.insert(key.clone(), (writes.len(), prepared.after));
                references.extend(prepared.references);
                writes.push(prepared.write);
                events.push(prepared.event);
            }
        }
        let outcomes: Vec<OutcomeWrite> = self.outcome(&answers).into_iter().collect();
        if writes.is_empty() && outcomes.is_empty() {
            return Ok(if self.is_behind().await? {
                Ended::Behind
            } else {
                self.done(&[], afters, &answers)
            });
        }
        let deleted = writes.iter().filter(|write| write.kind == ChangeKind::Delete);
        let deleted: BTreeSet<RowKey> = deleted.map(|write| write.key.clone()).collect();
        let unit = Unit { writes, references, outcomes, at: Timestamp::now() };
        match self.store.committer.commit(unit, events, Haste::Awaited).await {
            Commitment::Durable(seqs) => Ok(self.done(&seqs, afters, &answers)),
            Commitment::Failed(error) => Err(WriteError::Backend(error).into()),
            Commitment::Halted(outcome) => match outcome {
                UnitOutcome::Stale(_) | UnitOutcome::Committed(_) => Ok(Ended::Behind),
                UnitOutcome::KeyUsed => Ok(Ended::KeyUsed),
                UnitOutcome::Held(reference) => Ok(Ended::Held { reference, deleted }),
                UnitOutcome::Dangling(reference) => {
                    Err(WriteError::ReferenceMissing(reference.into()).into())
                }
                UnitOutcome::NotUnique { fields, holder } => {
                    Err(WriteError::NotUnique { fields, holder }.into())
                }
                UnitOutcome::Unfit { what } => Err(WriteError::Unfit { what }.into()),
            },
        }
    }

    /// The answer to be kept under the idempotency key.
    fn outcome(&self, answers: &ByKey<Map<String, Json>>) -> Option<OutcomeWrite> {
        let idempotency = self.transaction.idempotency.as_ref()?;
        let changes = self.transaction.changes.iter();
        let mut rows = changes.filter_map(|(key, _)| answers.get(key)).cloned().map(Json::Object);
        let answer = match self.kept {
            Kept::Row => rows.next().unwrap_or_default(),
            Kept::Rows => rows.collect(),
        };
        Some(OutcomeWrite {
            key: idempotency.key.clone(),
            request: idempotency.request.clone(),
            answer: answer.to_string(),
        })
    }

    /// The commit is durable: the documents are what is stored now.
    fn done(
        self,
        seqs: &[Seq],
        mut afters: ByKey<(usize, After)>,
        answers: &ByKey<Map<String, Json>>,
    ) -> Ended {
        let mut written = BTreeMap::new();
        for (key, mut row) in self.rows {
            if let Some((place, after)) = afters.remove(&key)
                && let Some(seq) = seqs.get(place)
            {
                after.settle(self.store, &key, &mut row.loaded, *seq);
            }
            let seq = row.loaded.head;
            let version = Arc::clone(&row.loaded.version);
            let json = answers.get(&key).cloned();
            if let Some(slot) = row.guard.slot() {
                fold::consider(self.store, slot, &row.loaded);
            }
            row.guard.put(row.loaded);
            written.insert(key, Written { seq, version, row: json });
        }
        let changes = self.transaction.changes.iter();
        Ended::Done(changes.filter_map(|(key, _)| written.get(key).cloned()).collect())
    }

    /// Whether another server has written to one of the rows since it was loaded.
    async fn is_behind(&self) -> Result<bool, WriteError> {
        if !self.store.backend.is_shared() {
            return Ok(false);
        }
        for (key, row) in &self.rows {
            let head = self.store.backend.head(key).await?;
            if head.map_or(Seq::ZERO, |head| head.head) != row.loaded.head {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Row {
    /// Makes one change, if the author may: memberships are looked up as they are before the transaction.
    async fn write(
        &mut self,
        store: &Inner,
        key: &RowKey,
        change: &RowChange,
        by: &Transaction,
    ) -> Result<(), WriteError> {
        let target = Target { store, model: &self.model, key };
        let applied = target.apply(&mut self.loaded, &mut self.live, change, &by.author, self.written).await;
        let Applied { change: changed, completed } = applied.map_err(|Rejection { error, .. }| error)?;
        self.change.merge(&changed);
        self.written = true;
        self.as_sent &= matches!(change, RowChange::Update(_) | RowChange::Seed(_)) && completed.is_empty();
        Ok(())
    }

    /// Deletes the row, unless it is gone already.
    fn delete(&mut self) -> Result<(), WriteError> {
        if self.loaded.exists() {
            let change = self.loaded.doc.set_deleted(true)?;
            self.note(&change);
        }
        Ok(())
    }

    /// Empties those of the fields that name a row of `deleted`.
    fn empty(
        &mut self,
        key: &RowKey,
        fields: &BTreeSet<FieldName>,
        deleted: &BTreeSet<RowKey>,
    ) -> Result<(), WriteError> {
        if !self.loaded.exists() || self.loaded.doc.is_deleted() {
            return Ok(());
        }
        let now = self.projection()?;
        let names = |position: usize, entity| {
            target(key, entity, now.values.get(position)).is_some_and(|target| deleted.contains(&target))
        };
        let emptied: Map<String, Json> = id_fields(&self.model.entity)
            .filter(|(position, field, entity)| fields.contains(&field.name) && names(*position, entity))
            .map(|(_, field, _)| (field.name.to_string(), Json::Null))
            .collect();
        if !emptied.is_empty() {
            let change = self.loaded.doc.patch(&emptied)?;
            self.note(&change);
        }
        Ok(())
    }

    fn note(&mut self, change: &Change) {
        self.change.merge(change);
        self.as_sent = false;
    }

    fn projection(&self) -> Result<Projection, WriteError> {
        let behind = self.loaded.behind(&self.change);
        Ok(self.loaded.doc.project_changed(&self.loaded.projection, &behind)?)
    }

    /// The row as whoever asked for the change is to see it, and as far as that may.
    async fn json(
        &self,
        store: &Inner,
        key: &RowKey,
        prepared: Option<&Prepared>,
        by: &Transaction,
    ) -> Result<Map<String, Json>, WriteError> {
        let projection = match prepared {
            Some(prepared) => Arc::clone(&prepared.write.projection),
            None => Arc::new(self.projection()?),
        };
        let sight = store.sight(&by.author.access, &self.model, key, &projection.values).await?;
        Ok(seen_json(&self.model.entity, key.id.as_str(), &projection.values, &sight))
    }
}
