//! A snapshot and its tail as one new snapshot.

use std::sync::Arc;

use crate::{
    CorruptRow, PeerId, RowDoc, RowShape, Version,
    read::{self, Texts},
};

/// Folds the tail into a new snapshot, and answers with it and its version.
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
) -> Result<(Vec<u8>, Version), CorruptRow> {
    // Nothing is written, so that the peer id does not matter.
    let peer = PeerId(0);
    let row = RowDoc::load(Arc::clone(shape), peer, snapshot, deltas)?;
    let folded = row
        .snapshot()
        .map_err(|fault| CorruptRow::Undecodable { piece: "tail", reason: fault.to_string() })?;
    let again = RowDoc::load(Arc::clone(shape), peer, Some(&folded), &[] as &[Vec<u8>])?;
    let version = row.version();
    if again.version() != version {
        return Err(CorruptRow::Unfaithful("version"));
    }
    let value = |row: &RowDoc| row.vessel.with(|doc| read::whole(doc, Texts::Rich, &[]));
    if value(&row)?? != value(&again)?? {
        return Err(CorruptRow::Unfaithful("value"));
    }
    Ok((folded, version))
}
