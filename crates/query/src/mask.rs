//! Sets of columns, small enough to be asked at every change.

use crate::{Column, Filter};

/// A set of one entity's columns. Columns from the 64th on are one: the set may seem to have more than it has,
/// never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ColumnMask(u64);

impl ColumnMask {
    /// No column.
    pub const NONE: Self = Self(0);
    /// Every column.
    pub const ALL: Self = Self(u64::MAX);

    /// The column at this place of a statement: the id is 0, the first declared field 1.
    #[must_use]
    pub fn at(position: usize) -> Self {
        Self(1 << position.min(63))
    }

    /// The columns of either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets have a column in common.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl<'a> FromIterator<&'a Column> for ColumnMask {
    fn from_iter<I: IntoIterator<Item = &'a Column>>(columns: I) -> Self {
        columns.into_iter().fold(Self::NONE, |mask, column| mask.union(Self::at(column.position())))
    }
}

impl Filter {
    /// The columns of the row itself that the condition looks at.
    #[must_use]
    pub fn mask(&self) -> ColumnMask {
        self.columns().into_iter().collect()
    }
}
