//! The query itself, validated.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use corella_manifest::{Entity, EntityName, Manifest};
use serde_json::{Map, Value as Json};

use crate::{
    Aggregation, Column, ColumnMask, Cursor, Dialect, Direction, Filter, Include, OrderTerm, PartOf,
    QueryError, QueryErrorKind, QueryParts, Related, RowView, Search, Statement, Truth, error::shown,
    fingerprint, order, read, sql,
};

/// What a caller asks of one entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    entity: EntityName,
    filter: Filter,
    search: Option<Arc<Search>>,
    order: Arc<[OrderTerm]>,
    limit: Limit,
    after: Option<Cursor>,
    /// Whether the caller named the limit.
    limited: bool,
    columns: Arc<[Column]>,
    selected: Arc<[Column]>,
    aggregation: Option<Arc<Aggregation>>,
    pub(crate) includes: Arc<[Include]>,
    open: bool,
    /// Of the query as the caller asked it, whatever it was restricted to since.
    fingerprint: u64,
}

/// How many rows a query may answer with: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Limit(u32);

impl Query {
    /// Reads a query of the entity called `entity` and checks it against the manifest.
    ///
    /// # Errors
    /// The first mistake found: where it is, what was expected, what came.
    pub fn parse(manifest: &Manifest, entity: &str, parts: QueryParts<'_>) -> Result<Self, QueryError> {
        let entity = manifest.entity(entity).ok_or_else(|| {
            let found = format!("`{}`", shown(entity));
            let expected = "an entity of the manifest";
            QueryError::new(QueryErrorKind::UnknownEntity, "entity", expected, found)
                .nearest(entity, manifest.entities.iter().map(|entity| entity.name.as_str()))
        })?;
        Self::of_entity(Some(manifest), entity, parts, 0)
    }

    /// Reads a whole query, such as `{"from": "Note", "where": {"pinned": true}, "orderBy": "title", "limit": 20}`.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn read(manifest: &Manifest, json: &Json) -> Result<Self, QueryError> {
        let (from, parts) = read::whole(json)?;
        Self::parse(manifest, from, parts)
    }

    /// Reads a query of `entity` that does not speak of others.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn of(entity: &Entity, parts: QueryParts<'_>) -> Result<Self, QueryError> {
        Self::of_entity(None, entity, parts, 0)
    }

    /// Reads a query of `entity`, to whose rows `depth` relations lead.
    pub(crate) fn of_entity(
        manifest: Option<&Manifest>,
        entity: &Entity,
        parts: QueryParts<'_>,
        depth: usize,
    ) -> Result<Self, QueryError> {
        let (search, rest) = read::search(entity, parts.match_.as_ref(), parts.where_.as_ref(), depth)?;
        let filter = match &rest {
            Some(json) => read::filter(manifest, entity, json, read::Path::new("where"))?,
            None => Filter::everything(),
        };
        let order_by = parts.order_by.as_ref().filter(|json| !json.is_null());
        let mut order = read::order(entity, order_by)?;
        if search.is_some() && order_by.is_none() && parts.aggregate.is_none() {
            let column = Column::rank(entity);
            order.insert(0, OrderTerm { column, direction: Direction::Descending });
        }
        let order: Arc<[OrderTerm]> = order.into();
        let limited = parts.limit.is_some();
        let limit = parts.limit.map_or(Ok(Limit::DEFAULT), Limit::new)?;
        let selected = read::select(entity, parts.select.as_ref())?.into();
        let aggregation =
            read::aggregate(entity, parts.aggregate.as_ref(), parts.group_by.as_ref())?.map(Arc::new);
        let includes = read::include(manifest, entity, parts.include.as_ref(), depth)?.into();
        let fingerprint = fingerprint::of_query(&entity.name, &filter, search.as_ref(), &order);
        let after = parts.cursor.map(|text| Cursor::read(text, &order, fingerprint)).transpose()?;
        Ok(Self {
            entity: entity.name.clone(),
            filter,
            search: search.map(Arc::new),
            order,
            limit,
            after,
            limited,
            columns: Column::all(entity).into(),
            selected,
            aggregation,
            includes,
            open: entity.open,
            fingerprint,
        })
    }

    /// The entity whose rows are asked for.
    #[must_use]
    pub fn entity(&self) -> &EntityName {
        &self.entity
    }

    /// The condition that they meet.
    #[must_use]
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// The words that they have in their texts.
    #[must_use]
    pub fn search(&self) -> Option<&Arc<Search>> {
        self.search.as_ref()
    }

    /// Whether its rows come in the order of how well they fit the words that are looked for.
    #[must_use]
    pub fn is_ranked(&self) -> bool {
        self.order.iter().any(|term| term.column.is_rank())
    }

    /// The columns whose texts are searched.
    fn searched(&self) -> ColumnMask {
        self.search.iter().flat_map(|search| search.columns()).collect()
    }

    /// The columns by which its rows are found: of the condition, and those whose texts are searched.
    #[must_use]
    pub fn finding(&self) -> ColumnMask {
        self.filter.mask().union(self.searched())
    }

    /// The order in which they come; the id is always in it, so that no two rows share a place.
    #[must_use]
    pub fn order(&self) -> &Arc<[OrderTerm]> {
        &self.order
    }

    /// How many are asked for at most.
    #[must_use]
    pub fn limit(&self) -> Limit {
        self.limit
    }

    /// Whether the caller has named the limit; else it is [`Limit::DEFAULT`].
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// The columns that the answer shows, the id first.
    #[must_use]
    pub fn selected(&self) -> &[Column] {
        &self.selected
    }

    /// The same query whose answer does not show these declared fields, by their place, nor a whole that has them in it.
    #[must_use]
    pub fn without_fields(mut self, hidden: &BTreeSet<usize>) -> Self {
        let shows = |column: &Column| match (column.field(), column.position().checked_sub(1)) {
            (_, None) => true,
            (Some(_), Some(place)) => !hidden.contains(&place),
            (None, Some(_)) => hidden.is_empty(),
        };
        self.selected = self.selected.iter().filter(|column| shows(column)).cloned().collect();
        self
    }

    /// What is asked about groups of rows; `None` where the rows themselves are asked for.
    #[must_use]
    pub fn aggregation(&self) -> Option<&Arc<Aggregation>> {
        self.aggregation.as_ref()
    }

    /// A row as the answer shows it.
    pub fn show<R: RowView + ?Sized>(&self, row: &R) -> Map<String, Json> {
        let shown = |column: &Column| (column.name().to_owned(), row.value(column).to_json());
        self.selected.iter().map(shown).collect()
    }

    /// The same query of so many rows, whatever the limit of what callers may ask for.
    #[must_use]
    pub fn with_rows(mut self, rows: u32) -> Self {
        self.limit = Limit(rows);
        self
    }

    /// A text that is the same for two queries of one manifest only when both ask for the same.
    #[must_use]
    pub fn identity(&self) -> String {
        let Self {
            entity,
            filter,
            search,
            order,
            limit,
            after,
            limited,
            selected,
            aggregation,
            includes,
            fingerprint,
            ..
        } = self;
        let selected: Vec<usize> = selected.iter().map(Column::position).collect();
        format!(
            "{entity:?} {filter:?} {search:?} {order:?} {limit:?} {limited} {after:?} {selected:?} {aggregation:?} {includes:?} {fingerprint:x}"
        )
    }

    /// The same query, which has its lists of columns in common with another where they are the same.
    #[must_use]
    pub fn sharing(mut self, other: &Self) -> Self {
        if self.columns == other.columns {
            self.columns = Arc::clone(&other.columns);
        }
        for shown in [&other.columns, &other.selected] {
            if self.selected == *shown {
                self.selected = Arc::clone(shown);
            }
        }
        if self.order == other.order {
            self.order = Arc::clone(&other.order);
        }
        self
    }

    /// The columns on which the answer depends: of the condition, of the order, of what is shown.
    #[must_use]
    pub fn mask(&self) -> ColumnMask {
        if let Some(aggregation) = &self.aggregation {
            return self.finding().union(aggregation.mask());
        }
        let order = self.order.iter().map(|term| &term.column);
        let tied = self.includes.iter().map(|include| &include.tie.own);
        self.finding().union(order.chain(&*self.selected).chain(tied).collect())
    }

    /// The place behind which they start.
    #[must_use]
    pub fn after(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// The columns that a statement selects: the id, then every declared field in the entity's order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The same query of fewer rows: those that meet `filter` too. Its cursors stay those of the caller's query.
    #[must_use]
    pub fn restricted_to(mut self, filter: Filter) -> Self {
        self.filter = Filter::all([self.filter, filter]);
        self
    }

    /// Whether `row` belongs to the answer, the limit and the words that are looked for aside.
    pub fn matches<R: RowView + ?Sized>(&self, row: &R) -> bool {
        self.judge(row, &|_, _| Truth::Unknown) == Truth::Yes
    }

    /// Whether `row` belongs to the answer, the limit and the words that are looked for aside, as far as `known` tells of
    /// rows of other entities.
    pub fn judge<R: RowView + ?Sized>(&self, row: &R, known: &dyn Fn(&Arc<Related>, &R) -> Truth) -> Truth {
        // How well a row fits is not known here, so that where it stands cannot be said.
        let is_placed = !self.is_ranked();
        if is_placed && self.after.as_ref().is_some_and(|cursor| !cursor.is_before(row, &self.order)) {
            return Truth::No;
        }
        self.filter.judge(row, known)
    }

    /// The same query with `filter` in the place of its condition. Its cursors stay those of the caller's query.
    #[must_use]
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// How two rows stand in the query's order.
    pub fn compare<L, R>(&self, left: &L, right: &R) -> Ordering
    where
        L: RowView + ?Sized,
        R: RowView + ?Sized,
    {
        order::compare_rows(&self.order, left, right)
    }

    /// The cursor with which the page after the one that ends in `row` is asked for.
    pub fn cursor_after<R: RowView + ?Sized>(&self, row: &R) -> Cursor {
        Cursor::behind(row, &self.order, self.fingerprint)
    }

    /// The same query from behind `row` on.
    #[must_use]
    pub fn continued_after<R: RowView + ?Sized>(mut self, row: &R) -> Self {
        self.after = Some(self.cursor_after(row));
        self
    }

    /// The query as one SQL statement over the rows of `tenant`.
    ///
    /// It selects [`Query::columns`], after them `value` when the entity is open, and at last how well the row fits where
    /// the order is by that. It asks for one row more
    /// than the limit: when that row comes, there is another page, and the row is not part of this one.
    #[must_use]
    pub fn to_statement(&self, dialect: Dialect, tenant: &str) -> Statement {
        sql::select(self, dialect, tenant)
    }

    /// The rows that the last part of `chain` brings to the rows of `of`, as one SQL statement over the rows of `tenant`;
    /// one row more than `most` says that there are more.
    #[must_use]
    pub fn part_statement(
        of: PartOf<'_>,
        chain: &[&Include],
        most: u32,
        dialect: Dialect,
        tenant: &str,
    ) -> Statement {
        sql::part(of, chain, most, dialect, tenant)
    }

    /// Whether its entity's table has a column with whole documents.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }
}

impl Limit {
    /// What a query without a limit gets.
    pub const DEFAULT: Self = Self(100);
    /// The greatest limit.
    pub const MAX: Self = Self(10_000);

    /// A limit of so many rows.
    ///
    /// # Errors
    /// When it is none or beyond [`Limit::MAX`]; a limit is never cut in silence.
    pub fn new(rows: u32) -> Result<Self, QueryError> {
        if (1..=Self::MAX.0).contains(&rows) { Ok(Self(rows)) } else { Err(Self::refused(rows)) }
    }

    /// The error about a limit that was written so.
    pub(crate) fn refused(found: impl std::fmt::Display) -> QueryError {
        let expected = format!("a whole number from 1 to {}", Self::MAX.0);
        QueryError::new(QueryErrorKind::InvalidLimit, "limit", expected, found.to_string())
    }

    /// The number of rows.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}
