//! Who has been let in to which rows, and when that has to be asked again.
//!
//! Whether somebody may see a row can change with the row itself, and with rows of other entities, such as memberships.
//! Each admission knows which. When one of them changes, the admission is put in doubt: before anything else is sent on
//! its connection, the policies are asked again, and whoever may not see the row any more is sent nothing of it, not
//! even what was queued before.

mod dependents;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corella_policy::Sources;
use corella_rowdoc::RowKey;
use corella_store::{Access, Committed, Question, SourceId, port::FollowedChange};
use corella_wire::{Magic, RoomName};
use dashmap::DashMap;

use self::dependents::Dependents;
use crate::outbox::Outbox;

/// A room that a connection has been let in to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pass {
    /// The row.
    pub key: RowKey,
    /// Of which kind the room is.
    pub magic: Magic,
    /// Under which name it was joined.
    pub room: RoomName,
}

/// One connection in one room.
struct Admission {
    outbox: Arc<Outbox>,
    pass: Arc<Pass>,
    access: Access,
    /// What the rules look at by which the row is read.
    sources: Arc<Sources>,
}

impl Admission {
    fn is(&self, source: SourceId, pass: &Pass) -> bool {
        self.outbox.source() == source && *self.pass == *pass
    }

    fn doubt(&self) {
        self.outbox.push_doubt(Arc::clone(&self.pass));
    }
}

/// Everybody who has been let in.
#[derive(Default)]
pub(crate) struct Admissions {
    /// A map of its own locks, each held for a look-up or a push, never across an await.
    rows: DashMap<RowKey, Vec<Admission>>,
    /// Who depends on which rows of other entities. A plain mutex, held for a look-up or a push.
    dependents: Mutex<Dependents>,
}

impl Admissions {
    fn dependents(&self) -> MutexGuard<'_, Dependents> {
        self.dependents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a connection is let in, and on what that depends; in the place of what was noted before.
    ///
    /// It is noted before memberships are looked up, so that no change of them falls between.
    pub(crate) fn enter(&self, outbox: &Arc<Outbox>, pass: &Arc<Pass>, access: Access, question: &Question) {
        self.leave(outbox.source(), pass);
        let admission = Admission {
            outbox: Arc::clone(outbox),
            pass: Arc::clone(pass),
            access,
            sources: Arc::new(question.sources().clone()),
        };
        self.rows.entry(pass.key.clone()).or_default().push(admission);
        let memberships = question.memberships();
        if !memberships.is_empty() {
            self.dependents().add(&pass.key.tenant, memberships, outbox, pass);
        }
    }

    pub(crate) fn leave(&self, source: SourceId, pass: &Pass) {
        let mut had_memberships = false;
        if let Some(mut admissions) = self.rows.get_mut(&pass.key) {
            admissions.retain(|admission| {
                let leaves = admission.is(source, pass);
                had_memberships |= leaves && !admission.sources.memberships.is_empty();
                !leaves
            });
        }
        self.rows.remove_if(&pass.key, |_, admissions| admissions.is_empty());
        if had_memberships {
            self.dependents().remove(source, pass);
        }
    }

    /// As whom a connection has been let in; nothing when it is not.
    pub(crate) fn access(&self, source: SourceId, pass: &Pass) -> Option<Access> {
        let admissions = self.rows.get(&pass.key)?;
        let admission = admissions.iter().find(|admission| admission.is(source, pass))?;
        Some(admission.access.clone())
    }

    /// Goes on with another access, which has to be asked about.
    pub(crate) fn renew(&self, source: SourceId, pass: &Pass, access: Access) {
        let Some(mut admissions) = self.rows.get_mut(&pass.key) else { return };
        if let Some(admission) = admissions.iter_mut().find(|admission| admission.is(source, pass)) {
            admission.access = access;
            admission.doubt();
        }
    }

    /// Puts in doubt whoever may have lost sight of a row by a change.
    pub(crate) fn committed(&self, Committed { event, .. }: &Committed) {
        if let Some(admissions) = self.rows.get(&event.key) {
            let is_new = event.before.is_none();
            for admission in admissions.iter().filter(|admission| admission.access.caller().is_some()) {
                let Sources { fields, time, .. } = &*admission.sources;
                if is_new || *time || event.change.liveness || !fields.is_disjoint(&event.change.fields) {
                    admission.doubt();
                }
            }
        }
        self.dependents().changed(event);
    }

    /// The same for a change of another server, of which only the row is known.
    pub(crate) fn changed_elsewhere(&self, change: &FollowedChange) {
        let key = &change.entry.key;
        if let Some(admissions) = self.rows.get(key) {
            admissions
                .iter()
                .filter(|admission| admission.access.caller().is_some())
                .for_each(Admission::doubt);
        }
        self.dependents().changed_somehow(&key.tenant, &key.entity);
    }

    /// Puts everybody in doubt.
    pub(crate) fn doubt_all(&self) {
        for admissions in &self.rows {
            admissions
                .iter()
                .filter(|admission| admission.access.caller().is_some())
                .for_each(Admission::doubt);
        }
    }
}
