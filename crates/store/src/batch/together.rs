//! Updates that wait for the same row, taken in as one.
//!
//! To merge an update that was made beside others, Loro goes through all that was written since everybody had the same,
//! however small the update is. Where many write side by side, one such walk for all that waits lets the row keep up:
//! one for each would take longer than it takes them to write more.

use std::sync::Arc;

use corella_policy::Caller;
use corella_rowdoc::{Change, Part};

use super::{Accepted, Batch, Trace};
use crate::{
    apply::{Applied, weigh},
    job::{Job, RowChange},
    permit::{Live, State, Target},
    told,
};

/// Bytes up to which an update is taken in with others.
const SMALL: usize = 4 * 1024;
/// Updates that are taken in as one, and bytes of all of them: to merge long insertions at once takes Loro the square of
/// their length.
const MOST: usize = 256;
const MOST_BYTES: usize = 64 * 1024;

/// They have to be taken in one after the other.
enum Apart {
    /// Nothing was done.
    Untouched,
    /// The document has some of them.
    Touched,
}

impl Batch<'_> {
    /// Takes in the first of `jobs` as one, where that is the same as one after the other; gives back the others, or all of
    /// them.
    ///
    /// The first thing that is done in a batch.
    pub(super) async fn accept_together(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let mut room = MOST_BYTES;
        let fits = |job: &&Job| {
            let left = small_update(job).and_then(|update| room.checked_sub(update.len()));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let together = jobs.iter().take(MOST).take_while(fits).count();
        if together < 2 {
            return jobs;
        }
        match self.take_in_together(&jobs[..together]).await {
            Ok(traces) => {
                let mut jobs = jobs.into_iter();
                let taken = jobs.by_ref().take(together).zip(traces);
                self.accepted.extend(taken.map(|(job, trace)| Accepted { job, trace }));
                metrics::counter!("corella_updates_together_total").increment(together as u64);
                jobs.collect()
            }
            Err(Apart::Untouched) => jobs,
            // Alone, each of them is told what is wrong with it.
            Err(Apart::Touched) => {
                self.resident.loaded = None;
                self.live = None;
                jobs
            }
        }
    }

    async fn take_in_together(&mut self, jobs: &[Job]) -> Result<Vec<Trace>, Apart> {
        let (store, model) = (self.store, &self.model);
        let loaded = store.loaded(self.slot, self.resident).await.map_err(|_| Apart::Untouched)?;
        if !loaded.exists() || model.shape.is_open() || model.shape.is_plain() {
            return Err(Apart::Untouched);
        }
        let looked_at = &model.policies.write_sources(&model.entity).fields;
        let live = self.live.get_or_insert_with(|| Live::of(loaded));
        live.read(&loaded.doc, looked_at).map_err(|_| Apart::Untouched)?;
        let state = State::of(loaded, live, false);
        let mut version = loaded.doc.version();

        let updates: Vec<&[u8]> = jobs.iter().filter_map(small_update).collect();
        let bytes = updates.iter().map(|update| update.len()).sum();
        let taken = weigh(&mut loaded.doc, bytes, |doc| doc.import_together_for_good(&updates));
        let (change, parts) = taken.map_err(|_| Apart::Touched)?;
        // What a rule looks at is as it was before, so that it does not matter which of them came first.
        if change.liveness || !change.fields.is_disjoint(looked_at) {
            return Err(Apart::Touched);
        }
        live.unread.extend(&change.fields);

        let target = Target { store, model, key: &self.slot.key };
        let mut asked: Vec<(&Arc<Caller>, &Change)> = Vec::new();
        for (job, Part { change, .. }) in jobs.iter().zip(&parts) {
            // Whoever brings nothing new is not asked for, as alone.
            let Some(caller) = job.author.access.caller().filter(|_| !change.peers.is_empty()) else {
                continue;
            };
            let known = |(other, about): &(&Arc<Caller>, &Change)| {
                Arc::ptr_eq(caller, other) && about.fields == change.fields
            };
            if !asked.iter().any(known) {
                let applied = Applied::from(change.clone());
                let values = &loaded.projection.values;
                let may = target.ask(caller, &job.change, &state, &state, &applied, values).await;
                may.map_err(|_| Apart::Touched)?;
                asked.push((caller, change));
            }
        }
        let mut traces = Vec::with_capacity(jobs.len());
        for (place, (job, Part { change, reached })) in jobs.iter().zip(parts).enumerate() {
            store.check_peers(&self.slot.key, &job.author, &change).await.map_err(|_| Apart::Touched)?;
            let is_seam = place.checked_sub(1).is_some_and(|last| told::is_seam(&jobs[last], job));
            let before = is_seam.then(|| version.clone());
            version.merge(&reached);
            traces.push(Trace { row: None, completed: false, change, before });
        }
        self.change.merge(&change);
        Ok(traces)
    }
}

/// The update that a job is, where it may be taken in with others: it is small, and nothing but done.
fn small_update(job: &Job) -> Option<&[u8]> {
    let RowChange::Update(update) = &job.change else { return None };
    (update.len() <= SMALL && job.idempotency.is_none() && !job.wants_row).then_some(update)
}
