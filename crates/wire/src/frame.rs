//! What is said: one binary frame of the Loro Syncing Protocol v1, and the limits that it keeps.

use bytes::Bytes;

use crate::{AckStatus, BatchId, JoinErrorCode, Magic, Permission, RoomErrorCode, RoomName};

/// Largest binary frame, in bytes.
pub const MAX_FRAME_BYTES: usize = 262_144;

/// Largest chunk that an update is cut into, and largest update that travels whole, in bytes.
///
/// It leaves 16 KiB of a frame for the envelope, and is what stock clients cut at.
pub const MAX_CHUNK_BYTES: usize = 245_760;

/// Longest room name, in bytes of UTF-8.
pub const MAX_ROOM_NAME_BYTES: usize = 128;

/// Most updates that one frame may carry.
///
/// An update takes one byte on the wire at the least, but 32 in memory once decoded: without this bound one
/// frame would become 8 MiB.
pub const MAX_UPDATES_PER_FRAME: usize = 4_096;

/// A frame and the room that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The kind of the room.
    pub magic: Magic,
    /// The name of the room.
    pub room: RoomName,
    /// What is said in it.
    pub frame: Frame,
}

/// One message of the protocol, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// "Let me in, and send me what I lack."
    JoinRequest {
        /// The caller's token, or empty.
        auth: Bytes,
        /// The caller's encoded version vector; empty when it has no history.
        version: Bytes,
    },
    /// "You are in."
    JoinOk {
        /// What the joiner may do.
        permission: Permission,
        /// The room's encoded version vector. Stock clients answer an empty one with a snapshot.
        version: Bytes,
        /// Metadata of the application.
        extra: Bytes,
    },
    /// "You are not let in."
    JoinError {
        /// Why.
        code: JoinErrorCode,
        /// Why, for people.
        message: String,
    },
    /// Updates, in the order in which they are to be applied.
    DocUpdate {
        /// The updates.
        updates: Vec<Bytes>,
        /// By what name they are acknowledged.
        batch: BatchId,
    },
    /// One update follows in fragments.
    FragmentHeader {
        /// By what name the fragments are joined, and the update acknowledged.
        batch: BatchId,
        /// How many fragments follow.
        count: u64,
        /// How long the update is.
        total_bytes: u64,
    },
    /// A piece of an update.
    Fragment {
        /// The batch of its header.
        batch: BatchId,
        /// Its place among the fragments, from zero.
        index: u64,
        /// The bytes.
        chunk: Bytes,
    },
    /// "You are no longer in the room."
    RoomError {
        /// Why, and whether to come back.
        code: RoomErrorCode,
        /// Why, for people.
        message: String,
    },
    /// "I leave."
    Leave,
    /// What became of a batch.
    Ack {
        /// The batch.
        batch: BatchId,
        /// What became of it.
        status: AckStatus,
    },
}

impl Frame {
    /// The number of the message type on the wire.
    #[must_use]
    pub fn type_number(&self) -> u8 {
        match self {
            Self::JoinRequest { .. } => 0x00,
            Self::JoinOk { .. } => 0x01,
            Self::JoinError { .. } => 0x02,
            Self::DocUpdate { .. } => 0x03,
            Self::FragmentHeader { .. } => 0x04,
            Self::Fragment { .. } => 0x05,
            Self::RoomError { .. } => 0x06,
            Self::Leave => 0x07,
            Self::Ack { .. } => 0x08,
        }
    }

    /// The name of the message type, for logs and metrics.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::JoinRequest { .. } => "JoinRequest",
            Self::JoinOk { .. } => "JoinOk",
            Self::JoinError { .. } => "JoinError",
            Self::DocUpdate { .. } => "DocUpdate",
            Self::FragmentHeader { .. } => "FragmentHeader",
            Self::Fragment { .. } => "Fragment",
            Self::RoomError { .. } => "RoomError",
            Self::Leave => "Leave",
            Self::Ack { .. } => "Ack",
        }
    }
}
