//! What is wrong with a policy, and where.

use std::fmt;

/// A mistake in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyProblem {
    /// Where the expression stands, such as `policies "owner" allowRead`.
    pub path: String,
    /// The expression's line in which the mistake is.
    pub line: String,
    /// Where it begins in that line, in characters, the first being 0.
    pub column: usize,
    /// How many characters it spans; at least one.
    pub width: usize,
    /// What is accepted there, in words.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// The nearest text that would be accepted.
    pub nearest: Option<String>,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, width, expected, found, nearest } = self;
        write!(f, "{path}: expected {expected}, found {found}")?;
        if let Some(nearest) = nearest {
            write!(f, "; did you mean {nearest:?}?")?;
        }
        write!(f, "\n  {line}\n  {}{}", " ".repeat(*column), "^".repeat(*width))
    }
}

impl std::error::Error for PolicyProblem {}

/// The candidate that is nearest to `name`, if one is near enough to be meant.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const NEAR_ENOUGH: f64 = 0.7;
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, candidate)| candidate.to_owned())
}
