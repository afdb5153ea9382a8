//! The tests that `docs/traps.md` names, looked for where it says that they are.

use std::{fs, path::Path};

use crate::report::Failure;

/// The page.
const PAGE: &str = "docs/traps.md";

/// Every test on the page that is not there, as `path:line: what`.
///
/// # Errors
/// When the page cannot be read.
pub(crate) fn problems(root: &Path) -> Result<Vec<String>, Failure> {
    let page = fs::read_to_string(root.join(PAGE)).map_err(|error| {
        Failure::new(
            format!("{PAGE} could not be read: {error}"),
            "it tells which tests guard against which traps",
        )
    })?;
    Ok(missing(&page, |path| fs::read_to_string(root.join(path)).ok()))
}

/// What a line's last column names: a file in backticks, then tests in it, and so on.
fn missing(page: &str, text_of: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        let Some(column) =
            line.strip_prefix('|').and_then(|line| line.trim_end().trim_end_matches('|').rsplit('|').next())
        else {
            continue;
        };
        let mut file: Option<(&str, String)> = None;
        for word in column.split('`').skip(1).step_by(2) {
            let is_file =
                [".rs", ".ts", ".tsx"].iter().any(|ending| word.ends_with(ending)) && !word.contains(' ');
            if is_file {
                let text = text_of(word);
                if text.is_none() {
                    problems.push(format!("{PAGE}:{number}: there is no {word}"));
                }
                file = text.map(|text| (word, text));
            } else if let Some((path, text)) = &file {
                let is_there = if path.ends_with(".rs") {
                    text.contains(&format!("fn {word}("))
                } else {
                    text.contains(&format!("\"{word}\""))
                };
                if !is_there {
                    problems.push(format!("{PAGE}:{number}: {path} has no test {word:?}"));
                }
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_gone_is_named() {
        let page = "| trap | does | tests |\n|---|---|---|\n\
                    | `a` | b | `x.rs` `here`, `gone`, `y.ts` `is told, twice`, `z.rs` `any` |\n";
        let text = |path: &str| match path {
            "x.rs" => Some("fn here() {".to_owned()),
            "y.ts" => Some("test(\"is told, twice\", () => {".to_owned()),
            _ => None,
        };
        assert_eq!(
            missing(page, text),
            ["docs/traps.md:3: x.rs has no test \"gone\"", "docs/traps.md:3: there is no z.rs"]
        );
    }
}
