//! The answer to a query: rows, or groups of rows.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use corella_query::{
    Query,
    maintain::{Changed, ChangedGroup, Diff, Groups, Held, Window, WindowSize},
};
use corella_store::port::Seq;
use corella_wire::control::{Difference, EncodedRows, Upsert};
use serde_json::{Map, Value as Json};

use super::{
    image::Image,
    parts::{Parts, changed_columns},
};

/// The answer to a query, as it is kept.
pub(super) enum Answer {
    Rows(Window<Image>),
    Groups(Box<Groups>),
}

/// How many rows a query is answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All rows that meet its condition, up to this many.
    All(usize),
    /// A window of them.
    Window(WindowSize),
}

impl Extent {
    /// How many rows to read from the database.
    pub(super) fn to_read(self) -> usize {
        match self {
            Self::All(most) => most,
            Self::Window(size) => size.to_read(),
        }
    }
}

impl Answer {
    /// The answer of these rows; `more` says whether there are others behind them.
    pub(super) fn new(query: &Query, extent: Extent, rows: Vec<Image>, more: bool) -> Self {
        if let Some(aggregation) = query.aggregation() {
            let mut groups = Groups::new(Arc::clone(aggregation));
            for row in &rows {
                groups.apply(row.id(), Some(row));
            }
            groups.forget_diff();
            return Self::Groups(Box::new(groups));
        }
        let size = match extent {
            Extent::All(_) => WindowSize::unbounded(),
            Extent::Window(size) => size,
        };
        Self::Rows(Window::new(Arc::clone(query.order()), size, rows, more))
    }

    /// Takes in how the row of this id is now.
    pub(super) fn apply(&mut self, id: &Arc<str>, row: Option<Image>) -> Held {
        match self {
            Self::Rows(window) => window.apply(id, row),
            Self::Groups(groups) => {
                let (entered, left) = groups.apply(id, row.as_ref());
                Held { entered, left: left.then(|| Arc::clone(id)).into_iter().collect() }
            }
        }
    }

    /// Puts what was read in the place of all rows; gives back the rows that entered and those that left.
    pub(super) fn replace(&mut self, rows: Vec<Image>, more: bool) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let groups = match self {
            Self::Rows(window) => return window.replace(rows, more),
            Self::Groups(groups) => groups,
        };
        let present: HashSet<&Arc<str>> = rows.iter().map(Image::id).collect();
        let left: Vec<Arc<str>> = groups.ids().filter(|id| !present.contains(id)).cloned().collect();
        for id in &left {
            groups.apply(id, None::<&Image>);
        }
        let entered = rows.iter().filter(|row| groups.apply(row.id(), Some(*row)).0);
        let entered = entered.map(|row| Arc::clone(row.id())).collect();
        (entered, left)
    }

    /// The ids of the rows that it is made of.
    pub(super) fn held(&self) -> Vec<Arc<str>> {
        match self {
            Self::Rows(window) => window.held().iter().map(|row| Arc::clone(row.id())).collect(),
            Self::Groups(groups) => groups.ids().cloned().collect(),
        }
    }

    /// Whether it is made of the row of this id, among others.
    pub(super) fn holds(&self, id: &str) -> bool {
        match self {
            Self::Rows(window) => window.holds(id),
            Self::Groups(groups) => groups.holds(id),
        }
    }

    pub(super) fn held_count(&self) -> usize {
        match self {
            Self::Rows(window) => window.held().len(),
            Self::Groups(groups) => groups.row_count(),
        }
    }

    pub(super) fn is_touched(&self) -> bool {
        match self {
            Self::Rows(window) => window.is_touched(),
            Self::Groups(groups) => groups.is_touched(),
        }
    }

    pub(super) fn is_short(&self) -> bool {
        match self {
            Self::Rows(window) => window.is_short(),
            Self::Groups(_) => false,
        }
    }

    pub(super) fn runs_low(&self) -> bool {
        match self {
            Self::Rows(window) => window.runs_low(),
            Self::Groups(_) => false,
        }
    }

    pub(super) fn forget_diff(&mut self) {
        match self {
            Self::Rows(window) => window.forget_diff(),
            Self::Groups(groups) => groups.forget_diff(),
        }
    }

    /// The rows or groups that are shown.
    pub(super) fn rows(&self, query: &Query, parts: &Parts) -> Vec<Map<String, Json>> {
        match self {
            Self::Rows(window) => window.shown().iter().map(|row| parts.show(query, row)).collect(),
            Self::Groups(groups) => groups.shown(),
        }
    }

    /// The whole answer as text.
    pub(super) fn encode(&self, query: &Query, parts: &Parts) -> EncodedRows {
        let last = match self {
            Self::Rows(window) => window.shown().last().filter(|_| window.has_more() && query.is_limited()),
            Self::Groups(_) => None,
        };
        let cursor = last.map(|row| query.cursor_after(row).to_string());
        EncodedRows::new(&self.rows(query, parts), cursor.as_deref())
    }

    /// What became of the answer since the last time; nothing when nothing that is shown did.
    ///
    /// Rows of `documents` are told of, even where no column of theirs has changed.
    pub(super) fn difference(
        &mut self,
        query: &Query,
        parts: &Parts,
        documents: &HashSet<Arc<str>>,
    ) -> Option<Difference> {
        let (upsert, remove): (Vec<Upsert>, Vec<String>) = match self {
            Self::Rows(window) => {
                let Diff { changed, removed } = window.take_diff();
                let mut upserts: Vec<Upsert> = Vec::new();
                if parts.is_touched() {
                    // Rows that have not changed themselves, but in what they bring.
                    let changed: HashSet<&Arc<str>> =
                        changed.iter().map(|changed| changed.row.id()).collect();
                    for row in window.shown().iter().filter(|row| !changed.contains(row.id())) {
                        let parts = parts.changes(row, row);
                        if !parts.is_empty() {
                            upserts.push(Upsert {
                                id: row.id().to_string(),
                                at: None,
                                row: Map::new(),
                                parts,
                            });
                        }
                    }
                }
                upserts.extend(changed.iter().filter_map(|changed| upsert(query, parts, documents, changed)));
                (upserts, removed.iter().map(ToString::to_string).collect())
            }
            Self::Groups(groups) => {
                let (changed, removed) = groups.take_diff();
                (changed.into_iter().map(upsert_group).collect(), removed)
            }
        };
        (!upsert.is_empty() || !remove.is_empty()).then_some(Difference { upsert, remove })
    }

    /// What a client lacks that has kept the rows of `ids` as of a change; `changed` are those that changed from then
    /// to `upto`.
    pub(super) fn since(
        &self,
        query: &Query,
        parts: &Parts,
        ids: &HashSet<String>,
        changed: &HashSet<Arc<str>>,
        upto: Seq,
    ) -> Difference {
        let whole = |at: usize, row: Map<String, Json>| Upsert {
            id: id_of(&row),
            at: Some(at),
            row,
            parts: BTreeMap::new(),
        };
        let (upsert, present): (Vec<Upsert>, HashSet<String>) = match self {
            Self::Rows(window) => {
                let is_news = |row: &Image| {
                    !ids.contains(&**row.id()) || changed.contains(row.id()) || row.seq() > upto
                };
                let rows = window.shown().iter().enumerate();
                let news =
                    rows.filter(|(_, row)| is_news(row)).map(|(at, row)| whole(at, parts.show(query, row)));
                (news.collect(), window.shown().iter().map(|row| row.id().to_string()).collect())
            }
            // There are few groups, and any may have changed.
            Self::Groups(groups) => {
                let rows = groups.shown();
                let present = rows.iter().map(id_of).collect();
                (rows.into_iter().enumerate().map(|(at, row)| whole(at, row)).collect(), present)
            }
        };
        let mut remove: Vec<String> = ids.iter().filter(|id| !present.contains(*id)).cloned().collect();
        remove.sort();
        Difference { upsert, remove }
    }
}

fn id_of(row: &Map<String, Json>) -> String {
    row.get("id").and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn upsert(
    query: &Query,
    parts: &Parts,
    documents: &HashSet<Arc<str>>,
    Changed { before, row, at }: &Changed<Image>,
) -> Option<Upsert> {
    let Some(before) = before else {
        let shown = parts.show(query, row);
        return Some(Upsert { id: row.id().to_string(), at: *at, row: shown, parts: BTreeMap::new() });
    };
    let columns = changed_columns(query, before, row);
    let parts = if parts.is_empty() { BTreeMap::new() } else { parts.changes(before, row) };
    let says_something =
        at.is_some() || !columns.is_empty() || !parts.is_empty() || documents.contains(row.id());
    says_something.then(|| Upsert { id: row.id().to_string(), at: *at, row: columns, parts })
}

fn upsert_group(ChangedGroup { before, row, at }: ChangedGroup) -> Upsert {
    let id = id_of(&row);
    match before {
        None => Upsert { id, at: Some(at), row, parts: BTreeMap::new() },
        Some(before) => {
            let columns = row.into_iter().filter(|(name, value)| before.get(name) != Some(value));
            Upsert { id, at: None, row: columns.collect(), parts: BTreeMap::new() }
        }
    }
}
