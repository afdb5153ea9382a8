//! Why a text frame was not understood.

use super::MAX_TEXT_BYTES;
use crate::ErrorCode;

/// A text frame that is no control message.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The text exceeds [`MAX_TEXT_BYTES`].
    #[error("expected a text frame of at most {MAX_TEXT_BYTES} bytes, found one of {found}")]
    TooLarge {
        /// Its length, in bytes.
        found: usize,
    },
    /// The text does not begin as a JSON object does.
    #[error(
        "expected ping, pong, or a JSON object with a \"type\", found a text that does not begin with {{"
    )]
    NotAnObject,
    /// The text is no JSON, or says not once of which type it is.
    #[error("expected a JSON object with a \"type\": {0}")]
    NotAMessage(#[source] serde_json::Error),
    /// There is no message of this type.
    #[error(
        "expected a message of type hello, auth, mutate, seed, subscribe, unsubscribe or await, found {kind:?}"
    )]
    UnknownMessage {
        /// The type, cut to a readable length.
        kind: String,
        /// The `ref` of the message.
        reference: Option<String>,
    },
    /// A key is missing, unknown, or holds the wrong kind of value.
    #[error("expected a complete message of type {kind}: {source}")]
    Invalid {
        /// The type of the message.
        kind: String,
        /// The `ref` of the message.
        reference: Option<String>,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl ControlError {
    /// The code by which the sender is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::NotAnObject | Self::NotAMessage(_) => ErrorCode::InvalidJson,
            Self::UnknownMessage { .. } => ErrorCode::UnknownMessage,
            Self::Invalid { source, .. } if source.is_data() => ErrorCode::InvalidValue,
            Self::Invalid { .. } => ErrorCode::InvalidJson,
        }
    }

    /// The `ref` of the message that was not understood, when it could be read.
    #[must_use]
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::TooLarge { .. } | Self::NotAnObject | Self::NotAMessage(_) => None,
            Self::UnknownMessage { reference, .. } | Self::Invalid { reference, .. } => reference.as_deref(),
        }
    }
}
