//! What of an entity's rows can be searched for words.

use crate::{FieldName, FieldType};

/// What of an entity's rows can be searched for words, and in which language they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The fields whose texts are searched, one behind the other.
    pub text: Vec<FieldName>,
    /// The language that says which words are forms of one.
    pub language: Language,
}

/// A language whose words are brought to their stems, so that `plans` finds `plan`.
///
/// PostgreSQL knows all of them. SQLite knows English; in any other it takes words as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// None: words are taken as they are.
    #[default]
    Simple,
    /// Arabic.
    Arabic,
    /// Danish.
    Danish,
    /// Dutch.
    Dutch,
    /// English.
    English,
    /// Finnish.
    Finnish,
    /// French.
    French,
    /// German.
    German,
    /// Hungarian.
    Hungarian,
    /// Indonesian.
    Indonesian,
    /// Irish.
    Irish,
    /// Italian.
    Italian,
    /// Lithuanian.
    Lithuanian,
    /// Nepali.
    Nepali,
    /// Norwegian.
    Norwegian,
    /// Portuguese.
    Portuguese,
    /// Romanian.
    Romanian,
    /// Russian.
    Russian,
    /// Spanish.
    Spanish,
    /// Swedish.
    Swedish,
    /// Tamil.
    Tamil,
    /// Turkish.
    Turkish,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 22] = [
        Self::Simple,
        Self::Arabic,
        Self::Danish,
        Self::Dutch,
        Self::English,
        Self::Finnish,
        Self::French,
        Self::German,
        Self::Hungarian,
        Self::Indonesian,
        Self::Irish,
        Self::Italian,
        Self::Lithuanian,
        Self::Nepali,
        Self::Norwegian,
        Self::Portuguese,
        Self::Romanian,
        Self::Russian,
        Self::Spanish,
        Self::Swedish,
        Self::Tamil,
        Self::Turkish,
    ];

    /// The language as a manifest writes it, which is also what PostgreSQL calls it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Arabic => "arabic",
            Self::Danish => "danish",
            Self::Dutch => "dutch",
            Self::English => "english",
            Self::Finnish => "finnish",
            Self::French => "french",
            Self::German => "german",
            Self::Hungarian => "hungarian",
            Self::Indonesian => "indonesian",
            Self::Irish => "irish",
            Self::Italian => "italian",
            Self::Lithuanian => "lithuanian",
            Self::Nepali => "nepali",
            Self::Norwegian => "norwegian",
            Self::Portuguese => "portuguese",
            Self::Romanian => "romanian",
            Self::Russian => "russian",
            Self::Spanish => "spanish",
            Self::Swedish => "swedish",
            Self::Tamil => "tamil",
            Self::Turkish => "turkish",
        }
    }

    /// The language that a manifest writes so.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }
}

impl FieldType {
    /// Whether a field of this type holds a text that can be searched for words.
    #[must_use]
    pub fn is_searchable(&self) -> bool {
        match self {
            Self::String | Self::Richtext | Self::Document => true,
            Self::Enum(_) | Self::Id(_) | Self::Datetime | Self::Int | Self::Float => false,
            Self::Bool | Self::Bytes | Self::Json => false,
        }
    }
}
