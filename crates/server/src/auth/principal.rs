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
}

impl Principal {
    /// The user as the author of a write that comes by `source`.
    pub(crate) fn author(&self, source: Option<SourceId>) -> Author {
        Author { user: Arc::clone(&self.user), access: self.access(), source }
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
