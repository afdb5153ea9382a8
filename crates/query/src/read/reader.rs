//! What reading any part of `where` shares: literals of a column's type, bounds, errors.

use corella_manifest::{Entity, FieldType, Manifest, TypeMismatch, Value};
use serde_json::Value as Json;

use super::path::Path;
use crate::{Column, ColumnType, Item, QueryError, QueryErrorKind, error::shown};

/// Most tests and joints of one filter.
const MAX_TERMS: usize = 1_000;
/// Most literals of one filter: SQLite takes 32,766 parameters per statement, PostgreSQL 65,535.
const MAX_LITERALS: usize = 10_000;

/// Reads one filter: knows where it stands and how much it has read.
pub(super) struct Reader<'a> {
    /// Where other entities are found; without it, nothing leads to them.
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) entity: &'a Entity,
    pub(super) path: Path<'a>,
    /// How many relations lead from the query's own rows to those that are read about.
    pub(super) relations: usize,
    id_type: FieldType,
    term_count: usize,
    literal_count: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(manifest: Option<&'a Manifest>, entity: &'a Entity, path: Path<'a>) -> Self {
        let id_type = FieldType::Id(entity.name.clone());
        Self { manifest, entity, path, relations: 0, id_type, term_count: 0, literal_count: 0 }
    }

    /// Reads something about rows of another entity.
    pub(super) fn within<T>(
        &mut self,
        entity: &'a Entity,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let id_type = FieldType::Id(entity.name.clone());
        let outside =
            (std::mem::replace(&mut self.entity, entity), std::mem::replace(&mut self.id_type, id_type));
        self.relations += 1;
        let read = read(self);
        self.relations -= 1;
        (self.entity, self.id_type) = outside;
        read
    }

    /// Reads a literal to compare `column` with; `None` for null.
    pub(super) fn literal(&mut self, column: &Column, json: &Json) -> Result<Option<Value>, QueryError> {
        self.count_literal()?;
        let ty = self.field_type(column);
        if column.ty() == ColumnType::Json && !json.is_null() {
            return Err(self.error(
                QueryErrorKind::Inapplicable,
                "null, $exists or $contains: json columns cannot be compared",
                TypeMismatch::new("", json).found,
            ));
        }
        let value =
            ty.read(json).map_err(|mismatch| QueryError::mismatch(self.path.to_string(), mismatch))?;
        if let Value::Text(text) = &value {
            self.check_text(text)?;
        }
        Ok((!value.is_null()).then_some(value))
    }

    /// Reads a text to look for in `column`, which must be one of texts.
    pub(super) fn text<'j>(&mut self, column: &Column, json: &'j Json) -> Result<&'j str, QueryError> {
        self.count_literal()?;
        if column.ty() != ColumnType::Text {
            let found = format!("`{}`, which is {}", column.name(), self.field_type(column).spelling());
            return Err(self.error(QueryErrorKind::Inapplicable, "a column of texts", found));
        }
        let Json::String(text) = json else {
            return Err(QueryError::mismatch(self.path.to_string(), TypeMismatch::new("a string", json)));
        };
        self.check_text(text)?;
        Ok(text)
    }

    /// Reads an item to look for in a list.
    pub(super) fn item(&mut self, json: &Json) -> Result<Item, QueryError> {
        self.count_literal()?;
        if let Json::String(text) = json {
            self.check_text(text)?;
        }
        Item::new(json).ok_or_else(|| {
            QueryError::mismatch(self.path.to_string(), TypeMismatch::new(Item::EXPECTED, json))
        })
    }

    fn count_literal(&mut self) -> Result<(), QueryError> {
        self.literal_count += 1;
        if self.literal_count > MAX_LITERALS {
            return Err(self.too_large(format!("at most {MAX_LITERALS} values in all"), "more"));
        }
        Ok(())
    }

    /// PostgreSQL has no U+0000 in texts, so no literal may ask for it.
    fn check_text(&self, text: &str) -> Result<(), QueryError> {
        match text.find('\0') {
            None => Ok(()),
            Some(at) => Err(self.error(
                QueryErrorKind::WrongType,
                "a string without U+0000",
                format!("one at byte {at}"),
            )),
        }
    }

    fn field_type(&self, column: &Column) -> &FieldType {
        column
            .field()
            .and_then(|name| self.entity.field(name.as_str()))
            .map_or(&self.id_type, |field| &field.ty)
    }

    /// Counts one test or joint.
    pub(super) fn count_term(&mut self) -> Result<(), QueryError> {
        self.term_count += 1;
        if self.term_count > MAX_TERMS {
            return Err(self.too_large(format!("at most {MAX_TERMS} tests and joints in all"), "more"));
        }
        Ok(())
    }

    pub(super) fn too_large(&self, expected: impl Into<String>, found: impl Into<String>) -> QueryError {
        self.error(QueryErrorKind::TooLarge, expected, found)
    }

    pub(super) fn malformed(&self, expected: &str, json: &Json) -> QueryError {
        self.error(QueryErrorKind::Malformed, expected, TypeMismatch::new("", json).found)
    }

    pub(super) fn unknown_operator(&self, expected: impl Into<String>, operator: &str) -> QueryError {
        self.error(QueryErrorKind::UnknownOperator, expected, format!("`{}`", shown(operator)))
    }

    pub(super) fn error(
        &self,
        kind: QueryErrorKind,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> QueryError {
        QueryError::new(kind, self.path.to_string(), expected, found)
    }
}
