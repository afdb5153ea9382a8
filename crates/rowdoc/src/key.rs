//! Which row: tenant, entity and row id.

use std::{fmt, sync::Arc};

use corella_manifest::{EntityName, is_row_id};

/// Whose rows; empty where the app has no tenants.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of an app that has none.
    #[must_use]
    pub fn none() -> Self {
        Self("".into())
    }

    /// The tenant that a caller's token names.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The tenant as the token writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Names a row within its entity: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId(Arc<str>);

/// A text that cannot name a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a row id of 1 to 64 of `A-Z a-z 0-9 _ -`, found {0:?}")]
pub struct RowIdError(String);

impl RowId {
    /// Checks that `text` may name a row.
    ///
    /// # Errors
    /// [`RowIdError`] when it is empty, too long, or has another character.
    pub fn new(text: &str) -> Result<Self, RowIdError> {
        const MOST: usize = 80;
        if is_row_id(text) {
            Ok(Self(text.into()))
        } else {
            Err(RowIdError(text.chars().take(MOST).collect()))
        }
    }

    /// A new id, a UUIDv7, so that ids sort by the time of their making.
    #[must_use]
    pub fn fresh() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }

    /// The id as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Names a row among all rows.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RowKey {
    /// Whose row.
    pub tenant: Tenant,
    /// Which kind of row.
    pub entity: EntityName,
    /// Which row of that kind.
    pub id: RowId,
}

/// `Entity/id`, as rooms are named; the tenant is not shown.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_ids_are_checked() {
        assert_eq!(RowId::new("a-Z_9").unwrap().as_str(), "a-Z_9");
        assert!(RowId::new(RowId::fresh().as_str()).is_ok());
        for bad in ["", "a/b", "ä", &"x".repeat(65)] {
            assert!(RowId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_key_reads_as_its_room() {
        let key = RowKey {
            tenant: Tenant::new("acme"),
            entity: EntityName::new("Note").unwrap(),
            id: RowId::new("n1").unwrap(),
        };
        assert_eq!(key.to_string(), "Note/n1");
    }
}
