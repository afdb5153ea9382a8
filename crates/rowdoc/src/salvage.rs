//! Another document's stored pieces taken in, and what is sound of damaged ones.

use std::sync::Arc;

use loro::{LoroDoc, LoroError};

use crate::{
    Change, CorruptRow, PeerId, Refusal, RowDoc, RowShape, Version,
    fold::{Folded, merge_stored},
    import::import_refusal,
    plain::PlainRow,
};

impl RowDoc {
    /// Takes in the pieces of a document that was stored elsewhere: its snapshot, then its deltas.
    ///
    /// They are trusted as stored bytes are; client bytes go through [`RowDoc::import`]. What comes back names every
    /// field.
    ///
    /// # Errors
    /// [`Refusal`] when they do not decode or do not belong together. **Afterwards the document may hold some of
    /// them: drop it and load the row again.**
    pub fn merge<B: AsRef<[u8]>>(&mut self, pieces: &[B]) -> Result<Change, Refusal> {
        if let Some(plain) = &mut self.plain {
            let invalid = |error: CorruptRow| Refusal::InvalidUpdate { reason: error.to_string() };
            let change = plain.merge(PlainRow::load(None, pieces).map_err(invalid)?);
            let fields = (0..self.shape.fields().len()).collect();
            return Ok(if change.is_empty() { change } else { Change { fields, ..change } });
        }
        self.vessel.with(|doc| {
            for piece in pieces {
                match take_in(doc, piece.as_ref()) {
                    Taken::Whole => {}
                    Taken::Part => return Err(Refusal::MissingDependencies),
                    Taken::Nothing(error) => return Err(import_refusal(error)),
                }
            }
            Ok(())
        })??;
        let bytes = pieces.iter().map(|piece| piece.as_ref().len()).sum::<usize>();
        self.taken_in = self.taken_in.saturating_add(bytes);
        let fields = (0..self.shape.fields().len()).collect();
        Ok(Change { fields, liveness: true, open: self.shape.is_open(), ..Change::default() })
    }
}

enum Taken {
    Whole,
    /// Some of it builds on operations that are not there.
    Part,
    Nothing(LoroError),
}

fn take_in(doc: &LoroDoc, piece: &[u8]) -> Taken {
    match doc.import(piece) {
        Ok(status) if status.pending.as_ref().is_some_and(|pending| !pending.is_empty()) => Taken::Part,
        Ok(_) => Taken::Whole,
        Err(error) => Taken::Nothing(error),
    }
}

/// What could be saved of a damaged document.
#[derive(Debug)]
pub struct Salvage {
    /// All that is sound, as a new snapshot, which has been loaded again and compared.
    pub snapshot: Vec<u8>,
    /// Its version.
    pub version: Version,
    /// The pieces that are not, or not wholly, in it: their place among those that were given, and why.
    pub lost: Vec<(usize, String)>,
}

/// Makes a document of whatever loads of `pieces`: a snapshot first, where there is one, then deltas, oldest first.
///
/// Each piece carries a checksum of Loro's own, so that one whose bytes were changed does not load, and builds on
/// earlier ones, so that what follows a lost piece may be lost with it.
///
/// # Errors
/// [`CorruptRow`] when not even a document of no piece can be made; a defect.
pub fn salvage<B: AsRef<[u8]>>(shape: &Arc<RowShape>, pieces: &[B]) -> Result<Salvage, CorruptRow> {
    if shape.is_plain() {
        return Ok(salvage_plain(pieces));
    }
    // A piece that loads and then makes the document fail from within is left out, and the others tried again.
    let mut poisonous = Vec::new();
    loop {
        match attempt(shape, pieces, &poisonous) {
            Ok(salvage) => return Ok(salvage),
            Err(Failed { at: Some(place), .. }) => poisonous.push(place),
            Err(Failed { at: None, error }) => {
                let last = (0..pieces.len()).rev().find(|place| !poisonous.contains(place));
                poisonous.push(last.ok_or(error)?);
            }
        }
    }
}

/// Of a row that is no document, the last piece that is sound has all there is.
fn salvage_plain<B: AsRef<[u8]>>(pieces: &[B]) -> Salvage {
    let mut lost = Vec::new();
    let mut sound = PlainRow::default();
    for (place, piece) in pieces.iter().enumerate() {
        match PlainRow::read(piece.as_ref(), "piece") {
            Ok(row) => sound = row,
            Err(error) => lost.push((place, error.to_string())),
        }
    }
    Salvage { snapshot: sound.image(), version: sound.version(), lost }
}

struct Failed {
    /// The piece at which it failed, if it was one.
    at: Option<usize>,
    error: CorruptRow,
}

fn attempt<B: AsRef<[u8]>>(
    shape: &Arc<RowShape>,
    pieces: &[B],
    poisonous: &[usize],
) -> Result<Salvage, Failed> {
    let row = RowDoc::new(Arc::clone(shape), PeerId(0));
    let mut lost = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        if poisonous.contains(&place) {
            lost.push((place, "it makes the document fail from within".to_owned()));
            continue;
        }
        let taken = row.vessel.with(|doc| take_in(doc, piece.as_ref()));
        match taken.map_err(|_| Failed { at: Some(place), error: CorruptRow::Poisoned })? {
            Taken::Whole => {}
            Taken::Part => lost.push((place, "it builds on operations that are lost".to_owned())),
            Taken::Nothing(error) => lost.push((place, error.to_string())),
        }
    }
    let failed = |error| Failed { at: None, error };
    // Operations that build on lost ones wait in memory; they are in no snapshot.
    let snapshot = row
        .snapshot()
        .map_err(|fault| failed(CorruptRow::Undecodable { piece: "document", reason: fault.to_string() }))?;
    let Folded { snapshot, version, .. } =
        merge_stored(shape, Some(&snapshot), &[] as &[Vec<u8>], None).map_err(failed)?;
    Ok(Salvage { snapshot, version, lost })
}
