//! The inputs that are kept.

use std::{fs, path::Path};

/// How a corpus is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As hexadecimal digits, one input for each line; a line may end in a remark after `#`.
    Bytes,
    /// As it is, one input for each file.
    Text,
}

impl Kind {
    /// An input as the corpus has it.
    pub(crate) fn written(self, input: &[u8]) -> String {
        match self {
            Self::Bytes => input.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Text => String::from_utf8_lossy(input).into_owned(),
        }
    }
}

/// All inputs of a corpus.
pub(crate) fn read(name: &str, kind: Kind) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("each target has a folder")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let text = |path: &Path| fs::read_to_string(path).expect("the file can be read");
    match kind {
        Kind::Text => files.iter().map(|file| text(file).into_bytes()).collect(),
        Kind::Bytes => files.iter().flat_map(|file| lines(&text(file))).collect(),
    }
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
