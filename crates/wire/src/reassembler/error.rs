//! Why fragments were refused.

use crate::{AckStatus, ErrorCode, MAX_FRAME_BYTES, ack_status};

/// Why a header or a fragment was refused. Its batch is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReassemblyError {
    /// The update alone exceeds the limit.
    #[error("expected an update of at most {limit} bytes, found a header of {found} bytes")]
    UpdateTooLarge {
        /// The most bytes under way.
        limit: usize,
        /// What the header declares.
        found: u64,
    },
    /// The update exceeds the limit together with those under way.
    #[error("expected at most {limit} bytes under way, found {found}: wait for acknowledgements")]
    TooManyBytes {
        /// The most bytes under way.
        limit: usize,
        /// What would be under way.
        found: u64,
    },
    /// There are too many batches under way.
    #[error("expected at most {limit} batches under way, found one more: wait for acknowledgements")]
    TooManyBatches {
        /// The most batches under way.
        limit: usize,
    },
    /// The batch is cut into too many pieces.
    #[error("expected at most {limit} fragments of one update, found a header of {found}")]
    TooManyFragments {
        /// The most fragments of one batch.
        limit: u64,
        /// What the header declares.
        found: u64,
    },
    /// No update of this length makes this many fragments.
    #[error(
        "expected fragments of 1 to {MAX_FRAME_BYTES} bytes, found a header of {count} for {total_bytes} bytes"
    )]
    InconsistentHeader {
        /// The number of fragments that the header declares.
        count: u64,
        /// The length of the update that the header declares.
        total_bytes: u64,
    },
    /// A batch of this id is under way.
    #[error("expected a new batch id, found that of a batch under way")]
    DuplicateHeader,
    /// The fragment belongs to no batch under way.
    #[error("expected the header of the batch before its fragments, found none, or it has timed out")]
    UnknownBatch,
    /// The header declares fewer fragments.
    #[error("expected an index below {count}, found {found}")]
    IndexOutOfRange {
        /// The number of fragments that the header declares.
        count: u64,
        /// The index of the fragment.
        found: u64,
    },
    /// This fragment has come before.
    #[error("expected each fragment once, found number {index} again")]
    DuplicateFragment {
        /// The index of the fragment.
        index: u64,
    },
    /// The fragment has no bytes.
    #[error("expected at least one byte in a fragment, found number {index} empty")]
    EmptyFragment {
        /// The index of the fragment.
        index: u64,
    },
    /// The fragments add up to another length than the header declares.
    #[error("expected fragments of {expected} bytes in all, found {found}")]
    WrongLength {
        /// The length of the update that the header declares.
        expected: usize,
        /// The length of the fragments so far.
        found: usize,
    },
}

impl ReassemblyError {
    /// The code by which the sender is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UpdateTooLarge { .. } | Self::TooManyFragments { .. } => ErrorCode::TooLarge,
            Self::TooManyBytes { .. } | Self::TooManyBatches { .. } => ErrorCode::RateLimited,
            Self::UnknownBatch => ErrorCode::FragmentTimeout,
            Self::InconsistentHeader { .. }
            | Self::DuplicateHeader
            | Self::IndexOutOfRange { .. }
            | Self::DuplicateFragment { .. }
            | Self::EmptyFragment { .. }
            | Self::WrongLength { .. } => ErrorCode::InvalidUpdate,
        }
    }

    /// The status by which the batch is acknowledged.
    #[must_use]
    pub fn status(&self) -> AckStatus {
        ack_status(self.code())
    }
}
