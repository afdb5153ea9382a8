//! A sample entity, rows of it, and a stock client.

use std::sync::Arc;

use corella_manifest::{Crdt, Entity, EntityName, Field, FieldName, FieldType, History};
use corella_rowdoc::{Change, Folded, PeerId, Projection, Refusal, RowDoc, RowShape, Version, merge_stored};
use loro::{ExportMode, LoroDoc, LoroMap, VersionVector};
use proptest::sample::Index;
use serde_json::{Map, Value as Json};

pub(crate) fn field(name: &str, ty: FieldType) -> Field {
    Field {
        name: FieldName::new(name).unwrap(),
        crdt: ty.default_crdt(),
        ty,
        optional: true,
        unique: false,
        default: None,
        allow_read: None,
        allow_write: None,
        on_delete: corella_manifest::OnDelete::Restrict,
        renamed_from: None,
        convert: None,
    }
}

pub(crate) fn entity(fields: Vec<Field>, open: bool) -> Entity {
    Entity {
        name: EntityName::new("Note").unwrap(),
        fields,
        indexes: Vec::new(),
        relations: Vec::new(),
        search: None,
        open,
        crdt: true,
        history: History::All,
        renamed_from: None,
    }
}

/// One field of every kind that is served; `title` is required.
pub(crate) fn note() -> Arc<RowShape> {
    let color = FieldType::Enum(vec!["red".into(), "green".into()]);
    let fields = vec![
        Field { optional: false, ..field("title", FieldType::String) },
        Field { crdt: Crdt::Text, ..field("summary", FieldType::String) },
        field("body", FieldType::Richtext),
        field("page", FieldType::Document),
        field("color", color),
        field("author", FieldType::Id(EntityName::new("User").unwrap())),
        field("created", FieldType::Datetime),
        field("count", FieldType::Int),
        field("position", FieldType::Float),
        field("pinned", FieldType::Bool),
        Field { crdt: Crdt::Lww, ..field("footer", FieldType::Richtext) },
    ];
    Arc::new(RowShape::new(&entity(fields, false)).unwrap())
}

/// One field of every merge rule; `likes`, `tags` and `outline` are required.
pub(crate) fn kinds() -> Arc<RowShape> {
    let of = |name, ty, crdt| Field { crdt, ..field(name, ty) };
    let required = |field: Field| Field { optional: false, ..field };
    let fields = vec![
        required(of("likes", FieldType::Int, Crdt::Counter)),
        of("score", FieldType::Float, Crdt::Counter),
        required(of("tags", FieldType::Json, Crdt::List)),
        of("tasks", FieldType::Json, Crdt::MovableList),
        of("settings", FieldType::Json, Crdt::Map),
        required(of("outline", FieldType::Json, Crdt::Tree)),
        field("data", FieldType::Json),
        field("blob", FieldType::Bytes),
        field("body", FieldType::Richtext),
        of("summary", FieldType::String, Crdt::Text),
        field("page", FieldType::Document),
    ];
    Arc::new(RowShape::new(&entity(fields, false)).unwrap())
}

/// A row of [`kinds`], as the server makes it.
pub(crate) fn new_kinds() -> RowDoc {
    let mut row = RowDoc::new(kinds(), PeerId(1));
    row.initialise(&Map::new()).unwrap();
    row
}

/// Patches the row, which has to work, and answers with the field that was patched.
#[track_caller]
pub(crate) fn patched(row: &mut RowDoc, field: &str, asked: Json) -> Json {
    let before = row.project().unwrap();
    let version = row.version();
    let change =
        row.patch(&Map::from_iter([(field.to_owned(), asked)])).expect("this patch must be accepted");
    let after = row.project().unwrap();
    assert_eq!(row.project_changed(&before, &change).unwrap(), after, "reading what changed must be enough");
    assert_eq!(change.is_empty(), row.version() == version);
    json(row, field)
}

/// What a patch of one field is refused with; nothing changes.
#[track_caller]
pub(crate) fn patch_refused(row: &mut RowDoc, field: &str, asked: Json) -> String {
    let before = (row.version(), row.project().unwrap());
    let refusal =
        row.patch(&Map::from_iter([(field.to_owned(), asked)])).expect_err("this patch must be refused");
    assert_eq!((row.version(), row.project().unwrap()), before, "a refused patch changes nothing");
    refusal.to_string()
}

/// Brings what each of the two lacks to it.
pub(crate) fn meet(one: &mut RowDoc, other: &mut RowDoc) {
    let (to_other, to_one) =
        (one.export_since(&other.version()).unwrap(), other.export_since(&one.version()).unwrap());
    one.import(&to_one).unwrap();
    other.import(&to_other).unwrap();
    assert_eq!(one.version(), other.version());
    assert_eq!(one.project().unwrap(), other.project().unwrap());
}

/// What becomes of an edit that a stock client makes in a fresh row of every kind.
#[track_caller]
pub(crate) fn kinds_refused(edit: impl FnOnce(&Client)) -> String {
    let mut row = new_kinds();
    let mut client = Client::of(&row, 7);
    edit(&client);
    row.import(&client.update()).expect_err("this edit must be refused").to_string()
}

/// An entity of open documents with one declared field.
pub(crate) fn board() -> Arc<RowShape> {
    let fields = vec![field("title", FieldType::String)];
    Arc::new(RowShape::new(&entity(fields, true)).unwrap())
}

pub(crate) fn object(json: Json) -> Map<String, Json> {
    let Json::Object(map) = json else { panic!("expected an object, found {json}") };
    map
}

/// A row with its title and the empty page, as the server makes it.
pub(crate) fn new_note() -> RowDoc {
    let mut row = RowDoc::new(note(), PeerId(1));
    row.initialise(&object(serde_json::json!({"title": "New"}))).unwrap();
    row
}

/// Another replica of the same row.
pub(crate) fn replica(row: &RowDoc, peer: u64) -> RowDoc {
    let snapshot = row.snapshot().unwrap();
    RowDoc::load(Arc::clone(row.shape()), PeerId(peer), Some(&snapshot), &[] as &[Vec<u8>]).unwrap()
}

/// A stock client's document.
pub(crate) struct Client {
    pub(crate) doc: LoroDoc,
    sent: VersionVector,
}

impl Client {
    pub(crate) fn new(peer: u64) -> Self {
        let doc = LoroDoc::new();
        doc.set_peer_id(peer).unwrap();
        Self { sent: doc.oplog_vv(), doc }
    }

    pub(crate) fn of(row: &RowDoc, peer: u64) -> Self {
        let mut client = Self::new(peer);
        client.pull(row);
        client
    }

    pub(crate) fn row(&self) -> LoroMap {
        self.doc.get_map("row")
    }

    pub(crate) fn pull(&mut self, row: &RowDoc) {
        let known = Version::decode(&self.doc.oplog_vv().encode()).unwrap();
        self.doc.import(&row.export_since(&known).unwrap()).unwrap();
        self.sent = self.doc.oplog_vv();
    }

    /// What the client has done since it last sent or received.
    pub(crate) fn update(&mut self) -> Vec<u8> {
        self.doc.commit();
        let update = self.doc.export(ExportMode::updates(&self.sent)).unwrap();
        self.sent = self.doc.oplog_vv();
        update
    }
}

/// What becomes of an edit that a stock client makes in a fresh note.
pub(crate) fn refused(edit: impl FnOnce(&Client)) -> Refusal {
    let mut row = new_note();
    let mut client = Client::of(&row, 7);
    edit(&client);
    row.import(&client.update()).expect_err("this edit must be refused")
}

/// Which fields an edit that a stock client makes in a fresh note changes.
pub(crate) fn accepted(edit: impl FnOnce(&Client)) -> (RowDoc, Vec<String>) {
    let mut row = new_note();
    let before = row.project().unwrap();
    let mut client = Client::of(&row, 7);
    edit(&client);
    let change = row.import(&client.update()).expect("this edit must be accepted");
    let after = row.project().unwrap();
    assert_eq!(row.project_changed(&before, &change).unwrap(), after, "reading what changed must be enough");
    let names = change.fields.iter().map(|index| row.shape().fields()[*index].name.to_string()).collect();
    (row, names)
}

pub(crate) fn json(row: &RowDoc, field: &str) -> Json {
    row.to_json().unwrap().remove(field).unwrap()
}

/// Replicas of one row that act, each by itself, and every update that they made.
pub(crate) struct Room {
    start: RowDoc,
    pub(crate) replicas: Vec<RowDoc>,
    pub(crate) updates: Vec<Vec<u8>>,
}

impl Room {
    /// So many replicas of `start`.
    pub(crate) fn of(start: &RowDoc, count: u64) -> Self {
        let replicas = (0..count).map(|index| replica(start, 10 + index)).collect();
        Self { start: replica(start, 9), replicas, updates: Vec::new() }
    }

    /// Lets one of them act; what it changed is what it says that it changed.
    pub(crate) fn act(&mut self, who: usize, act: impl FnOnce(&mut RowDoc) -> Option<Change>) {
        let row = &mut self.replicas[who];
        let (before, known) = (row.version(), row.project().unwrap());
        let Some(change) = act(row) else { return };
        assert_eq!(row.project_changed(&known, &change).unwrap(), row.project().unwrap());
        assert_eq!(change.is_empty(), row.version() == before);
        self.updates.push(row.export_since(&before).unwrap());
    }

    /// Brings what another one has to one of them.
    pub(crate) fn take_in(&mut self, who: usize, from: Option<usize>) {
        let Some(from) = from.filter(|from| *from != who) else { return };
        let known = self.replicas[who].project().unwrap();
        let update = self.replicas[from].export_since(&self.replicas[who].version()).unwrap();
        let change = self.replicas[who].import(&update).unwrap();
        let merged = self.replicas[who].project().unwrap();
        assert_eq!(self.replicas[who].project_changed(&known, &change).unwrap(), merged);
    }

    /// Brings every update everywhere, in many ways, each of which has to lead to the same values; answers with them.
    pub(crate) fn meets_everywhere(&mut self, order: Index, rotate: usize) -> Projection {
        self.everything_to_everyone(order, rotate);
        let projection = self.replicas[0].project().unwrap();
        for row in &self.replicas[1..] {
            assert_eq!(row.version(), self.replicas[0].version());
            assert_eq!(row.project().unwrap(), projection);
        }
        self.loads_what_is_stored(&projection);
        self.with_less_history(order, rotate, &projection);
        projection
    }

    /// To each starting elsewhere, until nobody waits for anything; some come twice.
    fn everything_to_everyone(&mut self, order: Index, rotate: usize) {
        let count = self.updates.len();
        for (index, row) in self.replicas.iter_mut().enumerate() {
            let mut waiting: Vec<&Vec<u8>> = self.updates.iter().collect();
            waiting.rotate_left((rotate + index * 7) % count);
            waiting.push(&self.updates[order.index(count)]);
            while !waiting.is_empty() {
                let before = waiting.len();
                let mut later = Vec::new();
                for update in waiting {
                    let mut attempt = replica(row, 90);
                    if attempt.import(update).is_ok() {
                        row.import(update).unwrap();
                    } else {
                        later.push(update);
                    }
                }
                assert!(later.len() < before, "updates that nobody can take in");
                waiting = later;
            }
        }
    }

    fn loads_what_is_stored(&self, projection: &Projection) {
        let snapshot = self.start.snapshot().unwrap();
        let shape = self.start.shape();
        let Folded { snapshot: folded, version, .. } =
            merge_stored(shape, Some(&snapshot), &self.updates, None).unwrap();
        assert_eq!(version, self.replicas[0].version());
        let stored = RowDoc::load(Arc::clone(shape), PeerId(50), Some(&folded), &[] as &[Vec<u8>]).unwrap();
        assert_eq!(stored.project().unwrap(), *projection);
        let mut joiner = RowDoc::new(Arc::clone(shape), PeerId(51));
        joiner.import(&stored.export_since(&Version::empty()).unwrap()).unwrap();
        assert_eq!(joiner.project().unwrap(), *projection);
    }

    /// What comes on top leads to the same, or says that it cannot.
    fn with_less_history(&self, order: Index, rotate: usize, projection: &Projection) {
        let (snapshot, shape, count) =
            (self.start.snapshot().unwrap(), self.start.shape(), self.updates.len());
        let (mark, upto) = (order.index(count), order.index(count).max(rotate % count));
        let (early, late) = (&self.updates[..mark.min(upto)], &self.updates[upto..]);
        let early = merge_stored(shape, Some(&snapshot), early, None).unwrap();
        let trimmed =
            merge_stored(shape, Some(&snapshot), &self.updates[..upto], Some(&early.version)).unwrap();
        assert!(
            early.version.includes(&trimmed.history_start),
            "kept from the mark on, and what lies before"
        );
        if let Ok(row) = RowDoc::load(Arc::clone(shape), PeerId(52), Some(&trimmed.snapshot), late) {
            assert_eq!(row.version(), self.replicas[0].version());
            assert_eq!(row.project().unwrap(), *projection);
        } else {
            assert!(!trimmed.history_start.is_empty(), "nothing was cut, and yet something is missing");
        }
    }
}
