//! The condition that a row meets or does not meet.

use std::{cmp::Ordering, sync::Arc};

use corella_manifest::Value;

use crate::{Column, Item, Pattern, RowView, compare::compare};

/// A condition on rows: tests of columns, joined.
///
/// It is two-valued: every row either meets it or does not. See the crate's page for what null means.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of these; without any, every row.
    All(Vec<Filter>),
    /// At least one of these; without any, no row.
    Any(Vec<Filter>),
    /// The rows that do not meet this.
    Not(Box<Filter>),
    /// One test of one column.
    Term(Term),
}

/// One test of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The column whose value is tested.
    pub column: Column,
    /// The test; its literals are of the column's type and never null.
    pub test: Test,
}

/// What is asked of a column's value. Each but [`Test::IsNull`] is false where there is no value; what holds
/// there too, such as `$ne`, is the [`Filter::Not`] of one of these.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value is this one.
    Equal(Value),
    /// There is a value, and it stands so to this one.
    Compare(Comparison, Value),
    /// The value is one of these.
    OneOf(Vec<Value>),
    /// There is no value.
    IsNull,
    /// The text fits the pattern.
    Like(Pattern),
    /// The text has this one in it.
    Contains(Arc<str>),
    /// The list has this item.
    Has(Item),
}

/// How a value stands to a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// Before it.
    Less,
    /// Before it or equal to it.
    LessOrEqual,
    /// After it.
    Greater,
    /// After it or equal to it.
    GreaterOrEqual,
}

impl Filter {
    /// Whether this row meets the condition.
    pub fn matches<R: RowView + ?Sized>(&self, row: &R) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(row)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(row)),
            Self::Not(filter) => !filter.matches(row),
            Self::Term(term) => term.test.holds(row.value(&term.column)),
        }
    }

    /// The condition that every row meets.
    #[must_use]
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// The condition that no row meets.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Any(Vec::new())
    }

    /// All of `filters`, with nested conjunctions opened so that their terms stand side by side.
    #[must_use]
    pub fn all(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for filter in filters {
            match filter {
                Self::All(inner) => flat.extend(inner),
                other @ (Self::Any(_) | Self::Not(_) | Self::Term(_)) => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::All(flat) }
    }

    /// At least one of `filters`, with nested disjunctions opened so that their terms stand side by side.
    #[must_use]
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for filter in filters {
            match filter {
                Self::Any(inner) => flat.extend(inner),
                other @ (Self::All(_) | Self::Not(_) | Self::Term(_)) => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { Self::Any(flat) }
    }

    /// The rows that do not meet `filter`.
    #[must_use]
    pub fn negated(filter: Self) -> Self {
        match filter {
            Self::Not(inner) => *inner,
            other @ (Self::All(_) | Self::Any(_) | Self::Term(_)) => Self::Not(Box::new(other)),
        }
    }

    /// One test of one column.
    #[must_use]
    pub fn term(column: Column, test: Test) -> Self {
        Self::Term(Term { column, test })
    }
}

impl Test {
    /// Whether a column that holds `value` passes.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Equal(literal) => equal(value, literal),
            Self::Compare(comparison, literal) => {
                compare(value, literal).is_some_and(|ordering| comparison.accepts(ordering))
            }
            Self::OneOf(literals) => literals.iter().any(|literal| equal(value, literal)),
            Self::IsNull => value.is_null(),
            Self::Like(pattern) => text(value).is_some_and(|text| pattern.fits(text)),
            Self::Contains(part) => text(value).is_some_and(|text| text.contains(&**part)),
            Self::Has(item) => item.is_in(value),
        }
    }
}

impl Comparison {
    /// Whether a value that stands so to the literal passes.
    #[must_use]
    pub fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// The comparison that accepts exactly what this one does not, among values that are not null.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    compare(left, right) == Some(Ordering::Equal)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Null | Value::Time(_) | Value::Int(_) | Value::Float(_) => None,
        Value::Bool(_) | Value::Bytes(_) | Value::Json(_) => None,
    }
}
