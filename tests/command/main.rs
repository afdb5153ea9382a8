//! The commands of the binary.

mod dev;
mod failures;
mod help;
mod places;
mod query;
mod token;
