//! Who is addressed: the kind of room, its name, and the batch that an acknowledgement answers.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::MAX_ROOM_NAME_BYTES;

/// What kind of data a room carries: the first four bytes of every binary frame.
///
/// Rooms of one name and different magic are different rooms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Magic {
    /// `%LOR`: a Loro document.
    Document,
    /// `%EPH`: presence, gone with its connection.
    Ephemeral,
    /// `%EPS`: presence that outlives its connection.
    PersistedEphemeral,
    /// Anything else, such as `%YJS`; decoded so that the join can be refused by name.
    Other([u8; 4]),
}

impl Magic {
    /// The magic that these four bytes mean.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        match &bytes {
            b"%LOR" => Self::Document,
            b"%EPH" => Self::Ephemeral,
            b"%EPS" => Self::PersistedEphemeral,
            _ => Self::Other(bytes),
        }
    }

    /// The four bytes on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        match self {
            Self::Document => *b"%LOR",
            Self::Ephemeral => *b"%EPH",
            Self::PersistedEphemeral => *b"%EPS",
            Self::Other(bytes) => bytes,
        }
    }
}

impl fmt::Display for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().escape_ascii().fmt(f)
    }
}

impl fmt::Debug for Magic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is too long to name a room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a room name of at most {MAX_ROOM_NAME_BYTES} bytes of UTF-8, found one of {found}")]
pub struct RoomNameError {
    /// The length of the text, in bytes.
    pub found: usize,
}

/// The name of a room: UTF-8 of at most [`MAX_ROOM_NAME_BYTES`] bytes.
///
/// A clone shares the text. The text is a copy of its own, because a slice would keep the whole frame in
/// memory for as long as somebody remembers the room.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// Checks the length of `text`.
    ///
    /// # Errors
    /// [`RoomNameError`] when it is longer than [`MAX_ROOM_NAME_BYTES`].
    pub fn new(text: &str) -> Result<Self, RoomNameError> {
        if text.len() > MAX_ROOM_NAME_BYTES {
            return Err(RoomNameError { found: text.len() });
        }
        Ok(Self(text.into()))
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The eight bytes by which an acknowledgement names the batch that it answers.
///
/// Written as 16 lowercase hexadecimal digits; read with or without a leading `0x`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchId(
    /// The bytes on the wire.
    pub [u8; 8],
);

/// A text that is no batch id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a batch id of 16 hexadecimal digits, found {found:?}")]
pub struct BatchIdError {
    /// The text, cut to a readable length.
    pub found: String,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BatchId {
    type Err = BatchIdError;

    fn from_str(text: &str) -> Result<Self, BatchIdError> {
        let refused = || BatchIdError { found: text.chars().take(40).collect() };
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() != 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(refused());
        }
        let number = u64::from_str_radix(digits, 16).map_err(|_| refused())?;
        Ok(Self(number.to_be_bytes()))
    }
}

impl Serialize for BatchId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BatchId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_id_reads_what_it_writes() {
        let batch = BatchId([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(batch.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(batch));
        assert_eq!("0x00010203FCFDFEFF".parse(), Ok(batch));
        for wrong in ["", "0x", "00010203fcfdfef", "+0010203fcfdfeff", "00010203fcfdfeff0", "ü0010203fcfdfef"]
        {
            assert!(wrong.parse::<BatchId>().is_err(), "{wrong:?} should be refused");
        }
    }

    #[test]
    fn a_room_name_is_bounded_in_bytes() {
        assert!(RoomName::new(&"ü".repeat(64)).is_ok());
        assert_eq!(RoomName::new(&"ü".repeat(65)), Err(RoomNameError { found: 130 }));
    }

    #[test]
    fn a_magic_is_its_bytes() {
        for bytes in [*b"%LOR", *b"%EPH", *b"%EPS", *b"%YJS", [0, 0xff, b'\n', b'"']] {
            assert_eq!(Magic::from_bytes(bytes).to_bytes(), bytes);
        }
        assert_eq!(Magic::Other([0, 0xff, b'a', b'"']).to_string(), r#"\x00\xffa\""#);
    }
}
