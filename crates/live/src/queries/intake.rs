//! Taking in what changed.

use std::{collections::HashMap, sync::Arc};

use corella_manifest::EntityName;
use corella_query::{ColumnMask, maintain::QueryId};
use corella_rowdoc::{RowKey, Tenant};
use corella_store::port::Seq;

use super::{
    Landed,
    answer::Extent,
    counters::Count,
    image::Image,
    query::RowChange,
    registry::{Refused, Registry},
    steps::Before,
};

impl Registry {
    /// Takes in one commit.
    pub(super) async fn take_in_commit(&mut self, changes: Vec<Landed>) {
        let Some(last) = changes.last().map(|change| change.seq) else { return };
        let mut taken = Vec::with_capacity(changes.len());
        for change in changes {
            let place = (change.key.tenant.clone(), change.key.entity.clone());
            let Some(entity) = self.entities.get(&place) else { continue };
            let needs_late = change.late.meets(entity.needs);
            let id: Arc<str> = change.key.id.as_str().into();
            let mut settled_from = change.seq;
            let row = if needs_late {
                match self.load(&change.key).await {
                    Ok((row, seq)) => {
                        settled_from = seq.max(change.seq);
                        row
                    }
                    Err(refused) => {
                        self.end_all_of(&place, &refused);
                        continue;
                    }
                }
            } else {
                (!change.after.deleted).then(|| Image::new(&id, &change.after, change.seq))
            };
            let before = change.before.filter(|row| !row.deleted);
            let before = Before::Known(before.map(|row| Image::new(&id, &row, change.seq)));
            let change = RowChange { seq: change.seq, id, row, mask: change.mask };
            taken.push((place, change, before, settled_from));
        }
        // What is known of rows elsewhere has to be forgotten before it is asked.
        for (place, change, before, _) in &taken {
            self.touch_steps(place, change, before);
            self.touch_parts(place, change, before);
        }
        for (place, change, _, settled_from) in &taken {
            self.take_in(place, change, *settled_from);
        }
        self.settle_doubts().await;
        self.position = self.position.max(last);
    }

    /// Takes in what other servers have changed: which rows are known, what they are now is read.
    pub(super) async fn take_in_elsewhere(&mut self, changes: Vec<(Seq, RowKey)>) {
        let Some((last, _)) = changes.last().cloned() else { return };
        let mut rows: HashMap<(Tenant, EntityName), HashMap<Arc<str>, Seq>> = HashMap::new();
        for (seq, key) in changes {
            let place = (key.tenant, key.entity);
            if self.entities.contains_key(&place) {
                rows.entry(place).or_default().insert(key.id.as_str().into(), seq);
            }
        }
        let mut taken = Vec::new();
        for (place, rows) in rows {
            let ids: Vec<&str> = rows.keys().map(|id| &**id).collect();
            self.counters.add(Count::Loads, ids.len());
            let (found, read_at) = match self.store.rows(&place.0, &place.1, &ids).await {
                Ok(read) => read,
                Err(error) => {
                    self.end_all_of(&place, &Refused::unreadable(&error));
                    continue;
                }
            };
            let found = found.into_iter().filter_map(|row| Image::of_table(row, read_at));
            let mut found: HashMap<Arc<str>, Image> = found.map(|row| (Arc::clone(row.id()), row)).collect();
            for (id, seq) in rows {
                let row = found.remove(&id);
                let change = RowChange { seq, id, row, mask: ColumnMask::ALL };
                taken.push((place.clone(), change, read_at));
            }
        }
        for (place, change, _) in &taken {
            self.touch_steps(place, change, &Before::Unknown);
            self.touch_parts(place, change, &Before::Unknown);
        }
        for (place, change, read_at) in &taken {
            self.take_in(place, change, *read_at);
        }
        self.settle_doubts().await;
        self.position = self.position.max(last);
    }

    /// Reads a row that a change did not bring whole.
    async fn load(&self, key: &RowKey) -> Result<(Option<Image>, Seq), Refused> {
        self.counters.add(Count::Loads, 1);
        let (columns, seq) = self.store.image(key).await.map_err(|error| Refused::unreadable(&error))?;
        let id: Arc<str> = key.id.as_str().into();
        Ok(((!columns.deleted).then(|| Image::new(&id, &columns, seq)), seq))
    }

    /// Asks the queries that a changed row concerns.
    fn take_in(&mut self, place: &(Tenant, EntityName), change: &RowChange, settled_from: Seq) {
        let Some(entity) = self.entities.get_mut(place) else { return };
        let mut found: Vec<QueryId> = Vec::new();
        if let Some(row) = &change.row {
            entity.index.find(row, &mut found);
        }
        if let Some(holders) = entity.holders.get(&change.id) {
            found.extend(holders);
            found.sort_unstable();
            found.dedup();
        }
        self.counters.add(Count::Changes, 1);
        self.counters.add(Count::Candidates, found.len());
        for id in &entity.reading {
            if let Some(noted) = self.queries.get_mut(id).and_then(|query| query.reading.as_mut()) {
                noted.changes.push(change.clone());
            }
        }
        let mut matches = 0;
        let mut low = Vec::new();
        let mut outgrown = Vec::new();
        for id in found {
            let Some(query) = self.queries.get_mut(&id) else { continue };
            let held = query.apply(change);
            if query.is_in_doubt() {
                self.doubted.insert(id);
            }
            if held.entered {
                entity.holds(&change.id, id);
            }
            for row in &held.left {
                entity.lets_go(row, id);
            }
            let Some(answer) = &query.answer else { continue };
            if answer.is_touched() && self.dirty.insert(id)
                || held != corella_query::maintain::Held::default()
            {
                matches += 1;
            }
            if answer.is_touched() {
                query.settled_from = query.settled_from.max(settled_from);
            }
            if answer.runs_low() && query.reading.is_none() && !query.is_queued {
                low.push(id);
            }
            if matches!(query.extent, Extent::All(most) if answer.held_count() > most) {
                outgrown.push((id, query.extent.to_read()));
            }
        }
        self.counters.add(Count::Matches, matches);
        for id in low {
            self.counters.add(Count::Refills, 1);
            self.start_reading(id);
        }
        for (id, most) in outgrown {
            self.end(id, &Refused::too_large(most));
        }
    }

    /// Reads every answer again.
    pub(super) async fn read_all_again(&mut self) {
        match self.store.last_seq().await {
            Ok(seq) => self.position = self.position.max(seq),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the last change is unknown");
            }
        }
        let all: Vec<QueryId> = self.queries.keys().copied().collect();
        for id in all {
            let Some(query) = self.queries.get_mut(&id) else { continue };
            // What was noted so far has a gap in it; a reading that is under way may be from before the gap.
            query.settled_from = query.settled_from.max(self.position);
            self.read_anew(id);
        }
    }

    /// Ends all queries of an entity whose rows cannot be read.
    fn end_all_of(&mut self, place: &(Tenant, EntityName), refused: &Refused) {
        let all = self.queries.values().map(|query| &**query);
        let of_place = all.filter(|query| query.tenant == place.0 && *query.query.entity() == place.1);
        let all: Vec<QueryId> = of_place.map(|query| query.id).collect();
        for id in all {
            self.end(id, refused);
        }
    }
}
