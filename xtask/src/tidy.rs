//! House rules as code: what no compiler and no clippy lint says about the project's files.
//!
//! A rule that needs an exception is mended here, with its reason, where everyone sees it.

use std::path::Path;

use crate::report::Failure;
use crate::workspace::project_files;

/// The longest that a source file may become. A file is split by noun long before.
const LONGEST_FILE: usize = 600;

// The words that the rules look for are put together from pieces, so that this file keeps the rules as well.

/// Hosts and path parts by which package registries and their mirrors are known.
const REGISTRIES: [&str; 7] = [
    concat!("registry.", "npmjs"),
    concat!("registry.", "yarnpkg"),
    concat!("npm", "mirror."),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("crates.io", "-index"),
    concat!("/arti", "factory/"),
];

/// Where people and build machines keep their own folders.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// A file of the project: its path from the root, with forward slashes, and its text.
struct SourceFile<'a> {
    path: &'a str,
    text: &'a str,
}

/// What a rule found: the line, counted from 1, and what is wrong there.
struct Finding {
    line: usize,
    what: String,
}

/// A rule looks at one file and names the places that break it.
type Rule = fn(&SourceFile<'_>) -> Vec<Finding>;

const RULES: [Rule; 9] = [
    no_registries,
    no_machine_paths,
    no_long_files,
    modules_say_what_they_are_for,
    no_allow,
    no_placeholders,
    tests_wait_for_events,
    no_ignored_tests,
    only_the_command_line_prints,
];

/// Every broken rule in the project, as `path:line: what`.
///
/// # Errors
///
/// The project's files could not be listed.
pub(crate) fn problems_in_project(root: &Path) -> Result<Vec<String>, Failure> {
    let mut problems = Vec::new();
    for path in project_files(root)? {
        // What is no text, such as an icon, has no lines that a rule could be about.
        if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
            problems.extend(problems_in_file(&path, &text));
        }
    }
    Ok(problems)
}

fn problems_in_file(path: &str, text: &str) -> Vec<String> {
    let file = SourceFile { path, text };
    let findings = RULES.iter().flat_map(|rule| rule(&file));
    findings.map(|finding| format!("{path}:{}: {}", finding.line, finding.what)).collect()
}

impl SourceFile<'_> {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// The findings for all lines that contain one of `words`.
    fn lines_with(&self, words: &[&str], what: &str) -> Vec<Finding> {
        self.lines_where(|line| words.iter().any(|word| line.contains(word)), what)
    }

    /// The findings for all lines that `is_wrong` picks.
    fn lines_where(&self, is_wrong: impl Fn(&str) -> bool, what: &str) -> Vec<Finding> {
        let wrong = self.text.lines().enumerate().filter(|(_, line)| is_wrong(line));
        wrong.map(|(index, _)| Finding { line: index + 1, what: what.to_owned() }).collect()
    }

    /// Whether this is the `mod tests` of another module, in a file of its own.
    fn is_tests_module(&self) -> bool {
        self.path.ends_with("/tests.rs")
    }

    /// The line, counted from 1, at which tests begin; none when the file has no tests.
    fn tests_begin(&self) -> Option<usize> {
        let is_of_tests = self.is_tests_module() || self.is_in("tests/") || self.path.contains("/tests/");
        let marker = concat!("#[cfg", "(test)]");
        if is_of_tests {
            Some(1)
        } else {
            self.text.lines().position(|line| line.trim() == marker).map(|index| index + 1)
        }
    }
}

fn no_registries(file: &SourceFile<'_>) -> Vec<Finding> {
    // In cargo's lock file the public index is the name of a source, not an address to fetch from.
    if file.path == "Cargo.lock" {
        return Vec::new();
    }
    let mut findings =
        file.lines_with(&REGISTRIES, "the address of a package registry belongs to a machine's settings");
    if file.path.ends_with("package-lock.json") {
        let resolved = concat!("\"resolved\"", ": \"http");
        findings.extend(file.lines_with(
            &[resolved],
            "write the lock file with `omit-lockfile-registry-resolved=true` in .npmrc",
        ));
    }
    findings
}

fn no_machine_paths(file: &SourceFile<'_>) -> Vec<Finding> {
    // A path begins the word that it stands in; in the middle of one it is a part of an address or of a
    // relative path.
    file.lines_where(
        |line| MACHINE_PATHS.iter().any(|path| begins_a_word(line, path)),
        "a path of one machine is of no use on another",
    )
}

fn begins_a_word(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || "_-./}*".contains(character))
    })
}

fn no_long_files(file: &SourceFile<'_>) -> Vec<Finding> {
    let is_source = [".rs", ".ts", ".tsx", ".sql"].iter().any(|ending| file.path.ends_with(ending));
    let line_count = file.text.lines().count();
    if !is_source || line_count <= LONGEST_FILE {
        return Vec::new();
    }
    let what = format!("{line_count} lines, at most {LONGEST_FILE} are read with pleasure: split it by noun");
    vec![Finding { line: LONGEST_FILE + 1, what }]
}

fn modules_say_what_they_are_for(file: &SourceFile<'_>) -> Vec<Finding> {
    // Tests in a file of their own have the purpose of the module that they stand beside.
    if !file.is_rust() || file.is_tests_module() || file.text.starts_with("//! ") {
        return Vec::new();
    }
    vec![Finding { line: 1, what: "a module opens with one `//!` sentence of purpose".to_owned() }]
}

fn no_allow(file: &SourceFile<'_>) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let words = [concat!("#[al", "low("), concat!("#![al", "low(")];
    file.lines_with(&words, "instead of allowing a lint, write `#[expect(lint, reason = \"…\")]`, which says when it is no longer needed")
}

fn no_placeholders(file: &SourceFile<'_>) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let words = [concat!("to", "do!("), concat!("unimpl", "emented!(")];
    file.lines_with(&words, "what is not there yet is answered with an error, or not offered")
}

fn tests_wait_for_events(file: &SourceFile<'_>) -> Vec<Finding> {
    let (true, Some(first)) = (file.is_rust(), file.tests_begin()) else {
        return Vec::new();
    };
    let words = [concat!("thread::sl", "eep("), concat!("time::sl", "eep(")];
    let mut findings = file.lines_with(&words, "a test waits for the event or moves the clock");
    findings.retain(|finding| finding.line >= first);
    findings
}

fn no_ignored_tests(file: &SourceFile<'_>) -> Vec<Finding> {
    if !file.is_rust() {
        return Vec::new();
    }
    let words = [concat!("#[ign", "ore]"), concat!("#[ign", "ore =")];
    file.lines_with(&words, "assert the wrong behaviour with a FIXME, so that its mending is noticed")
}

fn only_the_command_line_prints(file: &SourceFile<'_>) -> Vec<Finding> {
    // Clippy refuses the printing macros; here is refused to talk clippy out of it.
    if !file.is_rust() || !file.is_in("crates/") || file.is_in("crates/cli/") {
        return Vec::new();
    }
    let words = [concat!("clippy::print", "_stdout"), concat!("clippy::print", "_stderr")];
    file.lines_with(&words, "corella-cli is the only crate that prints; elsewhere there is `tracing`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> String {
        problems_in_file(path, text).join("\n")
    }

    /// A Rust file with a purpose and one line.
    fn rust(line: &str) -> String {
        check("crates/live/src/room.rs", &format!("//! Rooms.\n{line}\n"))
    }

    #[test]
    fn a_tidy_file_has_no_problems() {
        assert_eq!(rust("pub struct Room;"), "");
        assert_eq!(
            check("README.md", "Run `cargo xtask dev`, see https://crates.io and /usr/bin/chromium.\n"),
            ""
        );
    }

    #[test]
    fn a_module_without_a_purpose() {
        insta::assert_snapshot!(check("crates/live/src/room.rs", "use std::fmt;\n"), @"crates/live/src/room.rs:1: a module opens with one `//!` sentence of purpose");
        assert_eq!(check("crates/live/src/room/tests.rs", "use super::*;\n"), "");
        assert_eq!(check("web-client/packages/client/src/room.ts", "export {};\n"), "");
    }

    #[test]
    fn a_long_file() {
        let text = "//! Long.\n".to_owned() + &"//\n".repeat(LONGEST_FILE);
        insta::assert_snapshot!(check("crates/live/src/room.rs", &text), @"crates/live/src/room.rs:601: 601 lines, at most 600 are read with pleasure: split it by noun");
        assert_eq!(check("schema/manifest.schema.json", &text), "");
    }

    #[test]
    fn lints_are_expected_not_allowed() {
        insta::assert_snapshot!(rust(&format!("#[{}(dead_code)]", "allow")), @r#"crates/live/src/room.rs:2: instead of allowing a lint, write `#[expect(lint, reason = "…")]`, which says when it is no longer needed"#);
        assert_eq!(rust("#[expect(dead_code, reason = \"read by the debugger\")]"), "");
    }

    #[test]
    fn placeholders_and_ignored_tests() {
        insta::assert_snapshot!(rust(&format!("{}!()", "todo")), @"crates/live/src/room.rs:2: what is not there yet is answered with an error, or not offered");
        insta::assert_snapshot!(rust(&format!("#[{}]", "ignore")), @"crates/live/src/room.rs:2: assert the wrong behaviour with a FIXME, so that its mending is noticed");
    }

    #[test]
    fn sleeping_is_for_the_code_not_for_its_tests() {
        let sleep = format!("tokio::time::{}(BACKOFF).await;", "sleep");
        assert_eq!(rust(&sleep), "");
        let tested = format!("{sleep}\n#[cfg({})]\nmod tests {{\n    {sleep}\n}}", "test");
        insta::assert_snapshot!(rust(&tested), @"crates/live/src/room.rs:5: a test waits for the event or moves the clock");
        let whole = format!("//! Rooms.\n{sleep}\n");
        insta::assert_snapshot!(check("crates/live/tests/room.rs", &whole), @"crates/live/tests/room.rs:2: a test waits for the event or moves the clock");
    }

    #[test]
    fn only_the_command_line_may_print() {
        let excuse = format!("#![expect(clippy::print_{}, reason = \"it speaks\")]", "stdout");
        insta::assert_snapshot!(rust(&excuse), @"crates/live/src/room.rs:2: corella-cli is the only crate that prints; elsewhere there is `tracing`");
        assert_eq!(check("crates/cli/src/say.rs", &format!("//! Says.\n{excuse}\n")), "");
    }

    #[test]
    fn machine_paths() {
        let path = format!("/{}/corella/data", "home");
        insta::assert_snapshot!(check("docs/run.md", &format!("See {path}.\n")), @"docs/run.md:1: a path of one machine is of no use on another");
        assert_eq!(check("docs/run.md", &format!("See https://example.org{path} and src{path}.\n")), "");
    }

    #[test]
    fn registries_and_lock_files() {
        let host = format!("https://{}.{}.org/it.tgz", "registry", "npmjs");
        insta::assert_snapshot!(check(".npmrc", &format!("registry={host}\n")), @".npmrc:1: the address of a package registry belongs to a machine's settings");
        let lock = format!("  \"{}\": \"https://example.org/it.tgz\"\n", "resolved");
        insta::assert_snapshot!(check("web-client/package-lock.json", &lock), @"web-client/package-lock.json:1: write the lock file with `omit-lockfile-registry-resolved=true` in .npmrc");
        let index = format!("source = \"registry+https://example.org/crates.io-{}\"\n", "index");
        assert_eq!(check("Cargo.lock", &index), "");
    }
}
