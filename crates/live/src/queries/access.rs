//! Ending what somebody may not follow any more.
//!
//! A query is restricted to what its caller may see. Where that was found out by rows of other entities, such as
//! memberships, a change of one of those rows ends it, before anything of the same commit is told; its client asks again,
//! and is restricted anew.

use std::sync::Arc;

use corella_manifest::{EntityName, Value};
use corella_query::{Filter, maintain::QueryId};
use corella_rowdoc::{Projection, Tenant};
use corella_store::{SourceId, port::Seq};
use corella_wire::ErrorCode;

use super::{
    Landed,
    registry::{Refused, Registry},
};

impl Refused {
    /// What somebody may see was found out by rows that have changed.
    pub(super) fn rights_changed() -> Self {
        let detail = "what you may see may have changed; subscribe again";
        Self(ErrorCode::QueryEnded, detail.to_owned())
    }
}

impl Registry {
    /// Ends the queries whose restriction depends on rows that have changed.
    pub(super) fn end_in_doubt(&mut self, changes: &[Landed]) {
        for change in changes {
            self.note_entity_change(&change.key.tenant, &change.key.entity, change.seq);
            let id = Value::Text(change.key.id.as_str().into());
            let before = change.before.as_ref().and_then(|row| cells(&id, row));
            let after = cells(&id, &change.after);
            let depends = |filter: &Filter| {
                let meets = |row: &Option<Vec<Value>>| row.as_ref().is_some_and(|row| filter.matches(row));
                meets(&before) || meets(&after)
            };
            self.end_dependents(&change.key.tenant, &change.key.entity, depends);
        }
    }

    /// The same when only the entity is known of a row that has changed.
    pub(super) fn end_in_doubt_about(&mut self, tenant: &Tenant, entity: &EntityName, seq: Seq) {
        self.note_entity_change(tenant, entity, seq);
        self.end_dependents(tenant, entity, |_| true);
    }

    /// Ends every query that depends on rows at all.
    pub(super) fn end_all_in_doubt(&mut self) {
        let all: Vec<QueryId> = self.dependents.values().flatten().copied().collect();
        for id in all {
            self.end(id, &Refused::rights_changed());
        }
    }

    fn end_dependents(&mut self, tenant: &Tenant, entity: &EntityName, depends: impl Fn(&Filter) -> bool) {
        if self.dependents.is_empty() {
            return;
        }
        let Some(queries) = self.dependents.get(&(tenant.clone(), entity.clone())) else { return };
        let in_doubt = |id: &&QueryId| {
            let memberships = self.queries.get(id).map(|query| &query.memberships);
            memberships.into_iter().flatten().any(|(of, filter)| of == entity && depends(filter))
        };
        let ended: Vec<QueryId> = queries.iter().filter(in_doubt).copied().collect();
        for id in ended {
            self.end(id, &Refused::rights_changed());
        }
    }

    fn note_entity_change(&mut self, tenant: &Tenant, entity: &EntityName, seq: Seq) {
        match self.last_changes.get_mut(&(tenant.clone(), entity.clone())) {
            Some(last) => *last = seq,
            None => drop(self.last_changes.insert((tenant.clone(), entity.clone()), seq)),
        }
    }

    /// Whether rows of these entities have changed since `seq`.
    pub(super) fn has_changed_since(
        &self,
        tenant: &Tenant,
        memberships: &[(EntityName, Filter)],
        seq: Seq,
    ) -> bool {
        let changed = |entity: &EntityName| self.last_changes.get(&(tenant.clone(), entity.clone()));
        memberships.iter().any(|(entity, _)| changed(entity).is_some_and(|last| *last > seq))
    }

    /// Ends everything that a connection follows.
    pub(super) fn end_all_of_connection(&mut self, source: SourceId) {
        let Some(connection) = self.connections.get(&source) else { return };
        let outbox = Arc::clone(&connection.outbox);
        let references: Vec<Arc<str>> = connection.subscriptions.keys().cloned().collect();
        for reference in references {
            self.unsubscribe(source, &reference);
            super::registry::refuse(&outbox, &reference, &Refused::rights_changed());
        }
    }
}

/// A row as filters see it; nothing when it is deleted.
fn cells(id: &Value, row: &Projection) -> Option<Vec<Value>> {
    (!row.deleted).then(|| std::iter::once(id).chain(&row.values).cloned().collect())
}
