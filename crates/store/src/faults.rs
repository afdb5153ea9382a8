//! Named points at which a debug build can be told to die, as a power cut would end it.
//!
//! `CORELLA_KILL_AT=NAME` ends the process when it first comes to the point of that name, `CORELLA_KILL_AT=NAME:3` when
//! it comes there for the third time. Release builds have no such points (`docs/decisions/0025-kill-points.md`).

/// A place in the code that a test may want to end at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KillPoint {
    /// Units wait, nothing of them is written.
    BeforeCommit,
    /// Everything is written, the transaction is open.
    MidCommit,
    /// The transaction is durable, nobody has heard of it.
    AfterCommit,
    /// Watchers have heard of a unit, its writer has not.
    AfterAnnounce,
    /// A fold has written its snapshot, the old tail is there, the transaction is open.
    MidFold,
    /// A fold is durable, the documents in memory do not know.
    AfterFold,
    /// A statement of a migration has been made, its transaction is open.
    MidMigration,
    /// A statement that brings the app's tables to a manifest has been made, its transaction is open.
    MidReshape,
    /// A page of lines has been filled from documents, and is durable.
    MidFill,
    /// A restore has put a row, its transaction is open.
    MidRestore,
}

#[cfg(debug_assertions)]
impl KillPoint {
    fn name(self) -> &'static str {
        match self {
            Self::BeforeCommit => "before_commit",
            Self::MidCommit => "mid_commit",
            Self::AfterCommit => "after_commit",
            Self::AfterAnnounce => "after_announce",
            Self::MidFold => "mid_fold",
            Self::AfterFold => "after_fold",
            Self::MidMigration => "mid_migration",
            Self::MidReshape => "mid_reshape",
            Self::MidFill => "mid_fill",
            Self::MidRestore => "mid_restore",
        }
    }
}

/// Ends the process here if it was told to.
#[cfg(debug_assertions)]
pub(crate) fn point(here: KillPoint) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    };

    struct Wish {
        name: String,
        left: AtomicU64,
    }

    static WISH: OnceLock<Option<Wish>> = OnceLock::new();
    let wish = WISH.get_or_init(|| {
        let text = std::env::var("CORELLA_KILL_AT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some(Wish { name: name.to_owned(), left: AtomicU64::new(count.parse().unwrap_or(1)) })
    });
    if let Some(wish) = wish
        && wish.name == here.name()
        && wish.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        #[expect(clippy::disallowed_methods, reason = "a test asked for a sudden end")]
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub(crate) fn point(_here: KillPoint) {}
