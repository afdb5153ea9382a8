//! Which units of a commit can be written, decided before anything is.
//!
//! Units are judged one after the other, each as if those that were accepted before it were written already.

use std::collections::{HashMap, HashSet};

use corella_manifest::{EntityName, Value};
use corella_rowdoc::{RowId, RowKey, Tenant};

use super::{
    references::References,
    tables::{Table, Tables},
};
use crate::port::{OutcomeKey, Reference, RowWrite, Seq, Unit};

/// Values in which no two rows of a tenant may agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    entity: EntityName,
    /// The place of the set of fields among the table's.
    set: usize,
    tenant: Tenant,
    values: Vec<u8>,
}

impl Claim {
    /// What `write` claims of one set; nothing when the row is deleted or has no value in one of the fields.
    pub(super) fn of(table: &Table, set: usize, write: &RowWrite) -> Option<Self> {
        if write.projection.deleted {
            return None;
        }
        let mut values = Vec::new();
        for position in &table.unique[set].positions {
            spell(write.projection.values.get(*position)?, &mut values)?;
        }
        Some(Self { entity: write.key.entity.clone(), set, tenant: write.key.tenant.clone(), values })
    }
}

/// Adds a value's bytes with their kind and length before them; says nothing for null.
fn spell(value: &Value, to: &mut Vec<u8>) -> Option<()> {
    let (kind, bytes) = match value {
        Value::Null => return None,
        Value::Text(text) => (1, text.as_bytes().to_vec()),
        Value::Time(time) => (2, time.as_microsecond().to_be_bytes().to_vec()),
        Value::Int(int) => (3, int.to_be_bytes().to_vec()),
        Value::Float(float) => (4, float.to_be_bytes().to_vec()),
        Value::Bool(bool) => (5, vec![u8::from(*bool)]),
        Value::Bytes(bytes) => (6, bytes.to_vec()),
        Value::Json(json) => (7, json.to_string().into_bytes()),
    };
    to.push(kind);
    to.extend(bytes.len().to_be_bytes());
    to.extend(bytes);
    Some(())
}

/// What stands in the database of that which the units touch, and what they have changed of it so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The last change of all.
    pub(super) last: Seq,
    /// The last change of each row that was ever written.
    pub(super) heads: HashMap<RowKey, Seq>,
    /// The idempotency keys that have been used.
    pub(super) used: HashSet<OutcomeKey>,
    /// Who names whom.
    pub(super) references: References,
    /// The rows that an accepted unit writes.
    written: HashSet<RowKey>,
    holders: HashMap<Claim, RowKey>,
    held: HashMap<(RowKey, usize), Claim>,
}

/// What is to become of a unit.
#[derive(Debug)]
pub(super) enum Verdict {
    Accepted(Vec<Seq>),
    Stale { key: RowKey, known: Seq },
    NotUnique { fields: Vec<String>, holder: RowId },
    Dangling(Reference),
    Held(Reference),
    KeyUsed,
}

/// A claim that changed hands, to be taken back when its unit is.
struct Moved {
    row: RowKey,
    set: usize,
    from: Option<Claim>,
    to: Option<Claim>,
}

impl Facts {
    /// Notes that a row holds a claim.
    pub(super) fn hold(&mut self, claim: Claim, row: RowKey) {
        self.held.insert((row.clone(), claim.set), claim.clone());
        self.holders.insert(claim, row);
    }

    /// Judges `units` in their order.
    pub(super) fn judge(&mut self, tables: &Tables, units: &[Unit]) -> Vec<Verdict> {
        units.iter().map(|unit| self.judge_one(tables, unit)).collect()
    }

    fn judge_one(&mut self, tables: &Tables, unit: &Unit) -> Verdict {
        let mut moved = Vec::new();
        if let Err(verdict) = self.check(tables, unit, &mut moved) {
            for Moved { row, set, from, to } in moved.into_iter().rev() {
                self.give(row, set, to, from);
            }
            return verdict;
        }
        let mut seqs = Vec::with_capacity(unit.writes.len());
        for write in &unit.writes {
            self.last = Seq(self.last.0 + 1);
            self.heads.insert(write.key.clone(), self.last);
            self.written.insert(write.key.clone());
            seqs.push(self.last);
        }
        self.used.extend(unit.outcomes.iter().map(|outcome| outcome.key.clone()));
        self.references.accept(tables, unit);
        Verdict::Accepted(seqs)
    }

    fn check(&mut self, tables: &Tables, unit: &Unit, moved: &mut Vec<Moved>) -> Result<(), Verdict> {
        for write in &unit.writes {
            let head = self.heads.get(&write.key).copied().unwrap_or(Seq::ZERO);
            // One statement writes a row once: whoever comes second in a batch tries again.
            if head != write.known_head || self.written.contains(&write.key) {
                return Err(Verdict::Stale { key: write.key.clone(), known: write.known_head });
            }
        }
        let tabled = || unit.writes.iter().filter_map(|write| Some((tables.find(&write.key.entity)?, write)));
        // All let go first: a value may pass from one row of the unit to another.
        for (table, write) in tabled() {
            self.release(table, write, moved);
        }
        for (table, write) in tabled() {
            self.claim(table, write, moved)?;
        }
        self.references.check(tables, unit)?;
        let mut own = HashSet::new();
        let used = |outcome: &crate::port::OutcomeWrite| {
            self.used.contains(&outcome.key) || !own.insert(outcome.key.clone())
        };
        if unit.outcomes.iter().any(used) { Err(Verdict::KeyUsed) } else { Ok(()) }
    }

    /// Takes from the row what it holds.
    fn release(&mut self, table: &Table, write: &RowWrite, moved: &mut Vec<Moved>) {
        for set in 0..table.unique.len() {
            let Some(from) = self.held.get(&(write.key.clone(), set)).cloned() else { continue };
            self.give(write.key.clone(), set, Some(from.clone()), None);
            moved.push(Moved { row: write.key.clone(), set, from: Some(from), to: None });
        }
    }

    /// Gives the row what it claims.
    fn claim(&mut self, table: &Table, write: &RowWrite, moved: &mut Vec<Moved>) -> Result<(), Verdict> {
        for (set, unique) in table.unique.iter().enumerate() {
            let Some(to) = Claim::of(table, set, write) else { continue };
            if let Some(holder) = self.holders.get(&to) {
                let fields = unique.fields.iter().map(ToString::to_string).collect();
                return Err(Verdict::NotUnique { fields, holder: holder.id.clone() });
            }
            self.give(write.key.clone(), set, None, Some(to.clone()));
            moved.push(Moved { row: write.key.clone(), set, from: None, to: Some(to) });
        }
        Ok(())
    }

    fn give(&mut self, row: RowKey, set: usize, from: Option<Claim>, to: Option<Claim>) {
        if let Some(from) = from {
            self.holders.remove(&from);
            self.held.remove(&(row.clone(), set));
        }
        if let Some(to) = to {
            self.hold(to, row);
        }
    }
}
