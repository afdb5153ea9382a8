//! Rows at rest in PostgreSQL: one database, which several servers may share.
//!
//! Commits of all servers take one lock, in which changes are numbered: a server that reads the log sees every change
//! in its order, and none is missing before another.

mod accounts;
mod append;
mod bind;
mod commit;
mod connect;
mod dump;
mod failure;
mod gather;
mod history;
mod judge;
mod locks;
mod mend;
mod migrate;
mod peers;
mod project;
mod read;
mod references;
mod reshape;
mod restore;
mod tables;
mod tenants;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Manifest};
use corella_query::{Dialect, SearchCheck, Statement};
use corella_rowdoc::{PeerId, Projection, RowKey, Tenant};
use sqlx_core::{error::Error, raw_sql::raw_sql};
use tokio::sync::mpsc;

pub use self::{
    connect::{DatabaseAddress, PostgresOptions},
    failure::OpenError,
};
use self::{
    connect::{Link, Part},
    failure::{is_of_connection, unavailable},
    tables::{Table, Tables},
    tenants::ServingRole,
};
use crate::port::{
    Alone, AstrayWords, Backend, BackendError, ChangeEntry, Clash, DumpScope, Fold, FollowedChange,
    HistoryLine, HistoryScope, Kept, KeptRow, KeptSchema, Mend, MendOutcome, Outcome, OutcomeKey, PeerOwner,
    RestoreOnto, RestoreOutcome, ScannedRow, SchemaAction, SelectedParts, Seq, StoredHead, StoredRow,
    TableDesign, TableRecord, Unit, UnitOutcome,
};

/// Lends a reading connection to a read, which is made again on another one when the connection has died.
///
/// It is no function, because the read borrows both the connection and what it looks for.
macro_rules! reading {
    ($link:expr, $connection:ident => $read:expr) => {{
        let mut tries = $link.tries();
        loop {
            let mut lent = $link.reader().await?;
            let $connection = &mut *lent;
            let outcome = $read.await;
            if let Some(answer) = tries.settle(&mut lent, outcome) {
                break answer;
            }
        }
    }};
}

// By its path, so that the modules above find it.
use reading;

/// Times that a commit is tried whose connection was dead before anything was written.
const MOST_TRIES: usize = 2;

/// A PostgreSQL database of rows.
pub struct PostgresBackend {
    link: Link,
    tables: ArcSwap<Tables>,
    server_peer: PeerId,
    epoch: String,
    /// Whether this process has leased `server_peer`, and may write.
    writes: bool,
    /// Connections of other servers when this process opened the database.
    beside: u64,
    role: ServingRole,
}

/// How long the database may take to notice that a process has ended.
const GOING: Duration = Duration::from_secs(2);

impl PostgresBackend {
    /// Opens the database at `address`, and brings its sidecar tables up to date.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be reached, is too old, or was written by a newer Corella, or while another process
    /// has it for itself.
    pub async fn open(address: &DatabaseAddress, options: PostgresOptions) -> Result<Self, OpenError> {
        Self::open_as(Part::Serve, &[Part::Alone], address, options).await
    }

    /// Opens the database at `address` as [`PostgresBackend::open`] does, for what must not happen under servers.
    ///
    /// Servers of other database users, whose connections this one may not see, are not noticed.
    ///
    /// # Errors
    /// As [`PostgresBackend::open`], and while servers are running on it.
    pub async fn open_alone(address: &DatabaseAddress, options: PostgresOptions) -> Result<Self, OpenError> {
        Self::open_as(Part::Alone, &[Part::Alone, Part::Serve], address, options).await
    }

    async fn open_as(
        part: Part,
        not_beside: &[Part],
        address: &DatabaseAddress,
        options: PostgresOptions,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Database { database: address.to_string(), source };
        let link = Link::new(address, options, part);
        let mut connection = link.connect().await.map_err(failed)?;
        let names: Vec<&str> = not_beside.iter().map(|part| part.name()).collect();
        let patient_until = Instant::now() + GOING;
        while connect::others(&mut connection, &names).await.map_err(failed)? > 0 {
            if Instant::now() > patient_until {
                return Err(OpenError::InUse(address.to_string()));
            }
            tokio::time::sleep(GOING / 20).await;
        }
        let beside =
            connect::others(&mut connection, &[Part::Serve.name()]).await.map_err(failed)?.unsigned_abs();
        migrate::run(&mut connection, address).await?;
        let epoch = migrate::epoch(&mut connection).await.map_err(failed)?;
        let role = ServingRole::find(&mut connection).await.map_err(failed)?;
        if role == ServingRole::Own {
            tracing::warn!(
                "there is no database role corella_tenant that this user may take: row-level security binds it only \
                 where it is no superuser (docs/operations.md)"
            );
        }
        let server_peer = migrate::lease_peer(&mut connection).await.map_err(failed)?;
        Ok(Self { link, tables: ArcSwap::default(), server_peer, epoch, writes: true, beside, role })
    }

    /// Opens the database at `address` for reading, beside servers that may be running.
    ///
    /// # Errors
    /// [`OpenError`] when it cannot be reached, has nothing of Corella's in it, or was written by a newer one.
    pub async fn open_read_only(
        address: &DatabaseAddress,
        options: PostgresOptions,
    ) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Database { database: address.to_string(), source };
        let link = Link::new(address, options, Part::Read);
        let mut connection = link.connect().await.map_err(failed)?;
        migrate::check(&mut connection, address).await?;
        let epoch = migrate::epoch(&mut connection).await.map_err(failed)?;
        let role = ServingRole::find(&mut connection).await.map_err(failed)?;
        let (tables, server_peer) = (ArcSwap::default(), PeerId(0));
        Ok(Self { link, tables, server_peer, epoch, writes: false, beside: 0, role })
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    /// Leased by this process alone.
    fn server_peer(&self) -> PeerId {
        self.server_peer
    }

    fn epoch(&self) -> &str {
        &self.epoch
    }

    fn describe(&self, manifest: &Manifest) {
        self.tables.store(Arc::new(Tables::new(manifest)));
    }

    fn design(&self, entity: &Entity) -> TableDesign {
        Table::new(entity, &[]).design()
    }

    async fn tables(&self) -> Result<Vec<TableRecord>, BackendError> {
        reading!(self.link, connection => reshape::tables(connection))
    }

    async fn schemas(&self) -> Result<Vec<KeptSchema>, BackendError> {
        reading!(self.link, connection => reshape::schemas(connection))
    }

    async fn has_documents(&self, entity: &EntityName) -> Result<bool, BackendError> {
        reading!(self.link, connection => reshape::has_documents(connection, entity))
    }

    async fn reshape(&self, actions: Vec<SchemaAction>) -> Result<Vec<Clash>, BackendError> {
        self.link
            .write(async move |connection| reshape::reshape(connection, &actions).await.map_err(unavailable))
            .await
    }

    async fn other_servers(&self) -> Result<u64, BackendError> {
        Ok(self.beside)
    }

    async fn head(&self, key: &RowKey) -> Result<Option<StoredHead>, BackendError> {
        reading!(self.link, connection => read::head(connection, key))
    }

    async fn load(&self, key: &RowKey) -> Result<Option<StoredRow>, BackendError> {
        match reading!(self.link, connection => read::row(connection, key))? {
            None => Ok(None),
            Some(Ok(row)) => Ok(Some(row)),
            Some(Err(what)) => Err(BackendError::Damaged { key: key.clone(), what }),
        }
    }

    async fn commit(&self, units: &[Unit]) -> Result<Vec<UnitOutcome>, BackendError> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let tables = self.tables.load_full();
        let limit = self.link.patience();
        let mut tries = 1;
        loop {
            let outcome = self
                .link
                .write(async |connection| commit::commit(connection, &tables, self.role, units, limit).await)
                .await;
            match &outcome {
                Err(BackendError::Unavailable(source))
                    if tries < MOST_TRIES && source.downcast_ref().is_some_and(is_of_connection) =>
                {
                    tries += 1;
                }
                Ok(_)
                | Err(
                    BackendError::Unavailable(_)
                    | BackendError::Unknown(_)
                    | BackendError::Full(_)
                    | BackendError::Damaged { .. },
                ) => return outcome,
            }
        }
    }

    async fn fold(&self, fold: Fold) -> Result<(), BackendError> {
        self.link
            .write(async move |connection| commit::fold(connection, &fold).await.map_err(unavailable))
            .await
    }

    async fn history(&self, key: &RowKey, scope: HistoryScope) -> Result<Vec<HistoryLine>, BackendError> {
        reading!(self.link, connection => history::lines(connection, key, scope))
    }

    async fn select_all(&self, queries: Vec<(Entity, Statement)>) -> Result<SelectedParts, BackendError> {
        reading!(self.link, connection => read::select(connection, self.role, &queries))
    }

    async fn scan(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<ScannedRow>, BackendError> {
        let tables = self.tables.load_full();
        let table = tables.get(&entity.name)?;
        reading!(self.link, connection => read::scan(connection, table, entity, after, limit))
    }

    async fn documents(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Result<StoredRow, String>)>, BackendError> {
        reading!(self.link, connection => read::documents(connection, entity, after, limit))
    }

    async fn count_documents(&self, entity: &EntityName) -> Result<u64, BackendError> {
        reading!(self.link, connection => reshape::count_documents(connection, entity))
    }

    async fn orphans(&self, entity: &Entity) -> Result<Vec<RowKey>, BackendError> {
        reading!(self.link, connection => read::orphans(connection, entity))
    }

    async fn astray_words(&self, entity: &Entity, check: SearchCheck) -> Result<AstrayWords, BackendError> {
        reading!(self.link, connection => read::astray_words(connection, entity, &check))
    }

    async fn reproject(
        &self,
        entity: &Entity,
        rows: Vec<(RowKey, Seq, Projection)>,
    ) -> Result<(), BackendError> {
        let tables = self.tables.load_full();
        let table = tables.get(&entity.name)?;
        self.link
            .write(async |connection| project::reproject(connection, table, &rows).await.map_err(unavailable))
            .await
    }

    async fn changes(&self, since: Seq, limit: usize) -> Result<Vec<ChangeEntry>, BackendError> {
        reading!(self.link, connection => read::changes(connection, since, limit))
    }

    async fn follow(&self, since: Seq, limit: usize) -> Result<Vec<FollowedChange>, BackendError> {
        reading!(self.link, connection => read::follow(connection, since, limit))
    }

    async fn outcome(&self, key: &OutcomeKey) -> Result<Option<Outcome>, BackendError> {
        reading!(self.link, connection => read::outcome(connection, key))
    }

    async fn last_seq(&self) -> Result<Seq, BackendError> {
        reading!(self.link, connection => read::last_seq(connection))
    }

    /// Takes a connection of its own, since it may last long.
    async fn dump(&self, scope: DumpScope, pieces: mpsc::Sender<Kept>) -> Result<(), BackendError> {
        let mut connection = self.link.connect().await.map_err(unavailable)?;
        dump::dump(&mut connection, &scope, &pieces).await.map_err(unavailable)
    }

    async fn restore(
        &self,
        pieces: mpsc::Receiver<Kept>,
        onto: RestoreOnto,
    ) -> Result<RestoreOutcome, BackendError> {
        self.link
            .write(async move |connection| {
                restore::restore(connection, pieces, onto).await.map_err(unavailable)
            })
            .await
    }

    async fn kept(&self, key: &RowKey) -> Result<Option<KeptRow>, BackendError> {
        reading!(self.link, connection => dump::kept(connection, key))
    }

    async fn mend(&self, mend: Mend) -> Result<MendOutcome, BackendError> {
        let tables = self.tables.load_full();
        let table = tables.get(&mend.key.entity)?;
        self.link
            .write(async |connection| mend::mend(connection, table, &mend).await.map_err(unavailable))
            .await
    }

    async fn take_out(&self, entity: &Entity, keys: Vec<RowKey>, what: String) -> Result<(), BackendError> {
        let tables = self.tables.load_full();
        let table = tables.get(&entity.name)?;
        self.link
            .write(async |connection| {
                mend::take_out(connection, table, entity, &keys, &what).await.map_err(unavailable)
            })
            .await
    }

    async fn own_peers(
        &self,
        tenant: &Tenant,
        owner: Option<&str>,
        peers: &[PeerId],
    ) -> Result<Vec<PeerOwner>, BackendError> {
        self.link
            .write(async |connection| peers::own(connection, tenant, owner, peers).await.map_err(unavailable))
            .await
    }

    async fn renew_peer(&self) -> Result<(), BackendError> {
        self.link.write(async |connection| migrate::forget_peers(connection).await.map_err(unavailable)).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// Takes a connection of its own, because those of the pool are needed for the work itself.
    async fn alone(&self) -> Result<Alone, BackendError> {
        let wait = async || -> Result<Alone, Error> {
            let mut connection = self.link.connect().await?;
            raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await?;
            raw_sql(locks::STARTING).execute(&mut connection).await?;
            let alone: Alone = Box::new(connection);
            Ok(alone)
        };
        wait().await.map_err(unavailable)
    }

    async fn close(&self) {
        if self.writes {
            let peer = self.server_peer;
            let returned = self
                .link
                .write(async move |connection| {
                    migrate::return_peer(connection, peer).await.map_err(unavailable)
                })
                .await;
            if let Err(error) = returned {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the server's peer id is not given back"
                );
            }
        }
        self.link.close().await;
    }
}
