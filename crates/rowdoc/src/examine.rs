//! Bytes from outside, decoded where nothing is lost if that ends the process.

use loro::LoroDoc;

use crate::{
    Refusal,
    import::{Bounds, admit_form, import_refusal},
    read::{self, Texts},
    vessel::Vessel,
};

/// Decodes a client's update into an empty document and reads that: what Loro does badly, it does here.
///
/// Meant for a process that may die of it. What builds on operations that are not in the update is decoded only. An
/// update that is sound, and yet beyond a bound of [`crate::RowDoc::import`], is left to that to refuse.
///
/// # Errors
/// [`Refusal`] when the bytes are no update, or make Loro fail from within.
pub fn examine(update: &[u8]) -> Result<(), Refusal> {
    only_unsound(admit_form(update, Bounds::CLIENT).and_then(|()| decode(update)))
}

/// The same for bytes that a row was kept as, a snapshot or a delta, in a file from elsewhere.
///
/// # Errors
/// [`Refusal`] when the bytes are neither, or make Loro fail from within.
pub fn examine_kept(bytes: &[u8]) -> Result<(), Refusal> {
    only_unsound(decode(bytes))
}

fn only_unsound(outcome: Result<(), Refusal>) -> Result<(), Refusal> {
    match outcome {
        Err(refusal @ (Refusal::InvalidUpdate { .. } | Refusal::Poisoned)) => Err(refusal),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn decode(bytes: &[u8]) -> Result<(), Refusal> {
    let vessel = Vessel::bare();
    vessel.with(|doc: &LoroDoc| {
        doc.import(bytes).map_err(import_refusal)?;
        read::whole(doc, Texts::Plain, &[])?;
        Ok(())
    })?
}
