//! Manifests to test with, and presence.

use loro::awareness::EphemeralStore;

/// The notes app of `schema/examples`.
pub const NOTES: &str = include_str!("../../../schema/examples/notes.json");

/// The open documents of `schema/examples`.
pub const OPEN: &str = include_str!("../../../schema/examples/open.json");

/// The sample of `schema/examples` with a field of every kind.
pub const KINDS: &str = include_str!("../../../schema/examples/kinds.json");

/// Plain fields, texts and a document, a unique field, and an open entity which is the default one; everybody may do everything.
pub const SAMPLE: &str = r#"{
  "manifest_version": 1,
  "name": "sample",
  "version": "0.1.0",
  "defaultEntity": "Board",
  "entities": [
    {
      "name": "Note",
      "fields": [
        { "name": "title", "type": "string", "default": "" },
        { "name": "body", "type": "richtext", "optional": true },
        { "name": "summary", "type": "string", "crdt": "text", "optional": true },
        { "name": "pinned", "type": "bool", "default": false },
        { "name": "color", "type": "enum(none,red,green)", "default": "none" },
        { "name": "stars", "type": "int", "optional": true },
        { "name": "position", "type": "float", "default": 0 },
        { "name": "due", "type": "datetime", "optional": true },
        { "name": "author", "type": "id(User)", "optional": true },
        { "name": "slug", "type": "string", "optional": true, "unique": true },
        { "name": "page", "type": "document", "optional": true }
      ],
      "indexes": [{ "name": "by_position", "fields": ["position"] }]
    },
    {
      "name": "User",
      "fields": [{ "name": "name", "type": "string" }]
    },
    {
      "name": "Board",
      "open": true,
      "fields": [{ "name": "title", "type": "string", "optional": true }]
    }
  ],
  "policies": [
    { "name": "everybody, Note", "entity": "Note", "allow": "true" },
    { "name": "everybody, User", "entity": "User", "allow": "true" },
    { "name": "everybody, Board", "entity": "Board", "allow": "true" }
  ]
}"#;

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
