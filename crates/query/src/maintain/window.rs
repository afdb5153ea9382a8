//! The rows of one answer, and some more behind them.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use super::diff::{Changed, Diff};
use crate::{OrderTerm, RowView, order::compare_rows};

/// A row that a window can hold. A clone is cheap.
pub trait WindowRow: RowView + Clone {
    /// The row's id.
    fn id(&self) -> &Arc<str>;
}

/// How many rows a window shows and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Rows that the answer has at most.
    pub shown: usize,
    /// Rows that are held behind them when they are read from the database.
    pub spare: usize,
}

impl WindowSize {
    /// A window of so many rows, with half as many to spare, yet at least 16.
    #[must_use]
    pub fn of(shown: usize) -> Self {
        Self { shown, spare: (shown / 2).max(16) }
    }

    /// A window without an end, which holds all rows.
    #[must_use]
    pub fn unbounded() -> Self {
        Self { shown: usize::MAX, spare: 0 }
    }

    /// Rows to read from the database.
    #[must_use]
    pub fn to_read(self) -> usize {
        self.shown.saturating_add(self.spare)
    }

    /// Rows held at the most.
    fn most(self) -> usize {
        self.to_read().saturating_add(self.spare)
    }
}

/// What taking in a row did to the rows that a window holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// The row is held now and was not before.
    pub entered: bool,
    /// Rows that were held and are not any more.
    pub left: Vec<Arc<str>>,
}

/// The rows of one answer in their order, and some more behind them, so that few departures ask the database.
///
/// What is held is always a beginning of the whole answer: without gaps, and up to the last row held.
#[derive(Debug)]
pub struct Window<R> {
    order: Arc<[OrderTerm]>,
    size: WindowSize,
    rows: Vec<R>,
    by_id: HashMap<Arc<str>, R>,
    /// Whether there may be rows behind the last one held.
    more: bool,
    /// How the rows that changed since the last [`Window::take_diff`] stood in the answer then; `None` for those that
    /// were not in it.
    touched: HashMap<Arc<str>, Option<R>>,
}

impl<R: WindowRow> Window<R> {
    /// A window over `rows`, which are in `order`; `more` says whether there are others behind them.
    #[must_use]
    pub fn new(order: Arc<[OrderTerm]>, size: WindowSize, rows: Vec<R>, more: bool) -> Self {
        let by_id = rows.iter().map(|row| (Arc::clone(row.id()), row.clone())).collect();
        Self { order, size, rows, by_id, more, touched: HashMap::new() }
    }

    /// The rows of the answer.
    #[must_use]
    pub fn shown(&self) -> &[R] {
        &self.rows[..self.rows.len().min(self.size.shown)]
    }

    /// All rows that are held.
    #[must_use]
    pub fn held(&self) -> &[R] {
        &self.rows
    }

    /// Whether the answer may go on behind the rows that are shown. What lies behind those that are held may have gone
    /// unseen; then the next page is empty.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more || self.rows.len() > self.size.shown
    }

    /// Whether a row of this id is held.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The row of this id, if it is held.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&R> {
        self.by_id.get(id)
    }

    /// Whether rows that belong to the answer may be missing, so that they have to be read from the database.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.more && self.rows.len() < self.size.shown
    }

    /// Whether it is time to read more rows from the database: soon the answer may be short.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        self.more && self.rows.len() < self.size.shown.saturating_add(self.size.spare / 4)
    }

    /// Whether anything in the answer has changed since the last [`Window::take_diff`].
    #[must_use]
    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Takes in how the row of this id is now; `None` when it does not belong to the answer any more, or is gone.
    pub fn apply(&mut self, id: &Arc<str>, row: Option<R>) -> Held {
        let mut held = Held::default();
        let was_held = self.remove(id);
        if let Some(row) = row {
            let at = self.place(&row);
            // Behind the last row held there may be others between it and this one.
            if at < self.rows.len() || !self.more {
                self.insert(at, row);
                if self.rows.len() > self.size.most() {
                    self.shrink(&mut held.left);
                }
                held.left.retain(|left| left != id);
            }
        }
        let is_held = self.by_id.contains_key(id);
        held.entered = is_held && !was_held;
        if was_held && !is_held {
            held.left.push(Arc::clone(id));
        }
        held
    }

    /// Takes in what the database holds now, in the place of all rows; `more` as in [`Window::new`].
    ///
    /// What comes back are the rows that entered and those that left.
    pub fn replace(&mut self, rows: Vec<R>, more: bool) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
        let old = std::mem::take(&mut self.rows);
        let old_shown = old.len().min(self.size.shown);
        for row in &old[..old_shown] {
            self.touch(row.id(), Some(row));
        }
        let by_id = rows.iter().map(|row| (Arc::clone(row.id()), row.clone())).collect();
        let old_by_id: HashMap<Arc<str>, R> = std::mem::replace(&mut self.by_id, by_id);
        self.rows = rows;
        self.more = more;
        let shown = self.rows.len().min(self.size.shown);
        for at in 0..shown {
            let id = Arc::clone(self.rows[at].id());
            self.touch(&id, None);
        }
        let entered = self.rows.iter().filter(|row| !old_by_id.contains_key(row.id()));
        let entered = entered.map(|row| Arc::clone(row.id())).collect();
        let left = old_by_id.into_keys().filter(|id| !self.by_id.contains_key(id)).collect();
        (entered, left)
    }

    /// What has become of the answer since the last time.
    pub fn take_diff(&mut self) -> Diff<R> {
        let mut diff = Diff { changed: Vec::new(), removed: Vec::new() };
        for (id, before) in std::mem::take(&mut self.touched) {
            let now = self.by_id.get(&id).and_then(|row| {
                let at = self.position(row)?;
                (at < self.size.shown).then(|| (at, row.clone()))
            });
            match (before, now) {
                (None, None) => {}
                (Some(_), None) => diff.removed.push(id),
                (before, Some((at, row))) => {
                    let stays = before.as_ref().is_some_and(|before| self.compare(before, &row).is_eq());
                    diff.changed.push(Changed { before, row, at: (!stays).then_some(at) });
                }
            }
        }
        // Whoever follows takes out what moved, then puts it in again from the front to the back.
        diff.changed.sort_by_key(|changed| changed.at);
        diff.removed.sort();
        diff
    }

    /// Forgets what has changed: whoever follows is told the whole answer.
    pub fn forget_diff(&mut self) {
        self.touched.clear();
    }

    fn compare(&self, one: &R, other: &R) -> Ordering {
        compare_rows(&self.order, one, other)
    }

    /// Where a row belongs.
    fn place(&self, row: &R) -> usize {
        self.rows.partition_point(|held| self.compare(held, row).is_lt())
    }

    /// Where a held row stands.
    fn position(&self, row: &R) -> Option<usize> {
        let at = self.place(row);
        self.rows.get(at).filter(|held| held.id() == row.id()).map(|_| at)
    }

    fn touch(&mut self, id: &Arc<str>, shown_before: Option<&R>) {
        self.touched.entry(Arc::clone(id)).or_insert_with(|| shown_before.cloned());
    }

    fn remove(&mut self, id: &Arc<str>) -> bool {
        let Some(old) = self.by_id.remove(id) else { return false };
        let Some(at) = self.position(&old) else { return false };
        self.rows.remove(at);
        if at < self.size.shown {
            self.touch(id, Some(&old));
            // The first of the spare rows moves up.
            let last = self.size.shown - 1;
            if let Some(id) = self.rows.get(last).map(|row| Arc::clone(row.id())) {
                self.touch(&id, None);
            }
        }
        true
    }

    fn insert(&mut self, at: usize, row: R) {
        if at < self.size.shown {
            // The last one shown makes room.
            let last = self.size.shown - 1;
            if let Some(pushed) = self.rows.get(last).cloned() {
                self.touch(&Arc::clone(pushed.id()), Some(&pushed));
            }
            self.touch(&Arc::clone(row.id()), None);
        }
        self.by_id.insert(Arc::clone(row.id()), row.clone());
        self.rows.insert(at, row);
    }

    /// Lets go of what is more than enough.
    fn shrink(&mut self, left: &mut Vec<Arc<str>>) {
        for row in self.rows.drain(self.size.to_read()..) {
            self.by_id.remove(row.id());
            left.push(Arc::clone(row.id()));
        }
        self.more = true;
    }
}
