//! Updates whose operations could not be handed on.

use loro::{LoroDoc, VersionRange};

use crate::{Change, Part, Refusal, RowDoc, Version, vessel::Vessel};

/// Bytes up to which what was handed on is kept: what is typed, not what is pasted.
const SMALL: usize = 4 * 1024;

/// What a document hands on to a replica at one version, which has then come to another.
pub(crate) struct HandedOn {
    pub(crate) from: Version,
    pub(crate) to: Version,
    pub(crate) update: Vec<u8>,
}

impl RowDoc {
    /// Takes in an update from a client as [`RowDoc::import`] does, for good: what the document hands on of it, to the database
    /// and to others, leads them to the same version.
    ///
    /// Loro imports some updates of which it then exports what nobody can import, or fewer operations than its version counts,
    /// and reads them all the same. So the export is compared with the update, and decoded once more where it differs, as it
    /// seldom does.
    ///
    /// # Errors
    /// As [`RowDoc::import`], and [`Refusal::InvalidUpdate`] when the update cannot be handed on. **Afterwards the document may
    /// hold the refused operations.**
    pub fn import_for_good(&mut self, update: &[u8]) -> Result<Change, Refusal> {
        let before = self.version();
        let change = self.import(update)?;
        self.hands_on(&before, |handed_on| handed_on == update)?;
        Ok(change)
    }

    /// Takes in several updates as [`RowDoc::import_together`] does, for good.
    ///
    /// # Errors
    /// As [`RowDoc::import_together`].
    pub fn import_together_for_good(&mut self, updates: &[&[u8]]) -> Result<(Change, Vec<Part>), Refusal> {
        let before = self.version();
        let taken = self.import_together(updates)?;
        self.hands_on(&before, |_| false)?;
        Ok(taken)
    }

    /// Holds what the document hands on to a replica at `before` against what it has, unless `is_sound` knows it to be that.
    fn hands_on(&mut self, before: &Version, is_sound: impl FnOnce(&[u8]) -> bool) -> Result<(), Refusal> {
        let after = self.version();
        if after == *before {
            return Ok(());
        }
        let handed_on = self.export_since(before).map_err(|_| self.poisoned())?;
        if is_sound(&handed_on) || reached(before, &handed_on).as_ref() == Some(&after) {
            let is_small = handed_on.len() <= SMALL;
            self.handed_on =
                is_small.then(|| HandedOn { from: before.clone(), to: after, update: handed_on });
            return Ok(());
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
