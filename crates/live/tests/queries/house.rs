//! A store with a hub over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use corella_live::{Hub, LiveLimits, PresenceLimits};
use corella_manifest::{EntityName, Manifest};
use corella_policy::Caller;
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{
    Access, Author, CommitSink, FollowInterval, RowChange, Store, StoreOptions, Transaction,
    TransactionError, Write, WriteError,
    port::Backend,
    postgres::{PostgresBackend, PostgresOptions},
    sqlite::{Durability, SqliteBackend},
};
use corella_testkit::StartedPostgres;
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

use crate::follower::Follower;

pub(crate) const MANIFEST: &str = r#"{"manifest_version":1,"name":"live","version":"1","entities":[
    {"name":"Item","fields":[
        {"name":"title","type":"string","optional":true,"crdt":"text"},
        {"name":"state","type":"enum(open,busy,done)","optional":true},
        {"name":"stars","type":"int","optional":true},
        {"name":"votes","type":"int","crdt":"counter","optional":true},
        {"name":"place","type":"float","optional":true},
        {"name":"pinned","type":"bool","optional":true},
        {"name":"due","type":"datetime","optional":true},
        {"name":"owner","type":"string","optional":true},
        {"name":"tags","type":"json","crdt":"list","optional":true},
        {"name":"body","type":"richtext","optional":true},
        {"name":"team","type":"id(Team)","optional":true,"onDelete":"setNull"}],
     "relations":[{"name":"group","target":"Team","field":"team"},
        {"name":"notes","target":"Note","field":"item","many":true}],
     "search":{"text":["title","body"],"language":"english"},
     "indexes":[{"name":"by_state","fields":["state","stars"]}]},
    {"name":"Team","fields":[
        {"name":"name","type":"string","optional":true},
        {"name":"secret","type":"bool","optional":true},
        {"name":"parent","type":"id(Team)","optional":true,"onDelete":"setNull"}],
     "relations":[{"name":"members","target":"Member","field":"team","many":true},
        {"name":"items","target":"Item","field":"team","many":true}]},
    {"name":"Member","fields":[
        {"name":"team","type":"id(Team)","optional":true,"onDelete":"cascade"},
        {"name":"user","type":"string","optional":true}]},
    {"name":"Note","fields":[
        {"name":"item","type":"id(Item)","optional":true,"onDelete":"setNull"},
        {"name":"author","type":"string","optional":true},
        {"name":"text","type":"string","optional":true,"crdt":"text"},
        {"name":"hidden","type":"bool","optional":true}]},
    {"name":"Person","fields":[{"name":"name","type":"string","optional":true}]},
    {"name":"Board","open":true,"fields":[{"name":"title","type":"string","optional":true}]}],
    "policies":[
    {"name":"items","entity":"Item","allowRead":
        "data.state != 'done' || data.owner == auth.userId || exists(Member, {team: data.team, user: auth.userId})"},
    {"name":"teams","entity":"Team","allowRead":
        "data.secret != true || exists(Member, {team: data.id, user: auth.userId})"},
    {"name":"members","entity":"Member","allowRead":
        "data.user == auth.userId || exists(Member, {user: auth.userId, team: 't0'})"},
    {"name":"notes","entity":"Note","allowRead":"data.hidden != true"}]}"#;

/// A store with a hub over it, and a tenant of one test.
pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) hub: Arc<Hub>,
    pub(crate) tenant: Tenant,
    stop: CancellationToken,
    next_source: Arc<AtomicU64>,
    _folder: Option<Arc<tempfile::TempDir>>,
}

impl House {
    pub(crate) async fn sqlite() -> Self {
        Self::sqlite_with(LiveLimits::default()).await
    }

    pub(crate) async fn sqlite_with(limits: LiveLimits) -> Self {
        Self::sqlite_of(fixed_manifest(), limits).await
    }

    pub(crate) async fn sqlite_of(manifest: Manifest, limits: LiveLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Relaxed).unwrap());
        let house = Self::over(backend, manifest, limits).await;
        Self { _folder: Some(Arc::new(folder)), ..house }
    }

    /// A server over a PostgreSQL database, which others may share.
    pub(crate) async fn postgres(database: &str) -> Self {
        Self::postgres_of(database, fixed_manifest()).await
    }

    pub(crate) async fn postgres_of(database: &str, manifest: Manifest) -> Self {
        let backend =
            PostgresBackend::open(&database.parse().unwrap(), PostgresOptions::default()).await.unwrap();
        Self::over(Arc::new(backend), manifest, LiveLimits::default()).await
    }

    pub(crate) fn database() -> String {
        let postgres = StartedPostgres::shared();
        postgres.address(&postgres.database())
    }

    async fn over(backend: Arc<dyn Backend>, manifest: Manifest, limits: LiveLimits) -> Self {
        let hub = Arc::new(Hub::with_limits(PresenceLimits::default(), limits));
        let sink: Arc<dyn CommitSink> = Arc::clone(&hub) as _;
        let follow = FollowInterval(Duration::from_millis(20));
        let options = StoreOptions { follow, ..StoreOptions::default() };
        let store = Store::start(backend, Arc::new(manifest), sink, options).await.unwrap();
        let stop = CancellationToken::new();
        hub.queries().start(&store, stop.clone());
        let next_source = Arc::new(AtomicU64::new(1));
        Self { store, hub, tenant: Tenant::none(), stop, next_source, _folder: None }
    }

    /// The same house for somebody else.
    pub(crate) fn of(&self, tenant: &str) -> Self {
        Self {
            store: self.store.clone(),
            hub: Arc::clone(&self.hub),
            tenant: Tenant::new(tenant),
            stop: self.stop.clone(),
            next_source: Arc::clone(&self.next_source),
            _folder: self._folder.clone(),
        }
    }

    /// Ends everything.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.store.close().await;
    }

    pub(crate) fn key(&self, entity: &str, id: &str) -> RowKey {
        RowKey {
            tenant: self.tenant.clone(),
            entity: EntityName::new(entity).unwrap(),
            id: RowId::new(id).unwrap(),
        }
    }

    /// Makes a change; gives back its place.
    pub(crate) async fn try_write(&self, id: &str, change: RowChange) -> Result<i64, WriteError> {
        self.try_write_of("Item", id, change).await
    }

    /// Makes a change of a row of this entity; gives back its place.
    pub(crate) async fn try_write_of(
        &self,
        entity: &str,
        id: &str,
        change: RowChange,
    ) -> Result<i64, WriteError> {
        let author = Author::trusted("ada");
        let write = Write {
            key: self.key(entity, id),
            change,
            author,
            wants_row: false,
            idempotency: None,
            message: None,
        };
        self.store.write(write).await.map(|written| written.seq.0)
    }

    /// Makes changes of several rows together; gives back the last one's place.
    pub(crate) async fn transact(&self, changes: Vec<(&str, RowChange)>) -> Result<i64, TransactionError> {
        let transaction = Transaction {
            changes: changes.into_iter().map(|(id, change)| (self.key("Item", id), change)).collect(),
            author: Author::trusted("ada"),
            idempotency: None,
            message: None,
        };
        let written = self.store.transact(transaction).await?;
        Ok(written.iter().map(|written| written.seq.0).max().unwrap_or_default())
    }

    pub(crate) async fn insert(&self, id: &str, fields: Json) -> i64 {
        self.try_write(id, RowChange::Insert(object(fields))).await.unwrap()
    }

    /// Makes a row of this entity; gives back the change's place.
    pub(crate) async fn insert_of(&self, entity: &str, id: &str, fields: Json) -> i64 {
        self.try_write_of(entity, id, RowChange::Insert(object(fields))).await.unwrap()
    }

    pub(crate) async fn patch_of(&self, entity: &str, id: &str, fields: Json) -> i64 {
        self.try_write_of(entity, id, RowChange::Patch(object(fields))).await.unwrap()
    }

    pub(crate) async fn delete_of(&self, entity: &str, id: &str) -> i64 {
        self.try_write_of(entity, id, RowChange::Delete).await.unwrap()
    }

    pub(crate) async fn patch(&self, id: &str, fields: Json) -> i64 {
        self.try_write(id, RowChange::Patch(object(fields))).await.unwrap()
    }

    pub(crate) async fn delete(&self, id: &str) -> i64 {
        self.try_write(id, RowChange::Delete).await.unwrap()
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Follower {
        Follower::new(self, self.next_source.fetch_add(1, Ordering::Relaxed))
    }

    /// A connection of somebody who may not read everything.
    pub(crate) fn connect_as(&self, user: &str) -> Follower {
        let caller = Caller { user: Some(user.into()), ..Caller::default() };
        let mut follower = self.connect();
        follower.access = Access::Caller(Arc::new(caller));
        follower
    }
}

fn fixed_manifest() -> Manifest {
    Manifest::parse(MANIFEST).unwrap().manifest
}

pub(crate) fn object(json: Json) -> Map<String, Json> {
    let Json::Object(map) = json else { unreachable!("a test writes {json}") };
    map
}
