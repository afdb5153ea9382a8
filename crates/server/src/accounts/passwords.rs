//! Passwords: how they are hashed, and how many at a time.

use std::{
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicUsize},
    thread,
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use corella_wire::ErrorCode;
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{Failure, admission::Waits};

/// Fewest characters of a password.
const FEWEST: usize = 8;
/// Longest password, in bytes.
const LONGEST: usize = 1024;
/// The most that are hashed at once; each takes 19 MiB for as long.
const MOST_AT_ONCE: usize = 4;
/// How many may wait for that.
const MOST_WAITING: usize = 64;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error(
        "expected a password of at least {FEWEST} characters and at most {LONGEST} bytes, found {0} characters"
    )]
    Length(usize),
    /// It cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
}

/// The hash of a new password (argon2id with the recommended parameters), in the PHC format. It takes a while, and 19 MiB.
///
/// # Errors
/// [`PasswordError`] when the password is too short or too long.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    let count = password.chars().count();
    if count < FEWEST || password.len() > LONGEST {
        return Err(PasswordError::Length(count));
    }
    hash(password)
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let hashed: PasswordHash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|error| PasswordError::Hash(error.to_string()))?;
    Ok(hashed.to_string())
}

/// Whether a password is the one that was hashed.
fn fits(password: &str, hashed: &str) -> bool {
    PasswordHash::new(hashed)
        .is_ok_and(|hashed| Argon2::default().verify_password(password.as_bytes(), &hashed).is_ok())
}

/// Hashes passwords off the async threads, a few at a time.
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// The hash of no password: whoever has none is as much work as somebody who has one.
    decoy: Arc<str>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let nobodys = uuid::Uuid::new_v4().to_string();
        let decoy = hash(&nobodys).expect("a short text can be hashed");
        Self {
            turns: Arc::new(Semaphore::new(cores.min(MOST_AT_ONCE))),
            waiting: AtomicUsize::new(0),
            decoy: decoy.into(),
        }
    }

    /// Whether a password is the one that `hashed` is of; without one it takes as long, and is not.
    pub(super) async fn check(&self, password: String, hashed: Option<String>) -> Result<bool, Failure> {
        // Nobody has a longer one, and its length is no secret.
        let password = if password.len() > LONGEST { String::new() } else { password };
        let has_one = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| self.decoy.to_string());
        Ok(self.in_turn(move || fits(&password, &hashed)).await? && has_one)
    }

    /// As [`hash_password`], in turn.
    pub(super) async fn hash(&self, password: String) -> Result<String, Failure> {
        let hashed = self.in_turn(move || hash_password(&password)).await?;
        hashed.map_err(|error| match error {
            PasswordError::Length(_) => Failure::new(ErrorCode::InvalidValue, error.to_string()),
            PasswordError::Hash(_) => Failure::new(ErrorCode::Internal, error.to_string()),
        })
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let busy = || {
            let detail = "too many sign in at once; try again in a few seconds";
            Failure::new(ErrorCode::Unavailable, detail).with("retryAfter", json!(3))
        };
        let waits = Waits::among(&self.waiting, MOST_WAITING).ok_or_else(busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| busy())?;
        drop(waits);
        let done = tokio::task::spawn_blocking(move || {
            // Kept by the work itself, which goes on when nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await
            .map_err(|error| Failure::new(ErrorCode::Internal, format!("a password was not hashed: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_password_is_itself_and_no_other() {
        let passwords = Passwords::new();
        let hashed = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_eq!(passwords.check("correct horse".into(), Some(hashed.clone())).await, Ok(true));
        for wrong in ["correct hors", "", &"x".repeat(5_000)] {
            assert_eq!(passwords.check(wrong.into(), Some(hashed.clone())).await, Ok(false));
        }
        assert_eq!(passwords.check("correct horse".into(), None).await, Ok(false));
        assert_eq!(passwords.check("correct horse".into(), Some("no hash".into())).await, Ok(false));
    }

    #[tokio::test]
    async fn short_and_long_ones_are_refused() {
        assert_eq!(hash_password("seven c"), Err(PasswordError::Length(7)));
        assert_eq!(hash_password(&"x".repeat(1_025)), Err(PasswordError::Length(1_025)));
    }

    #[tokio::test]
    async fn too_many_at_once_are_sent_away() {
        let passwords = Passwords::new();
        let _all =
            passwords.turns.acquire_many(u32::try_from(passwords.turns.available_permits()).unwrap()).await;
        let many = join_all((0..=MOST_WAITING).map(|_| passwords.check("x".into(), None)));
        let last = async {
            loop {
                let refused = passwords.waiting.load(Ordering::Relaxed) >= MOST_WAITING;
                if refused {
                    return passwords.check("x".into(), None).await.unwrap_err();
                }
                tokio::task::yield_now().await;
            }
        };
        let failure = tokio::select! {
            biased;
            _ = many => unreachable!("nobody has a turn"),
            failure = last => failure,
        };
        assert_eq!(failure.code, ErrorCode::Unavailable);
    }
}
