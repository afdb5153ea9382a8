//! Which fields a change touched.

use std::collections::{BTreeMap, BTreeSet};

use crate::PeerId;

/// What an import or a patch changed in a row's values.
///
/// It may name more than what differs in the end, never less. Operations that change no value, such as an
/// edit of a paragraph that somebody else removed, leave it empty: whether a document has new operations is
/// told by its version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Where in the shape's fields the changed ones stand.
    pub fields: BTreeSet<usize>,
    /// Whether the row was deleted or restored.
    pub liveness: bool,
    /// Whether the whole value of an open entity's row changed.
    pub open: bool,
    /// The peers whose operations came as bytes and were new, each with the fields that its own may have changed; they are
    /// no part of what changed.
    pub peers: BTreeMap<PeerId, BTreeSet<usize>>,
}

impl Change {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && !self.liveness && !self.open
    }

    /// Takes in what another change touched.
    pub fn merge(&mut self, other: &Self) {
        self.fields.extend(&other.fields);
        self.liveness |= other.liveness;
        self.open |= other.open;
        for (peer, fields) in &other.peers {
            self.peers.entry(*peer).or_default().extend(fields);
        }
    }
}
