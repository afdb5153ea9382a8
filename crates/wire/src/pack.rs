//! How updates of any size and number become frames.

use bytes::Bytes;

use crate::{
    BatchId, Envelope, Frame, MAX_CHUNK_BYTES, MAX_FRAME_BYTES, MAX_UPDATES_PER_FRAME, Magic, RoomName,
    encode::{address_bytes, encode, encode_doc_update, encode_fragment, var_bytes_length, wide},
};

/// Longest LEB128 number of updates in one frame: two bytes count to 16,383.
const COUNT_BYTES: usize = 2;

/// Writes the frames that carry `updates`, in their order.
///
/// Small updates share a frame; one of more than [`MAX_CHUNK_BYTES`] travels as a header and its fragments,
/// which the other side joins to one update again. Each batch takes an id from `next_batch` and is to be
/// acknowledged by it. No updates make no frames.
pub fn encode_update(
    magic: Magic,
    room: &RoomName,
    updates: &[impl AsRef<[u8]>],
    mut next_batch: impl FnMut() -> BatchId,
) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = updates;
    while let Some(first) = rest.first() {
        if first.as_ref().len() > MAX_CHUNK_BYTES {
            push_fragments(&mut frames, magic, room, first.as_ref(), next_batch());
            rest = &rest[1..];
        } else {
            let (together, later) = rest.split_at(fitting(room, rest));
            frames.push(encode_doc_update(magic, room, together, next_batch()));
            rest = later;
        }
    }
    frames
}

/// How many of the first of `updates` share one frame; at least one when the first needs no fragments.
fn fitting(room: &RoomName, updates: &[impl AsRef<[u8]>]) -> usize {
    let mut free = MAX_FRAME_BYTES - address_bytes(room) - COUNT_BYTES - size_of::<BatchId>();
    updates
        .iter()
        .take(MAX_UPDATES_PER_FRAME)
        .take_while(|update| {
            let update = update.as_ref();
            let left = free.checked_sub(var_bytes_length(update));
            free = left.unwrap_or(0);
            update.len() <= MAX_CHUNK_BYTES && left.is_some()
        })
        .count()
}

fn push_fragments(frames: &mut Vec<Bytes>, magic: Magic, room: &RoomName, update: &[u8], batch: BatchId) {
    let count = wide(update.len().div_ceil(MAX_CHUNK_BYTES));
    let header = Frame::FragmentHeader { batch, count, total_bytes: wide(update.len()) };
    frames.push(encode(&Envelope { magic, room: room.clone(), frame: header }));
    for (index, chunk) in (0..).zip(update.chunks(MAX_CHUNK_BYTES)) {
        frames.push(encode_fragment(magic, room, batch, index, chunk));
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::decode;

    /// The frames of updates of these lengths, one line each.
    fn check(lengths: &[usize]) -> String {
        let room = RoomName::new(&"r".repeat(128)).expect("128 bytes");
        let updates: Vec<Vec<u8>> = lengths.iter().map(|length| vec![7; *length]).collect();
        let mut batches = 0_u8;
        let frames = encode_update(Magic::Document, &room, &updates, || {
            batches += 1;
            BatchId([0, 0, 0, 0, 0, 0, 0, batches])
        });
        let describe = |bytes: Bytes| {
            let length = bytes.len();
            let frame = decode(bytes).expect("what is encoded can be decoded").frame;
            match frame {
                Frame::DocUpdate { updates, batch } => {
                    let lengths: Vec<usize> = updates.iter().map(Bytes::len).collect();
                    match lengths.as_slice() {
                        [first, .., last] => {
                            format!("{batch} {} updates {first}..{last} in {length}", lengths.len())
                        }
                        few => format!("{batch} {few:?} in {length}"),
                    }
                }
                Frame::Fragment { batch, index, chunk } => {
                    format!("{batch} #{index} {} in {length}", chunk.len())
                }
                Frame::JoinRequest { .. }
                | Frame::JoinOk { .. }
                | Frame::JoinError { .. }
                | Frame::FragmentHeader { .. }
                | Frame::RoomError { .. }
                | Frame::Leave
                | Frame::Ack { .. } => format!("{frame:?} in {length}"),
            }
        };
        frames.into_iter().map(describe).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn nothing_makes_no_frames() {
        assert_snapshot!(check(&[]), @"");
    }

    #[test]
    fn small_updates_share_a_frame() {
        assert_snapshot!(check(&[0, 60, 90]), @"0000000000000001 3 updates 0..90 in 297");
        assert_snapshot!(check(&[100_000; 5]), @"
        0000000000000001 2 updates 100000..100000 in 200150
        0000000000000002 2 updates 100000..100000 in 200150
        0000000000000003 [100000] in 100147
        ");
        assert_snapshot!(check(&[1; 5_000]), @"
        0000000000000001 4096 updates 1..1 in 8337
        0000000000000002 904 updates 1..1 in 1953
        ");
    }

    #[test]
    fn an_update_of_the_chunk_limit_travels_whole() {
        assert_snapshot!(check(&[MAX_CHUNK_BYTES]), @"0000000000000001 [245760] in 245907");
        assert_snapshot!(check(&[1, MAX_CHUNK_BYTES + 1, 2]), @"
        0000000000000001 [1] in 146
        FragmentHeader { batch: 0000000000000002, count: 2, total_bytes: 245761 } in 147
        0000000000000002 #0 245760 in 245907
        0000000000000002 #1 1 in 146
        0000000000000003 [2] in 147
        ");
        assert_snapshot!(check(&[16_000, MAX_CHUNK_BYTES]), @"0000000000000001 2 updates 16000..245760 in 261909");
        assert_snapshot!(check(&[17_000, MAX_CHUNK_BYTES]), @"
        0000000000000001 [17000] in 17147
        0000000000000002 [245760] in 245907
        ");
    }

    #[test]
    fn a_frame_is_filled_up_to_its_limit() {
        assert_snapshot!(check(&[MAX_CHUNK_BYTES, 16_234]), @"0000000000000001 2 updates 245760..16234 in 262143");
        assert_snapshot!(check(&[MAX_CHUNK_BYTES, 16_235]), @"
        0000000000000001 [245760] in 245907
        0000000000000002 [16235] in 16381
        ");
    }

    #[test]
    fn a_long_update_is_cut_into_fragments() {
        assert_snapshot!(check(&[5_000_000]), @"
        FragmentHeader { batch: 0000000000000001, count: 21, total_bytes: 5000000 } in 148
        0000000000000001 #0 245760 in 245907
        0000000000000001 #1 245760 in 245907
        0000000000000001 #2 245760 in 245907
        0000000000000001 #3 245760 in 245907
        0000000000000001 #4 245760 in 245907
        0000000000000001 #5 245760 in 245907
        0000000000000001 #6 245760 in 245907
        0000000000000001 #7 245760 in 245907
        0000000000000001 #8 245760 in 245907
        0000000000000001 #9 245760 in 245907
        0000000000000001 #10 245760 in 245907
        0000000000000001 #11 245760 in 245907
        0000000000000001 #12 245760 in 245907
        0000000000000001 #13 245760 in 245907
        0000000000000001 #14 245760 in 245907
        0000000000000001 #15 245760 in 245907
        0000000000000001 #16 245760 in 245907
        0000000000000001 #17 245760 in 245907
        0000000000000001 #18 245760 in 245907
        0000000000000001 #19 245760 in 245907
        0000000000000001 #20 84800 in 84947
        ");
    }
}
