//! The validated manifest, as the rest of Corella reads it.

use serde_json::Value as Json;

use crate::{Conversion, EntityName, FieldName, Search, Value};

/// What an app declares, after validation.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The app's name.
    pub name: String,
    /// The app's version of this manifest.
    pub version: String,
    /// The entities, in the order in which they were declared.
    pub entities: Vec<Entity>,
    /// Where a room name without a slash leads.
    pub default_entity: Option<EntityName>,
    /// Who may do what; without one, only administrators may do anything.
    pub policies: Vec<Policy>,
    /// How the caller's tenant is found in a token.
    pub tenancy: Option<Tenancy>,
}

/// One kind of row.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Its name, and its table's.
    pub name: EntityName,
    /// The declared fields, in the order in which they were declared.
    pub fields: Vec<Field>,
    /// The declared indexes.
    pub indexes: Vec<Index>,
    /// The declared relations.
    pub relations: Vec<Relation>,
    /// What of its rows can be searched for words; nothing when it is not declared.
    pub search: Option<Search>,
    /// Whether documents may have containers of any shape beside the declared fields.
    pub open: bool,
    /// Whether rows are Loro documents (the default) or plain rows.
    pub crdt: bool,
    /// How much of each document's history is kept.
    pub history: History,
    /// The name that the entity had before.
    pub renamed_from: Option<EntityName>,
}

/// One field of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name, and its column's.
    pub name: FieldName,
    /// What it holds.
    pub ty: FieldType,
    /// How concurrent writes of it merge.
    pub crdt: Crdt,
    /// Whether a row may lack it.
    pub optional: bool,
    /// Whether no two rows may hold the same value.
    pub unique: bool,
    /// What a new row gets when its author says nothing.
    pub default: Option<Default>,
    /// What becomes of the row when the row that the field names is deleted; of `id(…)` fields only.
    pub on_delete: OnDelete,
    /// Who may read it, as a CEL expression; `None` means whoever may read the row.
    pub allow_read: Option<String>,
    /// Who may write it, as a CEL expression; `None` means whoever may write the row.
    pub allow_write: Option<String>,
    /// The name that the field had when the first of its rows were written, which is its key in documents for ever.
    pub renamed_from: Option<FieldName>,
    /// How values are read that were written when the field was of another type or merge rule.
    pub convert: Option<Conversion>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldType {
    /// A text.
    String,
    /// One of the named variants.
    Enum(Vec<String>),
    /// The id of a row of that entity.
    Id(EntityName),
    /// A point in time, RFC 3339, kept in UTC.
    Datetime,
    /// A whole number of 64 bits.
    Int,
    /// A double-precision number.
    Float,
    /// True or false.
    Bool,
    /// Bytes; base64 in JSON.
    Bytes,
    /// Any JSON value.
    Json,
    /// A text with marks.
    Richtext,
    /// An editor's node tree, in the shape of loro-prosemirror.
    Document,
}

/// What becomes of a row when the row that one of its `id(…)` fields names is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDelete {
    /// Nothing: the row that is named cannot be deleted.
    #[default]
    Restrict,
    /// It is deleted, too.
    Cascade,
    /// The field is emptied.
    SetNull,
}

/// How concurrent writes of one field merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Crdt {
    /// The last writer wins.
    Lww,
    /// Character by character.
    Text,
    /// Increments add up.
    Counter,
    /// Insertions and removals by position.
    List,
    /// A list whose items can also be moved and set.
    MovableList,
    /// Key by key.
    Map,
    /// Nodes with parents and positions.
    Tree,
    /// An editor's node tree.
    Document,
}

/// What a new row gets for a field that its author left out.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// This value.
    Literal(Value),
    /// The time of the insertion (`"now"` on a datetime).
    Now,
    /// A fresh UUIDv7 (`"uuid"` on a string).
    Uuid,
    /// The author's user id (`"auth.userId"` on a string or id).
    AuthUserId,
}

/// An index over fields of one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name, unique within the entity.
    pub name: String,
    /// The fields, most significant first.
    pub fields: Vec<FieldName>,
    /// Whether no two rows may agree in all of them.
    pub unique: bool,
}

/// A named way from one entity to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its name in queries.
    pub name: String,
    /// The entity that it leads to.
    pub target: EntityName,
    /// The `id(…)` field that carries it: of this entity, or of the target when `many`.
    pub field: FieldName,
    /// Whether it leads to many rows.
    pub many: bool,
}

/// One rule of who may do what, as CEL expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The entity that it speaks of.
    pub entity: Option<EntityName>,
    /// The action that it speaks of.
    pub action: Option<String>,
    /// For everything that has no expression of its own.
    pub allow: Option<String>,
    /// For reading.
    pub allow_read: Option<String>,
    /// For writing, where insert, update or delete say nothing themselves.
    pub allow_write: Option<String>,
    /// For new rows.
    pub allow_insert: Option<String>,
    /// For changes of rows.
    pub allow_update: Option<String>,
    /// For deletions.
    pub allow_delete: Option<String>,
}

/// Where the caller's tenant comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// The claim of the caller's token.
    pub claim: String,
}

/// How much of each document's history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum History {
    /// All of it.
    #[default]
    All,
    /// What is younger than this.
    For(std::time::Duration),
    /// Only the present state, and what was written a moment ago: those who write side by side build on it.
    Latest,
}

impl Manifest {
    /// The entity of that name.
    #[must_use]
    pub fn entity(&self, name: &str) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name.as_str() == name)
    }

    /// The claim of a token that names the tenant, where there are tenants.
    #[must_use]
    pub fn tenant_claim(&self) -> Option<&str> {
        self.tenancy.as_ref().map(|tenancy| tenancy.claim.as_str())
    }
}

impl Entity {
    /// The field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }
}

impl OnDelete {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Restrict, Self::Cascade, Self::SetNull];

    /// The word that a manifest writes, such as `setNull`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Restrict => "restrict",
            Self::Cascade => "cascade",
            Self::SetNull => "setNull",
        }
    }
}

impl Field {
    /// The key under which documents hold the field: its first name.
    #[must_use]
    pub fn key(&self) -> &FieldName {
        self.renamed_from.as_ref().unwrap_or(&self.name)
    }
}

impl Crdt {
    /// Every merge rule.
    pub const ALL: [Self; 8] = [
        Self::Lww,
        Self::Text,
        Self::Counter,
        Self::List,
        Self::MovableList,
        Self::Map,
        Self::Tree,
        Self::Document,
    ];

    /// The merge rule as a manifest writes it, such as `movable-list`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Lww => "lww",
            Self::Text => "text",
            Self::Counter => "counter",
            Self::List => "list",
            Self::MovableList => "movable-list",
            Self::Map => "map",
            Self::Tree => "tree",
            Self::Document => "document",
        }
    }
}

impl FieldType {
    /// Whether the type has a column that can be compared and indexed.
    #[must_use]
    pub fn is_comparable(&self) -> bool {
        match self {
            Self::String | Self::Enum(_) | Self::Id(_) | Self::Datetime | Self::Richtext => true,
            Self::Int | Self::Float | Self::Bool => true,
            Self::Bytes | Self::Json | Self::Document => false,
        }
    }

    /// The merge rule that a field of this type has when its author names none.
    #[must_use]
    pub fn default_crdt(&self) -> Crdt {
        match self {
            Self::Richtext => Crdt::Text,
            Self::Document => Crdt::Document,
            Self::String | Self::Enum(_) | Self::Id(_) | Self::Datetime | Self::Int | Self::Float => {
                Crdt::Lww
            }
            Self::Bool | Self::Bytes | Self::Json => Crdt::Lww,
        }
    }

    /// The merge rules that a field of this type may name, the default first.
    #[must_use]
    pub fn allowed_crdts(&self) -> &'static [Crdt] {
        match self {
            Self::String => &[Crdt::Lww, Crdt::Text],
            Self::Enum(_) | Self::Id(_) | Self::Datetime | Self::Bool | Self::Bytes => &[Crdt::Lww],
            Self::Int | Self::Float => &[Crdt::Lww, Crdt::Counter],
            Self::Json => &[Crdt::Lww, Crdt::List, Crdt::MovableList, Crdt::Map, Crdt::Tree],
            Self::Richtext => &[Crdt::Text, Crdt::Lww],
            Self::Document => &[Crdt::Document],
        }
    }

    /// The type as a manifest writes it, such as `enum(red,green)`.
    #[must_use]
    pub fn spelling(&self) -> String {
        match self {
            Self::String => "string".into(),
            Self::Enum(variants) => format!("enum({})", variants.join(",")),
            Self::Id(entity) => format!("id({entity})"),
            Self::Datetime => "datetime".into(),
            Self::Int => "int".into(),
            Self::Float => "float".into(),
            Self::Bool => "bool".into(),
            Self::Bytes => "bytes".into(),
            Self::Json => "json".into(),
            Self::Richtext => "richtext".into(),
            Self::Document => "document".into(),
        }
    }

    /// Reads a JSON value as this type.
    ///
    /// JSON `null` is [`Value::Null`] whatever the type. Times come back in UTC.
    ///
    /// # Errors
    /// [`TypeMismatch`](crate::TypeMismatch) says what was expected and what came.
    pub fn read(&self, json: &Json) -> Result<Value, crate::TypeMismatch> {
        crate::value::read(self, json)
    }
}
