//! A filter as an SQL condition.
//!
//! SQL knows a third truth value, unknown, which a comparison with NULL gives. A condition is written so that
//! unknown can only stand where false is meant: negations are carried down to the tests, and a negated test
//! says itself that it holds for NULL. `AND` and `OR` then lead from unknown only to unknown or to what false
//! would lead to, and `WHERE` drops both. So plain tests stay plain, and indexes serve them.

use corella_manifest::Value;
use serde_json::Value as Json;

use super::{Dialect, writer::Writer};
use crate::{Case, Column, Comparison, Filter, Item, Pattern, Test};

/// Whether a condition is to hold or its opposite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Holds,
    Fails,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

impl Writer {
    /// The condition that a row meets `filter`.
    pub(super) fn filter(&mut self, filter: &Filter) {
        self.condition(filter, Sense::Holds);
    }

    fn condition(&mut self, filter: &Filter, sense: Sense) {
        match (filter, sense) {
            (Filter::All(filters), Sense::Holds) => self.join(filters, Joint::And, sense),
            (Filter::All(filters), Sense::Fails) => self.join(filters, Joint::Or, sense),
            (Filter::Any(filters), Sense::Holds) => self.join(filters, Joint::Or, sense),
            (Filter::Any(filters), Sense::Fails) => self.join(filters, Joint::And, sense),
            (Filter::Not(inner), Sense::Holds) => self.condition(inner, Sense::Fails),
            (Filter::Not(inner), Sense::Fails) => self.condition(inner, Sense::Holds),
            (Filter::Term(term), Sense::Holds) => self.test(&term.column, &term.test),
            (Filter::Term(term), Sense::Fails) => self.failed_test(&term.column, &term.test),
            (Filter::Related(related), Sense::Holds) => self.related(related),
            (Filter::Related(related), Sense::Fails) => self.unrelated(related),
        }
    }

    /// Joins conditions as a balanced tree, since SQLite bounds how deep an expression may nest.
    fn join(&mut self, filters: &[Filter], joint: Joint, sense: Sense) {
        match filters {
            [] => self.push(match joint {
                Joint::And => "1 = 1",
                Joint::Or => "1 = 0",
            }),
            [single] => self.condition(single, sense),
            several => {
                let (left, right) = several.split_at(several.len() / 2);
                self.push("(");
                self.join(left, joint, sense);
                self.push(match joint {
                    Joint::And => " AND ",
                    Joint::Or => " OR ",
                });
                self.join(right, joint, sense);
                self.push(")");
            }
        }
    }

    /// A test; unknown or false where it does not hold.
    fn test(&mut self, column: &Column, test: &Test) {
        match test {
            Test::Equal(value) => self.equal(column, value),
            Test::Compare(comparison, value) => self.compare(column, *comparison, value),
            Test::OneOf(values) if values.is_empty() => self.push("1 = 0"),
            Test::OneOf(values) => self.list(column, " IN (", values),
            Test::IsNull => {
                self.column(column);
                self.push(" IS NULL");
            }
            Test::Like(pattern) => self.like(column, "", pattern),
            Test::Contains(part) => self.contains(column, " > 0", part),
            Test::Has(item) => self.has(column, item),
        }
    }

    /// The opposite of a test, which holds for NULL wherever the test does not.
    fn failed_test(&mut self, column: &Column, test: &Test) {
        match test {
            Test::Equal(value) => {
                self.column(column);
                self.push(match self.dialect() {
                    Dialect::Sqlite => " IS NOT ",
                    Dialect::Postgres => " IS DISTINCT FROM ",
                });
                self.value(value.clone());
            }
            Test::Compare(comparison, value) => self.or_null(column, |writer| {
                writer.compare(column, comparison.opposite(), value);
            }),
            Test::OneOf(values) if values.is_empty() => self.push("1 = 1"),
            Test::OneOf(values) => self.or_null(column, |writer| writer.list(column, " NOT IN (", values)),
            Test::IsNull => {
                self.column(column);
                self.push(" IS NOT NULL");
            }
            Test::Like(pattern) => self.or_null(column, |writer| writer.like(column, "NOT ", pattern)),
            Test::Contains(part) => self.or_null(column, |writer| writer.contains(column, " = 0", part)),
            Test::Has(item) => self.or_null(column, |writer| {
                writer.push("NOT ");
                writer.has(column, item);
            }),
        }
    }

    pub(super) fn or_null(&mut self, column: &Column, write: impl FnOnce(&mut Self)) {
        self.push("(");
        write(self);
        self.push(" OR ");
        self.column(column);
        self.push(" IS NULL)");
    }

    fn equal(&mut self, column: &Column, value: &Value) {
        self.column(column);
        self.push(" = ");
        self.value(value.clone());
    }

    fn compare(&mut self, column: &Column, comparison: Comparison, value: &Value) {
        self.ordered_column(column);
        self.push(match comparison {
            Comparison::Less => " < ",
            Comparison::LessOrEqual => " <= ",
            Comparison::Greater => " > ",
            Comparison::GreaterOrEqual => " >= ",
        });
        self.value(value.clone());
    }

    fn list(&mut self, column: &Column, opening: &str, values: &[Value]) {
        self.column(column);
        self.push(opening);
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.value(value.clone());
        }
        self.push(")");
    }

    fn like(&mut self, column: &Column, negation: &str, pattern: &Pattern) {
        match pattern.case() {
            Case::Sensitive => self.ordered_column(column),
            // Both lower the letters of ASCII only: SQLite always, PostgreSQL under the collation "C".
            Case::AsciiInsensitive => {
                self.push("lower(");
                self.ordered_column(column);
                self.push(")");
            }
        }
        let (operator, pattern) = match self.dialect() {
            Dialect::Sqlite => ("GLOB ", pattern.to_glob()),
            Dialect::Postgres => ("LIKE ", pattern.to_like()),
        };
        self.push(" ");
        self.push(negation);
        self.push(operator);
        self.value(Value::Text(pattern.into()));
    }

    fn contains(&mut self, column: &Column, comparison: &str, part: &str) {
        self.push(match self.dialect() {
            Dialect::Sqlite => "instr(",
            Dialect::Postgres => "strpos(",
        });
        self.ordered_column(column);
        self.push(", ");
        self.value(Value::Text(part.into()));
        self.push(")");
        self.push(comparison);
    }

    fn has(&mut self, column: &Column, item: &Item) {
        match self.dialect() {
            Dialect::Sqlite => {
                // What it tells of an object has names for keys, and what it tells of a lone value has none.
                self.push("EXISTS (SELECT 1 FROM json_each(");
                self.column(column);
                self.push(") AS e WHERE typeof(e.key) = 'integer' AND e.type ");
                match item {
                    Item::Text(text) => self.item("= 'text'", Value::Text(text.as_str().into())),
                    Item::Whole(whole) => self.item("IN ('integer', 'real')", Value::Int(*whole)),
                    Item::Fraction(float) => self.item("= 'real'", Value::Float(*float)),
                    Item::Bool(true) => self.push("= 'true'"),
                    Item::Bool(false) => self.push("= 'false'"),
                }
                self.push(")");
            }
            Dialect::Postgres => {
                self.push("(");
                self.column(column);
                self.push(" @> ");
                // A list within a list: a lone value would be found in a lone value, too.
                self.value(Value::Json(Json::Array(vec![item.to_json()])));
                self.push(")");
            }
        }
    }

    fn item(&mut self, types: &str, value: Value) {
        self.push(types);
        self.push(" AND e.value = ");
        self.value(value);
    }
}
