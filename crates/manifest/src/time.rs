//! Points in time, as Corella reads and writes them everywhere.

use jiff::{Timestamp, Unit};
use serde_json::Value as Json;

use crate::TypeMismatch;

/// What a time looks like, in words.
pub(crate) const EXPECTED: &str = "a time such as 2026-11-20T06:14:00Z";

/// The start of the year 0000 in seconds: before it, years have a sign and texts do not sort as times do.
const FIRST_SECOND: i64 = -62_167_219_200;

/// A time as Corella writes it everywhere: RFC 3339 in UTC with six digits of fraction, so that texts sort
/// as the times do.
#[must_use]
pub fn time_text(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// Reads an RFC 3339 time of any offset, rounded to microseconds.
///
/// Other spellings of ISO 8601 are refused, because not every client could read them back out of a document.
///
/// # Errors
/// [`TypeMismatch`] when `text` is no such time, or lies outside of the years 0 to 9999 in UTC.
pub fn parse_time(text: &str) -> Result<Timestamp, TypeMismatch> {
    is_rfc3339(text)
        .then(|| text.parse::<Timestamp>().ok()?.round(Unit::Microsecond).ok())
        .flatten()
        .filter(|time| time.as_second() >= FIRST_SECOND)
        .ok_or_else(|| TypeMismatch::new(EXPECTED, &Json::String(text.to_owned())))
}

fn is_rfc3339(text: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked("2026-11-20T06:14:00".len()) else { return false };
    let offset = match tail.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => tail,
    };
    let zone = matches!(offset, "Z" | "z") || has_shape(offset, "+00:00") || has_shape(offset, "-00:00");
    zone && (has_shape(head, "0000-00-00T00:00:00")
        || has_shape(head, "0000-00-00t00:00:00")
        || has_shape(head, "0000-00-00 00:00:00"))
}

/// Whether `text` has a digit wherever `shape` has one, and is equal elsewhere.
fn has_shape(text: &str, shape: &str) -> bool {
    let alike = |(byte, model): (u8, u8)| if model == b'0' { byte.is_ascii_digit() } else { byte == model };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(alike)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse_time(text).map(time_text).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn any_offset_becomes_utc() {
        check("2026-11-20T06:14:00Z", "2026-11-20T06:14:00.000000Z");
        check("2026-11-20t06:14:00z", "2026-11-20T06:14:00.000000Z");
        check("2026-11-20 06:14:00Z", "2026-11-20T06:14:00.000000Z");
        check("2026-11-20T06:14:00.5+05:30", "2026-11-20T00:44:00.500000Z");
        check("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z");
        check("2026-11-20T06:14:00-00:00", "2026-11-20T06:14:00.000000Z");
        check("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z");
    }

    #[test]
    fn fractions_are_rounded_to_microseconds() {
        check("2026-11-20T06:14:00.123456499Z", "2026-11-20T06:14:00.123456Z");
        check("2026-11-20T06:14:00.1234565Z", "2026-11-20T06:14:00.123457Z");
        check("2026-12-31T23:59:59.9999999Z", "2027-01-01T00:00:00.000000Z");
    }

    #[test]
    fn a_leap_second_counts_as_the_second_before() {
        check("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z");
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "now",
            "2026-11-20",
            "2026-11-20T06:14:00",
            "2026-11-20T06:14Z",
            "20261120T061400Z",
            "2026-11-20T06:14:00,5Z",
            "2026-11-20T06:14:00.Z",
            "2026-11-20T06:14:00+0530",
            "2026-11-20T06:14:00+05",
            "2026-11-20T06:14:00+05:30:15",
            "2026-11-20T06:14:00+05:30[Asia/Kolkata]",
            "2026-02-30T00:00:00Z",
            "2026-11-20T24:00:00Z",
            "-000001-01-01T00:00:00Z",
            "0000-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.9999999-23:00",
            "2026-11-20T06:14:0\u{e9}Z",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
        let error = parse_time("soon").expect_err("not a time").to_string();
        assert_eq!(error, r#"expected a time such as 2026-11-20T06:14:00Z, found "soon""#);
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        (FIRST_SECOND * 1_000_000..253_402_207_200_000_000)
            .prop_map(|micros| Timestamp::from_microsecond(micros).expect("within the years 0 to 9999"))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(time in any_time()) {
            prop_assert_eq!(parse_time(&time_text(time)), Ok(time));
        }

        #[test]
        fn texts_sort_as_times_do(left in any_time(), right in any_time()) {
            prop_assert_eq!(time_text(left).cmp(&time_text(right)), left.cmp(&right));
        }

        #[test]
        fn no_text_panics(text in r"[0-9T:.+Zé-]{0,30}") {
            let _ = parse_time(&text);
        }
    }
}
