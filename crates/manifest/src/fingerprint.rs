//! A short hash of what a manifest says about the shape of stored rows.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{Entity, Field, FieldType, Index, Manifest};

/// Written into the hashed text, so that a change of what is hashed changes every fingerprint.
const FORM: u32 = 1;

/// Bytes of the hash that are kept.
const KEPT_BYTES: usize = 8;

impl Manifest {
    /// A hash of everything that affects the shape of stored rows, as 16 hexadecimal digits.
    ///
    /// Two manifests have the same fingerprint when they declare the same entities with the same fields (name,
    /// type, merge rule, optional, unique, and the
    /// key in documents of one that was renamed), the same indexes, the same search, and the same `open` and `crdt`. The order of
    /// declarations does not matter, nor do policies, relations, defaults, history or the app's own version.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let entities = sorted(&self.entities, entity);
        let text = json!({ "form": FORM, "entities": entities }).to_string();
        let digest = Sha256::digest(text.as_bytes());
        digest.iter().take(KEPT_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn entity(entity: &Entity) -> (String, Json) {
    let fields = sorted(&entity.fields, field);
    let indexes = sorted(&entity.indexes, index);
    let name = entity.name.to_string();
    let mut shape = vec![json!(name), json!(entity.open), json!(entity.crdt), json!(fields), json!(indexes)];
    // Nothing is added where nothing can be searched, so that fingerprints hold that were told before anything could.
    if let Some(search) = &entity.search {
        let text: Vec<&str> = search.text.iter().map(AsRef::as_ref).collect();
        shape.push(json!([text, search.language.word()]));
    }
    (name, Json::Array(shape))
}

fn field(field: &Field) -> (String, Json) {
    let ty = match &field.ty {
        FieldType::Enum(variants) => {
            let mut variants = variants.clone();
            variants.sort_unstable();
            FieldType::Enum(variants).spelling()
        }
        FieldType::String | FieldType::Id(_) | FieldType::Datetime | FieldType::Int | FieldType::Float => {
            field.ty.spelling()
        }
        FieldType::Bool | FieldType::Bytes | FieldType::Json | FieldType::Richtext | FieldType::Document => {
            field.ty.spelling()
        }
    };
    let name = field.name.to_string();
    let mut shape =
        vec![json!(name), json!(ty), json!(field.crdt.word()), json!(field.optional), json!(field.unique)];
    // Nothing is added where nothing was renamed, so that fingerprints that were told before there were renames hold.
    if field.key() != &field.name {
        shape.push(json!(field.key().as_str()));
    }
    (name, Json::Array(shape))
}

fn index(index: &Index) -> (String, Json) {
    let fields: Vec<&str> = index.fields.iter().map(AsRef::as_ref).collect();
    (index.name.clone(), json!([index.name, fields, index.unique]))
}

/// The shapes of `items` in the order of their names.
fn sorted<T>(items: &[T], shape: impl Fn(&T) -> (String, Json)) -> Vec<Json> {
    let mut shapes: Vec<(String, Json)> = items.iter().map(shape).collect();
    shapes.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    shapes.into_iter().map(|(_, shape)| shape).collect()
}
