//! The JSON Schema of manifests, which editors complete and check them with.

use schemars::{Schema, generate::SchemaSettings, transform::RecursiveTransform};

use crate::raw::RawManifest;

/// The JSON Schema of manifests, indented, with a line break at its end.
///
/// It is stricter than [`Manifest::parse`](crate::Manifest::parse) where that only warns: an unknown key does
/// not match it. It cannot tell whether the names in a manifest exist.
#[must_use]
pub fn json_schema() -> String {
    // Of the drafts that can say all we have to say, the one that most editors know.
    let generator =
        SchemaSettings::draft07().with_transform(RecursiveTransform(unwrap_lines)).into_generator();
    let mut schema = generator.into_root_schema_for::<RawManifest>();
    schema.insert("title".into(), "Corella manifest".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON with string keys");
    text.push('\n');
    text
}

/// Makes each paragraph of a description one line: where our source breaks it says nothing to an editor.
fn unwrap_lines(schema: &mut Schema) {
    if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
        let paragraphs: Vec<String> =
            text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
        *text = paragraphs.join("\n\n");
    }
}
