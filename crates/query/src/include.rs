//! Rows that an answer's rows bring with them.

use std::sync::Arc;

use corella_manifest::Value;

use crate::{Query, RowView, related::Tie};

/// What a row of an answer brings with it: the rows that a relation leads to, as a query of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// The relation, under whose name they stand in the row.
    pub name: Arc<str>,
    /// Whether it leads to many rows; else to one, or none.
    pub many: bool,
    /// What ties them to the row.
    pub tie: Tie,
    /// Which of them, in what order, how many of each row, and what of them; they may bring others.
    pub query: Query,
}

impl Include {
    /// The value of a row by which they belong to it.
    pub fn key<'r, R: RowView + ?Sized>(&self, row: &'r R) -> &'r Value {
        row.value(&self.tie.own)
    }

    /// The value of one of them by which it belongs to rows.
    pub fn their_key<'r, R: RowView + ?Sized>(&self, row: &'r R) -> &'r Value {
        row.value(&self.tie.theirs)
    }
}

/// Where an included part stands in a query: the parts that lead to it, itself the last.
pub type Chain<'q> = Vec<&'q Include>;

impl Query {
    /// What its rows bring with them.
    #[must_use]
    pub fn includes(&self) -> &[Include] {
        &self.includes
    }

    /// The same query with other parts in the place of those that it brings.
    #[must_use]
    pub fn with_includes(mut self, includes: Vec<Include>) -> Self {
        self.includes = includes.into();
        self
    }

    /// All parts that it brings, and those that these bring, each behind the one that brings it.
    #[must_use]
    pub fn chains(&self) -> Vec<Chain<'_>> {
        fn collect<'q>(query: &'q Query, before: &Chain<'q>, all: &mut Vec<Chain<'q>>) {
            for include in &*query.includes {
                let chain: Chain<'q> = before.iter().copied().chain([include]).collect();
                all.push(chain.clone());
                collect(&include.query, &chain, all);
            }
        }
        let mut all = Vec::new();
        collect(self, &Vec::new(), &mut all);
        all
    }
}
