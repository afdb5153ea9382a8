//! Who comes to follow an answer, and who goes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use corella_query::{Query, maintain::QueryId};
use corella_store::{SourceId, Store};
use corella_wire::{
    ErrorCode,
    control::{ErrorReply, ServerMessage, Since},
};
use sha2::{Digest as _, Sha256};

use super::{
    Interest, NewSubscription,
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
        let NewSubscription { outbox, reference, tenant, query, interest, since } = new;
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
        let identity = self.identity_of(&query, interest);
        let place = (tenant.clone(), identity);
        let id = match self.by_identity.get(&place) {
            Some(id) => *id,
            None => {
                let id = self.add(tenant, identity, query, interest)?;
                self.by_identity.insert(place, id);
                id
            }
        };
        if let Some(connection) = self.connections.get_mut(&source) {
            connection.subscriptions.insert(Arc::clone(&reference), id);
            connection.pending.insert(Arc::clone(&reference));
        }
        let kept = match since {
            // Rows of a query that was another one would show other columns.
            Some(since) if since.epoch == epoch_of(&self.store, &identity) => Kept::Unsure(since),
            Some(Since { .. }) | None => Kept::Nothing,
        };
        if let Some(query) = self.queries.get_mut(&id) {
            query.idle_since = None;
            query.waiting.push(Waiting { subscription: Subscription { source, reference }, kept });
        }
        self.dirty.insert(id);
        Ok(())
    }

    /// What a query asks for, under the manifest that is served.
    fn identity_of(&mut self, query: &Query, interest: Interest) -> Identity {
        let manifest = self.store.manifest();
        if !self.schema.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, &manifest)) {
            let fingerprint = manifest.fingerprint();
            self.schema = Some((manifest, fingerprint));
        }
        let schema = self.schema.as_ref().map_or("", |(_, fingerprint)| fingerprint);
        let more = match interest {
            Interest::Columns => "",
            Interest::Documents => " and documents",
        };
        Sha256::new().chain_update(schema).chain_update(query.identity()).chain_update(more).finalize().into()
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

/// The epoch of an answer: that of the database, and what tells the query from others. Whoever comes back after a
/// restore, with other rights or to another manifest has kept what would not fit what has changed since.
pub(super) fn epoch_of(store: &Store, identity: &Identity) -> String {
    let [a, b, c, d, e, f, ..] = identity;
    format!("{}.{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}", store.epoch())
}

/// Tells a connection that it does not follow a query, or no longer.
pub(super) fn refuse(outbox: &Outbox, reference: &str, Refused(code, detail): &Refused) {
    let mut reply = ErrorReply::new(*code, detail.clone());
    reply.reference = Some(reference.to_owned());
    outbox.push_text(ServerMessage::Error(reply).encode());
}
