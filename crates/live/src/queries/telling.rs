//! Telling connections what became of their answers.

use std::{collections::HashMap, sync::Arc};

use corella_query::maintain::QueryId;
use corella_store::{SourceId, port::Seq};
use corella_wire::control::{
    EncodedDifference, EncodedRows, Reached, ServerMessage, encode_changes, encode_snapshot,
};

use super::{
    counters::Count,
    query::{Follower, Kept, Standing, Subscription, Waiting},
    registry::Registry,
    subscribing::epoch_of,
};

/// The number by which clients know a change.
fn number(seq: Seq) -> u64 {
    u64::try_from(seq.0).unwrap_or(0)
}

impl Registry {
    /// Tells everybody what has changed since the last time, as far as answers are whole and of one moment.
    pub(super) fn tell(&mut self) {
        let mut messages: HashMap<SourceId, Vec<(Arc<str>, EncodedDifference)>> = HashMap::new();
        let mut unsettled = Vec::new();
        for id in std::mem::take(&mut self.dirty) {
            let Some(query) = self.queries.get_mut(&id) else { continue };
            // What is read for the first time comes back here once it is.
            if query.answer.is_none() {
                continue;
            }
            if !query.is_settled(self.position) {
                unsettled.push(id);
                continue;
            }
            if query.followers.is_empty() {
                // Whoever comes is told the whole answer.
                query.forget_diff();
            } else if let Some(difference) = query.difference() {
                let encoded = difference.encode();
                self.counters.add(Count::Encodings, 1);
                let current = query.followers.iter().filter(|told| told.standing == Standing::Current);
                for Follower { subscription: Subscription { source, reference }, .. } in current {
                    messages.entry(*source).or_default().push((Arc::clone(reference), encoded.clone()));
                }
            }
            if !query.waiting.is_empty() {
                self.answer(id, &mut messages);
            }
            self.tidy_parts(id);
        }
        self.dirty.extend(unsettled);
        self.counters.add(Count::Messages, messages.len());
        for (source, answers) in messages {
            let Some(connection) = self.connections.get(&source) else { continue };
            let parts = answers.iter().map(|(reference, encoded)| (&**reference, encoded));
            if !connection.outbox.push_live(encode_changes(number(self.position), parts)) {
                for (reference, _) in answers {
                    self.fall_behind(source, &reference);
                }
            }
        }
        self.tell_reached();
    }

    /// Sends the answer to those who wait for it.
    fn answer(&mut self, id: QueryId, messages: &mut HashMap<SourceId, Vec<(Arc<str>, EncodedDifference)>>) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let version = query.version(self.position);
        let Some(answer) = &query.answer else { return };
        let epoch = epoch_of(&self.store, &query.identity);
        let parts_read_at = query.parts.read_at();
        let mut whole: Option<EncodedRows> = None;
        let mut asked = Vec::new();
        for Waiting { subscription, kept } in std::mem::take(&mut query.waiting) {
            let Subscription { source, reference } = &subscription;
            let Some(connection) = self.connections.get_mut(source) else { continue };
            let kept = match kept {
                // What rows bring may have changed since the log was read.
                Kept::Known { upto, .. } if parts_read_at > upto => Kept::Nothing,
                kept @ (Kept::Nothing | Kept::Unsure(_) | Kept::Asked(_) | Kept::Known { .. }) => kept,
            };
            match kept {
                Kept::Nothing => {
                    let rows = whole.get_or_insert_with(|| answer.encode(&query.query, &query.parts));
                    let text = encode_snapshot(reference, number(version), &epoch, rows);
                    connection.outbox.push_text(text);
                }
                Kept::Known { ids, changed, upto } if version <= self.position => {
                    let difference = answer.since(&query.query, &query.parts, &ids, &changed, upto).encode();
                    messages.entry(*source).or_default().push((Arc::clone(reference), difference));
                }
                // Its rows are of a later moment than the message would be.
                Kept::Known { ids, changed, upto } => {
                    let kept = Kept::Known { ids, changed, upto };
                    query.waiting.push(Waiting { subscription, kept });
                    query.settled_from = query.settled_from.max(version);
                    self.dirty.insert(id);
                    continue;
                }
                Kept::Unsure(since) => {
                    asked.push((subscription.clone(), Seq(i64::try_from(since.seq).unwrap_or(i64::MAX))));
                    query.waiting.push(Waiting { subscription, kept: Kept::Asked(since) });
                    continue;
                }
                Kept::Asked(since) => {
                    query.waiting.push(Waiting { subscription, kept: Kept::Asked(since) });
                    continue;
                }
            }
            connection.answered(reference);
            if query.followers.is_empty() {
                // Most queries have one follower.
                query.followers.reserve_exact(1);
            }
            query.followers.push(Follower { subscription, standing: Standing::Current });
        }
        for (subscription, since) in asked {
            self.start_reading_log(id, subscription, since);
        }
    }

    /// Has a connection that cannot take more catch up with an answer once its outbox drains.
    fn fall_behind(&mut self, source: SourceId, reference: &Arc<str>) {
        let Some(connection) = self.connections.get_mut(&source) else { return };
        let Some(query) = connection.subscriptions.get(reference).and_then(|id| self.queries.get_mut(id))
        else {
            return;
        };
        let follower = query
            .followers
            .iter_mut()
            .find(|told| told.subscription.source == source && told.subscription.reference == *reference);
        if let Some(follower) = follower
            && follower.standing == Standing::Current
        {
            follower.standing = Standing::Behind;
            connection.pending.insert(Arc::clone(reference));
            connection.outbox.push_live_behind(Arc::clone(reference));
            metrics::counter!("corella_live_behind_total").increment(1);
        }
    }

    /// Sends a connection that had fallen behind the whole answer.
    pub(super) fn catch_up(&mut self, source: SourceId, reference: Arc<str>) {
        let known = self.connections.get(&source).and_then(|known| known.subscriptions.get(&reference));
        let Some(id) = known.copied() else { return };
        let Some(query) = self.queries.get_mut(&id) else { return };
        let subscription = Subscription { source, reference };
        let count = query.followers.len();
        query.followers.retain(|follower| {
            follower.subscription != subscription || follower.standing == Standing::Current
        });
        if query.followers.len() < count {
            query.waiting.push(Waiting { subscription, kept: Kept::Nothing });
            self.dirty.insert(id);
        }
    }

    /// Tells those whose answers have the change in them that they asked for.
    fn tell_reached(&mut self) {
        let awaiting = std::mem::take(&mut self.awaiting);
        for (outbox, reference, seq) in awaiting {
            let connection = self.connections.get(&outbox.source());
            let is_pending = connection.is_some_and(|known| !known.pending.is_empty());
            let is_unsettled = |id: &QueryId| {
                let followers = self.queries.get(id).into_iter().flat_map(|query| &query.followers);
                followers.into_iter().any(|told| told.subscription.source == outbox.source())
            };
            let all_told = seq <= self.position && !is_pending && !self.dirty.iter().any(is_unsettled);
            if all_told {
                let reached = Reached { reference, seq: number(seq) };
                outbox.push_text(ServerMessage::Reached(reached).encode());
            } else {
                self.awaiting.push((outbox, reference, seq));
            }
        }
    }
}
