//! Reading rows from the database without waiting for them.

use std::{collections::HashSet, sync::Arc};

use corella_query::maintain::QueryId;
use corella_store::{
    ReadError,
    port::{Seq, TableRow},
};
use corella_wire::ErrorCode;

use super::{
    Event,
    answer::{Answer, Extent},
    image::Image,
    query::{Kept, Subscription},
    registry::{Refused, Registry, Told},
};

impl Refused {
    pub(super) fn too_large(most: usize) -> Self {
        let detail = format!(
            "the answer is made of more than {most} rows, the most without a limit; ask for fewer with where or limit"
        );
        Self(ErrorCode::AnswerTooLarge, detail)
    }

    pub(super) fn unreadable(error: &ReadError) -> Self {
        let code = match error {
            ReadError::UnknownEntity(_) => ErrorCode::UnknownEntity,
            ReadError::Quarantined(_) => ErrorCode::RowQuarantined,
            ReadError::Backend(_) | ReadError::Filling { .. } => ErrorCode::Unavailable,
            ReadError::Forbidden(_) => ErrorCode::Forbidden,
            ReadError::NoDocument(_) => ErrorCode::NoDocument,
            ReadError::HistoryTrimmed | ReadError::Internal(_) => ErrorCode::Internal,
        };
        Self(code, format!("the answer could not be read: {error}; ask again"))
    }
}

impl Registry {
    /// Has a query's rows read.
    pub(super) fn start_reading(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        query.reading = Some(Vec::new());
        let place = (query.tenant.clone(), query.query.entity().clone());
        if let Some(entity) = self.entities.get_mut(&place) {
            entity.reading.push(id);
        }
        let rows = query.extent.to_read();
        let asked = query.query.clone().with_rows(u32::try_from(rows).unwrap_or(u32::MAX - 1));
        let (store, reads, events) = (self.store.clone(), Arc::clone(&self.reads), self.events.clone());
        let tenant = query.tenant.clone();
        tokio::spawn(async move {
            let _turn = reads.acquire_owned().await;
            let read = store.select(&tenant, &asked).await;
            let read = read.map(|page| (page.rows, page.cursor.is_some(), page.seq));
            events.send(Event::Told(Told::Rows(id, read))).ok();
        });
    }

    /// Puts the rows that were read in the place of those that are held, and takes in what changed meanwhile.
    pub(super) fn take_in_rows(&mut self, id: QueryId, read: Result<(Vec<TableRow>, bool, Seq), ReadError>) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let place = (query.tenant.clone(), query.query.entity().clone());
        let noted = query.reading.take().unwrap_or_default();
        let Some(entity) = self.entities.get_mut(&place) else { return };
        entity.reading.retain(|reading| *reading != id);
        let (rows, more, seq) = match read {
            Ok(read) => read,
            Err(error) => return self.end(id, &Refused::unreadable(&error)),
        };
        if let (true, Extent::All(most)) = (more, query.extent) {
            return self.end(id, &Refused::too_large(most));
        }
        let before = query.bytes;
        let rows: Vec<Image> = rows.into_iter().filter_map(|row| Image::of_table(row, seq)).collect();
        query.bytes = rows.iter().map(Image::weight).sum::<usize>() + 2_048;
        query.read_at = seq;
        match &mut query.answer {
            Some(answer) => {
                let (entered, left) = answer.replace(rows, more);
                for row in entered {
                    entity.holds(&row, id);
                }
                for row in left {
                    entity.lets_go(&row, id);
                }
                query.settled_from = query.settled_from.max(seq);
            }
            empty => {
                for row in &rows {
                    entity.holds(row.id(), id);
                }
                *empty = Some(Answer::new(&query.query, query.extent, rows, more));
            }
        }
        for change in &noted {
            let held = query.apply(change);
            if held.entered {
                entity.holds(&change.id, id);
            }
            for row in &held.left {
                entity.lets_go(row, id);
            }
        }
        let again =
            std::mem::take(&mut query.read_again) || query.answer.as_ref().is_some_and(Answer::runs_low);
        self.dirty.insert(id);
        self.weigh(id, before);
        if again {
            self.start_reading(id);
        }
    }

    /// Has the log read for a subscription that comes back with what it had.
    pub(super) fn start_reading_log(&self, id: QueryId, subscription: Subscription, since: Seq) {
        let Some(query) = self.queries.get(&id) else { return };
        let (store, events, most) = (self.store.clone(), self.events.clone(), self.limits.resume);
        let (tenant, entity) = (query.tenant.clone(), query.query.entity().clone());
        tokio::spawn(async move {
            let log = match store.changed_since(since, most).await {
                Ok(Some((keys, upto))) => {
                    let of_entity =
                        keys.into_iter().filter(|key| key.tenant == tenant && key.entity == entity);
                    let ids: HashSet<Arc<str>> = of_entity.map(|key| key.id.as_str().into()).collect();
                    Some((ids, upto))
                }
                Ok(None) => None,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the log cannot be read; a client gets the whole answer");
                    None
                }
            };
            events.send(Event::Told(Told::Log(subscription, log))).ok();
        });
    }

    /// What changed since a subscription was last told is known now.
    pub(super) fn take_in_log(&mut self, subscription: &Subscription, log: Option<(HashSet<Arc<str>>, Seq)>) {
        let connection = self.connections.get(&subscription.source);
        let Some(id) = connection.and_then(|known| known.subscriptions.get(&subscription.reference)).copied()
        else {
            return;
        };
        let Some(query) = self.queries.get_mut(&id) else { return };
        for waiting in query.waiting.iter_mut().filter(|waiting| waiting.subscription == *subscription) {
            waiting.kept = match (std::mem::replace(&mut waiting.kept, Kept::Nothing), log.clone()) {
                (Kept::Asked(since), Some((changed, upto))) => {
                    Kept::Known { ids: since.ids.into_iter().collect(), changed, upto }
                }
                (Kept::Asked(_) | Kept::Nothing | Kept::Unsure(_) | Kept::Known { .. }, _) => Kept::Nothing,
            };
        }
        self.dirty.insert(id);
    }
}
