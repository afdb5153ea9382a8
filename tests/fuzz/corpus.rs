//! The inputs that are kept.

use std::{fs, path::Path};

/// An input as hexadecimal digits.
pub(crate) fn written(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All inputs of a corpus: each line of the files that end in `.hex`, whose remarks begin with `#`, and every other file as
/// it is.
pub(crate) fn read(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("each target has a folder")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut inputs = Vec::new();
    for file in files {
        let bytes = fs::read(&file).expect("the file can be read");
        if file.extension().is_some_and(|extension| extension == "hex") {
            inputs.extend(lines(&String::from_utf8_lossy(&bytes)));
        } else {
            inputs.push(bytes);
        }
    }
    inputs
}

fn lines(text: &str) -> Vec<Vec<u8>> {
    let digits = |line: &str| -> Vec<u8> {
        let line = line.split('#').next().unwrap_or_default();
        line.bytes().filter(u8::is_ascii_hexdigit).collect()
    };
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16).expect("hexadecimal digits")
    };
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty())
        .map(|line| digits(line).chunks(2).map(byte).collect())
        .collect()
}
