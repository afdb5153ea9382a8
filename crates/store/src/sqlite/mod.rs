//! Rows at rest in SQLite: one file, one writer, several readers.

mod accounts;
mod bind;
mod commit;
mod connect;
mod dump;
mod history;
mod mend;
mod migrate;
mod peers;
mod read;
mod references;
mod reshape;
mod restore;
mod tables;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use corella_manifest::{Entity, EntityName, Manifest};
use corella_query::{Dialect, SearchCheck, Statement};
use corella_rowdoc::{PeerId, Projection, RowKey, Tenant};
use rusqlite::Connection;
use tokio::sync::mpsc;

use self::{
    connect::Readers,
    tables::{Table, Tables},
};
pub use crate::durability::Durability;
use crate::port::{
    AstrayWords, Backend, BackendError, ChangeEntry, Clash, DumpScope, Fold, HistoryLine, HistoryScope, Kept,
    KeptRow, KeptSchema, Mend, MendOutcome, Outcome, OutcomeKey, PeerOwner, RestoreOnto, RestoreOutcome,
    ScannedRow, SchemaAction, SelectedParts, Seq, StoredHead, StoredRow, TableDesign, TableRecord, Unit,
    UnitOutcome,
};

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the data folder {} is in use by another Corella process; stop that one first", .0.display())]
    InUse(PathBuf),
    /// A newer Corella wrote it.
    #[error(
        "the database was written by a newer Corella (sidecar version {found}, this binary knows {known}); use that one"
    )]
    Newer {
        /// The version in the database.
        found: i64,
        /// The last version that this binary knows.
        known: i64,
    },
    /// An older Corella wrote it.
    #[error(
        "the database was written by an older Corella (sidecar version {found}, this binary knows {known}); start a server \
         of this version on it first"
    )]
    Older {
        /// The version in the database.
        found: i64,
        /// The version that this binary knows.
        known: i64,
    },
    /// The folder or the file cannot be used.
    #[error("the data folder {} cannot be used", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("the database {} cannot be opened", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

/// A SQLite database of rows.
pub struct SqliteBackend {
    path: PathBuf,
    durability: Durability,
    /// The one connection that writes; `None` after a failure, until it could be opened again. A plain
    /// mutex, held for one transaction, because only the commit thread and background folds ever take it.
    writer: Arc<Mutex<Option<Connection>>>,
    readers: Arc<Readers>,
    tables: Arc<ArcSwap<Tables>>,
    server_peer: PeerId,
    epoch: String,
    /// Keeps other processes out for as long as this one lives.
    _lock: Option<File>,
}

impl SqliteBackend {
    /// The database's file in a data folder.
    #[must_use]
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("corella.db")
    }

    /// Opens the database in `folder`, making both if they are not there, and brings its sidecar tables up to
    /// date.
    ///
    /// # Errors
    /// [`OpenError`] when the folder cannot be used, is used by another process, or holds a newer database.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, OpenError> {
        let folder_error = |source| OpenError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(folder_error)?;
        let lock = File::create(folder.join("corella.lock")).map_err(folder_error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(folder.to_owned())),
            Err(TryLockError::Error(source)) => return Err(folder_error(source)),
        }
        let path = Self::file(folder);
        let database_error = |source| OpenError::Database { path: path.clone(), source };
        let mut writer = connect::writer(&path, durability).map_err(database_error)?;
        migrate::run(&mut writer, &path)?;
        Self::assemble(path.clone(), durability, Some(writer), Some(lock)).map_err(database_error)
    }

    /// Opens the database in `folder` for filling its tables, beside a server that may be running.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or one of another version.
    pub fn open_beside(folder: &Path) -> Result<Self, OpenError> {
        let path = Self::file(folder);
        drop(Self::open_read_only(folder)?);
        let database_error = |source| OpenError::Database { path: path.clone(), source };
        let writer = connect::writer(&path, Durability::Full).map_err(database_error)?;
        migrate::check_present(&writer, &path)?;
        Self::assemble(path.clone(), Durability::Full, Some(writer), None).map_err(database_error)
    }

    /// Opens the database in `folder` for reading, beside a server that may be running.
    ///
    /// # Errors
    /// [`OpenError`] when there is none, or a newer one.
    pub fn open_read_only(folder: &Path) -> Result<Self, OpenError> {
        let path = Self::file(folder);
        if !path.is_file() {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "there is no corella.db in it");
            return Err(OpenError::Folder { path: folder.to_owned(), source });
        }
        let database_error = |source| OpenError::Database { path: path.clone(), source };
        let reader = connect::reader(&path).map_err(database_error)?;
        migrate::check(&reader, &path)?;
        drop(reader);
        Self::assemble(path.clone(), Durability::Full, None, None).map_err(database_error)
    }

    fn assemble(
        path: PathBuf,
        durability: Durability,
        writer: Option<Connection>,
        lock: Option<File>,
    ) -> Result<Self, rusqlite::Error> {
        let readers = Readers::new(path.clone());
        let (epoch, server_peer) = readers.with_now(migrate::identity)?;
        Ok(Self {
            path,
            durability,
            writer: Arc::new(Mutex::new(writer)),
            readers: Arc::new(readers),
            tables: Arc::new(ArcSwap::from_pointee(Tables::default())),
            server_peer,
            epoch,
            _lock: lock,
        })
    }

    /// Runs `work` on the writing connection, off the async threads.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Tables) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, BackendError> {
        let writer = Arc::clone(&self.writer);
        let tables = self.tables.load_full();
        let (path, durability) = (self.path.clone(), self.durability);
        let job = move || with_writer(&writer, &path, durability, |connection| work(connection, &tables));
        tokio::task::spawn_blocking(job).await.map_err(|error| BackendError::Unavailable(error.into()))?
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, BackendError> {
        self.readers.with(work).await
    }
}

/// Lends the writing connection to `work`; after a failure of the database it is opened anew, at once or, where that
/// fails, before the next use.
fn with_writer<T>(
    writer: &Mutex<Option<Connection>>,
    path: &Path,
    durability: Durability,
    work: impl FnOnce(&mut Connection) -> Result<T, BackendError>,
) -> Result<T, BackendError> {
    let mut slot = writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let connection = match &mut *slot {
        Some(connection) => connection,
        empty => empty.insert(reopen(path, durability)?),
    };
    let result = work(connection);
    match &result {
        Ok(_) | Err(BackendError::Full(_) | BackendError::Damaged { .. }) => {}
        Err(BackendError::Unknown(_) | BackendError::Unavailable(_)) => {
            *slot = None;
            *slot = reopen(path, durability)
                .inspect_err(|error| {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "the database cannot be opened again"
                    );
                })
                .ok();
        }
    }
    result
}

/// Opens the writing connection after a failure, and settles what the failed commit left open.
///
/// Its pages may lie in the log, whole, while the connections do not count them: they would come to life at the next
/// recovery. A commit of our own takes their place, so that what is read from here on stays as it is.
fn reopen(path: &Path, durability: Durability) -> Result<Connection, BackendError> {
    let mut connection = connect::writer(path, durability).map_err(bind::unavailable)?;
    migrate::settle(&mut connection).map_err(bind::unavailable)?;
    tracing::warn!("the database was opened again after a failure");
    metrics::counter!("corella_database_reopened_total").increment(1);
    Ok(connection)
}

#[async_trait]
impl Backend for SqliteBackend {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

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
        self.read(reshape::tables).await
    }

    async fn schemas(&self) -> Result<Vec<KeptSchema>, BackendError> {
        self.read(reshape::schemas).await
    }

    async fn has_documents(&self, entity: &EntityName) -> Result<bool, BackendError> {
        let entity = entity.clone();
        self.read(move |connection| reshape::has_documents(connection, &entity)).await
    }

    async fn reshape(&self, actions: Vec<SchemaAction>) -> Result<Vec<Clash>, BackendError> {
        self.write(move |connection, _| reshape::reshape(connection, &actions)).await
    }

    async fn head(&self, key: &RowKey) -> Result<Option<StoredHead>, BackendError> {
        let key = key.clone();
        self.read(move |connection| read::head(connection, &key)).await
    }

    async fn load(&self, key: &RowKey) -> Result<Option<StoredRow>, BackendError> {
        let wanted = key.clone();
        match self.read(move |connection| read::row(connection, &wanted)).await? {
            None => Ok(None),
            Some(Ok(row)) => Ok(Some(row)),
            Some(Err(what)) => Err(BackendError::Damaged { key: key.clone(), what }),
        }
    }

    /// Runs on the caller's thread: the store has a thread of its own for commits.
    async fn commit(&self, units: &[Unit]) -> Result<Vec<UnitOutcome>, BackendError> {
        let tables = self.tables.load();
        with_writer(&self.writer, &self.path, self.durability, |connection| {
            commit::commit(connection, &tables, units)
        })
    }

    async fn fold(&self, fold: Fold) -> Result<(), BackendError> {
        self.write(move |connection, _| commit::fold(connection, &fold)).await
    }

    async fn history(&self, key: &RowKey, scope: HistoryScope) -> Result<Vec<HistoryLine>, BackendError> {
        let key = key.clone();
        self.read(move |connection| history::lines(connection, &key, scope)).await
    }

    async fn select_all(&self, queries: Vec<(Entity, Statement)>) -> Result<SelectedParts, BackendError> {
        self.read(move |connection| read::select(connection, &queries)).await
    }

    async fn scan(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<ScannedRow>, BackendError> {
        let (entity, after, tables) = (entity.clone(), after.cloned(), self.tables.load_full());
        self.read(move |connection| read::scan(connection, &tables, &entity, after.as_ref(), limit)).await
    }

    async fn documents(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Result<StoredRow, String>)>, BackendError> {
        let (entity, after) = (entity.clone(), after.cloned());
        self.read(move |connection| read::documents(connection, &entity, after.as_ref(), limit)).await
    }

    async fn count_documents(&self, entity: &EntityName) -> Result<u64, BackendError> {
        let entity = entity.clone();
        self.read(move |connection| reshape::count_documents(connection, &entity)).await
    }

    async fn orphans(&self, entity: &Entity) -> Result<Vec<RowKey>, BackendError> {
        let entity = entity.clone();
        self.read(move |connection| read::orphans(connection, &entity)).await
    }

    async fn astray_words(&self, entity: &Entity, check: SearchCheck) -> Result<AstrayWords, BackendError> {
        let entity = entity.clone();
        self.read(move |connection| read::astray_words(connection, &entity, &check)).await
    }

    async fn reproject(
        &self,
        entity: &Entity,
        rows: Vec<(RowKey, Seq, Projection)>,
    ) -> Result<(), BackendError> {
        let entity = entity.name.clone();
        self.write(move |connection, tables| commit::reproject(connection, tables, &entity, &rows)).await
    }

    async fn late_rows(&self) -> Result<Vec<RowKey>, BackendError> {
        self.read(read::late_rows).await
    }

    async fn changes(&self, since: Seq, limit: usize) -> Result<Vec<ChangeEntry>, BackendError> {
        self.read(move |connection| read::changes(connection, since, limit)).await
    }

    async fn outcome(&self, key: &OutcomeKey) -> Result<Option<Outcome>, BackendError> {
        let key = key.clone();
        self.read(move |connection| read::outcome(connection, &key)).await
    }

    async fn last_seq(&self) -> Result<Seq, BackendError> {
        self.read(read::last_seq).await
    }
    async fn dump(&self, scope: DumpScope, pieces: mpsc::Sender<Kept>) -> Result<(), BackendError> {
        self.read(move |connection| {
            dump::dump(connection, &scope, |piece| pieces.blocking_send(piece).is_ok())
        })
        .await
    }

    async fn restore(
        &self,
        mut pieces: mpsc::Receiver<Kept>,
        onto: RestoreOnto,
    ) -> Result<RestoreOutcome, BackendError> {
        self.write(move |connection, _| restore::restore(connection, || pieces.blocking_recv(), onto)).await
    }

    async fn kept(&self, key: &RowKey) -> Result<Option<KeptRow>, BackendError> {
        let key = key.clone();
        self.read(move |connection| dump::kept(connection, &key)).await
    }

    async fn mend(&self, mend: Mend) -> Result<MendOutcome, BackendError> {
        self.write(move |connection, tables| mend::mend(connection, tables, &mend)).await
    }

    async fn take_out(&self, entity: &Entity, keys: Vec<RowKey>, what: String) -> Result<(), BackendError> {
        let entity = entity.clone();
        self.write(move |connection, tables| mend::take_out(connection, tables, &entity, &keys, &what)).await
    }

    async fn own_peers(
        &self,
        tenant: &Tenant,
        owner: Option<&str>,
        peers: &[PeerId],
    ) -> Result<Vec<PeerOwner>, BackendError> {
        let (tenant, owner, peers) = (tenant.clone(), owner.map(str::to_owned), peers.to_vec());
        self.write(move |connection, _| peers::own(connection, &tenant, owner.as_deref(), &peers)).await
    }

    async fn renew_peer(&self) -> Result<(), BackendError> {
        self.write(|connection, _| mend::renew_peer(connection)).await
    }
}
