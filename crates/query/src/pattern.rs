//! The patterns of `$like` and `$ilike`: read once, matched in memory, rewritten for each database.

/// Longest accepted pattern, in characters.
pub(crate) const MAX_PATTERN_CHARACTERS: usize = 1_000;

/// A pattern in which `%` stands for any run of characters, `_` for one, and `\` takes the next literally.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    pieces: Vec<Piece>,
    case: Case,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Piece {
    Run,
    One,
    Literal(char),
}

/// Whether a pattern tells `a` from `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    /// It does.
    Sensitive,
    /// It does not, for the letters of ASCII; other letters it tells apart.
    AsciiInsensitive,
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {}, found {}", self.expected(), self.found())]
pub enum PatternError {
    /// The text has so many characters, which is too many.
    TooLong(usize),
    /// The text ends in a `\` that has nothing to take literally.
    OpenEscape,
    /// The text has this character, which not every database can look for.
    Character(char),
}

impl PatternError {
    /// What the place takes, in words.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::TooLong(_) => format!("a pattern of at most {MAX_PATTERN_CHARACTERS} characters"),
            Self::OpenEscape => {
                r"a character after the last `\` (`\\` stands for the character itself)".into()
            }
            Self::Character(_) => "a pattern without U+0000 and U+FFFD to U+FFFF".into(),
        }
    }

    /// What came.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::TooLong(length) => length.to_string(),
            Self::OpenEscape => "the end".into(),
            Self::Character(character) => format!("U+{:04X}", u32::from(*character)),
        }
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says which bound `text` breaks. U+FFFD to U+FFFF are refused because SQLite takes them for one
    /// another; U+0000 because PostgreSQL has no such character.
    pub fn new(text: &str, case: Case) -> Result<Self, PatternError> {
        let length = text.chars().count();
        if length > MAX_PATTERN_CHARACTERS {
            return Err(PatternError::TooLong(length));
        }
        let mut pieces = Vec::with_capacity(length);
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let piece = match character {
                // Two runs side by side are one, and cost as much time as two to match.
                '%' if pieces.last() == Some(&Piece::Run) => continue,
                '%' => Piece::Run,
                '_' => Piece::One,
                '\\' => Piece::Literal(characters.next().ok_or(PatternError::OpenEscape)?),
                other => Piece::Literal(other),
            };
            let piece = match piece {
                Piece::Literal(refused @ ('\0' | '\u{FFFD}'..='\u{FFFF}')) => {
                    return Err(PatternError::Character(refused));
                }
                Piece::Literal(literal) => Piece::Literal(case.fold(literal)),
                wild @ (Piece::Run | Piece::One) => wild,
            };
            pieces.push(piece);
        }
        Ok(Self { pieces, case })
    }

    /// Whether it tells `a` from `A`.
    #[must_use]
    pub fn case(&self) -> Case {
        self.case
    }

    /// Whether the whole of `text`, up to its first U+0000, fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let mut rest = text.split('\0').next().unwrap_or_default().chars();
        let mut pieces = self.pieces.as_slice();
        // Where to go on when the present way fails: behind the last run, one more character swallowed.
        let mut retry = None;
        loop {
            match pieces.split_first() {
                Some((Piece::Run, behind)) => {
                    retry = Some((behind, rest.clone()));
                    pieces = behind;
                    continue;
                }
                Some((piece, behind)) => {
                    let mut ahead = rest.clone();
                    if ahead.next().is_some_and(|character| piece.takes(character, self.case)) {
                        (pieces, rest) = (behind, ahead);
                        continue;
                    }
                }
                None if rest.as_str().is_empty() => return true,
                None => {}
            }
            let Some((behind, mut swallowed)) = retry else { return false };
            if swallowed.next().is_none() {
                return false;
            }
            (pieces, rest) = (behind, swallowed.clone());
            retry = Some((behind, swallowed));
        }
    }

    /// The pattern for SQLite's `GLOB`, which minds case whatever the connection is set to.
    pub(crate) fn to_glob(&self) -> String {
        self.write(|piece, glob| match piece {
            Piece::Run => glob.push('*'),
            Piece::One => glob.push('?'),
            Piece::Literal(special @ ('*' | '?' | '[')) => glob.extend(['[', special, ']']),
            Piece::Literal(literal) => glob.push(literal),
        })
    }

    /// The pattern for PostgreSQL's `LIKE`, and the one canonical way to write it.
    pub(crate) fn to_like(&self) -> String {
        self.write(|piece, like| match piece {
            Piece::Run => like.push('%'),
            Piece::One => like.push('_'),
            Piece::Literal(special @ ('%' | '_' | '\\')) => like.extend(['\\', special]),
            Piece::Literal(literal) => like.push(literal),
        })
    }

    fn write(&self, mut each: impl FnMut(Piece, &mut String)) -> String {
        let mut text = String::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            each(*piece, &mut text);
        }
        text
    }
}

impl Piece {
    fn takes(self, character: char, case: Case) -> bool {
        match self {
            Self::Run | Self::One => true,
            Self::Literal(literal) => literal == case.fold(character),
        }
    }
}

impl Case {
    fn fold(self, character: char) -> char {
        match self {
            Self::Sensitive => character,
            Self::AsciiInsensitive => character.to_ascii_lowercase(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Pattern};

    fn check(pattern: &str, fits: &[&str], fits_not: &[&str]) {
        let pattern = Pattern::new(pattern, Case::Sensitive).unwrap();
        for text in fits {
            assert!(pattern.fits(text), "{pattern:?} should fit {text:?}");
        }
        for text in fits_not {
            assert!(!pattern.fits(text), "{pattern:?} should not fit {text:?}");
        }
    }

    #[test]
    fn wildcards_and_escapes() {
        check("", &[""], &["a"]);
        check("%", &["", "a", "äö"], &[]);
        check("a%b", &["ab", "acb", "abab"], &["aba", "b", ""]);
        check("_", &["a", "ä", "𝄞"], &["", "ab"]);
        check(r"100\%", &["100%"], &["1000"]);
        check(r"\\_\_", &[r"\x_"], &[r"\xx"]);
        check("%a%b%", &["ab", "xaxbx"], &["ba"]);
        check("a", &["a", "a\0b"], &["A"]);
    }

    #[test]
    fn many_runs_take_no_exponential_time() {
        let pattern = Pattern::new(&"%a".repeat(500), Case::Sensitive).unwrap();
        assert!(!pattern.fits(&"a".repeat(499)));
        assert!(!pattern.fits(&format!("{}b", "a".repeat(20_000))));
        assert!(pattern.fits(&"a".repeat(20_000)));
    }

    #[test]
    fn refusals() {
        let message = |text: &str| Pattern::new(text, Case::Sensitive).unwrap_err().to_string();
        insta::assert_snapshot!(message(r"a\"), @r"expected a character after the last `\` (`\\` stands for the character itself), found the end");
        insta::assert_snapshot!(message("a\u{FFFE}"), @"expected a pattern without U+0000 and U+FFFD to U+FFFF, found U+FFFE");
        insta::assert_snapshot!(message(&"é".repeat(1_001)), @"expected a pattern of at most 1000 characters, found 1001");
    }
}
