//! The types of expressions.

use std::fmt;

use corella_manifest::FieldType;

/// The type of an expression, as far as it is known before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int,
    Double,
    Text,
    Bytes,
    Time,
    Duration,
    Null,
    List(Box<Type>),
    Map,
    /// Known only when it runs.
    Any,
}

impl Type {
    pub(crate) fn of(field: &FieldType) -> Self {
        match field {
            FieldType::String | FieldType::Enum(_) | FieldType::Id(_) => Self::Text,
            FieldType::Richtext | FieldType::Document => Self::Text,
            FieldType::Datetime => Self::Time,
            FieldType::Int => Self::Int,
            FieldType::Float => Self::Double,
            FieldType::Bool => Self::Bool,
            FieldType::Bytes => Self::Bytes,
            FieldType::Json => Self::Any,
        }
    }

    /// What stands in it, if it holds other values.
    pub(crate) fn element(&self) -> Option<Self> {
        match self {
            Self::List(element) => Some((**element).clone()),
            Self::Map | Self::Any => Some(Self::Any),
            Self::Bool | Self::Int | Self::Double | Self::Text => None,
            Self::Bytes | Self::Time | Self::Duration | Self::Null => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }

    /// Whether values of the two may be equal.
    pub(crate) fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (Self::List(left), Self::List(right)) => left.may_equal(right),
            (left, right) => left == right || (left.is_number() && right.is_number()),
        }
    }

    /// Whether one of the two may stand before the other.
    pub(crate) fn may_compare(&self, other: &Self) -> bool {
        let ordered = |ty: &Self| !matches!(ty, Self::Null | Self::List(_) | Self::Map);
        ordered(self) && ordered(other) && self.may_equal(other)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("a bool"),
            Self::Int => f.write_str("an int"),
            Self::Double => f.write_str("a float"),
            Self::Text => f.write_str("a string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Time => f.write_str("a time"),
            Self::Duration => f.write_str("a duration"),
            Self::Null => f.write_str("null"),
            Self::List(_) => f.write_str("a list"),
            Self::Map => f.write_str("a map"),
            Self::Any => f.write_str("any value"),
        }
    }
}
