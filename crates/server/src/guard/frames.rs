//! What the server and a guard say to each other, all numbers little-endian.
//!
//! The server sends a batch: how many blobs (u32), then each with its kind (a byte) and its length (u32). The guard
//! answers with one verdict for each: a byte, 0 for sound, 1 for refused; a refusal is followed by its reason with its
//! length (u16).

use bytes::Bytes;

/// Most blobs in one batch.
pub(super) const MOST_BLOBS: usize = 64;
/// Bytes from which on a batch takes no more blobs.
pub(super) const FULL_BATCH: usize = 4 << 20;
/// Most bytes of one blob from a client; the routes and the socket take fewer.
pub(super) const MOST_BYTES: usize = 256 << 20;
/// Most bytes of a reason.
pub(super) const MOST_REASON: usize = 1_000;

const SOUND: u8 = 0;
const REFUSED: u8 = 1;

const UPDATE: u8 = 0;
const KEPT: u8 = 1;

/// What bytes are given out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    /// A client's update.
    Update,
    /// A snapshot or a delta of a row that was kept elsewhere.
    Kept,
}

impl BlobKind {
    pub(super) fn of(byte: u8) -> Option<Self> {
        match byte {
            UPDATE => Some(Self::Update),
            KEPT => Some(Self::Kept),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Update => UPDATE,
            Self::Kept => KEPT,
        }
    }
}

/// Bytes to be looked at.
#[derive(Debug, Clone)]
pub struct Blob {
    /// What they are given out for.
    pub kind: BlobKind,
    /// The bytes.
    pub bytes: Bytes,
}

/// What a guard says of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Sound,
    Refused(String),
}

/// A batch as it is sent.
pub(super) fn batch<'a>(blobs: impl ExactSizeIterator<Item = &'a Blob>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    push_count(&mut bytes, blobs.len());
    for blob in blobs {
        bytes.push(blob.kind.byte());
        push_count(&mut bytes, blob.bytes.len());
        bytes.extend_from_slice(&blob.bytes);
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
            let end = reason.floor_char_boundary(MOST_REASON);
            bytes.push(REFUSED);
            bytes.extend_from_slice(&u16::try_from(end).unwrap_or(0).to_le_bytes());
            bytes.extend_from_slice(&reason.as_bytes()[..end]);
        }
    }
}

/// What came is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoVerdict;

/// The verdicts in `answer`, of which there are to be `count`; nothing while it goes on.
pub(super) fn verdicts(mut answer: &[u8], count: usize) -> Result<Option<Vec<Verdict>>, NoVerdict> {
    let mut verdicts = Vec::with_capacity(count);
    while verdicts.len() < count {
        answer = match answer {
            [] | [REFUSED] | [REFUSED, _] => return Ok(None),
            [SOUND, rest @ ..] => {
                verdicts.push(Verdict::Sound);
                rest
            }
            [REFUSED, low, high, rest @ ..] => {
                let length = usize::from(u16::from_le_bytes([*low, *high]));
                if length > MOST_REASON {
                    return Err(NoVerdict);
                }
                let Some((reason, rest)) = rest.split_at_checked(length) else { return Ok(None) };
                verdicts.push(Verdict::Refused(String::from_utf8_lossy(reason).into_owned()));
                rest
            }
            [_, ..] => return Err(NoVerdict),
        };
    }
    if answer.is_empty() { Ok(Some(verdicts)) } else { Err(NoVerdict) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_whole() {
        let said = [Verdict::Sound, Verdict::Refused("ö".repeat(600)), Verdict::Sound];
        let mut answer = Vec::new();
        said.iter().for_each(|verdict| push_verdict(&mut answer, verdict));
        for end in 0..answer.len() {
            assert_eq!(verdicts(&answer[..end], 3), Ok(None), "{end}");
        }
        let read = verdicts(&answer, 3).expect("verdicts").expect("all of them");
        assert_eq!(read[1], Verdict::Refused("ö".repeat(MOST_REASON / 2)), "it is cut between characters");
        answer.push(SOUND);
        assert_eq!(verdicts(&answer, 3), Err(NoVerdict), "more than was asked");
        assert_eq!(verdicts(&[REFUSED, 255, 255], 1), Err(NoVerdict), "a reason beyond its bound");
        assert_eq!(verdicts(&[7], 1), Err(NoVerdict));
    }
}
