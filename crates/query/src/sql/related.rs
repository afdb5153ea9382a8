//! A condition on rows of other entities as an SQL condition.
//!
//! Rows that are tied by one column are written as `IN (SELECT …)`, which both databases may start from either side.
//! `IN` gives unknown where a side is NULL, so what it says of these is written apart; ids never are.

use super::{Dialect, Identifier, writer::Writer};
use crate::{Column, Filter, Related, related::Tie};

/// Whether NULL of a tie's other column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nulls {
    Left,
    Only,
}

impl Writer {
    /// That a row of the other entity belongs to this one; never unknown where it is true.
    pub(super) fn related(&mut self, related: &Related) {
        let [tie] = related.ties.as_slice() else { return self.exists("", related) };
        if !may_be_null(tie) {
            return self.among(" IN (", related, tie);
        }
        self.push("(");
        self.among(" IN (", related, tie);
        self.push(" OR (");
        self.column(&tie.own);
        self.push(" IS NULL AND ");
        self.exists_null("", related, tie);
        self.push("))");
    }

    /// That no row of the other entity belongs to this one; never unknown where it is true.
    pub(super) fn unrelated(&mut self, related: &Related) {
        let [tie] = related.ties.as_slice() else { return self.exists("NOT ", related) };
        if tie.own == Column::id() {
            return self.among(" NOT IN (", related, tie);
        }
        if !may_be_null(tie) {
            return self.or_null(&tie.own, |writer| writer.among(" NOT IN (", related, tie));
        }
        self.push("((");
        self.column(&tie.own);
        self.push(" IS NOT NULL AND ");
        self.among(" NOT IN (", related, tie);
        self.push(") OR (");
        self.column(&tie.own);
        self.push(" IS NULL AND ");
        self.exists_null("NOT ", related, tie);
        self.push("))");
    }

    /// That the tied column's value is, or is not, among those of the other rows.
    fn among(&mut self, operator: &str, related: &Related, tie: &Tie) {
        self.column(&tie.own);
        self.push(operator);
        self.nested(|writer| {
            writer.push("SELECT ");
            writer.column(&tie.theirs);
            writer.from(related);
            if tie.theirs != Column::id() {
                writer.push(" AND ");
                writer.null(&tie.theirs, Nulls::Left);
            }
        });
        self.push(")");
    }

    /// That one of the other rows has no value in the tied column, or that none has.
    fn exists_null(&mut self, negation: &str, related: &Related, tie: &Tie) {
        self.push(negation);
        self.push("EXISTS (");
        self.nested(|writer| {
            writer.push("SELECT 1");
            writer.from(related);
            writer.push(" AND ");
            writer.null(&tie.theirs, Nulls::Only);
        });
        self.push(")");
    }

    fn null(&mut self, column: &Column, nulls: Nulls) {
        self.column(column);
        self.push(match nulls {
            Nulls::Left => " IS NOT NULL",
            Nulls::Only => " IS NULL",
        });
    }

    /// That there is a row that has the values of this one in all tied columns, or that there is none.
    fn exists(&mut self, negation: &str, related: &Related) {
        let outer = self.depth();
        self.push(negation);
        self.push("EXISTS (");
        self.nested(|writer| {
            writer.push("SELECT 1");
            writer.from(related);
            for tie in &related.ties {
                writer.push(" AND ");
                writer.column(&tie.theirs);
                writer.push(match (writer.dialect(), may_be_null(tie)) {
                    (_, false) => " = ",
                    (Dialect::Sqlite, true) => " IS ",
                    (Dialect::Postgres, true) => " IS NOT DISTINCT FROM ",
                });
                writer.column_at(&tie.own, outer);
            }
        });
        self.push(")");
    }

    /// The tenant's rows of the other entity that meet the condition.
    fn from(&mut self, related: &Related) {
        self.push(" FROM ");
        self.push(&Identifier::from(&related.entity).to_string());
        self.push(" AS ");
        self.alias(self.depth());
        self.push(" WHERE ");
        self.of_tenant();
        if related.filter != Filter::everything() {
            self.push(" AND ");
            self.filter(&related.filter);
        }
    }
}

/// Whether both columns may be without a value.
fn may_be_null(tie: &Tie) -> bool {
    tie.own != Column::id() && tie.theirs != Column::id()
}
