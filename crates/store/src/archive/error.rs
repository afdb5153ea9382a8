//! Why a file of rows cannot be read.

use std::io;

use super::{FORMAT, VERSION};

/// What is wrong with a file of rows, and in which line; the first line is 1.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The bytes themselves do not come.
    #[error("line {line} cannot be read")]
    Read {
        /// The line.
        line: u64,
        /// What the operating system or the decompression said.
        source: io::Error,
    },
    /// The first line is no header.
    #[error("expected a file of rows, whose first line says \"format\":\"{FORMAT}\"; {found}")]
    NoArchive {
        /// What came instead.
        found: String,
    },
    /// A newer Corella wrote it.
    #[error(
        "the file was written by a newer Corella (format version {found}, this binary knows {VERSION}); use that one"
    )]
    Newer {
        /// The version in the file.
        found: u32,
    },
    /// One line is not right; the next ones may be.
    #[error("line {line}: expected {expected}, found {found}")]
    Line {
        /// The line.
        line: u64,
        /// What was expected.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// The file ends before its end line.
    #[error("the file is cut off after line {line}: expected more rows or the end line, found neither")]
    CutOff {
        /// The last whole line.
        line: u64,
    },
    /// The lines are not those that were written.
    #[error("line {line}, the end line, speaks of {expected}, but {found} came; lines are lost or changed")]
    Differs {
        /// The line.
        line: u64,
        /// What the end line says.
        expected: String,
        /// What was counted.
        found: String,
    },
}
