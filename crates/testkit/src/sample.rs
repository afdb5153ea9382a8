//! Manifests to test with, and presence.

use loro::awareness::EphemeralStore;

/// The notes app of `schema/examples`.
pub const NOTES: &str = include_str!("../../../schema/examples/notes.json");

/// The open documents of `schema/examples`.
pub const OPEN: &str = include_str!("../../../schema/examples/open.json");

/// The sample of `schema/examples` with a field of every kind.
pub const KINDS: &str = include_str!("../../../schema/examples/kinds.json");

/// Plain fields, texts and a document, a unique field, and an open entity which is the default one; everybody may do everything.
pub const SAMPLE: &str = include_str!("sample.json");

/// A presence store as clients have it, which forgets nothing within a test.
#[must_use]
pub fn presence_store() -> EphemeralStore {
    EphemeralStore::new(10 * 60 * 1_000)
}

/// An update of 90 bytes that has whoever decodes it ask for more memory than there is.
///
/// # Panics
/// Never: the digits are digits.
#[must_use]
pub fn deadly_update() -> Vec<u8> {
    const DIGITS: &str = "6c6f726f0000000000000000000000009ba4685b000443000100010110016a51eb280820a32f010180feffff\
                          07050100000100060104010000020a057469746c6503726f77000e010402010002010002010b0201010003050174";
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("hexadecimal digits")
    };
    DIGITS.as_bytes().chunks(2).map(byte).collect()
}
