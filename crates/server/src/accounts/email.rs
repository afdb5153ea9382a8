//! The name that an account signs in with.

use std::{fmt, str::FromStr};

/// Longest e-mail, in bytes, as mail servers take it.
const LONGEST: usize = 254;

/// An e-mail, in lower case. Nothing is ever sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

/// A text that is no e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an e-mail such as ada@example.com, of at most {LONGEST} bytes, found another text")]
pub struct EmailError;

impl Email {
    /// The e-mail as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim().to_lowercase();
        let (name, host) = text.rsplit_once('@').ok_or(EmailError)?;
        let is_odd = |character: char| character.is_whitespace() || character.is_control();
        if name.is_empty() || host.is_empty() || text.len() > LONGEST || text.chars().any(is_odd) {
            return Err(EmailError);
        }
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_one_name_however_it_is_written() {
        let read = |text: &str| text.parse::<Email>().map(|email| email.to_string());
        assert_eq!(read(" Ada@Example.COM "), Ok("ada@example.com".to_owned()));
        for wrong in ["", "ada", "@example.com", "ada@", "a da@example.com", "a\u{0}@b", &"x".repeat(300)] {
            assert_eq!(read(wrong), Err(EmailError), "{wrong:?}");
        }
    }
}
