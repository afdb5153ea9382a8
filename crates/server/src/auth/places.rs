//! Where public keys come from, and how they are kept fresh.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use axum::http::Uri;
use tokio::{sync::Mutex, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{fetch, keys::KeySet};

/// How often a file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How soon an address is asked again that has not answered.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How many times in a row tokens with unknown keys may have a place asked again.
const MOST_ASKED: u32 = 5;
/// After what time they may have it asked once more.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Largest file of keys, in bytes.
const MOST_FILE: u64 = 1024 * 1024;

/// Where public keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyLocation {
    /// A file: PEM or JWKS.
    File(PathBuf),
    /// An address of a JWKS.
    Url(Uri),
}

/// Why keys cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The place is none.
    #[error(
        "expected a file of public keys (PEM or JWKS), or the https address of a JWKS, found {found:?}: {why}"
    )]
    Location {
        /// What was given.
        found: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be read.
    #[error("failed to read the keys of {location}")]
    File {
        /// Where.
        location: KeyLocation,
        /// Why.
        source: io::Error,
    },
    /// The address does not answer as it should.
    #[error("failed to fetch the keys of {location}: {why}")]
    Fetch {
        /// Where.
        location: KeyLocation,
        /// Why.
        why: String,
    },
    /// What is there are no keys.
    #[error("failed to use the keys of {location}: {why}")]
    Keys {
        /// Where.
        location: KeyLocation,
        /// Why.
        why: String,
    },
}

impl FromStr for KeyLocation {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = |why: &str| KeyError::Location { found: text.to_owned(), why: why.to_owned() };
        if !text.contains("://") {
            return if text.is_empty() { Err(wrong("it is empty")) } else { Ok(Self::File(text.into())) };
        }
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        match uri.scheme_str() {
            Some("https") => Ok(Self::Url(uri)),
            Some("http") if is_near(&uri) => Ok(Self::Url(uri)),
            Some("http") => Err(wrong("keys that come without TLS can be exchanged on their way")),
            Some(_) | None => Err(wrong("it begins with neither https:// nor a path")),
        }
    }
}

impl fmt::Display for KeyLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Url(uri) => uri.fmt(f),
        }
    }
}

/// Whether an address is on the same machine, so that nobody is on its way.
pub(crate) fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What bounds how often tokens with unknown keys have a place asked again.
#[derive(Debug)]
struct Allowance {
    left: u32,
    since: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        while self.left < MOST_ASKED && now.duration_since(self.since) >= ASK_AGAIN_AFTER {
            self.left += 1;
            self.since += ASK_AGAIN_AFTER;
        }
        if self.left == MOST_ASKED {
            self.since = now;
        }
        let has_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has_left
    }
}

/// The keys of one place.
#[derive(Debug)]
pub(super) struct KeyPlace {
    location: KeyLocation,
    keys: ArcSwap<KeySet>,
    /// Held while the place is asked, so that it is asked once for all who wait. An async mutex, because the answer of an
    /// address is waited for under it; who checks a token with a known key never takes it.
    asking: Mutex<Allowance>,
}

impl KeyPlace {
    /// The keys of a place. A file has to be right; an address that does not answer is asked again later.
    pub(super) async fn open(location: KeyLocation) -> Result<Self, KeyError> {
        let allowance = Allowance { left: MOST_ASKED, since: Instant::now() };
        let place = Self { location, keys: ArcSwap::default(), asking: Mutex::new(allowance) };
        match (place.read().await, &place.location) {
            (Ok(()), _) => {}
            (Err(error), KeyLocation::File(_)) => return Err(error),
            (Err(error), KeyLocation::Url(_)) => warn(&error),
        }
        Ok(place)
    }

    /// The keys as they were read last.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.keys.load_full()
    }

    /// Asks the place again because a token names a key that `known` lacks. The wait is bounded, and so is how often.
    pub(super) async fn ask_again(&self, known: &Arc<KeySet>) {
        let mut allowance = self.asking.lock().await;
        // Somebody else may have asked meanwhile.
        if !Arc::ptr_eq(known, &self.keys()) || !allowance.take(Instant::now()) {
            return;
        }
        if let Err(error) = self.read().await {
            warn(&error);
        }
    }

    /// Keeps the keys fresh until `stop`: a file is read again when it changes, an address is asked every `refresh`.
    pub(super) async fn follow(self: Arc<Self>, refresh: Duration, stop: CancellationToken) {
        let following = async {
            match &self.location {
                KeyLocation::File(path) => self.follow_file(path).await,
                KeyLocation::Url(_) => self.follow_address(refresh).await,
            }
        };
        stop.run_until_cancelled(following).await;
    }

    async fn follow_file(&self, path: &Path) {
        let mut seen = modified(path);
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let now = modified(path);
            if now == seen {
                continue;
            }
            seen = now;
            let _asking = self.asking.lock().await;
            match self.read().await {
                Ok(()) => {
                    tracing::info!(location = %self.location, keys = self.keys().len(), "the keys were read again");
                }
                Err(error) => warn(&error),
            }
        }
    }

    async fn follow_address(&self, refresh: Duration) {
        loop {
            let wait = if self.keys().len() == 0 { RETRY_AFTER.min(refresh) } else { refresh };
            tokio::time::sleep(wait).await;
            let _asking = self.asking.lock().await;
            if let Err(error) = self.read().await {
                warn(&error);
            }
        }
    }

    /// Reads the place; what was read before stays when that fails.
    async fn read(&self) -> Result<(), KeyError> {
        let text = match &self.location {
            KeyLocation::File(path) => read_file(path)
                .map_err(|source| KeyError::File { location: self.location.clone(), source })?,
            KeyLocation::Url(uri) => fetch::text(uri)
                .await
                .map_err(|why| KeyError::Fetch { location: self.location.clone(), why })?,
        };
        let keys =
            KeySet::parse(&text).map_err(|why| KeyError::Keys { location: self.location.clone(), why })?;
        for why in &keys.skipped {
            tracing::debug!(location = %self.location, %why, "a key is left out");
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }
}

fn warn(error: &KeyError) {
    let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    tracing::warn!("{error}{source}; the keys that were read before stay");
}

fn read_file(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > MOST_FILE {
        let what = format!("expected at most {MOST_FILE} bytes, found {size}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    fs::read_to_string(path)
}

fn modified(path: &Path) -> Option<(SystemTime, u64)> {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_file_or_a_safe_address() {
        for text in [
            "keys.pem",
            "./keys/jwks.json",
            "https://id.example.com/jwks",
            "http://127.0.0.1:80/",
            "http://[::1]/x",
        ] {
            assert!(text.parse::<KeyLocation>().is_ok(), "{text}");
        }
        for text in ["", "http://id.example.com/jwks", "ftp://id.example.com/jwks", "https://"] {
            assert!(text.parse::<KeyLocation>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_place_is_asked_so_often_and_no_more() {
        let start = Instant::now();
        let mut allowance = Allowance { left: MOST_ASKED, since: start };
        let mut asked = |after: u32| {
            let now = start + ASK_AGAIN_AFTER * after;
            (0..20).filter(|_| allowance.take(now)).count()
        };
        assert_eq!((asked(0), asked(2), asked(100)), (5, 2, 5));
    }
}
