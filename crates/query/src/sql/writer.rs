//! Collects a statement's text and parameters.

use corella_manifest::Value;

use super::{Dialect, Identifier, Statement};
use crate::{Column, ColumnType};

/// A statement in the making.
pub(super) struct Writer {
    dialect: Dialect,
    text: String,
    parameters: Vec<Value>,
}

/// A bound value, by its place among the parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter(usize);

impl Writer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), parameters: Vec::new() }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Adds SQL. What came from outside goes through [`Writer::bind`] or [`Identifier`] instead.
    pub(super) fn push(&mut self, sql: &str) {
        self.text.push_str(sql);
    }

    /// Adds a value to the parameters; its placeholder may then be written as often as needed.
    pub(super) fn bind(&mut self, value: Value) -> Parameter {
        self.parameters.push(value);
        Parameter(self.parameters.len())
    }

    pub(super) fn placeholder(&mut self, Parameter(number): Parameter) {
        self.push(match self.dialect {
            Dialect::Sqlite => "?",
            Dialect::Postgres => "$",
        });
        self.push(&number.to_string());
    }

    /// Binds a value and writes its placeholder.
    pub(super) fn value(&mut self, value: Value) {
        let parameter = self.bind(value);
        self.placeholder(parameter);
    }

    /// A column of the table.
    ///
    /// It is written with the table's alias: SQLite takes a lone `"name"` that is no column for a text.
    pub(super) fn column(&mut self, column: &Column) {
        self.qualified(&Identifier::from(column));
    }

    /// A column of the table that the manifest does not declare.
    pub(super) fn fixed(&mut self, name: &'static str) {
        self.qualified(&Identifier::fixed(name));
    }

    fn qualified(&mut self, name: &Identifier) {
        self.push("r.");
        self.push(&name.to_string());
    }

    /// A column where its values are compared by order or by character: texts by their bytes.
    pub(super) fn ordered_column(&mut self, column: &Column) {
        self.column(column);
        if self.dialect == Dialect::Postgres && column.ty() == ColumnType::Text {
            self.push(" COLLATE \"C\"");
        }
    }

    pub(super) fn finish(self) -> Statement {
        Statement { text: self.text, parameters: self.parameters }
    }
}
