//! A text brought to a wanted content by few operations.

use loro::{LoroResult, LoroText, UpdateOptions};

/// How long one comparison may take, in milliseconds. Two wholly different texts of 48,000 characters take
/// seconds to compare character by character.
const PATIENCE: f64 = 50.0;

/// Edits `text` until it reads `wanted`; what both have in common keeps its marks and its history.
///
/// Compares by characters, by lines where that takes too long, and by the common start and end at last.
pub(crate) fn bring_to(text: &LoroText, wanted: &str) -> LoroResult<()> {
    let options = || UpdateOptions { timeout_ms: Some(PATIENCE), ..UpdateOptions::default() };
    if text.update(wanted, options()).is_ok() || text.update_by_line(wanted, options()).is_ok() {
        return Ok(());
    }
    // Both may have made part of their edits before they gave up.
    replace_middle(text, wanted)
}

/// Replaces what lies between the common start and the common end.
fn replace_middle(text: &LoroText, wanted: &str) -> LoroResult<()> {
    let current = text.to_string();
    let start = current.chars().zip(wanted.chars()).take_while(|(old, new)| old == new).count();
    let current_length = current.chars().count();
    let wanted_length = wanted.chars().count();
    let room = current_length.min(wanted_length) - start;
    let end = current.chars().rev().zip(wanted.chars().rev()).take(room).take_while(|(old, new)| old == new);
    let end = end.count();
    let middle: String = wanted.chars().skip(start).take(wanted_length - start - end).collect();
    text.delete(start, current_length - start - end)?;
    text.insert(start, &middle)
}

#[cfg(test)]
mod tests {
    use loro::LoroDoc;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_leads_to_the_wanted_text(old in "[abcä\n]{0,12}", new in "[abcä\n]{0,12}") {
            let doc = LoroDoc::new();
            let whole = doc.get_text("whole");
            let middle = doc.get_text("middle");
            for text in [&whole, &middle] {
                text.insert(0, &old).unwrap();
            }
            bring_to(&whole, &new).unwrap();
            replace_middle(&middle, &new).unwrap();
            prop_assert_eq!(whole.to_string(), &*new);
            prop_assert_eq!(middle.to_string(), &*new);
        }
    }

    #[test]
    fn a_text_without_resemblance_arrives_too() {
        let doc = LoroDoc::new();
        let text = doc.get_text("text");
        let old: String =
            (0..40_000_u32).map(|i| char::from_u32(0x4e00 + i * 7919 % 20_000).unwrap()).collect();
        let new: String =
            (0..40_000_u32).map(|i| char::from_u32(0x4e00 + i * 104_729 % 20_000).unwrap()).collect();
        text.insert(0, &old).unwrap();
        bring_to(&text, &new).unwrap();
        assert_eq!(text.to_string(), new);
    }
}
