//! Writing a file of rows.

use std::io::{self, Write};

use serde_json::{Map, Value as Json};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    ArchiveCounts, ArchiveHeader,
    encoding::Hex,
    line::{AccountLine, EndLine, HeaderLine, Line, OutcomeLine, RowLine},
};
use crate::port::{Account, KeptOutcome, KeptRow};

/// What stands between a line's contents and its checksum.
pub(super) const SEAM: &str = ",\"checksum\":\"";
/// What ends a line.
pub(super) const TAIL: &str = "\"}";

/// Writes rows, one line each.
pub struct ArchiveWriter<W> {
    output: W,
    lines: Xxh3,
    counts: ArchiveCounts,
}

impl<W: Write> ArchiveWriter<W> {
    /// Starts a file with its header.
    ///
    /// # Errors
    /// When `output` does not take it.
    pub fn new(output: W, header: &ArchiveHeader) -> io::Result<Self> {
        let mut writer = Self { output, lines: Xxh3::new(), counts: ArchiveCounts::default() };
        writer.line(&Line::Header(HeaderLine::from(header)))?;
        Ok(writer)
    }

    /// Writes a row as it lies, and its fields for the reader's eye.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn row(&mut self, row: &KeptRow, fields: Option<Map<String, Json>>) -> io::Result<()> {
        let mut line = RowLine::from(row);
        line.fields = fields;
        self.counts.rows += 1;
        self.line(&Line::Row(Box::new(line)))
    }

    /// Writes a kept answer.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn outcome(&mut self, outcome: &KeptOutcome) -> io::Result<()> {
        self.counts.outcomes += 1;
        self.line(&Line::Outcome(OutcomeLine::from(outcome)))
    }

    /// Writes an account.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn account(&mut self, account: &Account) -> io::Result<()> {
        self.counts.accounts += 1;
        self.line(&Line::Account(AccountLine::from(account)))
    }

    /// Writes the end line; without it the file is recognised as cut off.
    ///
    /// # Errors
    /// When the output does not take it.
    pub fn finish(mut self) -> io::Result<(W, ArchiveCounts)> {
        let ArchiveCounts { rows, outcomes, accounts } = self.counts;
        let lines = Hex(self.lines.digest());
        self.line(&Line::End(EndLine { rows, outcomes, accounts, lines }))?;
        self.output.flush()?;
        Ok((self.output, self.counts))
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        // The closing brace makes room for the checksum.
        text.pop();
        let checksum = Hex(xxh3_64(&text));
        text.extend_from_slice(format!("{SEAM}{checksum}{TAIL}\n").as_bytes());
        self.lines.update(&text);
        self.output.write_all(&text)
    }
}
