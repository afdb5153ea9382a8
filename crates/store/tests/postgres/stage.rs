//! Servers' stores over one database, and somebody who hears what they announce.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use corella_manifest::{EntityName, Manifest};
use corella_rowdoc::{RowId, RowKey, Tenant, Version};
use corella_store::{
    Author, CommitSink, Committed, FollowInterval, RowChange, Store, StoreOptions, Write, WriteError,
    Written,
    port::{Backend as _, FollowedChange},
    postgres::{DatabaseAddress, PostgresBackend, PostgresOptions},
};
use corella_testkit::{StartedPostgres, within};
use loro::LoroDoc;
use serde_json::{Map, Value as Json};
use tokio::sync::watch;

/// A note with a text and a unique slug, and an open board.
pub(crate) fn manifest() -> Arc<Manifest> {
    let text = r#"{"manifest_version":1,"name":"stage","version":"1","entities":[
        {"name":"Note","fields":[
            {"name":"title","type":"string","optional":true},
            {"name":"body","type":"richtext","optional":true},
            {"name":"stars","type":"int","optional":true},
            {"name":"slug","type":"string","optional":true,"unique":true}]},
        {"name":"Board","open":true,"fields":[{"name":"title","type":"string","optional":true}]}]}"#;
    Arc::new(Manifest::parse(text).expect("the manifest is right").manifest)
}

/// What one server's watchers heard, in its order.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) seq: i64,
    pub(crate) key: RowKey,
    pub(crate) delta: Option<Bytes>,
    pub(crate) elsewhere: bool,
}

/// Somebody who hears everything.
pub(crate) struct Listener {
    heard: Mutex<Vec<Heard>>,
    last: watch::Sender<i64>,
    lost: watch::Sender<usize>,
}

impl Listener {
    fn add(&self, heard: Heard) {
        let seq = heard.seq;
        self.heard.lock().expect("nobody panics with it").push(heard);
        self.last.send_replace(seq);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("nobody panics with it").clone()
    }

    /// Waits until it has heard of this change.
    pub(crate) async fn until(&self, seq: i64) {
        let mut last = self.last.subscribe();
        within(&format!("change {seq}"), last.wait_for(|last| *last >= seq)).await.expect("it lives");
    }

    /// Waits until the store has lost track.
    pub(crate) async fn until_lost(&self) {
        let mut lost = self.lost.subscribe();
        within("the loss of track", lost.wait_for(|lost| *lost > 0)).await.expect("it lives");
    }
}

impl CommitSink for Listener {
    fn committed(&self, changes: &[Committed]) {
        for Committed { seq, event } in changes {
            let delta = Some(event.delta.clone());
            self.add(Heard { seq: seq.0, key: event.key.clone(), delta, elsewhere: false });
        }
    }

    fn changed_elsewhere(&self, changes: &[FollowedChange]) {
        for FollowedChange { entry, delta } in changes {
            let (seq, key) = (entry.seq.0, entry.key.clone());
            self.add(Heard { seq, key, delta: delta.clone(), elsewhere: true });
        }
    }

    fn lost_track(&self) {
        self.lost.send_modify(|lost| *lost += 1);
    }
}

/// One server's store.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) backend: Arc<PostgresBackend>,
    pub(crate) listener: Arc<Listener>,
}

impl Node {
    pub(crate) async fn start(database: &str) -> Self {
        Self::with(StartedPostgres::shared(), database, PostgresOptions::default()).await
    }

    pub(crate) async fn with(server: &StartedPostgres, database: &str, options: PostgresOptions) -> Self {
        let address = server.address(database).parse().expect("the address is right");
        Self::at(&address, options).await
    }

    pub(crate) async fn at(address: &DatabaseAddress, options: PostgresOptions) -> Self {
        let opened = PostgresBackend::open(address, options).await;
        let backend = Arc::new(opened.expect("the database can be opened"));
        let listener = Arc::new(Listener {
            heard: Mutex::default(),
            last: watch::Sender::new(0),
            lost: watch::Sender::new(0),
        });
        let options =
            StoreOptions { follow: FollowInterval(Duration::from_millis(20)), ..StoreOptions::default() };
        let sink = Arc::clone(&listener);
        let started = Store::start(Arc::clone(&backend) as _, manifest(), sink, options).await;
        Self { store: started.expect("the store starts"), backend, listener }
    }

    pub(crate) async fn write(&self, key: &RowKey, change: RowChange) -> Result<Written, WriteError> {
        let author = Author::trusted("ada");
        let write =
            Write { key: key.clone(), change, author, wants_row: true, idempotency: None, message: None };
        within("the answer to a write", self.store.write(write)).await
    }

    /// The row's document as a joiner gets it.
    pub(crate) async fn doc(&self, key: &RowKey) -> LoroDoc {
        let doc = LoroDoc::new();
        let backfill =
            self.store.lock(key).await.backfill(&Version::empty()).await.expect("the row can be read");
        for update in backfill.updates {
            doc.import(&update).expect("what is stored is sound");
        }
        doc
    }

    pub(crate) async fn last_seq(&self) -> i64 {
        self.backend.last_seq().await.expect("reads go through").0
    }
}

pub(crate) async fn open(
    server: &StartedPostgres,
    database: &str,
    options: PostgresOptions,
) -> PostgresBackend {
    let address = server.address(database).parse().expect("the address is right");
    PostgresBackend::open(&address, options).await.expect("the database can be opened")
}

pub(crate) fn note(id: &str) -> RowKey {
    key("Note", id)
}

pub(crate) fn key(entity: &str, id: &str) -> RowKey {
    RowKey {
        tenant: Tenant::none(),
        entity: EntityName::new(entity).expect("an entity's name"),
        id: RowId::new(id).expect("a row's id"),
    }
}

pub(crate) fn fields(json: Json) -> Map<String, Json> {
    let Json::Object(map) = json else { unreachable!("{json} is no object") };
    map
}

/// An insert of a note.
pub(crate) fn insert(json: Json) -> RowChange {
    RowChange::Insert(fields(json))
}

/// A patch of a note.
pub(crate) fn patch(json: Json) -> RowChange {
    RowChange::Patch(fields(json))
}

/// The update that adds `mark` to the body of a client's document.
pub(crate) fn append(doc: &LoroDoc, mark: &str) -> RowChange {
    let before = doc.oplog_vv();
    corella_testkit::row::append(doc, "body", mark);
    doc.commit();
    RowChange::Update(
        doc.export(loro::ExportMode::updates(&before)).expect("a document can be exported").into(),
    )
}
