//! Conditions on rows of other entities.

use corella_manifest::{EntityName, Value};

use crate::{Column, Filter, RowView, Test};

/// That there is a row of another entity, in the same tenant, that belongs to this one and meets a condition.
///
/// In a tie, no value is equal to no value; ids always have one.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// The entity of the other row.
    pub entity: EntityName,
    /// Which values both rows have in common; without any, every row of the other entity belongs to this one.
    pub ties: Vec<Tie>,
    /// What is asked of the other row.
    pub filter: Filter,
}

/// Two columns that have the same value in rows that belong to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tie {
    /// The column of the row that is asked about.
    pub own: Column,
    /// The column of the other row.
    pub theirs: Column,
}

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// That depends on rows of which nothing is known.
    Unknown,
}

impl Truth {
    pub(crate) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Yes } else { Self::No }
    }
}

impl Related {
    /// The values of a row by which the others belong to it.
    pub fn key<R: RowView + ?Sized>(&self, row: &R) -> Vec<Value> {
        self.ties.iter().map(|tie| row.value(&tie.own).clone()).collect()
    }

    /// The values of one of the others by which it belongs to rows.
    pub fn their_key<R: RowView + ?Sized>(&self, row: &R) -> Vec<Value> {
        self.ties.iter().map(|tie| row.value(&tie.theirs).clone()).collect()
    }

    /// The rows that one of these values leads from.
    #[must_use]
    pub fn pointing<'k>(&self, keys: impl IntoIterator<Item = &'k [Value]>) -> Filter {
        one_of(self.ties.iter().map(|tie| &tie.own), keys)
    }

    /// The others that one of these values leads to.
    #[must_use]
    pub fn pointed_at<'k>(&self, keys: impl IntoIterator<Item = &'k [Value]>) -> Filter {
        one_of(self.ties.iter().map(|tie| &tie.theirs), keys)
    }
}

/// The rows that have one of `keys` in `columns`.
fn one_of<'c, 'k>(
    columns: impl Iterator<Item = &'c Column> + Clone,
    keys: impl IntoIterator<Item = &'k [Value]>,
) -> Filter {
    let mut singles = Vec::new();
    let mut filters = Vec::new();
    for key in keys {
        match key {
            [value] if !value.is_null() => singles.push(value.clone()),
            _ => filters.push(Filter::all(columns.clone().zip(key).map(|(column, value)| {
                let test = if value.is_null() { Test::IsNull } else { Test::Equal(value.clone()) };
                Filter::term(column.clone(), test)
            }))),
        }
    }
    if let (false, Some(column)) = (singles.is_empty(), columns.clone().next()) {
        filters.push(Filter::term(column.clone(), Test::OneOf(singles)));
    }
    Filter::any(filters)
}
