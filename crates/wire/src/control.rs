//! Corella's control messages: JSON in text frames, beside the binary frames.
//!
//! A text frame is exactly `ping` or `pong`, or one JSON object whose `type` says what it is. A message of an
//! unknown type is answered with an error, and the connection lives on.

mod client;
mod error;
mod live;
mod server;

pub use client::{Auth, ClientMessage, Hello, Mutate, Operation, Seed, TextFrame};
pub use error::ControlError;
pub use live::{
    AnswerChange, Await, Changes, Difference, EncodedDifference, EncodedRows, PartChange, Reached, Since,
    Snapshot, Subscribe, Unsubscribe, Upsert, encode_changes, encode_snapshot,
};
pub use server::{AuthReply, ErrorReply, HelloReply, MutateReply, ServerMessage};

/// The version of the control messages, which the server's `hello` names.
pub const CONTROL_PROTOCOL: u32 = 1;

/// Longest text frame that is read, in bytes: as long as a binary frame may be.
pub const MAX_TEXT_BYTES: usize = crate::MAX_FRAME_BYTES;

/// The text frame that asks whether the other side is there.
pub const PING: &str = "ping";

/// The text frame that answers [`PING`].
pub const PONG: &str = "pong";
