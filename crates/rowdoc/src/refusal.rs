//! Why bytes, patches and stored rows are turned away.

use corella_manifest::{EntityName, FieldName, TypeMismatch};

use crate::{read::TooDeep, vessel::Poisoned};

/// Why a change is refused.
///
/// Each kind has a stable [`Refusal::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are no update of a Loro document.
    #[error("expected a Loro update, found bytes that are none: {reason}")]
    InvalidUpdate {
        /// What Loro says about them.
        reason: String,
    },
    /// The bytes are a snapshot.
    #[error("expected a Loro update, found a snapshot: export with mode `update`")]
    SnapshotRefused,
    /// The bytes are too many.
    #[error("expected an update of at most {most} bytes, found {found}: send it in pieces")]
    TooLarge {
        /// The bound.
        most: usize,
        /// What came.
        found: usize,
    },
    /// The operations are too many.
    #[error("expected an update of at most {most} operations, found {found}: send it in pieces")]
    TooManyOperations {
        /// The bound.
        most: u64,
        /// What came.
        found: u64,
    },
    /// Values or containers lie too deep in one another.
    #[error("expected values nested at most {most} levels deep, found deeper ones")]
    TooDeep {
        /// The bound.
        most: usize,
    },
    /// The update builds on operations that the row does not have.
    #[error("the update builds on operations that the row does not have: rejoin and send what is missing")]
    MissingDependencies,
    /// The update builds on operations that the row had once, and whose history is not kept any more.
    #[error(
        "the update builds on history that is not kept any more: set the copy aside and load the row afresh"
    )]
    HistoryTrimmed,
    /// The row never was at the version that is asked for.
    #[error("the row never was at that version: take one that its history names")]
    NoSuchVersion,
    /// The entity declares no such field.
    #[error("no field {path:?} is declared{}", nearest.as_ref().map(|name| format!(": did you mean {name:?}?")).unwrap_or_default())]
    UnknownField {
        /// Where in the document, or which key of the patch.
        path: String,
        /// The declared name that was most likely meant.
        nearest: Option<String>,
    },
    /// A field cannot hold that value.
    #[error("expected {expected} in {field}, found {found}")]
    InvalidValue {
        /// The field, and the place within it, such as `tags.$insert[0]`.
        field: String,
        /// What it holds, in words.
        expected: String,
        /// What came.
        found: String,
    },
    /// A field that every row has would be without a value.
    #[error("expected a value in {field}, since the field is required, found {found}")]
    Required {
        /// The field.
        field: String,
        /// What came instead: `null`, `none`, or that it was removed.
        found: &'static str,
    },
    /// The entity's rows are no documents.
    #[error("the rows of {entity} are no documents (`crdt: false`): read and write them as JSON")]
    NoDocument {
        /// The entity.
        entity: EntityName,
    },
    /// Loro failed from within; the document is lost to memory, not to the disk.
    #[error("the document failed from within and has to be loaded again")]
    Poisoned,
}

impl Refusal {
    /// A stable name of the kind of refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidUpdate { .. } => "invalid_update",
            Self::SnapshotRefused => "snapshot_refused",
            Self::TooLarge { .. } => "too_large",
            Self::TooManyOperations { .. } => "too_many_operations",
            Self::TooDeep { .. } => "too_deep",
            Self::MissingDependencies => "missing_dependencies",
            Self::HistoryTrimmed => "history_trimmed",
            Self::NoSuchVersion => "version_unknown",
            Self::UnknownField { .. } => "unknown_field",
            Self::InvalidValue { .. } => "invalid_value",
            Self::Required { .. } => "required_field",
            Self::NoDocument { .. } => "no_document",
            Self::Poisoned => "poisoned",
        }
    }

    pub(crate) fn mismatch(field: &FieldName, mismatch: TypeMismatch) -> Self {
        Self::InvalidValue { field: field.to_string(), expected: mismatch.expected, found: mismatch.found }
    }

    pub(crate) fn required(field: &FieldName, found: &'static str) -> Self {
        Self::Required { field: field.to_string(), found }
    }

    pub(crate) fn value(field: impl ToString, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::InvalidValue { field: field.to_string(), expected: expected.into(), found: found.into() }
    }
}

impl From<Poisoned> for Refusal {
    fn from(_: Poisoned) -> Self {
        Self::Poisoned
    }
}

impl From<TooDeep> for Refusal {
    fn from(too_deep: TooDeep) -> Self {
        Self::TooDeep { most: too_deep.most }
    }
}

/// Why a document in memory cannot be read or exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocFault {
    /// Loro failed from within.
    #[error("the document failed from within and has to be loaded again")]
    Poisoned,
    /// Loro refused to export.
    #[error("the document cannot be exported: {0}")]
    Export(String),
    /// What is asked for lies before the history that the document still has.
    #[error("the history since that version is not kept any more")]
    HistoryTrimmed,
    /// The row never was at the version that is asked for.
    #[error("the row never was at that version")]
    NoSuchVersion,
    /// The document's values do not fit its shape.
    #[error("the document does not fit its shape: {0}")]
    Unfit(#[from] Refusal),
}

impl From<Poisoned> for DocFault {
    fn from(_: Poisoned) -> Self {
        Self::Poisoned
    }
}

/// Why a row's stored bytes cannot be loaded, or not be folded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorruptRow {
    /// The bytes do not decode.
    #[error("the stored {piece} does not decode: {reason}")]
    Undecodable {
        /// Which bytes: `snapshot` or `tail`.
        piece: &'static str,
        /// What Loro says about them.
        reason: String,
    },
    /// The tail builds on operations that are neither in it nor in the snapshot.
    #[error("the stored tail builds on operations that are not stored")]
    MissingDependencies,
    /// Loro failed from within.
    #[error("the stored bytes make the document fail from within")]
    Poisoned,
    /// Values lie too deep in one another to be read.
    #[error("the stored document is nested deeper than {most} levels")]
    TooDeep {
        /// The bound.
        most: usize,
    },
    /// The folded snapshot does not read as what it was made from.
    #[error("the folded snapshot differs from what it was made from in {0}")]
    Unfaithful(&'static str),
}

impl From<Poisoned> for CorruptRow {
    fn from(_: Poisoned) -> Self {
        Self::Poisoned
    }
}

impl From<TooDeep> for CorruptRow {
    fn from(too_deep: TooDeep) -> Self {
        Self::TooDeep { most: too_deep.most }
    }
}
