//! Working off the writes that wait for one row: apply, check, commit as one delta, answer.

use std::sync::Arc;

use bytes::Bytes;
use corella_rowdoc::{Change, Projection};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    apply::Rejection,
    committer::{Commitment, RowEvent},
    error::WriteError,
    job::{Job, RowChange, Written},
    json::seen_json,
    late,
    model::EntityModel,
    permit::{Live, Target},
    port::{BackendError, ChangeKind, OutcomeWrite, RowWrite, Seq, Unit, UnitOutcome},
    resident::{Loaded, Resident, Slot},
    store::Inner,
};

/// Times that a batch is tried again because another node was faster.
const MOST_TRIES: usize = 32;

/// A write that was applied and waits for the commit.
struct Accepted {
    job: Job,
    row: Option<Map<String, Json>>,
}

/// Works off everything that waits for the row, then leaves.
pub(crate) async fn work(store: Arc<Inner>, slot: Arc<Slot>) {
    let mut abandon = Abandon { slot: &slot, armed: true };
    let mut bytes = 0;
    loop {
        let jobs = slot.take();
        if jobs.is_empty() {
            break;
        }
        let mut resident = slot.resident.lock().await;
        let mut groups = vec![jobs];
        while let Some(group) = groups.pop() {
            let serving = store.serving.read().await;
            let singles = run(&store, &slot, &mut resident, group).await;
            drop(serving);
            groups.extend(singles.into_iter().rev().map(|job| vec![job]));
        }
        resident.forget_unwritten();
        bytes = resident.bytes();
        if let Some(loaded) = &resident.loaded {
            crate::fold::consider(&store, &slot, loaded);
        }
    }
    abandon.armed = false;
    drop(abandon);
    store.cache.settle(slot, bytes);
}

/// Leaves the queue usable when the task that works it off panics.
struct Abandon<'a> {
    slot: &'a Slot,
    armed: bool,
}

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.slot.abandon();
        }
    }
}

/// Applies `jobs` and commits them together.
///
/// What comes back are the jobs that must be tried again one by one: because one of them clashes with another row and
/// would take the others down with it, or because it repeats one of them.
async fn run(store: &Arc<Inner>, slot: &Slot, resident: &mut Resident, jobs: Vec<Job>) -> Vec<Job> {
    let model = match store.entity(slot.key.entity.as_str()) {
        Ok(model) => model,
        Err(error) => return refuse_all(jobs, &error.into()),
    };
    let fresh = resident.loaded.is_none() || !store.backend.is_shared();
    let (change, live) = (Change::default(), None);
    let mut batch = Batch { store, slot, model, resident, accepted: Vec::new(), change, live, fresh };
    let mut again = Vec::new();
    for job in jobs {
        again.extend(batch.accept(job).await);
    }
    let mut singles = batch.commit().await;
    singles.extend(again);
    singles
}

fn refuse_all(jobs: impl IntoIterator<Item = Job>, error: &WriteError) -> Vec<Job> {
    for job in jobs {
        job.reply.send(Err(error.clone()));
    }
    Vec::new()
}

struct Batch<'a> {
    store: &'a Arc<Inner>,
    slot: &'a Slot,
    model: EntityModel,
    resident: &'a mut Resident,
    accepted: Vec<Accepted>,
    change: Change,
    /// The row as policies are asked about it; nothing while the document is as it is stored.
    live: Option<Live>,
    /// Whether the document is known to be as it is stored. One that was kept in memory may be behind what another
    /// server has written; that matters only where no commit follows that would find out.
    fresh: bool,
}

impl Batch<'_> {
    /// Applies one job, or refuses it and leaves nothing of it behind; gives back one that has to wait for the
    /// commit of another under the same idempotency key.
    async fn accept(&mut self, job: Job) -> Option<Job> {
        if let Some(idempotency) = &job.idempotency {
            let same = |accepted: &Accepted| {
                accepted.job.idempotency.as_ref().is_some_and(|other| other.key == idempotency.key)
            };
            if self.accepted.iter().any(same) {
                return Some(job);
            }
            if let Some(answer) = self.store.replay(idempotency).await.transpose() {
                job.reply.send(answer);
                return None;
            }
        }
        self.apply(job).await;
        None
    }

    async fn apply(&mut self, job: Job) {
        if let Some(job) = self.try_apply(job).await {
            self.start_over().await;
            self.try_apply(job).await;
        }
    }

    /// Applies one job or refuses it; gives it back when it would have been refused over a document that is behind.
    async fn try_apply(&mut self, job: Job) -> Option<Job> {
        match self.take_in(&job).await {
            Ok(row) => self.accepted.push(Accepted { job, row }),
            Err(Rejection { error, traces }) => {
                let error = match self.was_behind().await {
                    Ok(true) => return Some(job),
                    Ok(false) => error,
                    Err(error) => error,
                };
                if traces {
                    self.start_over().await;
                }
                job.reply.send(Err(error));
            }
        }
        None
    }

    /// Applies one job to the document, if its author may do what it does; what comes back is the row as the author
    /// wants to see it.
    async fn take_in(&mut self, job: &Job) -> Result<Option<Map<String, Json>>, Rejection> {
        let written_before = !self.accepted.is_empty();
        let rejected = |traces| move |error| Rejection { error, traces };
        let loaded = self.store.loaded(self.slot, self.resident).await;
        let loaded = loaded.map_err(|error| rejected(false)(error.into()))?;
        let live = self.live.get_or_insert_with(|| Live::of(loaded));
        let target = Target { store: self.store, model: &self.model, key: &self.slot.key };
        let change = target.apply(loaded, live, job, written_before).await?;
        self.change.merge(&change);
        self.row_for(job).await.map_err(rejected(true))
    }

    /// Whether the document was behind what is stored; then it is dropped.
    async fn was_behind(&mut self) -> Result<bool, WriteError> {
        if std::mem::replace(&mut self.fresh, true) {
            return Ok(false);
        }
        Ok(self.store.refresh(self.slot, self.resident).await?)
    }

    /// The row as the job's author wants to see it, and as far as it may.
    async fn row_for(&self, job: &Job) -> Result<Option<Map<String, Json>>, WriteError> {
        if !job.wants_row && job.idempotency.is_none() {
            return Ok(None);
        }
        let Some(loaded) = &self.resident.loaded else { return Ok(None) };
        let projection = loaded.doc.project_changed(&loaded.projection, &loaded.behind(&self.change))?;
        let key = &self.slot.key;
        let sight = self.store.sight(&job.author.access, &self.model, key, &projection.values).await?;
        Ok(Some(seen_json(&self.model.entity, key.id.as_str(), &projection.values, &sight)))
    }

    /// Loads the document as it is stored and applies again what had been accepted.
    async fn start_over(&mut self) {
        let mut jobs: Vec<Job> =
            std::mem::take(&mut self.accepted).into_iter().map(|accepted| accepted.job).collect();
        // Each round answers one job for good, or is the last.
        while let Some((refused, error)) = self.replay(&mut jobs).await {
            refused.reply.send(Err(error));
        }
    }

    /// Applies `jobs` to the document as it is stored; gives back one that is refused and has left traces, and leaves
    /// the others in `jobs`.
    async fn replay(&mut self, jobs: &mut Vec<Job>) -> Option<(Job, WriteError)> {
        self.resident.loaded = None;
        self.live = None;
        self.fresh = true;
        self.change = Change::default();
        if let Err(error) = self.store.loaded(self.slot, self.resident).await {
            refuse_all(std::mem::take(jobs), &error.into());
            return None;
        }
        let mut waiting = std::mem::take(jobs).into_iter();
        while let Some(job) = waiting.next() {
            match self.take_in(&job).await {
                // Another server's writes show in the row, too.
                Ok(row) => self.accepted.push(Accepted { job, row }),
                Err(Rejection { error, traces: false }) => job.reply.send(Err(error)),
                Err(Rejection { error, traces: true }) => {
                    jobs.extend(std::mem::take(&mut self.accepted).into_iter().map(|accepted| accepted.job));
                    jobs.extend(waiting);
                    return Some((job, error));
                }
            }
        }
        None
    }

    /// Commits what was accepted and answers it.
    async fn commit(mut self) -> Vec<Job> {
        for _ in 0..MOST_TRIES {
            if self.accepted.is_empty() {
                return Vec::new();
            }
            let prepared = match self.prepare() {
                Ok(Some(prepared)) => prepared,
                Ok(None) => match self.was_behind().await {
                    Ok(true) => {
                        self.start_over().await;
                        continue;
                    }
                    Ok(false) => return self.answer_unchanged(),
                    Err(error) => return self.fail(&error),
                },
                // One of them made the document unfit; alone, each answers for itself.
                Err(_) if self.accepted.len() > 1 => return self.part(),
                Err(error) => return self.fail(&error),
            };
            let Prepared { unit, events, projection, late } = prepared;
            let writes = unit.writes.clone();
            let was_behind = self.store.late.has(&self.slot.key);
            if writes.iter().any(|write| write.late) {
                self.store.note_late(&self.slot.key);
            }
            match self.store.committer.commit(unit, events).await {
                Commitment::Durable(seqs) => return self.settle(&seqs, &writes, projection, late),
                Commitment::Failed(error) => {
                    // Without room nothing was written: a read must not wait for a line that is not behind.
                    if !was_behind && matches!(*error, BackendError::Full(_)) {
                        self.store.late.forget(&self.slot.key);
                    }
                    return self.fail(&WriteError::Backend(error));
                }
                Commitment::Halted(UnitOutcome::Stale(_) | UnitOutcome::Committed(_)) => {
                    self.start_over().await;
                }
                Commitment::Halted(
                    outcome @ (UnitOutcome::NotUnique { .. }
                    | UnitOutcome::KeyUsed
                    | UnitOutcome::Unfit { .. }),
                ) => {
                    return self.halt(outcome).await;
                }
            }
        }
        self.fail(&WriteError::Busy)
    }

    /// The commit of what was accepted; nothing when it changed nothing and promised nothing.
    fn prepare(&mut self) -> Result<Option<Prepared>, WriteError> {
        let Some(loaded) = &mut self.resident.loaded else {
            return Err(WriteError::Internal("the document was not loaded"));
        };
        let version = loaded.doc.version();
        let changed = version != *loaded.version;
        let outcomes: Vec<OutcomeWrite> = self.accepted.iter().filter_map(outcome).collect();
        if !changed && outcomes.is_empty() {
            return Ok(None);
        }
        let at = Timestamp::now();
        if !changed {
            let unit = Unit { writes: Vec::new(), outcomes, at };
            return Ok(Some(Prepared {
                unit,
                events: Vec::new(),
                projection: Arc::clone(&loaded.projection),
                late: loaded.late.clone(),
            }));
        }
        let delta = Bytes::from(
            loaded
                .doc
                .export_since(&loaded.version)
                .map_err(|_| WriteError::Internal("the export failed"))?,
        );
        let kind = kind(loaded);
        let behind = loaded.behind(&self.change);
        let late = !self.store.backend.is_shared()
            && late::may_wait(&self.model, &loaded.projection, &self.change, kind);
        let (projection, behind) = if late {
            (Arc::clone(&loaded.projection), behind)
        } else {
            (Arc::new(loaded.doc.project_changed(&loaded.projection, &behind)?), Change::default())
        };
        let before = loaded.exists().then(|| Arc::clone(&loaded.projection));
        let write = RowWrite {
            key: self.slot.key.clone(),
            known_head: loaded.head,
            delta: delta.clone(),
            version: version.encode().into(),
            projection: Arc::clone(&projection),
            kind,
            author: self.accepted.last().map(|accepted| Arc::clone(&accepted.job.author.user)),
            late,
        };
        let event = RowEvent {
            key: self.slot.key.clone(),
            delta,
            version: Arc::new(version),
            sole_source: self.sole_source(),
            kind,
            change: self.change.clone(),
            before,
            after: Arc::clone(&projection),
            late: behind.clone(),
        };
        let unit = Unit { writes: vec![write], outcomes, at };
        Ok(Some(Prepared { unit, events: vec![event], projection, late: behind }))
    }

    /// The connection that wrote everything in this batch as document bytes, if it was one alone.
    fn sole_source(&self) -> Option<crate::SourceId> {
        let mut sources = self.accepted.iter().map(|accepted| match accepted.job.change {
            RowChange::Update(_) | RowChange::Seed(_) => accepted.job.author.source,
            RowChange::Merge(_)
            | RowChange::Insert(_)
            | RowChange::Patch(_)
            | RowChange::Delete
            | RowChange::Restore => None,
        });
        let first = sources.next().flatten()?;
        sources.all(|source| source == Some(first)).then_some(first)
    }

    /// The commit is durable: the document is what is stored now.
    fn settle(
        self,
        seqs: &[Seq],
        writes: &[RowWrite],
        projection: Arc<Projection>,
        late: Change,
    ) -> Vec<Job> {
        let Some(loaded) = &mut self.resident.loaded else { return Vec::new() };
        if let (Some(seq), Some(write)) = (seqs.last(), writes.last()) {
            loaded.head = *seq;
            loaded.version = Arc::new(loaded.doc.version());
            loaded.projection = projection;
            loaded.late = late;
            if !write.late {
                self.store.late.forget(&self.slot.key);
            }
            loaded.tail.deltas += 1;
            loaded.tail.bytes += write.delta.len();
        }
        self.answer_unchanged()
    }

    /// Answers everything with where the row stands.
    fn answer_unchanged(self) -> Vec<Job> {
        let Some(loaded) = &self.resident.loaded else { return Vec::new() };
        for Accepted { job, row } in self.accepted {
            let row = row.filter(|_| job.wants_row);
            job.reply.send(Ok(Written { seq: loaded.head, version: Arc::clone(&loaded.version), row }));
        }
        Vec::new()
    }

    /// Gives everything back, to be tried one by one.
    fn part(self) -> Vec<Job> {
        self.resident.loaded = None;
        self.accepted.into_iter().map(|accepted| accepted.job).collect()
    }

    fn fail(self, error: &WriteError) -> Vec<Job> {
        self.resident.loaded = None;
        refuse_all(self.accepted.into_iter().map(|accepted| accepted.job), error)
    }

    /// Another row or an earlier request stood in the way: alone, the job is answered; with others, each is
    /// tried by itself.
    async fn halt(mut self, outcome: UnitOutcome) -> Vec<Job> {
        if self.accepted.len() > 1 {
            return self.part();
        }
        self.resident.loaded = None;
        let Some(Accepted { job, .. }) = self.accepted.pop() else { return Vec::new() };
        let answer = match (outcome, &job.idempotency) {
            (UnitOutcome::NotUnique { fields, holder }, _) => Err(WriteError::NotUnique { fields, holder }),
            (UnitOutcome::Unfit { what }, _) => Err(WriteError::Unfit { what }),
            (_, Some(idempotency)) => match self.store.replay(idempotency).await {
                Ok(Some(written)) => Ok(written),
                Ok(None) => Err(WriteError::Busy),
                Err(error) => Err(error),
            },
            (_, None) => Err(WriteError::Internal("a key clashed that was not given")),
        };
        job.reply.send(answer);
        Vec::new()
    }
}

struct Prepared {
    unit: Unit,
    events: Vec<RowEvent>,
    projection: Arc<Projection>,
    /// What the projection is behind in.
    late: Change,
}

fn outcome(accepted: &Accepted) -> Option<OutcomeWrite> {
    let idempotency = accepted.job.idempotency.as_ref()?;
    let row = accepted.row.clone().unwrap_or_default();
    Some(OutcomeWrite {
        key: idempotency.key.clone(),
        request: idempotency.request.clone(),
        answer: Json::Object(row).to_string(),
    })
}

fn kind(loaded: &Loaded) -> ChangeKind {
    match (loaded.exists(), loaded.projection.deleted, loaded.doc.is_deleted()) {
        (false, _, _) => ChangeKind::Insert,
        (true, false, true) => ChangeKind::Delete,
        (true, true, false) => ChangeKind::Restore,
        (true, false, false) | (true, true, true) => ChangeKind::Update,
    }
}
