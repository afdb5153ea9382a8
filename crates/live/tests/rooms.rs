//! Watchers hear of every change once, and those who fall behind catch up.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;

use bytes::Bytes;
use corella_live::{Hub, Outbox, OutboxLimits, Pass, PresenceLimits, Work};
use corella_manifest::{EntityName, Manifest};
use corella_rowdoc::{RowId, RowKey, Tenant, Version};
use corella_store::{
    Access, Author, CommitSink, RowChange, SourceId, Store, StoreOptions, Write,
    sqlite::{Durability, SqliteBackend},
};
use corella_wire::{Frame, Magic, RoomName, decode};
use serde_json::json;

struct House {
    store: Store,
    hub: Arc<Hub>,
    key: RowKey,
    room: RoomName,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manifest = json!({
            "manifest_version": 1, "name": "test", "version": "1",
            "entities": [{ "name": "Note", "fields": [{ "name": "title", "type": "string" }] }]
        });
        let manifest = Manifest::parse(&manifest.to_string()).unwrap().manifest;
        let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Relaxed).unwrap());
        let hub = Arc::new(Hub::new(PresenceLimits::default()));
        let sink: Arc<dyn CommitSink> = Arc::clone(&hub) as _;
        let store = Store::start(backend, Arc::new(manifest), sink, StoreOptions::default()).await.unwrap();
        let key = RowKey {
            tenant: Tenant::none(),
            entity: EntityName::new("Note").unwrap(),
            id: RowId::new("n1").unwrap(),
        };
        Self { store, hub, key, room: RoomName::new("Note/n1").unwrap(), _folder: folder }
    }

    async fn write(&self, change: RowChange, source: Option<u64>) {
        let author = Author { source: source.map(SourceId), ..Author::trusted("ada") };
        let write = Write {
            key: self.key.clone(),
            change,
            author,
            wants_row: false,
            idempotency: None,
            message: None,
        };
        self.store.write(write).await.unwrap();
    }

    async fn insert(&self) {
        self.write(RowChange::Insert(fields("one")), None).await;
    }

    async fn patch(&self, title: &str) {
        self.write(RowChange::Patch(fields(title)), None).await;
    }

    async fn join(&self, outbox: &Arc<Outbox>, since: &Version) -> Vec<Bytes> {
        self.hub
            .join(&self.store, outbox, &self.key, self.room.clone(), since, Access::Everything)
            .await
            .unwrap()
            .frames
    }

    fn pass(&self) -> Pass {
        Pass { key: self.key.clone(), magic: Magic::Document, room: self.room.clone() }
    }

    async fn version(&self) -> Version {
        let backfill = self.store.lock(&self.key).await.backfill(&Version::empty()).await.unwrap();
        (*backfill.version).clone()
    }
}

fn fields(title: &str) -> serde_json::Map<String, serde_json::Value> {
    std::iter::once(("title".to_owned(), json!(title))).collect()
}

fn outbox(source: u64, limits: OutboxLimits) -> Arc<Outbox> {
    Arc::new(Outbox::new(SourceId(source), limits))
}

/// What is queued, as the kinds of frames and other work.
fn queued(outbox: &Outbox) -> Vec<String> {
    std::iter::from_fn(|| outbox.take(usize::MAX)).flat_map(kinds).collect()
}

fn kinds(work: Work) -> Vec<String> {
    match work {
        Work::Frames { frames, .. } => frames.into_iter().map(|queued| kind(queued.frame)).collect(),
        Work::Join { room, .. } => vec![format!("join {room}")],
        Work::CatchUp { room, .. } => vec![format!("catch up {room}")],
        Work::Text(text) => vec![text],
        Work::Answer(reference) => vec![format!("answer {reference}")],
        Work::Reply(bytes) => vec![format!("reply of {} bytes", bytes.len())],
    }
}

fn kind(frame: Bytes) -> String {
    let frame = decode(frame).unwrap().frame;
    if let Frame::DocUpdate { updates, .. } = &frame {
        return format!("{} updates", updates.len());
    }
    frame.type_name().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_gets_what_it_lacks_and_each_later_change_once() {
    let house = House::new().await;
    house.insert().await;
    let reader = outbox(1, OutboxLimits::default());
    let frames = house.join(&reader, &Version::empty()).await;
    assert_eq!(frames.into_iter().map(kind).collect::<Vec<_>>(), ["JoinOk", "1 updates"]);
    house.patch("two").await;
    house.patch("two").await;
    assert_eq!(queued(&reader), ["1 updates"], "the second patch changed nothing");
    house.hub.leave(&reader, &house.pass());
    house.patch("three").await;
    assert_eq!(queued(&reader), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_that_is_up_to_date_gets_no_document() {
    let house = House::new().await;
    house.insert().await;
    let version = house.version().await;
    let frames = house.join(&outbox(1, OutboxLimits::default()), &version).await;
    assert_eq!(frames.into_iter().map(kind).collect::<Vec<_>>(), ["JoinOk"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_marks_the_row_behind_and_catches_up_with_one_update() {
    let house = House::new().await;
    house.insert().await;
    let slow = outbox(1, OutboxLimits { bytes: 1024 * 1024, frames: 2 });
    house.join(&slow, &Version::empty()).await;
    for index in 0..10 {
        house.patch(&format!("title {index}")).await;
    }
    assert_eq!(queued(&slow), ["1 updates", "1 updates", "catch up Note/n1"]);
    let frames = house.hub.catch_up(&house.store, &slow, &house.key, house.room.clone()).await.unwrap();
    assert_eq!(frames.into_iter().map(kind).collect::<Vec<_>>(), ["1 updates"]);
    house.patch("after").await;
    assert_eq!(queued(&slow), ["1 updates"], "current again");
}

#[tokio::test(flavor = "multi_thread")]
async fn catching_up_with_a_row_that_was_left_sends_nothing() {
    let house = House::new().await;
    house.insert().await;
    let reader = outbox(1, OutboxLimits::default());
    house.join(&reader, &Version::empty()).await;
    house.hub.leave(&reader, &house.pass());
    assert!(
        house.hub.catch_up(&house.store, &reader, &house.key, house.room.clone()).await.unwrap().is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_outbox_keeps_nothing() {
    let house = House::new().await;
    house.insert().await;
    let reader = outbox(1, OutboxLimits::default());
    house.join(&reader, &Version::empty()).await;
    house.patch("two").await;
    reader.close();
    house.patch("three").await;
    assert_eq!(queued(&reader), [] as [&str; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_may_be_watched_under_two_names() {
    let house = House::new().await;
    house.insert().await;
    let reader = outbox(1, OutboxLimits::default());
    let other = RoomName::new("n1").unwrap();
    house.join(&reader, &Version::empty()).await;
    house
        .hub
        .join(&house.store, &reader, &house.key, other, &Version::empty(), Access::Everything)
        .await
        .unwrap();
    house.patch("two").await;
    assert_eq!(queued(&reader), ["1 updates", "1 updates"]);
    house.hub.leave(&reader, &house.pass());
    house.patch("three").await;
    assert_eq!(queued(&reader), ["1 updates"]);
}
