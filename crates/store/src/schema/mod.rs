//! How the tables follow the manifest.
//!
//! A database records the schema that it was brought to. The next manifest is compared with it: [`plan`] says which steps
//! lie between, and [`apply`] takes them, all statements in one transaction. Tables whose columns are not what the
//! documents say by then are marked as stale in the same transaction, and `fill` writes their lines again.

mod actions;
mod clients;
mod fill;
mod filling;
mod migration;
mod search;
mod sql;

pub(crate) use self::{
    clients::KnownSchemas,
    fill::{Fill, FillError, Pass, fill},
    filling::{Filling, Waited},
    search::has_words_of,
    sql::indexes,
};
pub use self::{
    clients::SchemaMismatch,
    fill::{FillReport, FillStep, finish, reproject},
    migration::{Consent, MigrationPlan, apply, bring, plan, served_schemas},
};
