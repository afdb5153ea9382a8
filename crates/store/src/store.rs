//! The store: every row of one database.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use corella_manifest::{Entity, EntityName, Manifest};
use corella_query::{ColumnMask, Dialect, PartOf, Query, QueryParts};
use corella_rowdoc::{Change, PeerId, Projection, RowDoc, RowKey, Tenant};
use serde_json::json;
use tokio::sync::{RwLock, Semaphore, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batch,
    cache::{Cache, CacheBudget},
    committer::{CommitSink, Committer},
    error::{ReadError, StartError, WriteError},
    follow::{FollowInterval, Follower},
    guard::RowGuard,
    included::{bounded, other_columns},
    job::{Idempotency, Job, Reply, Write, Written},
    late::{LateDelay, LateRows},
    model::{EntityModel, Model},
    peers::Peers,
    port::{AccountBook, Backend, BackendError, Outcome, SelectedParts, Seq, StoredRow, TableRow},
    resident::{Loaded, Queued, Resident, Slot, Tail},
    schema::{self, Consent, Filling, KnownSchemas, SchemaMismatch, Waited},
};

/// Folds that run at the same time.
const FOLDS: usize = 1;
/// Rows that are looked at as they were at the same time.
const LOOKS_BACK: usize = 2;

/// How a store is to run.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreOptions {
    /// How much memory documents may take.
    pub cache: CacheBudget,
    /// How long the line of a large text may be behind its document.
    pub late: LateDelay,
    /// How often a shared database is asked what other servers have written.
    pub follow: FollowInterval,
}

/// Every row of one database; cheap to clone.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) backend: Arc<dyn Backend>,
    /// Held for reading while rows are written or queried, for writing while the tables take another shape.
    pub(crate) serving: RwLock<()>,
    pub(crate) model: ArcSwap<Model>,
    pub(crate) cache: Cache,
    pub(crate) committer: Committer,
    pub(crate) sink: Arc<dyn CommitSink>,
    pub(crate) folds: Arc<Semaphore>,
    /// Held while a whole document is loaded to look at it as it was.
    pub(crate) looks_back: Arc<Semaphore>,
    /// The rows whose lines are behind their documents.
    pub(crate) late: LateRows,
    pub(crate) late_delay: LateDelay,
    /// The tasks that work off rows; closed at shutdown, and waited for.
    pub(crate) tasks: TaskTracker,
    /// Says that no line may wait any longer.
    pub(crate) closing: CancellationToken,
    pub(crate) peers: Peers,
    /// The tables that are being filled from their documents.
    pub(crate) filling: Filling,
    /// The schemas for which clients may have been made.
    schemas: ArcSwap<KnownSchemas>,
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<TableRow>,
    /// Where the next page starts; `None` at the end.
    pub cursor: Option<String>,
    /// The rows that they bring with them, by part, in the order of [`Query::chains`].
    pub parts: Vec<Vec<TableRow>>,
    /// The last change that the page has in it.
    pub seq: Seq,
}

impl Store {
    /// Starts a store over `backend`, with the tables that `manifest` declares. Tables that have to be filled from their
    /// documents are filled while the store serves.
    ///
    /// # Errors
    /// [`StartError`] when the manifest asks for what rows do not offer or would lose something that the database has,
    /// or the database fails.
    pub async fn start(
        backend: Arc<dyn Backend>,
        manifest: Arc<Manifest>,
        sink: Arc<dyn CommitSink>,
        options: StoreOptions,
    ) -> Result<Self, StartError> {
        let model = Model::new(manifest, 0)?;
        let follower = match backend.is_shared() {
            true => Some(Follower::new(backend.last_seq().await?, options.follow)),
            false => None,
        };
        let committer = Committer::start(Arc::clone(&backend), Arc::clone(&sink), follower)
            .map_err(StartError::Thread)?;
        let inner = Inner {
            backend,
            serving: RwLock::new(()),
            model: ArcSwap::from_pointee(model),
            cache: Cache::new(options.cache),
            committer,
            sink,
            folds: Arc::new(Semaphore::new(FOLDS)),
            looks_back: Arc::new(Semaphore::new(LOOKS_BACK)),
            late: LateRows::default(),
            late_delay: options.late,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            peers: Peers::default(),
            filling: Filling::default(),
            schemas: ArcSwap::default(),
        };
        let store = Self(Arc::new(inner));
        store.bring_tables().await?;
        Ok(store)
    }

    /// Serves another manifest from now on.
    ///
    /// # Errors
    /// As [`Store::start`]; then the old one goes on being served.
    pub async fn replace_manifest(&self, manifest: Arc<Manifest>) -> Result<(), StartError> {
        let _alone = self.0.serving.write().await;
        let old = self.0.model.load_full();
        self.0.model.store(Arc::new(Model::new(manifest, old.generation + 1)?));
        if let Err(error) = self.bring_tables().await {
            self.0.model.store(old);
            return Err(error);
        }
        self.0.sink.reshaped();
        Ok(())
    }

    async fn bring_tables(&self) -> Result<(), StartError> {
        let manifest = self.manifest();
        let _alone = self.0.backend.alone().await?;
        let plan = schema::bring(&*self.0.backend, &manifest, Consent::Additive).await?;
        self.0.filling.begin(&manifest, &plan.behind);
        let known = schema::served_schemas(&*self.0.backend).await?;
        self.0.schemas.store(Arc::new(KnownSchemas::new(&manifest, &known)));
        // An entity that was away from the manifest may have left lines behind.
        self.0.recover_lines().await?;
        self.0.fill_in_background(plan.fill);
        Ok(())
    }

    /// The manifest that is served.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.0.model.load().manifest)
    }

    /// Whether a client that was made for the schema of that fingerprint can work with the one that is served.
    ///
    /// # Errors
    /// [`SchemaMismatch`] says what has changed, or that the schema was never served here.
    pub fn check_schema(&self, fingerprint: &str) -> Result<(), SchemaMismatch> {
        self.0.schemas.load().check(fingerprint)
    }

    /// The entity of that name.
    ///
    /// # Errors
    /// [`ReadError::UnknownEntity`] when the manifest has none.
    pub fn entity(&self, name: &str) -> Result<Arc<Entity>, ReadError> {
        self.0.entity(name).map(|model| model.entity)
    }

    /// Puts a write into its row's queue; `reply` hears what became of it once that is durable.
    ///
    /// Writes of one row are applied in the order in which they were put. A write under an idempotency key that was
    /// used before is answered as it was then.
    pub fn submit(&self, write: Write, reply: Reply) {
        if self.0.tasks.is_closed() {
            return reply.send(Err(WriteError::ShuttingDown));
        }
        let Write { key, change, author, wants_row, idempotency, message } = write;
        let slot = self.0.cache.slot(&key);
        match slot.push(Job { change, author, wants_row, idempotency, message, reply }) {
            Queued::Worked => {}
            Queued::Idle => {
                self.0.tasks.spawn(batch::work(Arc::clone(&self.0), slot));
            }
            Queued::Full(job) => job.reply.send(Err(WriteError::Busy)),
        }
    }

    /// Makes one write; resolves once it is durable, or has been refused and left nothing behind.
    ///
    /// # Errors
    /// [`WriteError`] says what stood in the way.
    pub async fn write(&self, write: Write) -> Result<Written, WriteError> {
        let (send, receive) = oneshot::channel();
        let reply = Reply::new(move |result| {
            send.send(result).ok();
        });
        self.submit(write, reply);
        receive.await.unwrap_or(Err(WriteError::Internal("the write was dropped")))
    }

    /// Takes hold of a row: until the guard is dropped, no change of it is announced.
    pub async fn lock(&self, key: &RowKey) -> RowGuard {
        RowGuard::lock(&self.0, key).await
    }

    /// Runs a query over one entity's table. Whatever was acknowledged before is in the answer.
    ///
    /// No policy is asked: what somebody asks goes through [`Store::list`], or has been [restricted](Store::restrict).
    ///
    /// While the storage is full, large texts that wait for their line are shown from their documents, but found by
    /// what the line says. So are all rows of a table whose columns are being filled, unless the query finds rows by these
    /// columns, or lines may be missing: then the answer waits for them.
    ///
    /// # Errors
    /// [`ReadError`] when the database fails.
    pub async fn select(&self, tenant: &Tenant, query: &Query) -> Result<Page, ReadError> {
        let entity = query.entity();
        let others = other_columns(query);
        let notes = || {
            let notes =
                std::iter::once(entity).chain(others.keys()).map(|entity| self.0.late.last_note(entity));
            notes.collect::<Vec<_>>()
        };
        let note = notes();
        let lines = written(self.0.write_lines_of(entity).await)?;
        for other in others.keys() {
            written(self.0.write_lines_of(other).await)?;
        }
        let (page, standing) = self.page(tenant, query, &others).await?;
        if standing == Waited::Behind || lines == Lines::WaitForRoom {
            let rows = self.0.shown(tenant, entity, page.rows, standing).await?;
            let mut parts = Vec::with_capacity(page.parts.len());
            for (chain, rows) in query.chains().iter().zip(page.parts) {
                let Some(last) = chain.last() else { continue };
                parts.push(self.0.shown(tenant, last.query.entity(), rows, standing).await?);
            }
            return Ok(Page { rows, parts, ..page });
        }
        if notes() == note {
            return Ok(page);
        }
        // Lines have fallen behind again meanwhile. What the first page speaks of is in the second for sure.
        self.0.write_lines_of(entity).await?;
        for other in others.keys() {
            self.0.write_lines_of(other).await?;
        }
        Ok(Page { seq: page.seq, ..self.page(tenant, query, &others).await?.0 })
    }

    /// Reads one row from its table; `None` when it is not there. Whatever was acknowledged before is in the answer.
    ///
    /// No policy is asked: what somebody asks goes through [`Store::see`].
    ///
    /// # Errors
    /// [`ReadError`] when the entity is unknown or the database fails.
    pub async fn row(&self, key: &RowKey) -> Result<(Option<TableRow>, Seq), ReadError> {
        let entity = self.entity(key.entity.as_str())?;
        let parts = QueryParts {
            where_: Some(json!({ "id": key.id.as_str() })),
            limit: Some(1),
            ..QueryParts::default()
        };
        let query =
            Query::of(&entity, parts).map_err(|_| ReadError::Internal("a row's own query is wrong"))?;
        let line = written(self.0.write_line_of(key).await)?;
        let (Page { mut rows, seq, .. }, standing) = self.page(&key.tenant, &query, &BTreeMap::new()).await?;
        if standing == Waited::Behind || line == Lines::WaitForRoom {
            rows = self.0.shown(&key.tenant, &key.entity, rows, standing).await?;
        }
        Ok((rows.pop(), seq))
    }

    /// A page, and how the table stood when it was read; `others` are the columns of other entities by which it is found.
    async fn page(
        &self,
        tenant: &Tenant,
        query: &Query,
        others: &BTreeMap<EntityName, ColumnMask>,
    ) -> Result<(Page, Waited), ReadError> {
        let order: ColumnMask = query.order().iter().map(|term| &term.column).collect();
        let found_by = query.finding().union(order);
        let (_serving, standing) = loop {
            self.0.filling.wait(query.entity(), found_by).await?;
            for (other, found_by) in others {
                self.0.filling.wait(other, *found_by).await?;
            }
            let serving = self.0.serving.read().await;
            let stands = |(other, found_by): (&EntityName, &ColumnMask)| {
                self.0.filling.standing(other, *found_by).is_some()
            };
            if let Some(standing) = self.0.filling.standing(query.entity(), found_by)
                && others.iter().all(stands)
            {
                break (serving, standing);
            }
        };
        let dialect = self.0.backend.dialect();
        let mut asked = self.0.part_statements(tenant, PartOf::Page(query), &query.chains())?;
        let entity = self.entity(query.entity().as_str())?;
        asked.insert(0, (Entity::clone(&entity), query.to_statement(dialect, tenant.as_str())));
        let SelectedParts { parts, seq } = self.0.backend.select_all(asked).await?;
        let mut parts = parts.into_iter();
        let mut rows = parts.next().unwrap_or_default();
        let parts = bounded(parts)?;
        let limit = usize::try_from(query.limit().get()).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let cursor = last.map(|row| query.cursor_after(&row.cells).to_string());
        Ok((Page { rows, cursor, parts, seq }, standing))
    }

    /// Reads these rows of an entity from their table, those that are there, and the last change that they have in them.
    ///
    /// # Errors
    /// As [`Store::select`].
    pub async fn rows(
        &self,
        tenant: &Tenant,
        entity: &EntityName,
        ids: &[&str],
    ) -> Result<(Vec<TableRow>, Seq), ReadError> {
        let entity = self.entity(entity.as_str())?;
        let parts = QueryParts { where_: Some(json!({ "id": { "$in": ids } })), ..QueryParts::default() };
        let query =
            Query::of(&entity, parts).map_err(|_| ReadError::Internal("the query of some rows is wrong"))?;
        let most = u32::try_from(ids.len()).map_err(|_| ReadError::Internal("too many rows at once"))?;
        let page = self.select(tenant, &query.with_rows(most)).await?;
        Ok((page.rows, page.seq))
    }

    /// A row's columns as its document says them, without writing its line, and the last change that they have in them.
    ///
    /// # Errors
    /// [`ReadError`] when the row cannot be read.
    pub async fn image(&self, key: &RowKey) -> Result<(Arc<Projection>, Seq), ReadError> {
        let (seq, columns, _) = self.lock(key).await.columns().await?;
        Ok((columns, seq))
    }

    /// The rows that changed after `since`, and the last of these changes; `None` when the log does not reach back so
    /// far, or has more than `most` changes to tell.
    ///
    /// # Errors
    /// [`ReadError`] when the database fails.
    pub async fn changed_since(
        &self,
        since: Seq,
        most: usize,
    ) -> Result<Option<(Vec<RowKey>, Seq)>, ReadError> {
        let changes = self.0.backend.changes(since, most.saturating_add(1)).await?;
        let upto = match changes.last() {
            Some(last) => last.seq,
            None => self.0.backend.last_seq().await?,
        };
        let reaches_back = changes.first().map_or(since, |first| Seq(first.seq.0 - 1)) == since;
        let is_whole = reaches_back && changes.len() <= most && (!changes.is_empty() || upto == since);
        Ok(is_whole.then(|| (changes.into_iter().map(|entry| entry.key).collect(), upto)))
    }

    /// The last change of all.
    ///
    /// # Errors
    /// [`ReadError`] when the database fails.
    pub async fn last_seq(&self) -> Result<Seq, ReadError> {
        Ok(self.0.backend.last_seq().await?)
    }

    /// The SQL in which the database is asked.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.backend.dialect()
    }

    /// Who has an account and is signed in, in the same database.
    #[must_use]
    pub fn accounts(&self) -> Arc<dyn AccountBook> {
        Arc::<dyn Backend>::clone(&self.0.backend)
    }

    /// The epoch of the database; a cursor of another epoch means nothing here.
    #[must_use]
    pub fn epoch(&self) -> &str {
        self.0.backend.epoch()
    }

    /// Sets the gauges of what is in memory.
    pub fn report(&self) {
        // An alert needs the line before the first row is set aside.
        metrics::counter!("corella_rows_quarantined_total").increment(0);
        self.0.cache.report();
        self.0.filling.report();
    }

    /// Refuses new writes, waits until those that were accepted are durable or refused, and lets go of the database.
    pub async fn close(&self) {
        self.0.tasks.close();
        self.0.closing.cancel();
        self.0.tasks.wait().await;
        self.0.committer.stop().await;
        self.0.backend.close().await;
    }
}

/// Whether late lines are as their documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    Written,
    /// The storage is full.
    WaitForRoom,
}

fn written(result: Result<(), ReadError>) -> Result<Lines, ReadError> {
    match result {
        Ok(()) => Ok(Lines::Written),
        Err(ReadError::Backend(error)) if matches!(*error, BackendError::Full(_)) => Ok(Lines::WaitForRoom),
        Err(error) => Err(error),
    }
}

impl Inner {
    pub(crate) fn entity(&self, name: &str) -> Result<EntityModel, ReadError> {
        let model = self.model.load();
        model.entity(name).cloned().ok_or_else(|| ReadError::UnknownEntity(name.to_owned()))
    }

    /// The row's document, loaded if it was not.
    pub(crate) async fn loaded<'a>(
        &self,
        slot: &Slot,
        resident: &'a mut Resident,
    ) -> Result<&'a mut Loaded, ReadError> {
        let generation = self.model.load().generation;
        if resident.loaded.as_ref().is_some_and(|loaded| loaded.generation != generation) {
            resident.loaded = None;
        }
        match &mut resident.loaded {
            Some(loaded) => {
                metrics::counter!("corella_cache_hits_total").increment(1);
                Ok(loaded)
            }
            empty => {
                metrics::counter!("corella_cache_loads_total").increment(1);
                let model = self.entity(slot.key.entity.as_str())?;
                let stored = self.backend.load(&slot.key).await?;
                Ok(empty.insert(load(&model, &slot.key, stored, self.backend.server_peer(), generation)?))
            }
        }
    }

    /// Drops the document when another server has written to the row since it was loaded; says whether it did.
    pub(crate) async fn refresh(&self, slot: &Slot, resident: &mut Resident) -> Result<bool, ReadError> {
        let (true, Some(loaded)) = (self.backend.is_shared(), &resident.loaded) else { return Ok(false) };
        let stored = self.backend.head(&slot.key).await?;
        let moved = stored.map_or(Seq::ZERO, |stored| stored.head) != loaded.head;
        if moved {
            resident.loaded = None;
        }
        Ok(moved)
    }

    /// The answer that was given under this key, if it was used before.
    pub(crate) async fn replay(&self, idempotency: &Idempotency) -> Result<Option<Written>, WriteError> {
        let Some(outcome) = self.outcome(idempotency).await? else { return Ok(None) };
        let row = serde_json::from_str(&outcome.answer).ok();
        Ok(Some(Written { row, ..Written::earlier(outcome.seq) }))
    }

    /// What was kept under this key, if it was used before for the same request.
    pub(crate) async fn outcome(&self, idempotency: &Idempotency) -> Result<Option<Outcome>, WriteError> {
        let Some(outcome) = self.backend.outcome(&idempotency.key).await? else { return Ok(None) };
        if outcome.request != idempotency.request {
            return Err(WriteError::KeyConflict);
        }
        Ok(Some(outcome))
    }
}

/// Makes a document of stored bytes.
fn load(
    model: &EntityModel,
    key: &RowKey,
    stored: Option<StoredRow>,
    peer: PeerId,
    generation: u64,
) -> Result<Loaded, ReadError> {
    let Some(stored) = stored else {
        let doc = RowDoc::new(Arc::clone(&model.shape), peer);
        let projection = project(&doc, key)?;
        let version = Arc::new(doc.version());
        return Ok(Loaded {
            doc,
            generation,
            head: Seq::ZERO,
            version,
            projection,
            late: Change::default(),
            tail: Tail::default(),
        });
    };
    let deltas: Vec<&[u8]> = stored.tail.iter().map(|entry| &entry.delta[..]).collect();
    let doc = RowDoc::load(Arc::clone(&model.shape), peer, stored.snapshot.as_deref(), &deltas)
        .map_err(|error| quarantined(key, &error))?;
    let projection = project(&doc, key)?;
    let tail = Tail {
        deltas: deltas.len(),
        bytes: deltas.iter().map(|delta| delta.len()).sum(),
        snapshot_bytes: stored.snapshot.as_ref().map_or(0, bytes::Bytes::len),
    };
    let version = Arc::new(doc.version());
    Ok(Loaded { doc, generation, head: stored.head.head, version, projection, late: Change::default(), tail })
}

fn project(doc: &RowDoc, key: &RowKey) -> Result<Arc<Projection>, ReadError> {
    doc.project().map(Arc::new).map_err(|error| quarantined(key, &error))
}

fn quarantined(key: &RowKey, error: &(dyn std::error::Error + 'static)) -> ReadError {
    tracing::error!(row = %key, error, "stored bytes are damaged, the row is set aside");
    metrics::counter!("corella_rows_quarantined_total").increment(1);
    ReadError::Quarantined(key.to_string())
}
