//! Bytes from clients, decoded where nothing is lost if that ends the process.

use loro::{ExportMode, LoroDoc};

use crate::{
    PeerId, Refusal,
    import::{Bounds, admit, import_refusal},
    read::{self, Texts},
    vessel::Vessel,
};

/// Decodes an update into an empty document, reads that, and exports it again: what Loro does badly, it does here.
///
/// Meant for a process that may die of it. What builds on operations that are not in the update is decoded only. An
/// update that is sound, and yet beyond a bound of [`crate::RowDoc::import`], is left to that to refuse.
///
/// # Errors
/// [`Refusal`] when the bytes are no update, or make Loro fail from within.
pub fn examine(update: &[u8]) -> Result<(), Refusal> {
    match decode(update) {
        Err(refusal @ (Refusal::InvalidUpdate { .. } | Refusal::Poisoned)) => Err(refusal),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn decode(update: &[u8]) -> Result<(), Refusal> {
    admit(update, Bounds::CLIENT)?;
    let vessel = Vessel::new(PeerId(0));
    vessel.with(|doc: &LoroDoc| {
        doc.import(update).map_err(import_refusal)?;
        read::whole(doc, Texts::Rich, &[])?;
        doc.export(ExportMode::all_updates())
            .map_err(|error| Refusal::InvalidUpdate { reason: error.to_string() })?;
        Ok(())
    })?
}
