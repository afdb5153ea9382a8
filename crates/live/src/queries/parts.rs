//! The rows that an answer's rows bring with them, as they are kept.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use corella_manifest::{EntityName, Value};
use corella_query::{
    ColumnMask, Include, Query, RowView as _, Truth,
    maintain::{Lookup, Probe, QueryId, key_bytes},
};
use corella_store::{
    Store,
    port::{Seq, TableRow},
};
use corella_wire::control::{Difference, PartChange, Upsert};
use serde_json::{Map, Value as Json};

use super::{
    image::Image,
    query::RowChange,
    steps::{Before, Step, lags, steps_of},
};

type KeyBytes = Box<[u8]>;

/// The rows that belong to one value, in their order.
type List = Arc<[Image]>;

/// Most rows of one value that are gone through at each change; more are read again instead.
const MOST_TAKEN_IN: usize = 1_000;

/// Whether a change could be taken in without asking the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Known,
    HasToBeRead,
}

/// All parts of a query; none, for most.
#[derive(Default)]
pub(super) struct Parts {
    /// In the order of [`Query::chains`].
    nodes: Box<[Part]>,
    /// The last change that was in their rows when some of them were read.
    read_at: Seq,
}

/// The rows that one relation brings to all rows that it starts from.
pub(super) struct Part {
    /// By which the index of its entity knows it.
    pub(super) id: QueryId,
    pub(super) include: Include,
    /// The part whose rows bring it; `None` for the query's own.
    outer: Option<usize>,
    /// The parts that its rows bring.
    inner: Vec<usize>,
    /// The columns on which it depends.
    pub(super) mask: ColumnMask,
    /// Whether a row before a change may be shown as it was earlier still, in what its condition looks at.
    lags: bool,
    /// The conditions of its rows on rows of other entities.
    pub(super) steps: Vec<Step>,
    lists: HashMap<KeyBytes, Belonging>,
    /// What the lists that have changed were when they were last told; `None` for those that were not there.
    before: HashMap<KeyBytes, Option<List>>,
}

/// The rows that belong to one value.
struct Belonging {
    value: Value,
    rows: List,
    /// The last change that they have in them.
    upto: Seq,
}

/// Values by which rows are brought along, by part.
pub(super) type Keys = Vec<(usize, Value)>;

impl Parts {
    /// The parts of a query; each of them and of their conditions is numbered by `next`.
    pub(super) fn of(query: &Query, store: &Store, next: &mut dyn FnMut() -> QueryId) -> Self {
        let chains = query.chains();
        let same = |one: &[&Include], other: &[&Include]| {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| std::ptr::eq(*one, *other))
        };
        let mut nodes: Vec<Part> = Vec::with_capacity(chains.len());
        for (at, chain) in chains.iter().enumerate() {
            let Some((include, before)) = chain.split_last() else { continue };
            let outer = chains.iter().position(|other| same(other, before));
            if let Some(outer) = outer.and_then(|outer| nodes.get_mut(outer)) {
                outer.inner.push(at);
            }
            let theirs: ColumnMask = [&include.tie.theirs].into_iter().collect();
            nodes.push(Part {
                id: next(),
                include: Include::clone(include),
                outer,
                inner: Vec::new(),
                mask: include.query.mask().union(theirs),
                lags: lags(store, include.query.entity(), include.query.filter().mask()),
                steps: steps_of(include.query.filter(), store, next),
                lists: HashMap::new(),
                before: HashMap::new(),
            });
        }
        Self { nodes: nodes.into(), read_at: Seq::ZERO }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The last change that may be in their rows.
    pub(super) fn read_at(&self) -> Seq {
        self.read_at
    }

    /// The entities on whose rows it depends what rows bring.
    pub(super) fn entities(&self) -> HashSet<EntityName> {
        let of_part = |part: &Part| {
            let asked = part.steps.iter().map(|step| step.related.entity.clone());
            asked.chain([part.include.query.entity().clone()]).collect::<Vec<_>>()
        };
        self.nodes.iter().flat_map(of_part).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.nodes.iter().enumerate()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Part> {
        self.nodes.get(at)
    }

    fn roots(&self) -> Vec<usize> {
        self.iter().filter(|(_, part)| part.outer.is_none()).map(|(at, _)| at).collect()
    }

    /// The values of a row of the answer whose rows are not known.
    pub(super) fn missing(&self, row: &Image) -> Keys {
        let keys = self.roots().into_iter().filter_map(|at| {
            let part = &self.nodes[at];
            let key = part.include.key(row);
            (!key.is_null() && !part.lists.contains_key(&bytes(key))).then(|| (at, key.clone()))
        });
        keys.collect()
    }

    /// Takes in what was read for the rows of a page; gives back values that are new.
    pub(super) fn learn_page<'r>(
        &mut self,
        rows: impl Iterator<Item = &'r Image> + Clone,
        read: Vec<Vec<TableRow>>,
        seq: Seq,
    ) -> Keys {
        let mut read: Vec<Vec<TableRow>> = read;
        let mut new = Vec::new();
        for at in self.roots() {
            let include = &self.nodes[at].include;
            let keys: Vec<Value> = rows.clone().map(|row| include.key(row).clone()).collect();
            let end = self.end_of(at);
            let of_part = read.iter_mut().take(end).skip(at).map(std::mem::take).collect();
            new.extend(self.learn(at, &keys, of_part, seq));
        }
        new
    }

    /// Where the parts end that a part's rows bring, and those that these bring.
    fn end_of(&self, at: usize) -> usize {
        self.nodes[at].inner.last().map_or(at + 1, |last| self.end_of(*last))
    }

    /// Takes in what was read for these values of a part, and for the rows that came of it; gives back values that are new.
    pub(super) fn learn(&mut self, at: usize, keys: &[Value], read: Vec<Vec<TableRow>>, seq: Seq) -> Keys {
        self.read_at = self.read_at.max(seq);
        let mut keys_of: HashMap<usize, HashMap<KeyBytes, Value>> = HashMap::new();
        let some = keys.iter().filter(|key| !key.is_null());
        keys_of.insert(at, some.map(|key| (bytes(key), key.clone())).collect());
        let mut new = Vec::new();
        for (node, rows) in (at..).zip(read) {
            let Some(part) = self.nodes.get_mut(node) else { break };
            let mut lists: HashMap<KeyBytes, Vec<Image>> = HashMap::new();
            for row in rows.into_iter().filter_map(|row| Image::of_table(row, seq)) {
                lists.entry(bytes(part.include.their_key(&row))).or_default().push(row);
            }
            let inner = part.inner.clone();
            let mut brought: Vec<Image> = Vec::new();
            for (key, value) in keys_of.remove(&node).unwrap_or_default() {
                let rows: List = lists.remove(&key).unwrap_or_default().into();
                brought.extend(rows.iter().cloned());
                if part.set(key, &value, rows, seq) {
                    new.push((node, value));
                }
            }
            for inner in inner {
                let include = &self.nodes[inner].include;
                let keys = keys_of.entry(inner).or_default();
                for key in brought.iter().map(|row| include.key(row)).filter(|key| !key.is_null()) {
                    keys.insert(bytes(key), key.clone());
                }
            }
        }
        new
    }

    /// Whether anything has changed since it was last told.
    pub(super) fn is_touched(&self) -> bool {
        self.nodes.iter().any(|part| !part.before.is_empty())
    }

    /// Takes a change of a row in where these values have it or had it; gives back those whose rows have to be read.
    pub(super) fn take_in(&mut self, at: usize, change: &RowChange, keys: Vec<Value>) -> Vec<Value> {
        let Some(part) = self.nodes.get_mut(at) else { return Vec::new() };
        let to_read =
            keys.into_iter().filter(|key| part.take_in(change, key) == Taken::HasToBeRead).collect();
        // Whoever comes back with an older answer may lack it.
        self.read_at = self.read_at.max(change.seq);
        to_read
    }

    /// Forgets what has changed, and rows that nobody brings any more; gives back the values that these had.
    pub(super) fn tidy<'r>(&mut self, held: impl Iterator<Item = &'r Image> + Clone) -> Keys {
        let mut gone = Vec::new();
        for at in 0..self.nodes.len() {
            let include = &self.nodes[at].include;
            let wanted: HashSet<KeyBytes> = match self.nodes[at].outer {
                None => held.clone().map(|row| bytes(include.key(row))).collect(),
                Some(outer) => {
                    let rows = self.nodes[outer].lists.values().flat_map(|list| list.rows.iter());
                    rows.map(|row| bytes(include.key(row))).collect()
                }
            };
            let part = &mut self.nodes[at];
            part.before.clear();
            for (_, list) in part.lists.extract_if(|key, _| !wanted.contains(key)) {
                gone.push((at, list.value));
            }
        }
        gone
    }

    /// About how many bytes its rows take.
    pub(super) fn weight(&self) -> usize {
        let lists = self.nodes.iter().flat_map(|part| part.lists.values());
        lists.map(|list| 64 + list.rows.iter().map(Image::weight).sum::<usize>()).sum()
    }

    /// A row of the answer with all that it brings.
    pub(super) fn show(&self, query: &Query, row: &Image) -> Map<String, Json> {
        self.show_with(query, &self.roots(), row)
    }

    fn show_with(&self, query: &Query, parts: &[usize], row: &Image) -> Map<String, Json> {
        let mut shown = query.show(row);
        for part in parts.iter().filter_map(|at| self.nodes.get(*at)) {
            let mut rows = self.rows(part, part.include.key(row));
            let rows = match part.include.many {
                true => Json::Array(rows.into_iter().map(Json::Object).collect()),
                false if rows.is_empty() => Json::Null,
                false => Json::Object(rows.swap_remove(0)),
            };
            shown.insert(part.include.name.to_string(), rows);
        }
        shown
    }

    fn rows(&self, part: &Part, key: &Value) -> Vec<Map<String, Json>> {
        let list = part.lists.get(&bytes(key)).map(|list| &list.rows);
        let rows = list.into_iter().flat_map(|rows| rows.iter());
        rows.map(|row| self.show_with(&part.include.query, &part.inner, row)).collect()
    }

    /// What became of what a row of the answer brings.
    pub(super) fn changes(&self, before: &Image, now: &Image) -> BTreeMap<String, PartChange> {
        self.changes_of(&self.roots(), before, now)
    }

    fn changes_of(&self, parts: &[usize], before: &Image, now: &Image) -> BTreeMap<String, PartChange> {
        let mut changes = BTreeMap::new();
        for at in parts {
            let Some(part) = self.nodes.get(*at) else { continue };
            let (old, new) = (bytes(part.include.key(before)), bytes(part.include.key(now)));
            let whole = || PartChange::Whole { rows: self.rows(part, part.include.key(now)) };
            if old != new {
                changes.insert(part.include.name.to_string(), whole());
                continue;
            }
            if !self.may_have_changed(*at) {
                continue;
            }
            let Some(Belonging { rows: list, .. }) = part.lists.get(&new) else { continue };
            let change = match part.before.get(&new) {
                Some(None) => whole(),
                Some(Some(old)) => PartChange::Some(self.difference(part, old, list)),
                None => PartChange::Some(self.difference(part, list, list)),
            };
            let says_something = match &change {
                PartChange::Whole { .. } => true,
                PartChange::Some(Difference { upsert, remove }) => !upsert.is_empty() || !remove.is_empty(),
            };
            if says_something {
                changes.insert(part.include.name.to_string(), change);
            }
        }
        changes
    }

    fn may_have_changed(&self, at: usize) -> bool {
        let part = &self.nodes[at];
        !part.before.is_empty() || part.inner.iter().any(|inner| self.may_have_changed(*inner))
    }

    /// What became of a list.
    fn difference(&self, part: &Part, before: &List, now: &List) -> Difference {
        let query = &part.include.query;
        let old: HashMap<&Arc<str>, (usize, &Image)> =
            before.iter().enumerate().map(|(at, row)| (row.id(), (at, row))).collect();
        let present: HashSet<&Arc<str>> = now.iter().map(Image::id).collect();
        let gone = before.iter().filter(|row| !present.contains(row.id()));
        let remove = gone.map(|row| row.id().to_string()).collect();
        let mut upsert = Vec::new();
        // Rows that stand one behind the other as they did stay; the others are put in again.
        let mut last = None;
        for (at, row) in now.iter().enumerate() {
            let Some((old_at, old_row)) = old.get(row.id()) else {
                let shown = self.show_with(query, &part.inner, row);
                upsert.push(Upsert {
                    id: row.id().to_string(),
                    at: Some(at),
                    row: shown,
                    parts: BTreeMap::new(),
                });
                continue;
            };
            let stays = last.is_none_or(|last| *old_at > last);
            if stays {
                last = Some(*old_at);
            }
            let parts = self.changes_of(&part.inner, old_row, row);
            let columns = changed_columns(query, old_row, row);
            if !stays || !columns.is_empty() || !parts.is_empty() {
                let at = (!stays).then_some(at);
                upsert.push(Upsert { id: row.id().to_string(), at, row: columns, parts });
            }
        }
        Difference { upsert, remove }
    }
}

/// The columns of a row that are shown and have changed.
pub(super) fn changed_columns(query: &Query, before: &Image, now: &Image) -> Map<String, Json> {
    let columns = query.selected().iter().filter(|column| before.value(column) != now.value(column));
    columns.map(|column| (column.name().to_owned(), now.value(column).to_json())).collect()
}

impl Part {
    /// Takes in the rows of a value; says whether the value is new.
    fn set(&mut self, key: KeyBytes, value: &Value, rows: List, upto: Seq) -> bool {
        let old = self.lists.get(&key).map(|list| Arc::clone(&list.rows));
        let query = &self.include.query;
        let tied = query.includes().iter().map(|include| &include.tie.own);
        let columns: Vec<_> = query.selected().iter().chain(tied).collect();
        let same = |(one, other): (&Image, &Image)| {
            one.id() == other.id() && columns.iter().all(|column| one.value(column) == other.value(column))
        };
        let is_same = |old: &List| old.len() == rows.len() && old.iter().zip(&*rows).all(same);
        let is_news = !old.as_ref().is_some_and(is_same);
        if is_news {
            self.before.entry(key.clone()).or_insert_with(|| old.clone());
        }
        self.lists.insert(key, Belonging { value: value.clone(), rows, upto });
        old.is_none()
    }

    /// Takes a change of a row in where the rows of a value have it or had it, without reading them again if they tell
    /// how they are now.
    fn take_in(&mut self, change: &RowChange, key: &Value) -> Taken {
        // What its rows bring, and conditions on others, have to be looked up.
        if !self.inner.is_empty() || !self.steps.is_empty() || self.lags {
            return Taken::HasToBeRead;
        }
        let key_bytes = bytes(key);
        let Some(Belonging { rows, upto, .. }) = self.lists.get(&key_bytes) else { return Taken::Known };
        if change.seq <= *upto {
            return Taken::Known;
        }
        let query = &self.include.query;
        if rows.len() > MOST_TAKEN_IN {
            return Taken::HasToBeRead;
        }
        let most = match query.is_limited() {
            true => usize::try_from(query.limit().get()).unwrap_or(usize::MAX),
            false => usize::MAX,
        };
        let mut rows: Vec<Image> = rows.to_vec();
        // Then there may be others behind the last one.
        let was_full = rows.len() >= most;
        let before = rows.len();
        rows.retain(|row| *row.id() != change.id);
        let was_there = rows.len() < before;
        let belongs = |row: &&Image| query.matches(*row) && bytes(self.include.their_key(*row)) == key_bytes;
        match change.row.as_ref().filter(belongs) {
            Some(row) => {
                let at = rows.partition_point(|other| query.compare(other, row).is_lt());
                if was_full && at == rows.len() {
                    if was_there {
                        return Taken::HasToBeRead;
                    }
                } else {
                    rows.insert(at, row.clone());
                }
                rows.truncate(most);
            }
            None if was_full && was_there => return Taken::HasToBeRead,
            None => {}
        }
        self.set(key_bytes, key, rows.into(), change.seq);
        Taken::Known
    }

    /// All values whose rows are known.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Value> {
        self.lists.values().map(|list| &list.value)
    }

    pub(super) fn knows(&self, key: &Value) -> bool {
        self.lists.contains_key(&bytes(key))
    }

    /// By which a row that belongs to this value is found to concern the part.
    pub(super) fn lookup(&self, key: &Value) -> Lookup {
        let equal = vec![(self.include.tie.theirs.clone(), key.clone())];
        Lookup::By(vec![Probe { equal, within: None }])
    }

    /// The values whose rows may be others because of a changed row.
    pub(super) fn touched(&self, change: &RowChange, before: &Before) -> Vec<Value> {
        if !change.mask.meets(self.mask) {
            return Vec::new();
        }
        let may_be_in =
            |row: &&Image| self.include.query.filter().judge(*row, &|_, _| Truth::Unknown) != Truth::No;
        let key = |row: &Image| self.include.their_key(row).clone();
        let mut keys: Vec<Value> = change.row.iter().filter(may_be_in).map(key).collect();
        match before {
            Before::Known(before) => {
                let may_have_been_in = |row: &&Image| self.lags || may_be_in(row);
                keys.extend(before.iter().filter(may_have_been_in).map(key));
            }
            Before::Unknown => {
                let has_it = |list: &&Belonging| list.rows.iter().any(|row| *row.id() == change.id);
                keys.extend(self.lists.values().filter(has_it).map(|list| list.value.clone()));
            }
        }
        keys.retain(|key| !key.is_null());
        keys.dedup_by_key(|key| bytes(key));
        keys
    }
}

fn bytes(key: &Value) -> KeyBytes {
    key_bytes(std::slice::from_ref(key))
}
