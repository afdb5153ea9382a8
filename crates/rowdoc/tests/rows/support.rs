//! A sample entity, rows of it, and a stock client.

use std::sync::Arc;

use corella_manifest::{Crdt, Entity, EntityName, Field, FieldName, FieldType, History};
use corella_rowdoc::{PeerId, Refusal, RowDoc, RowShape, Version};
use loro::{ExportMode, LoroDoc, LoroMap, VersionVector};
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
