//! What an app declares: entities, fields, indexes, relations and policies.
//!
//! A [`Manifest`] is read from JSON by [`Manifest::parse`], which answers with every mistake it found at
//! once. What comes out has been validated: each name it mentions exists, each type allows the merge rule
//! that was asked of it. [`json_schema`] tells editors what may be written, and [`Manifest::fingerprint`] tells
//! a database whether the shape of its rows has changed, and [`Manifest::steps_from`] how.
//!
//! This crate does not know I/O, Loro, or SQL.

mod convert;
mod model;
mod name;
mod time;
mod value;

mod parse;
mod problem;

mod json;
mod reader;

mod history;
mod raw;
mod schema;
mod shape;
mod type_text;

mod validate;

mod diff;
mod fingerprint;
mod record;
mod search;

pub use convert::Conversion;
pub use diff::{Reading, SchemaChange, Step, StepClass};
pub use model::{
    Crdt, Default, Entity, Field, FieldType, History, Index, Manifest, OnDelete, Policy, Relation, Tenancy,
};
pub use name::{EntityName, FieldName, NameError};
pub use problem::{ManifestErrors, Parsed, Problem, Warning};
pub use schema::json_schema;
pub use search::{Language, Search};
pub use time::{parse_time, time_text};
pub use value::{TypeMismatch, Value, has_nul, is_row_id, whole_float};
