//! How a request's parts become a query.

mod aggregate;
mod filter;
mod include;
mod order;
mod path;
mod reader;
mod search;
mod select;
mod way;
mod whole;

use serde_json::Value as Json;

use crate::{Limit, QueryError, QueryErrorKind, error::shown};

pub(crate) use aggregate::aggregate;
pub(crate) use filter::filter;
pub(crate) use include::include;
pub(crate) use order::order;
pub(crate) use path::Path;
pub(crate) use search::search;
pub(crate) use select::select;
pub(crate) use whole::whole;

/// The parts of a query as JSON, beside the entity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueryParts<'a> {
    /// The condition, such as `{"pinned": true, "position": {"$gt": 1}}`; all rows without one.
    pub where_: Option<Json>,
    /// The words that the rows have in their texts, such as `"blue plan"`.
    pub match_: Option<Json>,
    /// The order: `"created"`, `{"created": "desc"}`, or a list of such; by id without one.
    pub order_by: Option<Json>,
    /// How many rows at most; [`Limit::DEFAULT`] without one.
    pub limit: Option<u32>,
    /// The cursor of an earlier answer to the same query.
    pub cursor: Option<&'a str>,
    /// The columns that the answer shows, such as `["title"]`, always with the id; all without it.
    pub select: Option<Json>,
    /// The rows that the answer's rows bring with them, such as `["author"]` or `{"comments": {"limit": 3}}`.
    pub include: Option<Json>,
    /// What is asked about groups of rows instead of the rows, such as `{"rows": {"$count": true}}`.
    pub aggregate: Option<Json>,
    /// The columns that part the rows into groups, such as `["state", {"created": "day"}]`.
    pub group_by: Option<Json>,
}

/// The parts of a query as they stand in a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryTexts<'a> {
    /// The condition as JSON text.
    pub where_: Option<&'a str>,
    /// The words that the rows have in their texts.
    pub match_: Option<&'a str>,
    /// The order as JSON text.
    pub order_by: Option<&'a str>,
    /// The limit in decimal digits.
    pub limit: Option<&'a str>,
    /// The cursor of an earlier answer to the same query.
    pub cursor: Option<&'a str>,
    /// The columns that the answer shows, as JSON text.
    pub select: Option<&'a str>,
}

impl<'a> QueryTexts<'a> {
    /// Reads the texts as JSON and number.
    ///
    /// # Errors
    /// When one is not JSON, or not a number.
    pub fn read(self) -> Result<QueryParts<'a>, QueryError> {
        let limit =
            self.limit.map(|text| text.parse().map_err(|_| Limit::refused(shown(text)))).transpose()?;
        Ok(QueryParts {
            where_: json("where", self.where_, r#"JSON such as {"title": "Plan"}"#)?,
            match_: self.match_.map(Json::from),
            order_by: json("orderBy", self.order_by, r#"JSON such as "title" or {"title": "desc"}"#)?,
            limit,
            cursor: self.cursor,
            select: json("select", self.select, r#"JSON such as ["title", "created"]"#)?,
            ..QueryParts::default()
        })
    }
}

fn json(path: &str, text: Option<&str>, expected: &str) -> Result<Option<Json>, QueryError> {
    let Some(text) = text else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| {
        let found = format!("`{}` ({error})", shown(text));
        QueryError::new(QueryErrorKind::Malformed, path, expected, found)
    })
}
