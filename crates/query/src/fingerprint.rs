//! A short number by which a cursor knows its query again, the same in every build.

use corella_manifest::{EntityName, Value};

use crate::{Case, Column, Comparison, Direction, Filter, OrderTerm, Search, Test};

/// The fingerprint of a query: the same for the same entity, order, words and filter, in whatever sequence
/// the filter's parts were written.
pub(crate) fn of_query(
    entity: &EntityName,
    filter: &Filter,
    search: Option<&Search>,
    order: &[OrderTerm],
) -> u64 {
    let mut hash = Fnv::default();
    hash.text(entity.as_str());
    hash.number(of_filter(filter));
    for term in order {
        hash.text(term.column.name());
        hash.text(match term.direction {
            Direction::Ascending => "asc",
            Direction::Descending => "desc",
        });
    }
    // Nothing is added where no words are looked for, so that cursors hold that were given before any could be.
    if let Some(search) = search {
        hash.text("$match");
        hash.text(&search.spelled());
    }
    hash.0
}

/// A short number for a sequence of names.
pub(crate) fn of_names(names: &[&str]) -> u32 {
    let mut hash = Fnv::default();
    for name in names {
        hash.text(name);
    }
    u32::try_from(hash.0 >> 32).unwrap_or_default()
}

fn of_filter(filter: &Filter) -> u64 {
    let mut hash = Fnv::default();
    match filter {
        Filter::All(filters) => hash.set("all", filters),
        Filter::Any(filters) => hash.set("any", filters),
        Filter::Not(inner) => {
            hash.text("not");
            hash.number(of_filter(inner));
        }
        Filter::Term(term) => hash.term(&term.column, &term.test),
        Filter::Related(related) => {
            hash.text("related");
            hash.text(related.entity.as_str());
            for tie in &related.ties {
                hash.text(tie.own.name());
                hash.text(tie.theirs.name());
            }
            hash.number(of_filter(&related.filter));
        }
    }
    hash.0
}

/// FNV-1a of 64 bits. The standard library's hashers may change between releases, and a cursor outlives one.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    /// A text and its length, so that two texts in a row cannot be cut another way.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn set(&mut self, name: &str, filters: &[Filter]) {
        self.text(name);
        let mut members: Vec<u64> = filters.iter().map(of_filter).collect();
        members.sort_unstable();
        for member in members {
            self.number(member);
        }
    }

    fn term(&mut self, column: &Column, test: &Test) {
        self.text(column.name());
        match test {
            Test::Equal(value) => self.literals("$eq", std::slice::from_ref(value)),
            Test::Compare(comparison, value) => {
                let name = match comparison {
                    Comparison::Less => "$lt",
                    Comparison::LessOrEqual => "$lte",
                    Comparison::Greater => "$gt",
                    Comparison::GreaterOrEqual => "$gte",
                };
                self.literals(name, std::slice::from_ref(value));
            }
            Test::OneOf(values) => self.literals("$in", values),
            Test::IsNull => self.text("null"),
            Test::Like(pattern) => {
                self.text(match pattern.case() {
                    Case::Sensitive => "$like",
                    Case::AsciiInsensitive => "$ilike",
                });
                self.text(&pattern.to_like());
            }
            Test::Contains(part) => {
                self.text("$contains");
                self.text(part);
            }
            Test::Has(item) => {
                self.text("has");
                self.text(&item.to_json().to_string());
            }
        }
    }

    fn literals(&mut self, name: &str, values: &[Value]) {
        self.text(name);
        for value in values {
            self.text(&value.to_json().to_string());
        }
    }
}
