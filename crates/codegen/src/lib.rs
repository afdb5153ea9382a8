//! An app's rows as types of the languages that its clients are written in.
//!
//! [`typescript()`] and [`rust()`] take a manifest and give the text of one file: for each entity the row as it is read, what
//! an insertion takes, what a patch takes with the operations of each kind of field, and what a query may ask; besides the
//! fingerprint of the schema, by which a server tells whether it still goes with the one that it serves.
//!
//! This crate does not know I/O, nor what the other crates do with rows.

mod kind;
mod rust;
mod text;
mod typescript;

pub use rust::rust;
pub use typescript::typescript;
