//! What is generated: as it stands in the files beside, which other tests compile.

use std::{env, fs, path::Path};

use corella_manifest::Manifest;

fn sample() -> Manifest {
    Manifest::parse(include_str!("sample.json")).expect("a manifest").manifest
}

/// Compares with the file, or writes it when `UPDATE_GENERATED` is set.
fn check(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&path, text).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).expect("the file can be read");
    assert!(
        kept == text,
        "{file} is out of date: run the tests with UPDATE_GENERATED=1, and look at what changes"
    );
}

#[test]
fn typescript_is_as_it_was() {
    check(
        "../../web-client/packages/client/test/generated/sample.ts",
        &corella_codegen::typescript(&sample()),
    );
}

#[test]
fn rust_is_as_it_was() {
    check("tests/generated/sample.rs", &corella_codegen::rust(&sample()));
}

#[test]
fn every_example_can_be_written() {
    for text in [
        include_str!("../../../schema/examples/notes.json"),
        include_str!("../../../schema/examples/kinds.json"),
        include_str!("../../../schema/examples/open.json"),
    ] {
        let manifest = Manifest::parse(text).expect("a manifest").manifest;
        for text in [corella_codegen::typescript(&manifest), corella_codegen::rust(&manifest)] {
            assert!(text.contains(&manifest.fingerprint()));
        }
    }
}
