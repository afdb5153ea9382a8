//! The task that keeps queries true: what it knows, and what it does when it hears something.

use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use corella_manifest::EntityName;
use corella_query::{
    ColumnMask, Filter, Query,
    maintain::{Lookup, MatchIndex, QueryId, WindowSize},
};
use corella_rowdoc::Tenant;
use corella_store::{ReadError, SourceId, Store, port::Seq};
use corella_wire::{
    ErrorCode,
    control::{ErrorReply, ServerMessage, Since},
};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, mpsc};

use super::{
    Event, NewSubscription,
    answer::{Answer, Extent},
    counters::{Count, LiveCounters},
    limits::LiveLimits,
    parts::Parts,
    query::{Identity, Kept, LiveQuery, Subscription, Waiting},
    reading::Read,
    steps::{Doubt, StepOwner, steps_of},
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
    pub(super) reads: Arc<Semaphore>,
    pub(super) queries: HashMap<QueryId, LiveQuery>,
    pub(super) entities: HashMap<(Tenant, EntityName), Entity>,
    pub(super) connections: HashMap<SourceId, Connection>,
    /// The queries whose restriction depends on rows of an entity.
    pub(super) dependents: HashMap<(Tenant, EntityName), Vec<QueryId>>,
    /// When rows of an entity changed last, as far as it was taken in.
    pub(super) last_changes: HashMap<(Tenant, EntityName), Seq>,
    by_identity: HashMap<(Tenant, Identity), QueryId>,
    tenants: HashMap<Tenant, Usage>,
    idle: VecDeque<(Instant, QueryId)>,
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

/// The queries of one entity of one tenant.
#[derive(Default)]
pub(super) struct Entity {
    pub(super) index: MatchIndex,
    /// Conditions on its rows that queries of other entities have in them.
    pub(super) steps: MatchIndex,
    /// All of these.
    pub(super) all_steps: BTreeSet<QueryId>,
    /// Which queries hold a row.
    pub(super) holders: HashMap<Arc<str>, Vec<QueryId>>,
    /// Parts of queries that have its rows in them, by the values that bring them.
    pub(super) parts: MatchIndex,
    /// All of these.
    pub(super) all_parts: BTreeSet<QueryId>,
    /// Those of queries whose rows are being read.
    pub(super) reading_parts: Vec<QueryId>,
    /// Queries whose rows are being read.
    pub(super) reading: Vec<QueryId>,
    /// One of them, with which the others have their lists of columns in common.
    alike: Option<Query>,
    /// The columns that any of them depends on, or did.
    pub(super) needs: ColumnMask,
    queries: usize,
}

/// A connection that follows something.
pub(super) struct Connection {
    pub(super) outbox: Arc<Outbox>,
    pub(super) subscriptions: HashMap<Arc<str>, QueryId>,
    /// Those of them that wait for a whole answer.
    pub(super) pending: HashSet<Arc<str>>,
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
            reads: Arc::new(Semaphore::new(limits.reads)),
            queries: HashMap::new(),
            entities: HashMap::new(),
            connections: HashMap::new(),
            dependents: HashMap::new(),
            last_changes: HashMap::new(),
            by_identity: HashMap::new(),
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
                self.take_in_rows(query, read);
                self.settle_doubts().await;
            }
            Event::Told(Told::Log(subscription, log)) => self.take_in_log(&subscription, log),
        }
        self.tell();
    }

    fn subscribe(&mut self, new: NewSubscription) {
        let outbox = Arc::clone(&new.outbox);
        let reference = new.reference.clone();
        if let Err(refused) = self.try_subscribe(new) {
            refuse(&outbox, &reference, &refused);
        }
    }

    fn try_subscribe(&mut self, new: NewSubscription) -> Result<(), Refused> {
        let NewSubscription { outbox, reference, tenant, query, memberships, looked_up_at, since } = new;
        if self.has_changed_since(&tenant, &memberships, looked_up_at) {
            return Err(Refused::rights_changed());
        }
        let reference: Arc<str> = reference.into();
        let source = outbox.source();
        let most = self.limits.subscriptions;
        let connection = self.connections.entry(source).or_insert_with(|| Connection {
            outbox,
            subscriptions: HashMap::new(),
            pending: HashSet::new(),
        });
        if connection.subscriptions.contains_key(&reference) {
            let detail =
                format!("expected a ref of its own for each query, found {reference:?} a second time");
            return Err(Refused(ErrorCode::InvalidValue, detail));
        }
        if connection.subscriptions.len() >= most {
            let detail = format!("expected at most {most} live queries on one connection; end some first");
            return Err(Refused(ErrorCode::TooManyQueries, detail));
        }
        // Two callers may see the same rows now, and not after a change of what that depends on.
        let identity = match memberships.as_slice() {
            [] => query.identity(),
            some => format!("{} {some:?}", query.identity()),
        };
        let identity: Identity = Sha256::digest(identity).into();
        let place = (tenant.clone(), identity);
        let id = match self.by_identity.get(&place) {
            Some(id) => *id,
            None => {
                let id = self.add(tenant, identity, query, memberships)?;
                self.by_identity.insert(place, id);
                id
            }
        };
        if let Some(connection) = self.connections.get_mut(&source) {
            connection.subscriptions.insert(Arc::clone(&reference), id);
            connection.pending.insert(Arc::clone(&reference));
        }
        let has_no_parts = self.queries.get(&id).is_some_and(|query| query.parts.is_empty());
        let kept = match since {
            // What its rows bring with them is in no log of its entity.
            Some(since) if since.epoch == self.store.epoch() && has_no_parts => Kept::Unsure(since),
            Some(Since { .. }) | None => Kept::Nothing,
        };
        if let Some(query) = self.queries.get_mut(&id) {
            query.idle_since = None;
            query.waiting.push(Waiting { subscription: Subscription { source, reference }, kept });
        }
        self.dirty.insert(id);
        Ok(())
    }

    /// Keeps another query true from now on.
    fn add(
        &mut self,
        tenant: Tenant,
        identity: Identity,
        query: Query,
        memberships: Vec<(EntityName, Filter)>,
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
        for (entity, _) in &memberships {
            let place = (tenant.clone(), entity.clone());
            self.dependents.entry(place).or_default().push(id);
        }
        let live = LiveQuery {
            id,
            memberships,
            tenant,
            identity,
            query,
            lookup,
            steps,
            parts,
            doubt: Doubt::default(),
            mask,
            words,
            placing,
            extent,
            answer: None,
            reading: None,
            read_again: false,
            is_astray: false,
            read_at: Seq::ZERO,
            settled_from: Seq::ZERO,
            followers: Vec::new(),
            waiting: Vec::new(),
            idle_since: None,
            bytes: 0,
        };
        self.queries.insert(id, live);
        self.enter_steps(id);
        self.counters.add(Count::Reads, 1);
        self.start_reading(id);
        Ok(id)
    }

    pub(super) fn unsubscribe(&mut self, source: SourceId, reference: &str) {
        let Some(connection) = self.connections.get_mut(&source) else { return };
        let Some((reference, query)) = connection.subscriptions.remove_entry(reference) else { return };
        connection.pending.remove(&reference);
        if connection.subscriptions.is_empty() {
            self.connections.remove(&source);
        }
        self.part(query, &Subscription { source, reference });
    }

    /// Takes a subscription out of its query, which is idle when that was the last one.
    fn part(&mut self, id: QueryId, subscription: &Subscription) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        query.followers.retain(|follower| follower.subscription != *subscription);
        query.waiting.retain(|waiting| waiting.subscription != *subscription);
        if query.followers.is_empty() && query.waiting.is_empty() {
            let now = Instant::now();
            query.idle_since = Some(now);
            self.idle.push_back((now, id));
        }
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
        for (entity, _) in &query.memberships {
            let place = (query.tenant.clone(), entity.clone());
            if let Some(dependents) = self.dependents.get_mut(&place) {
                dependents.retain(|dependent| *dependent != id);
                if dependents.is_empty() {
                    self.dependents.remove(&place);
                }
            }
        }
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
        entity.index.remove(id, &query.lookup);
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

impl Entity {
    /// Whether nobody asks about its rows.
    pub(super) fn is_idle(&self) -> bool {
        self.queries == 0 && self.all_steps.is_empty() && self.all_parts.is_empty()
    }

    pub(super) fn holds(&mut self, row: &Arc<str>, query: QueryId) {
        self.holders.entry(Arc::clone(row)).or_default().push(query);
    }

    pub(super) fn lets_go(&mut self, row: &Arc<str>, query: QueryId) {
        if let Some(holders) = self.holders.get_mut(row) {
            holders.retain(|holder| *holder != query);
            if holders.is_empty() {
                self.holders.remove(row);
            }
        }
    }
}

/// Tells a connection that it does not follow a query, or no longer.
pub(super) fn refuse(outbox: &Outbox, reference: &str, Refused(code, detail): &Refused) {
    let mut reply = ErrorReply::new(*code, detail.clone());
    reply.reference = Some(reference.to_owned());
    outbox.push_text(ServerMessage::Error(reply).encode());
}
