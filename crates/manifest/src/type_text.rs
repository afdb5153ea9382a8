//! How a field's type is written in a manifest.

use std::collections::HashSet;

use crate::{EntityName, FieldType, name, problem::nearest};

/// The types that are one word.
const WORDS: [(&str, FieldType); 9] = [
    ("string", FieldType::String),
    ("datetime", FieldType::Datetime),
    ("int", FieldType::Int),
    ("float", FieldType::Float),
    ("bool", FieldType::Bool),
    ("bytes", FieldType::Bytes),
    ("json", FieldType::Json),
    ("richtext", FieldType::Richtext),
    ("document", FieldType::Document),
];

/// What other systems call our types.
const FOREIGN_WORDS: [(&str, &str); 16] = [
    ("text", "string"),
    ("varchar", "string"),
    ("uuid", "string"),
    ("number", "float"),
    ("double", "float"),
    ("real", "float"),
    ("integer", "int"),
    ("bigint", "int"),
    ("i64", "int"),
    ("boolean", "bool"),
    ("date", "datetime"),
    ("time", "datetime"),
    ("timestamp", "datetime"),
    ("blob", "bytes"),
    ("object", "json"),
    ("any", "json"),
];

/// Types as an author may write them, for editors to offer.
pub(crate) const EXAMPLES: [&str; 11] = [
    "string",
    "enum(red,green,blue)",
    "id(User)",
    "datetime",
    "int",
    "float",
    "bool",
    "bytes",
    "json",
    "richtext",
    "document",
];

/// Why a text is not a type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAType {
    pub(crate) expected: String,
    pub(crate) nearest: Option<String>,
}

impl NotAType {
    fn because(expected: &str) -> Self {
        Self { expected: expected.to_owned(), nearest: None }
    }
}

/// The accepted types, in words.
pub(crate) fn expected() -> String {
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    format!("a type ({}, enum(a,b) or id(Entity))", words.join(", "))
}

/// The accepted types, as a regular expression.
pub(crate) fn pattern() -> String {
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    let variant = r" *[^(), \u0000-\u001f\u007f-\u009f][^(),\u0000-\u001f\u007f-\u009f]*";
    let entity = name::PATTERN.trim_matches(['^', '$']);
    format!(r"^({}|enum\({variant}(,{variant})*\)|id\( *{entity} *\))$", words.join("|"))
}

/// Reads a type, such as `enum(red,green)`. Whether the entity of an `id(…)` exists is not asked here.
///
/// # Errors
/// [`NotAType`] says what is accepted and, where one is near, which type was probably meant.
pub(crate) fn parse(text: &str) -> Result<FieldType, NotAType> {
    if let Some((_, ty)) = WORDS.iter().find(|(word, _)| *word == text) {
        return Ok(ty.clone());
    }
    let call = text.strip_suffix(')').and_then(|head| head.split_once('('));
    match call {
        Some(("enum", variants)) => parse_enum(variants),
        Some(("id", entity)) => parse_id(entity),
        Some((function, inner)) => {
            let near = match function {
                "ref" | "reference" | "relation" | "foreign" => Some("id".to_owned()),
                other => nearest(other, ["enum", "id"]),
            };
            Err(NotAType { expected: expected(), nearest: near.map(|near| format!("{near}({inner})")) })
        }
        None => Err(NotAType { expected: expected(), nearest: nearest_word(text) }),
    }
}

fn nearest_word(text: &str) -> Option<String> {
    let lower = text.trim().to_lowercase();
    let foreign = FOREIGN_WORDS.iter().find(|(word, _)| *word == lower).map(|(_, ours)| (*ours).to_owned());
    foreign
        .or_else(|| nearest(text, WORDS.iter().map(|(word, _)| *word)))
        .or_else(|| (lower == "enum").then(|| "enum(a,b)".to_owned()))
        .or_else(|| (lower == "id").then(|| "id(Entity)".to_owned()))
}

fn parse_enum(variants: &str) -> Result<FieldType, NotAType> {
    let variants: Vec<String> =
        variants.split(',').map(|variant| variant.trim_matches(' ').to_owned()).collect();
    if variants.iter().any(String::is_empty) {
        return Err(NotAType::because(
            "an enum whose variants have at least one character, such as enum(a,b)",
        ));
    }
    if variants.iter().any(|variant| variant.contains(['(', ')']) || variant.contains(char::is_control)) {
        return Err(NotAType::because("an enum whose variants have no parentheses or control characters"));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = variants.iter().find(|variant| !seen.insert(variant.as_str())) {
        return Err(NotAType::because(&format!("an enum that names each variant once, not {twice:?} twice")));
    }
    Ok(FieldType::Enum(variants))
}

fn parse_id(entity: &str) -> Result<FieldType, NotAType> {
    let entity = entity.trim_matches(' ');
    EntityName::new(entity)
        .map(FieldType::Id)
        .map_err(|_| NotAType::because("id(Entity) with the name of an entity, such as id(User)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(text: &str) -> Option<String> {
        parse(text).expect_err("not a type").nearest
    }

    #[test]
    fn every_type_is_read_as_it_is_spelled() {
        for (word, ty) in WORDS {
            assert_eq!(ty.spelling(), word);
            assert_eq!(parse(word), Ok(ty));
        }
        let spaced = parse("enum( red , deep blue )").expect("a type");
        assert_eq!(spaced, FieldType::Enum(vec!["red".into(), "deep blue".into()]));
        assert_eq!(spaced.spelling(), "enum(red,deep blue)");
        assert_eq!(parse("id( User )").expect("a type").spelling(), "id(User)");
    }

    #[test]
    fn what_was_probably_meant() {
        for (text, meant) in [
            ("strng", "string"),
            ("String", "string"),
            ("Boolean", "bool"),
            ("text", "string"),
            ("integer", "int"),
            (" int", "int"),
            ("enum", "enum(a,b)"),
            ("enm(a,b)", "enum(a,b)"),
            ("ref(User)", "id(User)"),
            ("ID(User)", "id(User)"),
        ] {
            assert_eq!(near(text).as_deref(), Some(meant), "{text:?}");
        }
        assert_eq!(near("geography"), None);
        assert_eq!(near(""), None);
        assert_eq!(near(&"x".repeat(100_000)), None);
    }

    #[test]
    fn enums_and_ids_that_are_none() {
        for text in
            ["enum()", "enum(a,)", "enum(a,a)", "enum(a,(b))", "enum(a\n)", "enum(a\tb)", "id()", "id(a b)"]
        {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_pattern_knows_the_examples() {
        let pattern = regex::Regex::new(&pattern()).expect("a regular expression");
        for example in EXAMPLES {
            assert!(pattern.is_match(example), "{example}");
            assert!(parse(example).is_ok(), "{example}");
        }
    }

    proptest! {
        #[test]
        fn the_pattern_accepts_what_is_accepted(text in r"(enum|id|int|)\(?[a-c(),\n é]{0,6}\)?") {
            let accepted = regex::Regex::new(&pattern()).expect("a regular expression").is_match(&text);
            // Naming a variant twice is the one mistake that a pattern cannot see.
            let twice = parse(&text).is_err_and(|error| error.expected.contains("once"));
            prop_assert_eq!(accepted, parse(&text).is_ok() || twice);
        }

        #[test]
        fn a_type_is_read_from_its_spelling(variants in prop::collection::hash_set("[a-zé_-]{1,5}", 1..5)) {
            let ty = FieldType::Enum(variants.into_iter().collect());
            prop_assert_eq!(parse(&ty.spelling()), Ok(ty));
        }
    }
}
