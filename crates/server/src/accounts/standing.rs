//! Whether somebody's access is still good, and how open connections hear that it may not be.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use corella_store::port::{AccountBook, Rights, Standing};
use corella_wire::ErrorCode;
use lru::LruCache;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::unavailable;
use crate::{Failure, Principal, auth::AuthError, limits::UserKey};

/// Users whose standing is kept in mind.
const MOST_KNOWN: NonZeroUsize = NonZeroUsize::new(65_536).expect("more than none");
/// How often the database is asked whose access has changed, by other servers or by `corella user`.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The rights that a session gives; nothing where the token alone says what somebody may.
pub(crate) type Given = Option<Arc<Rights>>;

/// Somebody's access is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// How it stands with whoever calls.
pub(crate) struct Standings {
    book: Arc<dyn AccountBook>,
    /// What is known to be good. A plain mutex, held for a look-up or to add one.
    known: Mutex<Known>,
    /// Who wants to hear of changes. A plain mutex, held to add, remove or wake some.
    vigils: Mutex<HashMap<UserKey, HashMap<u64, Arc<Notify>>>>,
    next_vigil: AtomicU64,
}

/// What is known to be good: users, each with its sessions, `None` for access without one, and what these give.
struct Known {
    good: LruCache<UserKey, HashMap<Option<Arc<str>>, Given>>,
    /// How many times something was forgotten; what was read before that may be older.
    turn: u64,
}

/// Hears of changes of somebody's access, until it is dropped.
pub(crate) struct Vigil {
    standings: Arc<Standings>,
    user: UserKey,
    number: u64,
}

impl Drop for Vigil {
    fn drop(&mut self) {
        let mut vigils = self.standings.vigils.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_user) = vigils.get_mut(&self.user) {
            of_user.remove(&self.number);
            if of_user.is_empty() {
                vigils.remove(&self.user);
            }
        }
    }
}

impl Standings {
    pub(super) fn new(book: Arc<dyn AccountBook>) -> Arc<Self> {
        Arc::new(Self {
            book,
            known: Mutex::new(Known { good: LruCache::new(MOST_KNOWN), turn: 0 }),
            vigils: Mutex::default(),
            next_vigil: AtomicU64::new(0),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a caller's access is still good, and what it gives now.
    ///
    /// # Errors
    /// `unauthorized` when it is not, `unavailable` when the database cannot say.
    pub(crate) async fn check(&self, principal: &Principal) -> Result<Given, Failure> {
        let Some(user) = &principal.caller.user else { return Ok(None) };
        let user = (principal.tenant.clone(), Arc::clone(user));
        let turn = {
            let mut known = self.known();
            if let Some(given) = known.good.get(&user).and_then(|sessions| sessions.get(&principal.session)) {
                return Ok(given.clone());
            }
            known.turn
        };
        let standing = self.book.standing(&user.0, &user.1, principal.session.as_deref()).await;
        let given = match standing.map_err(|error| unavailable(&error))? {
            Standing::Disabled => return Err(AuthError::Disabled.into()),
            Standing::Ended => return Err(AuthError::SessionEnded.into()),
            Standing::Good(rights) => Some(Arc::new(rights)),
            Standing::Unknown => None,
        };
        let mut known = self.known();
        if known.turn == turn {
            let session = principal.session.clone();
            known.good.get_or_insert_mut(user, HashMap::new).insert(session, given.clone());
        }
        Ok(given)
    }

    /// As [`Standings::check`] for somebody who is connected: waits for a database that cannot say.
    pub(crate) async fn given(&self, principal: &Principal) -> Result<Given, Gone> {
        loop {
            match self.check(principal).await {
                Ok(given) => return Ok(given),
                Err(failure) if failure.code == ErrorCode::Unauthorized => return Err(Gone),
                Err(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Has `wake` notified when somebody's access changes; whoever asks to be has to check once more afterwards.
    pub(crate) fn watch(self: &Arc<Self>, principal: &Principal, wake: &Arc<Notify>) -> Option<Vigil> {
        let user = (principal.tenant.clone(), Arc::clone(principal.caller.user.as_ref()?));
        let number = self.next_vigil.fetch_add(1, Ordering::Relaxed);
        let mut vigils = self.vigils.lock().unwrap_or_else(PoisonError::into_inner);
        vigils.entry(user.clone()).or_default().insert(number, Arc::clone(wake));
        Some(Vigil { standings: Arc::clone(self), user, number })
    }

    /// An account gives this now: whoever is known by other rights of it is looked up again.
    pub(super) fn learn(&self, user: &UserKey, rights: &Rights) {
        let known =
            |sessions: &HashMap<_, Given>| sessions.values().flatten().any(|given| **given != *rights);
        let is_news = self.known().good.peek(user).is_some_and(known);
        if is_news {
            self.changed(user);
        }
    }

    /// Somebody's access has changed: what is known of it is forgotten, and who watches looks again.
    pub(super) fn changed(&self, user: &UserKey) {
        {
            let mut known = self.known();
            known.turn += 1;
            known.good.pop(user);
        }
        let vigils = self.vigils.lock().unwrap_or_else(PoisonError::into_inner);
        for wake in vigils.get(user).into_iter().flat_map(HashMap::values) {
            wake.notify_one();
        }
    }

    /// Anybody's access may have changed.
    fn all_changed(&self) {
        {
            let mut known = self.known();
            known.turn += 1;
            known.good.clear();
        }
        let vigils = self.vigils.lock().unwrap_or_else(PoisonError::into_inner);
        for wake in vigils.values().flat_map(HashMap::values) {
            wake.notify_one();
        }
    }

    /// Follows what other processes do to access, until `stop`.
    pub(super) async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut seen = None;
        let mut is_failing = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => return,
            }
            match self.book.access_changes(seen.unwrap_or(0)).await {
                Ok(changes) => {
                    is_failing = false;
                    if seen.is_none() || changes.missed {
                        self.all_changed();
                    } else {
                        changes.changed.iter().for_each(|user| self.changed(user));
                    }
                    seen = Some(changes.last);
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "changes of access cannot be read; trying again");
                    }
                }
            }
        }
    }
}
