//! The small closed sets of the binary protocol: permissions, and the codes of refusals.

use bytes::Bytes;

/// What a joiner may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Receive updates.
    Read,
    /// Receive and send updates.
    Write,
}

impl Permission {
    /// The text on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Why a join was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinErrorCode {
    /// For a reason that the protocol has no number for; also what an unknown number decodes to.
    Unknown,
    /// The version of the request could not be read. Stock clients then join with an empty version.
    VersionUnknown {
        /// The version of the side that refuses; empty when it did not say.
        version: Bytes,
    },
    /// The caller may not join.
    AuthFailed,
    /// For a reason of the application.
    App {
        /// The application's own code, such as [`ErrorCode::as_str`](crate::ErrorCode::as_str).
        code: String,
    },
}

impl JoinErrorCode {
    /// The number on the wire.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Unknown => 0x00,
            Self::VersionUnknown { .. } => 0x01,
            Self::AuthFailed => 0x02,
            Self::App { .. } => 0x7f,
        }
    }
}

/// Why somebody who had joined has to leave a room, or join it anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoomErrorCode {
    /// Join again: the version in that request tells what is missing on either side.
    RejoinSuggested,
    /// Access has ended; stock clients do not join again.
    Evicted,
    /// For another reason; also what an unknown number decodes to. Stock clients do not join again.
    Unknown,
}

impl RoomErrorCode {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::RejoinSuggested => 0x01,
            Self::Evicted => 0x02,
            Self::Unknown => 0x7f,
        }
    }

    pub(crate) fn from_number(number: u8) -> Self {
        match number {
            0x01 => Self::RejoinSuggested,
            0x02 => Self::Evicted,
            _ => Self::Unknown,
        }
    }
}

/// What became of one batch of updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AckStatus {
    /// It is durable.
    Ok,
    /// It is not known, or may succeed later; also what an unknown number decodes to.
    Unknown,
    /// The sender may not write there.
    PermissionDenied,
    /// The update was refused for what it is.
    InvalidUpdate,
    /// The update exceeds a limit.
    TooLarge,
    /// Too much at once; the same batch may be sent again later.
    RateLimited,
    /// Fragments stayed away for too long; the same batch may be sent again.
    FragmentTimeout,
    /// A rule of the application refused it.
    App,
}

impl AckStatus {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0x00,
            Self::Unknown => 0x01,
            Self::PermissionDenied => 0x03,
            Self::InvalidUpdate => 0x04,
            Self::TooLarge => 0x05,
            Self::RateLimited => 0x06,
            Self::FragmentTimeout => 0x07,
            Self::App => 0x7f,
        }
    }

    pub(crate) fn from_number(number: u8) -> Self {
        match number {
            0x00 => Self::Ok,
            0x03 => Self::PermissionDenied,
            0x04 => Self::InvalidUpdate,
            0x05 => Self::TooLarge,
            0x06 => Self::RateLimited,
            0x07 => Self::FragmentTimeout,
            0x7f => Self::App,
            _ => Self::Unknown,
        }
    }
}
