//! Words that mean something to a target.

use crate::Target;

impl Target {
    /// Words that inputs are changed with, as they stand in `fuzz/words`; libFuzzer reads the same files.
    #[must_use]
    pub fn words(self) -> Vec<String> {
        let file = match self {
            Self::Wire | Self::Version | Self::Presence | Self::Update => return Vec::new(),
            Self::Control => include_str!("../words/control.dict"),
            Self::Manifest => include_str!("../words/manifest.dict"),
            Self::Query => include_str!("../words/query.dict"),
            Self::Policy => include_str!("../words/policy.dict"),
        };
        file.lines().filter_map(word).collect()
    }
}

/// The word of a line such as `"\"limit\""`; nothing where it has none.
fn word(line: &str) -> Option<String> {
    let quoted = line.strip_prefix('"')?.strip_suffix('"')?;
    let mut word = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        word.push(if character == '\\' { characters.next()? } else { character });
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_meant() {
        assert_eq!(word(r#""\"limit\"""#).as_deref(), Some("\"limit\""));
        assert_eq!(word("# a remark"), None);
        assert!(Target::Policy.words().contains(&"exists(User, {".to_owned()));
    }
}
