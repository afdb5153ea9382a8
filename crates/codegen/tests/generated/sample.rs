//! Rows of sample 1.2.0, made by `corella codegen rust`: changes here are lost.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The schema's fingerprint: send it as the header `corella-schema`.
pub const FINGERPRINT: &str = "5abbe5f017bfde51";

/// What `Task.state` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TaskState {
    /// `open`
    #[serde(rename = "open")]
    Open,
    /// `in progress`
    #[serde(rename = "in progress")]
    InProgress,
    /// `done`
    #[serde(rename = "done")]
    Done,
}

/// A row of `Task` as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// `heading`: string
    pub heading: String,
    /// `state`: enum(open,in progress,done)
    pub state: TaskState,
    /// `type`: string
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// `owner`: id(User)
    pub owner: Option<String>,
    /// `dueAt`: datetime
    #[serde(rename = "dueAt")]
    pub due_at: Option<String>,
    /// `effort`: int
    pub effort: Int,
    /// `weight`: float
    pub weight: Option<f64>,
    /// `pinned`: bool
    pub pinned: bool,
    /// `blob`: bytes
    pub blob: Option<String>,
    /// `data`: json
    pub data: Option<Json>,
    /// `votes`: int
    pub votes: Int,
    /// `score`: float
    pub score: f64,
    /// `tags`: json
    pub tags: Vec<Json>,
    /// `steps`: json
    pub steps: Vec<Json>,
    /// `settings`: json
    pub settings: serde_json::Map<String, Json>,
    /// `outline`: json
    pub outline: Vec<TreeNode>,
    /// `summary`: string
    pub summary: String,
    /// `body`: richtext
    pub body: Option<String>,
    /// `page`: document
    pub page: String,
}

/// What a new row of `Task` takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewTask {
    /// `heading`: string
    pub heading: String,
    /// `state`: enum(open,in progress,done)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// `type`: string
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// `owner`: id(User)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// `dueAt`: datetime
    #[serde(rename = "dueAt", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// `effort`: int
    pub effort: Int,
    /// `weight`: float
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// `pinned`: bool
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// `blob`: bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<String>,
    /// `data`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// `votes`: int
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Edit<CounterStep<Int>>>,
    /// `score`: float
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Edit<CounterStep<f64>>>,
    /// `tags`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Edit<ListStep>>,
    /// `steps`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Edit<ListStep>>,
    /// `settings`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Edit<MapStep>>,
    /// `outline`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outline: Option<Edit<TreeStep>>,
    /// `summary`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Edit<TextStep>>,
    /// `body`: richtext
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Edit<TextStep>>,
    /// `page`: document
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Json>,
}

/// What a change of a row of `Task` takes; `Some(None)` clears a field that is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskPatch {
    /// `heading`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heading: Option<String>,
    /// `state`: enum(open,in progress,done)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<TaskState>,
    /// `type`: string
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<Option<String>>,
    /// `owner`: id(User)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Option<String>>,
    /// `dueAt`: datetime
    #[serde(rename = "dueAt", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Option<String>>,
    /// `effort`: int
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Int>,
    /// `weight`: float
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<Option<f64>>,
    /// `pinned`: bool
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// `blob`: bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob: Option<Option<String>>,
    /// `data`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Option<Json>>,
    /// `votes`: int
    #[serde(skip_serializing_if = "Option::is_none")]
    pub votes: Option<Edit<CounterStep<Int>>>,
    /// `score`: float
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Edit<CounterStep<f64>>>,
    /// `tags`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Edit<ListStep>>,
    /// `steps`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Edit<ListStep>>,
    /// `settings`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Edit<MapStep>>,
    /// `outline`: json
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outline: Option<Edit<TreeStep>>,
    /// `summary`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Edit<TextStep>>,
    /// `body`: richtext
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Option<Edit<TextStep>>>,
    /// `page`: document
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<Json>,
}

/// The columns of `Task` that queries ask about.
pub mod task {
    use super::Column;

    /// The row's id.
    pub const ID: Column<String> = Column::new("id");
    /// `heading`
    pub const HEADING: Column<String> = Column::new("heading");
    /// `state`
    pub const STATE: Column<super::TaskState> = Column::new("state");
    /// `type`
    pub const TYPE: Column<String> = Column::new("type");
    /// `owner`
    pub const OWNER: Column<String> = Column::new("owner");
    /// `dueAt`
    pub const DUE_AT: Column<String> = Column::new("dueAt");
    /// `effort`
    pub const EFFORT: Column<super::Int> = Column::new("effort");
    /// `weight`
    pub const WEIGHT: Column<f64> = Column::new("weight");
    /// `pinned`
    pub const PINNED: Column<bool> = Column::new("pinned");
    /// `data`
    pub const DATA: Column<super::Json> = Column::new("data");
    /// `votes`
    pub const VOTES: Column<super::Int> = Column::new("votes");
    /// `score`
    pub const SCORE: Column<f64> = Column::new("score");
    /// `tags`
    pub const TAGS: Column<super::Json> = Column::new("tags");
    /// `steps`
    pub const STEPS: Column<super::Json> = Column::new("steps");
    /// `settings`
    pub const SETTINGS: Column<super::Json> = Column::new("settings");
    /// `outline`
    pub const OUTLINE: Column<super::Json> = Column::new("outline");
    /// `summary`
    pub const SUMMARY: Column<String> = Column::new("summary");
    /// `body`
    pub const BODY: Column<String> = Column::new("body");
}

/// A row of `User` as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: String,
    /// `name`: string
    pub name: String,
}

/// What a new row of `User` takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewUser {
    /// `name`: string
    pub name: String,
}

/// What a change of a row of `User` takes; `Some(None)` clears a field that is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UserPatch {
    /// `name`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// The columns of `User` that queries ask about.
pub mod user {
    use super::Column;

    /// The row's id.
    pub const ID: Column<String> = Column::new("id");
    /// `name`
    pub const NAME: Column<String> = Column::new("name");
}

/// A row of `Board` as it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// Its id.
    pub id: String,
    /// `title`: string
    pub title: Option<String>,
    /// The whole document.
    pub value: Json,
}

/// What a new row of `Board` takes.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct NewBoard {
    /// `title`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What a change of a row of `Board` takes; `Some(None)` clears a field that is optional.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BoardPatch {
    /// `title`: string
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Option<String>>,
}

/// The columns of `Board` that queries ask about.
pub mod board {
    use super::Column;

    /// The row's id.
    pub const ID: Column<String> = Column::new("id");
    /// `title`
    pub const TITLE: Column<String> = Column::new("title");
}

/// A whole number of 64 bits, which JSON has as a text beyond 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Int(pub i64);

impl Serialize for Int {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.unsigned_abs() > 1 << 53 {
            true => serializer.serialize_str(&self.0.to_string()),
            false => serializer.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        let int = json.as_i64().or_else(|| json.as_str()?.parse().ok());
        int.map(Self).ok_or_else(|| serde::de::Error::custom(format!("expected a whole number of 64 bits, found {json}")))
    }
}

/// A node of a tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeNode {
    /// Its id; a new node has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it holds.
    #[serde(default)]
    pub data: serde_json::Map<String, Json>,
    /// The nodes below it.
    #[serde(default)]
    pub children: Vec<TreeNode>,
}

/// What becomes of a collaborative field: a whole value, or operations in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit<Step> {
    /// The field comes to this value by the smallest edit.
    Whole(Json),
    /// These operations are made.
    Steps(Vec<Step>),
}

impl<Step> Edit<Step> {
    /// The field comes to this value.
    pub fn whole(value: impl Into<Json>) -> Self {
        Self::Whole(value.into())
    }

    /// This operation is made.
    pub fn step(step: Step) -> Self {
        Self::Steps(vec![step])
    }
}

impl<Step: Serialize> Serialize for Edit<Step> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Steps<'a, Step> {
            #[serde(rename = "$ops")]
            steps: &'a [Step],
        }
        match self {
            Self::Whole(value) => value.serialize(serializer),
            Self::Steps(steps) => Steps { steps }.serialize(serializer),
        }
    }
}

/// An operation on a counter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum CounterStep<Number> {
    /// It goes up by this.
    #[serde(rename = "$inc")]
    Inc(Number),
}

/// An operation on a list. Places are counted from 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum ListStep {
    /// An item comes to the end.
    #[serde(rename = "$push")]
    Push(Json),
    /// An item comes to a place.
    #[serde(rename = "$insert")]
    Insert(usize, Json),
    /// The item at a place becomes this.
    #[serde(rename = "$set")]
    Set(usize, Json),
    /// The item at the first place comes to the second.
    #[serde(rename = "$move")]
    Move(usize, usize),
    /// The item at a place goes.
    #[serde(rename = "$remove")]
    Remove(usize),
}

/// An operation on a map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum MapStep {
    /// A key gets a value.
    #[serde(rename = "$set")]
    Set(String, Json),
    /// These keys get these values.
    #[serde(rename = "$merge")]
    Merge(serde_json::Map<String, Json>),
    /// A key goes.
    #[serde(rename = "$remove")]
    Remove(String),
}

/// An operation on a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum TextStep {
    /// A delta as Quill writes it, counted in UTF-16 code units.
    #[serde(rename = "$delta")]
    Delta(Vec<Json>),
}

/// An operation on a tree, as an object of `docs/fields.md`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum TreeStep {
    /// A node comes: `parent`, `index`, `data`, `children`.
    #[serde(rename = "$create")]
    Create(Json),
    /// A node moves: `id`, `parent`, `index`.
    #[serde(rename = "$move")]
    Move(Json),
    /// A node's data is replaced: `id`, `data`.
    #[serde(rename = "$set")]
    Set(Json),
    /// Keys of a node's data are set: `id`, `data`.
    #[serde(rename = "$merge")]
    Merge(Json),
    /// A node goes.
    #[serde(rename = "$delete")]
    Delete(String),
}

/// A column that a query may ask about.
#[derive(Debug)]
pub struct Column<T> {
    name: &'static str,
    holds: std::marker::PhantomData<fn(T)>,
}

impl<T> Column<T> {
    const fn new(name: &'static str) -> Self {
        Self { name, holds: std::marker::PhantomData }
    }

    fn test(&self, operator: &str, value: Json) -> Filter {
        Filter(serde_json::json!({ self.name: { operator: value } }))
    }

    /// Whether there is a value.
    pub fn exists(&self, there: bool) -> Filter {
        self.test("$exists", there.into())
    }

    /// Smaller values first.
    pub fn ascending(&self) -> Order {
        Order(serde_json::json!({ self.name: "asc" }))
    }

    /// Larger values first.
    pub fn descending(&self) -> Order {
        Order(serde_json::json!({ self.name: "desc" }))
    }
}

impl<T: Serialize> Column<T> {
    fn compare(&self, operator: &str, value: impl Into<T>) -> Filter {
        self.test(operator, serde_json::to_value(value.into()).unwrap_or(Json::Null))
    }

    /// Holds this value.
    pub fn eq(&self, value: impl Into<T>) -> Filter {
        self.compare("$eq", value)
    }

    /// Does not hold this value.
    pub fn ne(&self, value: impl Into<T>) -> Filter {
        self.compare("$ne", value)
    }

    /// Is greater.
    pub fn gt(&self, value: impl Into<T>) -> Filter {
        self.compare("$gt", value)
    }

    /// Is greater or equal.
    pub fn gte(&self, value: impl Into<T>) -> Filter {
        self.compare("$gte", value)
    }

    /// Is less.
    pub fn lt(&self, value: impl Into<T>) -> Filter {
        self.compare("$lt", value)
    }

    /// Is less or equal.
    pub fn lte(&self, value: impl Into<T>) -> Filter {
        self.compare("$lte", value)
    }

    /// Is one of these.
    pub fn one_of<V: Into<T>>(&self, values: impl IntoIterator<Item = V>) -> Filter {
        let values = values.into_iter().map(|value| serde_json::to_value(value.into()).unwrap_or(Json::Null));
        self.test("$in", values.collect())
    }
}

impl Column<String> {
    /// Matches a pattern with `%` and `_`.
    pub fn like(&self, pattern: &str) -> Filter {
        self.test("$like", pattern.into())
    }

    /// Has this text in it.
    pub fn contains(&self, text: &str) -> Filter {
        self.test("$contains", text.into())
    }
}

impl Column<Json> {
    /// Is a list that has this item: a text, a number or a boolean.
    pub fn has(&self, item: impl Into<Json>) -> Filter {
        self.test("$contains", item.into())
    }
}

impl From<i64> for Int {
    fn from(int: i64) -> Self {
        Self(int)
    }
}

/// A condition on rows, as `where` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Filter(Json);

impl Filter {
    /// Both hold.
    pub fn and(self, other: Self) -> Self {
        Self(serde_json::json!({ "$and": [self.0, other.0] }))
    }

    /// One of them holds, or both.
    pub fn or(self, other: Self) -> Self {
        Self(serde_json::json!({ "$or": [self.0, other.0] }))
    }

    /// It does not hold.
    pub fn negated(self) -> Self {
        Self(serde_json::json!({ "$not": self.0 }))
    }
}

/// An order of rows, as `orderBy` takes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Order(Json);
