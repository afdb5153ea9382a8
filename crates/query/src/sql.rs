//! A query as one SQL statement, for each dialect.

mod filter;
mod identifier;
mod keyset;
mod parts;
mod related;
mod search;
mod search_check;
mod writer;

use corella_manifest::Value;

use crate::{Column, Direction, Include, Query};

pub use identifier::Identifier;
pub use parts::PartOf;
pub use search::SearchDesign;
pub use search_check::SearchCheck;
use writer::Writer;

/// The flavours of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.30 and later. Booleans are 0 and 1, times are texts as `time_text` writes them.
    Sqlite,
    /// PostgreSQL 12 and later. Booleans are boolean, times are timestamptz.
    Postgres,
}

/// An SQL text and the values of its placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text, with placeholders `?1`, `?2`, … for SQLite and `$1`, `$2`, … for PostgreSQL.
    pub text: String,
    /// The first is for `?1` or `$1`, and names the tenant. A placeholder may stand in the text more than once.
    pub parameters: Vec<Value>,
    /// Whether each row ends with how well it fits the words that are looked for, behind all that its table has.
    pub is_ranked: bool,
}

impl Statement {
    /// The tenant whose rows it asks for.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        match self.parameters.first() {
            Some(Value::Text(tenant)) => Some(tenant),
            Some(
                Value::Null
                | Value::Time(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Bool(_)
                | Value::Bytes(_)
                | Value::Json(_),
            )
            | None => None,
        }
    }
}

/// The statement that selects `query`'s rows of `tenant`, and one more than its limit.
pub(crate) fn select(query: &Query, dialect: Dialect, tenant: &str) -> Statement {
    let mut writer = Writer::new(dialect, tenant);
    writer.look_for_words(query);
    writer.push("SELECT ");
    columns(&mut writer, query);
    if query.is_ranked() {
        writer.push(", ");
        writer.rank();
    }
    writer.rows_of(query);
    if let Some(cursor) = query.after() {
        writer.push(" AND ");
        writer.keyset(query.order(), cursor.values());
    }
    order_by(&mut writer, query);
    let limit = writer.bind(Value::Int(i64::from(query.limit().get()) + 1));
    writer.push(" LIMIT ");
    writer.placeholder(limit);
    Statement { is_ranked: query.is_ranked(), ..writer.finish() }
}

/// The statement that selects the last part of `chain`, and one row more than `most`.
pub(crate) fn part(
    of: PartOf<'_>,
    chain: &[&Include],
    most: u32,
    dialect: Dialect,
    tenant: &str,
) -> Statement {
    let mut writer = Writer::new(dialect, tenant);
    parts::part(&mut writer, of, chain, most);
    writer.finish()
}

/// All columns of a query's entity.
fn columns(writer: &mut Writer, query: &Query) {
    for (index, column) in query.columns().iter().enumerate() {
        if index > 0 {
            writer.push(", ");
        }
        writer.column(column);
    }
    if query.is_open() {
        writer.push(", ");
        writer.fixed("value");
    }
}

fn order_by(writer: &mut Writer, query: &Query) {
    writer.push(" ORDER BY ");
    for (index, term) in query.order().iter().enumerate() {
        if index > 0 {
            writer.push(", ");
        }
        writer.ordered_column(&term.column);
        writer.push(match (term.direction, term.column == Column::id() || term.column.is_rank()) {
            // An id is never null, and without the addition any index on it will do; neither is a rank.
            (Direction::Ascending, true) => " ASC",
            (Direction::Descending, true) => " DESC",
            (Direction::Ascending, false) => " ASC NULLS FIRST",
            (Direction::Descending, false) => " DESC NULLS LAST",
        });
    }
}
