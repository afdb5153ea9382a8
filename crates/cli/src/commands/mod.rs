//! The subcommands.

pub(crate) mod accounts;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod codegen;
pub(crate) mod database;
pub(crate) mod dev;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod guard;
pub(crate) mod import;
pub(crate) mod limits;
mod location;
pub(crate) mod migrate;
pub(crate) mod query;
pub(crate) mod repair;
pub(crate) mod reproject;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod token;
mod tokens;
pub(crate) mod user;

pub(crate) use location::{Location, runtime};
