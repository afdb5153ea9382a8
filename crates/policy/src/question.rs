//! What is asked of policies, and what they answer.

use std::{fmt, str::FromStr};

use corella_manifest::Policy;
use corella_query::{Filter, RowView};

/// What somebody wants to do with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See it.
    Read,
    /// Make it.
    Insert,
    /// Change it; bringing a deleted row back is one, too.
    Update,
    /// Delete it.
    Delete,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Insert, Self::Update, Self::Delete];

    /// The keys of a policy that may speak of it, the first that is there counts.
    pub(crate) fn expression(self, policy: &Policy) -> Option<(&'static str, &str)> {
        fn said<'p>(name: &'static str, text: Option<&'p String>) -> Option<(&'static str, &'p str)> {
            text.map(|text| (name, text.as_str()))
        }
        let allow = || said("allow", policy.allow.as_ref());
        let write = || said("allowWrite", policy.allow_write.as_ref()).or_else(allow);
        match self {
            Self::Read => said("allowRead", policy.allow_read.as_ref()).or_else(allow),
            Self::Insert => said("allowInsert", policy.allow_insert.as_ref()).or_else(write),
            Self::Update => said("allowUpdate", policy.allow_update.as_ref()).or_else(write),
            Self::Delete => said("allowDelete", policy.allow_delete.as_ref()).or_else(write),
        }
    }

    /// Whether a row comes of it that a rule may name `next`.
    pub(crate) fn has_next(self) -> bool {
        match self {
            Self::Insert | Self::Update => true,
            Self::Read | Self::Delete => false,
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|action| action.to_string() == text).ok_or_else(|| {
            let known: Vec<String> = Self::ALL.iter().map(ToString::to_string).collect();
            format!("expected one of {}, found {text:?}", known.join(", "))
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
        })
    }
}

/// A row before and after what somebody wants to do with it.
#[derive(Clone, Copy, Default)]
pub struct Images<'a> {
    /// As it is stored; `None` for an insert.
    pub before: Option<&'a (dyn RowView + Sync)>,
    /// As it would be; `None` for reading and deleting.
    pub after: Option<&'a (dyn RowView + Sync)>,
}

/// Whether somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allowed,
    /// No.
    Denied,
}

/// The rows of an entity that a caller may read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reach {
    /// They are all among those that meet this.
    pub filter: Filter,
    /// Whether they are exactly those; else each row has to be asked of ([`crate::Policies::reading`]).
    pub is_exact: bool,
}
