//! The app whose rows are measured.

use std::{path::Path, sync::Arc};

use corella_manifest::{EntityName, Manifest};
use corella_rowdoc::{RowId, RowKey, Tenant};
use corella_store::{
    Author, CommitSink, Committed, RowChange, Store, StoreOptions, Write,
    port::Backend,
    sqlite::{Durability, SqliteBackend},
};
use serde_json::{Map, Value, json};

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _changes: &[Committed]) {}
}

pub(crate) fn manifest() -> String {
    let manifest = json!({
        "manifest_version": 1, "name": "bench", "version": "1",
        "entities": [{ "name": "Note", "fields": [
            { "name": "title", "type": "string" },
            { "name": "body", "type": "richtext", "optional": true },
            { "name": "count", "type": "int", "optional": true },
            { "name": "pinned", "type": "bool", "optional": true },
            { "name": "position", "type": "float", "optional": true }
        ] }],
        "policies": [{ "name": "the author", "entity": "Note", "allow": "auth.userId != null" }]
    });
    manifest.to_string()
}

pub(crate) fn fields(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { unreachable!() };
    map
}

/// A store over SQLite in `folder`, with nobody watching.
pub(crate) async fn store(folder: &Path) -> Store {
    store_with(folder, StoreOptions::default()).await
}

pub(crate) async fn store_with(folder: &Path, options: StoreOptions) -> Store {
    store_over(Arc::new(SqliteBackend::open(folder, Durability::Full).unwrap()), options).await
}

/// A store over any database, with nobody watching.
pub(crate) async fn store_over(backend: Arc<dyn Backend>, options: StoreOptions) -> Store {
    let manifest = Arc::new(Manifest::parse(&manifest()).unwrap().manifest);
    Store::start(backend, manifest, Arc::new(Nobody), options).await.unwrap()
}

pub(crate) fn row_id(row: usize) -> String {
    format!("row-{row}")
}

pub(crate) async fn write(store: &Store, row: usize, change: RowChange) {
    let key = RowKey {
        tenant: Tenant::none(),
        entity: EntityName::new("Note").unwrap(),
        id: RowId::new(&row_id(row)).unwrap(),
    };
    let author = Author::trusted("bench");
    store
        .write(Write { key, change, author, wants_row: false, idempotency: None, message: None })
        .await
        .unwrap();
}

/// Stores `count` rows with these fields in `folder`, as many at a time as a group commit takes.
pub(crate) async fn fill(folder: &Path, count: usize, row: impl Fn(usize) -> Value) {
    const AT_ONCE: usize = 1_024;
    let store = store(folder).await;
    for first in (0..count).step_by(AT_ONCE) {
        let inserts = (first..count.min(first + AT_ONCE))
            .map(|index| write(&store, index, RowChange::Insert(fields(row(index)))));
        futures_util::future::join_all(inserts).await;
    }
    store.close().await;
}
