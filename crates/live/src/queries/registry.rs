//! The task that keeps queries true: what it knows, and what it does when it hears something.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use corella_manifest::{EntityName, Manifest};
use corella_query::{
    ColumnMask, Query,
    maintain::{Lookup, QueryId, WindowSize},
};
use corella_rowdoc::Tenant;
use corella_store::{ReadError, SourceId, Store, port::Seq};
use corella_wire::ErrorCode;
use tokio::sync::mpsc;

use super::{
    Event, Interest,
    answer::{Answer, Extent},
    counters::{Count, LiveCounters},
    entity::Entity,
    limits::LiveLimits,
    parts::Parts,
    query::{Identity, LiveQuery, Subscription},
    reading::Read,
    steps::{StepOwner, steps_of},
    subscribing::refuse,
};
use crate::outbox::Outbox;

/// How often what is idle is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a task of the registry's own has read.
pub(super) enum Told {
    /// The rows of a query, whether there are more, and the last change in them.
    Rows(QueryId, Result<Read, ReadError>),
    /// The rows that changed since a subscription was last told, up to a change; `None` when that is not known.
    Log(Subscription, Option<(HashSet<Arc<str>>, Seq)>),
}

/// Changes on their way to the registry.
pub(super) struct Backlog {
    /// How many wait to be taken in.
    pub(super) waiting: Arc<AtomicUsize>,
    /// Whether so many waited that others were not handed over.
    pub(super) lost: Arc<AtomicBool>,
}

/// Everything that is followed on one server.
pub(super) struct Registry {
    pub(super) store: Store,
    pub(super) limits: LiveLimits,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) backlog: Backlog,
    pub(super) counters: Arc<LiveCounters>,
    /// How many answers are being read.
    pub(super) reads: usize,
    /// Queries whose rows are to be read when it is their turn.
    pub(super) to_read: VecDeque<QueryId>,
    /// Each in a place of its own, so that those that are free in the map cost little.
    pub(super) queries: HashMap<QueryId, Box<LiveQuery>>,
    pub(super) entities: HashMap<(Tenant, EntityName), Entity>,
    pub(super) connections: HashMap<SourceId, Connection>,
    /// Which query is kept true for those who ask for the same.
    pub(super) by_identity: HashMap<(Tenant, Identity), QueryId>,
    /// The manifest that was served when a query last came, and its fingerprint.
    pub(super) schema: Option<(Arc<Manifest>, String)>,
    tenants: HashMap<Tenant, Usage>,
    /// Queries that nobody follows, since when.
    pub(super) idle: VecDeque<(Instant, QueryId)>,
    pub(super) next_query: u64,
    /// Which step of which query an index of another entity means.
    pub(super) step_owners: HashMap<QueryId, StepOwner>,
    /// Which part of which query an index of its entity means.
    pub(super) part_owners: HashMap<QueryId, (QueryId, usize)>,
    /// Queries of which something has to be looked up.
    pub(super) doubted: BTreeSet<QueryId>,
    /// The last change that was taken in.
    pub(super) position: Seq,
    /// Queries whose answer changed since it was last told.
    pub(super) dirty: BTreeSet<QueryId>,
    /// Who wants to hear when a change is in all its answers.
    pub(super) awaiting: Vec<(Arc<Outbox>, String, Seq)>,
}

/// A connection that follows something.
pub(super) struct Connection {
    pub(super) outbox: Arc<Outbox>,
    pub(super) subscriptions: HashMap<Arc<str>, QueryId>,
    /// Those of them that wait for a whole answer.
    pub(super) pending: HashSet<Arc<str>>,
}

impl Connection {
    /// Notes that the connection does not wait for this answer any more.
    pub(super) fn answered(&mut self, reference: &str) {
        self.pending.remove(reference);
        if self.pending.is_empty() {
            // Once all answers are there, few are waited for again.
            self.pending = HashSet::new();
        }
    }
}

/// What one tenant takes.
#[derive(Default)]
struct Usage {
    queries: usize,
    bytes: usize,
}

/// Why an answer is refused or ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{1}")]
pub struct Refused(pub ErrorCode, pub String);

impl Registry {
    pub(super) fn new(
        store: Store,
        limits: LiveLimits,
        events: mpsc::UnboundedSender<Event>,
        backlog: Backlog,
        counters: Arc<LiveCounters>,
    ) -> Self {
        Self {
            store,
            limits,
            events,
            backlog,
            counters,
            reads: 0,
            to_read: VecDeque::new(),
            queries: HashMap::new(),
            entities: HashMap::new(),
            connections: HashMap::new(),
            by_identity: HashMap::new(),
            schema: None,
            tenants: HashMap::new(),
            idle: VecDeque::new(),
            next_query: 0,
            step_owners: HashMap::new(),
            part_owners: HashMap::new(),
            doubted: BTreeSet::new(),
            position: Seq::ZERO,
            dirty: BTreeSet::new(),
            awaiting: Vec::new(),
        }
    }

    /// Takes in what comes, for ever.
    pub(super) async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Event>) {
        // Changes that are handed over from here on are later than this, or told of twice.
        if let Ok(seq) = self.store.last_seq().await {
            self.position = seq;
        }
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                event = inbox.recv() => match event {
                    Some(event) => {
                        self.hear(event).await;
                        let waiting = self.backlog.waiting.load(Ordering::Relaxed);
                        if waiting <= self.limits.backlog && self.backlog.lost.swap(false, Ordering::Relaxed) {
                            self.read_all_again().await;
                        }
                    }
                    None => return,
                },
                _ = ticks.tick() => self.tidy(Instant::now()),
            }
        }
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Committed(changes) => {
                self.backlog.waiting.fetch_sub(changes.len(), Ordering::Relaxed);
                self.take_in_commit(changes).await;
            }
            Event::Elsewhere(changes) => {
                self.backlog.waiting.fetch_sub(changes.len(), Ordering::Relaxed);
                self.take_in_elsewhere(changes).await;
            }
            Event::LostTrack => self.read_all_again().await,
            Event::Reshaped => {
                let detail = "the manifest has changed; subscribe again";
                let all: Vec<QueryId> = self.queries.keys().copied().collect();
                for query in all {
                    self.end(query, &Refused(ErrorCode::QueryEnded, detail.into()));
                }
            }
            Event::Subscribe(subscription) => self.subscribe(*subscription),
            Event::Unsubscribe(source, reference) => self.unsubscribe(source, &reference),
            Event::Await(outbox, reference, seq) => self.awaiting.push((outbox, reference, seq)),
            Event::CatchUp(source, reference) => self.catch_up(source, reference),
            Event::RightsChanged(source) => self.end_all_of_connection(source),
            Event::Gone(source) => {
                let connection = self.connections.remove(&source);
                for (reference, query) in connection.into_iter().flat_map(|gone| gone.subscriptions) {
                    self.part(query, &Subscription { source, reference });
                }
                self.awaiting.retain(|(outbox, ..)| outbox.source() != source);
            }
            Event::Told(Told::Rows(query, read)) => {
                self.reads -= 1;
                self.read_next();
                self.take_in_rows(query, read);
                self.settle_doubts().await;
            }
            Event::Told(Told::Log(subscription, log)) => self.take_in_log(&subscription, log),
        }
        self.tell();
    }

    /// Keeps another query true from now on.
    pub(super) fn add(
        &mut self,
        tenant: Tenant,
        identity: Identity,
        query: Query,
        interest: Interest,
    ) -> Result<QueryId, Refused> {
        self.make_room(&tenant);
        let usage = self.tenants.entry(tenant.clone()).or_default();
        let (most, most_bytes) = (self.limits.queries, self.limits.bytes);
        if usage.queries >= most {
            let detail = format!("expected at most {most} different live queries at the same time");
            return Err(Refused(ErrorCode::TooManyQueries, detail));
        }
        if usage.bytes >= most_bytes {
            let detail = format!("the rows of live queries may take {most_bytes} bytes, and take as many");
            return Err(Refused(ErrorCode::TooManyQueries, detail));
        }
        let place = (tenant.clone(), query.entity().clone());
        let entity = self.entities.entry(place).or_default();
        let alike = entity.alike.get_or_insert_with(|| query.clone());
        let query = query.sharing(alike);
        let mut next = || {
            self.next_query += 1;
            QueryId(self.next_query)
        };
        let steps = steps_of(query.filter(), &self.store, &mut next);
        let parts = Parts::of(&query, &self.store, &mut next);
        let lookup = if steps.is_empty() { Lookup::of(query.filter()) } else { Lookup::By(Vec::new()) };
        let most = self.limits.scanned;
        if lookup == Lookup::Scan && entity.index.size().scanned >= most {
            return Err(Refused::unindexed(most, query.entity()));
        }
        usage.queries += 1;
        let id = next();
        let mask = query.mask();
        let words = query.search().into_iter().flat_map(|search| search.columns()).collect();
        let order: ColumnMask = query.order().iter().map(|term| &term.column).collect();
        let placing = query.finding().union(order);
        entity.queries += 1;
        entity.needs = entity.needs.union(mask);
        entity.index.insert(id, &lookup);
        let extent = match (query.aggregation().is_some(), query.is_limited()) {
            (true, _) => Extent::All(self.limits.grouped_rows),
            (false, false) => Extent::All(self.limits.rows),
            (false, true) => {
                let shown = usize::try_from(query.limit().get()).unwrap_or(usize::MAX);
                Extent::Window(WindowSize::of(shown))
            }
        };
        let live = LiveQuery {
            id,
            tenant,
            identity,
            query,
            lookup: (!steps.is_empty()).then(|| Box::new(lookup)),
            steps,
            parts,
            doubt: None,
            mask,
            documents: matches!(interest, Interest::Documents).then(Box::default),
            words,
            placing,
            extent,
            answer: None,
            reading: None,
            is_queued: false,
            read_again: false,
            is_astray: false,
            read_at: Seq::ZERO,
            settled_from: Seq::ZERO,
            followers: Vec::new(),
            waiting: Vec::new(),
            idle_since: None,
            bytes: 0,
        };
        self.queries.insert(id, Box::new(live));
        self.enter_steps(id);
        self.counters.add(Count::Reads, 1);
        self.start_reading(id);
        Ok(id)
    }

    /// Ends a query for all who follow it.
    pub(super) fn end(&mut self, id: QueryId, refused: &Refused) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let followers =
            std::mem::take(&mut query.followers).into_iter().map(|follower| follower.subscription);
        let waiting = std::mem::take(&mut query.waiting).into_iter().map(|waiting| waiting.subscription);
        for Subscription { source, reference } in followers.chain(waiting) {
            let Some(connection) = self.connections.get_mut(&source) else { continue };
            connection.subscriptions.remove(&reference);
            connection.pending.remove(&reference);
            refuse(&connection.outbox, &reference, refused);
            if connection.subscriptions.is_empty() {
                self.connections.remove(&source);
            }
        }
        self.remove(id);
    }

    /// Forgets a query that nobody follows.
    fn remove(&mut self, id: QueryId) {
        let Some(query) = self.queries.remove(&id) else { return };
        self.dirty.remove(&id);
        self.doubted.remove(&id);
        self.leave_steps(&query);
        self.by_identity.remove(&(query.tenant.clone(), query.identity));
        if let Some(usage) = self.tenants.get_mut(&query.tenant) {
            usage.queries -= 1;
            usage.bytes = usage.bytes.saturating_sub(query.bytes);
            if usage.queries == 0 {
                self.tenants.remove(&query.tenant);
            }
        }
        let place = (query.tenant.clone(), query.query.entity().clone());
        let Some(entity) = self.entities.get_mut(&place) else { return };
        query.leave_index(&mut entity.index);
        entity.reading.retain(|reading| *reading != id);
        for row in query.answer.iter().flat_map(Answer::held) {
            entity.lets_go(&row, id);
        }
        entity.queries -= 1;
        if entity.is_idle() {
            self.entities.remove(&place);
        }
    }

    /// Counts the bytes of a query's rows anew.
    pub(super) fn weigh(&mut self, id: QueryId, before: usize) {
        let Some(query) = self.queries.get(&id) else { return };
        if let Some(usage) = self.tenants.get_mut(&query.tenant) {
            usage.bytes = (usage.bytes + query.bytes).saturating_sub(before);
        }
    }

    /// Forgets idle queries of a tenant that is at its limit.
    fn make_room(&mut self, tenant: &Tenant) {
        let is_full = self
            .tenants
            .get(tenant)
            .is_some_and(|usage| usage.queries >= self.limits.queries || usage.bytes >= self.limits.bytes);
        if is_full {
            let idle: Vec<QueryId> = self
                .queries
                .values()
                .filter(|query| query.tenant == *tenant && query.idle_since.is_some())
                .map(|query| query.id)
                .collect();
            for id in idle {
                self.remove(id);
            }
        }
    }

    /// Forgets what has been idle for long, and tells how large everything is.
    fn tidy(&mut self, now: Instant) {
        while let Some((since, id)) = self.idle.front().copied() {
            if now.duration_since(since) < self.limits.idle {
                break;
            }
            self.idle.pop_front();
            let is_idle = self.queries.get(&id).is_some_and(|query| query.idle_since == Some(since));
            if is_idle {
                self.remove(id);
            }
        }
        let templates: usize = self.entities.values().map(|entity| entity.index.size().templates).sum();
        let scanned: usize = self.entities.values().map(|entity| entity.index.size().scanned).sum();
        let bytes: usize = self.tenants.values().map(|usage| usage.bytes).sum();
        for (name, number) in [
            ("corella_live_queries", self.queries.len()),
            ("corella_live_templates", templates),
            ("corella_live_scanned_queries", scanned),
            ("corella_live_bytes", bytes),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "a gauge")]
            metrics::gauge!(name).set(number as f64);
        }
    }
}
