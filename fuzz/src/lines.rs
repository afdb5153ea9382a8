//! Inputs as lines of hexadecimal digits, each with a remark behind `#` if it has one.
//!
//! The developer commands read this file and not the crate, so that they are built without everything that is tried here.

/// An input as hexadecimal digits.
#[must_use]
pub fn written(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The inputs in a text, without their remarks; a line with nothing but a remark has none.
#[must_use]
pub fn read(text: &str) -> Vec<Vec<u8>> {
    let inputs = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    inputs
        .filter(|digits| !digits.is_empty())
        .map(|digits| {
            let pair =
                |start| digits.get(start..start + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            (0..digits.len()).step_by(2).filter_map(pair).collect()
        })
        .collect()
}
