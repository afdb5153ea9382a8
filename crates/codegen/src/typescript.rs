//! TypeScript, for `@corella/client`.

use std::fmt::Write as _;

use corella_manifest::{Entity, Field, FieldType, Manifest};

use crate::{
    kind::{Kind, is_always_there, may_be_left_out},
    text::quoted,
};

/// One TypeScript module with the types of a manifest's rows and a `schema` to hand to the client.
#[must_use]
pub fn typescript(manifest: &Manifest) -> String {
    let body = body(manifest);
    let is_used = |name: &&str| {
        body.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').any(|word| word == *name)
    };
    let imports: String = IMPORTS.into_iter().filter(is_used).map(|name| format!("  {name},\n")).collect();
    format!(
        "// Rows of {} {}, made by `corella codegen ts`: changes here are lost.\n\n\
         import type {{\n{imports}}} from \"@corella/client\";\n{body}",
        manifest.name, manifest.version
    )
}

fn body(manifest: &Manifest) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    for entity in &manifest.entities {
        line("");
        line(&interfaces(entity));
    }
    line("/** Every entity, by its name. */");
    line("export interface Entities {");
    for entity in &manifest.entities {
        line(&indented(&types(entity)));
    }
    line("}");
    line("");
    line(
        "/** What the client is told of the schema: hand it to `new CorellaClient`, and to `typed` of `@corella/client/typed`. */",
    );
    line("export const schema: Schema<Entities> = {");
    line(&format!("  fingerprint: {},", quoted(&manifest.fingerprint())));
    line("  keys: {");
    for entity in &manifest.entities {
        let renamed: Vec<String> = entity
            .fields
            .iter()
            .filter(|field| field.key() != &field.name)
            .map(|field| format!("{}: {}", field.name, quoted(field.key().as_str())))
            .collect();
        if !renamed.is_empty() {
            line(&format!("    {}: {{ {} }},", entity.name, renamed.join(", ")));
        }
    }
    line("  },");
    line("};");
    out
}

/// What the generated module takes from the client, all of it types.
const IMPORTS: [&str; 13] = [
    "CounterEdit",
    "DocumentEdit",
    "Filter",
    "JsonEdit",
    "JsonValue",
    "ListEdit",
    "MapEdit",
    "MovableListEdit",
    "RichtextEdit",
    "Schema",
    "TextEdit",
    "TreeEdit",
    "TreeNode",
];

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn interfaces(entity: &Entity) -> String {
    let name = &entity.name;
    let mut out = String::new();
    let mut add = |text: String| writeln!(out, "{text}").unwrap_or_default();
    add(format!("/** A row of `{name}` as it is read. */"));
    add(format!("export interface {name} {{"));
    add("  readonly id: string;".into());
    for field in &entity.fields {
        let null = if is_always_there(field) { "" } else { " | null" };
        add(format!("  readonly {}: {}{null};", field.name, read(field)));
    }
    if entity.open {
        add("  readonly value: JsonValue;".into());
    }
    add("}\n".into());
    add(format!("/** What a new row of `{name}` takes. */"));
    add(format!("export interface New{name} {{"));
    for field in &entity.fields {
        let mark = if may_be_left_out(field) { "?" } else { "" };
        let null = if field.optional { " | null" } else { "" };
        add(format!("  readonly {}{mark}: {}{null};", field.name, written(field)));
    }
    add("}\n".into());
    add(format!("/** What a change of a row of `{name}` takes. */"));
    add(format!("export interface {name}Patch {{"));
    for field in &entity.fields {
        let null = if field.optional { " | null" } else { "" };
        add(format!("  readonly {}?: {}{null};", field.name, written(field)));
    }
    add("}\n".into());
    add(format!(
        "/** The columns of `{name}` that queries ask about; `unknown` where they ask only whether there is a value. */"
    ));
    add(format!("export interface {name}Columns {{"));
    add("  readonly id: string;".into());
    for field in &entity.fields {
        let column = if field.ty.is_comparable() { scalar(&field.ty) } else { "unknown".into() };
        add(format!("  readonly {}: {column};", field.name));
    }
    add("}".into());
    out
}

/// The line of `Entities` about one entity.
fn types(entity: &Entity) -> String {
    let name = &entity.name;
    let of = |kinds: &[Kind]| {
        let names: Vec<String> = entity
            .fields
            .iter()
            .filter(|field| kinds.contains(&Kind::of(field)))
            .map(|field| quoted(field.name.as_str()))
            .collect();
        if names.is_empty() { "never".into() } else { names.join(" | ") }
    };
    let ordered: Vec<String> = entity
        .fields
        .iter()
        .filter(|field| field.ty.is_comparable())
        .map(|field| quoted(field.name.as_str()))
        .collect();
    let plain: Vec<String> = entity
        .fields
        .iter()
        .filter(|field| Kind::of(field) == Kind::Plain)
        .map(|field| {
            let ty = if field.ty == FieldType::Bytes { "Uint8Array".into() } else { scalar(&field.ty) };
            let null = if field.optional { " | null" } else { "" };
            format!("readonly {}: {ty}{null}", field.name)
        })
        .collect();
    let plain = if plain.is_empty() { "{}".into() } else { format!("{{ {} }}", plain.join("; ")) };
    let order: String = ordered.iter().map(|field| format!(" | {field}")).collect();
    let words = if entity.search.is_some() { "string" } else { "never" };
    format!(
        "readonly {name}: {{\n  readonly row: {name};\n  readonly insert: New{name};\n  readonly patch: {name}Patch;\n  \
         readonly where: Filter<{name}Columns>;\n  readonly orderBy: \"id\"{order};\n  readonly match: {words};\n  readonly plain: {plain};\n  \
         readonly text: {};\n  readonly map: {};\n  readonly list: {};\n  readonly movableList: {};\n  \
         readonly tree: {};\n  readonly counter: {};\n}};",
        of(&[Kind::Text, Kind::Richtext]),
        of(&[Kind::Map, Kind::Document]),
        of(&[Kind::List]),
        of(&[Kind::MovableList]),
        of(&[Kind::Tree]),
        of(&[Kind::Counter]),
    )
}

/// A value as JSON has it.
fn scalar(ty: &FieldType) -> String {
    match ty {
        FieldType::String | FieldType::Id(_) | FieldType::Datetime | FieldType::Bytes => "string".into(),
        FieldType::Richtext | FieldType::Document => "string".into(),
        FieldType::Enum(variants) => {
            variants.iter().map(|variant| quoted(variant)).collect::<Vec<_>>().join(" | ")
        }
        // A text beyond 2^53.
        FieldType::Int => "number | string".into(),
        FieldType::Float => "number".into(),
        FieldType::Bool => "boolean".into(),
        FieldType::Json => "JsonValue".into(),
    }
}

fn read(field: &Field) -> String {
    match Kind::of(field) {
        Kind::List | Kind::MovableList => "readonly JsonValue[]".into(),
        Kind::Map => "{ readonly [key: string]: JsonValue }".into(),
        Kind::Tree => "readonly TreeNode[]".into(),
        Kind::Plain | Kind::Text | Kind::Richtext | Kind::Document | Kind::Counter => scalar(&field.ty),
    }
}

fn written(field: &Field) -> String {
    match Kind::of(field) {
        Kind::Plain if field.ty == FieldType::Json => "JsonEdit".into(),
        Kind::Plain => scalar(&field.ty),
        Kind::Text => "TextEdit".into(),
        Kind::Richtext => "RichtextEdit".into(),
        Kind::Document => "DocumentEdit".into(),
        Kind::Counter => "CounterEdit".into(),
        Kind::List => "ListEdit".into(),
        Kind::MovableList => "MovableListEdit".into(),
        Kind::Map => "MapEdit".into(),
        Kind::Tree => "TreeEdit".into(),
    }
}
