//! `cargo xtask test`: set-up, then every test with its own runner.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Args, ValueEnum};

use crate::process::Task;
use crate::report::{Steps, Stop};
use crate::setup::{self, Build, Program};
use crate::workspace;

/// What `cargo xtask test` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// Runs one part alone, with no more set-up than it needs.
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// A part of a test's name (in `web`, of its file's name); without `--only` it picks among the Rust tests.
    filter: Option<String>,
}

/// A part of the tests, with a runner of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The tests of the crates, and the examples in their docs.
    Rust,
    /// The types, lints, tests and builds of the web packages.
    Web,
    /// The stock Loro client against the server.
    Conformance,
    /// The notes page in Chromium.
    Browser,
}

impl Part {
    const ALL: [Self; 4] = [Self::Rust, Self::Web, Self::Conformance, Self::Browser];

    fn programs(self) -> &'static [Program] {
        match self {
            Self::Rust => &[Program::Postgres, Program::Sqlite, Program::Strace, Program::Curl, Program::Jq],
            Self::Web => &[],
            Self::Conformance => &[Program::Sqlite],
            Self::Browser => &[Program::Chromium, Program::Sqlite],
        }
    }
}

/// Which parts a run consists of.
fn parts(options: &Options) -> Vec<Part> {
    match (options.only, &options.filter) {
        (Some(part), _) => vec![part],
        (None, Some(_)) => vec![Part::Rust],
        (None, None) => Part::ALL.to_vec(),
    }
}

/// Does the set-up of the chosen parts, then runs their tests; a part that fails does not hide the next one.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    let parts = parts(options);
    let filter = options.filter.as_deref();
    let has = |part: Part| parts.contains(&part);

    let programs: BTreeSet<Program> = parts.iter().flat_map(|part| part.programs()).copied().collect();
    setup::install_programs(steps, &programs)?;
    setup::install_npm_packages(steps, &root, "web-client")?;
    let drives_server = has(Part::Conformance) || has(Part::Browser);
    if drives_server {
        setup::install_npm_packages(steps, &root, "tests/web")?;
    }
    let corella = if has(Part::Rust) || drives_server {
        // The binary carries the page, so the page comes first.
        setup::build_notes_page(steps, &root)?;
        let build = if has(Part::Rust) { Build::BinaryAndTests } else { Build::Binary };
        Some(setup::build_corella(steps, &root, build)?)
    } else {
        None
    };

    if let Some(corella) = corella.as_deref().filter(|_| has(Part::Rust)) {
        rust(steps, &root, corella, filter);
    }
    if has(Part::Web) {
        web(steps, &root, filter);
    }
    if drives_server && filter.is_none() {
        steps.attempt("types of the tests that drive the server", || {
            Task::new("npm", &root.join("tests/web")).args(["run", "check"]).run("mend what is named above")
        });
    }
    if let Some(corella) = corella {
        if has(Part::Conformance) {
            let task = web_script(&root, "conformance", filter).env("CORELLA_BIN", &corella);
            steps.attempt("conformance with the stock client", || task.run_tests(READ_ON));
        }
        if has(Part::Browser) {
            let mut task = web_script(&root, "browser", filter).env("CORELLA_BIN", &corella);
            if let Some(chromium) = setup::chromium() {
                task = task.env("CHROMIUM", chromium);
            }
            steps.attempt("the notes page in Chromium", || task.run_tests(READ_ON));
        }
    }
    Ok(())
}

const READ_ON: &str = "read the first failure above; `cargo xtask test --only PART NAME` runs it alone";

fn rust(steps: &mut Steps, root: &Path, corella: &Path, filter: Option<&str>) {
    let has_nextest = Task::new("cargo", root).args(["nextest", "--version"]).succeeds();
    let mut task = Task::new("cargo", root);
    task = if has_nextest {
        // A name may be that of an example in the docs, which nextest does not run.
        let when_none = if filter.is_some() { "--no-tests=warn" } else { "--no-tests=fail" };
        task.args(["nextest", "run", "--workspace", "--no-fail-fast", when_none])
    } else {
        task.args(["test", "--workspace", "--tests", "--no-fail-fast"])
    };
    task = task.args(filter).env("CORELLA_BIN", corella);
    steps.attempt("the Rust tests", || task.run_tests(READ_ON));

    let mut task = Task::new("cargo", root).args(["test", "--doc", "--workspace", "--no-fail-fast"]);
    if let Some(filter) = filter {
        task = task.args(["--", filter]);
    }
    steps.attempt("the examples in the docs", || task.run_tests(READ_ON));
}

fn web(steps: &mut Steps, root: &Path, filter: Option<&str>) {
    let home = root.join("web-client");
    let npm = || Task::new("npm", &home);
    if filter.is_none() {
        steps.attempt("types and lints of the web packages", || {
            npm().args(["run", "check"]).run("mend what is named above")
        });
    }
    steps.attempt("tests of the web packages", || {
        let mut task = npm().args(["test"]);
        if let Some(filter) = filter {
            task = task.args(["--", filter]);
        }
        task.run_tests(READ_ON)
    });
    if filter.is_none() {
        steps.attempt("builds of the web packages", || {
            npm().args(["run", "build"]).run("mend what is named above")
        });
    }
}

fn web_script(root: &Path, script: &str, filter: Option<&str>) -> Task {
    let mut task = Task::new("npm", &root.join("tests/web")).args(["run", script]);
    if let Some(filter) = filter {
        task = task.args(["--", filter]);
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(only: Option<Part>, filter: Option<&str>, expected: &[Part]) {
        assert_eq!(parts(&Options { only, filter: filter.map(str::to_owned) }), expected);
    }

    #[test]
    fn a_filter_alone_picks_among_the_rust_tests() {
        check(None, None, &Part::ALL);
        check(None, Some("tidy"), &[Part::Rust]);
        check(Some(Part::Browser), None, &[Part::Browser]);
        check(Some(Part::Web), Some("client"), &[Part::Web]);
    }
}
