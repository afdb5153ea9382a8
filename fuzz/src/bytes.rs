//! What comes over a socket.

use bytes::Bytes;
use corella_rowdoc::{
    Version,
    presence::{PresenceEntry, decode_presence, encode_presence},
};
use corella_wire::{control::TextFrame, decode, encode};

/// What decodes is what it says: written again, it decodes to the same.
pub(crate) fn frame(input: &[u8]) {
    if let Ok(envelope) = decode(Bytes::copy_from_slice(input)) {
        assert_eq!(decode(encode(&envelope)), Ok(envelope));
    }
}

pub(crate) fn control_message(input: &[u8]) {
    let _ = TextFrame::decode(&String::from_utf8_lossy(input));
}

pub(crate) fn version(input: &[u8]) {
    if let Ok(version) = Version::decode(input) {
        let again = Version::decode(&version.encode()).expect("what was written is read");
        assert!(again.includes(&version) && version.includes(&again));
    }
}

pub(crate) fn presence(input: &[u8]) {
    if let Ok(entries) = decode_presence(input) {
        // Values are not compared: a number that is none differs from itself.
        let told = |entries: &[PresenceEntry]| -> Vec<(String, i64, bool)> {
            entries.iter().map(|entry| (entry.key.clone(), entry.stamp, entry.value.is_some())).collect()
        };
        let again = decode_presence(&encode_presence(&entries)).expect("what was written is read");
        assert_eq!(told(&again), told(&entries));
    }
}
