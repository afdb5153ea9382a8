//! Bytes from outside, decoded where nothing is lost if that ends the process.

use loro::{ImportStatus, LoroDoc, VersionRange};

use crate::{
    Refusal,
    import::{Bounds, admit_form, check_count, import_refusal, is_small},
    read::{self, Texts},
    vessel::Vessel,
};

/// Decodes a client's update into an empty document and reads that: what Loro does badly, it does here.
///
/// Meant for a process that may die of it. What builds on operations that are not in the update is decoded only. An
/// update that is sound, and yet beyond a bound of [`crate::RowDoc::import`], is left to that to refuse, unless it is
/// so small that it would be merged before it is counted.
///
/// # Errors
/// [`Refusal`] when the bytes are no update, make Loro fail from within, or are small and bring too many operations.
pub fn examine(update: &[u8]) -> Result<(), Refusal> {
    let bounds = Bounds::CLIENT;
    let status = match only_unsound(admit_form(update, bounds).and_then(|()| decode(update)))? {
        Some(status) if is_small(update) => status,
        Some(_) | None => return Ok(()),
    };
    let brought = status.success.iter().chain(status.pending.iter().flat_map(VersionRange::iter));
    check_count(brought.map(|(_, ends)| *ends), bounds)
}

/// The same for bytes that a row was kept as, a snapshot or a delta, in a file from elsewhere.
///
/// # Errors
/// [`Refusal`] when the bytes are neither, or make Loro fail from within.
pub fn examine_kept(bytes: &[u8]) -> Result<(), Refusal> {
    only_unsound(decode(bytes)).map(drop)
}

fn only_unsound(outcome: Result<ImportStatus, Refusal>) -> Result<Option<ImportStatus>, Refusal> {
    match outcome {
        Err(refusal @ (Refusal::InvalidUpdate { .. } | Refusal::Poisoned)) => Err(refusal),
        Ok(status) => Ok(Some(status)),
        Err(_) => Ok(None),
    }
}

fn decode(bytes: &[u8]) -> Result<ImportStatus, Refusal> {
    let vessel = Vessel::bare();
    vessel.with(|doc: &LoroDoc| {
        let status = doc.import(bytes).map_err(import_refusal)?;
        read::whole(doc, Texts::Plain, &[])?;
        Ok(status)
    })?
}
