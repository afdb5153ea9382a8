//! From bytes to a frame, bounded at every step.

use bytes::Bytes;

use crate::{
    AckStatus, BatchId, Envelope, ErrorCode, Frame, JoinErrorCode, MAX_FRAME_BYTES, MAX_UPDATES_PER_FRAME,
    Magic, Permission, RoomErrorCode, RoomName,
    reader::{Mismatch, Reader},
};

/// Bytes that are no frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame exceeds [`MAX_FRAME_BYTES`].
    #[error(
        "expected a frame of at most {MAX_FRAME_BYTES} bytes, found one of {found}: send it in fragments"
    )]
    TooLarge {
        /// Its length, in bytes.
        found: usize,
    },
    /// The frame is cut short, too long, or holds something that has no meaning there.
    #[error("expected {expected} at byte {offset}, found {found}")]
    Malformed {
        /// What was expected.
        expected: &'static str,
        /// At which byte of the frame.
        offset: usize,
        /// What stood there.
        found: String,
        /// The room, when the frame was readable that far.
        room: Option<(Magic, RoomName)>,
    },
}

impl DecodeError {
    /// The code by which the sender is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Malformed { .. } => ErrorCode::InvalidFrame,
        }
    }

    /// The room that the frame spoke of, when it was readable that far.
    #[must_use]
    pub fn room(&self) -> Option<&(Magic, RoomName)> {
        match self {
            Self::TooLarge { .. } => None,
            Self::Malformed { room, .. } => room.as_ref(),
        }
    }

    fn malformed(mismatch: Mismatch, room: Option<(Magic, RoomName)>) -> Self {
        let Mismatch { expected, offset, found } = mismatch;
        Self::Malformed { expected, offset, found, room }
    }
}

/// Reads one binary frame.
///
/// Payloads are slices of `bytes` and keep it alive: copy what is to be kept for long. Numbers of codes that
/// later versions of the protocol may add decode to the `Unknown` of their kind.
///
/// # Errors
/// [`DecodeError`] says what was expected at which byte, and what stood there. Bytes after the frame are an
/// error, too.
pub fn decode(bytes: Bytes) -> Result<Envelope, DecodeError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(DecodeError::TooLarge { found: bytes.len() });
    }
    let mut reader = Reader::new(bytes);
    let (magic, room) = address(&mut reader).map_err(|mismatch| DecodeError::malformed(mismatch, None))?;
    let frame = frame(&mut reader).and_then(|frame| reader.end().map(|()| frame));
    match frame {
        Ok(frame) => Ok(Envelope { magic, room, frame }),
        Err(mismatch) => Err(DecodeError::malformed(mismatch, Some((magic, room)))),
    }
}

fn address(reader: &mut Reader) -> Result<(Magic, RoomName), Mismatch> {
    let magic = Magic::from_bytes(reader.array("the four bytes of a magic (such as %LOR)")?);
    let expected = "a room name of at most 128 bytes of UTF-8";
    let offset = reader.offset();
    let text = reader.var_text(expected)?;
    let room = RoomName::new(&text).map_err(|error| Mismatch {
        expected,
        offset,
        found: format!("one of {} bytes", error.found),
    })?;
    Ok((magic, room))
}

fn frame(reader: &mut Reader) -> Result<Frame, Mismatch> {
    let expected = "a message type from 00 to 08";
    let offset = reader.offset();
    match reader.byte(expected)? {
        0x00 => Ok(Frame::JoinRequest {
            auth: reader.var_bytes("the auth bytes of a JoinRequest")?,
            version: reader.var_bytes("the version of a JoinRequest")?,
        }),
        0x01 => Ok(Frame::JoinOk {
            permission: permission(reader)?,
            version: reader.var_bytes("the version of a JoinOk")?,
            extra: reader.var_bytes("the extra bytes of a JoinOk")?,
        }),
        0x02 => join_error(reader),
        0x03 => doc_update(reader),
        0x04 => Ok(Frame::FragmentHeader {
            batch: batch(reader)?,
            count: reader.var_uint("the fragment count of a FragmentHeader")?,
            total_bytes: reader.var_uint("the total length of a FragmentHeader")?,
        }),
        0x05 => Ok(Frame::Fragment {
            batch: batch(reader)?,
            index: reader.var_uint("the index of a Fragment")?,
            chunk: reader.var_bytes("the chunk of a Fragment")?,
        }),
        0x06 => Ok(Frame::RoomError {
            code: RoomErrorCode::from_number(reader.byte("the code of a RoomError")?),
            message: reader.var_text("the message of a RoomError, in UTF-8")?,
        }),
        0x07 => Ok(Frame::Leave),
        0x08 => Ok(Frame::Ack {
            batch: batch(reader)?,
            status: AckStatus::from_number(reader.byte("the status of an Ack")?),
        }),
        number => Err(Mismatch { expected, offset, found: format!("{number:02x}") }),
    }
}

fn batch(reader: &mut Reader) -> Result<BatchId, Mismatch> {
    reader.array("the eight bytes of a batch id").map(BatchId)
}

fn permission(reader: &mut Reader) -> Result<Permission, Mismatch> {
    let expected = "the permission \"read\" or \"write\"";
    let offset = reader.offset();
    match reader.var_bytes(expected)?.as_ref() {
        b"read" => Ok(Permission::Read),
        b"write" => Ok(Permission::Write),
        other => Err(Mismatch { expected, offset, found: format!("a text of {} bytes", other.len()) }),
    }
}

/// The message comes before what only some codes carry, and stock clients leave the latter out when they
/// have nothing to say there.
fn join_error(reader: &mut Reader) -> Result<Frame, Mismatch> {
    let number = reader.byte("the code of a JoinError")?;
    let message = reader.var_text("the message of a JoinError, in UTF-8")?;
    let says_more = reader.remaining() > 0;
    let code = match number {
        0x01 if says_more => {
            JoinErrorCode::VersionUnknown { version: reader.var_bytes("the version of a JoinError")? }
        }
        0x01 => JoinErrorCode::VersionUnknown { version: Bytes::new() },
        0x02 => JoinErrorCode::AuthFailed,
        0x7f if says_more => {
            JoinErrorCode::App { code: reader.var_text("the application code of a JoinError, in UTF-8")? }
        }
        0x7f => JoinErrorCode::App { code: String::new() },
        _ => JoinErrorCode::Unknown,
    };
    Ok(Frame::JoinError { code, message })
}

fn doc_update(reader: &mut Reader) -> Result<Frame, Mismatch> {
    let offset = reader.offset();
    let claimed = reader.var_uint("the number of updates of a DocUpdate")?;
    // Each update takes a byte of length at least, and the batch id follows them all.
    let most = reader.remaining().saturating_sub(size_of::<BatchId>()).min(MAX_UPDATES_PER_FRAME);
    let Some(count) = usize::try_from(claimed).ok().filter(|count| *count <= most) else {
        let expected = "as many updates as one DocUpdate can hold";
        return Err(Mismatch { expected, offset, found: format!("{claimed} where {most} fit") });
    };
    let mut updates = Vec::new();
    for _ in 0..count {
        updates.push(reader.var_bytes("an update of a DocUpdate")?);
    }
    Ok(Frame::DocUpdate { updates, batch: batch(reader)? })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn check(hex: &str) -> String {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal"))
            .collect();
        match decode(bytes.into()) {
            Ok(envelope) => format!("{envelope:?}"),
            Err(error) => match error.room() {
                Some((magic, room)) => format!("{}: {error} ({magic} {room})", error.code()),
                None => format!("{}: {error}", error.code()),
            },
        }
    }

    #[test]
    fn a_refusal_says_what_was_expected_and_where() {
        assert_snapshot!(check(""), @"invalid_frame: expected the four bytes of a magic (such as %LOR) at byte 0, found the end of the frame");
        assert_snapshot!(check("254c4f"), @"invalid_frame: expected the four bytes of a magic (such as %LOR) at byte 0, found 3 bytes and the end of the frame");
        assert_snapshot!(check("254c4f52 ff01 72"), @"invalid_frame: expected a room name of at most 128 bytes of UTF-8 at byte 4, found a length of 255 with 1 byte left");
        assert_snapshot!(check("254c4f52 02 c328 07"), @"invalid_frame: expected a room name of at most 128 bytes of UTF-8 at byte 4, found bytes that are not UTF-8 from byte 0 on");
        assert_snapshot!(check("254c4f52 0172"), @"invalid_frame: expected a message type from 00 to 08 at byte 6, found the end of the frame (%LOR r)");
        assert_snapshot!(check("254c4f52 0172 09"), @"invalid_frame: expected a message type from 00 to 08 at byte 6, found 09 (%LOR r)");
        assert_snapshot!(check("254c4f52 0172 07 00"), @"invalid_frame: expected the end of the frame at byte 7, found 1 byte more (%LOR r)");
        assert_snapshot!(check("254c4f52 0172 01 05 6f776e6572 00 00"), @r#"invalid_frame: expected the permission "read" or "write" at byte 7, found a text of 5 bytes (%LOR r)"#);
        assert_snapshot!(check("254c4f52 0172 08 0102030405"), @"invalid_frame: expected the eight bytes of a batch id at byte 7, found 5 bytes and the end of the frame (%LOR r)");
        assert_snapshot!(check("254c4f52 0172 04 0102030405060708 ffffffffffffffffffff 01"), @"invalid_frame: expected the fragment count of a FragmentHeader at byte 15, found a number of more than 64 bits (%LOR r)");
    }

    #[test]
    fn a_claimed_count_reserves_nothing() {
        assert_snapshot!(check("254c4f52 0172 03 808080808020 0000000000000000"), @"invalid_frame: expected as many updates as one DocUpdate can hold at byte 7, found 1099511627776 where 0 fit (%LOR r)");
        assert_snapshot!(check("254c4f52 0172 03 02 00 0000000000000000"), @"invalid_frame: expected as many updates as one DocUpdate can hold at byte 7, found 2 where 1 fit (%LOR r)");
    }

    #[test]
    fn codes_of_later_versions_are_unknown_ones() {
        assert_snapshot!(check("254c4f52 0172 08 0102030405060708 55"), @r#"Envelope { magic: %LOR, room: "r", frame: Ack { batch: 0102030405060708, status: Unknown } }"#);
        assert_snapshot!(check("254c4f52 0172 06 55 026e6f"), @r#"Envelope { magic: %LOR, room: "r", frame: RoomError { code: Unknown, message: "no" } }"#);
        assert_snapshot!(check("254c4f52 0172 02 55 026e6f"), @r#"Envelope { magic: %LOR, room: "r", frame: JoinError { code: Unknown, message: "no" } }"#);
    }

    #[test]
    fn a_join_error_may_leave_out_what_belongs_to_its_code() {
        assert_snapshot!(check("254c4f52 0172 02 01 026e6f"), @r#"Envelope { magic: %LOR, room: "r", frame: JoinError { code: VersionUnknown { version: b"" }, message: "no" } }"#);
        assert_snapshot!(check("254c4f52 0172 02 7f 026e6f"), @r#"Envelope { magic: %LOR, room: "r", frame: JoinError { code: App { code: "" }, message: "no" } }"#);
        assert_snapshot!(check("254c4f52 0172 02 02 026e6f 00"), @"invalid_frame: expected the end of the frame at byte 11, found 1 byte more (%LOR r)");
    }

    #[test]
    fn a_frame_beyond_the_limit_is_not_looked_at() {
        assert_eq!(
            decode(Bytes::from(vec![0; MAX_FRAME_BYTES + 1])),
            Err(DecodeError::TooLarge { found: MAX_FRAME_BYTES + 1 })
        );
    }
}
