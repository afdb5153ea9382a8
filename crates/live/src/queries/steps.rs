//! What a live query knows of rows of other entities on which its condition depends.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use corella_manifest::{Crdt, Entity, EntityName, Value};
use corella_query::{
    ColumnMask, Filter, Related, RowView, Truth,
    maintain::{Lookup, QueryId, key_bytes},
};
use corella_store::Store;

use super::{image::Image, query::RowChange};

/// The values by which rows belong to each other.
pub(super) type Key = Vec<Value>;

/// Most values that are remembered of one step.
const MOST_REMEMBERED: usize = 10_000;

/// One condition on rows of another entity that a live query has in it.
pub(super) struct Step {
    /// By which the index of the other entity knows it.
    pub(super) id: QueryId,
    pub(super) related: Arc<Related>,
    /// The step about whose rows it is; `None` for the query's own.
    pub(super) outer: Option<usize>,
    /// The columns of the other entity that it looks at.
    pub(super) mask: ColumnMask,
    pub(super) lookup: Lookup,
    /// Whether a row before a change may be shown as it was earlier still, in what the step looks at.
    lags: bool,
    known: Known,
}

/// For which values there is a row of the other entity.
#[derive(Default)]
struct Known {
    /// What is known of some values.
    values: HashMap<Box<[u8]>, (Key, bool)>,
    /// Whether there is no row for any other value.
    is_whole: bool,
    /// Whether it was tried to learn all of them.
    is_read: bool,
}

/// Of what a condition on rows of another entity is a part.
#[derive(Debug, Clone, Copy)]
pub(super) enum StepOwner {
    /// Of the condition of a query: its step.
    Query(QueryId, usize),
    /// Of the condition of a part of a query: the part, and its step.
    Part(QueryId, usize, usize),
}

/// A row before a change.
pub(super) enum Before {
    /// As it was; `None` when it was not there.
    Known(Option<Image>),
    /// Another server made the change.
    Unknown,
}

/// What a change of a row of the other entity may have changed.
#[derive(Debug, PartialEq)]
pub(super) enum Touched {
    Nothing,
    /// Whether there is a row for these values.
    Keys(Vec<Key>),
    Everything,
}

/// What has to be looked up before a query's answer is known to be right.
#[derive(Default)]
pub(super) struct Doubt {
    /// Changed rows of the query's entity of which it is open whether they meet the condition.
    pub(super) rows: HashMap<Arc<str>, RowChange>,
    /// By step: values for which there may be a row now, or none any more.
    pub(super) keys: HashMap<usize, HashMap<Box<[u8]>, Key>>,
    /// By part: values whose rows have to be read.
    pub(super) lists: HashMap<usize, HashMap<Box<[u8]>, Value>>,
    /// Parts all of whose rows have to be read.
    pub(super) parts: HashSet<usize>,
    /// Whether the rows may have been read before what is known of these values.
    pub(super) is_stale: bool,
    /// Whether all has to be read again.
    pub(super) whole: bool,
}

impl Doubt {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
            && self.keys.is_empty()
            && self.lists.is_empty()
            && self.parts.is_empty()
            && !self.whole
    }

    pub(super) fn add(&mut self, step: usize, touched: &Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Keys(keys) => {
                let of_step = self.keys.entry(step).or_default();
                of_step.extend(keys.iter().map(|key| (key_bytes(key), key.clone())));
            }
            Touched::Everything => self.whole = true,
        }
    }

    /// Puts the rows in doubt that a part brings to these values.
    pub(super) fn add_lists(&mut self, part: usize, keys: &[Value]) {
        if !keys.is_empty() {
            let of_part = self.lists.entry(part).or_default();
            of_part.extend(keys.iter().map(|key| (key_bytes(std::slice::from_ref(key)), key.clone())));
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.rows.extend(other.rows);
        for (step, keys) in other.keys {
            self.keys.entry(step).or_default().extend(keys);
        }
        for (part, keys) in other.lists {
            self.lists.entry(part).or_default().extend(keys);
        }
        self.parts.extend(other.parts);
        self.whole |= other.whole;
        self.is_stale |= other.is_stale;
    }
}

/// The steps of a condition, outer ones first; each is numbered by `next`.
pub(super) fn steps_of(filter: &Filter, store: &Store, next: &mut dyn FnMut() -> QueryId) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut waiting: Vec<(Option<usize>, Arc<Related>)> =
        filter.related().into_iter().map(|related| (None, Arc::clone(related))).collect();
    while let Some((outer, related)) = waiting.pop() {
        if steps.iter().any(|step| step.outer == outer && Arc::ptr_eq(&step.related, &related)) {
            continue;
        }
        let at = steps.len();
        waiting.extend(related.filter.related().into_iter().map(|inner| (Some(at), Arc::clone(inner))));
        let ties: ColumnMask = related.ties.iter().map(|tie| &tie.theirs).collect();
        let mask = related.filter.mask().union(ties);
        let lags = lags(store, &related.entity, mask);
        // A row that is not found by what it was could be missed when it goes.
        let lookup = if lags { Lookup::Scan } else { Lookup::of(&related.filter) };
        steps.push(Step { id: next(), related, outer, mask, lookup, lags, known: Known::default() });
    }
    steps
}

/// Whether a row before a change may be shown as it was earlier still, in these columns.
pub(super) fn lags(store: &Store, entity: &EntityName, columns: ColumnMask) -> bool {
    store.entity(entity.as_str()).map_or(true, |entity| may_lag(&entity).meets(columns))
}

/// The columns that may be written later than their documents.
fn may_lag(entity: &Entity) -> ColumnMask {
    let late = entity.fields.iter().enumerate().filter(|(_, field)| match field.crdt {
        Crdt::Text | Crdt::Document | Crdt::List | Crdt::MovableList | Crdt::Map | Crdt::Tree => true,
        Crdt::Lww | Crdt::Counter => false,
    });
    late.map(|(place, _)| ColumnMask::at(place + 1)).fold(ColumnMask::NONE, ColumnMask::union)
}

impl Step {
    /// What a changed row of the other entity may have changed for those that it belongs to, or belonged.
    pub(super) fn touched(&self, change: &RowChange, before: &Before) -> Touched {
        let related = &self.related;
        let judge = |row: &Image| related.filter.judge(row, &|_, _| Truth::Unknown);
        let after = change.row.as_ref().map(|row| (judge(row), related.their_key(row)));
        let by_id = related.ties.iter().all(|tie| tie.theirs.position() == 0) && !related.ties.is_empty();
        let before = match before {
            Before::Unknown if by_id => {
                let id = Value::Text(Arc::clone(&change.id));
                return Touched::Keys(vec![related.ties.iter().map(|_| id.clone()).collect()]);
            }
            Before::Unknown => return Touched::Everything,
            Before::Known(row) => row
                .as_ref()
                .map(|row| (if self.lags { Truth::Unknown } else { judge(row) }, related.their_key(row))),
        };
        if !change.mask.meets(self.mask) {
            return Touched::Nothing;
        }
        if let (Some((Truth::Yes, one)), Some((Truth::Yes, other))) = (&before, &after)
            && key_bytes(one) == key_bytes(other)
        {
            return Touched::Nothing;
        }
        let mut keys: Vec<Key> = Vec::new();
        for (truth, key) in before.into_iter().chain(after) {
            if truth != Truth::No && !keys.iter().any(|known| key_bytes(known) == key_bytes(&key)) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Touched::Nothing } else { Touched::Keys(keys) }
    }

    /// Whether a row of the other entity belongs to this one, as far as that is known.
    pub(super) fn truth<R: RowView + ?Sized>(&self, row: &R) -> Truth {
        match self.known.values.get(&key_bytes(&self.related.key(row))) {
            Some((_, is_there)) => (*is_there).into(),
            None if self.known.is_whole => Truth::No,
            None => Truth::Unknown,
        }
    }

    /// All values for which there is a row, if they are known.
    pub(super) fn all(&self) -> Option<Vec<Key>> {
        let there = self.known.values.values().filter(|(_, is_there)| *is_there);
        self.known.is_whole.then(|| there.map(|(key, _)| key.clone()).collect())
    }

    /// Whether all values have still to be asked for.
    pub(super) fn is_unread(&self) -> bool {
        self.outer.is_none() && !self.known.is_read
    }

    /// Knows nothing any more.
    pub(super) fn forget(&mut self) {
        self.known = Known::default();
    }

    /// There is a row for these values and no others; `None` when they are too many to know.
    pub(super) fn learn_all(&mut self, keys: Option<Vec<Key>>) {
        let is_whole = keys.is_some();
        let values = keys.into_iter().flatten().map(|key| (key_bytes(&key), (key, true))).collect();
        self.known = Known { values, is_whole, is_read: true };
    }

    /// Among `asked`, there is a row for the values that are `present`; gives back those of which that is news.
    pub(super) fn learn(
        &mut self,
        asked: &HashMap<Box<[u8]>, Key>,
        present: &HashSet<Box<[u8]>>,
    ) -> Vec<Key> {
        if !self.known.is_whole && self.known.values.len() > MOST_REMEMBERED {
            self.known.values.clear();
        }
        let mut news = Vec::new();
        for (bytes, key) in asked {
            let is_there = present.contains(bytes);
            let before = match self.known.values.get(bytes) {
                Some((_, before)) => Some(*before),
                None => self.known.is_whole.then_some(false),
            };
            if before != Some(is_there) {
                news.push(key.clone());
            }
            if self.known.is_whole && !is_there {
                self.known.values.remove(bytes);
            } else {
                self.known.values.insert(bytes.clone(), (key.clone(), is_there));
            }
        }
        if self.known.is_whole && self.known.values.len() > MOST_REMEMBERED {
            self.known.is_whole = false;
        }
        news
    }
}
