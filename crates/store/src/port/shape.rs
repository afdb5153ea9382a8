//! The app's tables: how a manifest wants them, how they are, and what leads from one to the other.

use corella_manifest::FieldName;
use corella_query::Identifier;
use corella_rowdoc::RowKey;

/// A table as a manifest wants it.
#[derive(Debug, Clone)]
pub struct TableDesign {
    /// Its name.
    pub name: Identifier,
    /// The statement that makes it, without its indexes.
    pub create: String,
    /// Its columns behind the tenant and the id.
    pub columns: Vec<ColumnDesign>,
    /// Its indexes.
    pub indexes: Vec<IndexDesign>,
}

/// A column as a manifest wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDesign {
    /// Its name.
    pub name: Identifier,
    /// Its name and its type, as SQL.
    pub sql: String,
}

/// An index as a manifest wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDesign {
    /// Its name.
    pub name: Identifier,
    /// The fields behind the tenant.
    pub fields: Vec<FieldName>,
    /// Whether no two rows may agree in all of them.
    pub unique: bool,
    /// The statement that makes it.
    pub sql: String,
}

/// A table as the database records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRecord {
    /// Its entity.
    pub entity: String,
    /// Its columns as [`ColumnDesign::sql`] has them.
    pub columns: Vec<String>,
    /// Its indexes as [`IndexDesign::sql`] has them.
    pub indexes: Vec<String>,
    /// Whether it has to be filled from the documents.
    pub stale: bool,
    /// Whether lines may be missing from it until then, and not only columns of lines be behind.
    pub missing: bool,
}

/// What an index of words has in it that its table does not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AstrayWords {
    /// Whether parts of the index itself are missing; then nothing was compared.
    pub is_missing: bool,
    /// The rows that have other words in the index than in their texts.
    pub rows: Vec<RowKey>,
    /// Whether there are words of rows that are not there.
    pub has_strangers: bool,
}

impl AstrayWords {
    /// What is wrong, in words; nothing when all is right.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        /// Rows that are named.
        const NAMED: usize = 10;
        if self.is_missing {
            return Some("parts of its index of words are missing".into());
        }
        let more = self.rows.len().saturating_sub(NAMED);
        let mut named: Vec<String> = self.rows.iter().take(NAMED).map(ToString::to_string).collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        match (named.is_empty(), self.has_strangers) {
            (true, false) => None,
            (true, true) => Some("its index has words of rows that are not there".into()),
            (false, _) => Some(format!("its index has other words than the texts of {}", named.join(", "))),
        }
    }
}

/// A schema that the database was brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSchema {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The manifest, as [`corella_manifest::Manifest::record`] writes it.
    pub record: String,
}

/// What a backend does on the way from one schema to the next. Actions are SQL that both backends understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaAction {
    /// A statement about the app's own tables.
    Run(String),
    /// A statement about what Corella keeps beside them.
    Keep(String),
    /// A query that finds values which two rows hold and must not: tenant, one id, another id.
    Check {
        /// The query.
        sql: String,
        /// The rows' entity.
        entity: String,
        /// The fields in which they may not agree.
        fields: Vec<String>,
    },
}

/// Two rows that hold the same value where no two may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected no two rows of {entity} with the same {}, found {one} and {other}{}; change one of them, or let them agree",
    fields.join(", "),
    if tenant.is_empty() { String::new() } else { format!(" of the tenant {tenant}") }
)]
pub struct Clash {
    /// The rows' entity.
    pub entity: String,
    /// The fields in which they agree.
    pub fields: Vec<String>,
    /// Their tenant.
    pub tenant: String,
    /// One row's id.
    pub one: String,
    /// The other's.
    pub other: String,
}
