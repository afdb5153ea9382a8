//! Keeping answers true while rows change, without asking the database again.
//!
//! A [`MatchIndex`] finds the queries that a row's new image may concern: conditions are parted into the columns that
//! they compare for equality, one column that they bound, and the rest, so that a row finds its queries by its own
//! values. A [`Window`] holds the rows of one answer and some more behind them, takes in changed rows, and tells what
//! became of the answer; [`Groups`] does the same for counts and sums. None of them knows where rows or changes come from.

mod diff;
mod groups;
mod index;
mod intervals;
mod lookup;
mod sum;
mod window;

pub use diff::{Changed, Diff};
pub use groups::{ChangedGroup, Groups};
pub use index::{IndexSize, MatchIndex, QueryId, key_bytes};
pub use lookup::{Known, Lookup, Probe};
pub use window::{Held, Window, WindowRow, WindowSize};
