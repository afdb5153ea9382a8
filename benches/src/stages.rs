//! The stages that an edit goes through, each alone.
//!
//! [`run`] times them; [`repeat`] is for whoever counts instructions instead, which are the same on a busy machine.

use std::sync::Arc;

use bytes::Bytes;
use corella_live::{Outbox, OutboxLimits};
use corella_manifest::{EntityName, Manifest, Value};
use corella_policy::{Action, Caller, Images, NoMemberships, Policies, Verdict};
use corella_query::{
    Query,
    maintain::{Lookup, MatchIndex, QueryId},
};
use corella_rowdoc::{Change, PeerId, RowDoc, RowId, RowKey, RowShape, Tenant, Version, examine};
use corella_store::{
    SourceId, StoreOptions,
    port::{About, Backend, ChangeKind, RowWrite, Seq, Unit, UnitOutcome},
    sqlite::{Durability, SqliteBackend},
};
use corella_wire::{BatchId, Magic, RoomName, decode, encode_update};
use criterion::Criterion;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use loro::{ExportMode, LoroDoc};
use serde_json::json;

use crate::app;

/// Characters of the text that is typed into.
const CHARACTERS: usize = 2_000;
/// Keystrokes before the document is loaded afresh.
const KEYSTROKES: usize = 1_000;
/// Queries that a changed row is matched with.
const QUERIES: usize = 10_000;

/// One stage.
struct Stage {
    name: &'static str,
    /// Makes what is measured, with all that it needs.
    prepare: fn() -> Box<dyn FnMut()>,
}

const STAGES: [Stage; 10] = [
    Stage { name: "decode", prepare: decoding },
    Stage { name: "guard", prepare: guarding },
    Stage { name: "import", prepare: importing },
    Stage { name: "project", prepare: projecting },
    Stage { name: "policy", prepare: permitting },
    Stage { name: "export", prepare: exporting },
    Stage { name: "commit", prepare: committing },
    Stage { name: "match", prepare: matching },
    Stage { name: "encode", prepare: encoding },
    Stage { name: "enqueue", prepare: enqueueing },
];

/// Times every stage.
pub(crate) fn run() {
    let mut criterion = Criterion::default().without_plots();
    for Stage { name, prepare } in &STAGES {
        let mut work = prepare();
        criterion.bench_function(name, |bencher| bencher.iter(&mut work));
    }
}

/// Makes every stage so many times, one after the other, between two [`mark`]s.
pub(crate) fn repeat(times: usize) {
    for Stage { name, prepare } in &STAGES {
        let mut work = prepare();
        // Whatever happens only once is over.
        work();
        mark();
        (0..times).for_each(|_| work());
        mark();
        println!("{name}");
    }
}

/// Whoever counts instructions begins to count anew here.
#[inline(never)]
fn mark() {
    std::hint::black_box(());
}

/// Somebody who types into a note.
struct Typing {
    shape: Arc<RowShape>,
    /// The note before.
    snapshot: Vec<u8>,
    /// The keystrokes, one after the other.
    updates: Vec<Bytes>,
}

impl Typing {
    fn new() -> Self {
        let doc = LoroDoc::new();
        let fields = doc.get_map("row");
        fields.insert("title", "A note").unwrap();
        let text = fields.ensure_mergeable_text("body").unwrap();
        text.insert(0, &"x".repeat(CHARACTERS)).unwrap();
        doc.commit();
        let snapshot = doc.export(ExportMode::Snapshot).unwrap();
        let keystroke = |at| {
            let before = doc.oplog_vv();
            text.insert(CHARACTERS / 2 + at, "y").unwrap();
            doc.commit();
            Bytes::from(doc.export(ExportMode::updates(&before)).unwrap())
        };
        let updates = (0..KEYSTROKES).map(keystroke).collect();
        let entity = &manifest().entities[0];
        Self { shape: Arc::new(RowShape::new(entity).unwrap()), snapshot, updates }
    }

    fn load(&self) -> RowDoc {
        RowDoc::load::<Bytes>(Arc::clone(&self.shape), PeerId(1), Some(&self.snapshot), &[]).unwrap()
    }

    /// Brings in one keystroke after the other; what comes back is called for each.
    fn follow(self, mut each: impl FnMut(&RowDoc, &Version, &Change) + 'static) -> Box<dyn FnMut()> {
        let mut doc = self.load();
        let mut next = 0;
        Box::new(move || {
            if next == self.updates.len() {
                doc = self.load();
                next = 0;
            }
            let before = doc.version();
            let change = doc.import(&self.updates[next]).unwrap();
            next += 1;
            each(&doc, &before, &change);
        })
    }

    /// The note after one keystroke, the version before it, and what it changed.
    fn typed(&self) -> (RowDoc, Version, Change) {
        let mut doc = self.load();
        let before = doc.version();
        let change = doc.import(&self.updates[0]).unwrap();
        (doc, before, change)
    }
}

fn manifest() -> Manifest {
    Manifest::parse(&app::manifest()).unwrap().manifest
}

fn room() -> RoomName {
    RoomName::new("Note/row-1").unwrap()
}

fn frame() -> Bytes {
    let update = &Typing::new().updates[0];
    encode_update(Magic::Document, &room(), &[update], || BatchId([7; 8])).remove(0)
}

/// A frame becomes a message.
fn decoding() -> Box<dyn FnMut()> {
    let frame = frame();
    Box::new(move || drop(decode(frame.clone()).unwrap()))
}

/// A guard decodes the update, without its pipe.
fn guarding() -> Box<dyn FnMut()> {
    let update = Typing::new().updates.swap_remove(0);
    Box::new(move || examine(&update).unwrap())
}

/// The document takes the update in, and it is checked where that has landed.
fn importing() -> Box<dyn FnMut()> {
    Typing::new().follow(|_, _, _| {})
}

/// The columns that have changed are read.
fn projecting() -> Box<dyn FnMut()> {
    let typing = Typing::new();
    let before = typing.load().project().unwrap();
    let (doc, _, change) = typing.typed();
    Box::new(move || drop(doc.project_changed(&before, &change).unwrap()))
}

/// The author is asked for.
fn permitting() -> Box<dyn FnMut()> {
    let manifest = Arc::new(manifest());
    let policies = Policies::new(Arc::clone(&manifest)).unwrap();
    let caller = Caller { user: Some("somebody".into()), ..Caller::default() };
    let row = vec![Value::Text("row-1".into()); manifest.entities[0].fields.len() + 1];
    Box::new(move || {
        let images = Images { before: Some(&row), after: Some(&row) };
        let entity = &manifest.entities[0];
        let asked = policies.may(&caller, entity, Action::Update, images, Timestamp::now(), &NoMemberships);
        assert_eq!(asked.now_or_never().unwrap().unwrap(), Verdict::Allowed);
    })
}

/// What others lack is taken from the document.
fn exporting() -> Box<dyn FnMut()> {
    let (doc, before, _) = Typing::new().typed();
    Box::new(move || drop(doc.export_since(&before).unwrap()))
}

/// The row's part of a transaction is written and synced.
fn committing() -> Box<dyn FnMut()> {
    let folder = tempfile::tempdir_in(".").unwrap();
    let backend = Arc::new(SqliteBackend::open(folder.path(), Durability::Full).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let typing = Typing::new();
    runtime.block_on(async {
        // Has the tables made.
        let same = Arc::clone(&backend) as Arc<dyn Backend>;
        app::store_over(same, StoreOptions::default()).await.close().await;
    });
    let (doc, before, _) = typing.typed();
    let projection = Arc::new(doc.project().unwrap());
    let mut head = Seq(0);
    Box::new(move || {
        let _kept = &folder;
        let write = RowWrite {
            key: RowKey {
                tenant: Tenant::none(),
                entity: EntityName::new("Note").unwrap(),
                id: RowId::new("row-1").unwrap(),
            },
            known_head: head,
            delta: typing.updates[0].clone(),
            version: doc.version().encode().into(),
            projection: Arc::clone(&projection),
            kind: if head == Seq(0) { ChangeKind::Insert } else { ChangeKind::Update },
            author: Some("somebody".into()),
            about: About::default(),
            ends: doc.version().since(&before).encode().into(),
            late: false,
        };
        let unit =
            Unit { writes: vec![write], references: Vec::new(), outcomes: Vec::new(), at: Timestamp::now() };
        let outcome = runtime.block_on(backend.commit(&[unit])).unwrap().remove(0);
        let UnitOutcome::Committed(seqs) = outcome else {
            unreachable!("expected a commit, found {outcome:?}")
        };
        head = seqs[0];
    })
}

/// The live queries are found that the row concerns.
fn matching() -> Box<dyn FnMut()> {
    let manifest = manifest();
    let mut index = MatchIndex::default();
    for follower in 0..QUERIES {
        let query = json!({ "from": "Note", "where": { "title": format!("t{follower}"), "pinned": true } });
        let query = Query::read(&manifest, &query).unwrap();
        index.insert(QueryId(u64::try_from(follower).unwrap()), &Lookup::of(query.filter()));
    }
    let row = vec![
        Value::Text("row-1".into()),
        Value::Text("t7".into()),
        Value::Null,
        Value::Null,
        Value::Bool(true),
        Value::Null,
    ];
    let mut found = Vec::new();
    Box::new(move || {
        found.clear();
        index.find(&row, &mut found);
        assert_eq!(found.len(), 1);
    })
}

/// The update becomes a frame for all who watch.
fn encoding() -> Box<dyn FnMut()> {
    let (room, update) = (room(), Typing::new().updates.swap_remove(0));
    Box::new(move || drop(encode_update(Magic::Document, &room, &[&update], || BatchId([7; 8]))))
}

/// The frame is put into a connection's outbox and taken out again.
fn enqueueing() -> Box<dyn FnMut()> {
    let (outbox, frame) = (Outbox::new(SourceId(1), OutboxLimits::default()), frame());
    Box::new(move || {
        outbox.push_answer(frame.clone());
        assert!(outbox.take(usize::MAX).is_some());
    })
}
