//! Collects a statement's text and parameters.

use corella_manifest::Value;

use super::{Dialect, Identifier, Statement, search::Words};
use crate::{Column, ColumnType};

/// A statement in the making.
pub(super) struct Writer {
    dialect: Dialect,
    text: String,
    parameters: Vec<Value>,
    /// How many statements stand around the one that is being written.
    depth: usize,
    /// The tenant of all rows.
    tenant: Parameter,
    /// The words that are looked for.
    words: Option<Words>,
}

/// A bound value, by its place among the parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter(usize);

impl Writer {
    /// A statement over the rows of one tenant.
    pub(super) fn new(dialect: Dialect, tenant: &str) -> Self {
        let parameters = vec![Value::Text(tenant.into())];
        Self { dialect, text: String::new(), parameters, depth: 0, tenant: Parameter(1), words: None }
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Writes a statement that stands in this one.
    pub(super) fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    /// The name of the table's rows in the statement that has so many around it.
    ///
    /// Every column is written with it: SQLite takes a lone `"name"` that is no column for a text.
    pub(super) fn alias(&mut self, depth: usize) {
        let alias = self.alias_at(depth);
        self.push(&alias);
    }

    /// The same as a text.
    pub(super) fn alias_at(&self, depth: usize) -> String {
        if depth > 0 { format!("r{depth}") } else { "r".into() }
    }

    /// The words that are looked for from here on.
    pub(super) fn set_words(&mut self, words: Words) {
        self.words = Some(words);
    }

    pub(super) fn words(&self) -> Option<Words> {
        self.words.clone()
    }

    /// That a row is the tenant's.
    pub(super) fn of_tenant(&mut self) {
        self.fixed("corella_tenant");
        self.push(" = ");
        self.placeholder(self.tenant);
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

    pub(super) fn placeholder(&mut self, parameter: Parameter) {
        let placeholder = self.spelled(parameter);
        self.push(&placeholder);
    }

    /// A placeholder as a text.
    pub(super) fn spelled(&self, Parameter(number): Parameter) -> String {
        match self.dialect {
            Dialect::Sqlite => format!("?{number}"),
            Dialect::Postgres => format!("${number}"),
        }
    }

    /// Binds a value and writes its placeholder.
    pub(super) fn value(&mut self, value: Value) {
        let parameter = self.bind(value);
        self.placeholder(parameter);
    }

    /// A column of the table.
    pub(super) fn column(&mut self, column: &Column) {
        if column.is_rank() {
            return self.rank();
        }
        self.column_at(column, self.depth);
    }

    /// A column of the table of the statement that has so many around it.
    pub(super) fn column_at(&mut self, column: &Column, depth: usize) {
        self.qualified(&Identifier::from(column), depth);
    }

    /// A column of the table that the manifest does not declare.
    pub(super) fn fixed(&mut self, name: &'static str) {
        self.qualified(&Identifier::fixed(name), self.depth);
    }

    fn qualified(&mut self, name: &Identifier, depth: usize) {
        self.alias(depth);
        self.push(".");
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
        Statement { text: self.text, parameters: self.parameters, is_ranked: false }
    }
}
