//! Names and texts as source code has them.

/// `byHeading`, `by_heading` and `ByHeading` as `ByHeading`.
pub(crate) fn pascal(name: &str) -> String {
    let mut pascal = String::with_capacity(name.len());
    let mut starts = true;
    for character in name.chars() {
        if character == '_' {
            starts = true;
        } else if starts {
            pascal.extend(character.to_uppercase());
            starts = false;
        } else {
            pascal.push(character);
        }
    }
    if pascal.is_empty() || pascal.starts_with(|first: char| first.is_ascii_digit()) {
        pascal.insert(0, '_');
    }
    pascal
}

/// `byHeading` and `ByHeading` as `by_heading`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut before_is_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && before_is_lower {
            snake.push('_');
        }
        before_is_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        snake.extend(character.to_lowercase());
    }
    snake
}

/// A text in double quotes, as JSON, TypeScript and Rust read it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
