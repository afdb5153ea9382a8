//! Reads what is asked of rows of other entities: ways such as `project.owner`, and `$exists` with a condition.

use std::sync::Arc;

use corella_manifest::{Entity, FieldType, Relation};
use serde_json::Value as Json;

use super::{filter::unknown_column, reader::Reader};
use crate::{Column, Filter, QueryError, QueryErrorKind, Related, error::shown, related::Tie};

/// Most relations that lead from a query's own rows to one that it asks about.
pub(super) const MAX_RELATIONS: usize = 4;

/// The entity that a relation leads to, and what ties its rows.
pub(super) struct Leads<'a> {
    pub(super) target: &'a Entity,
    pub(super) tie: Tie,
}

impl<'a> Reader<'a> {
    /// The relation of that name.
    pub(super) fn relation(&self, name: &str) -> Option<&'a Relation> {
        let entity = self.entity;
        entity.relations.iter().find(|relation| relation.name == name)
    }

    /// Where the relation or the `id(…)` field of that name leads to.
    pub(super) fn leads(&self, name: &str) -> Option<Leads<'a>> {
        let manifest = self.manifest?;
        let (target, own, theirs) = match self.relation(name) {
            Some(relation) if relation.many => {
                let target = manifest.entity(relation.target.as_str())?;
                (target, Column::id(), Column::of(target, relation.field.as_str())?)
            }
            Some(relation) => {
                let target = manifest.entity(relation.target.as_str())?;
                (target, Column::of(self.entity, relation.field.as_str())?, Column::id())
            }
            None => {
                let FieldType::Id(target) = &self.entity.field(name)?.ty else { return None };
                (manifest.entity(target.as_str())?, Column::of(self.entity, name)?, Column::id())
            }
        };
        Some(Leads { target, tie: Tie { own, theirs } })
    }

    /// The condition on the row that an `id(…)` field names, where there is one instead of a test of the field.
    pub(super) fn rows_behind(&self, name: &str, value: &'a Json) -> Option<&'a Json> {
        let condition = value.as_object().filter(|map| map.len() == 1)?.get("$exists")?;
        let is_id = matches!(self.entity.field(name)?.ty, FieldType::Id(_));
        (is_id && condition.is_object()).then_some(condition)
    }

    /// Reads a condition on the rows that a name leads to.
    pub(super) fn rows_that_meet(
        &mut self,
        name: &str,
        condition: &'a Json,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        self.path.push_key("$exists");
        let read = self.step(name, |reader| reader.filter(condition, depth + 1))?;
        self.path.pop();
        Ok(read)
    }

    /// Reads a test behind relations, such as `{"project.owner": "ada"}`.
    pub(super) fn way(&mut self, name: &'a str, json: &'a Json) -> Result<Filter, QueryError> {
        let Some((first, rest)) = name.split_once('.') else {
            if let Some(condition) = self.rows_behind(name, json) {
                return self.rows_that_meet(name, condition, 1);
            }
            if let Some(column) = Column::of(self.entity, name) {
                return self.column(&column, json);
            }
            if self.relation(name).is_some() {
                return self.relation_test(name, json, 1);
            }
            return Err(unknown_column(self.entity, name, &self.path));
        };
        self.step(first, |reader| reader.way(rest, json))
    }

    /// Reads what stands behind a relation by itself: `{"$exists": true}`, `false`, or a condition.
    pub(super) fn relation_test(
        &mut self,
        name: &'a str,
        json: &'a Json,
        depth: usize,
    ) -> Result<Filter, QueryError> {
        const EXPECTED: &str = r#"{"$exists": …} with true, false or a condition, or a way to a column such as "relation.column""#;
        let Json::Object(map) = json else { return Err(self.malformed(EXPECTED, json)) };
        let (Some(condition), 1) = (map.get("$exists"), map.len()) else {
            return Err(self.malformed(EXPECTED, json));
        };
        if condition.is_object() {
            return self.rows_that_meet(name, condition, depth);
        }
        self.path.push_key("$exists");
        let read = match condition {
            Json::Bool(true) => self.step(name, |_| Ok(Filter::everything())),
            Json::Bool(false) => self.step(name, |_| Ok(Filter::everything())).map(Filter::negated),
            Json::Object(_) | Json::Null | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                Err(self.malformed(r#"true, false or a condition such as {"title": "Plan"}"#, condition))
            }
        }?;
        self.path.pop();
        Ok(read)
    }

    /// Reads a condition on the rows that one relation leads to.
    pub(super) fn step(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self) -> Result<Filter, QueryError>,
    ) -> Result<Filter, QueryError> {
        self.count_term()?;
        if self.relations >= MAX_RELATIONS {
            return Err(self.too_large(format!("at most {MAX_RELATIONS} relations in a row"), "more"));
        }
        let Some(Leads { target, tie }) = self.leads(name) else { return Err(self.leads_nowhere(name)) };
        let filter = self.within(target, read)?;
        Ok(Filter::Related(Arc::new(Related { entity: target.name.clone(), ties: vec![tie], filter })))
    }

    /// The error about a name that leads to no other entity.
    pub(super) fn leads_nowhere(&self, name: &str) -> QueryError {
        let entity = self.entity;
        let expected = format!("a relation or an id(…) field of {}", entity.name);
        let found = match entity.field(name) {
            Some(field) => format!("`{}`, which is {}", shown(name), field.ty.spelling()),
            None => format!("`{}`", shown(name)),
        };
        let ids = entity.fields.iter().filter(|field| matches!(field.ty, FieldType::Id(_)));
        let names = entity.relations.iter().map(|relation| relation.name.as_str());
        let error = self.error(QueryErrorKind::UnknownRelation, expected, found);
        error.nearest(name, names.chain(ids.map(|field| field.name.as_str())))
    }
}
