//! Which of many intervals a value lies in.
//!
//! Intervals are kept in runs of doubling length, each sorted and never changed: a new one is merged with the runs that
//! are not longer. A value is looked for in each run as in a tree whose nodes know how far their intervals reach.

use std::{cmp::Ordering, collections::HashSet};

use corella_manifest::Value;

use super::{
    QueryId,
    lookup::{Bound, Interval},
};
use crate::compare::compare;

/// Intervals of one column's values, each of a query.
#[derive(Debug, Default)]
pub(super) enum Intervals {
    #[default]
    None,
    /// Where the values of other columns tell queries apart, there is but one.
    One(Box<Entry>),
    More(Box<Runs>),
}

/// Several intervals.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    /// Taken out, but still in a run.
    gone: HashSet<QueryId>,
    count: usize,
}

#[derive(Debug, Default)]
struct Run {
    entries: Vec<Entry>,
    /// For the part of the run whose middle is this entry: the entry of it that reaches furthest.
    furthest: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    interval: Interval,
    query: QueryId,
}

impl Intervals {
    pub(super) fn insert(&mut self, interval: Interval, query: QueryId) {
        let entry = Entry { interval, query };
        *self = match std::mem::take(self) {
            Self::None => Self::One(Box::new(entry)),
            Self::One(first) => {
                let mut runs = Runs::default();
                runs.insert(*first);
                runs.insert(entry);
                Self::More(Box::new(runs))
            }
            Self::More(mut runs) => {
                runs.insert(entry);
                Self::More(runs)
            }
        };
    }

    /// Takes out all intervals of a query; it must not be put in again.
    pub(super) fn remove(&mut self, query: QueryId, intervals: usize) {
        match self {
            Self::None => {}
            Self::One(only) if only.query == query => *self = Self::None,
            Self::One(_) => {}
            Self::More(runs) => {
                runs.remove(query, intervals);
                if runs.count == 0 {
                    *self = Self::None;
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The queries in one of whose intervals `value` lies.
    pub(super) fn find(&self, value: &Value, found: &mut Vec<QueryId>) {
        if value.is_null() {
            return;
        }
        match self {
            Self::None => {}
            Self::One(only) => {
                let Interval { low, high } = &only.interval;
                if begins(low.as_ref(), value) && reaches(high.as_ref(), value) {
                    found.push(only.query);
                }
            }
            Self::More(runs) => runs.find(value, found),
        }
    }
}

impl Runs {
    fn insert(&mut self, entry: Entry) {
        self.count += 1;
        let mut entries = vec![entry];
        while self.runs.last().is_some_and(|run| run.entries.len() <= entries.len()) {
            entries.extend(self.runs.pop().unwrap_or_default().entries);
        }
        self.runs.push(Run::new(entries));
    }

    fn remove(&mut self, query: QueryId, intervals: usize) {
        self.gone.insert(query);
        self.count -= intervals;
        let kept: usize = self.runs.iter().map(|run| run.entries.len()).sum();
        if kept >= 2 * self.count {
            let gone = std::mem::take(&mut self.gone);
            let runs = std::mem::take(&mut self.runs);
            let entries: Vec<Entry> = runs
                .into_iter()
                .flat_map(|run| run.entries)
                .filter(|entry| !gone.contains(&entry.query))
                .collect();
            if !entries.is_empty() {
                self.runs.push(Run::new(entries));
            }
        }
    }

    fn find(&self, value: &Value, found: &mut Vec<QueryId>) {
        for run in &self.runs {
            run.find(value, 0, run.entries.len(), &mut |query| {
                if self.gone.is_empty() || !self.gone.contains(&query) {
                    found.push(query);
                }
            });
        }
    }
}

impl Run {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|one, other| starts(one.interval.low.as_ref(), other.interval.low.as_ref()));
        let mut run = Self { furthest: vec![0; entries.len()], entries };
        run.measure(0, run.entries.len());
        run
    }

    /// Works out how far each part reaches, and names the entry that reaches furthest from `from` to `end`.
    fn measure(&mut self, from: usize, end: usize) -> Option<usize> {
        if from >= end {
            return None;
        }
        let middle = usize::midpoint(from, end);
        let parts = [Some(middle), self.measure(from, middle), self.measure(middle + 1, end)];
        let high = |at: &usize| self.entries[*at].interval.high.as_ref();
        let furthest =
            parts.into_iter().flatten().max_by(|one, other| ends(high(one), high(other))).unwrap_or(middle);
        self.furthest[middle] = u32::try_from(furthest).unwrap_or(u32::MAX);
        Some(furthest)
    }

    fn find(&self, value: &Value, from: usize, end: usize, found: &mut impl FnMut(QueryId)) {
        if from >= end {
            return;
        }
        let middle = usize::midpoint(from, end);
        let furthest = &self.entries[self.furthest[middle] as usize];
        if !reaches(furthest.interval.high.as_ref(), value) {
            return;
        }
        self.find(value, from, middle, found);
        let entry = &self.entries[middle];
        if begins(entry.interval.low.as_ref(), value) {
            if reaches(entry.interval.high.as_ref(), value) {
                found(entry.query);
            }
            self.find(value, middle + 1, end, found);
        }
    }
}

/// Whether an interval with this low end begins at or before `value`.
fn begins(low: Option<&Bound>, value: &Value) -> bool {
    low.is_none_or(|low| match compare(&low.value, value) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => low.inclusive,
        Some(Ordering::Greater) | None => false,
    })
}

/// Whether an interval with this high end reaches `value`.
fn reaches(high: Option<&Bound>, value: &Value) -> bool {
    high.is_none_or(|high| match compare(&high.value, value) {
        Some(Ordering::Greater) => true,
        Some(Ordering::Equal) => high.inclusive,
        Some(Ordering::Less) | None => false,
    })
}

fn starts(one: Option<&Bound>, other: Option<&Bound>) -> Ordering {
    match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(one), Some(other)) => compare(&one.value, &other.value)
            .unwrap_or(Ordering::Equal)
            .then(other.inclusive.cmp(&one.inclusive)),
    }
}

fn ends(one: Option<&Bound>, other: Option<&Bound>) -> Ordering {
    match (one, other) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(one), Some(other)) => compare(&one.value, &other.value)
            .unwrap_or(Ordering::Equal)
            .then(one.inclusive.cmp(&other.inclusive)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn bound() -> impl Strategy<Value = Option<Bound>> {
        option::of(
            (0_i64..12, any::<bool>())
                .prop_map(|(int, inclusive)| Bound { value: Value::Int(int), inclusive }),
        )
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_asking_each_finds(
            intervals in vec((bound(), bound()), 0..60), gone in vec(any::<prop::sample::Index>(), 0..40)
        ) {
            let mut index = Intervals::default();
            let mut left = Vec::new();
            for (at, (low, high)) in (0..).zip(&intervals) {
                let interval = Interval { low: low.clone(), high: high.clone() };
                index.insert(interval.clone(), QueryId(at));
                left.push((interval, QueryId(at)));
            }
            for gone in gone {
                if !left.is_empty() {
                    let (_, query) = left.swap_remove(gone.index(left.len()));
                    index.remove(query, 1);
                }
            }
            for value in (-1..13).map(Value::Int) {
                let mut found = Vec::new();
                index.find(&value, &mut found);
                found.sort_unstable();
                let mut expected: Vec<QueryId> = left.iter()
                    .filter(|(interval, _)| begins(interval.low.as_ref(), &value) && reaches(interval.high.as_ref(), &value))
                    .map(|(_, query)| *query)
                    .collect();
                expected.sort_unstable();
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(index.is_empty(), left.is_empty());
        }
    }
}
