//! Rows whose entity keeps only a part of their history.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, sync::Arc};

use corella_manifest::{EntityName, Manifest};
use corella_rowdoc::{Refusal, RowId, RowKey, Tenant, Version};
use corella_store::{
    Access, At, Author, Blame, BlameRun, CommitSink, Committed, HistoryError, HistoryPage, PastRow,
    ReadError, Reply, RowChange, Store, StoreOptions, Write, WriteError, Written, check,
    port::{Backend, Seq},
    sqlite::{Durability, SqliteBackend},
};
use loro::{ExportMode, LoroDoc, LoroValue};
use rusqlite::Connection;
use tempfile::TempDir;

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "history", "version": "1",
  "entities": [
    { "name": "All", "fields": [{ "name": "body", "type": "richtext", "optional": true }] },
    { "name": "Month", "history": { "keep": "30d" }, "fields": [{ "name": "body", "type": "richtext", "optional": true }] },
    { "name": "Latest", "history": { "keep": "latest" }, "fields": [{ "name": "body", "type": "richtext", "optional": true }] }
  ]
}"#;

/// Enough writes to have a small row folded.
const FOLDED: usize = 90;
const DAY: i64 = 24 * 60 * 60;

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _changes: &[Committed]) {}
}

fn manifest() -> Arc<Manifest> {
    Arc::new(Manifest::parse(MANIFEST).unwrap().manifest)
}

async fn start(folder: &Path) -> (Arc<SqliteBackend>, Store) {
    let backend = Arc::new(SqliteBackend::open(folder, Durability::Relaxed).unwrap());
    let store =
        Store::start(Arc::clone(&backend) as _, manifest(), Arc::new(Nobody), StoreOptions::default());
    (backend, store.await.unwrap())
}

fn key(entity: &str) -> RowKey {
    RowKey { tenant: Tenant::none(), entity: EntityName::new(entity).unwrap(), id: RowId::new("r").unwrap() }
}

/// A store, one row of it, and somebody who types into it.
struct Desk {
    folder: TempDir,
    backend: Arc<SqliteBackend>,
    store: Store,
    key: RowKey,
    doc: LoroDoc,
}

impl Desk {
    async fn new(entity: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (backend, store) = start(folder.path()).await;
        Self { folder, backend, store, key: key(entity), doc: LoroDoc::new() }
    }

    /// The same after a stop and a start: nothing is in memory.
    async fn restart(self) -> Self {
        let Self { folder, backend, store, key, doc } = self;
        store.close().await;
        drop((backend, store));
        // Another folder with the same database: when the first is let go of is nobody's business here.
        let copy = TempDir::new().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let (backend, store) = start(copy.path()).await;
        Self { folder: copy, backend, store, key, doc }
    }

    async fn update(&self, update: Vec<u8>) -> Result<Written, WriteError> {
        let author = Author::trusted("ada");
        let change = RowChange::Update(update.into());
        let write = Write {
            key: self.key.clone(),
            change,
            author,
            wants_row: false,
            idempotency: None,
            message: None,
        };
        self.store.write(write).await
    }

    /// Types until the row has been folded once more.
    async fn type_until_folded(&self) {
        let before = self.snapshot_seq().await;
        for _ in 0..FOLDED {
            self.update(edit(&self.doc, "lorem ipsum ")).await.unwrap();
        }
        while self.snapshot_seq().await == before {
            tokio::task::yield_now().await;
        }
    }

    async fn snapshot_seq(&self) -> Seq {
        self.backend.head(&self.key).await.unwrap().map_or(Seq::ZERO, |head| head.snapshot)
    }

    /// Makes the row's mark older than it is.
    fn age_mark(&self, seconds: i64) {
        let database = Connection::open(SqliteBackend::file(self.folder.path())).unwrap();
        let sql = "UPDATE corella_rows SET mark_at = mark_at - ?1 WHERE mark_at IS NOT NULL";
        assert_eq!(database.execute(sql, [seconds * 1_000_000]).unwrap(), 1, "there is a mark");
    }

    /// Submits writes at once.
    async fn together(&self, writes: Vec<(&str, Option<&str>, RowChange)>) -> Vec<Written> {
        let mut answers = tokio::task::JoinSet::new();
        for (place, (user, message, change)) in writes.into_iter().enumerate() {
            let (send, receive) = tokio::sync::oneshot::channel();
            let write = Write {
                key: self.key.clone(),
                change,
                author: Author::trusted(user),
                wants_row: false,
                idempotency: None,
                message: message.map(Into::into),
            };
            self.store.submit(write, Reply::new(move |result| drop(send.send(result))));
            answers.spawn(async move { (place, receive.await.unwrap().unwrap()) });
        }
        let mut written = answers.join_all().await;
        written.sort_by_key(|(place, _)| *place);
        written.into_iter().map(|(_, written)| written).collect()
    }

    async fn stored(&self) -> LoroDoc {
        let stored = self.backend.load(&self.key).await.unwrap().unwrap();
        let doc = LoroDoc::new();
        for blob in stored.snapshot.into_iter().chain(stored.tail.into_iter().map(|entry| entry.delta)) {
            assert_eq!(doc.import(&blob).unwrap().pending, None);
        }
        doc
    }

    async fn assert_sound(&self) {
        assert_eq!(read(&self.stored().await), read(&self.doc));
        let reader = SqliteBackend::open_read_only(self.folder.path()).unwrap();
        assert_eq!(check(&reader, manifest()).await.unwrap().differences, []);
    }
}

/// Types at the end of the body; what comes back is the update.
fn edit(doc: &LoroDoc, text: &str) -> Vec<u8> {
    let before = doc.oplog_vv();
    let body = doc.get_map("row").ensure_mergeable_text("body").unwrap();
    body.insert(body.len_unicode(), text).unwrap();
    doc.commit();
    doc.export(ExportMode::updates(&before)).unwrap()
}

/// The row's fields; an empty root beside them tells nothing.
fn read(doc: &LoroDoc) -> LoroValue {
    doc.get_map("row").get_deep_value()
}

fn version(doc: &LoroDoc) -> Version {
    Version::decode(&doc.oplog_vv().encode()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept_unless_less_is_asked_for() {
    let desk = Desk::new("All").await;
    desk.type_until_folded().await;
    desk.type_until_folded().await;
    assert!(!desk.stored().await.is_shallow());
    assert_eq!(desk.backend.head(&desk.key).await.unwrap().unwrap().mark, None);
    desk.assert_sound().await;
    desk.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_a_month() {
    let desk = Desk::new("Month").await;
    desk.type_until_folded().await;
    desk.age_mark(29 * DAY);
    desk.type_until_folded().await;
    assert!(!desk.stored().await.is_shallow(), "a mark of 29 days is too young");
    desk.age_mark(DAY);
    desk.type_until_folded().await;
    assert!(desk.stored().await.is_shallow());
    desk.assert_sound().await;
    desk.store.close().await;
}

/// A row whose first part of history is gone, and a copy from back then.
async fn trimmed() -> (Desk, LoroDoc) {
    let desk = Desk::new("Latest").await;
    desk.update(edit(&desk.doc, "at first ")).await.unwrap();
    let old = desk.doc.fork();
    desk.type_until_folded().await;
    desk.age_mark(120);
    desk.type_until_folded().await;
    assert!(desk.stored().await.is_shallow());
    (desk, old)
}

async fn goes_on(desk: &Desk, old: &LoroDoc) {
    let trimmed = |result: Result<Written, WriteError>| matches!(result, Err(WriteError::Refused(refusal)) if *refusal == Refusal::HistoryTrimmed);
    // Whoever has less than what is kept is told, and what was made on top of it is refused, not left pending.
    let backfill = desk.store.lock(&desk.key).await.backfill(&version(old)).await;
    assert!(matches!(backfill, Err(ReadError::HistoryTrimmed)), "{backfill:?}");
    let export = desk.store.lock(&desk.key).await.export(&version(old), &Access::Everything).await;
    assert!(matches!(export, Err(ReadError::HistoryTrimmed)), "{export:?}");
    assert!(trimmed(desk.update(edit(&old.fork(), "too late ")).await));
    // Whoever has nothing gets everything, in one piece and in several.
    let joiner = LoroDoc::new();
    for blob in desk.store.lock(&desk.key).await.backfill(&Version::empty()).await.unwrap().updates {
        assert_eq!(joiner.import(&blob).unwrap().pending, None);
    }
    assert_eq!(read(&joiner), read(&desk.doc));
    let whole = desk
        .store
        .lock(&desk.key)
        .await
        .export(&Version::empty(), &Access::Everything)
        .await
        .unwrap()
        .update
        .unwrap();
    let reader = LoroDoc::new();
    assert_eq!(reader.import(&whole).unwrap().pending, None);
    assert_eq!(read(&reader), read(&desk.doc));
    // Whoever has everything gets nothing; and all of them may write.
    let nothing = desk.store.lock(&desk.key).await.backfill(&version(&desk.doc)).await.unwrap();
    assert!(nothing.updates.is_empty());
    let update = edit(&joiner, "by the joiner ");
    desk.update(update.clone()).await.unwrap();
    let update_of_desk = edit(&desk.doc, "at the same time ");
    desk.update(update_of_desk).await.unwrap();
    desk.doc.import(&update).unwrap();
    desk.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_goes_on_without_its_history() {
    let (desk, old) = trimmed().await;
    goes_on(&desk, &old).await;
    let desk = desk.restart().await;
    goes_on(&desk, &old).await;
    desk.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_its_history_is_brought_into_another_database() {
    let (desk, old) = trimmed().await;
    let kept = desk.backend.kept(&desk.key).await.unwrap().unwrap();
    let other = Desk { doc: desk.doc.fork(), ..Desk::new("Latest").await };
    let first = other.store.merge(kept.clone()).await.unwrap();
    let again = other.store.merge(kept.clone()).await.unwrap();
    assert_eq!(first.seq, again.seq, "merging it twice changes nothing");
    other.assert_sound().await;
    goes_on(&other, &old).await;
    // A row that went another way from back then cannot be merged with it, and stays as it is.
    let third = Desk { doc: old.fork(), ..Desk::new("Latest").await };
    third.update(old.export(ExportMode::all_updates()).unwrap()).await.unwrap();
    third.update(edit(&third.doc, "another way ")).await.unwrap();
    assert!(third.store.merge(kept).await.is_err());
    third.assert_sound().await;
    for desk in [desk, other, third] {
        desk.store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_write_side_by_side_are_not_cut_off() {
    let desk = Desk::new("Latest").await;
    desk.update(edit(&desk.doc, "at first ")).await.unwrap();
    let other = desk.doc.fork();
    // Of two at the keyboard one is slow, and the row is folded twice meanwhile.
    desk.type_until_folded().await;
    desk.type_until_folded().await;
    assert!(!desk.stored().await.is_shallow(), "nothing is cut that was there a moment ago");
    let slow = edit(&other, "slow ");
    desk.update(slow.clone()).await.unwrap();
    desk.doc.import(&slow).unwrap();
    desk.assert_sound().await;
    desk.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_while_history_goes_are_kept() {
    let desk = Arc::new(Desk::new("Latest").await);
    desk.update(edit(&desk.doc, "at first ")).await.unwrap();
    for round in 0..6 {
        let copies: Vec<LoroDoc> = (0..3).map(|_| desk.doc.fork()).collect();
        if round > 0 {
            desk.age_mark(120);
        }
        let before = desk.snapshot_seq().await;
        let mut writers = tokio::task::JoinSet::new();
        for copy in copies {
            let desk = Arc::clone(&desk);
            writers.spawn(async move {
                for _ in 0..FOLDED {
                    desk.update(edit(&copy, "word ")).await.unwrap();
                }
                copy
            });
        }
        while let Some(copy) = writers.join_next().await {
            let update = copy.unwrap().export(ExportMode::updates(&desk.doc.oplog_vv())).unwrap();
            desk.doc.import(&update).unwrap();
        }
        while desk.snapshot_seq().await == before {
            tokio::task::yield_now().await;
        }
        desk.assert_sound().await;
    }
    assert!(desk.stored().await.is_shallow());
    desk.store.close().await;
}

fn body(past: &PastRow) -> String {
    past.values[0].to_json().as_str().unwrap_or_default().to_owned()
}

/// On one thread, so that all of the writes wait before the first is taken.
#[tokio::test]
async fn what_several_wrote_together_is_told_apart() {
    let desk = Desk::new("All").await;
    desk.update(edit(&desk.doc, "start ")).await.unwrap();
    let other = desk.doc.fork();
    let by_ada = RowChange::Update(edit(&desk.doc, "ada ").into());
    let more_by_ada = RowChange::Update(edit(&desk.doc, "again ").into());
    let by_bob = RowChange::Update(edit(&other, "bob ").into());
    let patch = serde_json::from_str(r#"{"body": {"$delta": [{"insert": "eve "}]}}"#).unwrap();
    let written = desk
        .together(vec![
            ("ada", None, by_ada),
            ("ada", None, more_by_ada),
            ("bob", Some("hello"), by_bob),
            ("eve", None, RowChange::Patch(patch)),
        ])
        .await;
    assert!(written.iter().all(|one| one.seq == Seq(2)), "they were committed together");
    let HistoryPage { changes, next } = desk.store.history(&desk.key, None, 10).await.unwrap();
    assert_eq!((changes.len(), next), (2, None));
    let parts: Vec<_> = changes[0]
        .parts
        .iter()
        .map(|part| (&*part.author, part.message.as_deref(), part.fields.len()))
        .collect();
    assert_eq!(parts, [("ada", None, 1), ("bob", Some("hello"), 1), ("eve", None, 1)]);
    assert_eq!((changes[0].author.as_deref(), changes[1].parts.len()), (Some("eve"), 0));
    let Blame::Text { runs, next } = desk.store.blame(&desk.key, "body", 0, 1_000).await.unwrap() else {
        panic!("the body is a text");
    };
    assert_eq!(next, None);
    let mut by: Vec<(String, String)> = runs
        .into_iter()
        .map(|BlameRun { text, by }| (by.unwrap().author.unwrap().to_string(), text))
        .collect();
    by.sort();
    let expected = [("ada", "ada again "), ("ada", "start "), ("bob", "bob "), ("eve", "eve ")];
    assert_eq!(by, expected.map(|(author, text)| (author.to_owned(), text.to_owned())));
    desk.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_changes_goes_with_their_history() {
    let (desk, old) = trimmed().await;
    let mut changes = Vec::new();
    let mut before = None;
    loop {
        let page = desk.store.history(&desk.key, before, 50).await.unwrap();
        changes.extend(page.changes);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    let oldest = changes.last().unwrap();
    assert!(oldest.seq > Seq(1), "{:?}", oldest.seq);
    let gone = [At::Seq(Seq(1)), At::Seq(Seq(oldest.seq.0 - 1)), At::Version(version(&old))];
    for at in gone {
        match desk.store.row_at(&desk.key, &at, &[]).await {
            Err(HistoryError::Trimmed { oldest: Some(point) }) => assert_eq!(point.seq, Some(oldest.seq)),
            other => panic!("expected to hear of the oldest moment, found {other:?}"),
        }
    }
    // Each of those that are told can be seen, and reverted to.
    for change in &changes {
        let past = desk.store.row_at(&desk.key, &At::Seq(change.seq), &[]).await.unwrap();
        assert_eq!(past.point.version, change.version);
        assert_eq!(body(&past).matches("ipsum").count(), usize::try_from(change.seq.0 - 1).unwrap());
    }
    let reverted = desk.store.find(&desk.key, &At::Seq(oldest.seq)).await.unwrap().version;
    desk.together(vec![("ada", None, RowChange::Revert(reverted.clone()))]).await;
    let (now, then) = (
        desk.store.row_at(&desk.key, &At::Now, &[]).await.unwrap(),
        desk.store.row_at(&desk.key, &At::Version(reverted), &[]).await.unwrap(),
    );
    assert_eq!(body(&now), body(&then));
    desk.doc.import(&desk.stored().await.export(ExportMode::all_updates()).unwrap()).ok();
    let reader = SqliteBackend::open_read_only(desk.folder.path()).unwrap();
    assert_eq!(check(&reader, manifest()).await.unwrap().differences, []);
    desk.store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_from_before_tells_what_it_knows() {
    let desk = Desk::new("All").await;
    desk.update(edit(&desk.doc, "one ")).await.unwrap();
    desk.update(edit(&desk.doc, "two ")).await.unwrap();
    let database = Connection::open(SqliteBackend::file(desk.folder.path())).unwrap();
    database.execute("UPDATE corella_tail SET about = NULL, ends = NULL", []).unwrap();
    desk.update(edit(&desk.doc, "three ")).await.unwrap();
    let page = desk.store.history(&desk.key, None, 10).await.unwrap();
    let kinds: Vec<&str> = page.changes.iter().map(|change| change.kind.as_str()).collect();
    assert_eq!(kinds, ["update", "", ""]);
    let past = desk.store.row_at(&desk.key, &At::Seq(Seq(2)), &[]).await.unwrap();
    assert_eq!(body(&past), "one two ");
    desk.type_until_folded().await;
    let past = desk.store.row_at(&desk.key, &At::Seq(Seq(3)), &[]).await;
    assert!(
        matches!(past, Err(HistoryError::Trimmed { .. }))
            || past.is_ok_and(|past| body(&past) == "one two three ")
    );
    let now = desk.store.row_at(&desk.key, &At::Now, &[]).await.unwrap();
    assert!(body(&now).starts_with("one two three "));
    desk.store.close().await;
}
