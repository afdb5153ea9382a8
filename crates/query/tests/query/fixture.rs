//! A manifest with one field of every type.

use corella_manifest::{
    Entity, EntityName, Field, FieldName, FieldType, History, Language, Manifest, Search, Value,
};
use corella_query::{Query, QueryError, QueryParts, QueryTexts};
use serde_json::Value as Json;

pub(crate) fn entity_name(name: &str) -> EntityName {
    EntityName::new(name).expect("the fixture's names are valid")
}

fn name(name: &str) -> FieldName {
    FieldName::new(name).expect("the fixture's names are valid")
}

fn field(field: &str, ty: FieldType) -> Field {
    Field {
        name: name(field),
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

fn entity(name: &str, open: bool, fields: Vec<Field>) -> Entity {
    Entity {
        name: entity_name(name),
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

/// Entities `Note`, with a field of each type, and `Board`, which is open.
pub(crate) fn manifest() -> Manifest {
    let colors = ["red", "green", "Blue"].map(String::from).to_vec();
    let note = vec![
        field("title", FieldType::String),
        field("body", FieldType::Richtext),
        field("page", FieldType::Document),
        field("pinned", FieldType::Bool),
        field("color", FieldType::Enum(colors)),
        field("position", FieldType::Float),
        field("count", FieldType::Int),
        field("created", FieldType::Datetime),
        field("author", FieldType::Id(entity_name("User"))),
        field("raw", FieldType::Bytes),
        field("extra", FieldType::Json),
    ];
    Manifest {
        name: "fixture".into(),
        version: "1".into(),
        entities: vec![
            Entity {
                search: Some(Search { text: vec![name("title"), name("body")], language: Language::English }),
                ..entity("Note", false, note)
            },
            entity("Board", true, vec![field("title", FieldType::String)]),
        ],
        default_entity: None,
        policies: Vec::new(),
        tenancy: None,
    }
}

/// Parses a query of `Note`.
pub(crate) fn parse(
    where_: Json,
    order_by: Json,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Query, QueryError> {
    let parts = QueryParts {
        where_: Some(where_),
        order_by: Some(order_by),
        limit: Some(limit),
        cursor,
        ..QueryParts::default()
    };
    Query::parse(&manifest(), "Note", parts)
}

/// Parses a query of `entity` from texts.
pub(crate) fn parse_texts(entity: &str, texts: QueryTexts<'_>) -> Result<Query, QueryError> {
    texts.read().and_then(|parts| Query::parse(&manifest(), entity, parts))
}

/// A row of `Note` without values but its id.
pub(crate) fn empty_row(id: &str) -> Vec<Value> {
    let mut row = vec![Value::Null; 12];
    row[0] = Value::Text(id.into());
    row
}

/// A row of `Note` with its id and these fields, read from JSON.
pub(crate) fn row(id: &str, fields: &Json) -> Vec<Value> {
    let manifest = manifest();
    let note = manifest.entity("Note").expect("the fixture declares Note");
    let mut row = vec![Value::Text(id.into())];
    for field in &note.fields {
        let json = fields.get(field.name.as_str()).unwrap_or(&Json::Null);
        row.push(field.ty.read(json).expect("the fixture's rows fit their types"));
    }
    row
}
