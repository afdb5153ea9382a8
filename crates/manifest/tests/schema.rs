//! The files under `schema/` agree with this crate.

use corella_manifest::{Manifest, json_schema};

const SCHEMA: &str = include_str!("../../../schema/manifest.schema.json");
const NOTES: &str = include_str!("../../../schema/examples/notes.json");
const OPEN: &str = include_str!("../../../schema/examples/open.json");
const KINDS: &str = include_str!("../../../schema/examples/kinds.json");

#[test]
fn the_schema_file_is_up_to_date() {
    assert!(
        SCHEMA == json_schema(),
        "schema/manifest.schema.json is out of date: run `cargo xtask generate`"
    );
}

#[test]
fn the_examples_are_manifests_without_warnings() {
    for text in [NOTES, OPEN, KINDS] {
        let parsed = Manifest::parse(text).expect("a manifest");
        assert_eq!(parsed.warnings, []);
    }
}

#[test]
fn the_open_example_leads_plain_room_names_to_an_open_entity() {
    let manifest = Manifest::parse(OPEN).expect("a manifest").manifest;
    let default = manifest.default_entity.as_ref().expect("a default entity");
    assert!(manifest.entity(default.as_str()).expect("declared").open);
}

#[test]
fn the_notes_example_reads_as_it_is_written() {
    let manifest = Manifest::parse(NOTES).expect("a manifest").manifest;
    let note = manifest.entity("Note").expect("declared");
    let fields: Vec<String> = note
        .fields
        .iter()
        .map(|field| format!("{} {} {}", field.name, field.ty.spelling(), field.crdt.word()))
        .collect();
    insta::assert_snapshot!(fields.join("\n"), @"
    title string lww
    body document document
    pinned bool lww
    color enum(none,red,yellow,green,blue) lww
    position float lww
    created datetime lww
    author string lww
    ");
    insta::assert_debug_snapshot!(note.field("position").expect("declared").default, @"
    Some(
        Literal(
            Float(
                0.0,
            ),
        ),
    )
    ");
    insta::assert_debug_snapshot!(note.field("created").expect("declared").default, @"
    Some(
        Now,
    )
    ");
}
