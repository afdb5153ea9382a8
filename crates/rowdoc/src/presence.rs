//! Presence updates as Loro's `EphemeralStore` encodes them: keys with values and stamps.

use loro::LoroValue;
use serde::{Deserialize, Serialize};

/// One key of a presence update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresenceEntry {
    /// The key, such as a peer id.
    pub key: String,
    /// What its owner says; `None` takes the key away.
    pub value: Option<PresenceValue>,
    /// When it was said, in milliseconds since 1970; receivers keep the latest.
    pub stamp: i64,
}

/// What somebody says of themselves; opaque to Corella, nested at most 128 levels deep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PresenceValue(LoroValue);

/// Bytes that are no presence update.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a list of presence entries: {0}")]
pub struct InvalidPresence(String);

/// Reads a presence update.
///
/// # Errors
/// [`InvalidPresence`] when the bytes do not decode whole.
pub fn decode_presence(bytes: &[u8]) -> Result<Vec<PresenceEntry>, InvalidPresence> {
    match postcard::take_from_bytes(bytes) {
        Ok((entries, [])) => Ok(entries),
        Ok((_, rest)) => Err(InvalidPresence(format!("{} bytes follow it", rest.len()))),
        Err(error) => Err(InvalidPresence(error.to_string())),
    }
}

/// Writes a presence update.
#[must_use]
pub fn encode_presence(entries: &[PresenceEntry]) -> Vec<u8> {
    postcard::to_allocvec(entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use loro::awareness::EphemeralStore;

    use super::*;

    #[test]
    fn reads_and_writes_what_loro_does() {
        let store = EphemeralStore::new(30_000);
        store.set("ada", LoroValue::from(7));
        let mut entries = decode_presence(&store.encode_all()).unwrap();
        assert_eq!(entries[0].key, "ada");
        entries[0].stamp += 1;
        entries[0].value = None;
        store.apply(&encode_presence(&entries)).unwrap();
        assert_eq!(store.get("ada"), None);
    }

    #[test]
    fn refuses_what_is_no_update() {
        for bytes in [&[][..], &[0xff; 20], &[1, 1, b'a'], &[0, 0]] {
            decode_presence(bytes).unwrap_err();
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let mut bytes = vec![1, 1, b'a', 1];
        bytes.extend([5, 1].repeat(8_000));
        bytes.extend([0, 0]);
        decode_presence(&bytes).unwrap_err();
    }
}
