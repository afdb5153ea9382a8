//! The condition that a row meets or does not meet.

use std::{cmp::Ordering, sync::Arc};

use corella_manifest::Value;

use crate::{Column, Item, Pattern, Related, RowView, Truth, compare::compare};

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
    /// The rows to which a row of another entity belongs.
    Related(Arc<Related>),
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
    /// Whether this row meets the condition; no, when that depends on rows of other entities.
    pub fn matches<R: RowView + ?Sized>(&self, row: &R) -> bool {
        self.judge(row, &|_, _| Truth::Unknown) == Truth::Yes
    }

    /// Whether this row meets the condition, as far as `known` tells of rows of other entities.
    pub fn judge<R: RowView + ?Sized>(&self, row: &R, known: &dyn Fn(&Arc<Related>, &R) -> Truth) -> Truth {
        match self {
            Self::All(filters) => joined(filters, row, known, Truth::No),
            Self::Any(filters) => joined(filters, row, known, Truth::Yes),
            Self::Not(filter) => filter.judge(row, known).not(),
            Self::Term(term) => term.test.holds(row.value(&term.column)).into(),
            Self::Related(related) => known(related, row),
        }
    }

    /// The conditions on rows of other entities that it has in it, those that these have in them aside.
    #[must_use]
    pub fn related(&self) -> Vec<&Arc<Related>> {
        let mut found = Vec::new();
        let mut waiting = vec![self];
        while let Some(filter) = waiting.pop() {
            match filter {
                Self::All(filters) | Self::Any(filters) => waiting.extend(filters),
                Self::Not(inner) => waiting.push(inner),
                Self::Term(_) => {}
                Self::Related(related) => found.push(related),
            }
        }
        found
    }

    /// The columns of the row itself that it looks at.
    #[must_use]
    pub fn columns(&self) -> Vec<&Column> {
        let mut found = Vec::new();
        let mut waiting = vec![self];
        while let Some(filter) = waiting.pop() {
            match filter {
                Self::All(filters) | Self::Any(filters) => waiting.extend(filters),
                Self::Not(inner) => waiting.push(inner),
                Self::Term(term) => found.push(&term.column),
                Self::Related(related) => found.extend(related.ties.iter().map(|tie| &tie.own)),
            }
        }
        found
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
                other @ (Self::Any(_) | Self::Not(_) | Self::Term(_) | Self::Related(_)) => flat.push(other),
            }
        }
        // There may be very many conditions, and each is kept for long.
        flat.shrink_to_fit();
        if flat.len() == 1 { flat.remove(0) } else { Self::All(flat) }
    }

    /// At least one of `filters`, with nested disjunctions opened so that their terms stand side by side.
    #[must_use]
    pub fn any(filters: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for filter in filters {
            match filter {
                Self::Any(inner) => flat.extend(inner),
                other @ (Self::All(_) | Self::Not(_) | Self::Term(_) | Self::Related(_)) => flat.push(other),
            }
        }
        flat.shrink_to_fit();
        if flat.len() == 1 { flat.remove(0) } else { Self::Any(flat) }
    }

    /// The rows that do not meet `filter`.
    #[must_use]
    pub fn negated(filter: Self) -> Self {
        match filter {
            Self::Not(inner) => *inner,
            other @ (Self::All(_) | Self::Any(_) | Self::Term(_) | Self::Related(_)) => {
                Self::Not(Box::new(other))
            }
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

/// All or any of `filters`: one that is `decisive` decides.
fn joined<R: RowView + ?Sized>(
    filters: &[Filter],
    row: &R,
    known: &dyn Fn(&Arc<Related>, &R) -> Truth,
    decisive: Truth,
) -> Truth {
    let mut all = decisive.not();
    for filter in filters {
        let truth = filter.judge(row, known);
        if truth == decisive {
            return decisive;
        }
        if truth == Truth::Unknown {
            all = Truth::Unknown;
        }
    }
    all
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
