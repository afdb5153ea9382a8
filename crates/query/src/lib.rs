//! What a caller asks of an entity: the query, its predicate in memory, its SQL.
//!
//! A [`Query`] is read from JSON by [`Query::parse`], against the manifest. What comes out names only columns
//! that exist, holds only literals of their types, and is bounded. It can be asked of one row
//! ([`Query::matches`]) and of a database ([`Query::to_statement`]), and both give the same answer.
//!
//! # What null means
//!
//! A test of a column is true or false, never unknown, in memory as in SQL:
//!
//! - `{"a": null}`, `{"a": {"$eq": null}}` and `{"a": {"$exists": false}}` hold where `a` has no value;
//! - `$ne`, `$nin` and `$not` hold where `a` has no value, since no value is not equal to a value;
//! - `$gt`, `$gte`, `$lt`, `$lte`, `$like`, `$ilike` and `$contains` are false where `a` has no value, and
//!   the first four are false when compared with `null`;
//! - rows without a value come first in ascending order and last in descending order.
//!
//! # How values compare
//!
//! Texts compare by their UTF-8 bytes, bytes likewise, `false` before `true`. `$like` and `$contains` mind
//! case; `$ilike` treats `A` to `Z` as `a` to `z` and leaves all other letters alone. In a pattern `%` stands for
//! any run of characters, `_` for one, and `\` takes the character after it literally. A pattern sees a text
//! up to its first U+0000.
//!
//! `json` columns can be asked whether they have a value, and with `$contains` whether they hold a list that has an
//! item: a text, a number or a boolean. `1` and `1.0` are the same item.
//!
//! # Rows of other entities
//!
//! `{"project.owner": "ada"}` asks for rows of whose `project`, an `id(…)` field or a relation, the `owner` is that.
//! `{"comments": {"$exists": {"author": "ada"}}}` asks for rows to which such a row belongs, `{"$exists": false}` for
//! those to which none does. A test behind a relation is of rows that are there: `{"project.owner": {"$ne": "ada"}}` is
//! false where there is no project.
//!
//! # Words
//!
//! A query may look for words in the texts of rows ([`Search`]). Which rows have them, and how well, only a database
//! knows: such a query is asked of rows in memory without its words.
//!
//! # Answers that stay true
//!
//! [`maintain`] keeps an answer as rows change: which queries a changed row concerns, and what becomes of their rows.
//!
//! This crate does not know storage drivers or sockets.

mod aggregate;
mod column;
mod compare;
mod cursor;
mod error;
mod explain;
mod filter;
mod fingerprint;
mod include;
mod item;
pub mod maintain;
mod mask;
mod order;
mod pattern;
mod query;
mod read;
mod related;
mod search;
mod sql;

pub use query::{Limit, Query};
pub use read::{QueryParts, QueryTexts};

pub use aggregate::{Aggregation, Bucket, GroupTerm, Measure, MeasureKind};
pub use column::{Column, ColumnType, RowView};
pub use filter::{Comparison, Filter, Term, Test};
pub use include::{Chain, Include};
pub use item::Item;
pub use mask::ColumnMask;
pub use order::{Direction, OrderTerm};
pub use pattern::{Case, Pattern, PatternError};
pub use related::{Related, Tie, Truth};
pub use search::Search;

pub use cursor::Cursor;
pub use sql::{Dialect, Identifier, PartOf, SearchCheck, SearchDesign, Statement};

pub use error::{QueryError, QueryErrorKind};
