//! A cursor as an SQL condition.

use corella_manifest::Value;

use super::writer::{Parameter, Writer};
use crate::{Column, Direction, OrderTerm};

/// One column of the order with the cursor's value in it; `None` for NULL.
struct Step<'a> {
    column: &'a Column,
    direction: Direction,
    value: Option<Parameter>,
}

impl Writer {
    /// The condition that a row lies behind `values` in `order`.
    ///
    /// SQL compares whole tuples too, but in one direction only, and with NULL the answer is unknown. So the
    /// comparison is spelled out: behind in the first column, or level there and behind in the rest.
    pub(super) fn keyset(&mut self, order: &[OrderTerm], values: &[Value]) {
        let mut steps = Vec::with_capacity(order.len());
        for (term, value) in order.iter().zip(values) {
            let value = (!value.is_null()).then(|| self.bind(value.clone()));
            steps.push(Step { column: &term.column, direction: term.direction, value });
        }
        self.behind(&steps);
    }

    fn behind(&mut self, steps: &[Step<'_>]) {
        match steps {
            [] => self.push("1 = 0"),
            [last] => self.strictly_behind(last),
            [first, rest @ ..] => {
                self.push("(");
                // The rest implies this bound; on its own it lets an index start at the cursor.
                if let (Direction::Ascending, Some(value)) = (first.direction, first.value) {
                    self.ordered_column(first.column);
                    self.push(" >= ");
                    self.placeholder(value);
                    self.push(" AND (");
                    self.behind_or_level(first, rest);
                    self.push(")");
                } else {
                    self.behind_or_level(first, rest);
                }
                self.push(")");
            }
        }
    }

    fn behind_or_level(&mut self, first: &Step<'_>, rest: &[Step<'_>]) {
        self.strictly_behind(first);
        self.push(" OR (");
        self.column(first.column);
        match first.value {
            Some(value) => {
                self.push(" = ");
                self.placeholder(value);
            }
            None => self.push(" IS NULL"),
        }
        self.push(" AND ");
        self.behind(rest);
        self.push(")");
    }

    fn strictly_behind(&mut self, step: &Step<'_>) {
        match (step.direction, step.value) {
            (Direction::Ascending, Some(value)) => self.beyond(step.column, " > ", value),
            (Direction::Ascending, None) => {
                self.column(step.column);
                self.push(" IS NOT NULL");
            }
            // An id is never null.
            (Direction::Descending, Some(value)) if *step.column == Column::id() || step.column.is_rank() => {
                self.beyond(step.column, " < ", value);
            }
            (Direction::Descending, Some(value)) => {
                self.or_null(step.column, |writer| writer.beyond(step.column, " < ", value));
            }
            (Direction::Descending, None) => self.push("1 = 0"),
        }
    }

    fn beyond(&mut self, column: &Column, comparison: &str, value: Parameter) {
        self.ordered_column(column);
        self.push(comparison);
        self.placeholder(value);
    }
}
