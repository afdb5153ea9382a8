//! The subcommands.

pub(crate) mod check;
pub(crate) mod dev;
pub(crate) mod serve;
pub(crate) mod token;
