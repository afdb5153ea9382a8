//! Who comes to follow an answer, and who goes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use corella_query::maintain::QueryId;
use corella_store::SourceId;
use corella_wire::{
    ErrorCode,
    control::{ErrorReply, ServerMessage, Since},
};
use sha2::{Digest as _, Sha256};

use super::{
    NewSubscription,
    query::{Identity, Kept, Subscription, Waiting},
    registry::{Connection, Refused, Registry},
};
use crate::outbox::Outbox;

impl Registry {
    pub(super) fn subscribe(&mut self, new: NewSubscription) {
        let outbox = Arc::clone(&new.outbox);
        let reference = new.reference.clone();
        if let Err(refused) = self.try_subscribe(new) {
            refuse(&outbox, &reference, &refused);
        }
    }

    fn try_subscribe(&mut self, new: NewSubscription) -> Result<(), Refused> {
        let NewSubscription { outbox, reference, tenant, query, since } = new;
        let reference: Arc<str> = reference.into();
        let source = outbox.source();
        let most = self.limits.subscriptions;
        let connection = self.connections.entry(source).or_insert_with(|| Connection {
            outbox,
            subscriptions: HashMap::new(),
            pending: HashSet::new(),
        });
        if connection.subscriptions.contains_key(&reference) {
            let detail =
                format!("expected a ref of its own for each query, found {reference:?} a second time");
            return Err(Refused(ErrorCode::InvalidValue, detail));
        }
        if connection.subscriptions.len() >= most {
            let detail = format!("expected at most {most} live queries on one connection; end some first");
            return Err(Refused(ErrorCode::TooManyQueries, detail));
        }
        let identity: Identity = Sha256::digest(query.identity()).into();
        let place = (tenant.clone(), identity);
        let id = match self.by_identity.get(&place) {
            Some(id) => *id,
            None => {
                let id = self.add(tenant, identity, query)?;
                self.by_identity.insert(place, id);
                id
            }
        };
        if let Some(connection) = self.connections.get_mut(&source) {
            connection.subscriptions.insert(Arc::clone(&reference), id);
            connection.pending.insert(Arc::clone(&reference));
        }
        let has_no_parts = self.queries.get(&id).is_some_and(|query| query.parts.is_empty());
        let kept = match since {
            // What its rows bring with them is in no log of its entity.
            Some(since) if since.epoch == self.store.epoch() && has_no_parts => Kept::Unsure(since),
            Some(Since { .. }) | None => Kept::Nothing,
        };
        if let Some(query) = self.queries.get_mut(&id) {
            query.idle_since = None;
            query.waiting.push(Waiting { subscription: Subscription { source, reference }, kept });
        }
        self.dirty.insert(id);
        Ok(())
    }

    pub(super) fn unsubscribe(&mut self, source: SourceId, reference: &str) {
        let Some(connection) = self.connections.get_mut(&source) else { return };
        let Some((reference, query)) = connection.subscriptions.remove_entry(reference) else { return };
        connection.pending.remove(&reference);
        if connection.subscriptions.is_empty() {
            self.connections.remove(&source);
        }
        self.part(query, &Subscription { source, reference });
    }

    /// Takes a subscription out of its query, which is idle when that was the last one.
    pub(super) fn part(&mut self, id: QueryId, subscription: &Subscription) {
        let Some(query) = self.queries.get_mut(&id) else { return };
        query.followers.retain(|follower| follower.subscription != *subscription);
        query.waiting.retain(|waiting| waiting.subscription != *subscription);
        if query.followers.is_empty() && query.waiting.is_empty() {
            let now = Instant::now();
            query.idle_since = Some(now);
            self.idle.push_back((now, id));
        }
    }
}

/// Tells a connection that it does not follow a query, or no longer.
pub(super) fn refuse(outbox: &Outbox, reference: &str, Refused(code, detail): &Refused) {
    let mut reply = ErrorReply::new(*code, detail.clone());
    reply.reference = Some(reference.to_owned());
    outbox.push_text(ServerMessage::Error(reply).encode());
}
