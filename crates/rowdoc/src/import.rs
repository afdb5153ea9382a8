//! Bytes from clients, and the gates that they pass.

use std::panic::catch_unwind;

use loro::{ImportStatus, LoroDoc, LoroError};

use crate::{Change, PeerId, Refusal, RowDoc, check, read::MOST_LEVELS};

/// How much one update may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most bytes of one update.
    pub update_bytes: usize,
    /// Most operations of one update; each character of a text is one.
    pub operations: u64,
    /// Most levels of containers and plain values in one another.
    pub levels: usize,
}

impl Bounds {
    /// What a client may send.
    pub const CLIENT: Self = Self { update_bytes: 16 << 20, operations: 1_000_000, levels: MOST_LEVELS };
}

/// What every Loro blob starts with.
const MAGIC: &[u8] = b"loro";
/// About what an update has beside its values; a new character comes in some 90 bytes.
const ENVELOPE: usize = 90;
/// Where the mode stands, after the magic and the checksum.
const MODE_AT: std::ops::Range<usize> = 20..22;
const MODE_SNAPSHOT: [u8; 2] = [0, 3];
const MODE_UPDATES: [u8; 2] = [0, 4];

impl RowDoc {
    /// Takes in an update from a client.
    ///
    /// Operations that the document has already change nothing. What comes back names the fields that may
    /// have changed.
    ///
    /// # Errors
    /// [`Refusal`] says which gate the update did not pass. **Afterwards the document may hold the refused
    /// operations: drop it and load the row again.** The operations stay in the client's document as well,
    /// which has to be told to discard them.
    pub fn import(&mut self, update: &[u8]) -> Result<Change, Refusal> {
        if self.plain.is_some() {
            return Err(Refusal::NoDocument { entity: self.shape.entity().clone() });
        }
        let bounds = Bounds::CLIENT;
        admit(update, bounds)?;
        let shape = &*self.shape;
        let change = self.vessel.with(|doc| {
            let before = check::Before::of(doc);
            let status = doc.import(update).map_err(import_refusal)?;
            if has_pending(&status) {
                return Err(Refusal::MissingDependencies);
            }
            let mut change = check::check(doc, shape, &before, &status, bounds.levels)?;
            change.peers = status.success.iter().map(|(peer, _)| PeerId(*peer)).collect();
            Ok(change)
        })??;
        self.taken_in = self.taken_in.saturating_add(update.len().saturating_sub(ENVELOPE));
        Ok(change)
    }
}

/// The gates that look at an update from without: size and kind.
pub(crate) fn admit_form(update: &[u8], bounds: Bounds) -> Result<(), Refusal> {
    if update.len() > bounds.update_bytes {
        return Err(Refusal::TooLarge { most: bounds.update_bytes, found: update.len() });
    }
    if !update.starts_with(MAGIC) {
        return Err(invalid("it does not start as one"));
    }
    match update.get(MODE_AT) {
        Some(mode) if mode == MODE_UPDATES => Ok(()),
        Some(mode) if mode == MODE_SNAPSHOT => Err(Refusal::SnapshotRefused),
        Some(_) => Err(invalid("its mode is unknown")),
        None => Err(invalid("it ends within its header")),
    }
}

fn invalid(reason: &str) -> Refusal {
    Refusal::InvalidUpdate { reason: reason.into() }
}

/// The gates that need no document: kind, size, count.
fn admit(update: &[u8], bounds: Bounds) -> Result<(), Refusal> {
    admit_form(update, bounds)?;
    // A panic here harms no document: none is in play yet.
    let meta = catch_unwind(|| LoroDoc::decode_import_blob_meta(update, true))
        .map_err(|_| invalid("it fails to decode"))?
        .map_err(import_refusal)?;
    let operations = meta
        .partial_end_vv
        .iter()
        .map(|(peer, end)| {
            let start = meta.partial_start_vv.get(peer).copied().unwrap_or(0);
            u64::try_from(i64::from(*end) - i64::from(start)).unwrap_or(0)
        })
        .fold(0, u64::saturating_add);
    if operations > bounds.operations {
        return Err(Refusal::TooManyOperations { most: bounds.operations, found: operations });
    }
    Ok(())
}

fn has_pending(status: &ImportStatus) -> bool {
    status.pending.as_ref().is_some_and(|pending| !pending.is_empty())
}

pub(crate) fn import_refusal(error: LoroError) -> Refusal {
    if error == LoroError::ImportUpdatesThatDependsOnOutdatedVersion {
        return Refusal::HistoryTrimmed;
    }
    Refusal::InvalidUpdate { reason: error.to_string() }
}
