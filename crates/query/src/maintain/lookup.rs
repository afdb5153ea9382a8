//! By which of its values a row is found to concern a query.

use std::sync::Arc;

use corella_manifest::Value;

use crate::{Column, Comparison, Filter, Related, Term, Test};

/// Most alternatives that one condition is looked up by; beyond them it is asked of every row.
const MOST_PROBES: usize = 64;
/// The same where rows of other entities say by which values.
const MOST_KEYS: usize = 256;

/// The values that rows must have to which others belong; nothing when that is not known of all.
pub type Known<'k> = dyn Fn(&Arc<Related>) -> Option<Vec<Vec<Value>>> + 'k;

/// How the rows that meet a condition are recognised.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// Every row that meets it has the values of one of these.
    By(Vec<Probe>),
    /// It has to be asked of every row.
    Scan,
}

/// Values that a row must have: all of these, and one within this interval.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probe {
    /// Columns and their values, [`Value::Null`] for none, in the order of the columns.
    pub equal: Vec<(Column, Value)>,
    /// A column and the interval of its value.
    pub within: Option<(Column, Interval)>,
}

/// An interval of values; an end that is missing is open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interval {
    /// Where it starts.
    pub low: Option<Bound>,
    /// Where it ends.
    pub high: Option<Bound>,
}

/// An end of an interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The value.
    pub value: Value,
    /// Whether the value itself is within.
    pub inclusive: bool,
}

impl Lookup {
    /// How rows that meet `filter` are recognised.
    #[must_use]
    pub fn of(filter: &Filter) -> Self {
        Self::with(filter, &|_| None)
    }

    /// The same where `known` tells which values a row must have that others belong to.
    pub fn with(filter: &Filter, known: &Known<'_>) -> Self {
        match probes(filter, known) {
            Some(probes) => Self::By(probes),
            None => Self::Scan,
        }
    }
}

impl Probe {
    fn is_empty(&self) -> bool {
        self.equal.is_empty() && self.within.is_none()
    }

    /// The probe that asks for this and the other; nothing when no row can have both.
    fn and(mut self, other: Self) -> Option<Self> {
        for (column, value) in other.equal {
            match self.equal.binary_search_by_key(&column.position(), |(column, _)| column.position()) {
                Ok(at) if same(&self.equal[at].1, &value) => {}
                Ok(_) => return None,
                Err(at) => self.equal.insert(at, (column, value)),
            }
        }
        self.within = match (self.within, other.within) {
            (Some((column, one)), Some((second, two))) if column == second => Some((column, one.and(two))),
            // The first bounded column is looked up by; the rest is asked of what is found.
            (Some(first), _) => Some(first),
            (None, second) => second,
        };
        Some(self)
    }
}

impl Interval {
    fn of(comparison: Comparison, value: &Value) -> Self {
        let bound = |inclusive| Some(Bound { value: value.clone(), inclusive });
        match comparison {
            Comparison::Less => Self { low: None, high: bound(false) },
            Comparison::LessOrEqual => Self { low: None, high: bound(true) },
            Comparison::Greater => Self { low: bound(false), high: None },
            Comparison::GreaterOrEqual => Self { low: bound(true), high: None },
        }
    }

    /// The part that both have, or more: a second bound on one side is left to the condition itself.
    fn and(self, other: Self) -> Self {
        Self { low: self.low.or(other.low), high: self.high.or(other.high) }
    }
}

/// Whether two values find the same rows.
fn same(one: &Value, other: &Value) -> bool {
    (one.is_null() && other.is_null())
        || crate::compare::compare(one, other).is_some_and(std::cmp::Ordering::is_eq)
}

/// The alternatives by which rows that meet `filter` are found; nothing when one of them would be every row, or they
/// are too many.
fn probes(filter: &Filter, known: &Known<'_>) -> Option<Vec<Probe>> {
    let found = match filter {
        Filter::Term(term) => of_term(term)?,
        Filter::Not(_) => return None,
        Filter::Related(related) => of_related(related, known)?,
        Filter::Any(filters) => {
            let mut all = Vec::new();
            for filter in filters {
                all.extend(probes(filter, known)?);
                if all.len() > MOST_KEYS {
                    return None;
                }
            }
            all
        }
        Filter::All(filters) => {
            // Terms first: they narrow down most, and alternatives multiply.
            let (terms, rest): (Vec<_>, Vec<_>) =
                filters.iter().partition(|filter| matches!(filter, Filter::Term(_)));
            let mut all = vec![Probe::default()];
            for alternatives in terms.into_iter().chain(rest).filter_map(|filter| probes(filter, known)) {
                let is_first = all.first().is_some_and(Probe::is_empty);
                if all.len() * alternatives.len() > MOST_PROBES && !is_first {
                    continue;
                }
                let joined = all
                    .iter()
                    .flat_map(|one| alternatives.iter().filter_map(|other| one.clone().and(other.clone())));
                all = joined.collect();
            }
            all
        }
    };
    (!found.iter().any(Probe::is_empty)).then_some(found)
}

/// One alternative for each of the values that others lead from.
fn of_related(related: &Arc<Related>, known: &Known<'_>) -> Option<Vec<Probe>> {
    let keys = known(related)?;
    let fits = keys.len() <= MOST_KEYS && !related.ties.is_empty();
    let probe = |key: Vec<Value>| {
        let values = related.ties.iter().map(|tie| tie.own.clone()).zip(key);
        let single = |value| Probe { equal: vec![value], within: None };
        values.map(single).try_fold(Probe::default(), Probe::and)
    };
    fits.then(|| keys.into_iter().filter_map(probe).collect())
}

fn of_term(Term { column, test }: &Term) -> Option<Vec<Probe>> {
    let equal = |value: &Value| Probe { equal: vec![(column.clone(), value.clone())], within: None };
    match test {
        Test::Equal(value) => Some(vec![equal(value)]),
        Test::IsNull => Some(vec![equal(&Value::Null)]),
        Test::OneOf(values) => (values.len() <= MOST_PROBES).then(|| values.iter().map(equal).collect()),
        Test::Compare(comparison, value) => {
            let within = Some((column.clone(), Interval::of(*comparison, value)));
            Some(vec![Probe { equal: Vec::new(), within }])
        }
        Test::Like(_) | Test::Contains(_) | Test::Has(_) => None,
    }
}
