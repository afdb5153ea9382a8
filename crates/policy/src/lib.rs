//! Who may: a manifest's policies as CEL expressions.
//!
//! [`Policies`] are read from a manifest once: every expression is parsed and type-checked against the declared
//! fields, and a mistake points into the expression. Then they answer questions about a [`Caller`]:
//!
//! - may this caller do this to this row ([`Policies::may`], [`Policies::denied_field`]), with the row before and after;
//! - what does this caller see of this row ([`Policies::reading`]), and may it write to it at all ([`Policies::writing`]);
//! - why may it, or why not ([`Policies::explain`]), for people;
//! - which rows of an entity may this caller read at all ([`Policies::reach`]), as a filter for the database where
//!   the expression can be said as one.
//!
//! # What an expression sees
//!
//! | name | is |
//! |---|---|
//! | `auth.userId`, `auth.roles`, `auth.tenant`, `auth.isAdmin` | the caller; `null`, `[]`, `null`, `false` for a stranger |
//! | `auth.claims` | all that the caller's token says |
//! | `auth.hasRole('editor')` | whether the caller has the role |
//! | `data` | the row: as it is stored, or, for an insert, as it would be |
//! | `next` | the row as it would be after an insert or an update |
//! | `exists(Member, {project: data.project, user: auth.userId})` | whether a row of that entity has these values |
//! | `now` | the time |
//!
//! # What counts
//!
//! Whoever has no policy that allows something may not do it; administrators may do everything. Several policies of one
//! entity grant together: one that says yes is enough. An expression that ends in an error, such as a comparison with
//! a field that has no value, does not allow. An update rule that does not name `next` is asked of the row before the
//! change and of the row after it, so that nobody can move a row out of a rule's reach.
//!
//! A field's own `allowRead` and `allowWrite` take away: they are asked of those who may read or write the row. A
//! field's `allowWrite` is asked of the row before the change (of a new row: as it would be).
//!
//! This crate does not know HTTP or tokens, and asks others to look rows up ([`Memberships`]).

mod caller;
mod check;
mod evaluate;
mod explain;
mod lower;
mod named;
mod policies;
mod problem;
mod question;
mod reading;
mod rule;
mod rules;
mod text;
mod types;
mod values;
mod writing;

pub use caller::Caller;
pub use evaluate::{Memberships, NoMemberships};
pub use explain::{AskedOf, Reason, Ruling};
pub use policies::Policies;
pub use problem::PolicyProblem;
pub use question::{Action, Images, Reach, Verdict};
pub use reading::{Reading, Sight};
pub use rules::Sources;
pub use writing::Writing;
