//! Reading rows from the database without waiting for them.

use std::{collections::HashSet, sync::Arc};

use corella_manifest::EntityName;
use corella_query::{Filter, Query, QueryParts, Related, maintain::QueryId};
use corella_rowdoc::Tenant;
use corella_store::{
    ReadError, Store,
    port::{Seq, TableRow},
};
use corella_wire::ErrorCode;

use super::{
    Event,
    answer::{Answer, Extent},
    image::Image,
    query::{Kept, Noted, Subscription},
    registry::{Refused, Registry, Told},
    steps::{Key, Step},
};

/// Rows of another entity that are read to know all of them.
const MOST_KEYS: u32 = 1_000;

/// What was read of a query.
pub(super) struct Read {
    rows: Vec<TableRow>,
    /// Whether there are others behind them.
    more: bool,
    /// The last change in them.
    seq: Seq,
    /// What they bring with them, by part.
    parts: Vec<Vec<TableRow>>,
    /// By step: all values for which there is a row of the other entity, unless they are too many.
    known: Vec<(usize, Option<Vec<Key>>)>,
}

impl Refused {
    pub(super) fn unindexed(most: usize, entity: &EntityName) -> Self {
        let detail = format!(
            "no index finds the rows of this query, and {most} such queries of {entity} are followed already; expected \
             a where with a column that equals a value or lies between two, beside what else it asks"
        );
        Self(ErrorCode::TooManyQueries, detail)
    }

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
            ReadError::TooManyIncluded(_) => ErrorCode::AnswerTooLarge,
            ReadError::Forbidden(_) | ReadError::OpenPolicies(_) => ErrorCode::Forbidden,
            ReadError::NoDocument(_) => ErrorCode::NoDocument,
            ReadError::HistoryTrimmed | ReadError::Internal(_) => ErrorCode::Internal,
        };
        Self(code, format!("the answer could not be read: {error}; ask again"))
    }
}

impl Registry {
    /// Has a query's rows read, once it is its turn. Until then it notes nothing: what is read has it in it.
    pub(super) fn start_reading(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        if !query.is_queued {
            query.is_queued = true;
            self.to_read.push_back(id);
            self.read_next();
        }
    }

    /// Begins readings until as many are under way as may be.
    pub(super) fn read_next(&mut self) {
        while self.reads < self.limits.reads
            && let Some(id) = self.to_read.pop_front()
        {
            self.begin_reading(id);
        }
    }

    fn begin_reading(&mut self, id: QueryId) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        query.is_queued = false;
        query.reading = Some(Box::default());
        self.reads += 1;
        let unread = query.steps.iter().enumerate().filter(|(_, step)| step.is_unread());
        let unread: Vec<_> = unread.map(|(at, step)| (at, Arc::clone(&step.related))).collect();
        let place = (query.tenant.clone(), query.query.entity().clone());
        if let Some(entity) = self.entities.get_mut(&place) {
            entity.reading.push(id);
        }
        for (_, part) in query.parts.iter() {
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            if let Some(entity) = self.entities.get_mut(&place) {
                entity.reading_parts.push(part.id);
            }
        }
        let rows = query.extent.to_read();
        let asked = query.query.clone().with_rows(u32::try_from(rows).unwrap_or(u32::MAX - 1));
        let (store, events) = (self.store.clone(), self.events.clone());
        let tenant = query.tenant.clone();
        tokio::spawn(async move {
            let read = read(&store, &tenant, &asked, unread).await;
            events.send(Event::Told(Told::Rows(id, read))).ok();
        });
    }

    /// Puts the rows that were read in the place of those that are held, and takes in what changed meanwhile.
    pub(super) fn take_in_rows(&mut self, id: QueryId, read: Result<Read, ReadError>) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        let place = (query.tenant.clone(), query.query.entity().clone());
        let Noted { changes: noted, mut doubt } = *query.reading.take().unwrap_or_default();
        doubt.is_stale = true;
        for (_, part) in query.parts.iter() {
            let place = (query.tenant.clone(), part.include.query.entity().clone());
            if let Some(entity) = self.entities.get_mut(&place) {
                entity.reading_parts.retain(|reading| *reading != part.id);
            }
        }
        let Some(entity) = self.entities.get_mut(&place) else { return };
        entity.reading.retain(|reading| *reading != id);
        let Read { rows, more, seq, parts, known } = match read {
            Ok(read) => read,
            Err(error) => return self.end(id, &Refused::unreadable(&error)),
        };
        if let (true, Extent::All(most)) = (more, query.extent) {
            return self.end(id, &Refused::too_large(most));
        }
        for (step, keys) in known {
            if let Some(step) = query.steps.get_mut(step) {
                step.learn_all(keys);
            }
        }
        let before = query.bytes;
        let rows: Vec<Image> = rows.into_iter().filter_map(|row| Image::of_table(row, seq)).collect();
        query.bytes = rows.iter().map(Image::weight).sum::<usize>() + 2_048;
        query.read_at = seq;
        let new = match query.parts.is_empty() {
            true => Vec::new(),
            false => query.parts.learn_page(rows.iter(), parts, seq),
        };
        query.bytes += query.parts.weight();
        for (part, keys) in &mut doubt.lists {
            let part = query.parts.get(*part);
            keys.retain(|_, key| part.is_some_and(|part| part.knows(key)));
        }
        query.open_doubt().merge(doubt);
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
                if query.is_astray {
                    query.doubt_documents();
                }
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
        if query.is_in_doubt() {
            self.doubted.insert(id);
        } else {
            query.doubt = None;
        }
        let is_new = query.followers.is_empty();
        let read_again = std::mem::take(&mut query.read_again);
        query.is_astray &= read_again;
        if read_again {
            query.steps.iter_mut().for_each(Step::forget);
        }
        let again = read_again || query.answer.as_ref().is_some_and(Answer::runs_low);
        self.dirty.insert(id);
        self.weigh(id, before);
        self.enter_parts(id, &new);
        if is_new {
            self.tidy_parts(id);
        }
        if let Err(refused) = self.find_anew(id) {
            return self.end(id, &refused);
        }
        if again {
            self.start_reading(id);
        }
    }

    /// Has the log read for a subscription that comes back with what it had.
    pub(super) fn start_reading_log(&self, id: QueryId, subscription: Subscription, since: Seq) {
        let Some(query) = self.queries.get(&id) else { return };
        let (store, events, most) = (self.store.clone(), self.events.clone(), self.limits.resume);
        let (tenant, entity) = (query.tenant.clone(), query.query.entity().clone());
        let brought = query.parts.entities();
        tokio::spawn(async move {
            let log = match store.changed_since(since, most).await {
                Ok(Some((keys, upto))) => {
                    let of_tenant = keys.into_iter().filter(|key| key.tenant == tenant);
                    let mut ids: HashSet<Arc<str>> = HashSet::new();
                    let mut parts_changed = false;
                    for key in of_tenant {
                        // The log does not say which rows had brought it.
                        parts_changed |= brought.contains(&key.entity);
                        if key.entity == entity {
                            ids.insert(key.id.as_str().into());
                        }
                    }
                    (!parts_changed).then_some((ids, upto))
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

/// Reads the rows of a query, and for which values there are rows of other entities.
async fn read(
    store: &Store,
    tenant: &Tenant,
    query: &Query,
    unread: Vec<(usize, Arc<Related>)>,
) -> Result<Read, ReadError> {
    let mut known = Vec::with_capacity(unread.len());
    for (step, related) in unread {
        let rows = related_rows(store, tenant, &related.entity, related.filter.clone(), MOST_KEYS).await?;
        known.push((step, rows.map(|rows| rows.iter().map(|row| related.their_key(&row.cells)).collect())));
    }
    let page = store.select(tenant, query).await?;
    Ok(Read { rows: page.rows, more: page.cursor.is_some(), seq: page.seq, parts: page.parts, known })
}

/// The rows of an entity that meet a condition; nothing when they are more than `most`.
pub(super) async fn related_rows(
    store: &Store,
    tenant: &Tenant,
    entity: &EntityName,
    filter: Filter,
    most: u32,
) -> Result<Option<Vec<TableRow>>, ReadError> {
    let entity = store.entity(entity.as_str())?;
    let query = Query::of(&entity, QueryParts::default())
        .map_err(|_| ReadError::Internal("the query of all rows is wrong"))?;
    let page = store.select(tenant, &query.restricted_to(filter).with_rows(most)).await?;
    Ok(page.cursor.is_none().then_some(page.rows))
}
