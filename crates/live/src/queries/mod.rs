//! Live queries: who follows which answer, and what each commit makes of it.
//!
//! # How it works
//!
//! One task, the [`registry`](self), owns everything. The commit thread hands it each commit, connections hand it their
//! wishes, and it never waits for either:
//!
//! 1. A subscription finds the query that is kept true for it, or makes one. Queries are shared by all who ask for the
//!    same rows of the same tenant in the same way, rights included: what somebody may see is a part of the condition.
//! 2. A new query is read from the database by a task of its own. Meanwhile it notes every change of its entity; those
//!    that the reading did not have in it are taken in afterwards, so that nothing falls between.
//! 3. A commit is taken in row by row. The queries that hold the row and those that its new values lead to are asked, no
//!    others; each says what became of its rows.
//! 4. After the whole commit each answer that changed is written as text once, and each connection is sent one message
//!    with all of its answers.
//! 5. A window that runs low on spare rows is read again in the same way. Until then it goes on being told, unless
//!    rows of the answer are missing.
//!
//! A change that does not bring its row, because its texts are large or because another server made it, has its row read.
//! What is read may be of a later moment than what was taken in; then nothing is told of the answer until the changes
//! up to that moment are taken in, so that every message is about one version.

mod access;
mod answer;
mod bringing;
mod counters;
mod entity;
mod image;
mod intake;
mod limits;
mod once;
mod parts;
mod query;
mod reading;
mod registry;
mod settling;
mod steps;
mod subscribing;
mod telling;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use corella_query::{ColumnMask, Query};
use corella_rowdoc::{Change, Projection, RowKey, Tenant};
use corella_store::{
    Committed, SourceId, Store,
    port::{ChangeKind, FollowedChange, Seq},
};
use corella_wire::control::Since;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::registry::{Backlog, Registry, Told};
pub use self::{
    counters::{LiveCounters, LiveCounts},
    limits::LiveLimits,
    once::{OneAnswer, answer_once},
    registry::Refused,
};
use crate::outbox::Outbox;

/// A query whose answer a connection wants to know from now on.
pub struct NewSubscription {
    /// The connection.
    pub outbox: Arc<Outbox>,
    /// What messages about the answer name.
    pub reference: String,
    /// Whose rows.
    pub tenant: Tenant,
    /// The query, restricted to what the caller may see.
    pub query: Query,
    /// Which changes of its rows the client wants to hear of.
    pub interest: Interest,
    /// The answer that the client has already.
    pub since: Option<Since>,
}

/// Which changes of the rows of an answer are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interest {
    /// Those that show in the answer.
    #[default]
    Columns,
    /// Every change of their documents, such as one of marks alone, which no column shows.
    Documents,
}

/// The way to the task that keeps queries true.
pub struct LiveQueries {
    limits: LiveLimits,
    events: mpsc::UnboundedSender<Event>,
    /// What the task will take in, until it is started; a plain mutex, held to take it.
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Event>>>,
    /// Changes that wait to be taken in.
    backlog: Arc<AtomicUsize>,
    /// Whether so many changes waited that the rest were not handed over.
    lost: Arc<AtomicBool>,
    counters: Arc<LiveCounters>,
}

/// What the task hears.
enum Event {
    /// These rows changed in one commit.
    Committed(Vec<Landed>),
    /// Another server changed these rows.
    Elsewhere(Vec<(Seq, RowKey)>),
    /// Any row may have changed.
    LostTrack,
    /// Another manifest is served from now on.
    Reshaped,
    Subscribe(Box<NewSubscription>),
    Unsubscribe(SourceId, String),
    /// A connection wants to hear when its answers have a change in them.
    Await(Arc<Outbox>, String, Seq),
    /// A connection that was slow can take the whole answer now.
    CatchUp(SourceId, Arc<str>),
    /// A connection goes on with other rights.
    RightsChanged(SourceId),
    /// A connection has ended.
    Gone(SourceId),
    /// A task of the registry's own has read something.
    Told(Told),
}

/// A change of one row of a commit.
struct Landed {
    seq: Seq,
    key: RowKey,
    before: Option<Arc<Projection>>,
    after: Arc<Projection>,
    mask: ColumnMask,
    late: ColumnMask,
}

impl LiveQueries {
    pub(crate) fn new(limits: LiveLimits) -> Self {
        let (events, inbox) = mpsc::unbounded_channel();
        Self {
            limits,
            events,
            inbox: Mutex::new(Some(inbox)),
            backlog: Arc::default(),
            lost: Arc::default(),
            counters: Arc::default(),
        }
    }

    /// Starts keeping queries true over `store`, until `stop` is cancelled; a second start does nothing.
    pub fn start(&self, store: &Store, stop: CancellationToken) {
        let inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(inbox) = inbox else { return };
        let registry = Registry::new(
            store.clone(),
            self.limits,
            self.events.clone(),
            Backlog { waiting: Arc::clone(&self.backlog), lost: Arc::clone(&self.lost) },
            Arc::clone(&self.counters),
        );
        tokio::spawn(async move {
            tokio::select! {
                () = registry.run(inbox) => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// How much work was made.
    #[must_use]
    pub fn counters(&self) -> &LiveCounters {
        &self.counters
    }

    /// Lets a connection follow the answer to a query; it is sent the answer, or an error.
    pub fn subscribe(&self, subscription: NewSubscription) {
        self.send(Event::Subscribe(Box::new(subscription)));
    }

    /// Ends a connection's following of an answer.
    pub fn unsubscribe(&self, source: SourceId, reference: &str) {
        self.send(Event::Unsubscribe(source, reference.to_owned()));
    }

    /// Tells a connection once all its answers have the change `seq` in them.
    pub fn await_seq(&self, outbox: &Arc<Outbox>, reference: String, seq: Seq) {
        self.send(Event::Await(Arc::clone(outbox), reference, seq));
    }

    /// Sends a connection that was slow the whole answer.
    pub fn catch_up(&self, source: SourceId, reference: Arc<str>) {
        self.send(Event::CatchUp(source, reference));
    }

    /// Ends everything that a connection follows: its rights have changed.
    pub fn end_all(&self, source: SourceId) {
        self.send(Event::RightsChanged(source));
    }

    /// Forgets a connection.
    pub fn leave(&self, source: SourceId) {
        self.send(Event::Gone(source));
    }

    pub(crate) fn reshaped(&self) {
        self.send(Event::Reshaped);
    }

    pub(crate) fn lost_track(&self) {
        self.send(Event::LostTrack);
    }

    pub(crate) fn committed(&self, changes: &[Committed]) {
        self.hand_over(changes.len(), || Event::Committed(changes.iter().map(Landed::of).collect()));
    }

    pub(crate) fn changed_elsewhere(&self, changes: &[FollowedChange]) {
        self.hand_over(changes.len(), || {
            let rows = changes.iter().map(|change| (change.entry.seq, change.entry.key.clone()));
            Event::Elsewhere(rows.collect())
        });
    }

    /// Hands changes over, unless so many wait already that reading every answer again costs less memory.
    fn hand_over(&self, rows: usize, event: impl FnOnce() -> Event) {
        if self.backlog.load(Ordering::Relaxed) > self.limits.backlog {
            if !self.lost.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "changes come faster than live queries take them in; every answer is read again"
                );
            }
            return;
        }
        self.backlog.fetch_add(rows, Ordering::Relaxed);
        self.send(event());
    }

    fn send(&self, event: Event) {
        // Without the task, at the end of the server, nobody follows anything.
        self.events.send(event).ok();
    }
}

impl Landed {
    fn of(change: &Committed) -> Self {
        let event = &change.event;
        let width = event.after.values.len();
        let mask = match event.kind {
            ChangeKind::Insert | ChangeKind::Delete | ChangeKind::Restore => ColumnMask::ALL,
            ChangeKind::Update if event.change.liveness => ColumnMask::ALL,
            ChangeKind::Update => mask_of(&event.change, width),
        };
        Self {
            seq: change.seq,
            key: event.key.clone(),
            before: event.before.clone(),
            after: Arc::clone(&event.after),
            mask,
            late: mask_of(&event.late, width),
        }
    }
}

/// The columns that a change names, in a row of so many values.
fn mask_of(change: &Change, width: usize) -> ColumnMask {
    // The id is the column before the first field; the whole value of an open entity is the last one.
    let fields = change.fields.iter().map(|field| ColumnMask::at(field + 1));
    let whole = change.open.then(|| ColumnMask::at(width));
    fields.chain(whole).fold(ColumnMask::NONE, ColumnMask::union)
}
