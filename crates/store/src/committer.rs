//! Group commit: whatever waits is committed as one transaction, then announced in order.

use std::sync::{Arc, mpsc as blocking};

use bytes::Bytes;
use corella_rowdoc::{Change, Projection, RowKey, Version};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use crate::{
    faults::{KillPoint, point},
    job::SourceId,
    port::{Backend, BackendError, ChangeKind, Seq, Unit, UnitOutcome},
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
    reply: oneshot::Sender<Commitment>,
}

/// The way to the commit thread.
#[derive(Clone)]
pub(crate) struct Committer(blocking::Sender<Submission>);

struct Landed {
    waiting: Vec<(Vec<RowEvent>, oneshot::Sender<Commitment>)>,
    result: Result<Vec<UnitOutcome>, BackendError>,
}

impl Committer {
    /// Starts the commit thread and the task that announces what it committed.
    pub(crate) fn start(backend: Arc<dyn Backend>, sink: Arc<dyn CommitSink>) -> std::io::Result<Self> {
        let (submit, submissions) = blocking::channel();
        let (land, landed) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        tokio::spawn(announce(landed, sink));
        std::thread::Builder::new()
            .name("corella-commit".into())
            .spawn(move || commit_all(&submissions, &*backend, &land, &runtime))?;
        Ok(Self(submit))
    }

    /// Commits `unit`; resolves once it is durable and announced, or was not made.
    pub(crate) async fn commit(&self, unit: Unit, events: Vec<RowEvent>) -> Commitment {
        let (reply, answer) = oneshot::channel();
        let gone =
            || Commitment::Failed(Arc::new(BackendError::Unknown("the commit thread has ended".into())));
        if self.0.send(Submission { unit, events, reply }).is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }
}

/// The commit thread: takes all that waits, commits it, hands the outcome on.
fn commit_all(
    submissions: &blocking::Receiver<Submission>,
    backend: &dyn Backend,
    land: &mpsc::UnboundedSender<Landed>,
    runtime: &Handle,
) {
    while let Ok(first) = submissions.recv() {
        let mut units = Vec::new();
        let mut waiting = Vec::new();
        let batch = std::iter::once(first).chain(submissions.try_iter()).take(MOST_UNITS);
        for Submission { unit, events, reply } in batch {
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
        if let Err(error) = &result {
            tracing::error!(error = error as &dyn std::error::Error, "a commit failed");
        }
        if land.send(Landed { waiting, result }).is_err() {
            return;
        }
    }
}

/// Tells the sink and then the writers, in commit order.
async fn announce(mut landed: mpsc::UnboundedReceiver<Landed>, sink: Arc<dyn CommitSink>) {
    while let Some(Landed { waiting, result }) = landed.recv().await {
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
