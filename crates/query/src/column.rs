//! The columns that a query may name, and how a row shows its values in them.

use corella_manifest::{Entity, FieldName, FieldType, Value};

/// A column of one entity's table: the row's id, a declared field, or the whole value of an open entity's row; or how
/// well a row fits the words that are looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    place: Place,
    ty: ColumnType,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Id,
    Field {
        name: FieldName,
        position: usize,
    },
    /// The whole value of an open entity's row, which can be selected but not tested.
    Whole {
        position: usize,
    },
    /// How well the row fits the words that are looked for: behind all that the table has.
    Rank {
        position: usize,
    },
}

/// What a column holds, as far as comparing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// [`Value::Text`], whatever the field's type calls it.
    Text,
    /// [`Value::Time`].
    Time,
    /// [`Value::Int`].
    Int,
    /// [`Value::Float`].
    Float,
    /// [`Value::Bool`].
    Bool,
    /// [`Value::Bytes`].
    Bytes,
    /// [`Value::Json`], which has no order.
    Json,
}

/// A row as a query sees it.
///
/// `[Value]` and `Vec<Value>` are rows in the order of a statement's columns: the id, then each declared
/// field; what they are too short for is null.
pub trait RowView {
    /// The row's value in `column`; [`Value::Null`] when it has none.
    fn value(&self, column: &Column) -> &Value;
}

static NULL: Value = Value::Null;

impl RowView for [Value] {
    fn value(&self, column: &Column) -> &Value {
        self.get(column.position()).unwrap_or(&NULL)
    }
}

impl RowView for Vec<Value> {
    fn value(&self, column: &Column) -> &Value {
        self.as_slice().value(column)
    }
}

impl Column {
    /// The name of the column that every table has.
    pub const ID: &'static str = "id";
    /// The name of the column that an open entity's table has behind its declared fields.
    pub const WHOLE: &'static str = "value";
    /// The name under which a statement has how well a row fits.
    pub(crate) const RANK: &'static str = "corella_rank";

    /// The row's id.
    #[must_use]
    pub fn id() -> Self {
        Self { place: Place::Id, ty: ColumnType::Text }
    }

    /// The column called `name` in `entity`'s table.
    #[must_use]
    pub fn of(entity: &Entity, name: &str) -> Option<Self> {
        if name == Self::ID {
            return Some(Self::id());
        }
        let index = entity.fields.iter().position(|field| field.name.as_str() == name)?;
        Some(Self::nth(entity, index))
    }

    /// The column of the whole value, in an open entity's table.
    #[must_use]
    pub fn whole(entity: &Entity) -> Option<Self> {
        let place = Place::Whole { position: entity.fields.len() + 1 };
        entity.open.then_some(Self { place, ty: ColumnType::Json })
    }

    /// How well a row fits the words that are looked for, a whole number that is the greater the better.
    pub(crate) fn rank(entity: &Entity) -> Self {
        let position = entity.fields.len() + 1 + usize::from(entity.open);
        Self { place: Place::Rank { position }, ty: ColumnType::Int }
    }

    /// Whether it says how well a row fits the words that are looked for.
    #[must_use]
    pub fn is_rank(&self) -> bool {
        matches!(self.place, Place::Rank { .. })
    }

    /// The columns of `entity`'s table, the id first, then each declared field in its order.
    #[must_use]
    pub fn all(entity: &Entity) -> Vec<Self> {
        let fields = (0..entity.fields.len()).map(|index| Self::nth(entity, index));
        std::iter::once(Self::id()).chain(fields).collect()
    }

    fn nth(entity: &Entity, index: usize) -> Self {
        let field = &entity.fields[index];
        let place = Place::Field { name: field.name.clone(), position: index + 1 };
        Self { place, ty: ColumnType::of(&field.ty) }
    }

    /// Its name in JSON and in the table.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.place {
            Place::Id => Self::ID,
            Place::Field { name, .. } => name.as_str(),
            Place::Whole { .. } => Self::WHOLE,
            Place::Rank { .. } => Self::RANK,
        }
    }

    /// Its field, when it is one that the manifest declares.
    #[must_use]
    pub fn field(&self) -> Option<&FieldName> {
        match &self.place {
            Place::Id | Place::Whole { .. } | Place::Rank { .. } => None,
            Place::Field { name, .. } => Some(name),
        }
    }

    /// Where it stands among the columns of a statement: the id is 0, the first declared field 1.
    #[must_use]
    pub fn position(&self) -> usize {
        match &self.place {
            Place::Id => 0,
            Place::Field { position, .. } | Place::Whole { position } | Place::Rank { position } => *position,
        }
    }

    /// What it holds.
    #[must_use]
    pub fn ty(&self) -> ColumnType {
        self.ty
    }
}

impl ColumnType {
    /// What the column of a field of type `ty` holds.
    #[must_use]
    pub fn of(ty: &FieldType) -> Self {
        match ty {
            FieldType::String | FieldType::Enum(_) | FieldType::Id(_) => Self::Text,
            FieldType::Richtext | FieldType::Document => Self::Text,
            FieldType::Datetime => Self::Time,
            FieldType::Int => Self::Int,
            FieldType::Float => Self::Float,
            FieldType::Bool => Self::Bool,
            FieldType::Bytes => Self::Bytes,
            FieldType::Json => Self::Json,
        }
    }

    /// The field type that reads any value that such a column may hold, undeclared variants included.
    pub(crate) fn reader(self) -> FieldType {
        match self {
            Self::Text => FieldType::String,
            Self::Time => FieldType::Datetime,
            Self::Int => FieldType::Int,
            Self::Float => FieldType::Float,
            Self::Bool => FieldType::Bool,
            Self::Bytes => FieldType::Bytes,
            Self::Json => FieldType::Json,
        }
    }
}
