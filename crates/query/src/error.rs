//! Why a query was refused: where, what was expected, what came.

use std::fmt::Write as _;

use corella_manifest::TypeMismatch;

/// Longest part of a refused input that an error repeats, in characters.
const MAX_SHOWN: usize = 60;

/// A query that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: expected {expected}, found {found}{}", suggestion(.nearest.as_deref()))]
pub struct QueryError {
    /// What went wrong, for programs.
    pub kind: QueryErrorKind,
    /// The place in the request, such as `where.position.$gt` or `orderBy[1]`.
    pub path: String,
    /// What the place takes, in words.
    pub expected: String,
    /// What came, cut to a readable length.
    pub found: String,
    /// The known name that is most like the unknown one.
    pub nearest: Option<String>,
}

/// What is wrong with a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryErrorKind {
    /// The manifest declares no such entity.
    UnknownEntity,
    /// The entity has no such column.
    UnknownColumn,
    /// The name leads to no other entity.
    UnknownRelation,
    /// There is no such operator, or not at this place.
    UnknownOperator,
    /// The operator does not apply to a column of this type.
    Inapplicable,
    /// A literal is not of the column's type.
    WrongType,
    /// The request does not have the shape of a query.
    Malformed,
    /// The query exceeds a bound.
    TooLarge,
    /// The limit is not a number of rows that may be asked for.
    InvalidLimit,
    /// The cursor was not made here.
    InvalidCursor,
    /// The cursor was made for a query with another entity, filter or order.
    ForeignCursor,
}

impl QueryErrorKind {
    /// The stable code that clients may tell errors apart by.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::UnknownEntity => "unknown_entity",
            Self::UnknownColumn => "unknown_column",
            Self::UnknownRelation => "unknown_relation",
            Self::UnknownOperator => "unknown_operator",
            Self::Inapplicable => "operator_not_applicable",
            Self::WrongType => "wrong_type",
            Self::Malformed => "malformed_query",
            Self::TooLarge => "query_too_large",
            Self::InvalidLimit => "invalid_limit",
            Self::InvalidCursor => "invalid_cursor",
            Self::ForeignCursor => "foreign_cursor",
        }
    }
}

impl QueryError {
    pub(crate) fn new(
        kind: QueryErrorKind,
        path: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { kind, path: path.into(), expected: expected.into(), found: found.into(), nearest: None }
    }

    pub(crate) fn mismatch(path: impl Into<String>, mismatch: TypeMismatch) -> Self {
        Self::new(QueryErrorKind::WrongType, path, mismatch.expected, mismatch.found)
    }

    /// The same error with the candidate that is most like `word`, if any is like it.
    pub(crate) fn nearest<'a>(mut self, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = nearest(word, candidates);
        self
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// `text` on one line, cut to a readable length.
pub(crate) fn shown(text: &str) -> String {
    let mut line = String::new();
    let mut characters = text.chars();
    for character in characters.by_ref().take(MAX_SHOWN) {
        // Quotes stay as they are; only what would break or hide part of the line is escaped.
        if character.is_control() || matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
            line.extend(character.escape_unicode());
        } else {
            line.push(character);
        }
    }
    if characters.next().is_some() {
        // Writing to a string cannot fail.
        let _ = write!(line, "… ({} bytes)", text.len());
    }
    line
}

fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    // No name is longer, and the comparison costs the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let most = 1 + word.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}
