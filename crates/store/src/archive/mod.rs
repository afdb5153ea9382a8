//! Rows as lines of text: what backups and exports are made of.
//!
//! A file has a header line, one line for each row, for each kept answer and for each account, and an end line, each a JSON object that
//! ends with a checksum of what stands before it (`docs/formats.md`). Nothing here knows files or compression.

mod encoding;
mod error;
mod line;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use error::ArchiveError;
pub use reader::{ArchiveReader, Piece};
pub use writer::ArchiveWriter;

use corella_manifest::Manifest;
use jiff::Timestamp;

use crate::port::{Moment, Seq};

/// What the first line of a file calls its format.
const FORMAT: &str = "corella-rows";
/// The version of the format that this Corella writes, and the last one that it reads.
const VERSION: u32 = 2;

/// What a file says of itself in its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveHeader {
    /// The app's name, as its manifest has it.
    pub app: String,
    /// The fingerprint of the manifest.
    pub fingerprint: String,
    /// The epoch of the database that it was taken from.
    pub epoch: String,
    /// The last change that it has.
    pub seq: Seq,
    /// When it was taken.
    pub at: Timestamp,
}

impl ArchiveHeader {
    /// The header of what is taken now.
    #[must_use]
    pub fn new(manifest: &Manifest, moment: &Moment) -> Self {
        Self {
            app: manifest.name.to_string(),
            fingerprint: manifest.fingerprint(),
            epoch: moment.epoch.clone(),
            seq: moment.seq,
            at: Timestamp::now(),
        }
    }
}

/// How many lines of each kind a file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ArchiveCounts {
    /// Rows.
    pub rows: u64,
    /// Kept answers.
    pub outcomes: u64,
    /// Accounts.
    pub accounts: u64,
}
