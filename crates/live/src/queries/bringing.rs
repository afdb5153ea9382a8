//! What rows bring along: taking changes in, and reading what they put in doubt.

use corella_manifest::{EntityName, Value};
use corella_query::maintain::QueryId;
use corella_rowdoc::Tenant;
use corella_store::ReadError;

use super::{
    answer::Answer,
    counters::Count,
    query::RowChange,
    registry::Registry,
    settling::MOST_KEYS,
    steps::{Before, Doubt},
};

impl Registry {
    /// Has those queries take a row in whose rows bring it along, or did; where the database has to be asked, they are put in
    /// doubt.
    pub(super) fn touch_parts(&mut self, place: &(Tenant, EntityName), change: &RowChange, before: &Before) {
        let Some(entity) = self.entities.get(place) else { return };
        let mut found: Vec<QueryId> = Vec::new();
        match before {
            Before::Known(before) => {
                for row in before.iter().chain(&change.row) {
                    entity.parts.find(row, &mut found);
                }
                // Of what is being read it is not known yet which values bring rows.
                found.extend(&entity.reading_parts);
                found.sort_unstable();
                found.dedup();
            }
            Before::Unknown => found.extend(&entity.all_parts),
        }
        self.counters.add(Count::Candidates, found.len());
        for part in found {
            let Some((id, node)) = self.part_owners.get(&part).copied() else { continue };
            let Some(query) = self.queries.get_mut(&id) else { continue };
            let Some(part) = query.parts.get(node) else { continue };
            let mut keys = part.touched(change, before);
            if let Some(noted) = &mut query.reading {
                noted.doubt.add_lists(node, &keys);
                if matches!(before, Before::Unknown) {
                    noted.doubt.parts.insert(node);
                }
            }
            keys.retain(|key| part.knows(key));
            if query.answer.is_none() || keys.is_empty() {
                continue;
            }
            if matches!(before, Before::Known(_)) {
                let later = change.row.as_ref().map_or(change.seq, |row| row.seq().max(change.seq));
                query.settled_from = query.settled_from.max(later);
                keys = query.parts.take_in(node, change, keys);
                self.dirty.insert(id);
            }
            if !keys.is_empty() {
                query.open_doubt().add_lists(node, &keys);
                self.doubted.insert(id);
            }
        }
    }

    /// Reads what rows bring with them, as far as that is in doubt.
    pub(super) async fn read_parts(&mut self, id: QueryId, doubt: &mut Doubt) -> Result<(), ReadError> {
        let Some(query) = self.queries.get_mut(&id) else { return Ok(()) };
        // What came into doubt meanwhile, such as what new rows bring.
        let new = query.doubt.as_mut().map(|doubt| std::mem::take(&mut doubt.lists)).unwrap_or_default();
        for node in std::mem::take(&mut doubt.parts) {
            let Some(part) = query.parts.get(node) else { continue };
            let keys: Vec<Value> = part.keys().cloned().collect();
            doubt.add_lists(node, &keys);
        }
        for (node, keys) in new {
            doubt.lists.entry(node).or_default().extend(keys);
        }
        let mut lists: Vec<(usize, Vec<Value>)> = std::mem::take(&mut doubt.lists)
            .into_iter()
            .map(|(node, keys)| (node, keys.into_values().collect::<Vec<Value>>()))
            .filter(|(_, keys)| !keys.is_empty())
            .collect();
        lists.sort_by_key(|(node, _)| *node);
        for (node, keys) in lists {
            for keys in keys.chunks(MOST_KEYS) {
                let Some(query) = self.queries.get(&id) else { return Ok(()) };
                let Some(part) = query.parts.get(node) else { continue };
                self.counters.add(Count::Loads, 1);
                let (rows, seq) = self.store.parts(&query.tenant, &part.include, keys).await?;
                let Some(query) = self.queries.get_mut(&id) else { return Ok(()) };
                query.settled_from = query.settled_from.max(seq);
                let new = query.parts.learn(node, keys, rows, seq);
                self.enter_parts(id, &new);
            }
        }
        Ok(())
    }

    /// Has the indexes find the rows that belong to these values of a query's parts.
    pub(super) fn enter_parts(&mut self, id: QueryId, keys: &[(usize, Value)]) {
        let Some(query) = self.queries.get(&id) else { return };
        for (node, key) in keys {
            let Some(part) = query.parts.get(*node) else { continue };
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            if let Some(entity) = self.entities.get_mut(&place) {
                entity.parts.insert(part.id, &part.lookup(key));
            }
        }
    }

    /// Forgets what was told of a query's parts, and rows that nobody brings any more.
    pub(super) fn tidy_parts(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let Some(Answer::Rows(window)) = &query.answer else { return };
        let gone = query.parts.tidy(window.held().iter());
        for (node, key) in gone {
            let Some(part) = query.parts.get(node) else { continue };
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            if let Some(entity) = self.entities.get_mut(&place) {
                entity.parts.remove(part.id, &part.lookup(&key));
            }
        }
    }
}
