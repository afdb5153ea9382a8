//! What the store asks of a database.
//!
//! A [`Backend`] keeps rows at rest. It speaks of load and of failure only: it never sees a document, never
//! decides whether a write is allowed, and never tells anybody about one. SQLite implements it in
//! [`crate::sqlite`], PostgreSQL in [`crate::postgres`].

mod accounts;
mod history;
mod keep;
mod shape;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use corella_manifest::{Entity, EntityName, FieldName, Manifest, Value};
use corella_query::{Dialect, SearchCheck, Statement};
use corella_rowdoc::{PeerId, Projection, RowId, RowKey, Tenant};
use jiff::Timestamp;
use tokio::sync::mpsc;

pub(crate) use self::accounts::KEEP_ACCESS_CHANGES;
pub use self::accounts::{
    AccessChanges, Account, AccountBook, AccountChange, AccountKey, AddedAccount, EndingSessions, Identity,
    Rights, Session, Standing,
};
pub use self::history::{About, HistoryCut, HistoryLine, HistoryOrder, HistoryScope, Part, Reach};
pub use self::keep::{
    DumpScope, Kept, KeptDelta, KeptOutcome, KeptRow, Mend, MendOutcome, Moment, REPAIR, RestoreOnto,
    RestoreOutcome, Sealed, checksum,
};
pub use self::shape::{
    AstrayWords, Clash, ColumnDesign, IndexDesign, KeptSchema, SchemaAction, TableDesign, TableRecord,
};

/// The place of a change in the order of all changes of one database; the first is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seq(pub i64);

impl Seq {
    /// Before the first change.
    pub const ZERO: Self = Self(0);
}

/// Where a stored document stands, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// The last change of it.
    pub head: Seq,
    /// Its version then, encoded.
    pub head_version: Bytes,
    /// The last change that its snapshot has; [`Seq::ZERO`] without a snapshot.
    pub snapshot: Seq,
    /// The snapshot's version, encoded.
    pub snapshot_version: Bytes,
    /// Whether the row is out of its table.
    pub deleted: bool,
    /// Where its history may be cut later on, as the last [`Fold`] that named a mark has it.
    pub mark: Option<HistoryMark>,
}

/// A version that a document had at a time, from which its history may start one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryMark {
    /// The version, encoded.
    pub version: Bytes,
    /// When the document had it.
    pub at: Timestamp,
}

/// A stored document: its snapshot and what was written since.
#[derive(Debug, Clone)]
pub struct StoredRow {
    /// Where it stands.
    pub head: StoredHead,
    /// The snapshot, if one was made yet.
    pub snapshot: Option<Bytes>,
    /// The deltas since, oldest first.
    pub tail: Vec<TailEntry>,
}

/// One delta of a document's tail.
#[derive(Debug, Clone)]
pub struct TailEntry {
    /// The change that brought it.
    pub seq: Seq,
    /// A Loro update.
    pub delta: Bytes,
}

/// What kind of change a write is, as the change log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The row's first write.
    Insert,
    /// A write to a row that was there.
    Update,
    /// The row left its table.
    Delete,
    /// The row came back.
    Restore,
}

impl ChangeKind {
    /// The word in the change log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Restore => "restore",
        }
    }
}

/// One row's part of a commit.
#[derive(Debug, Clone)]
pub struct RowWrite {
    /// The row.
    pub key: RowKey,
    /// The last change that the writer has seen; the backend refuses the unit when there is a later one.
    pub known_head: Seq,
    /// What to append to the tail.
    pub delta: Bytes,
    /// The document's version afterwards, encoded.
    pub version: Bytes,
    /// The row's columns afterwards.
    pub projection: Arc<Projection>,
    /// How the change log names it.
    pub kind: ChangeKind,
    /// Who wrote it, if known.
    pub author: Option<Arc<str>>,
    /// What is told of it beside that; its kind is `kind`.
    pub about: About,
    /// As [`Reach::Ends`]: how far it led.
    pub ends: Bytes,
    /// Whether the row's line in its table stays as it is for now, and [`Backend::late_rows`] names the row until
    /// [`Backend::reproject`] or a later write brings it up to date. Only for rows that stand in their table; never
    /// when the backend [is shared](Backend::is_shared).
    pub late: bool,
}

/// The answer to keep for an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OutcomeKey {
    /// The author's tenant.
    pub tenant: Tenant,
    /// The author's user id.
    pub author: Arc<str>,
    /// The key that the author chose.
    pub key: Arc<str>,
}

/// An answer that was given under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// A hash of the request that the key was first used with.
    pub request: Bytes,
    /// The change that it made.
    pub seq: Seq,
    /// The answer, as JSON text.
    pub answer: String,
}

/// An answer to be kept with a commit; its seq is the commit's.
#[derive(Debug, Clone)]
pub struct OutcomeWrite {
    /// Whose key.
    pub key: OutcomeKey,
    /// A hash of the request.
    pub request: Bytes,
    /// The answer, as JSON text.
    pub answer: String,
}

/// That one row names another in an `id(…)` field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The row that names.
    pub holder: RowKey,
    /// The field in which it does.
    pub field: FieldName,
    /// The row that is named.
    pub target: RowKey,
}

/// Rows that are committed together or not at all.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The rows' writes, in key order.
    pub writes: Vec<RowWrite>,
    /// What the writes have come to refer to. Once all of them are made, each target has to stand in its table.
    pub references: Vec<Reference>,
    /// Answers to keep.
    pub outcomes: Vec<OutcomeWrite>,
    /// When it was accepted.
    pub at: Timestamp,
}

/// What became of one unit of a commit.
#[derive(Debug)]
pub enum UnitOutcome {
    /// Durable; the changes' places in the order, one per write.
    Committed(Vec<Seq>),
    /// Nothing was written: another node has written to these rows. Merge what it wrote, then try again.
    Stale(Vec<(RowKey, Vec<TailEntry>)>),
    /// Nothing was written: another row holds a value that must be unique.
    NotUnique {
        /// The fields that clash.
        fields: Vec<String>,
        /// The row that holds the value.
        holder: Option<RowId>,
    },
    /// Nothing was written: a row that one of these would name is not there, or is deleted.
    Dangling(Reference),
    /// Nothing was written: a row that would be deleted is named by another, which would stay.
    Held(Reference),
    /// Nothing was written: one of the idempotency keys has been used before.
    KeyUsed,
    /// Nothing was written: this database cannot hold one of the values, such as a long text in an index.
    Unfit {
        /// What stands in the way, in the database's words.
        what: String,
    },
}

/// Why a backend could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// There is no room left; what was stored before is intact.
    #[error("the storage is full; free some space, then try again")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A commit failed in a way that leaves open whether it is durable.
    #[error("the commit failed, and whether it is durable is unknown; read the row again before repeating")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Stored bytes are not what was written.
    #[error("the stored bytes of {key} are damaged: {what}")]
    Damaged {
        /// The row.
        key: RowKey,
        /// What is wrong with them.
        what: String,
    },
    /// The database did not do its part.
    #[error("the database failed")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A document's new snapshot, which takes the place of the old one and of a part of the tail.
#[derive(Debug, Clone)]
pub struct Fold {
    /// The row.
    pub key: RowKey,
    /// The last change that the snapshot has.
    pub upto: Seq,
    /// The snapshot.
    pub snapshot: Bytes,
    /// Its version, encoded.
    pub version: Bytes,
    /// The mark to remember from now on; `None` leaves the one that there is.
    pub mark: Option<HistoryMark>,
    /// Which changes are forgotten with the history that the snapshot lacks; `None` keeps all.
    pub cut: Option<HistoryCut>,
}

/// One line of the change log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeEntry {
    /// Its place in the order.
    pub seq: Seq,
    /// The row.
    pub key: RowKey,
    /// What happened, as [`ChangeKind::as_str`] says it.
    pub kind: String,
}

/// A row of an app's table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// The row's id, then its columns in the order of the entity's fields, then `value` when the entity is open; behind them
    /// how well the row fits the words that a query looks for, where that is in its order.
    pub cells: Vec<Value>,
}

impl TableRow {
    /// The row's id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self.cells.first() {
            Some(Value::Text(id)) => id,
            _ => "",
        }
    }

    /// The columns without the id.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        self.cells.get(1..).unwrap_or_default()
    }
}

/// Whose a peer id is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerOwner {
    /// Nobody's yet.
    Nobody,
    /// This user's.
    User(Arc<str>),
    /// That of a server which writes under it.
    Server,
}

/// Rows at rest.
///
/// Every method may be called from any task at any time, [`Backend::commit`] from one task only.
#[async_trait]
pub trait Backend: AccountBook + Send + Sync + 'static {
    /// The SQL that [`Backend::select`] takes.
    fn dialect(&self) -> Dialect;

    /// The peer id under which this server writes; new after a restore.
    fn server_peer(&self) -> PeerId;

    /// The epoch of this database; new after a restore.
    fn epoch(&self) -> &str;

    /// Whether other servers may write to the same database while this one does.
    ///
    /// Then no line is written late, since the others would read it.
    fn is_shared(&self) -> bool {
        false
    }

    /// Learns the tables that `manifest` declares without touching the database.
    fn describe(&self, manifest: &Manifest);

    /// The table that holds the rows of an entity so declared.
    fn design(&self, entity: &Entity) -> TableDesign;

    /// The tables that the database has, in no order.
    async fn tables(&self) -> Result<Vec<TableRecord>, BackendError>;

    /// The schemas that the database was brought to, the present one first.
    async fn schemas(&self) -> Result<Vec<KeptSchema>, BackendError>;

    /// Whether there are documents of an entity, declared or not.
    async fn has_documents(&self, entity: &EntityName) -> Result<bool, BackendError>;

    /// Makes all of `actions` in one transaction and in their order. The first rows that clash end it: then nothing was
    /// done, and they are told.
    async fn reshape(&self, actions: Vec<SchemaAction>) -> Result<Vec<Clash>, BackendError>;

    /// How many connections other servers had to the database when it was opened, as far as this one may see.
    async fn other_servers(&self) -> Result<u64, BackendError> {
        Ok(0)
    }

    /// Where a row stands, without its bytes; `None` when it was never written.
    async fn head(&self, key: &RowKey) -> Result<Option<StoredHead>, BackendError>;

    /// A row's bytes, all from one moment; `None` when it was never written.
    async fn load(&self, key: &RowKey) -> Result<Option<StoredRow>, BackendError>;

    /// Commits `units` in one transaction, each all or nothing.
    ///
    /// What comes back is one outcome per unit, durable when it says so.
    ///
    /// # Errors
    /// [`BackendError::Unknown`] when the transaction's end was not seen; then any of the units may be there.
    async fn commit(&self, units: &[Unit]) -> Result<Vec<UnitOutcome>, BackendError>;

    /// Puts a new snapshot in the place of the tail up to `fold.upto`, unless a later snapshot is there. What is told of
    /// the changes in that tail stays.
    async fn fold(&self, fold: Fold) -> Result<(), BackendError>;

    /// What is told of a row's changes.
    async fn history(&self, key: &RowKey, scope: HistoryScope) -> Result<Vec<HistoryLine>, BackendError>;

    /// Runs a query over one entity's table.
    async fn select(&self, entity: &Entity, statement: Statement) -> Result<Selected, BackendError> {
        let SelectedParts { mut parts, seq } = self.select_all(vec![(entity.clone(), statement)]).await?;
        Ok(Selected { rows: parts.pop().unwrap_or_default(), seq })
    }

    /// Runs several queries, each over one entity's table, all at one moment.
    async fn select_all(&self, queries: Vec<(Entity, Statement)>) -> Result<SelectedParts, BackendError>;

    /// Up to `limit` rows of one entity after `after` in key order, each with its bytes and with what stands in
    /// its table, both from one moment.
    async fn scan(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<ScannedRow>, BackendError>;

    /// Up to `limit` documents of one entity after `after` in key order, or what is wrong with their bytes.
    async fn documents(
        &self,
        entity: &Entity,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, Result<StoredRow, String>)>, BackendError>;

    /// How many documents of an entity there are.
    async fn count_documents(&self, entity: &EntityName) -> Result<u64, BackendError>;

    /// The keys of an entity's table that no document stands behind.
    async fn orphans(&self, entity: &Entity) -> Result<Vec<RowKey>, BackendError>;

    /// Compares an entity's index of words with its table, by the statements of `check`, as of one moment.
    async fn astray_words(&self, entity: &Entity, check: SearchCheck) -> Result<AstrayWords, BackendError>;

    /// Writes these rows' columns again, without a change in the log.
    ///
    /// Each comes with the last change that it has in it. A row whose line has a later one already is left out; one
    /// that has moved on while its line was left behind gets these columns, and is still behind.
    async fn reproject(
        &self,
        entity: &Entity,
        rows: Vec<(RowKey, Seq, Projection)>,
    ) -> Result<(), BackendError>;

    /// The rows whose lines were to be written later and are behind their documents, in no order.
    async fn late_rows(&self) -> Result<Vec<RowKey>, BackendError> {
        Ok(Vec::new())
    }

    /// The changes after `since`, oldest first, at most `limit`.
    async fn changes(&self, since: Seq, limit: usize) -> Result<Vec<ChangeEntry>, BackendError>;

    /// The changes after `since` with what each brought, oldest first, at most `limit`.
    ///
    /// A delta that a snapshot has swallowed is missing.
    async fn follow(&self, since: Seq, limit: usize) -> Result<Vec<FollowedChange>, BackendError> {
        let changes = self.changes(since, limit).await?;
        Ok(changes.into_iter().map(|entry| FollowedChange { entry, delta: None }).collect())
    }

    /// The answer that was given under an idempotency key.
    async fn outcome(&self, key: &OutcomeKey) -> Result<Option<Outcome>, BackendError>;

    /// The last change of all.
    async fn last_seq(&self) -> Result<Seq, BackendError>;

    /// Sends all that is in `scope` as it lies, all from one moment, while others read and write on.
    ///
    /// It ends early, without an error, when nobody listens any more.
    async fn dump(&self, scope: DumpScope, pieces: mpsc::Sender<Kept>) -> Result<(), BackendError>;

    /// Puts dumped pieces in the place of all that is stored, in one transaction, under a new epoch and a new
    /// server peer. Every table is to be filled again afterwards: [`Backend::tables`] says so.
    ///
    /// [`Backend::epoch`] and [`Backend::server_peer`] go on telling the old ones until the database is opened
    /// again.
    async fn restore(
        &self,
        pieces: mpsc::Receiver<Kept>,
        onto: RestoreOnto,
    ) -> Result<RestoreOutcome, BackendError>;

    /// A row as it lies, sound or not; `None` when it was never written.
    async fn kept(&self, key: &RowKey) -> Result<Option<KeptRow>, BackendError>;

    /// Puts a mended row in the place of a damaged one, whose bytes are set aside, with a change in the log.
    async fn mend(&self, mend: Mend) -> Result<MendOutcome, BackendError>;

    /// Takes these lines out of an entity's table and sets them aside; `what` says why.
    async fn take_out(&self, entity: &Entity, keys: Vec<RowKey>, what: String) -> Result<(), BackendError>;

    /// Whose `peers` are, in their order; those that are nobody's yet become `owner`'s, where there is one.
    async fn own_peers(
        &self,
        tenant: &Tenant,
        owner: Option<&str>,
        peers: &[PeerId],
    ) -> Result<Vec<PeerOwner>, BackendError>;

    /// Gives the server another peer id, for the next time that the database is opened.
    async fn renew_peer(&self) -> Result<(), BackendError>;

    /// Waits until no other server of this database brings its tables into shape; none does until what comes back is
    /// dropped.
    async fn alone(&self) -> Result<Alone, BackendError> {
        Ok(Box::new(()))
    }

    /// Ends the use of the database: nothing will be written any more.
    async fn close(&self) {}
}

/// Being the only server that brings a database's tables into shape; over when it is dropped.
pub type Alone = Box<dyn std::any::Any + Send>;

/// A change of the log with what it brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowedChange {
    /// Its line in the log.
    pub entry: ChangeEntry,
    /// A Loro update; `None` when only the row's snapshot has it any more.
    pub delta: Option<Bytes>,
}

/// One row as [`Backend::scan`] finds it.
#[derive(Debug, Clone)]
pub struct ScannedRow {
    /// The row.
    pub key: RowKey,
    /// Its document, or what is wrong with its bytes.
    pub stored: Result<StoredRow, String>,
    /// Its line in the app's table, if there is one.
    pub table: Option<TableRow>,
    /// Whether that line is behind its document for now, as [`RowWrite::late`] asks.
    pub late: bool,
}

/// What several queries found at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectedParts {
    /// The rows of each query.
    pub parts: Vec<Vec<TableRow>>,
    /// The last change that the rows have in them.
    pub seq: Seq,
}

/// What a query found, and the moment it speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// The rows.
    pub rows: Vec<TableRow>,
    /// The last change that the rows have in them.
    pub seq: Seq,
}
