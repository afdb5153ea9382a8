//! One bit of a stored row changed, at every byte: the row is set aside, its neighbour is not, and it can be mended.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use corella_manifest::Manifest;
use corella_rowdoc::{RowId, RowKey, Tenant, Version};
use corella_store::{
    Author, CommitSink, Committed, ReadError, RowChange, Store, StoreOptions, Write, check,
    port::{Backend, BackendError},
    repair,
    sqlite::{Durability, OpenError, SqliteBackend},
};
use corella_testkit::SAMPLE;
use rusqlite::{Connection, types::Value};
use serde_json::json;
use tempfile::TempDir;

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _changes: &[Committed]) {}
}

fn key(id: &str) -> RowKey {
    let entity = corella_manifest::EntityName::new("Note").unwrap();
    RowKey { tenant: Tenant::none(), entity, id: RowId::new(id).unwrap() }
}

/// A database with a row that has a snapshot and two deltas, and its neighbour.
struct Subject {
    folder: TempDir,
    manifest: Arc<Manifest>,
    /// Every table with something about the row, as it was.
    before: Vec<(&'static str, Vec<Vec<Value>>)>,
}

const TABLES: [&str; 7] = [
    "corella_rows",
    "corella_snapshots",
    "corella_tail",
    "corella_history",
    "corella_changes",
    "corella_damaged",
    "Note",
];

impl Subject {
    async fn new() -> Self {
        // In memory where that can be had: thousands of databases are opened, and no power is cut.
        let folder = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
        let manifest = Arc::new(Manifest::parse(SAMPLE).unwrap().manifest);
        let subject = Self { folder, manifest, before: Vec::new() };
        let store = subject.store().await;
        write(&store, "n1", RowChange::Insert(fields(json!({ "title": "one", "body": "a text to keep" }))))
            .await;
        write(&store, "n2", RowChange::Insert(fields(json!({ "title": "neighbour" })))).await;
        store.close().await;
        drop(store);
        subject.fold().await;
        let store = subject.store().await;
        write(&store, "n1", RowChange::Patch(fields(json!({ "body": "a text to keep, and more" })))).await;
        write(&store, "n1", RowChange::Patch(fields(json!({ "title": "two" })))).await;
        store.close().await;
        drop(store);
        let database = subject.database();
        let before = TABLES.map(|table| (table, all(&database, table))).into();
        Self { before, ..subject }
    }

    /// The database, once the store that had it before has let go of it.
    async fn backend(&self) -> SqliteBackend {
        loop {
            // The disk's confirmation is not what is tested here.
            match SqliteBackend::open(self.folder.path(), Durability::Relaxed) {
                Err(OpenError::InUse(_)) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    }

    async fn store(&self) -> Store {
        let backend = Arc::new(self.backend().await);
        Store::start(backend, Arc::clone(&self.manifest), Arc::new(Nobody), StoreOptions::default())
            .await
            .unwrap()
    }

    /// Puts a snapshot in the place of what n1 has so far.
    async fn fold(&self) {
        let backend = self.backend().await;
        let row = backend.load(&key("n1")).await.unwrap().unwrap();
        let shape = corella_rowdoc::RowShape::new(self.manifest.entity("Note").unwrap()).unwrap();
        let deltas: Vec<&[u8]> = row.tail.iter().map(|entry| &entry.delta[..]).collect();
        let folded = corella_rowdoc::merge_stored(&Arc::new(shape), None, &deltas, None).unwrap();
        let fold = corella_store::port::Fold {
            key: key("n1"),
            upto: row.head.head,
            snapshot: folded.snapshot.into(),
            version: folded.version.encode().into(),
            mark: None,
            cut: None,
        };
        backend.fold(fold).await.unwrap();
    }

    fn database(&self) -> Connection {
        Connection::open(SqliteBackend::file(self.folder.path())).unwrap()
    }

    /// Everything as it was before the damage.
    fn reset(&self) {
        let mut database = self.database();
        let transaction = database.transaction().unwrap();
        for (table, rows) in &self.before {
            transaction.execute(&format!("DELETE FROM {table}"), []).unwrap();
            for row in rows {
                let places = vec!["?"; row.len()].join(", ");
                let sql = format!("INSERT INTO {table} VALUES ({places})");
                transaction.execute(&sql, rusqlite::params_from_iter(row)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

fn all(database: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    statement
        .query_map([], |row| (0..columns).map(|column| row.get(column)).collect())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

fn fields(json: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    json.as_object().unwrap().clone()
}

async fn write(store: &Store, id: &str, change: RowChange) {
    let author = Author::trusted("ada");
    let write = Write { key: key(id), change, author, wants_row: false, idempotency: None, message: None };
    store.write(write).await.unwrap();
}

/// Flips a bit at every byte of one blob of n1, and looks at what comes of it.
async fn check_blob(table: &str, column: &str, condition: &str) {
    let subject = Subject::new().await;
    let of_row = format!("WHERE row_id = 'n1' AND {condition}");
    let blob: Vec<u8> = subject
        .database()
        .query_row(&format!("SELECT {column} FROM {table} {of_row}"), [], |row| row.get(0))
        .unwrap();
    assert!(blob.len() > 50, "{} bytes are no document", blob.len());
    for offset in 0..blob.len() {
        let mut hurt = blob.clone();
        hurt[offset] ^= 1 << (offset % 8);
        let harmed = subject
            .database()
            .execute(&format!("UPDATE {table} SET {column} = ?1 {of_row}"), [&hurt])
            .unwrap();
        assert_eq!(harmed, 1);
        let store = subject.store().await;
        let read = store.lock(&key("n1")).await.backfill(&Version::empty()).await;
        assert!(matches!(read, Err(ReadError::Quarantined(_))), "{table} {offset}: {read:?}");
        // Its neighbour is read and written on.
        write(&store, "n2", RowChange::Patch(fields(json!({ "stars": offset })))).await;
        store.close().await;
        drop(store);

        let backend = subject.backend().await;
        let peer = backend.server_peer();
        let load = backend.load(&key("n1")).await;
        assert!(matches!(load, Err(BackendError::Damaged { .. })), "{table} {offset}: {load:?}");
        let report = repair(&backend, Arc::clone(&subject.manifest)).await.unwrap();
        let mended: Vec<&RowKey> = report.mended.iter().map(|row| &row.key).collect();
        assert_eq!((mended, report.left.len()), (vec![&key("n1")], 0), "{table} {offset}: {report:?}");
        drop(backend);
        let backend = subject.backend().await;
        assert_ne!(backend.server_peer(), peer, "a lost operation must not be made again");
        let clean = check(&backend, Arc::clone(&subject.manifest)).await.unwrap();
        assert_eq!(clean.differences, [], "{table} {offset}");
        drop(backend);
        let database = subject.database();
        let kept: bool = database
            .query_row("SELECT EXISTS (SELECT 1 FROM corella_damaged WHERE bytes = ?1)", [&hurt], |row| {
                row.get(0)
            })
            .unwrap();
        assert!(kept, "{table} {offset}: the bytes were not set aside");
        let row: (Option<String>, Option<String>) = database
            .query_row("SELECT title, body FROM Note WHERE id = 'n1'", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        let text = |text: &str| Some(text.to_owned());
        // The documents that the row ever had, and none that it never had.
        let known = [
            (None, None),
            (text("one"), text("a text to keep")),
            (text("one"), text("a text to keep, and more")),
            (text("two"), text("a text to keep, and more")),
        ];
        assert!(known.contains(&row), "{table} {offset}: {row:?}");
        drop(database);
        subject.reset();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_snapshot() {
    check_blob("corella_snapshots", "snapshot", "true").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_delta() {
    check_blob("corella_tail", "delta", "seq = (SELECT min(seq) FROM corella_tail WHERE row_id = 'n1')")
        .await;
}
