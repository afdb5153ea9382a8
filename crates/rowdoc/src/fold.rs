//! A snapshot and its tail as one new snapshot.

use std::sync::Arc;

use crate::{
    CorruptRow, PeerId, RowDoc, RowShape, Version,
    read::{self, Texts},
};

/// A new snapshot in the place of an old one and its tail.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The snapshot.
    pub snapshot: Vec<u8>,
    /// Its version.
    pub version: Version,
    /// Where its history starts; empty when it has all of it.
    pub history_start: Version,
}

/// Folds the tail into a new snapshot.
///
/// With `keep_from`, history before that version is left out, or before the last version up to there on which
/// everything later builds: what was written side by side stays together.
///
/// The new snapshot has been loaded again and compared with what it was made from, so that the old pieces
/// may go.
///
/// # Errors
/// [`CorruptRow`] when the stored bytes do not load, or the new snapshot does not read as they do; the old
/// pieces have to stay then.
pub fn merge_stored<B: AsRef<[u8]>>(
    shape: &Arc<RowShape>,
    snapshot: Option<&[u8]>,
    deltas: &[B],
    keep_from: Option<&Version>,
) -> Result<Folded, CorruptRow> {
    // Nothing is written, so that the peer id does not matter.
    let peer = PeerId(0);
    let row = RowDoc::load(Arc::clone(shape), peer, snapshot, deltas)?;
    let folded = match keep_from {
        Some(start) => row.snapshot_since(start),
        None => row.snapshot(),
    };
    let folded =
        folded.map_err(|fault| CorruptRow::Undecodable { piece: "tail", reason: fault.to_string() })?;
    let again = RowDoc::load(Arc::clone(shape), peer, Some(&folded), &[] as &[Vec<u8>])?;
    let version = row.version();
    if again.version() != version {
        return Err(CorruptRow::Unfaithful("version"));
    }
    if row.plain.is_some() {
        if row.plain != again.plain {
            return Err(CorruptRow::Unfaithful("value"));
        }
        return Ok(Folded { snapshot: folded, version, history_start: Version::empty() });
    }
    let value = |row: &RowDoc| row.vessel.with(|doc| read::whole(doc, Texts::Rich, &[]));
    if value(&row)?? != value(&again)?? {
        return Err(CorruptRow::Unfaithful("value"));
    }
    Ok(Folded { snapshot: folded, version, history_start: again.history_start() })
}
