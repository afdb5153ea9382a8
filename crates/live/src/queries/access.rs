//! Ending what somebody may not follow any more.
//!
//! A query is restricted to what its caller may see, memberships included: those that come and go move rows in and out, as
//! other conditions on rows of other entities do. Where the caller goes on as somebody else, all that its connection follows
//! ends; the client asks again, and is restricted anew.

use std::sync::Arc;

use corella_store::SourceId;
use corella_wire::ErrorCode;

use super::{
    registry::{Refused, Registry},
    subscribing::refuse,
};

impl Refused {
    /// The caller has other rights than those that its queries were asked with.
    fn rights_changed() -> Self {
        let detail = "what you may see may have changed; subscribe again";
        Self(ErrorCode::QueryEnded, detail.to_owned())
    }
}

impl Registry {
    /// Ends everything that a connection follows.
    pub(super) fn end_all_of_connection(&mut self, source: SourceId) {
        let Some(connection) = self.connections.get(&source) else { return };
        let outbox = Arc::clone(&connection.outbox);
        let references: Vec<Arc<str>> = connection.subscriptions.keys().cloned().collect();
        for reference in references {
            self.unsubscribe(source, &reference);
            refuse(&outbox, &reference, &Refused::rights_changed());
        }
    }
}
