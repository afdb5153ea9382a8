//! Names that a manifest gives to entities and fields.

use std::{borrow::Borrow, fmt, sync::Arc};

/// Longest accepted name, in bytes: PostgreSQL cuts identifiers after 63.
pub(crate) const MAX_NAME_BYTES: usize = 63;

/// What a name looks like, as a regular expression; reserved prefixes are refused besides.
pub(crate) const PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_]{0,62}$";

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text has no characters.
    #[error("expected a name, found an empty text")]
    Empty,
    /// The text is longer than an SQL identifier may be.
    #[error("expected a name of at most {MAX_NAME_BYTES} bytes, found one of {0}")]
    TooLong(usize),
    /// The text has a character that names may not have, or starts with a digit.
    #[error("expected a letter or `_`, then letters, digits and `_`, found {0:?}")]
    Character(String),
    /// The text is kept for Corella's own tables and columns.
    #[error("the name {0:?} is reserved for Corella itself")]
    Reserved(String),
}

impl NameError {
    /// What is accepted and what came, each in words.
    pub(crate) fn parts(&self) -> (&'static str, String) {
        match self {
            Self::Empty => ("a name", "an empty text".into()),
            Self::TooLong(bytes) => ("a name of at most 63 bytes", format!("one of {bytes}")),
            Self::Character(text) => {
                ("a name: a letter or `_`, then letters, digits and `_`", format!("{:?}", shortened(text)))
            }
            Self::Reserved(text) => {
                ("a name that does not start with `corella_`, `sqlite_` or `pg_`", format!("{text:?}"))
            }
        }
    }

    /// The name nearest to the text that is none, where replacing characters makes one.
    pub(crate) fn nearest(&self) -> Option<String> {
        let Self::Character(text) = self else { return None };
        let replaced = text.trim().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let near = if replaced.starts_with(|c: char| c.is_ascii_digit()) {
            format!("_{replaced}")
        } else {
            replaced
        };
        let has_letter = near.contains(|c: char| c.is_ascii_alphanumeric());
        (has_letter && check(&near).is_ok()).then_some(near)
    }
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let mut head: String = text.chars().take(MOST).collect();
    if head.len() < text.len() {
        head.push('…');
    }
    head
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong(text.len()));
    }
    let mut characters = text.chars();
    let starts_well = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !starts_well || !characters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(NameError::Character(text.to_owned()));
    }
    let lower = text.to_ascii_lowercase();
    if ["corella_", "sqlite_", "pg_"].iter().any(|prefix| lower.starts_with(prefix)) {
        return Err(NameError::Reserved(text.to_owned()));
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks that `text` is a name: a letter or `_`, then letters, digits and `_`, 63 bytes at most.
            ///
            /// # Errors
            /// Says which of these rules `text` breaks.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// The name of an entity, which is also the name of its SQL table.
    EntityName
}
name_type! {
    /// The name of a field, which is also the name of its SQL column.
    FieldName
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        for text in ["a", "_", "_a1", "Note", "select", "a".repeat(63).as_str()] {
            assert_eq!(EntityName::new(text).expect("a name").as_str(), text);
        }
    }

    #[test]
    fn what_is_no_name() {
        let refused = |text: &str| FieldName::new(text).expect_err("not a name");
        assert_eq!(refused(""), NameError::Empty);
        assert_eq!(refused(&"a".repeat(64)), NameError::TooLong(64));
        for text in ["1a", "a b", "a-b", "a.b", "a/b", "\"", "a\0", "é", "$a", " a"] {
            assert_eq!(refused(text), NameError::Character(text.into()));
        }
        for text in ["corella_rows", "Corella_x", "sqlite_master", "SQLITE_a", "pg_class"] {
            assert_eq!(refused(text), NameError::Reserved(text.into()));
        }
        insta::assert_snapshot!(
            refused("a b"),
            @r#"expected a letter or `_`, then letters, digits and `_`, found "a b""#
        );
    }

    #[test]
    fn a_near_name_is_one() {
        for (text, near) in
            [("my field", Some("my_field")), ("1st", Some("_1st")), ("!?", None), ("sqlite-x", None)]
        {
            assert_eq!(FieldName::new(text).expect_err("not a name").nearest().as_deref(), near, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_pattern_accepts_every_name(text in "[a-cA-C_019é -]{0,8}") {
            let pattern = regex::Regex::new(PATTERN).expect("a regular expression");
            prop_assert_eq!(pattern.is_match(&text), EntityName::new(&text).is_ok());
        }
    }
}
