//! Rows as somebody may see them: what the manifest's policies hide is not found, not counted and not shown.

use std::{collections::BTreeSet, sync::Arc};

use corella_manifest::{Entity, EntityName, Value};
use corella_policy::{Caller, Reach, Sight};
use corella_query::{Column, Filter, Include, Query, Related};
use corella_rowdoc::{RowKey, Tenant};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::{
    access::{Access, Image, Lookup},
    error::ReadError,
    json::seen_json,
    model::EntityModel,
    port::{Seq, TableRow},
    store::{Inner, Store},
};

/// A row as somebody may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenRow {
    /// The row, with all its values.
    pub row: TableRow,
    /// The declared fields that stay hidden, by their place in the entity.
    pub hidden: BTreeSet<usize>,
}

impl SeenRow {
    /// The row as the answer to a query shows it, without what is hidden.
    #[must_use]
    pub fn show(&self, query: &Query) -> Map<String, Json> {
        let mut row = query.show(&self.row.cells);
        for column in query.selected() {
            // The whole document of an open entity has all fields in it.
            let is_whole = column.field().is_none() && column.position() > 0;
            let place = column.position().checked_sub(1);
            let is_hidden = place.is_some_and(|place| self.hidden.contains(&place));
            if is_hidden || (is_whole && !self.hidden.is_empty()) {
                row.shift_remove(column.name());
            }
        }
        row
    }

    /// The row as JSON, without what is hidden.
    #[must_use]
    pub fn to_json(&self, entity: &Entity) -> Map<String, Json> {
        let sight = Sight::Row { hidden: self.hidden.clone() };
        seen_json(entity, self.row.id(), self.row.values(), &sight)
    }
}

/// A page of rows as somebody may see them.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPage {
    /// The rows.
    pub rows: Vec<SeenRow>,
    /// Where the next page starts, behind the last of these rows; `None` at the end.
    pub cursor: Option<String>,
    /// The last change that the page has in it.
    pub seq: Seq,
}

/// A query that finds no row which its author may not see, and none by a field of it that its author may not read.
#[derive(Debug, Clone, PartialEq)]
pub struct Restricted {
    /// The query.
    pub query: Query,
    /// Whether each row that it finds has to be asked about besides, because not everything could be said as a filter.
    pub asks_rows: bool,
}

impl Store {
    /// Runs a query over one entity's table for somebody. Whatever was acknowledged before is in the answer.
    ///
    /// Where the policies cannot be said as a filter, rows are read on until the page is full.
    ///
    /// # Errors
    /// [`ReadError`] when the database fails.
    pub async fn list(&self, tenant: &Tenant, access: &Access, query: &Query) -> Result<SeenPage, ReadError> {
        let Restricted { mut query, asks_rows } = self.restrict(access, query.clone())?;
        let model = self.0.entity(query.entity().as_str())?;
        let mut page = self.select(tenant, &query).await?;
        let hides = asks_rows || model.policies.guarded_fields(&model.entity).next().is_some();
        if !hides || access.caller().is_none() {
            let rows = page.rows.into_iter().map(|row| SeenRow { row, hidden: BTreeSet::new() }).collect();
            return Ok(SeenPage { rows, cursor: page.cursor, seq: page.seq });
        }
        if !asks_rows {
            let mut rows = Vec::with_capacity(page.rows.len());
            for row in page.rows {
                rows.extend(self.0.seen(tenant, access, &model, row).await?);
            }
            return Ok(SeenPage { rows, cursor: page.cursor, seq: page.seq });
        }
        let limit = usize::try_from(query.limit().get()).unwrap_or(usize::MAX);
        let first = query.clone();
        let mut seen = Vec::new();
        let seq = page.seq;
        loop {
            let last = page.rows.last().cloned();
            for row in page.rows {
                seen.extend(self.0.seen(tenant, access, &model, row).await?);
            }
            // One row more than the limit tells that there is another page.
            let (Some(last), Some(_), true) = (last, page.cursor, seen.len() <= limit) else { break };
            query = query.continued_after(&last.cells);
            page = self.select(tenant, &query).await?;
        }
        let more = seen.len() > limit;
        seen.truncate(limit);
        let last = seen.last().filter(|_| more);
        let cursor = last.map(|seen| first.cursor_after(&seen.row.cells).to_string());
        Ok(SeenPage { rows: seen, cursor, seq })
    }

    /// Reads one row for somebody; `None` when it is not there, or not for them.
    ///
    /// # Errors
    /// As [`Store::row`].
    pub async fn see(&self, key: &RowKey, access: &Access) -> Result<(Option<SeenRow>, Seq), ReadError> {
        let (row, seq) = self.row(key).await?;
        let Some(row) = row else { return Ok((None, seq)) };
        let model = self.0.entity(key.entity.as_str())?;
        Ok((self.0.seen(&key.tenant, access, &model, row).await?, seq))
    }

    /// The fields of an entity that have rules of their own for reading them, unless somebody may read everything.
    ///
    /// # Errors
    /// [`ReadError::UnknownEntity`] when there is no such entity.
    pub fn guarded_fields(&self, entity: &EntityName, access: &Access) -> Result<BTreeSet<usize>, ReadError> {
        let model = self.0.entity(entity.as_str())?;
        let guarded = access.caller().map(|_| model.policies.guarded_fields(&model.entity).collect());
        Ok(guarded.unwrap_or_default())
    }

    /// The query as somebody may ask it: its condition and its order find only rows whose fields they may read.
    ///
    /// Memberships are a part of the condition: who gains or loses one finds other rows from then on.
    ///
    /// # Errors
    /// [`ReadError`] when an entity is unknown, or policies cannot be said as a condition where they have to be.
    pub fn restrict(&self, access: &Access, query: Query) -> Result<Restricted, ReadError> {
        let Some(caller) = access.caller() else {
            return Ok(Restricted { query, asks_rows: false });
        };
        let restriction = Restriction { store: &self.0, caller, now: Timestamp::now() };
        let reach = restriction.reach(query.entity(), &named_fields(&query))?;
        let filter = restriction.filter(query.filter())?;
        let includes = restriction.includes(query.includes())?;
        let query = query.with_includes(includes);
        let query = query.with_filter(filter).restricted_to(reach.filter);
        Ok(Restricted { query, asks_rows: !reach.is_exact })
    }
}

impl Inner {
    /// What somebody sees of a row that a query has found.
    async fn seen(
        &self,
        tenant: &Tenant,
        access: &Access,
        model: &EntityModel,
        row: TableRow,
    ) -> Result<Option<SeenRow>, ReadError> {
        let Some(reading) = access.reading(model, &row.cells) else {
            return Ok(Some(SeenRow { row, hidden: BTreeSet::new() }));
        };
        Ok(match reading.settle(&Lookup { store: self, tenant }).await? {
            Sight::Row { hidden } => Some(SeenRow { row, hidden }),
            Sight::Nothing => None,
        })
    }

    /// What somebody may see of a row with these values.
    pub(crate) async fn sight(
        &self,
        access: &Access,
        model: &EntityModel,
        key: &RowKey,
        values: &[Value],
    ) -> Result<Sight, ReadError> {
        let Some(reading) = access.reading(model, &Image::new(key, values)) else {
            return Ok(Sight::whole());
        };
        reading.settle(&Lookup { store: self, tenant: &key.tenant }).await
    }
}

/// Takes out of conditions what somebody may not read.
struct Restriction<'a> {
    store: &'a Inner,
    caller: &'a Caller,
    now: Timestamp,
}

impl Restriction<'_> {
    /// The rows of an entity that may be read, and in which each of `fields` may.
    fn reach(&self, entity: &EntityName, fields: &BTreeSet<usize>) -> Result<Reach, ReadError> {
        let model = self.store.entity(entity.as_str())?;
        Ok(model.policies.reach(self.caller, &model.entity, fields, self.now))
    }

    /// The same condition which finds rows of other entities only where they may be read.
    fn filter(&self, filter: &Filter) -> Result<Filter, ReadError> {
        Ok(match filter {
            Filter::All(filters) => Filter::all(self.filters(filters)?),
            Filter::Any(filters) => Filter::any(self.filters(filters)?),
            Filter::Not(inner) => Filter::negated(self.filter(inner)?),
            Filter::Term(_) => filter.clone(),
            Filter::Related(related) => {
                let Related { entity, ties, filter } = &**related;
                let theirs = ties.iter().map(|tie| &tie.theirs);
                let reach = self.reach(entity, &places(filter.columns().into_iter().chain(theirs)))?;
                if !reach.is_exact {
                    return Err(ReadError::OpenPolicies(entity.clone()));
                }
                let filter = Filter::all([self.filter(filter)?, reach.filter]);
                Filter::Related(Arc::new(Related { entity: entity.clone(), ties: ties.clone(), filter }))
            }
        })
    }

    /// The same parts without what may not be read of them.
    fn includes(&self, includes: &[Include]) -> Result<Vec<Include>, ReadError> {
        let mut restricted = Vec::with_capacity(includes.len());
        for Include { name, many, tie, query } in includes {
            let entity = query.entity();
            let model = self.store.entity(entity.as_str())?;
            let mut fields = named_fields(query);
            fields.extend(places([&tie.theirs]));
            let reach = self.reach(entity, &fields)?;
            if !reach.is_exact {
                return Err(ReadError::OpenPolicies(entity.clone()));
            }
            let guarded = model.policies.guarded_fields(&model.entity).collect();
            let filter = self.filter(query.filter())?;
            let inner = self.includes(query.includes())?;
            let query =
                query.clone().without_fields(&guarded).with_filter(filter).restricted_to(reach.filter);
            let query = query.with_includes(inner);
            restricted.push(Include { name: Arc::clone(name), many: *many, tie: tie.clone(), query });
        }
        Ok(restricted)
    }

    fn filters(&self, filters: &[Filter]) -> Result<Vec<Filter>, ReadError> {
        let mut restricted = Vec::with_capacity(filters.len());
        for filter in filters {
            restricted.push(self.filter(filter)?);
        }
        Ok(restricted)
    }
}

/// The declared fields by which a query finds, searches, orders, groups and adds up, by their place.
fn named_fields(query: &Query) -> BTreeSet<usize> {
    let ordered = query.order().iter().map(|term| &term.column);
    let aggregated = query.aggregation().into_iter().flat_map(|aggregation| aggregation.columns());
    let tied = query.includes().iter().map(|include| &include.tie.own);
    let searched = query.search().into_iter().flat_map(|search| search.columns());
    places(ordered.chain(aggregated).chain(tied).chain(query.filter().columns()).chain(searched))
}

/// The declared fields among `columns`, by their place.
fn places<'c>(columns: impl IntoIterator<Item = &'c Column>) -> BTreeSet<usize> {
    columns
        .into_iter()
        .filter(|column| !column.is_rank())
        .filter_map(|column| column.position().checked_sub(1))
        .collect()
}
