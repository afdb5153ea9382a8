//! Reading a file of rows.

use std::io::{BufRead, Read as _};

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::{
    ArchiveCounts, ArchiveError, ArchiveHeader, FORMAT, VERSION,
    encoding::Hex,
    line::{EndLine, Line},
    writer::{SEAM, TAIL},
};
use crate::port::{Account, KeptOutcome, KeptRow};

/// Longest line that is read: far more than any row, and an end to a file that has no lines.
const LONGEST: u64 = 2 << 30;
/// How much of a wrong line is shown.
const SHOWN: usize = 60;

/// One line of a file of rows, after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A row.
    Row(KeptRow),
    /// A kept answer.
    Outcome(KeptOutcome),
    /// An account.
    Account(Account),
    /// The end line, which fits all that came.
    End(ArchiveCounts),
}

/// Reads rows, one line at a time.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    input: R,
    header: ArchiveHeader,
    line: u64,
    lines: Hash,
    counts: ArchiveCounts,
    /// Lines that were wrong, and are missing from the counts.
    wrong: u64,
}

/// The running checksum.
struct Hash(Xxh3);

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0.digest())
    }
}

impl<R: BufRead> ArchiveReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ArchiveError`] when there is none, or that of a newer format.
    pub fn new(input: R) -> Result<Self, ArchiveError> {
        let header = ArchiveHeader {
            app: String::new(),
            fingerprint: String::new(),
            epoch: String::new(),
            seq: crate::port::Seq::ZERO,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let lines = Hash(Xxh3::new());
        let mut reader = Self { input, header, line: 0, lines, counts: ArchiveCounts::default(), wrong: 0 };
        reader.header = reader.read_header()?;
        Ok(reader)
    }

    fn read_header(&mut self) -> Result<ArchiveHeader, ArchiveError> {
        let no_archive = |found: &str| ArchiveError::NoArchive { found: found.to_owned() };
        let text = match self.read_line() {
            Ok(Some(text)) => text,
            Ok(None) => return Err(no_archive("found no whole line")),
            Err(error) => return Err(error),
        };
        // A newer header may have another shape; its version is told before that matters.
        let version = serde_json::from_slice::<serde_json::Value>(&text)
            .ok()
            .filter(|header| header["kind"] == "header" && header["format"] == FORMAT)
            .and_then(|header| header["version"].as_u64())
            .ok_or_else(|| no_archive(&format!("the first line is {}", shown(&text))))?;
        if version > u64::from(VERSION) {
            return Err(ArchiveError::Newer { found: u32::try_from(version).unwrap_or(u32::MAX) });
        }
        match self.parse(&text)? {
            Line::Header(header) => Ok(header.into()),
            Line::Row(_) | Line::Outcome(_) | Line::Account(_) | Line::End(_) => {
                Err(no_archive("the first line is none"))
            }
        }
    }

    /// What the file says of itself.
    #[must_use]
    pub fn header(&self) -> &ArchiveHeader {
        &self.header
    }

    /// The number of the line that was read last.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Reads the next line.
    ///
    /// # Errors
    /// [`ArchiveError`] says what is wrong. After [`ArchiveError::Line`] the next call reads the next line; then the
    /// end line is not compared with what came.
    pub fn next_piece(&mut self) -> Result<Piece, ArchiveError> {
        let before = self.lines.0.digest();
        let Some(text) = self.read_line()? else { return Err(ArchiveError::CutOff { line: self.line }) };
        let piece = self.piece(&text, before);
        if matches!(piece, Err(ArchiveError::Line { .. })) {
            self.wrong += 1;
        }
        piece
    }

    fn piece(&mut self, text: &[u8], before: u64) -> Result<Piece, ArchiveError> {
        match self.parse(text)? {
            Line::Row(row) => {
                let row = row.into_row().map_err(|found| self.wrong("the names of a row", found))?;
                self.counts.rows += 1;
                Ok(Piece::Row(row))
            }
            Line::Outcome(outcome) => {
                self.counts.outcomes += 1;
                Ok(Piece::Outcome(outcome.into()))
            }
            Line::Account(account) => {
                self.counts.accounts += 1;
                Ok(Piece::Account(account.into()))
            }
            Line::End(end) => self.end(&end, before).map(Piece::End),
            Line::Header(_) => Err(self.wrong("a row or the end line", "a second header".into())),
        }
    }

    fn end(&mut self, end: &EndLine, before: u64) -> Result<ArchiveCounts, ArchiveError> {
        let told = |counts: ArchiveCounts, lines: Hex| {
            format!(
                "{} rows, {} answers and {} accounts with the checksum {lines}",
                counts.rows, counts.outcomes, counts.accounts
            )
        };
        let expected = ArchiveCounts { rows: end.rows, outcomes: end.outcomes, accounts: end.accounts };
        if self.wrong == 0 && (expected != self.counts || end.lines != Hex(before)) {
            return Err(ArchiveError::Differs {
                line: self.line,
                expected: told(expected, end.lines),
                found: told(self.counts, Hex(before)),
            });
        }
        if self.read_line()?.is_some() {
            return Err(self.wrong("nothing after the end line", "another line".into()));
        }
        Ok(self.counts)
    }

    fn wrong(&self, expected: &'static str, found: String) -> ArchiveError {
        ArchiveError::Line { line: self.line, expected, found }
    }

    /// The next line without its line feed; nothing at the end, and nothing for half a line.
    fn read_line(&mut self) -> Result<Option<Vec<u8>>, ArchiveError> {
        let mut text = Vec::new();
        let line = self.line + 1;
        let read = (&mut self.input).take(LONGEST).read_until(b'\n', &mut text);
        let truncated = |error: &std::io::Error| error.kind() == std::io::ErrorKind::UnexpectedEof;
        match read {
            Ok(_) => {}
            // A compressed file that is cut off ends in the middle of a frame.
            Err(error) if truncated(&error) => return Ok(None),
            Err(source) => return Err(ArchiveError::Read { line, source }),
        }
        if text.last() != Some(&b'\n') {
            return Ok(None);
        }
        self.line = line;
        self.lines.0.update(&text);
        text.pop();
        Ok(Some(text))
    }

    fn parse(&self, text: &[u8]) -> Result<Line, ArchiveError> {
        let expected = "a JSON object that ends with its checksum";
        let sum_at = text.len().checked_sub(TAIL.len() + Hex::DIGITS);
        let parts = sum_at.and_then(|sum_at| {
            let contents = text[..sum_at].strip_suffix(SEAM.as_bytes())?;
            let sum = text[sum_at..].strip_suffix(TAIL.as_bytes())?;
            Some((contents, Hex::parse(std::str::from_utf8(sum).ok()?)?))
        });
        let (contents, checksum) = parts.ok_or_else(|| self.wrong(expected, shown(text)))?;
        if Hex(xxh3_64(contents)) != checksum {
            let found = format!("{} with another one; the line was changed", shown(text));
            return Err(self.wrong("a line that fits its checksum", found));
        }
        let whole = [contents, b"}"].concat();
        serde_json::from_slice(&whole).map_err(|error| {
            self.wrong("a header, row, outcome or end line", format!("{} ({error})", shown(text)))
        })
    }
}

fn shown(text: &[u8]) -> String {
    let start: String =
        String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN)]).chars().take(SHOWN).collect();
    let more = if text.len() > start.len() { "…" } else { "" };
    format!("{start:?}{more}")
}
