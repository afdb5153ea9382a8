//! Updates that wait for one row are answered, and leave the row, as if each had come alone.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use corella_manifest::{EntityName, Manifest};
use corella_policy::Caller;
use corella_rowdoc::{RowId, RowKey, Tenant, Version};
use corella_store::{
    Access, Author, CommitSink, Committed, Reply, RowChange, Store, StoreOptions, Write, WriteError, Written,
    sqlite::{Durability, SqliteBackend},
};
use loro::{ExportMode, LoroDoc, LoroText};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::oneshot;

const MANIFEST: &str = r#"{
  "manifest_version": 1, "name": "together", "version": "1",
  "entities": [{ "name": "Note", "fields": [
    { "name": "title", "type": "string", "optional": true },
    { "name": "body", "type": "richtext", "optional": true },
    { "name": "locked", "type": "bool", "optional": true },
    { "name": "secret", "type": "richtext", "optional": true, "allowWrite": "auth.userId == 'ada'" }
  ] }],
  "policies": [{
    "name": "people", "entity": "Note", "allowRead": "true", "allowInsert": "true",
    "allowUpdate": "auth.userId != null && (data.locked != true || auth.userId == 'ada')"
  }]
}"#;

/// Those who write, each with a replica and a peer id of its own.
const USERS: [&str; 3] = ["ada", "bob", "eve"];

struct Nobody;

impl CommitSink for Nobody {
    fn committed(&self, _changes: &[Committed]) {}
}

/// What somebody does.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Type {
        field: &'static str,
        at: usize,
    },
    Erase {
        at: usize,
    },
    Mark {
        at: usize,
    },
    Title(u8),
    Lock(bool),
    Delete,
    /// Sends again what was sent last.
    Repeat,
    /// Sends bytes that are no update.
    Nonsense,
    /// Sends what builds on something that was never sent.
    Orphan,
    /// Writes a field that nobody has declared.
    Undeclared,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => (0..64usize).prop_map(|at| Deed::Type { field: "body", at }),
        4 => (0..64usize).prop_map(|at| Deed::Erase { at }),
        2 => (0..64usize).prop_map(|at| Deed::Mark { at }),
        2 => (0..64usize).prop_map(|at| Deed::Type { field: "secret", at }),
        3 => any::<u8>().prop_map(Deed::Title),
        2 => any::<bool>().prop_map(Deed::Lock),
        1 => Just(Deed::Delete),
        2 => Just(Deed::Repeat),
        1 => Just(Deed::Nonsense),
        1 => Just(Deed::Orphan),
        1 => Just(Deed::Undeclared),
    ]
}

/// Somebody's replica.
struct Replica {
    doc: LoroDoc,
    last: Bytes,
}

impl Replica {
    fn new(peer: u64) -> Self {
        let doc = LoroDoc::new();
        doc.set_peer_id(peer).unwrap();
        Self { doc, last: Bytes::from_static(b"loro") }
    }

    fn text(&self, field: &str) -> LoroText {
        self.doc.get_map("row").ensure_mergeable_text(field).unwrap()
    }

    /// Does it, and answers with what is sent of it.
    fn act(&mut self, deed: Deed) -> Bytes {
        let row = self.doc.get_map("row");
        let mut before = self.doc.oplog_vv();
        match deed {
            Deed::Type { field, at } => {
                let text = self.text(field);
                text.insert(at % (text.len_unicode() + 1), "word ").unwrap();
            }
            Deed::Erase { at } => {
                let text = self.text("body");
                let at = at % (text.len_unicode() + 1);
                text.delete(at, (text.len_unicode() - at).min(3)).unwrap();
            }
            Deed::Mark { at } => {
                let text = self.text("body");
                let at = at % (text.len_unicode() + 1);
                let end = (at + 4).min(text.len_unicode());
                if at < end {
                    text.mark(at..end, "bold", true).unwrap();
                }
            }
            Deed::Title(number) => row.insert("title", format!("title {number}")).unwrap(),
            Deed::Lock(locked) => row.insert("locked", locked).unwrap(),
            Deed::Delete => self.doc.get_map("meta").insert("deleted", true).unwrap(),
            Deed::Repeat => return self.last.clone(),
            Deed::Nonsense => return Bytes::from_static(b"nonsense"),
            Deed::Orphan => {
                self.text("body").insert(0, "lost").unwrap();
                self.doc.commit();
                before = self.doc.oplog_vv();
                self.text("body").insert(0, "found").unwrap();
            }
            Deed::Undeclared => row.insert("undeclared", 1).unwrap(),
        }
        self.doc.commit();
        self.last = self.doc.export(ExportMode::updates(&before)).unwrap().into();
        self.last.clone()
    }
}

/// What became of a write, as its author is told.
fn told(result: Result<Written, WriteError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

/// A store with one note.
struct Desk {
    _folder: TempDir,
    store: Store,
    key: RowKey,
    authors: [Author; 3],
}

impl Desk {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Relaxed).unwrap());
        let manifest = Arc::new(Manifest::parse(MANIFEST).unwrap().manifest);
        let store = Store::start(backend, manifest, Arc::new(Nobody), StoreOptions::default()).await.unwrap();
        let entity = EntityName::new("Note").unwrap();
        let key = RowKey { tenant: Tenant::none(), entity, id: RowId::new("r").unwrap() };
        let authors = USERS.map(|user| {
            let caller = Caller { user: Some(user.into()), ..Caller::default() };
            Author { user: user.into(), access: Access::Caller(Arc::new(caller)), source: None }
        });
        Self { _folder: folder, store, key, authors }
    }

    /// Submits updates without waiting for the answers.
    fn submit(&self, updates: &[(usize, Bytes)]) -> Vec<oneshot::Receiver<Result<Written, WriteError>>> {
        let submit = |(user, update): &(usize, Bytes)| {
            let (send, receive) = oneshot::channel();
            let write = Write {
                key: self.key.clone(),
                change: RowChange::Update(update.clone()),
                author: self.authors[*user].clone(),
                wants_row: false,
                idempotency: None,
                message: None,
            };
            self.store.submit(write, Reply::new(move |result| drop(send.send(result))));
            receive
        };
        updates.iter().map(submit).collect()
    }

    async fn answers(&self, updates: &[(usize, Bytes)]) -> Vec<Result<(), String>> {
        let mut answers = Vec::new();
        for answer in self.submit(updates) {
            answers.push(told(answer.await.unwrap()));
        }
        answers
    }

    /// The whole document.
    async fn document(&self) -> LoroDoc {
        let mut row = self.store.lock(&self.key).await;
        let export = row.export(&Version::empty(), &Access::Everything).await.unwrap();
        let doc = LoroDoc::new();
        doc.import(&export.update.unwrap()).unwrap();
        doc
    }

    /// Who wrote which fields.
    async fn history(&self) -> BTreeSet<(String, String)> {
        let mut told = BTreeSet::new();
        for change in self.store.history(&self.key, None, 1_000).await.unwrap().changes {
            let author = change.author.unwrap_or_default();
            let whole = change.parts.is_empty().then_some((author, change.fields));
            let parts = change.parts.into_iter().map(|part| (part.author, part.fields));
            for (author, fields) in whole.into_iter().chain(parts) {
                told.extend(fields.into_iter().map(|field| (author.to_string(), field)));
            }
        }
        told
    }
}

/// Each round is submitted at once to one store, and one by one to another.
async fn compare(rounds: Vec<Vec<(usize, Deed)>>) {
    let (together, alone) = (Desk::new().await, Desk::new().await);
    let mut replicas = [1, 2, 3].map(Replica::new);
    let first = (0, replicas[0].act(Deed::Type { field: "body", at: 0 }));
    for desk in [&together, &alone] {
        assert_eq!(desk.answers(std::slice::from_ref(&first)).await, [Ok(())]);
    }
    for round in rounds {
        let whole = together.document().await.export(ExportMode::all_updates()).unwrap();
        for replica in &replicas {
            replica.doc.import(&whole).unwrap();
        }
        let updates: Vec<(usize, Bytes)> =
            round.into_iter().map(|(user, deed)| (user, replicas[user].act(deed))).collect();
        let mut one_by_one = Vec::new();
        for update in &updates {
            one_by_one.extend(alone.answers(std::slice::from_ref(update)).await);
        }
        assert_eq!(together.answers(&updates).await, one_by_one);
        let (one, other) = (together.document().await, alone.document().await);
        assert_eq!(one.oplog_vv(), other.oplog_vv());
        assert_eq!(one.get_deep_value(), other.get_deep_value());
        // Whoever was refused begins anew, as clients do.
        let has = one.oplog_vv();
        for (place, replica) in replicas.iter_mut().enumerate() {
            if !has.includes_vv(&replica.doc.oplog_vv()) {
                let peer = replica.doc.peer_id() + 10 + u64::try_from(place).unwrap();
                *replica = Replica::new(peer);
            }
        }
    }
    // A title that was set beside another that won is told of where both came together.
    let (more, told) = (together.history().await, alone.history().await);
    assert!(more.is_superset(&told), "{more:?} and {told:?}");
    together.store.close().await;
    alone.store.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn updates_that_wait_are_taken_as_if_alone(
        rounds in proptest::collection::vec(
            proptest::collection::vec((0..USERS.len(), deed()), 1..6), 1..6)
    ) {
        // On one thread, so that all of a round waits before the first of it is taken.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(rounds));
    }
}
