//! How `history.keep` is written.

use std::time::Duration;

use crate::History;

/// What `keep` accepts, in words.
pub(crate) const EXPECTED: &str =
    "\"all\", \"latest\", or a number of days or hours such as \"30d\" or \"12h\"";

/// What `keep` accepts, as a regular expression.
pub(crate) const PATTERN: &str = "^(all|latest|[1-9][0-9]{0,5}[dh])$";

const HOUR: u64 = 60 * 60;

/// Reads what `keep` holds; `None` when it is none of the accepted texts.
pub(crate) fn parse(text: &str) -> Option<History> {
    match text {
        "all" => return Some(History::All),
        "latest" => return Some(History::Latest),
        _ => {}
    }
    let (digits, seconds) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(digits), _) => (digits, 24 * HOUR),
        (None, Some(digits)) => (digits, HOUR),
        (None, None) => return None,
    };
    let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| plain && !digits.starts_with('0'))?;
    Some(History::For(Duration::from_secs(count * seconds)))
}

/// How `keep` is written.
pub(crate) fn spelling(history: History) -> String {
    match history {
        History::All => "all".into(),
        History::Latest => "latest".into(),
        History::For(time) if time.as_secs() % (24 * HOUR) == 0 => {
            format!("{}d", time.as_secs() / (24 * HOUR))
        }
        History::For(time) => format!("{}h", time.as_secs() / HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_hours() {
        assert_eq!(parse("all"), Some(History::All));
        assert_eq!(parse("latest"), Some(History::Latest));
        assert_eq!(parse("30d"), Some(History::For(Duration::from_secs(30 * 24 * HOUR))));
        assert_eq!(parse("12h"), Some(History::For(Duration::from_secs(12 * HOUR))));
        assert_eq!(parse("999999d"), Some(History::For(Duration::from_secs(999_999 * 24 * HOUR))));
        for wrong in ["", "d", "0d", "07d", "-1d", "+1d", "1.5h", "1m", "1 d", "1000000h", "ALL", "1dd", "٣d"]
        {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
