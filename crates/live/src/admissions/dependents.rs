//! Who depends on which rows of other entities, found by the values that those rows have.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt::Write as _,
    sync::Arc,
};

use corella_manifest::{EntityName, Value};
use corella_query::{Filter, Term, Test};
use corella_rowdoc::{Projection, RowKey, Tenant};
use corella_store::{RowEvent, SourceId};

use super::Pass;
use crate::outbox::Outbox;

/// Where in a row the values stand on which somebody depends; the id is 0, the first declared field 1.
type Columns = Vec<usize>;
/// The values there, as text.
type Values = String;

/// A connection that depends on rows.
struct Dependent {
    outbox: Arc<Outbox>,
    pass: Arc<Pass>,
}

impl Dependent {
    fn doubt(&self) {
        self.outbox.push_doubt(Arc::clone(&self.pass));
    }
}

/// Who depends on rows of one entity.
#[derive(Default)]
struct OfEntity {
    by_columns: HashMap<Columns, HashMap<Values, Vec<Dependent>>>,
    /// Those whose condition is no list of values.
    others: Vec<Dependent>,
}

/// Where one dependence stands: among those by a list of values, or among the others.
type Place = (EntityName, Option<(Columns, Values)>);

/// Who depends on which rows of other entities.
#[derive(Default)]
pub(super) struct Dependents {
    entities: HashMap<(Tenant, EntityName), OfEntity>,
    /// Where each connection's dependences stand, so that they can be taken out again.
    places: HashMap<(SourceId, Pass), Vec<Place>>,
}

impl Dependents {
    pub(super) fn add(
        &mut self,
        tenant: &Tenant,
        memberships: Vec<(EntityName, Filter)>,
        outbox: &Arc<Outbox>,
        pass: &Arc<Pass>,
    ) {
        let mut places = Vec::with_capacity(memberships.len());
        for (entity, filter) in memberships {
            let dependent = Dependent { outbox: Arc::clone(outbox), pass: Arc::clone(pass) };
            let of_entity = self.entities.entry((tenant.clone(), entity.clone())).or_default();
            let place = wanted(&filter);
            match &place {
                Some((columns, values)) => {
                    let by_values = of_entity.by_columns.entry(columns.clone()).or_default();
                    by_values.entry(values.clone()).or_default().push(dependent);
                }
                None => of_entity.others.push(dependent),
            }
            places.push((entity, place));
        }
        self.places.insert((outbox.source(), Pass::clone(pass)), places);
    }

    pub(super) fn remove(&mut self, source: SourceId, pass: &Pass) {
        let Some(places) = self.places.remove(&(source, pass.clone())) else { return };
        let stays = |dependent: &Dependent| dependent.outbox.source() != source || *dependent.pass != *pass;
        for (entity, place) in places {
            let Entry::Occupied(mut entry) = self.entities.entry((pass.key.tenant.clone(), entity)) else {
                continue;
            };
            let of_entity = entry.get_mut();
            match place {
                None => of_entity.others.retain(stays),
                Some((columns, values)) => {
                    let Some(by_values) = of_entity.by_columns.get_mut(&columns) else { continue };
                    if let Some(dependents) = by_values.get_mut(&values) {
                        dependents.retain(stays);
                        if dependents.is_empty() {
                            by_values.remove(&values);
                        }
                    }
                    if by_values.is_empty() {
                        of_entity.by_columns.remove(&columns);
                    }
                }
            }
            if of_entity.by_columns.is_empty() && of_entity.others.is_empty() {
                entry.remove();
            }
        }
    }

    /// Puts those in doubt who depend on what the row was, or on what it is.
    pub(super) fn changed(&self, event: &RowEvent) {
        if self.entities.is_empty() {
            return;
        }
        let RowKey { tenant, entity, .. } = &event.key;
        let Some(of_entity) = self.entities.get(&(tenant.clone(), entity.clone())) else { return };
        let id = Value::Text(event.key.id.as_str().into());
        let there = |row: &Projection, columns: &Columns| (!row.deleted).then(|| values(&id, row, columns));
        for (columns, by_values) in &of_entity.by_columns {
            let before = event.before.as_ref().and_then(|row| there(row, columns));
            let after = there(&event.after, columns);
            if before == after {
                continue;
            }
            for values in [before, after].into_iter().flatten() {
                by_values.get(&values).into_iter().flatten().for_each(Dependent::doubt);
            }
        }
        of_entity.others.iter().for_each(Dependent::doubt);
    }

    /// Puts everybody in doubt who depends on rows of this entity.
    pub(super) fn changed_somehow(&self, tenant: &Tenant, entity: &EntityName) {
        if self.entities.is_empty() {
            return;
        }
        let Some(of_entity) = self.entities.get(&(tenant.clone(), entity.clone())) else { return };
        let listed = of_entity.by_columns.values().flat_map(HashMap::values).flatten();
        listed.chain(&of_entity.others).for_each(Dependent::doubt);
    }
}

/// The columns and the values that a condition asks for, when it is a list of values.
fn wanted(filter: &Filter) -> Option<(Columns, Values)> {
    let terms = match filter {
        Filter::All(filters) => filters.as_slice(),
        Filter::Term(_) => std::slice::from_ref(filter),
        Filter::Any(_) | Filter::Not(_) | Filter::Related(_) => return None,
    };
    let mut parts = Vec::with_capacity(terms.len());
    for term in terms {
        let Filter::Term(Term { column, test }) = term else { return None };
        let value = match test {
            Test::Equal(value) => value,
            Test::IsNull => &Value::Null,
            Test::Compare(..) | Test::OneOf(_) | Test::Like(_) | Test::Contains(_) | Test::Has(_) => {
                return None;
            }
        };
        parts.push((column.position(), value));
    }
    parts.sort_by_key(|(position, _)| *position);
    let columns = parts.iter().map(|(position, _)| *position).collect();
    Some((columns, text(parts.into_iter().map(|(_, value)| value))))
}

/// The values that a row has in these columns.
fn values(id: &Value, row: &Projection, columns: &Columns) -> Values {
    text(columns.iter().map(|position| match position.checked_sub(1) {
        None => id,
        Some(place) => row.values.get(place).unwrap_or(&Value::Null),
    }))
}

/// Values as text: the same for the same values, and for no others.
fn text<'v>(values: impl Iterator<Item = &'v Value>) -> Values {
    values.fold(String::new(), |mut text, value| {
        write!(text, "{value:?},").expect("a text takes everything");
        text
    })
}
