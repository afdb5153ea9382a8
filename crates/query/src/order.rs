//! The order of a query's rows.

use std::cmp::Ordering;

use crate::{Column, RowView, compare::ascending};

/// One column of an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OrderTerm {
    /// The column whose values decide.
    pub column: Column,
    /// Which way they run.
    pub direction: Direction,
}

/// Which way an order runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The smallest first, and before it the rows without a value.
    Ascending,
    /// The greatest first, and at the end the rows without a value.
    Descending,
}

impl OrderTerm {
    /// How two values of the column stand in this direction.
    pub(crate) fn direct(&self, ascending: Ordering) -> Ordering {
        match self.direction {
            Direction::Ascending => ascending,
            Direction::Descending => ascending.reverse(),
        }
    }
}

/// How two rows stand in `order`.
pub(crate) fn compare_rows<L, R>(order: &[OrderTerm], left: &L, right: &R) -> Ordering
where
    L: RowView + ?Sized,
    R: RowView + ?Sized,
{
    order
        .iter()
        .map(|term| term.direct(ascending(left.value(&term.column), right.value(&term.column))))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}
