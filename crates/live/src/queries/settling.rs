//! Looking up what changes of rows of other entities leave open.
//!
//! A change of a row of which a query asks through a relation says for which values there may be a row now, or none any
//! more. Whether that is so is looked up by these values; where it has changed, the rows that have them are looked at
//! again, and no others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use corella_manifest::{EntityName, Value};
use corella_query::{
    Column, Filter, Related, Test, Truth,
    maintain::{Held, Lookup, QueryId, key_bytes},
};
use corella_rowdoc::Tenant;
use corella_store::{ReadError, port::Seq};

use super::{
    answer::{Answer, Extent},
    counters::Count,
    image::Image,
    query::{LiveQuery, RowChange},
    reading::related_rows,
    registry::{Refused, Registry},
    steps::{Before, Doubt, Key, Step, StepOwner, Touched},
};

/// Most values that are looked up at once; beyond them all is read again.
pub(super) const MOST_KEYS: usize = 500;
/// Most rows of an entity in between that are gone through.
const MOST_ROWS: u32 = 1_000;

/// What is to be looked at again among the rows of a query.
#[derive(Default)]
struct Again {
    /// Rows whose words only the database knows.
    rows: Vec<Arc<str>>,
    filters: Vec<Filter>,
    /// By step: the values of these rows.
    keys: Vec<(usize, HashSet<Box<[u8]>>)>,
}

impl Registry {
    /// Has the indexes of other entities know a query's conditions on their rows.
    pub(super) fn enter_steps(&mut self, id: QueryId) {
        let Some(query) = self.queries.get(&id) else { return };
        for (at, step) in query.steps.iter().enumerate() {
            let place = (query.tenant.clone(), step.related.entity.clone());
            let entity = self.entities.entry(place).or_default();
            entity.steps.insert(step.id, &step.lookup);
            entity.all_steps.insert(step.id);
            entity.needs = entity.needs.union(step.mask);
            self.step_owners.insert(step.id, StepOwner::Query(id, at));
        }
        for (node, part) in query.parts.iter() {
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            let entity = self.entities.entry(place).or_default();
            entity.all_parts.insert(part.id);
            entity.needs = entity.needs.union(part.mask);
            self.part_owners.insert(part.id, (id, node));
            for (at, step) in part.steps.iter().enumerate() {
                let place = (query.tenant.clone(), step.related.entity.clone());
                let entity = self.entities.entry(place).or_default();
                entity.steps.insert(step.id, &step.lookup);
                entity.all_steps.insert(step.id);
                entity.needs = entity.needs.union(step.mask);
                self.step_owners.insert(step.id, StepOwner::Part(id, node, at));
            }
        }
    }

    /// Takes them out again.
    pub(super) fn leave_steps(&mut self, query: &LiveQuery) {
        for (_, part) in query.parts.iter() {
            self.part_owners.remove(&part.id);
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            let Some(entity) = self.entities.get_mut(&place) else { continue };
            entity.all_parts.remove(&part.id);
            entity.reading_parts.retain(|reading| *reading != part.id);
            for key in part.keys() {
                entity.parts.remove(part.id, &part.lookup(key));
            }
            if entity.is_idle() {
                self.entities.remove(&place);
            }
        }
        let of_parts = query.parts.iter().flat_map(|(_, part)| &part.steps);
        for step in query.steps.iter().chain(of_parts) {
            self.step_owners.remove(&step.id);
            let place = (query.tenant.clone(), step.related.entity.clone());
            let Some(entity) = self.entities.get_mut(&place) else { continue };
            entity.steps.remove(step.id, &step.lookup);
            entity.all_steps.remove(&step.id);
            if entity.is_idle() {
                self.entities.remove(&place);
            }
        }
    }

    /// Puts those queries in doubt that may see other rows because of this one.
    pub(super) fn touch_steps(&mut self, place: &(Tenant, EntityName), change: &RowChange, before: &Before) {
        let Some(entity) = self.entities.get(place) else { return };
        let mut found: Vec<QueryId> = Vec::new();
        match before {
            Before::Known(before) => {
                for row in before.iter().chain(&change.row) {
                    entity.steps.find(row, &mut found);
                }
                found.sort_unstable();
                found.dedup();
            }
            Before::Unknown => found.extend(&entity.all_steps),
        }
        self.counters.add(Count::Candidates, found.len());
        for step in found {
            let Some(owner) = self.step_owners.get(&step).copied() else { continue };
            let (StepOwner::Query(id, _) | StepOwner::Part(id, ..)) = owner;
            let Some(query) = self.queries.get_mut(&id) else { continue };
            let at = match owner {
                StepOwner::Query(_, at) => at,
                StepOwner::Part(_, node, at) => {
                    let step = query.parts.get(node).and_then(|part| part.steps.get(at));
                    if step.is_some_and(|step| step.touched(change, before) != Touched::Nothing) {
                        if let Some(noted) = &mut query.reading {
                            noted.doubt.parts.insert(node);
                        }
                        if query.answer.is_some() {
                            query.open_doubt().parts.insert(node);
                            self.doubted.insert(id);
                        }
                    }
                    continue;
                }
            };
            let Some(step) = query.steps.get(at) else { continue };
            let touched = step.touched(change, before);
            if touched == Touched::Nothing {
                continue;
            }
            if let Some(noted) = &mut query.reading {
                noted.doubt.add(at, &touched);
            }
            if query.answer.is_some() {
                query.open_doubt().add(at, &touched);
                self.doubted.insert(id);
            }
        }
    }

    /// Looks up all that is in doubt.
    pub(super) async fn settle_doubts(&mut self) {
        while let Some(id) = self.doubted.pop_first() {
            let Some(query) = self.queries.get_mut(&id).filter(|query| query.answer.is_some()) else {
                continue;
            };
            let doubt = query.doubt.take().unwrap_or_default();
            self.dirty.insert(id);
            if let Err(error) = self.settle(id, *doubt).await {
                self.end(id, &Refused::unreadable(&error));
            }
        }
    }

    async fn settle(&mut self, id: QueryId, mut doubt: Doubt) -> Result<(), ReadError> {
        if doubt.whole || !self.lead_outwards(id, &mut doubt).await? {
            self.read_anew(id);
            return Ok(());
        }
        let Some(query) = self.queries.get(&id) else { return Ok(()) };
        for change in doubt.rows.values() {
            let Some(row) = &change.row else { continue };
            for (at, step) in query.steps.iter().enumerate().filter(|(_, step)| step.outer.is_none()) {
                if step.truth(row) == Truth::Unknown {
                    let key = step.related.key(row);
                    doubt.keys.entry(at).or_default().insert(key_bytes(&key), key);
                }
            }
        }
        let mut again = Again::default();
        for (at, keys) in doubt.keys {
            let Some(step) = self.queries.get(&id).and_then(|query| query.steps.get(at)) else { continue };
            if step.outer.is_some() || keys.is_empty() {
                continue;
            }
            let is_tied = !step.related.ties.is_empty();
            if keys.len() > MOST_KEYS {
                self.read_anew(id);
                return Ok(());
            }
            let news = self.learn(id, at, &keys).await?;
            // Rows that were read meanwhile may be from before what is known already.
            let news = if doubt.is_stale && is_tied { keys.into_values().collect() } else { news };
            if news.is_empty() {
                continue;
            }
            if !is_tied {
                // Every row depends on it.
                self.read_anew(id);
                return Ok(());
            }
            if let Some(step) = self.queries.get(&id).and_then(|query| query.steps.get(at)) {
                again.filters.push(step.related.pointing(news.iter().map(Vec::as_slice)));
                again.keys.push((at, news.iter().map(|key| key_bytes(key)).collect()));
            }
        }
        if let Err(refused) = self.find_anew(id) {
            self.end(id, &refused);
            return Ok(());
        }
        let looks_for_words = self.queries.get(&id).is_some_and(|query| query.query.search().is_some());
        let mut changes: Vec<RowChange> = Vec::new();
        if !looks_for_words {
            changes.extend(doubt.rows.into_values());
            changes.sort_by_key(|change| change.seq);
        } else if doubt.rows.len() > MOST_KEYS {
            self.read_anew(id);
            return Ok(());
        } else if !doubt.rows.is_empty() {
            again.rows = doubt.rows.into_keys().collect();
            let ids = again.rows.iter().map(|id| Value::Text(Arc::clone(id))).collect();
            again.filters.push(Filter::term(Column::id(), Test::OneOf(ids)));
        }
        for change in changes {
            let Some(query) = self.queries.get_mut(&id) else { return Ok(()) };
            let held = query.apply(&change);
            self.note_held(id, &change.id, &held, change.seq);
        }
        if self.queries.get(&id).is_some_and(|query| query.doubt.iter().any(|doubt| !doubt.rows.is_empty())) {
            self.read_anew(id);
            return Ok(());
        }
        if !again.filters.is_empty() {
            self.look_again(id, again).await?;
        }
        let mut lists = Doubt { lists: doubt.lists, parts: doubt.parts, ..Doubt::default() };
        self.read_parts(id, &mut lists).await
    }

    /// Leads what changed in rows further away to the rows next to the query's own; says no when they are too many.
    async fn lead_outwards(&mut self, id: QueryId, doubt: &mut Doubt) -> Result<bool, ReadError> {
        let Some(query) = self.queries.get(&id) else { return Ok(true) };
        // Inner steps stand behind outer ones.
        for at in (0..query.steps.len()).rev() {
            let Some(Step { related, outer: Some(outer), .. }) = query.steps.get(at) else { continue };
            let Some(keys) = doubt.keys.remove(&at) else { continue };
            let Some(next) = query.steps.get(*outer) else { continue };
            if keys.len() > MOST_KEYS || related.ties.is_empty() {
                return Ok(false);
            }
            let pointing = related.pointing(keys.values().map(Vec::as_slice));
            self.counters.add(Count::Loads, 1);
            let rows =
                related_rows(&self.store, &query.tenant, &next.related.entity, pointing, MOST_ROWS).await?;
            let Some(rows) = rows else { return Ok(false) };
            let keys = doubt.keys.entry(*outer).or_default();
            for row in rows {
                let key = next.related.their_key(&row.cells);
                keys.insert(key_bytes(&key), key);
            }
        }
        Ok(true)
    }

    /// Looks up for which of these values there is a row; gives back those of which the answer is news.
    async fn learn(
        &mut self,
        id: QueryId,
        at: usize,
        keys: &HashMap<Box<[u8]>, Key>,
    ) -> Result<Vec<Key>, ReadError> {
        let Some(query) = self.queries.get(&id) else { return Ok(Vec::new()) };
        let Some(step) = query.steps.get(at) else { return Ok(Vec::new()) };
        let Related { entity, filter, ties } = &*step.related;
        let mut present = HashSet::new();
        let mut read_at = Seq::ZERO;
        let mut look_up = Vec::new();
        if ties.iter().all(|tie| tie.theirs == Column::id()) {
            look_up.push((step.related.pointed_at(keys.values().map(Vec::as_slice)), keys.len()));
        } else {
            // Many rows may have one value.
            look_up.extend(keys.values().map(|key| (step.related.pointed_at([key.as_slice()]), 1)));
        }
        for (pointed_at, most) in look_up {
            self.counters.add(Count::Loads, 1);
            let entity = self.store.entity(entity.as_str())?;
            let asked = corella_query::Query::of(&entity, corella_query::QueryParts::default())
                .map_err(|_| ReadError::Internal("the query of all rows is wrong"))?
                .restricted_to(Filter::all([pointed_at, filter.clone()]))
                .with_rows(u32::try_from(most).unwrap_or(u32::MAX - 1));
            let page = self.store.select(&query.tenant, &asked).await?;
            read_at = read_at.max(page.seq);
            present.extend(page.rows.iter().map(|row| key_bytes(&step.related.their_key(&row.cells))));
        }
        if let Some(query) = self.queries.get_mut(&id) {
            // What is known now may be of a later moment than what was taken in.
            query.settled_from = query.settled_from.max(read_at);
        }
        let step = self.queries.get_mut(&id).and_then(|query| query.steps.get_mut(at));
        Ok(step.map(|step| step.learn(keys, &present)).unwrap_or_default())
    }

    /// Looks at the rows again that have some values.
    async fn look_again(&mut self, id: QueryId, again: Again) -> Result<(), ReadError> {
        let Some(query) = self.queries.get(&id) else { return Ok(()) };
        let (tenant, entity) = (query.tenant.clone(), query.query.entity().clone());
        let concerned = Filter::any(again.filters);
        let mut before: HashSet<Arc<str>> = HashSet::new();
        if let Some(answer) = &query.answer {
            before.extend(again.rows.iter().filter(|row| answer.holds(row)).cloned());
        }
        match &query.answer {
            Some(Answer::Groups(_)) if again.keys.is_empty() => {}
            Some(Answer::Rows(window)) => {
                let has_one = |row: &&Image| {
                    again.keys.iter().any(|(at, keys)| {
                        query
                            .steps
                            .get(*at)
                            .is_some_and(|step| keys.contains(&key_bytes(&step.related.key(*row))))
                    })
                };
                before.extend(window.held().iter().filter(has_one).map(|row| Arc::clone(row.id())));
            }
            // Groups know the ids of their rows, not their values.
            Some(groups @ Answer::Groups(_)) => {
                self.counters.add(Count::Loads, 1);
                let rows = related_rows(&self.store, &tenant, &entity, concerned.clone(), MOST_ROWS).await?;
                let Some(rows) = rows else {
                    self.read_anew(id);
                    return Ok(());
                };
                before.extend(rows.iter().map(|row| Arc::from(row.id())).filter(|id| groups.holds(id)));
            }
            None => return Ok(()),
        }
        let most = query.extent.to_read().max(again.rows.len());
        let most = u32::try_from(most).unwrap_or(u32::MAX - 1);
        let asked = query.query.clone().restricted_to(concerned).with_rows(most);
        self.counters.add(Count::Loads, 1);
        let page = self.store.select(&tenant, &asked).await?;
        if page.cursor.is_some() {
            // There may be others behind them.
            self.read_anew(id);
            return Ok(());
        }
        let now: Vec<Image> =
            page.rows.into_iter().filter_map(|row| Image::of_table(row, page.seq)).collect();
        let present: HashSet<&Arc<str>> = now.iter().map(Image::id).collect();
        before.retain(|id| !present.contains(id));
        drop(present);
        let gone = before.into_iter().map(|id| (id, None));
        for (row_id, row) in gone.chain(now.into_iter().map(|row| (Arc::clone(row.id()), Some(row)))) {
            let Some(query) = self.queries.get_mut(&id) else { return Ok(()) };
            let held = query.put(&row_id, row);
            self.note_held(id, &row_id, &held, page.seq);
        }
        Ok(())
    }

    /// Notes what a row's change did to the rows that a query holds.
    pub(super) fn note_held(&mut self, id: QueryId, row: &Arc<str>, held: &Held, settled_from: Seq) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let place = (query.tenant.clone(), query.query.entity().clone());
        if let Some(entity) = self.entities.get_mut(&place) {
            if held.entered {
                entity.holds(row, id);
            }
            for row in &held.left {
                entity.lets_go(row, id);
            }
        }
        let Some(answer) = &query.answer else { return };
        if answer.is_touched() {
            query.settled_from = query.settled_from.max(settled_from);
            self.dirty.insert(id);
        }
        if matches!(query.extent, Extent::All(most) if answer.held_count() > most) {
            let most = query.extent.to_read();
            self.end(id, &Refused::too_large(most));
        } else if answer.runs_low() && query.reading.is_none() && !query.is_queued {
            self.counters.add(Count::Refills, 1);
            self.start_reading(id);
        }
    }

    /// Reads all that a query knows again.
    pub(super) fn read_anew(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        query.is_astray = true;
        query.doubt = None;
        if query.reading.is_some() {
            query.read_again = true;
            return;
        }
        query.steps.iter_mut().for_each(Step::forget);
        self.counters.add(Count::Refills, 1);
        self.start_reading(id);
        self.find_anew(id).ok();
    }

    /// Has the index of its entity find a query by what it knows now of rows of other entities.
    ///
    /// # Errors
    /// [`Refused`] when it would have to be asked about every row, as too many others have already.
    pub(super) fn find_anew(&mut self, id: QueryId) -> Result<(), Refused> {
        let Some(query) = self.queries.get_mut(&id).filter(|query| !query.steps.is_empty()) else {
            return Ok(());
        };
        let lookup = query.present_lookup();
        if query.lookup.as_deref() == Some(&lookup) {
            return Ok(());
        }
        let place = (query.tenant.clone(), query.query.entity().clone());
        let Some(entity) = self.entities.get_mut(&place) else { return Ok(()) };
        query.leave_index(&mut entity.index);
        let was_scanned = query.lookup.as_deref() == Some(&Lookup::Scan);
        let most = self.limits.scanned;
        if lookup == Lookup::Scan && !was_scanned && entity.index.size().scanned >= most {
            query.lookup = Some(Box::new(Lookup::By(Vec::new())));
            return Err(Refused::unindexed(most, query.query.entity()));
        }
        entity.index.insert(id, &lookup);
        query.lookup = Some(Box::new(lookup));
        Ok(())
    }
}
