//! How far a replica has come: for each peer, how many of its operations it has.

use std::{collections::BTreeMap, fmt, panic::catch_unwind};

use loro::{LoroDoc, VersionVector};

/// Who made an operation; no two writers may share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

impl PeerId {
    /// How many of its bits a server draws at random; those above say that it is a server's.
    const DRAWN_BITS: u32 = 40;
    const SERVER: u64 = 0x43_4f_52;

    /// A peer id for a server, of which `random` is told apart from others by 40 bits.
    #[must_use]
    pub const fn of_a_server(random: u64) -> Self {
        Self(Self::SERVER << Self::DRAWN_BITS | random & ((1 << Self::DRAWN_BITS) - 1))
    }

    /// Whether a server made it for itself; one in 16 million that clients draw looks as if.
    #[must_use]
    pub const fn is_a_servers(self) -> bool {
        self.0 >> Self::DRAWN_BITS == Self::SERVER
    }
}

/// A version vector.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Version(VersionVector);

/// Bytes that are no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// More bytes than any version needs.
    #[error("expected a version of at most {most} bytes, found {found}")]
    TooLong {
        /// The bound.
        most: usize,
        /// What came.
        found: usize,
    },
    /// The bytes do not decode.
    #[error("expected an encoded version vector, found {0} bytes that are none")]
    Undecodable(usize),
    /// A peer has fewer than no operations.
    #[error("expected a count of operations, found {0}")]
    NegativeCount(i32),
}

/// Enough for the peers of any row that people edit: some 70,000.
const MOST_BYTES: usize = 1 << 20;

impl Version {
    /// The version of a replica that has nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Reads what [`Version::encode`] wrote, here or in any Loro client.
    ///
    /// No bytes, and the single byte 0, are the empty version.
    ///
    /// # Errors
    /// [`VersionError`] when the bytes are too many or no version vector.
    pub fn decode(bytes: &[u8]) -> Result<Self, VersionError> {
        if bytes.is_empty() || bytes == [0] {
            return Ok(Self::empty());
        }
        if bytes.len() > MOST_BYTES {
            return Err(VersionError::TooLong { most: MOST_BYTES, found: bytes.len() });
        }
        let vector = catch_unwind(|| VersionVector::decode(bytes))
            .ok()
            .and_then(Result::ok)
            .ok_or(VersionError::Undecodable(bytes.len()))?;
        // Loro panics on some paths where a count is negative.
        if let Some(count) = vector.values().find(|count| **count < 0) {
            return Err(VersionError::NegativeCount(*count));
        }
        Ok(Self(
            vector.iter().filter(|(_, count)| **count > 0).map(|(peer, count)| (*peer, *count)).collect(),
        ))
    }

    /// The version as any Loro client reads it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode()
    }

    /// Whether no operation is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|count| *count <= 0)
    }

    /// Whether every operation of `other` is in this version.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.0.iter().all(|(peer, count)| *count <= 0 || self.0.get(peer).is_some_and(|own| own >= count))
    }

    /// What a replica must have before it takes `update`, and what it then has besides; nothing when the bytes are no
    /// update.
    #[must_use]
    pub fn span_of(update: &[u8]) -> Option<(Self, Self)> {
        let meta = catch_unwind(|| LoroDoc::decode_import_blob_meta(update, true)).ok()?.ok()?;
        Some((Self(meta.partial_start_vv), Self(meta.partial_end_vv)))
    }

    /// Takes in what `other` has.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }

    /// What this version has beyond `before`: each peer of which there is more, with how many operations there are of it.
    ///
    /// Merged into `before`, it gives this version.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let more = self.0.iter().filter(|(peer, count)| before.0.get(peer).is_none_or(|had| had < count));
        Self(more.map(|(peer, count)| (*peer, *count)).collect())
    }

    /// Each peer with how many of its operations there are.
    pub fn ends(&self) -> impl Iterator<Item = (PeerId, i32)> {
        self.0.iter().map(|(peer, count)| (PeerId(*peer), *count))
    }

    pub(crate) fn from_vector(vector: VersionVector) -> Self {
        Self(vector)
    }

    pub(crate) fn vector(&self) -> &VersionVector {
        &self.0
    }
}

impl FromIterator<(PeerId, i32)> for Version {
    fn from_iter<I: IntoIterator<Item = (PeerId, i32)>>(ends: I) -> Self {
        Self(ends.into_iter().map(|(peer, count)| (peer.0, count)).collect())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().collect::<BTreeMap<_, _>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(counts: &[(u64, i32)]) -> Version {
        Version(counts.iter().copied().collect())
    }

    #[test]
    fn nothing_and_zero_are_the_empty_version() {
        assert_eq!(Version::decode(&[]), Ok(Version::empty()));
        assert_eq!(Version::decode(&[0]), Ok(Version::empty()));
        assert_eq!(Version::empty().encode(), [0]);
        assert!(Version::empty().is_empty());
    }

    #[test]
    fn inclusion_is_peer_by_peer() {
        let one = version(&[(1, 3), (2, 1)]);
        let two = version(&[(1, 2)]);
        assert!(one.includes(&two));
        assert!(!two.includes(&one));
        let other = version(&[(1, 1), (3, 1)]);
        assert!(!one.includes(&other) && !other.includes(&one));
        let mut both = one.clone();
        both.merge(&other);
        assert!(both.includes(&one) && both.includes(&other));
        assert_eq!(both, version(&[(1, 3), (2, 1), (3, 1)]));
    }

    #[test]
    fn an_update_spans_what_it_needs_and_what_it_brings() {
        let doc = LoroDoc::new();
        doc.set_peer_id(7).unwrap();
        doc.get_text("text").insert(0, "abc").unwrap();
        doc.commit();
        let before = doc.oplog_vv();
        doc.get_text("text").insert(3, "de").unwrap();
        doc.commit();
        let update = doc.export(loro::ExportMode::updates(&before)).unwrap();
        assert_eq!(Version::span_of(&update), Some((version(&[(7, 3)]), version(&[(7, 5)]))));
        assert_eq!(Version::span_of(b"none"), None);
    }

    #[test]
    fn what_is_new_leads_from_one_version_to_the_next() {
        let (one, two) = (version(&[(1, 3), (2, 1)]), version(&[(1, 3), (2, 4), (5, 1)]));
        assert_eq!(two.since(&one), version(&[(2, 4), (5, 1)]));
        assert_eq!(two.since(&two), Version::empty());
        let mut led = one;
        led.merge(&two.since(&led.clone()));
        assert_eq!(led, two);
    }

    #[test]
    fn a_negative_count_is_refused() {
        assert_eq!(Version::decode(&version(&[(1, -5)]).encode()), Err(VersionError::NegativeCount(-5)));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(counts in prop::collection::btree_map(any::<u64>(), 1..i32::MAX, 0..20)) {
            let version = Version(counts.into_iter().collect());
            prop_assert_eq!(Version::decode(&version.encode()), Ok(version));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(version) = Version::decode(&bytes) {
                prop_assert!(version.includes(&Version::empty()));
            }
        }
    }
}
