//! Somebody who calls, and why somebody is not let in.

use std::sync::Arc;

use corella_policy::Caller;
use corella_rowdoc::Tenant;
use corella_store::{Access, Author, SourceId};
use jiff::Timestamp;

/// Somebody who calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// The user's id, as rows and histories name it.
    pub user: Arc<str>,
    /// The tenant whose rows the user sees.
    pub tenant: Tenant,
    /// As policies see the user.
    pub caller: Arc<Caller>,
    /// When the token is over, the leeway included; `None` for callers without one.
    pub expires: Option<Timestamp>,
    /// The session of an account that the token goes back to, if it does.
    pub session: Option<Arc<str>>,
    /// How the token came.
    pub carrier: Carrier,
}

/// How a token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Carrier {
    /// Somebody has put it there.
    #[default]
    Caller,
    /// In a cookie, which browsers send whoever asks.
    Cookie,
}

impl Principal {
    /// The user as the author of a write that comes by `source`.
    pub(crate) fn author(&self, source: Option<SourceId>) -> Author {
        Author { user: Arc::clone(&self.user), access: self.access(), source }
    }

    /// Whether both stand and fall together: the same user, by the same session or both without one.
    pub(crate) fn stands_with(&self, other: &Self) -> bool {
        (&self.session, &self.user, &self.tenant) == (&other.session, &other.user, &other.tenant)
    }

    /// How far the user's access goes.
    pub(crate) fn access(&self) -> Access {
        Access::Caller(Arc::clone(&self.caller))
    }
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("expected a token (Authorization: Bearer …, ?token=…, or the join's auth bytes), found none")]
    Missing,
    /// The token is over.
    #[error("the token has expired; ask for a fresh one")]
    Expired,
    /// The session that the token goes back to has ended.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// The account is disabled.
    #[error("the account is disabled; ask whoever runs this app")]
    Disabled,
    /// The token is none of ours.
    #[error("the token is not valid: {0}")]
    Invalid(String),
}

impl AuthError {
    /// A token that is not valid, and why.
    pub(crate) fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid(why.into())
    }
}
