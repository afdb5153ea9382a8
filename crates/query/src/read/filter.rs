//! Reads `where`.

use corella_manifest::{Entity, Manifest, TypeMismatch};
use serde_json::Value as Json;

use super::{path::Path, reader::Reader};
use crate::{
    Case, Column, ColumnType, Comparison, Filter, Pattern, PatternError, QueryError, QueryErrorKind, Test,
    error::shown,
};

/// Deepest nesting of `$and`, `$or` and `$not`.
const MAX_DEPTH: usize = 32;
/// Most items of one `$in` or `$nin`.
const MAX_ITEMS: usize = 1_000;

const JOINTS: [&str; 3] = ["$and", "$or", "$not"];
const OPERATORS: [&str; 12] =
    ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$like", "$ilike", "$contains", "$exists"];

/// Reads a condition on `entity`'s rows.
pub(crate) fn filter(
    manifest: Option<&Manifest>,
    entity: &Entity,
    json: &Json,
    path: Path<'_>,
) -> Result<Filter, QueryError> {
    Reader::new(manifest, entity, path).filter(json, 1)
}

/// The error about a name that is no column of `entity`.
pub(super) fn unknown_column(entity: &Entity, name: &str, path: &Path<'_>) -> QueryError {
    let expected = format!("a column of {}", entity.name);
    let found = format!("`{}`", shown(name));
    let columns = entity.fields.iter().map(|field| field.name.as_str()).chain([Column::ID]);
    QueryError::new(QueryErrorKind::UnknownColumn, path.to_string(), expected, found).nearest(name, columns)
}

impl<'a> Reader<'a> {
    pub(super) fn filter(&mut self, json: &'a Json, depth: usize) -> Result<Filter, QueryError> {
        if depth > MAX_DEPTH {
            return Err(self.too_large(format!("at most {MAX_DEPTH} levels"), "a deeper one"));
        }
        let Json::Object(map) = json else {
            return Err(self.malformed(r#"an object such as {"title": "Plan"}"#, json));
        };
        if map.is_empty() {
            // It tests nothing, yet a list of many such must come to an end too.
            self.count_term()?;
        }
        let mut filters = Vec::new();
        for (key, value) in map {
            self.path.push_key(key);
            filters.push(self.entry(key, value, depth)?);
            self.path.pop();
        }
        Ok(Filter::all(filters))
    }

    fn entry(&mut self, key: &'a str, value: &'a Json, depth: usize) -> Result<Filter, QueryError> {
        match key {
            "$and" => Ok(Filter::all(self.list(value, depth)?)),
            "$or" => Ok(Filter::any(self.list(value, depth)?)),
            "$not" => {
                self.count_term()?;
                Ok(Filter::negated(self.filter(value, depth + 1)?))
            }
            super::search::KEY => {
                Err(self.misplaced_words("within another condition, or of rows that a relation leads to"))
            }
            operator if OPERATORS.contains(&operator) => Err(self.error(
                QueryErrorKind::UnknownOperator,
                format!(r#"a column around the operator, as in {{"column": {{"{operator}": …}}}}"#),
                format!("`{operator}` by itself"),
            )),
            operator if operator.starts_with('$') => {
                let error = self.unknown_operator("a column, $and, $or or $not", operator);
                Err(error.nearest(operator, JOINTS))
            }
            name => match Column::of(self.entity, name) {
                Some(column) => match self.rows_behind(name, value) {
                    Some(condition) => self.rows_that_meet(name, condition, depth),
                    None => self.column(&column, value),
                },
                None if name.contains('.') => self.way(name, value),
                None if self.relation(name).is_some() => self.relation_test(name, value, depth),
                None => Err(unknown_column(self.entity, name, &self.path)),
            },
        }
    }

    fn misplaced_words(&self, found: &str) -> QueryError {
        self.error(
            QueryErrorKind::UnknownOperator,
            "$match where every row has to have the words: at the top of a query's where, or in $and there",
            format!("`$match` {found}"),
        )
    }

    fn list(&mut self, json: &'a Json, depth: usize) -> Result<Vec<Filter>, QueryError> {
        self.count_term()?;
        let Json::Array(items) = json else {
            return Err(self.malformed("a list of conditions", json));
        };
        let mut filters = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push_index(index);
            filters.push(self.filter(item, depth + 1)?);
            self.path.pop();
        }
        Ok(filters)
    }

    /// Reads what stands behind a column's name: a value that it equals, or an object of operators.
    pub(super) fn column(&mut self, column: &Column, json: &'a Json) -> Result<Filter, QueryError> {
        let Json::Object(map) = json else {
            self.count_term()?;
            return self.equal(column, json);
        };
        if map.is_empty() {
            return Err(self.malformed(r#"a value, or operators such as {"$gt": …}"#, json));
        }
        let mut filters = Vec::new();
        for (operator, literal) in map {
            self.path.push_key(operator);
            self.count_term()?;
            filters.push(self.test(column, operator, literal)?);
            self.path.pop();
        }
        Ok(Filter::all(filters))
    }

    fn test(&mut self, column: &Column, operator: &'a str, json: &'a Json) -> Result<Filter, QueryError> {
        match operator {
            "$eq" => self.equal(column, json),
            "$ne" => self.equal(column, json).map(Filter::negated),
            "$gt" => self.compare(column, Comparison::Greater, json),
            "$gte" => self.compare(column, Comparison::GreaterOrEqual, json),
            "$lt" => self.compare(column, Comparison::Less, json),
            "$lte" => self.compare(column, Comparison::LessOrEqual, json),
            "$in" => self.one_of(column, json),
            "$nin" => self.one_of(column, json).map(Filter::negated),
            "$like" => self.like(column, Case::Sensitive, json),
            "$ilike" => self.like(column, Case::AsciiInsensitive, json),
            "$contains" if column.ty() == ColumnType::Json => {
                let item = self.item(json)?;
                Ok(Filter::term(column.clone(), Test::Has(item)))
            }
            "$contains" => {
                let part = self.text(column, json)?;
                Ok(Filter::term(column.clone(), Test::Contains(part.into())))
            }
            "$exists" => match json.as_bool() {
                Some(true) => Ok(Filter::negated(Filter::term(column.clone(), Test::IsNull))),
                Some(false) => Ok(Filter::term(column.clone(), Test::IsNull)),
                None => {
                    Err(QueryError::mismatch(self.path.to_string(), TypeMismatch::new("true or false", json)))
                }
            },
            super::search::KEY => Err(self.misplaced_words("of one column")),
            unknown => {
                let error = self.unknown_operator(format!("one of {}", OPERATORS.join(" ")), unknown);
                Err(error.nearest(unknown, OPERATORS))
            }
        }
    }

    fn equal(&mut self, column: &Column, json: &Json) -> Result<Filter, QueryError> {
        Ok(match self.literal(column, json)? {
            None => Filter::term(column.clone(), Test::IsNull),
            Some(value) => Filter::term(column.clone(), Test::Equal(value)),
        })
    }

    fn compare(
        &mut self,
        column: &Column,
        comparison: Comparison,
        json: &Json,
    ) -> Result<Filter, QueryError> {
        Ok(match self.literal(column, json)? {
            None => Filter::nothing(),
            Some(value) => Filter::term(column.clone(), Test::Compare(comparison, value)),
        })
    }

    fn one_of(&mut self, column: &Column, json: &'a Json) -> Result<Filter, QueryError> {
        let Json::Array(items) = json else {
            return Err(self.malformed("a list of values", json));
        };
        if items.len() > MAX_ITEMS {
            return Err(self.too_large(format!("at most {MAX_ITEMS} items"), items.len().to_string()));
        }
        let mut values = Vec::with_capacity(items.len());
        let mut has_null = false;
        for (index, item) in items.iter().enumerate() {
            self.path.push_index(index);
            match self.literal(column, item)? {
                None => has_null = true,
                Some(value) => values.push(value),
            }
            self.path.pop();
        }
        let mut filters = Vec::with_capacity(2);
        if !values.is_empty() {
            filters.push(Filter::term(column.clone(), Test::OneOf(values)));
        }
        if has_null {
            filters.push(Filter::term(column.clone(), Test::IsNull));
        }
        Ok(Filter::any(filters))
    }

    fn like(&mut self, column: &Column, case: Case, json: &Json) -> Result<Filter, QueryError> {
        let text = self.text(column, json)?;
        match Pattern::new(text, case) {
            Ok(pattern) => Ok(Filter::term(column.clone(), Test::Like(pattern))),
            Err(error) => {
                let kind = match error {
                    PatternError::TooLong(_) => QueryErrorKind::TooLarge,
                    PatternError::OpenEscape | PatternError::Character(_) => QueryErrorKind::WrongType,
                };
                Err(self.error(kind, error.expected(), error.found()))
            }
        }
    }
}
