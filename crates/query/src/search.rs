//! Looking for words in the texts of a row.

use std::sync::Arc;

use corella_manifest::{Entity, Language};

use crate::Column;

/// The words that somebody looks for in the texts of an entity's rows.
///
/// A row is found when it has all of them. How well it fits is a number of the row alone: no other row changes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// The columns whose texts are searched.
    pub(crate) columns: Arc<[Column]>,
    pub(crate) language: Language,
    /// What the texts must have in them; without any, nothing is found.
    pub(crate) sought: Vec<Sought>,
}

/// Words that stand one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sought {
    /// They have letters and digits and nothing else in them.
    pub(crate) words: Vec<String>,
    /// What the last of them is.
    pub(crate) ending: Ending,
}

/// What the last word of several is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A whole word.
    Whole,
    /// The beginning of one.
    Open,
}

impl Search {
    /// The search that `entity` declares, for nothing yet; `None` when it declares none.
    pub(crate) fn of(entity: &Entity) -> Option<Self> {
        let search = entity.search.as_ref()?;
        let columns = search.text.iter().filter_map(|field| Column::of(entity, field.as_str())).collect();
        Some(Self { columns, language: search.language, sought: Vec::new() })
    }

    /// The columns whose texts are searched.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What is sought, the same for two that find the same.
    pub(crate) fn spelled(&self) -> String {
        let one = |sought: &Sought| {
            let star = match sought.ending {
                Ending::Whole => "",
                Ending::Open => "*",
            };
            format!("{}{star}", sought.words.join(" "))
        };
        self.sought.iter().map(one).collect::<Vec<_>>().join("\n")
    }
}

/// Parts a text that somebody wrote into what it looks for; nothing in it is an error.
///
/// Words are runs of letters and digits. What stands between double quotes, or is held together by other signs as in
/// `corella.dev`, stands so in the row. A `*` at the end of a word lets it go on.
pub(crate) fn sought(text: &str) -> Vec<Sought> {
    let mut found = Vec::new();
    for (place, part) in text.split('"').enumerate() {
        // Every other part stands between quotes; a quote that is not closed goes to the end.
        if place % 2 == 1 {
            found.extend(words_of(part, Ending::Whole));
            continue;
        }
        for word in part.split_whitespace() {
            let ending = if word.ends_with('*') { Ending::Open } else { Ending::Whole };
            found.extend(words_of(word, ending));
        }
    }
    found
}

fn words_of(text: &str, ending: Ending) -> Option<Sought> {
    let words: Vec<String> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    (!words.is_empty()).then_some(Sought { words, ending })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let tell = |found: Sought| {
            format!("{}{}", found.words.join("+"), if found.ending == Ending::Open { "*" } else { "" })
        };
        sought(text).into_iter().map(tell).collect()
    }

    #[test]
    fn a_text_is_parted_into_words() {
        assert_eq!(told("blue  plan"), ["blue", "plan"]);
        assert_eq!(told(r#"the "blue plan" pai*"#), ["the", "blue+plan", "pai*"]);
        assert_eq!(told("corella.dev don't"), ["corella+dev", "don+t"]);
        assert_eq!(told(r#""never closed AND"#), ["never+closed+AND"]);
        assert_eq!(told("\"* OR NEAR(a b) -x ^y {c}:z a:b\0c"), ["OR+NEAR+a+b+x+y+c+z+a+b+c"]);
        assert!(told("* \"\" -- !!! \0").is_empty());
        assert_eq!(told("größe 東京*"), ["größe", "東京*"]);
    }
}
