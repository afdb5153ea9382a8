//! Group commit: whatever waits is committed as one transaction, then announced in order.

use std::sync::{
    Arc,
    mpsc::{self as blocking, RecvTimeoutError},
};

use bytes::Bytes;
use corella_rowdoc::{Change, Projection, RowKey, Version};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    faults::{KillPoint, point},
    follow::{Follower, Heard},
    gather::{Gathering, Haste},
    job::SourceId,
    port::{Backend, BackendError, ChangeKind, FollowedChange, Seq, Unit, UnitOutcome},
};

/// Units in one transaction at the most.
const MOST_UNITS: usize = 1_024;

/// A change of one row, as those who watch hear of it.
#[derive(Debug, Clone)]
pub struct RowEvent {
    /// The row.
    pub key: RowKey,
    /// The operations that came, as a Loro update of the server's own making.
    pub delta: Bytes,
    /// The document's version afterwards.
    pub version: Arc<Version>,
    /// The connection that wrote all of it, if it was one alone.
    pub sole_source: Option<SourceId>,
    /// What happened to the row.
    pub kind: ChangeKind,
    /// The fields that changed.
    pub change: Change,
    /// The row's columns before; `None` for a new row.
    pub before: Option<Arc<Projection>>,
    /// The row's columns afterwards.
    pub after: Arc<Projection>,
    /// The columns of `before` and `after` that stand as they were at an earlier change, because they are large texts
    /// which are not read from the document at every keystroke; `open` means the whole value of an open entity. A
    /// [`Store::select`](crate::Store::select) brings them up to date before it reads.
    pub late: Change,
}

/// A change that is durable, with its place in the order of all changes.
#[derive(Debug)]
pub struct Committed {
    /// Its place.
    pub seq: Seq,
    /// The change.
    pub event: RowEvent,
}

/// Whoever is told of changes.
///
/// It is called in commit order, before the writer hears that its write is durable, and while the row is still
/// locked: it must not wait for anything.
pub trait CommitSink: Send + Sync + 'static {
    /// These changes became durable together.
    fn committed(&self, changes: &[Committed]);

    /// Another server of the same database made these changes, in this order.
    ///
    /// They are told once, in one order with those of this server: before any that was made on top of them. A row that
    /// was read meanwhile may have them already.
    fn changed_elsewhere(&self, _changes: &[FollowedChange]) {}

    /// Other servers made changes that cannot be told one by one: any row may have moved.
    fn lost_track(&self) {}

    /// Another manifest is served from now on: the columns of later changes are those that it declares.
    fn reshaped(&self) {}
}

/// What became of a unit.
pub(crate) enum Commitment {
    /// It is durable and has been announced.
    Durable(Vec<Seq>),
    /// It was taken back.
    Halted(UnitOutcome),
    /// The commit failed.
    Failed(Arc<BackendError>),
}

struct Submission {
    unit: Unit,
    events: Vec<RowEvent>,
    haste: Haste,
    reply: oneshot::Sender<Commitment>,
}

enum Order {
    Commit(Submission),
    Stop(oneshot::Sender<()>),
}

/// The way to the commit thread.
#[derive(Clone)]
pub(crate) struct Committer(blocking::Sender<Order>);

/// What the commit thread hands on, in the order of the changes.
enum Landed {
    Commit {
        waiting: Vec<(Vec<RowEvent>, oneshot::Sender<Commitment>)>,
        result: Result<Vec<UnitOutcome>, BackendError>,
    },
    Elsewhere(Heard),
}

impl Committer {
    /// Starts the commit thread and the task that announces what it committed, and what the `follower` finds.
    pub(crate) fn start(
        backend: Arc<dyn Backend>,
        sink: Arc<dyn CommitSink>,
        follower: Option<Follower>,
    ) -> std::io::Result<Self> {
        let (submit, orders) = blocking::channel();
        let (land, landed) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        tokio::spawn(announce(landed, sink));
        std::thread::Builder::new()
            .name("corella-commit".into())
            .spawn(move || commit_all(&orders, &*backend, follower, &land, &runtime))?;
        Ok(Self(submit))
    }

    /// Commits `unit`; resolves once it is durable and announced, or was not made.
    pub(crate) async fn commit(&self, unit: Unit, events: Vec<RowEvent>, haste: Haste) -> Commitment {
        let (reply, answer) = oneshot::channel();
        let gone =
            || Commitment::Failed(Arc::new(BackendError::Unknown("the commit thread has ended".into())));
        if self.0.send(Order::Commit(Submission { unit, events, haste, reply })).is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }

    /// Ends the commit thread once what was handed to it is committed; resolves when it has ended.
    pub(crate) async fn stop(&self) {
        let (ended, end) = oneshot::channel();
        if self.0.send(Order::Stop(ended)).is_ok() {
            end.await.ok();
        }
    }
}

/// What the commit thread has in hand.
#[derive(Default)]
struct Taken {
    submissions: Vec<Submission>,
    /// Whoever waits for the thread's end.
    stopped: Option<oneshot::Sender<()>>,
}

impl Taken {
    /// Takes orders until there are enough, or one of them is to stop.
    fn take(&mut self, mut orders: impl Iterator<Item = Order>) {
        while self.stopped.is_none() && self.submissions.len() < MOST_UNITS {
            match orders.next() {
                Some(Order::Commit(submission)) => self.submissions.push(submission),
                Some(Order::Stop(ended)) => self.stopped = Some(ended),
                None => return,
            }
        }
    }
}

/// The commit thread: takes all that waits, commits it, hands the outcome on.
fn commit_all(
    orders: &blocking::Receiver<Order>,
    backend: &dyn Backend,
    mut follower: Option<Follower>,
    land: &mpsc::UnboundedSender<Landed>,
    runtime: &Handle,
) {
    let mut gathering = Gathering::default();
    loop {
        let first = match &follower {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(follower) => orders.recv_timeout(follower.rest()),
        };
        let mut taken = Taken::default();
        match first {
            Ok(first) => {
                taken.take(std::iter::once(first).chain(orders.try_iter()));
                if let Some(rest) =
                    gathering.rest(taken.submissions.iter().map(|submission| submission.haste))
                {
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "what comes meanwhile waits in the channel, and is taken right after"
                    )]
                    std::thread::sleep(rest);
                    taken.take(orders.try_iter());
                }
                gathering.begins();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let Taken { submissions, stopped } = taken;
        let handed_on = match &mut follower {
            _ if !submissions.is_empty() => commit(submissions, backend, follower.as_mut(), land, runtime),
            Some(follower) if stopped.is_none() => {
                let mut heard = runtime.block_on(follower.look(backend)).into_iter();
                heard.try_for_each(|heard| land.send(Landed::Elsewhere(heard)))
            }
            Some(_) | None => Ok(()),
        };
        if handed_on.is_err() {
            return;
        }
        if let Some(ended) = stopped {
            ended.send(()).ok();
            return;
        }
    }
}

/// Commits what was submitted, and hands on what others have written before it.
fn commit(
    submissions: Vec<Submission>,
    backend: &dyn Backend,
    follower: Option<&mut Follower>,
    land: &mpsc::UnboundedSender<Landed>,
    runtime: &Handle,
) -> Result<(), mpsc::error::SendError<Landed>> {
    let mut units = Vec::with_capacity(submissions.len());
    let mut waiting = Vec::with_capacity(submissions.len());
    for Submission { unit, events, reply, haste: _ } in submissions {
        units.push(unit);
        waiting.push((events, reply));
    }
    point(KillPoint::BeforeCommit);
    let started = std::time::Instant::now();
    let result = runtime.block_on(backend.commit(&units));
    point(KillPoint::AfterCommit);
    metrics::histogram!("corella_commit_seconds").record(started.elapsed());
    #[expect(clippy::cast_precision_loss, reason = "a metric")]
    metrics::histogram!("corella_commit_units").record(units.len() as f64);
    match &result {
        Ok(outcomes) => {
            let (first, last) = span(outcomes);
            if let (Some(follower), Some(first), Some(last)) = (follower, first, last) {
                let heard = runtime.block_on(follower.before(backend, first, last));
                heard.into_iter().try_for_each(|heard| land.send(Landed::Elsewhere(heard)))?;
            }
        }
        Err(error) => tracing::error!(error = error as &dyn std::error::Error, "a commit failed"),
    }
    land.send(Landed::Commit { waiting, result })
}

/// The first and the last change of a commit.
fn span(outcomes: &[UnitOutcome]) -> (Option<Seq>, Option<Seq>) {
    let mut seqs = outcomes.iter().flat_map(|outcome| match outcome {
        UnitOutcome::Committed(seqs) => seqs.as_slice(),
        UnitOutcome::Stale(_)
        | UnitOutcome::NotUnique { .. }
        | UnitOutcome::Dangling(_)
        | UnitOutcome::Held(_)
        | UnitOutcome::KeyUsed
        | UnitOutcome::Unfit { .. } => &[],
    });
    let first = seqs.next().copied();
    (first, seqs.last().copied().or(first))
}

/// Tells the sink and then the writers, in commit order.
async fn announce(mut landed: mpsc::UnboundedReceiver<Landed>, sink: Arc<dyn CommitSink>) {
    while let Some(landed) = landed.recv().await {
        let (waiting, result) = match landed {
            Landed::Commit { waiting, result } => (waiting, result),
            Landed::Elsewhere(Heard::Changes(changes)) => {
                sink.changed_elsewhere(&changes);
                continue;
            }
            Landed::Elsewhere(Heard::LostTrack) => {
                sink.lost_track();
                continue;
            }
        };
        match result {
            Ok(outcomes) => {
                for ((events, reply), outcome) in waiting.into_iter().zip(outcomes) {
                    reply.send(announce_one(&*sink, events, outcome)).ok();
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for (_, reply) in waiting {
                    reply.send(Commitment::Failed(Arc::clone(&error))).ok();
                }
            }
        }
    }
}

fn announce_one(sink: &dyn CommitSink, events: Vec<RowEvent>, outcome: UnitOutcome) -> Commitment {
    let UnitOutcome::Committed(seqs) = outcome else { return Commitment::Halted(outcome) };
    let changes: Vec<Committed> =
        seqs.iter().zip(events).map(|(seq, event)| Committed { seq: *seq, event }).collect();
    sink.committed(&changes);
    point(KillPoint::AfterAnnounce);
    Commitment::Durable(seqs)
}
