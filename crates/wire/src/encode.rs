//! From a frame to bytes, in one allocation of the exact length.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{BatchId, Envelope, Frame, JoinErrorCode, Magic, RoomName};

const BATCH_BYTES: usize = size_of::<BatchId>();

/// Writes one binary frame.
///
/// What is written is decoded to an equal envelope as long as it keeps
/// [`MAX_FRAME_BYTES`](crate::MAX_FRAME_BYTES) and
/// [`MAX_UPDATES_PER_FRAME`](crate::MAX_UPDATES_PER_FRAME); for updates of any size and number there is
/// [`encode_update`](crate::encode_update).
#[must_use]
pub fn encode(envelope: &Envelope) -> Bytes {
    let Envelope { magic, room, frame } = envelope;
    let start = |payload| FrameWriter::new(*magic, room, frame.type_number(), payload);
    match frame {
        Frame::JoinRequest { auth, version } => {
            start(var_bytes_length(auth) + var_bytes_length(version)).var_bytes(auth).var_bytes(version)
        }
        Frame::JoinOk { permission, version, extra } => {
            let permission = permission.as_str().as_bytes();
            let payload = var_bytes_length(permission) + var_bytes_length(version) + var_bytes_length(extra);
            start(payload).var_bytes(permission).var_bytes(version).var_bytes(extra)
        }
        Frame::JoinError { code, message } => {
            let detail: Option<&[u8]> = match code {
                JoinErrorCode::VersionUnknown { version } => Some(version),
                JoinErrorCode::App { code } => Some(code.as_bytes()),
                JoinErrorCode::Unknown | JoinErrorCode::AuthFailed => None,
            };
            let payload = 1 + var_bytes_length(message.as_bytes()) + detail.map_or(0, var_bytes_length);
            let writer = start(payload).byte(code.number()).var_bytes(message.as_bytes());
            match detail {
                Some(detail) => writer.var_bytes(detail),
                None => writer,
            }
        }
        Frame::DocUpdate { updates, batch } => return encode_doc_update(*magic, room, updates, *batch),
        Frame::FragmentHeader { batch, count, total_bytes } => {
            start(BATCH_BYTES + var_uint_length(*count) + var_uint_length(*total_bytes))
                .batch(*batch)
                .var_uint(*count)
                .var_uint(*total_bytes)
        }
        Frame::Fragment { batch, index, chunk } => {
            return encode_fragment(*magic, room, *batch, *index, chunk);
        }
        Frame::RoomError { code, message } => {
            start(1 + var_bytes_length(message.as_bytes())).byte(code.number()).var_bytes(message.as_bytes())
        }
        Frame::Leave => start(0),
        Frame::Ack { batch, status } => start(BATCH_BYTES + 1).batch(*batch).byte(status.number()),
    }
    .finish()
}

/// A DocUpdate frame of these updates.
pub(crate) fn encode_doc_update(
    magic: Magic,
    room: &RoomName,
    updates: &[impl AsRef<[u8]>],
    batch: BatchId,
) -> Bytes {
    let updates_bytes: usize = updates.iter().map(|update| var_bytes_length(update.as_ref())).sum();
    let payload = var_uint_length(wide(updates.len())) + updates_bytes + BATCH_BYTES;
    let writer = FrameWriter::new(magic, room, 0x03, payload).var_uint(wide(updates.len()));
    updates.iter().fold(writer, |writer, update| writer.var_bytes(update.as_ref())).batch(batch).finish()
}

/// A Fragment frame of this chunk.
pub(crate) fn encode_fragment(
    magic: Magic,
    room: &RoomName,
    batch: BatchId,
    index: u64,
    chunk: &[u8],
) -> Bytes {
    let payload = BATCH_BYTES + var_uint_length(index) + var_bytes_length(chunk);
    FrameWriter::new(magic, room, 0x05, payload).batch(batch).var_uint(index).var_bytes(chunk).finish()
}

struct FrameWriter(BytesMut);

impl FrameWriter {
    fn new(magic: Magic, room: &RoomName, type_number: u8, payload_bytes: usize) -> Self {
        let mut out = BytesMut::with_capacity(address_bytes(room) + payload_bytes);
        out.put_slice(&magic.to_bytes());
        Self(out).var_bytes(room.as_str().as_bytes()).byte(type_number)
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.put_u8(byte);
        self
    }

    fn batch(mut self, batch: BatchId) -> Self {
        self.0.put_slice(&batch.0);
        self
    }

    /// `value` as LEB128: seven bits a byte, the lowest first.
    fn var_uint(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.put_u8(0x80 | value.to_le_bytes()[0]);
            value >>= 7;
        }
        self.byte(value.to_le_bytes()[0])
    }

    fn var_bytes(self, bytes: &[u8]) -> Self {
        let mut writer = self.var_uint(wide(bytes.len()));
        writer.0.put_slice(bytes);
        writer
    }

    fn finish(self) -> Bytes {
        self.0.freeze()
    }
}

/// The bytes before the payload: magic, room and message type.
pub(crate) fn address_bytes(room: &RoomName) -> usize {
    4 + var_bytes_length(room.as_str().as_bytes()) + 1
}

/// How many bytes `value` takes as LEB128.
fn var_uint_length(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// How many bytes `bytes` take behind their length.
pub(crate) fn var_bytes_length(bytes: &[u8]) -> usize {
    var_uint_length(wide(bytes.len())) + bytes.len()
}

pub(crate) fn wide(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory has at most 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_foreseen_exactly() {
        for value in [0, 1, 127, 128, 16_383, 16_384, (1 << 35) - 1, 1 << 35, u64::MAX] {
            let written = FrameWriter(BytesMut::new()).var_uint(value).finish();
            assert_eq!(written.len(), var_uint_length(value), "{value}");
        }
    }
}
