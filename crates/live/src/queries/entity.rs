//! What is asked of the rows of one entity.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use corella_query::{
    ColumnMask, Query,
    maintain::{MatchIndex, QueryId},
};

/// The queries of one entity of one tenant.
#[derive(Default)]
pub(super) struct Entity {
    pub(super) index: MatchIndex,
    /// Conditions on its rows that queries of other entities have in them.
    pub(super) steps: MatchIndex,
    /// All of these.
    pub(super) all_steps: BTreeSet<QueryId>,
    /// Which queries hold a row.
    pub(super) holders: HashMap<Arc<str>, Vec<QueryId>>,
    /// Parts of queries that have its rows in them, by the values that bring them.
    pub(super) parts: MatchIndex,
    /// All of these.
    pub(super) all_parts: BTreeSet<QueryId>,
    /// Those of queries whose rows are being read.
    pub(super) reading_parts: Vec<QueryId>,
    /// Queries whose rows are being read.
    pub(super) reading: Vec<QueryId>,
    /// One of them, with which the others have their lists of columns in common.
    pub(super) alike: Option<Query>,
    /// The columns that any of them depends on, or did.
    pub(super) needs: ColumnMask,
    /// How many queries are of it.
    pub(super) queries: usize,
}

impl Entity {
    /// Whether nobody asks about its rows.
    pub(super) fn is_idle(&self) -> bool {
        self.queries == 0 && self.all_steps.is_empty() && self.all_parts.is_empty()
    }

    pub(super) fn holds(&mut self, row: &Arc<str>, query: QueryId) {
        self.holders.entry(Arc::clone(row)).or_default().push(query);
    }

    pub(super) fn lets_go(&mut self, row: &Arc<str>, query: QueryId) {
        if let Some(holders) = self.holders.get_mut(row) {
            holders.retain(|holder| *holder != query);
            if holders.is_empty() {
                self.holders.remove(row);
            }
        }
    }
}
