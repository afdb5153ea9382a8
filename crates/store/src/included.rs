//! The rows that the rows of an answer bring with them.

use std::collections::BTreeMap;

use corella_manifest::{Entity, EntityName, Value};
use corella_query::{Chain, ColumnMask, Include, PartOf, Query, Statement};
use corella_rowdoc::Tenant;

use crate::{
    error::ReadError,
    port::{SelectedParts, Seq, TableRow},
    store::{Inner, Store},
};

/// Most rows that a part of a query may bring along.
const MOST_INCLUDED: u32 = 10_000;

impl Store {
    /// Reads what a part of a query, and the parts behind it, bring to rows that have one of `keys`: the rows of each, in
    /// the order of the part's own chains, itself first, and the last change that they have in them.
    ///
    /// # Errors
    /// As [`Store::select`].
    pub async fn parts(
        &self,
        tenant: &Tenant,
        include: &Include,
        keys: &[Value],
    ) -> Result<(Vec<Vec<TableRow>>, Seq), ReadError> {
        let mut chains: Vec<Chain<'_>> = vec![vec![include]];
        chains.extend(include.query.chains().into_iter().map(|chain| [vec![include], chain].concat()));
        for chain in &chains {
            let Some(last) = chain.last() else { continue };
            self.0.write_lines_of(last.query.entity()).await?;
            for other in other_columns(&last.query).keys() {
                self.0.write_lines_of(other).await?;
            }
        }
        let asked = self.0.part_statements(tenant, PartOf::Keys(keys), &chains)?;
        let SelectedParts { parts, seq } = self.0.backend.select_all(asked).await?;
        Ok((bounded(parts.into_iter())?, seq))
    }
}

impl Inner {
    /// One statement for each part of a query.
    pub(crate) fn part_statements(
        &self,
        tenant: &Tenant,
        of: PartOf<'_>,
        chains: &[Chain<'_>],
    ) -> Result<Vec<(Entity, Statement)>, ReadError> {
        let dialect = self.backend.dialect();
        let statement = |chain: &Chain<'_>| {
            let last = chain.last().ok_or(ReadError::Internal("a part leads nowhere"))?;
            let entity = self.entity(last.query.entity().as_str())?.entity;
            let statement = Query::part_statement(of, chain, MOST_INCLUDED, dialect, tenant.as_str());
            Ok((Entity::clone(&entity), statement))
        };
        chains.iter().map(statement).collect()
    }
}

/// The rows of parts, none of which may be too many.
pub(crate) fn bounded(parts: impl Iterator<Item = Vec<TableRow>>) -> Result<Vec<Vec<TableRow>>, ReadError> {
    let most = usize::try_from(MOST_INCLUDED).unwrap_or(usize::MAX);
    parts
        .map(|rows| if rows.len() > most { Err(ReadError::TooManyIncluded(most)) } else { Ok(rows) })
        .collect()
}

/// The columns of other entities by which a query finds its rows and those that they bring.
pub(crate) fn other_columns(query: &Query) -> BTreeMap<EntityName, ColumnMask> {
    let mut found: BTreeMap<EntityName, ColumnMask> = BTreeMap::new();
    let mut waiting = query.filter().related();
    let chains = query.chains();
    for last in chains.iter().filter_map(|chain| chain.last()) {
        let order: ColumnMask =
            last.query.order().iter().map(|term| &term.column).chain([&last.tie.theirs]).collect();
        let mask = found.entry(last.query.entity().clone()).or_default();
        *mask = mask.union(order).union(last.query.filter().mask());
        waiting.extend(last.query.filter().related());
    }
    while let Some(related) = waiting.pop() {
        let theirs: ColumnMask = related.ties.iter().map(|tie| &tie.theirs).collect();
        let mask = found.entry(related.entity.clone()).or_default();
        *mask = mask.union(theirs).union(related.filter.mask());
        waiting.extend(related.filter.related());
    }
    found
}
