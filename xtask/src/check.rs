//! `cargo xtask check`: everything that can be found wrong without running a test, the quick checks first.

use std::path::Path;

use crate::process::Task;
use crate::report::{Failure, Steps, Stop, note};
use crate::{dependencies, generate, layers, tidy, traps, workspace};

/// Runs every check; one that fails does not hide the next one.
pub(crate) fn run(steps: &mut Steps) -> Result<(), Stop> {
    let root = workspace::root();
    let cargo = |arguments: &[&str]| Task::new("cargo", &root).args(arguments.iter().copied());

    steps.attempt("formatting", || cargo(&["fmt", "--all", "--check"]).run("run `cargo fmt --all`"));
    steps.attempt("house rules", || all_kept(tidy::problems_in_project(&root)?));
    steps.attempt("traps", || all_kept(traps::problems(&root)?));
    steps.attempt("generated files", || generate::verify(&root));
    steps.attempt("dependencies", || check_dependencies(&root));
    steps.attempt("lints", || {
        cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .run("mend what clippy names; where it errs, write `#[expect(lint, reason = \"…\")]`")
    });
    steps.attempt("docs", || {
        cargo(&["doc", "--no-deps", "--workspace"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .run("mend the links and examples that rustdoc names")
    });
    Ok(())
}

fn check_dependencies(root: &Path) -> Result<(), Failure> {
    let rules = dependencies::Rules::read(root)?;
    let packages = workspace::packages(root, rules.targets())?;
    let mut problems = layers::problems(&packages);

    let deny = Task::new("cargo", root).args(["deny", "check"]);
    if Task::new("cargo", root).args(["deny", "--version"]).succeeds() {
        all_kept(problems)?;
        return deny.run("mend what cargo-deny names, or state the exception with its reason in deny.toml");
    }
    note("cargo-deny is not installed: licences, bans and sources are checked here, advisories are not");
    problems.extend(rules.problems(&packages));
    all_kept(problems)
}

fn all_kept(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    let what = match problems.len() {
        1 => "a rule is broken".to_owned(),
        count => format!("rules are broken in {count} places"),
    };
    Err(Failure::new(what, "each line says which rule and where").output(problems.join("\n")))
}
