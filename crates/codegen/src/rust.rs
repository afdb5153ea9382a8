//! Rust, for whoever speaks HTTP to a server.

use std::fmt::Write as _;

use corella_manifest::{Entity, Field, FieldType, Manifest};

use crate::{
    kind::{Kind, is_always_there, may_be_left_out},
    text::{pascal, quoted, snake},
};

/// What every generated module ends with: operations and conditions.
const SUPPORT: &str = include_str!("rust_support.rs.txt");

/// Words that no field of a struct may be called by.
const KEYWORDS: [&str; 39] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false", "fn",
    "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return",
    "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while", "abstract", "gen",
    "macro", "try", "yield",
];

/// One Rust module with the types of a manifest's rows; it needs `serde` (with `derive`) and `serde_json`.
#[must_use]
pub fn rust(manifest: &Manifest) -> String {
    let mut out = format!(
        "//! Rows of {} {}, made by `corella codegen rust`: changes here are lost.\n\n\
         use serde::{{Deserialize, Serialize}};\nuse serde_json::Value as Json;\n\n\
         /// The schema's fingerprint: send it as the header `corella-schema`.\n\
         pub const FINGERPRINT: &str = {};\n",
        manifest.name,
        manifest.version,
        quoted(&manifest.fingerprint())
    );
    for entity in &manifest.entities {
        add_entity(&mut out, entity);
    }
    out.push('\n');
    out.push_str(SUPPORT);
    out
}

fn add_entity(out: &mut String, entity: &Entity) {
    let name = pascal(entity.name.as_str());
    for field in &entity.fields {
        if let FieldType::Enum(variants) = &field.ty {
            add_enum(out, &enum_name(entity, field), entity, field, variants);
        }
    }
    let mut add = |text: String| writeln!(out, "{text}").unwrap_or_default();
    add(format!("\n/// A row of `{}` as it is read.", entity.name));
    add("#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]".into());
    add(format!("pub struct {name} {{"));
    add("    /// Its id.".into());
    add("    pub id: String,".into());
    for field in &entity.fields {
        let ty = read(entity, field);
        let ty = if is_always_there(field) { ty } else { format!("Option<{ty}>") };
        add(member(field, &ty, &attributes(field, false)));
    }
    if entity.open {
        add("    /// The whole document.\n    pub value: Json,".into());
    }
    add("}".into());

    add(format!("\n/// What a new row of `{}` takes.", entity.name));
    let has_default = entity.fields.iter().all(may_be_left_out);
    let default = if has_default { ", Default" } else { "" };
    add(format!("#[derive(Debug, Clone, PartialEq{default}, Serialize)]"));
    add(format!("pub struct New{name} {{"));
    for field in &entity.fields {
        let ty = written(entity, field);
        if may_be_left_out(field) {
            add(member(field, &format!("Option<{ty}>"), &attributes(field, true)));
        } else {
            add(member(field, &ty, &attributes(field, false)));
        }
    }
    add("}".into());

    add(format!(
        "\n/// What a change of a row of `{}` takes; `Some(None)` clears a field that is optional.",
        entity.name
    ));
    add("#[derive(Debug, Clone, Default, PartialEq, Serialize)]".into());
    add(format!("pub struct {name}Patch {{"));
    for field in &entity.fields {
        let ty = written(entity, field);
        let ty = if field.optional { format!("Option<Option<{ty}>>") } else { format!("Option<{ty}>") };
        add(member(field, &ty, &attributes(field, true)));
    }
    add("}".into());

    add(format!("\n/// The columns of `{}` that queries ask about.", entity.name));
    add(format!("pub mod {} {{", keyword_free(&snake(entity.name.as_str()))));
    add("    use super::Column;\n".into());
    add("    /// The row's id.\n    pub const ID: Column<String> = Column::new(\"id\");".into());
    for field in entity.fields.iter().filter(|field| field.ty.is_comparable() || field.ty == FieldType::Json)
    {
        let ty = match scalar(entity, field) {
            _ if field.ty == FieldType::Json => "super::Json".into(),
            ty if matches!(field.ty, FieldType::Enum(_) | FieldType::Int) => format!("super::{ty}"),
            ty => ty,
        };
        let (constant, column) = (snake(field.name.as_str()).to_uppercase(), quoted(field.name.as_str()));
        let constant = if constant == "ID" { "ID_".into() } else { constant };
        add(format!(
            "    /// `{}`\n    pub const {constant}: Column<{ty}> = Column::new({column});",
            field.name
        ));
    }
    add("}".into());
}

fn add_enum(out: &mut String, name: &str, entity: &Entity, field: &Field, variants: &[String]) {
    let mut add = |text: String| writeln!(out, "{text}").unwrap_or_default();
    add(format!("\n/// What `{}.{}` holds.", entity.name, field.name));
    add("#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]".into());
    add(format!("pub enum {name} {{"));
    let mut names: Vec<String> = Vec::new();
    for variant in variants {
        let plain: String =
            variant.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
        let mut ident = pascal(&plain);
        while ident == "_" || ident == "Self" || names.contains(&ident) {
            ident.push_str("Again");
        }
        add(format!("    /// `{variant}`\n    #[serde(rename = {})]\n    {ident},", quoted(variant)));
        names.push(ident);
    }
    add("}".into());
}

fn enum_name(entity: &Entity, field: &Field) -> String {
    format!("{}{}", pascal(entity.name.as_str()), pascal(field.name.as_str()))
}

fn keyword_free(name: &str) -> String {
    if KEYWORDS.contains(&name) || matches!(name, "self" | "super" | "crate" | "_") {
        return format!("{name}_");
    }
    name.to_owned()
}

fn attributes(field: &Field, may_miss: bool) -> String {
    let rust = keyword_free(&snake(field.name.as_str()));
    let mut parts = Vec::new();
    if rust != field.name.as_str() {
        parts.push(format!("rename = {}", quoted(field.name.as_str())));
    }
    if may_miss {
        parts.push("skip_serializing_if = \"Option::is_none\"".into());
    }
    if parts.is_empty() { String::new() } else { format!("    #[serde({})]\n", parts.join(", ")) }
}

fn member(field: &Field, ty: &str, attributes: &str) -> String {
    let rust = keyword_free(&snake(field.name.as_str()));
    format!("    /// `{}`: {}\n{attributes}    pub {rust}: {ty},", field.name, field.ty.spelling())
}

fn scalar(entity: &Entity, field: &Field) -> String {
    match &field.ty {
        FieldType::Enum(_) => enum_name(entity, field),
        FieldType::String | FieldType::Id(_) | FieldType::Datetime | FieldType::Bytes => "String".into(),
        FieldType::Richtext | FieldType::Document => "String".into(),
        FieldType::Int => "Int".into(),
        FieldType::Float => "f64".into(),
        FieldType::Bool => "bool".into(),
        FieldType::Json => "Json".into(),
    }
}

fn read(entity: &Entity, field: &Field) -> String {
    match Kind::of(field) {
        Kind::List | Kind::MovableList => "Vec<Json>".into(),
        Kind::Map => "serde_json::Map<String, Json>".into(),
        Kind::Tree => "Vec<TreeNode>".into(),
        Kind::Plain | Kind::Text | Kind::Richtext | Kind::Document | Kind::Counter => scalar(entity, field),
    }
}

fn written(entity: &Entity, field: &Field) -> String {
    match Kind::of(field) {
        Kind::Plain => scalar(entity, field),
        Kind::Text | Kind::Richtext => "Edit<TextStep>".into(),
        Kind::Document => "Json".into(),
        Kind::Counter => format!("Edit<CounterStep<{}>>", scalar(entity, field)),
        Kind::List | Kind::MovableList => "Edit<ListStep>".into(),
        Kind::Map => "Edit<MapStep>".into(),
        Kind::Tree => "Edit<TreeStep>".into(),
    }
}
