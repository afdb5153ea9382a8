//! Working off the writes that wait for one row: apply, check, commit as one delta, answer.

mod together;

use std::sync::Arc;

use corella_rowdoc::{Change, Version};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    apply::{Applied, Rejection},
    committer::{Commitment, RowEvent},
    error::WriteError,
    gather::Haste,
    job::{Job, RowChange, Written},
    json::seen_json,
    model::EntityModel,
    permit::{Live, Target},
    port::{BackendError, OutcomeWrite, Seq, Unit, UnitOutcome},
    prepared::{After, By, Lines, Prepared},
    resident::{Resident, Slot},
    store::Inner,
    told::{self, Writer},
    transaction,
};

/// Times that a batch is tried again because another node was faster.
pub(crate) const MOST_TRIES: usize = 32;

/// A write that was applied and waits for the commit.
pub(crate) struct Accepted {
    pub(crate) job: Job,
    pub(crate) trace: Trace,
}

/// What a write that was applied has left.
pub(crate) struct Trace {
    /// The row as the author wants to see it.
    row: Option<Map<String, Json>>,
    /// Whether the document has operations of the server's own from it, which its sender lacks.
    completed: bool,
    /// What it changed.
    pub(crate) change: Change,
    /// The document's version before it, where somebody else wrote what came before it.
    pub(crate) before: Option<Version>,
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
            let Left { again, beyond } = run(&store, &slot, &mut resident, group).await;
            drop(serving);
            if let Some(job) = beyond {
                // Whoever changes several rows locks them in their order, and must not hold one of them before.
                drop(resident);
                transaction::one(&store, &slot.key, job).await;
                resident = slot.resident.lock().await;
            }
            groups.extend(again.into_iter().rev().map(|job| vec![job]));
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
/// What comes back are the jobs that must be tried again one by one, because one of them clashes with another row and
/// would take the others down with it, or because it repeats one of them; and one that other rows must change for.
async fn run(store: &Arc<Inner>, slot: &Slot, resident: &mut Resident, jobs: Vec<Job>) -> Left {
    let model = match store.entity(slot.key.entity.as_str()) {
        Ok(model) => model,
        Err(error) => {
            refuse_all(jobs, &error.into());
            return Left::nothing();
        }
    };
    let fresh = resident.loaded.is_none() || !store.backend.is_shared();
    let (change, live) = (Change::default(), None);
    let mut batch = Batch { store, slot, model, resident, accepted: Vec::new(), change, live, fresh };
    let mut again = Vec::new();
    for job in batch.accept_together(jobs).await {
        again.extend(batch.accept(job).await);
    }
    let mut left = batch.commit().await;
    left.again.extend(again);
    left
}

fn refuse_all(jobs: impl IntoIterator<Item = Job>, error: &WriteError) {
    for job in jobs {
        job.reply.send(Err(error.clone()));
    }
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
            Ok(trace) => self.accepted.push(Accepted { job, trace }),
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

    /// Applies one job to the document, if its author may do what it does; what comes back is what that has left.
    async fn take_in(&mut self, job: &Job) -> Result<Trace, Rejection> {
        let written_before = !self.accepted.is_empty();
        let rejected = |traces| move |error| Rejection { error, traces };
        let loaded = self.store.loaded(self.slot, self.resident).await;
        let loaded = loaded.map_err(|error| rejected(false)(error.into()))?;
        let before = told::seam(&self.accepted, job).then(|| loaded.doc.version());
        let live = self.live.get_or_insert_with(|| Live::of(loaded));
        let target = Target { store: self.store, model: &self.model, key: &self.slot.key };
        let Applied { change, completed } =
            target.apply(loaded, live, &job.change, &job.author, written_before).await?;
        self.change.merge(&change);
        let row = self.row_for(job).await.map_err(rejected(true))?;
        Ok(Trace { row, completed: !completed.is_empty(), change, before })
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
                Ok(trace) => self.accepted.push(Accepted { job, trace }),
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
    async fn commit(mut self) -> Left {
        for _ in 0..MOST_TRIES {
            if self.accepted.is_empty() {
                return Left::nothing();
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
            let Batched { unit, events, after } = prepared;
            let was_behind = self.store.late.has(&self.slot.key);
            if unit.writes.iter().any(|write| write.late) {
                self.store.note_late(&self.slot.key);
            }
            match self.store.committer.commit(unit, events, self.haste()).await {
                Commitment::Durable(seqs) => return self.settle(&seqs, after),
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
                    | UnitOutcome::Dangling(_)
                    | UnitOutcome::Held(_)
                    | UnitOutcome::KeyUsed
                    | UnitOutcome::Unfit { .. }),
                ) => {
                    return self.halt(outcome).await;
                }
            }
        }
        self.fail(&WriteError::Busy)
    }

    /// Whether somebody waits for the commit before they go on.
    fn haste(&self) -> Haste {
        let is_pipelined = |Accepted { job, .. }: &Accepted| {
            matches!(job.change, RowChange::Update(_)) && job.author.source.is_some()
        };
        if self.accepted.iter().all(is_pipelined) { Haste::Pipelined } else { Haste::Awaited }
    }

    /// The commit of what was accepted; nothing when it changed nothing and promised nothing.
    fn prepare(&mut self) -> Result<Option<Batched>, WriteError> {
        let by = By {
            author: self.accepted.last().map(|accepted| Arc::clone(&accepted.job.author.user)),
            sole_source: self.sole_source(),
            writers: self.accepted.iter().map(Writer::from).collect(),
        };
        let Some(loaded) = &self.resident.loaded else {
            return Err(WriteError::Internal("the document was not loaded"));
        };
        let (store, key) = (self.store, &self.slot.key);
        let prepared = Prepared::of(store, &self.model, key, loaded, &self.change, by, Lines::MayWait)?;
        let outcomes: Vec<OutcomeWrite> = self.accepted.iter().filter_map(outcome).collect();
        let at = Timestamp::now();
        let Some(Prepared { write, event, references, after }) = prepared else {
            let unit = Unit { writes: Vec::new(), references: Vec::new(), outcomes, at };
            let batched = Batched { unit, events: Vec::new(), after: None };
            return Ok(Some(batched).filter(|batched| !batched.unit.outcomes.is_empty()));
        };
        let unit = Unit { writes: vec![write], references, outcomes, at };
        Ok(Some(Batched { unit, events: vec![event], after: Some(after) }))
    }

    /// The connection that wrote everything in this batch as document bytes, if it was one alone.
    fn sole_source(&self) -> Option<crate::SourceId> {
        let mut sources = self.accepted.iter().map(|accepted| match accepted.job.change {
            RowChange::Update(_) | RowChange::Seed(_) if !accepted.trace.completed => {
                accepted.job.author.source
            }
            RowChange::Update(_)
            | RowChange::Seed(_)
            | RowChange::Merge(_)
            | RowChange::Insert(_)
            | RowChange::Patch(_)
            | RowChange::Delete
            | RowChange::Restore
            | RowChange::Revert(_) => None,
        });
        let first = sources.next().flatten()?;
        sources.all(|source| source == Some(first)).then_some(first)
    }

    /// The commit is durable: the document is what is stored now.
    fn settle(self, seqs: &[Seq], after: Option<After>) -> Left {
        if let (Some(loaded), Some(seq), Some(after)) = (&mut self.resident.loaded, seqs.last(), after) {
            after.settle(self.store, &self.slot.key, loaded, *seq);
        }
        self.answer_unchanged()
    }

    /// Answers everything with where the row stands.
    fn answer_unchanged(self) -> Left {
        let Some(loaded) = &self.resident.loaded else { return Left::nothing() };
        for Accepted { job, trace } in self.accepted {
            let row = trace.row.filter(|_| job.wants_row);
            job.reply.send(Ok(Written { seq: loaded.head, version: Arc::clone(&loaded.version), row }));
        }
        Left::nothing()
    }

    /// Gives everything back, to be tried one by one.
    fn part(self) -> Left {
        self.resident.loaded = None;
        Left { again: self.accepted.into_iter().map(|accepted| accepted.job).collect(), beyond: None }
    }

    fn fail(self, error: &WriteError) -> Left {
        self.resident.loaded = None;
        refuse_all(self.accepted.into_iter().map(|accepted| accepted.job), error);
        Left::nothing()
    }

    /// Another row or an earlier request stood in the way: alone, the job is answered; with others, each is
    /// tried by itself.
    async fn halt(mut self, outcome: UnitOutcome) -> Left {
        if self.accepted.len() > 1 {
            return self.part();
        }
        self.resident.loaded = None;
        let Some(Accepted { job, .. }) = self.accepted.pop() else { return Left::nothing() };
        let answer = match (outcome, &job.idempotency) {
            (UnitOutcome::Held(_), _) => return Left { again: Vec::new(), beyond: Some(job) },
            (UnitOutcome::NotUnique { fields, holder }, _) => Err(WriteError::NotUnique { fields, holder }),
            (UnitOutcome::Dangling(reference), _) => Err(WriteError::ReferenceMissing(reference.into())),
            (UnitOutcome::Unfit { what }, _) => Err(WriteError::Unfit { what }),
            (_, Some(idempotency)) => match self.store.replay(idempotency).await {
                Ok(Some(written)) => Ok(written),
                Ok(None) => Err(WriteError::Busy),
                Err(error) => Err(error),
            },
            (_, None) => Err(WriteError::Internal("a key clashed that was not given")),
        };
        job.reply.send(answer);
        Left::nothing()
    }
}

/// A commit of one row.
struct Batched {
    unit: Unit,
    events: Vec<RowEvent>,
    after: Option<After>,
}

/// What a batch leaves to be done.
#[derive(Default)]
struct Left {
    /// Jobs to be tried again, one by one.
    again: Vec<Job>,
    /// A job that other rows must change for.
    beyond: Option<Job>,
}

impl Left {
    fn nothing() -> Self {
        Self::default()
    }
}

fn outcome(accepted: &Accepted) -> Option<OutcomeWrite> {
    let idempotency = accepted.job.idempotency.as_ref()?;
    let row = accepted.trace.row.clone().unwrap_or_default();
    Some(OutcomeWrite {
        key: idempotency.key.clone(),
        request: idempotency.request.clone(),
        answer: Json::Object(row).to_string(),
    })
}
