//! What the server and a guard say to each other, all numbers little-endian.
//!
//! The server sends a batch: how many updates (u32), then each with its length (u32). The guard answers with one verdict
//! for each: a byte, 0 for sound, 1 for refused; a refusal is followed by its reason with its length (u16).

/// Most updates in one batch.
pub(super) const MOST_UPDATES: usize = 64;
/// Bytes from which on a batch takes no more updates.
pub(super) const FULL_BATCH: usize = 4 << 20;
/// Most bytes of one update; the routes and the socket take fewer.
pub(super) const MOST_BYTES: usize = 32 << 20;
/// Most bytes of a reason.
pub(super) const MOST_REASON: usize = 1_000;

pub(super) const SOUND: u8 = 0;
pub(super) const REFUSED: u8 = 1;

/// What a guard says of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Sound,
    Refused(String),
}

/// A batch as it is sent.
pub(super) fn batch<'a>(updates: impl ExactSizeIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    push_count(&mut bytes, updates.len());
    for update in updates {
        push_count(&mut bytes, update.len());
        bytes.extend_from_slice(update);
    }
    bytes
}

fn push_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
}

/// A verdict as it is sent.
pub(super) fn push_verdict(bytes: &mut Vec<u8>, verdict: &Verdict) {
    match verdict {
        Verdict::Sound => bytes.push(SOUND),
        Verdict::Refused(reason) => {
            let mut end = reason.len().min(MOST_REASON);
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            bytes.push(REFUSED);
            bytes.extend_from_slice(&u16::try_from(end).unwrap_or(0).to_le_bytes());
            bytes.extend_from_slice(&reason.as_bytes()[..end]);
        }
    }
}
