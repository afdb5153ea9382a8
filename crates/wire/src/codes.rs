//! The stable codes of everything that can go wrong, the same on the socket and in HTTP problems.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::AckStatus;

macro_rules! error_codes {
    ($($variant:ident = $text:literal, $title:literal;)*) => {
        /// What went wrong, by a name that programs may rely on.
        ///
        /// The set is closed and only ever grows; a text that has been published keeps its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = concat!("`", $text, "`: ", $title, ".")] $variant,)*
        }

        impl ErrorCode {
            /// All codes, in the order in which they are documented.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The code as it is sent.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The code in words, the same for each occurrence.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The code that is sent as `text`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

error_codes! {
    Unauthorized = "unauthorized", "A valid token is needed";
    Forbidden = "forbidden", "The caller may not do this";
    NotFound = "not_found", "Nothing is served under this path";
    MethodNotAllowed = "method_not_allowed", "This path does not take this method";
    UnknownEntity = "unknown_entity", "The manifest declares no such entity";
    UnknownField = "unknown_field", "The entity declares no such field";
    UnknownRoom = "unknown_room", "The room name leads to no row";
    RowNotFound = "row_not_found", "There is no such row";
    RowExists = "row_exists", "There is a row of this id already";
    InvalidRowId = "invalid_row_id", "A row id is 1 to 64 of A-Z a-z 0-9 _ -";
    InvalidJson = "invalid_json", "The text is not the JSON that was expected";
    InvalidValue = "invalid_value", "A value is not of the type that is declared";
    AlreadySeeded = "already_seeded", "The document to be filled is not empty";
    RequiredField = "required_field", "A field that every row has is missing";
    UniqueViolation = "unique_violation", "Another row holds this value already";
    ReferenceMissing = "reference_missing", "A row that is named is not there";
    ReferenceHeld = "reference_held", "Another row names the one that is to be deleted";
    TooManyRows = "too_many_rows", "The transaction touches too many rows";
    InvalidQuery = "invalid_query", "The query cannot be understood";
    AnswerTooLarge = "answer_too_large", "The answer has more rows than one may have";
    TooManyQueries = "too_many_queries", "More live queries than are kept";
    QueryEnded = "query_ended", "The live query has ended and may be asked again";
    InvalidFrame = "invalid_frame", "The binary frame cannot be decoded";
    NoDocument = "no_document", "Rows of this entity are no documents";
    InvalidUpdate = "invalid_update", "The update cannot be applied";
    MissingDependencies = "missing_dependencies", "The update builds on operations that the server lacks";
    HistoryTrimmed = "history_trimmed", "The history that this builds on is not kept any more";
    PeerTaken = "peer_taken", "The update has operations of somebody else";
    SnapshotRefused = "snapshot_refused", "Only updates are accepted, not snapshots";
    VersionUnknown = "version_unknown", "The version cannot be read";
    TooLarge = "too_large", "A size limit is exceeded";
    TooManyOperations = "too_many_operations", "The update has too many operations";
    TooDeep = "too_deep", "Values are nested too deeply";
    RateLimited = "rate_limited", "Too much at once";
    UnsupportedMagic = "unsupported_magic", "Rooms of this kind are not served";
    UnknownMessage = "unknown_message", "There is no control message of this type";
    NotJoined = "not_joined", "The room has not been joined on this connection";
    FragmentTimeout = "fragment_timeout", "Fragments of the batch stayed away for too long";
    IdempotencyConflict = "idempotency_conflict", "The idempotency key was used for another request";
    SchemaIncompatible = "schema_incompatible", "The client was made for another schema than is served";
    RowQuarantined = "row_quarantined", "The stored row cannot be read and takes no writes";
    UnknownOutcome = "unknown_outcome", "It is not known whether the change was stored";
    StorageFull = "storage_full", "There is no space left to store changes";
    Unavailable = "unavailable", "The server cannot answer now";
    ShuttingDown = "shutting_down", "The server is shutting down";
    Internal = "internal", "The server failed";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::custom(format_args!("expected an error code, found {text:?}")))
    }
}

/// The status by which a batch that failed with `code` is acknowledged.
///
/// Stock clients see nothing but this status. `Unknown`, `RateLimited` and `FragmentTimeout` mean that the work
/// may be kept and offered again; the others mean that the document is to be discarded and loaded afresh.
#[must_use]
pub fn ack_status(code: ErrorCode) -> AckStatus {
    match code {
        ErrorCode::Unauthorized | ErrorCode::Forbidden | ErrorCode::PeerTaken => AckStatus::PermissionDenied,
        ErrorCode::TooLarge | ErrorCode::TooManyOperations | ErrorCode::TooDeep => AckStatus::TooLarge,
        ErrorCode::RateLimited | ErrorCode::TooManyQueries => AckStatus::RateLimited,
        ErrorCode::FragmentTimeout => AckStatus::FragmentTimeout,
        // Stock clients send edits before a rejoin is through; they offer them again once it is.
        ErrorCode::NotJoined
        | ErrorCode::MissingDependencies
        | ErrorCode::UnknownOutcome
        | ErrorCode::StorageFull
        | ErrorCode::Unavailable
        | ErrorCode::ShuttingDown
        | ErrorCode::Internal => AckStatus::Unknown,
        ErrorCode::UniqueViolation
        | ErrorCode::ReferenceMissing
        | ErrorCode::ReferenceHeld
        | ErrorCode::TooManyRows
        | ErrorCode::RequiredField
        | ErrorCode::RowExists
        | ErrorCode::AlreadySeeded
        | ErrorCode::RowNotFound
        | ErrorCode::RowQuarantined
        | ErrorCode::HistoryTrimmed
        | ErrorCode::IdempotencyConflict
        | ErrorCode::SchemaIncompatible => AckStatus::App,
        ErrorCode::NotFound
        | ErrorCode::MethodNotAllowed
        | ErrorCode::UnknownEntity
        | ErrorCode::UnknownField
        | ErrorCode::UnknownRoom
        | ErrorCode::InvalidRowId
        | ErrorCode::InvalidJson
        | ErrorCode::InvalidValue
        | ErrorCode::InvalidQuery
        | ErrorCode::AnswerTooLarge
        | ErrorCode::QueryEnded
        | ErrorCode::InvalidFrame
        | ErrorCode::InvalidUpdate
        | ErrorCode::NoDocument
        | ErrorCode::SnapshotRefused
        | ErrorCode::VersionUnknown
        | ErrorCode::UnsupportedMagic
        | ErrorCode::UnknownMessage => AckStatus::InvalidUpdate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_reads_what_it_writes() {
        for code in ErrorCode::ALL {
            let text = code.as_str();
            assert_eq!(ErrorCode::parse(text), Some(*code));
            assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{text}");
            assert!(!code.title().ends_with('.'), "{text}");
        }
        assert_eq!(ErrorCode::parse("no_such_code"), None);
    }

    #[test]
    fn no_failure_is_acknowledged_as_a_success() {
        assert!(ErrorCode::ALL.iter().all(|code| ack_status(*code) != AckStatus::Ok));
    }
}
