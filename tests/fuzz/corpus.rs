//! The inputs that are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use corella_fuzz::lines;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name)
}

/// The inputs of one file of a corpus.
pub(crate) fn lines_of(name: &str, file: &str) -> Vec<Vec<u8>> {
    lines::read(&fs::read_to_string(folder(name).join(file)).expect("the file is there"))
}

/// All inputs of a corpus: each line of the files that end in `.hex`, whose remarks begin with `#`, and every other file as
/// it is.
pub(crate) fn read(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> = fs::read_dir(folder(name))
        .expect("each target has a folder")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut inputs = Vec::new();
    for file in files {
        let bytes = fs::read(&file).expect("the file can be read");
        if file.extension().is_some_and(|extension| extension == "hex") {
            inputs.extend(lines::read(&String::from_utf8_lossy(&bytes)));
        } else {
            inputs.push(bytes);
        }
    }
    inputs
}
