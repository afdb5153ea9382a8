//! Bytes from clients, and the gates that they pass.

use std::panic::catch_unwind;

use loro::{ImportStatus, LoroDoc, LoroError};

use crate::{Change, PeerId, Refusal, RowDoc, Version, check, joined::join, read::MOST_LEVELS};

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

/// Bytes up to which an update's operations are counted when they are in: counting them before means to decode it
/// twice, and so few bytes bring many only by deleting much, or by what the guards refuse.
const SMALL: usize = 4 * 1024;

/// What every Loro blob starts with.
pub(crate) const MAGIC: &[u8] = b"loro";
/// About what an update has beside its values; a new character comes in some 90 bytes.
const ENVELOPE: usize = 90;
/// Where the mode stands, after the magic and the checksum.
pub(crate) const MODE_AT: std::ops::Range<usize> = 20..22;
const MODE_SNAPSHOT: [u8; 2] = [0, 3];
pub(crate) const MODE_UPDATES: [u8; 2] = [0, 4];

/// One of several updates that were taken in as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The fields that it may have changed, and the peers of whose operations it brought some that were new.
    pub change: Change,
    /// What of a replica it leads to: each peer's operations up to the last that it has.
    pub reached: Version,
}

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
        let bounds = self.bounds()?;
        admit(update, bounds)?;
        self.bring_in(update, bounds)
    }

    /// Takes in several updates as one, which Loro merges once: merging takes it the longer the more was written side by
    /// side, not the more there is to be merged.
    ///
    /// What comes back names the fields that all of them may have changed together, and what each of them brought; who
    /// deleted or restored the row is not told.
    ///
    /// # Errors
    /// As [`RowDoc::import`], without saying whose fault it is: **drop the document**, load the row again, and
    /// take them in one by one.
    pub fn import_together(&mut self, updates: &[&[u8]]) -> Result<(Change, Vec<Part>), Refusal> {
        let bounds = self.bounds()?;
        let spans = updates.iter().map(|update| admit_form(update, bounds).and_then(|()| spans(update)));
        let spans: Vec<Vec<Span>> = spans.collect::<Result<_, _>>()?;
        let before = self.version();
        let change = self.bring_in(&join(updates), bounds)?;
        let parts = spans.iter().map(|spans| Part::of(spans, &before, &change)).collect();
        Ok((change, parts))
    }

    /// What a client may send to such a row.
    fn bounds(&self) -> Result<Bounds, Refusal> {
        if self.plain.is_some() {
            return Err(Refusal::NoDocument { entity: self.shape.entity().clone() });
        }
        Ok(Bounds::CLIENT)
    }

    /// Merges what has passed the gates that need no document, and checks where it has landed.
    fn bring_in(&mut self, update: &[u8], bounds: Bounds) -> Result<Change, Refusal> {
        let shape = &*self.shape;
        let change = self.vessel.with(|doc| {
            let before = check::Before::of(doc);
            let status = doc.import(update).map_err(import_refusal)?;
            if has_pending(&status) {
                return Err(Refusal::MissingDependencies);
            }
            check_count(status.success.iter().map(|(_, ends)| *ends), bounds)?;
            check::check(doc, shape, &before, &status, bounds.levels)
        })??;
        self.taken_in = self.taken_in.saturating_add(update.len().saturating_sub(ENVELOPE));
        Ok(change)
    }
}

impl Part {
    fn of(spans: &[Span], before: &Version, change: &Change) -> Self {
        let reached: Version = spans.iter().map(|(peer, (_, end))| (*peer, *end)).collect();
        let new = reached.since(before);
        let mut own = Change::default();
        for (peer, _) in new.ends() {
            if let Some(fields) = change.peers.get(&peer) {
                own.fields.extend(fields);
                own.peers.insert(peer, fields.clone());
            }
        }
        Self { change: own, reached }
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

/// The gates that need no document: kind, size, and the count of what is not [`SMALL`].
fn admit(update: &[u8], bounds: Bounds) -> Result<(), Refusal> {
    admit_form(update, bounds)?;
    if is_small(update) {
        return Ok(());
    }
    check_count(spans(update)?.into_iter().map(|(_, ends)| ends), bounds)
}

/// Whether an update is counted only when it is in.
pub(crate) fn is_small(update: &[u8]) -> bool {
    update.len() <= SMALL
}

/// Operations of a peer, from the first to before the last.
type Span = (PeerId, (i32, i32));

/// The operations that an update brings.
fn spans(update: &[u8]) -> Result<Vec<Span>, Refusal> {
    // A panic here harms no document: none is in play yet.
    let meta = catch_unwind(|| LoroDoc::decode_import_blob_meta(update, true))
        .map_err(|_| invalid("it fails to decode"))?
        .map_err(import_refusal)?;
    let start = |peer| meta.partial_start_vv.get(peer).copied().unwrap_or(0);
    Ok(meta.partial_end_vv.iter().map(|(peer, end)| (PeerId(*peer), (start(peer), *end))).collect())
}

/// The gate for how many operations an update brings, which are those from a start to before an end.
pub(crate) fn check_count(spans: impl Iterator<Item = (i32, i32)>, bounds: Bounds) -> Result<(), Refusal> {
    let found = spans
        .map(|(start, end)| u64::try_from(i64::from(end) - i64::from(start)).unwrap_or(0))
        .fold(0, u64::saturating_add);
    if found > bounds.operations {
        return Err(Refusal::TooManyOperations { most: bounds.operations, found });
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
