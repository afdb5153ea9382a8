//! What is known about groups of rows, kept true as rows come, change and go.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use corella_manifest::Value;
use serde_json::{Map, Value as Json};

use super::sum::ExactSum;
use crate::{
    Aggregation, RowView,
    aggregate::{Measure, MeasureKind},
    compare::ascending,
};

/// The answer to a query that asks about groups.
///
/// It remembers what each row has brought, so that a row can change and go without being known as it was before.
#[derive(Debug)]
pub struct Groups {
    aggregation: Arc<Aggregation>,
    rows: HashMap<Arc<str>, Contribution>,
    groups: BTreeMap<GroupKey, Group>,
    /// How the groups that changed were told the last time; `None` for those that were not there.
    touched: BTreeMap<GroupKey, Option<Map<String, Json>>>,
}

/// A group that is new or has changed.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedGroup {
    /// Its values as they were told before; `None` for a new one.
    pub before: Option<Map<String, Json>>,
    /// Its values.
    pub row: Map<String, Json>,
    /// Its place among the groups, counted from 0.
    pub at: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Contribution {
    group: GroupKey,
    measured: Vec<Value>,
}

/// The values that the rows of a group have in common.
#[derive(Debug, Clone, PartialEq)]
struct GroupKey(Arc<[Value]>);

#[derive(Debug)]
struct Group {
    rows: u64,
    tallies: Vec<Tally>,
}

/// What is known of one measure.
#[derive(Debug)]
enum Tally {
    Count(u64),
    Ints {
        count: u64,
        sum: i128,
    },
    Floats {
        count: u64,
        sum: ExactSum,
    },
    /// How often each value is there.
    Values(BTreeMap<GroupKey, u64>),
}

impl Eq for GroupKey {}

impl PartialOrd for GroupKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for GroupKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.0.iter().zip(&*other.0);
        pairs
            .map(|(one, other)| ascending(one, other))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Groups {
    /// The groups of no rows.
    #[must_use]
    pub fn new(aggregation: Arc<Aggregation>) -> Self {
        let mut groups =
            Self { aggregation, rows: HashMap::new(), groups: BTreeMap::new(), touched: BTreeMap::new() };
        groups.keep_the_only_one();
        groups
    }

    /// Without columns to group by, there is one group, also of no rows.
    fn keep_the_only_one(&mut self) {
        if self.aggregation.groups.is_empty() && self.groups.is_empty() {
            self.groups.insert(GroupKey([].into()), Group::new(&self.aggregation));
        }
    }

    /// Takes in how the row of this id is now; `None` when it does not meet the condition any more, or is gone. Says
    /// whether it is held now and was not before, and whether it was and is not any more.
    pub fn apply<R: RowView + ?Sized>(&mut self, id: &Arc<str>, row: Option<&R>) -> (bool, bool) {
        let now = row.map(|row| Contribution {
            group: GroupKey(self.aggregation.group_of(row).into()),
            measured: self.aggregation.measured(row),
        });
        let before = self.rows.get(id);
        if before == now.as_ref() {
            return (false, false);
        }
        let (entered, left) = (before.is_none(), now.is_none());
        if let Some(before) = self.rows.remove(id) {
            self.touch(&before.group);
            let is_over = self.groups.get_mut(&before.group).is_some_and(|group| {
                group.rows -= 1;
                for (tally, value) in group.tallies.iter_mut().zip(&before.measured) {
                    tally.take_away(value);
                }
                group.rows == 0
            });
            if is_over {
                self.groups.remove(&before.group);
            }
        }
        if let Some(now) = now {
            self.touch(&now.group);
            let group = self.groups.entry(now.group.clone()).or_insert_with(|| Group::new(&self.aggregation));
            group.rows += 1;
            for (tally, value) in group.tallies.iter_mut().zip(&now.measured) {
                tally.add(value);
            }
            self.rows.insert(Arc::clone(id), now);
        }
        self.keep_the_only_one();
        (entered, left)
    }

    fn touch(&mut self, key: &GroupKey) {
        if !self.touched.contains_key(key) {
            let told = self.groups.get(key).map(|group| self.show(key, group));
            self.touched.insert(key.clone(), told);
        }
    }

    /// How many rows were taken in.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Whether the row of this id was taken in.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.rows.contains_key(id)
    }

    /// The ids of the rows that were taken in, in no order.
    pub fn ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys()
    }

    /// All groups in the order of their values, each under an `id` made of these.
    #[must_use]
    pub fn shown(&self) -> Vec<Map<String, Json>> {
        self.groups.iter().map(|(key, group)| self.show(key, group)).collect()
    }

    /// Whether any group may have changed since the last [`Groups::take_diff`].
    #[must_use]
    pub fn is_touched(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The groups that are new or have changed since the last time, and the ids of those that are gone.
    pub fn take_diff(&mut self) -> (Vec<ChangedGroup>, Vec<String>) {
        let touched = std::mem::take(&mut self.touched);
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        let mut seen = 0;
        for (at, (key, group)) in self.groups.iter().enumerate() {
            if seen == touched.len() {
                break;
            }
            let Some(before) = touched.get(key) else { continue };
            seen += 1;
            let row = self.show(key, group);
            if before.as_ref() != Some(&row) {
                changed.push(ChangedGroup { before: before.clone(), row, at });
            }
        }
        for (key, before) in &touched {
            if before.is_some() && !self.groups.contains_key(key) {
                removed.push(key.id());
            }
        }
        (changed, removed)
    }

    /// Forgets what has changed: whoever follows is told the whole answer.
    pub fn forget_diff(&mut self) {
        self.touched.clear();
    }

    fn show(&self, key: &GroupKey, group: &Group) -> Map<String, Json> {
        let id = ("id".to_owned(), Json::String(key.id()));
        let of_key = self.aggregation.groups.iter().zip(&*key.0);
        let values = of_key.map(|(term, value)| (term.column.name().to_owned(), value.to_json()));
        let of_tallies = self.aggregation.measures.iter().zip(&group.tallies);
        let measured = of_tallies.map(|(measure, tally)| (measure.name.clone(), tally.show(measure.kind)));
        std::iter::once(id).chain(values).chain(measured).collect()
    }
}

impl GroupKey {
    fn id(&self) -> String {
        Json::Array(self.0.iter().map(Value::to_json).collect()).to_string()
    }
}

impl Group {
    fn new(aggregation: &Aggregation) -> Self {
        Self { rows: 0, tallies: aggregation.measures.iter().map(Tally::new).collect() }
    }
}

impl Tally {
    fn new(Measure { kind, column, .. }: &Measure) -> Self {
        let is_float = column.as_ref().is_some_and(|column| column.ty() == crate::ColumnType::Float);
        match kind {
            MeasureKind::Count => Self::Count(0),
            MeasureKind::Sum | MeasureKind::Average if is_float => {
                Self::Floats { count: 0, sum: ExactSum::default() }
            }
            MeasureKind::Sum | MeasureKind::Average => Self::Ints { count: 0, sum: 0 },
            MeasureKind::Least | MeasureKind::Greatest => Self::Values(BTreeMap::new()),
        }
    }

    fn add(&mut self, value: &Value) {
        match (self, value) {
            (_, Value::Null) => {}
            (Self::Count(count), _) => *count += 1,
            (Self::Ints { count, sum }, Value::Int(int)) => {
                *count += 1;
                *sum += i128::from(*int);
            }
            (Self::Floats { count, sum }, Value::Float(float)) => {
                *count += 1;
                sum.add(*float);
            }
            (Self::Values(values), value) => {
                *values.entry(GroupKey([value.clone()].into())).or_default() += 1;
            }
            (Self::Ints { .. } | Self::Floats { .. }, _) => {}
        }
    }

    fn take_away(&mut self, value: &Value) {
        match (self, value) {
            (_, Value::Null) => {}
            (Self::Count(count), _) => *count -= 1,
            (Self::Ints { count, sum }, Value::Int(int)) => {
                *count -= 1;
                *sum -= i128::from(*int);
            }
            (Self::Floats { count, sum }, Value::Float(float)) => {
                *count -= 1;
                sum.take_away(*float);
            }
            (Self::Values(values), value) => {
                let key = GroupKey([value.clone()].into());
                let is_last = values.get_mut(&key).is_some_and(|count| {
                    *count -= 1;
                    *count == 0
                });
                if is_last {
                    values.remove(&key);
                }
            }
            (Self::Ints { .. } | Self::Floats { .. }, _) => {}
        }
    }

    fn show(&self, kind: MeasureKind) -> Json {
        #[expect(clippy::cast_precision_loss, reason = "an average is a double")]
        match self {
            Self::Count(count) => Json::from(*count),
            Self::Ints { count: 0, .. } | Self::Floats { count: 0, .. } => match kind {
                MeasureKind::Sum => Json::from(0),
                MeasureKind::Count | MeasureKind::Average | MeasureKind::Least | MeasureKind::Greatest => {
                    Json::Null
                }
            },
            Self::Ints { count, sum } if kind == MeasureKind::Average => float(*sum as f64 / *count as f64),
            Self::Ints { sum, .. } => match i64::try_from(*sum) {
                Ok(sum) => Value::Int(sum).to_json(),
                Err(_) => Json::String(sum.to_string()),
            },
            Self::Floats { count, sum } if kind == MeasureKind::Average => {
                float(sum.rounded() / *count as f64)
            }
            Self::Floats { sum, .. } => float(sum.rounded()),
            Self::Values(values) => {
                let found = match kind {
                    MeasureKind::Greatest => values.keys().next_back(),
                    MeasureKind::Least | MeasureKind::Count | MeasureKind::Sum | MeasureKind::Average => {
                        values.keys().next()
                    }
                };
                found.and_then(|key| key.0.first()).map_or(Json::Null, Value::to_json)
            }
        }
    }
}

/// A double as JSON; null when the sum is beyond all doubles.
fn float(float: f64) -> Json {
    Value::Float(float + 0.0).to_json()
}
