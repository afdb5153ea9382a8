//! Refresh tokens, and what is kept of them: each is good once, and one that comes again gives its thief away.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use corella_rowdoc::Tenant;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

/// For how long a token that was used is taken once more: its answer may have been lost, or two tabs came at once.
const GRACE: SignedDuration = SignedDuration::from_secs(10);
/// Tokens of a session that are remembered.
const MOST_LINKS: usize = 16;
/// The first byte of a stored chain.
const FORMAT: u8 = 1;
/// Bytes of a hash.
const HASH: usize = 32;
/// Bytes of a stored link: its hash, and when it was used in microseconds since 1970, 0 when it was not.
const LINK: usize = HASH + 8;

/// 32 bytes that nobody can guess, as text.
pub(super) fn secret_text() -> String {
    let bytes =
        [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// A refresh token: whose session it refreshes, and the proof.
#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(super) tenant: Tenant,
    pub(super) session: String,
    secret: String,
}

impl RefreshToken {
    /// A fresh one.
    pub(super) fn new(tenant: &Tenant, session: &str) -> Self {
        Self { tenant: tenant.clone(), session: session.to_owned(), secret: secret_text() }
    }

    /// The token that is written so.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (tenant, session, secret) = (parts.next()?, parts.next()?, parts.next()?);
        let tenant = String::from_utf8(URL_SAFE_NO_PAD.decode(tenant).ok()?).ok()?;
        if parts.next().is_some() || session.is_empty() || secret.is_empty() || text.len() > 2_048 {
            return None;
        }
        let tenant = if tenant.is_empty() { Tenant::none() } else { Tenant::new(&tenant) };
        Some(Self { tenant, session: session.to_owned(), secret: secret.to_owned() })
    }

    /// As it is sent.
    pub(crate) fn to_text(&self) -> String {
        let tenant = URL_SAFE_NO_PAD.encode(self.tenant.as_str());
        format!("{tenant}.{}.{}", self.session, self.secret)
    }

    fn hash(&self) -> [u8; HASH] {
        Sha256::digest(self.secret.as_bytes()).into()
    }
}

/// What a token that comes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Good.
    Good,
    /// One that was used before: somebody else has it, too.
    Again,
    /// None of those that are remembered.
    Unknown,
}

/// The hashes of a session's last tokens, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain(Vec<Link>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    hash: [u8; HASH],
    used_at: Option<Timestamp>,
}

impl Chain {
    /// A chain of one token.
    pub(super) fn of(token: &RefreshToken) -> Self {
        Self(vec![Link { hash: token.hash(), used_at: None }])
    }

    /// The chain as it is stored; what is none has no links.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        let Some((&FORMAT, links)) = bytes.split_first() else { return Self(Vec::new()) };
        let link = |bytes: &[u8]| {
            let (hash, used_at) = bytes.split_at_checked(HASH)?;
            let used_at = i64::from_be_bytes(used_at.try_into().ok()?);
            let used_at = if used_at == 0 { None } else { Timestamp::from_microsecond(used_at).ok() };
            Some(Link { hash: hash.try_into().ok()?, used_at })
        };
        Self(links.chunks(LINK).filter_map(link).collect())
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        for link in &self.0 {
            bytes.extend_from_slice(&link.hash);
            let used_at = link.used_at.map_or(0, Timestamp::as_microsecond);
            bytes.extend_from_slice(&used_at.to_be_bytes());
        }
        bytes
    }

    /// Takes a token that has come, and `next` in its place if it is good.
    pub(super) fn take(&mut self, token: &RefreshToken, next: &RefreshToken, now: Timestamp) -> Use {
        let hash = token.hash();
        // All are compared, whichever fits.
        let mut found = None;
        for (place, link) in self.0.iter().enumerate() {
            if bool::from(link.hash.ct_eq(&hash)) {
                found = Some(place);
            }
        }
        let Some(link) = found.and_then(|place| self.0.get_mut(place)) else { return Use::Unknown };
        match link.used_at {
            Some(used_at) if now.duration_since(used_at) > GRACE => return Use::Again,
            Some(_) => {}
            None => link.used_at = Some(now),
        }
        self.0.push(Link { hash: next.hash(), used_at: None });
        let surplus = self.0.len().saturating_sub(MOST_LINKS);
        self.0.drain(..surplus);
        Use::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000 + second).unwrap()
    }

    fn token() -> RefreshToken {
        RefreshToken::new(&Tenant::new("acme"), "s1")
    }

    #[test]
    fn a_token_reads_as_it_is_written() {
        let token = token();
        let text = token.to_text();
        let read = RefreshToken::parse(&text).unwrap();
        assert_eq!(
            (read.tenant.as_str(), read.session.as_str(), read.to_text()),
            ("acme", "s1", text.clone())
        );
        let nobodys = RefreshToken::new(&Tenant::none(), "s1");
        assert_eq!(RefreshToken::parse(&nobodys.to_text()).unwrap().tenant, Tenant::none());
        for wrong in
            ["", ".", "..", "a.b", ".s1.", "*.s1.x", "YQ.s1.x.y", &format!(".s1.{}", "x".repeat(3_000))]
        {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
        assert_ne!(token.to_text(), self::token().to_text());
    }

    #[test]
    fn each_token_is_good_once_and_for_a_moment_more() {
        let (first, second, third, fourth) = (token(), token(), token(), token());
        let mut chain = Chain::of(&first);
        assert_eq!(chain.take(&second, &third, at(0)), Use::Unknown);
        assert_eq!(chain.take(&first, &second, at(0)), Use::Good);
        assert_eq!(chain.take(&first, &third, at(10)), Use::Good, "its answer was lost");
        let mut chain = Chain::of_bytes(&chain.to_bytes());
        assert_eq!(chain.take(&third, &fourth, at(20)), Use::Good);
        assert_eq!(chain.take(&second, &token(), at(100)), Use::Good, "the other tab's was never used");
        assert_eq!(chain.take(&first, &token(), at(101)), Use::Again);
        assert_eq!(chain.take(&third, &token(), at(101)), Use::Again);
    }

    #[test]
    fn a_chain_has_a_bound_and_survives_harm() {
        let mut last = token();
        let mut chain = Chain::of(&last);
        for second in 0..100 {
            let next = token();
            assert_eq!(chain.take(&last, &next, at(second * 60)), Use::Good);
            last = next;
        }
        assert_eq!(chain.to_bytes().len(), 1 + MOST_LINKS * LINK);
        assert_eq!(Chain::of_bytes(&chain.to_bytes()), chain);
        for harmed in [&[][..], &[2, 1, 1], &[FORMAT, 1, 1]] {
            assert_eq!(Chain::of_bytes(harmed).take(&last, &token(), at(0)), Use::Unknown);
        }
    }
}
