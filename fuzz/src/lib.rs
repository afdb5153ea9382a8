//! The borders of Corella, each with what has to hold there whatever comes in.
//!
//! A target takes an input that nobody would write, and panics where something does not hold. `tests/fuzz` replays the
//! inputs that are kept, and changes them at random; `cargo xtask fuzz` lets libFuzzer look for others, which is the only
//! part of this that needs a build of its own. What is meant to end a guard is not known here: see [`Target::Update`].

mod bytes;
pub mod lines;
mod rules;
mod updates;
mod words;

pub use updates::{fitted, take_in};

/// Something that takes bytes or text from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Binary frames.
    Wire,
    /// Text frames.
    Control,
    /// Versions, as joiners send them.
    Version,
    /// What connections say of themselves.
    Presence,
    /// Manifests.
    Manifest,
    /// Queries, as JSON.
    Query,
    /// Expressions of policies.
    Policy,
    /// Clients' updates, made to fit ([`fitted`]): what a guard would let through is taken into a row.
    ///
    /// Where a guard would end, the process ends; that is what guards are for. What counts is whether the replay through
    /// guards ends as well.
    Update,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Wire,
        Self::Control,
        Self::Version,
        Self::Presence,
        Self::Manifest,
        Self::Query,
        Self::Policy,
        Self::Update,
    ];

    /// The name of its corpus.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Control => "control",
            Self::Version => "version",
            Self::Presence => "presence",
            Self::Manifest => "manifest",
            Self::Query => "query",
            Self::Policy => "policy",
            Self::Update => "update",
        }
    }

    /// The target of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }

    /// Tries an input.
    ///
    /// # Panics
    /// When something does not hold.
    pub fn try_one(self, input: &[u8]) {
        match self {
            Self::Wire => bytes::frame(input),
            Self::Control => bytes::control_message(input),
            Self::Version => bytes::version(input),
            Self::Presence => bytes::presence(input),
            Self::Manifest => rules::manifest(input),
            Self::Query => rules::query(input),
            Self::Policy => rules::policy(input),
            Self::Update => updates::update(input),
        }
    }
}
