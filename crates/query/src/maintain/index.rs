//! Which queries a row concerns.
//!
//! Queries that look at the same columns share a template; within it, the values that a row has in these columns lead
//! to the queries that ask for them. So the work at a change is one look-up per template and what is found, however
//! many queries there are.

use std::collections::HashMap;

use corella_manifest::Value;

use super::{
    intervals::Intervals,
    lookup::{Lookup, Probe},
};
use crate::{Column, RowView};

/// A query, by the number that its owner has given it. A number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// The queries of one entity, by the values of the rows that they ask for.
#[derive(Debug, Default)]
pub struct MatchIndex {
    templates: Vec<Template>,
    /// Queries that have to be asked about every row.
    scanned: Vec<QueryId>,
}

/// How large an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IndexSize {
    /// Templates that have a query.
    pub templates: usize,
    /// Queries that have to be asked about every row.
    pub scanned: usize,
}

/// Queries that look at the same columns.
#[derive(Debug)]
struct Template {
    equal: Vec<Column>,
    within: Option<Column>,
    buckets: HashMap<Box<[u8]>, Bucket>,
}

/// The queries of a template that ask for the same values; one, for most.
#[derive(Debug, Default)]
struct Bucket {
    queries: Few,
    bounded: Intervals,
}

/// Queries, of which there is seldom more than one.
#[derive(Debug, Default)]
enum Few {
    #[default]
    None,
    One(QueryId),
    More(Vec<QueryId>),
}

impl Few {
    fn push(&mut self, query: QueryId) {
        match self {
            Self::None => *self = Self::One(query),
            Self::One(first) => *self = Self::More(vec![*first, query]),
            Self::More(queries) => queries.push(query),
        }
    }

    fn remove(&mut self, query: QueryId) {
        match self {
            Self::None => {}
            Self::One(only) if *only == query => *self = Self::None,
            Self::One(_) => {}
            Self::More(queries) => {
                queries.retain(|other| *other != query);
                if queries.is_empty() {
                    *self = Self::None;
                }
            }
        }
    }

    fn as_slice(&self) -> &[QueryId] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::More(queries) => queries,
        }
    }
}

impl MatchIndex {
    /// Puts a query in; its `lookup` comes from its condition.
    pub fn insert(&mut self, query: QueryId, lookup: &Lookup) {
        let probes = match lookup {
            Lookup::Scan => return self.scanned.push(query),
            Lookup::By(probes) => probes,
        };
        for probe in probes {
            let template = self.template(probe);
            let bucket = template.buckets.entry(key_of(probe)).or_default();
            match &probe.within {
                Some((_, interval)) => bucket.bounded.insert(interval.clone(), query),
                None => bucket.queries.push(query),
            }
        }
    }

    /// Takes a query out that was put in with this `lookup`.
    pub fn remove(&mut self, query: QueryId, lookup: &Lookup) {
        let probes = match lookup {
            Lookup::Scan => return self.scanned.retain(|other| *other != query),
            Lookup::By(probes) => probes,
        };
        let mut places: HashMap<(usize, Box<[u8]>), usize> = HashMap::new();
        for probe in probes {
            let Some(at) = self.position(probe) else { continue };
            *places.entry((at, key_of(probe))).or_default() += usize::from(probe.within.is_some());
        }
        for ((at, key), intervals) in places {
            let template = &mut self.templates[at];
            if let Some(bucket) = template.buckets.get_mut(&key) {
                bucket.queries.remove(query);
                if intervals > 0 {
                    bucket.bounded.remove(query, intervals);
                }
                if bucket.queries.as_slice().is_empty() && bucket.bounded.is_empty() {
                    template.buckets.remove(&key);
                }
            }
        }
        self.templates.retain(|template| !template.buckets.is_empty());
    }

    /// The queries that this row may concern: all that it does, and few others; each once.
    pub fn find<R: RowView + ?Sized>(&self, row: &R, found: &mut Vec<QueryId>) {
        let before = found.len();
        let mut key = Vec::with_capacity(64);
        for template in &self.templates {
            key.clear();
            for column in &template.equal {
                encode(row.value(column), &mut key);
            }
            let Some(bucket) = template.buckets.get(key.as_slice()) else { continue };
            found.extend(bucket.queries.as_slice());
            if let Some(column) = &template.within {
                bucket.bounded.find(row.value(column), found);
            }
        }
        found.extend(&self.scanned);
        if found.len() > before + 1 {
            found[before..].sort_unstable();
            found.dedup();
        }
    }

    /// How large it is.
    #[must_use]
    pub fn size(&self) -> IndexSize {
        IndexSize { templates: self.templates.len(), scanned: self.scanned.len() }
    }

    /// Whether no query is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.templates.is_empty() && self.scanned.is_empty()
    }

    fn position(&self, probe: &Probe) -> Option<usize> {
        let within = probe.within.as_ref().map(|(column, _)| column);
        self.templates.iter().position(|template| {
            template.within.as_ref() == within
                && template.equal.len() == probe.equal.len()
                && template.equal.iter().zip(&probe.equal).all(|(column, (other, _))| column == other)
        })
    }

    fn template(&mut self, probe: &Probe) -> &mut Template {
        let at = self.position(probe).unwrap_or_else(|| {
            self.templates.push(Template {
                equal: probe.equal.iter().map(|(column, _)| column.clone()).collect(),
                within: probe.within.as_ref().map(|(column, _)| column.clone()),
                buckets: HashMap::new(),
            });
            self.templates.len() - 1
        });
        &mut self.templates[at]
    }
}

/// Bytes that are the same for two lists of values of the same columns exactly when these are equal.
#[must_use]
pub fn key_bytes(values: &[Value]) -> Box<[u8]> {
    let mut key = Vec::new();
    for value in values {
        encode(value, &mut key);
    }
    key.into()
}

fn key_of(probe: &Probe) -> Box<[u8]> {
    let mut key = Vec::new();
    for (_, value) in &probe.equal {
        encode(value, &mut key);
    }
    key.into()
}

/// Appends bytes that are the same for two values of a column exactly when these are equal.
fn encode(value: &Value, key: &mut Vec<u8>) {
    let mut bytes = |tag: u8, bytes: &[u8]| {
        key.push(tag);
        match u8::try_from(bytes.len()) {
            Ok(length) if length < u8::MAX => key.push(length),
            _ => {
                key.push(u8::MAX);
                key.extend(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            }
        }
        key.extend(bytes);
    };
    match value {
        Value::Null => key.push(0),
        Value::Text(text) => bytes(1, text.as_bytes()),
        Value::Bytes(raw) => bytes(2, raw),
        Value::Time(time) => {
            key.push(3);
            key.extend(time.as_nanosecond().to_le_bytes());
        }
        Value::Int(int) => {
            key.push(4);
            key.extend(int.to_le_bytes());
        }
        // Adding zero takes the sign from a negative zero, which equals zero.
        Value::Float(float) => {
            key.push(5);
            key.extend((float + 0.0).to_bits().to_le_bytes());
        }
        Value::Bool(bool) => key.extend([6, u8::from(*bool)]),
        // A json column is only asked whether it has a value.
        Value::Json(_) => key.push(7),
    }
}
