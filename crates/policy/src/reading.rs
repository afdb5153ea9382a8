//! Whether a caller sees a row, and which of its fields.

use std::collections::BTreeSet;

use corella_manifest::EntityName;
use corella_query::Filter;

use crate::evaluate::{Memberships, Outline, Truth};

/// What a caller sees of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Nothing: not even that it is there.
    Nothing,
    /// The row, except for these declared fields, by their place in the entity.
    Row {
        /// The fields that stay hidden.
        hidden: BTreeSet<usize>,
    },
}

impl Sight {
    /// The whole row.
    #[must_use]
    pub fn whole() -> Self {
        Self::Row { hidden: BTreeSet::new() }
    }
}

/// The question whether a caller may read a row, of which only memberships are still open.
#[derive(Debug)]
pub struct Reading {
    /// Whether the row may be seen; `None` for those who see everything.
    pub(crate) row: Option<Outline>,
    /// The fields that have rules of their own.
    pub(crate) fields: Vec<(usize, Outline)>,
}

impl Reading {
    /// The rows on whose being there the answer depends: any of those entities that meets the filter.
    #[must_use]
    pub fn memberships(&self) -> Vec<(EntityName, Filter)> {
        let mut found = Vec::new();
        let outlines = self.row.iter().chain(self.fields.iter().map(|(_, outline)| outline));
        outlines.for_each(|outline| outline.memberships(&mut found));
        found
    }

    /// Looks up what is open.
    ///
    /// # Errors
    /// When memberships cannot be looked up.
    pub async fn settle<M: Memberships + ?Sized>(&self, memberships: &M) -> Result<Sight, M::Error> {
        let Some(row) = &self.row else { return Ok(Sight::whole()) };
        if row.settle(memberships).await? != Truth::Yes {
            return Ok(Sight::Nothing);
        }
        let mut hidden = BTreeSet::new();
        for (field, outline) in &self.fields {
            if outline.settle(memberships).await? != Truth::Yes {
                hidden.insert(*field);
            }
        }
        Ok(Sight::Row { hidden })
    }
}
