//! Large texts are written to their table late, and nobody who reads can tell.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use corella_manifest::{EntityName, Manifest, Value};
use corella_query::{Query, QueryTexts};
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{
    Author, CommitSink, Committed, LateDelay, RowChange, RowEvent, Store, StoreOptions, Write, check,
    port::Backend,
    sqlite::{Durability, SqliteBackend},
};
use loro::{ExportMode, LoroDoc};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "late", "version": "1",
  "entities": [
    { "name": "Note", "fields": [
      { "name": "title", "type": "string" },
      { "name": "body", "type": "richtext", "optional": true },
      { "name": "key", "type": "string", "crdt": "text", "optional": true, "unique": true }
    ] },
    { "name": "Board", "open": true, "fields": [] }
  ]
}"#;

/// Long enough for the line to be written later.
const LARGE: usize = 5_000;

/// Notes the last change of all.
#[derive(Default)]
struct Heard(Mutex<Option<RowEvent>>);

impl CommitSink for Heard {
    fn committed(&self, changes: &[Committed]) {
        if let Some(last) = changes.last() {
            *self.0.lock().unwrap() = Some(last.event.clone());
        }
    }
}

struct House {
    backend: Arc<SqliteBackend>,
    store: Store,
    heard: Arc<Heard>,
    folder: TempDir,
}

fn manifest() -> Arc<Manifest> {
    Arc::new(Manifest::parse(MANIFEST).unwrap().manifest)
}

async fn start(folder: &Path, late: LateDelay) -> (Arc<SqliteBackend>, Store, Arc<Heard>) {
    let backend = Arc::new(SqliteBackend::open(folder, Durability::Full).unwrap());
    let heard = Arc::new(Heard::default());
    let options = StoreOptions { late, ..StoreOptions::default() };
    let sink = Arc::clone(&heard) as Arc<dyn CommitSink>;
    let store = Store::start(Arc::clone(&backend) as _, manifest(), sink, options).await.unwrap();
    (backend, store, heard)
}

impl House {
    /// A store that writes late lines only when it has to.
    async fn new() -> Self {
        Self::with(LateDelay(Duration::from_secs(60 * 60))).await
    }

    async fn with(late: LateDelay) -> Self {
        let folder = TempDir::new().unwrap();
        let (backend, store, heard) = start(folder.path(), late).await;
        Self { backend, store, heard, folder }
    }

    async fn write(&self, key: &RowKey, change: RowChange) -> Option<Json> {
        let author = Author::trusted("ada");
        let write =
            Write { key: key.clone(), change, author, wants_row: true, idempotency: None, message: None };
        self.store.write(write).await.unwrap().row.map(Json::Object)
    }

    /// A note with a body, and the document of somebody who goes on writing it.
    async fn note(&self, id: &str, body: &str) -> (RowKey, Typist) {
        let key = key("Note", id);
        let fields = json!({ "title": "t", "body": body });
        self.write(&key, RowChange::Insert(fields.as_object().unwrap().clone())).await;
        let typist = Typist::at(&self.store, &key).await;
        (key, typist)
    }

    async fn update(&self, key: &RowKey, update: Vec<u8>) -> Option<Json> {
        self.write(key, RowChange::Update(update.into())).await
    }

    /// The row's line as it lies in the database, read past the store, and whether it is called late.
    async fn line(&self, key: &RowKey) -> (Vec<Value>, bool) {
        let manifest = manifest();
        let entity = manifest.entity(key.entity.as_str()).unwrap();
        let rows = self.backend.scan(entity, None, 100).await.unwrap();
        let row = rows.into_iter().find(|row| row.key == *key).unwrap();
        (row.table.unwrap().values().to_vec(), row.late)
    }

    async fn body_at_rest(&self, key: &RowKey) -> (String, bool) {
        let (values, late) = self.line(key).await;
        (told(&values[1]), late)
    }

    async fn differences(&self) -> Vec<corella_store::Difference> {
        let reader = SqliteBackend::open_read_only(self.folder.path()).unwrap();
        check(&reader, manifest()).await.unwrap().differences
    }

    /// What lies on the disk at this moment, as a power cut would leave it.
    fn copy(&self) -> TempDir {
        let copy = TempDir::new().unwrap();
        for file in ["corella.db", "corella.db-wal"] {
            std::fs::copy(self.folder.path().join(file), copy.path().join(file)).unwrap();
        }
        copy
    }
}

/// Somebody who edits a row's document.
struct Typist(LoroDoc);

impl Typist {
    async fn at(store: &Store, key: &RowKey) -> Self {
        let doc = LoroDoc::new();
        let version = corella_rowdoc::Version::empty();
        for update in store.lock(key).await.backfill(&version).await.unwrap().updates {
            doc.import(&update).unwrap();
        }
        Self(doc)
    }

    fn edit(&self, edit: impl FnOnce(&LoroDoc)) -> Vec<u8> {
        let before = self.0.oplog_vv();
        edit(&self.0);
        self.0.commit();
        self.0.export(ExportMode::updates(&before)).unwrap()
    }

    fn append(&self, field: &str, text: &str) -> Vec<u8> {
        self.edit(|doc| {
            let field = doc.get_map("row").ensure_mergeable_text(field).unwrap();
            field.insert(field.len_unicode(), text).unwrap();
        })
    }
}

fn key(entity: &str, id: &str) -> RowKey {
    RowKey { tenant: Tenant::none(), entity: EntityName::new(entity).unwrap(), id: RowId::new(id).unwrap() }
}

fn told(value: &Value) -> String {
    value.to_json().as_str().unwrap_or_default().to_owned()
}

async fn all(store: &Store, entity: &str) -> Vec<Vec<Value>> {
    let parts = QueryTexts::default().read().unwrap();
    let query = Query::parse(&manifest(), entity, parts).unwrap();
    let page = store.select(&Tenant::none(), &query).await.unwrap();
    page.rows.into_iter().map(|row| row.cells).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_never_misses_what_was_acknowledged() {
    let house = House::new().await;
    let large = "x".repeat(LARGE);
    let (key, typist) = house.note("n1", &large).await;
    let (other, another) = house.note("n2", &large).await;
    assert_eq!(house.body_at_rest(&key).await, (large.clone(), false), "a new row is written whole");

    for letter in ["a", "b", "c"] {
        let row = house.update(&key, typist.append("body", letter)).await.unwrap();
        assert!(row["body"].as_str().unwrap().ends_with(letter), "the writer sees the row as it is");
    }
    house.update(&other, another.append("body", "z")).await;
    assert_eq!(house.body_at_rest(&key).await, (large.clone(), true));
    let event = house.heard.0.lock().unwrap().clone().unwrap();
    assert!(event.late.fields.contains(&1) && !event.late.fields.contains(&0), "{:?}", event.late);
    assert!(house.differences().await.is_empty(), "a line that is late is not wrong");

    let (row, _) = house.store.row(&key).await.unwrap();
    assert_eq!(told(&row.unwrap().values()[1]), format!("{large}abc"));
    assert_eq!(house.body_at_rest(&key).await, (format!("{large}abc"), false));
    assert!(house.body_at_rest(&other).await.1, "reading one row writes that one");

    let rows = all(&house.store, "Note").await;
    assert_eq!((told(&rows[0][2]), told(&rows[1][2])), (format!("{large}abc"), format!("{large}z")));
    assert!(!house.body_at_rest(&other).await.1);
    house.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_small_unique_or_plain_is_written_at_once() {
    let house = House::new().await;
    let (small, typist) = house.note("small", "short").await;
    house.update(&small, typist.append("body", "!")).await;
    assert_eq!(house.body_at_rest(&small).await, ("short!".to_owned(), false));

    let large = "x".repeat(LARGE);
    let (key, typist) = house.note("n1", &large).await;
    house.update(&key, typist.append("body", "1")).await;
    assert!(house.body_at_rest(&key).await.1);
    // A write of another field brings the line up to date, the text in it included.
    house.write(&key, RowChange::Patch(json!({ "title": "new" }).as_object().unwrap().clone())).await;
    assert_eq!(house.body_at_rest(&key).await, (format!("{large}1"), false));

    house.update(&key, typist.append("key", &large)).await;
    house.update(&key, typist.append("key", "2")).await;
    let (values, late) = house.line(&key).await;
    assert_eq!(
        (told(&values[2]), late),
        (format!("{large}2"), false),
        "a unique text is compared at each write"
    );

    house.update(&key, typist.append("body", "3")).await;
    house.write(&key, RowChange::Delete).await;
    assert!(house.store.row(&key).await.unwrap().0.is_none());
    house.write(&key, RowChange::Restore).await;
    assert_eq!(house.body_at_rest(&key).await, (format!("{large}13"), false));
    assert!(house.differences().await.is_empty());
    house.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_value_of_an_open_row_is_late_too() {
    let house = House::new().await;
    let key = key("Board", "b1");
    let typist = Typist(LoroDoc::new());
    let text = |more: &str| typist.edit(|doc| doc.get_text("page").insert(0, more).unwrap());
    house.update(&key, text(&"x".repeat(LARGE))).await;
    assert!(!house.line(&key).await.1);
    house.update(&key, text("start ")).await;
    assert!(house.line(&key).await.1);
    let rows = all(&house.store, "Board").await;
    let value = rows[0][1].to_json();
    assert!(value["page"].as_str().unwrap().starts_with("start x"), "{value}");
    assert!(!house.line(&key).await.1);
    house.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_writes_what_is_late() {
    let house = House::new().await;
    let large = "x".repeat(LARGE);
    let (key, typist) = house.note("n1", &large).await;
    house.update(&key, typist.append("body", "!")).await;
    house.store.close().await;
    assert_eq!(house.body_at_rest(&key).await, (format!("{large}!"), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_makes_up_for_what_a_crash_left_behind() {
    let house = House::new().await;
    let large = "x".repeat(LARGE);
    let (key, typist) = house.note("n1", &large).await;
    house.update(&key, typist.append("body", "!")).await;
    let copy = house.copy();
    house.store.close().await;

    let (backend, store, heard) = start(copy.path(), LateDelay::default()).await;
    let house = House { backend, store, heard, folder: copy };
    assert_eq!(house.body_at_rest(&key).await, (format!("{large}!"), false));
    assert!(house.differences().await.is_empty());
    house.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_does_not_wait_for_a_reader() {
    let house = House::with(LateDelay(Duration::from_millis(1))).await;
    let large = "x".repeat(LARGE);
    let (key, typist) = house.note("n1", &large).await;
    house.update(&key, typist.append("body", "!")).await;
    while house.body_at_rest(&key).await.1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.body_at_rest(&key).await.0, format!("{large}!"));
    house.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_at_once_agree() {
    let house = Arc::new(House::with(LateDelay(Duration::from_millis(1))).await);
    let large = "x".repeat(LARGE);
    let mut tasks = tokio::task::JoinSet::new();
    for row in 0..4 {
        let (key, typist) = house.note(&format!("n{row}"), &large).await;
        let (house, large) = (Arc::clone(&house), large.clone());
        tasks.spawn(async move {
            let mut written = large;
            for round in 0..60 {
                let mark = format!("<{round}>");
                house.update(&key, typist.append("body", &mark)).await;
                written.push_str(&mark);
                let rows = all(&house.store, "Note").await;
                let row = rows.iter().find(|cells| told(&cells[0]) == key.id.as_str()).unwrap();
                assert_eq!(told(&row[2]), written);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    house.store.close().await;
    assert!(house.backend.late_rows().await.unwrap().is_empty());
    assert!(house.differences().await.is_empty());
}
