//! Frames on the socket: the Loro Syncing Protocol v1 in binary, Corella's control messages in JSON.
//!
//! In reading order: who is addressed ([`Magic`], [`RoomName`], [`BatchId`]), what is said ([`Frame`] in an
//! [`Envelope`]), how it becomes bytes and back ([`encode()`], [`decode()`]), how updates of any size travel
//! ([`encode_update`], [`Reassembler`]), the text frames ([`control`]), and the codes of what went wrong
//! ([`ErrorCode`]).
//!
//! Every byte that is decoded here may come from an enemy: nothing panics, and nothing is allocated for a
//! count that was only claimed. Payloads are slices of the frame that they came in.
//!
//! This crate does not know rows, users, Loro, or the socket itself: updates and versions are opaque bytes,
//! room names are opaque text, and the clock is handed in.

mod address;
mod codes;
pub mod control;
mod decode;
mod encode;
mod frame;
mod pack;
mod reader;
mod reassembler;
mod status;

pub use address::{BatchId, BatchIdError, Magic, RoomName, RoomNameError};
pub use codes::{ErrorCode, ack_status};
pub use decode::{DecodeError, decode};
pub use encode::encode;
pub use frame::{
    Envelope, Frame, MAX_CHUNK_BYTES, MAX_FRAME_BYTES, MAX_ROOM_NAME_BYTES, MAX_UPDATES_PER_FRAME,
};
pub use pack::encode_update;
pub use reassembler::{Progress, Reassembler, ReassemblyError, ReassemblyLimits};
pub use status::{AckStatus, JoinErrorCode, Permission, RoomErrorCode};
