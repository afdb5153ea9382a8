//! Updates whose operations could not be handed on.

use loro::{LoroDoc, VersionRange};

use crate::{Change, Refusal, RowDoc, Version, vessel::Vessel};

impl RowDoc {
    /// Takes in an update from a client as [`RowDoc::import`] does, for good: what the document would hand on of it can be
    /// taken in by others.
    ///
    /// Loro imports some updates of which it then exports what nobody can import, and reads them all the same. The shapes of
    /// declared fields leave no room for those; where any container may be, the export is decoded once more.
    ///
    /// # Errors
    /// As [`RowDoc::import`], and [`Refusal::InvalidUpdate`] when the update cannot be handed on. **Afterwards the document may
    /// hold the refused operations.**
    pub fn import_for_good(&mut self, update: &[u8]) -> Result<Change, Refusal> {
        if !self.shape.is_open() {
            return self.import(update);
        }
        let before = self.version();
        let change = self.import(update)?;
        let after = self.version();
        if after == before {
            return Ok(change);
        }
        let handed_on = self.export_since(&before).map_err(|_| self.poisoned())?;
        if reached(&before, &handed_on).as_ref() == Some(&after) {
            return Ok(change);
        }
        let reason = "its operations cannot be handed on to others".to_owned();
        Err(Refusal::InvalidUpdate { reason })
    }
}

/// The version that a replica at `before` would have with `update`; nothing when it cannot take it in.
fn reached(before: &Version, update: &[u8]) -> Option<Version> {
    let ends = |range: &VersionRange| range.iter().map(|(peer, (_, end))| (*peer, *end)).collect();
    let brought = Vessel::bare().with(|doc: &LoroDoc| {
        let status = doc.import(update).ok()?;
        // What builds on operations from before waits for them here.
        let mut brought = Version::from_vector(ends(&status.success));
        if let Some(pending) = &status.pending {
            brought.merge(&Version::from_vector(ends(pending)));
        }
        Some(brought)
    });
    let mut reached = before.clone();
    reached.merge(&brought.ok()??);
    Some(reached)
}
