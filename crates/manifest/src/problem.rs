//! What can be said about a manifest that is not as it should be: problems, warnings, and where they stand.

use std::fmt;

use serde_json::Value as Json;

use crate::{Manifest, TypeMismatch};

/// A manifest that can be used, and what its author may want to look at again.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The manifest.
    pub manifest: Manifest,
    /// What was ignored, sorted by path.
    pub warnings: Vec<Warning>,
}

/// Why a text is not a manifest: every mistake that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestErrors {
    /// The mistakes, sorted by path; at least one.
    pub problems: Vec<Problem>,
    /// What was ignored; a misspelt key here often explains a missing one among the problems.
    pub warnings: Vec<Warning>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it is, such as `entities[2].fields[0].type` or `line 3, column 5`; empty for the whole text.
    pub path: String,
    /// What is accepted there, in words.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// The nearest text that would be accepted.
    pub nearest: Option<String>,
}

/// Something that was ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it is, such as `entities[2].feilds`.
    pub path: String,
    /// What became of it.
    pub message: String,
    /// The nearest text that would not have been ignored.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        did_you_mean(f, self.nearest.as_deref())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)?;
        did_you_mean(f, self.nearest.as_deref())
    }
}

fn did_you_mean(f: &mut fmt::Formatter<'_>, nearest: Option<&str>) -> fmt::Result {
    nearest.map_or(Ok(()), |nearest| write!(f, "; did you mean {nearest:?}?"))
}

impl fmt::Display for ManifestErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ManifestErrors {}

/// A place in the manifest's JSON; empty for the whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        let Self(path) = self;
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
        match (plain, path.is_empty()) {
            (true, true) => Self(key.to_owned()),
            (true, false) => Self(format!("{path}.{key}")),
            // Quoted, so that a key with a dot or a line break still reads as one step of one line.
            (false, _) => Self(format!("{path}[{key:?}]")),
        }
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// The place that holds this one.
    pub(crate) fn parent(&self) -> &str {
        self.0.rfind(['.', '[']).map_or("", |end| &self.0[..end])
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Warning>,
}

impl Report {
    /// Adds a mistake at `path`.
    pub(crate) fn problem(
        &mut self,
        path: &Path,
        expected: impl Into<String>,
        found: impl Into<String>,
        nearest: Option<String>,
    ) {
        let (path, expected, found) = (path.to_string(), expected.into(), found.into());
        self.problems.push(Problem { path, expected, found, nearest });
    }

    /// Adds a mistake about the JSON value at `path`.
    pub(crate) fn wrong(&mut self, path: &Path, expected: &str, found: &Json) {
        let mismatch = TypeMismatch::new(expected, found);
        self.problem(path, mismatch.expected, mismatch.found, None);
    }

    /// Adds something that is ignored.
    pub(crate) fn warn(&mut self, path: &Path, message: &str, nearest: Option<String>) {
        self.warnings.push(Warning { path: path.to_string(), message: message.to_owned(), nearest });
    }

    /// Brings what was found about one place together, whichever check found it.
    pub(crate) fn sort(&mut self) {
        self.problems.sort_by(|left, right| steps(&left.path).cmp(&steps(&right.path)));
        self.warnings.sort_by(|left, right| steps(&left.path).cmp(&steps(&right.path)));
    }

    pub(crate) fn into_errors(self) -> ManifestErrors {
        ManifestErrors { problems: self.problems, warnings: self.warnings }
    }
}

/// The keys and indexes of a path, comparable so that `[10]` comes after `[9]`.
fn steps(path: &str) -> Vec<(usize, &str)> {
    path.split(['.', '[', ']']).map(|step| (step.parse().unwrap_or(0), step)).collect()
}

/// The candidate that `word` most likely stands for, if one is near enough to be worth naming.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    /// Beyond this, the distance costs more than the hint is worth.
    const LONGEST_WORD: usize = 64;
    let length = word.chars().count();
    if length > LONGEST_WORD {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word)
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= length.div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
