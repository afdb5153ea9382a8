//! The one way from a manifest's name into SQL.

use std::fmt;

use corella_manifest::{EntityName, FieldName};

use crate::Column;

/// A table's or column's name, which writes itself quoted.
///
/// It is made of a name that the manifest has checked, or of one that stands in the source code; a text that
/// came from outside cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identifier(Name);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Name {
    Entity(EntityName),
    Field(FieldName),
    Fixed(&'static str),
    Catalogue(String),
}

impl Identifier {
    /// A name from the source code.
    #[must_use]
    pub const fn fixed(name: &'static str) -> Self {
        Self(Name::Fixed(name))
    }

    /// The name of an index over fields of an entity, at most 63 bytes long and the same in every build.
    ///
    /// Two pairs of names that would run together, such as `a_b, c` and `a, b_c`, are told apart by a hash.
    #[must_use]
    pub fn index(entity: &EntityName, index: &str) -> Self {
        const READABLE: usize = 40;
        let readable: String = format!("{entity}_{index}")
            .chars()
            .map(|character| if character.is_ascii_alphanumeric() { character } else { '_' })
            .take(READABLE)
            .collect();
        let hash = crate::fingerprint::of_names(&[entity.as_str(), index]);
        Self(Name::Catalogue(format!("corella_{readable}_{hash:08x}")))
    }

    /// A name that the database's own catalogue has given.
    #[must_use]
    pub fn of_catalogue(name: String) -> Self {
        Self(Name::Catalogue(name))
    }

    /// The name without quotes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Entity(name) => name.as_str(),
            Name::Field(name) => name.as_str(),
            Name::Fixed(name) => name,
            Name::Catalogue(name) => name,
        }
    }
}

impl From<&EntityName> for Identifier {
    fn from(name: &EntityName) -> Self {
        Self(Name::Entity(name.clone()))
    }
}

impl From<&FieldName> for Identifier {
    fn from(name: &FieldName) -> Self {
        Self(Name::Field(name.clone()))
    }
}

impl From<&Column> for Identifier {
    fn from(column: &Column) -> Self {
        let fixed = match column {
            rank if rank.is_rank() => Column::RANK,
            id if *id == Column::id() => Column::ID,
            _ => Column::WHOLE,
        };
        column.field().map_or(Self::fixed(fixed), Self::from)
    }
}

impl fmt::Display for Identifier {
    /// The name in double quotes, a quote within it doubled.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_str().replace('"', "\"\""))
    }
}
