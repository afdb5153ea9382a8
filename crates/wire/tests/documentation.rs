//! `docs/protocol.md` names everything that is sent.

use corella_wire::{
    ErrorCode, MAX_CHUNK_BYTES, MAX_FRAME_BYTES, MAX_ROOM_NAME_BYTES, MAX_UPDATES_PER_FRAME,
    ReassemblyLimits, ack_status,
};

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// A number as the page writes it, with commas between thousands.
fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn each_error_code_has_a_line_with_its_title_and_status() {
    for code in ErrorCode::ALL {
        let line = format!("| `{code}` | {:02X} | {} |", ack_status(*code).number(), code.title());
        assert!(PAGE.contains(&line), "expected in docs/protocol.md: {line}");
    }
}

#[test]
fn each_limit_is_named() {
    for limit in [MAX_FRAME_BYTES, MAX_CHUNK_BYTES, MAX_ROOM_NAME_BYTES, MAX_UPDATES_PER_FRAME] {
        assert!(PAGE.contains(&with_commas(limit)), "expected in docs/protocol.md: {}", with_commas(limit));
    }
    let ReassemblyLimits { max_bytes, max_batches, max_fragments, timeout } = ReassemblyLimits::default();
    let most = usize::try_from(max_fragments).expect("a small number");
    let (mebibytes, most) = (max_bytes / 1_048_576, with_commas(most));
    for line in [
        format!("| {max_batches} batches, {mebibytes} MiB together, {most} fragments each |"),
        format!("| time without a fragment | {} seconds |", timeout.as_secs()),
    ] {
        assert!(PAGE.contains(&line), "expected in docs/protocol.md: {line}");
    }
}
