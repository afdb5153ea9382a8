//! Bringing a fresh machine to where the work can start: system packages, npm packages, the page, the binary.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::process::{Task, find_program};
use crate::report::{Failure, Steps, Stop, note};
use crate::workspace::project_files;

/// A program that tests need and that comes from the system's packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Program {
    /// The browser of the browser tests. `CHROMIUM` in the environment names another one.
    Chromium,
    /// The server programs of PostgreSQL; tests start a server of their own with them.
    Postgres,
    /// The SQLite shell, with which tests read the database as a stranger would.
    Sqlite,
    /// The tracer by which tests let single system calls fail.
    Strace,
    /// With which the examples in the docs ask the server.
    Curl,
    /// With which they read what it answers.
    Jq,
    /// Counts instructions.
    Valgrind,
}

impl Program {
    /// What to install for it on Debian.
    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            // Chromium only recommends its fonts, and pages without a font cannot be judged by a screenshot.
            Self::Chromium => &["chromium", "fonts-liberation"],
            Self::Postgres => &["postgresql"],
            Self::Sqlite => &["sqlite3"],
            Self::Strace => &["strace"],
            Self::Curl => &["curl"],
            Self::Jq => &["jq"],
            Self::Valgrind => &["valgrind"],
        }
    }

    fn is_present(self) -> bool {
        match self {
            Self::Chromium => chromium().is_some(),
            Self::Postgres => find_program("initdb").is_some() || debian_has_postgres(),
            Self::Sqlite => find_program("sqlite3").is_some(),
            Self::Strace => find_program("strace").is_some(),
            Self::Curl => find_program("curl").is_some(),
            Self::Jq => find_program("jq").is_some(),
            Self::Valgrind => find_program("valgrind").is_some(),
        }
    }
}

/// Debian keeps the server programs of each version in a folder that is not on the PATH.
fn debian_has_postgres() -> bool {
    std::fs::read_dir("/usr/lib/postgresql")
        .is_ok_and(|versions| versions.flatten().any(|version| version.path().join("bin/initdb").is_file()))
}

/// The browser that the tests are to drive.
pub(crate) fn chromium() -> Option<PathBuf> {
    let chosen = std::env::var_os("CHROMIUM").map(PathBuf::from).filter(|path| path.is_file());
    chosen.or_else(|| find_program("chromium"))
}

/// Installs those of `programs` that are missing.
pub(crate) fn install_programs(steps: &mut Steps, programs: &BTreeSet<Program>) -> Result<(), Stop> {
    let missing: Vec<Program> = programs.iter().copied().filter(|program| !program.is_present()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|program| program.debian_packages()).copied().collect();
    steps.must(&format!("system packages: {}", packages.join(", ")), || {
        if find_program("apt-get").is_none() {
            return Err(Failure::new(
                "this is not a Debian system, so they cannot be installed from here",
                format!("install these programs and run the command again: {}", packages.join(", ")),
            ));
        }
        let by_hand = apt_line(&packages);
        if !is_root() {
            return Err(Failure::new(
                "they are missing, and only root can install them",
                format!("run this, then the command again:\n{by_hand}"),
            ));
        }
        let mend =
            format!("see that the machine reaches its Debian mirror, or install them by hand:\n{by_hand}");
        apt_get(&["update"]).run(&mend)?;
        apt_get(&["install", "--yes", "--no-install-recommends"]).args(packages.iter().copied()).run(&mend)
    })
}

fn apt_line(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    )
}

fn apt_get(arguments: &[&str]) -> Task {
    Task::new("apt-get", Path::new("/"))
        .args(arguments.iter().copied())
        .env("DEBIAN_FRONTEND", "noninteractive")
        // In runlevel 1 Debian's packages do not start their services, and the tests start their own servers.
        .env("RUNLEVEL", "1")
}

fn is_root() -> bool {
    Task::new("id", Path::new("/")).args(["-u"]).capture("").is_ok_and(|id| id.trim_ascii() == b"0")
}

/// Installs the npm packages of `folder` when its lock file is not the one that was installed last.
pub(crate) fn install_npm_packages(steps: &mut Steps, root: &Path, folder: &str) -> Result<(), Stop> {
    let home = root.join(folder);
    // The stamp is the lock file itself, so that no clock and no half-finished installation can deceive.
    let stamp = home.join("node_modules/.installed-lock.json");
    steps.must(&format!("npm packages of {folder}"), || {
        let lock = std::fs::read(home.join("package-lock.json")).map_err(|error| {
            Failure::new(
                format!("{folder}/package-lock.json could not be read: {error}"),
                format!("run `npm install` in {folder} and commit the lock file"),
            )
        })?;
        if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            note("as the lock file says");
            return Ok(());
        }
        Task::new("npm", &home).args(["ci", "--no-audit", "--no-fund"]).run(
            "see that Node 20.19 or later is installed and that npm reaches its registry; \
             when the lock file does not fit package.json, run `npm install` there",
        )?;
        write(&stamp, &lock)
    })
}

/// Builds the notes page when its sources are not those of the built one.
pub(crate) fn build_notes_page(steps: &mut Steps, root: &Path) -> Result<(), Stop> {
    let stamp = root.join("web-client/node_modules/.built-notes-page");
    steps.must("the notes page", || {
        let present = page_fingerprint(root)?;
        if present.is_some() && std::fs::read_to_string(&stamp).ok() == present {
            note("built from these sources already");
            return Ok(());
        }
        Task::new("npm", &root.join("web-client"))
            .args(["run", "build"])
            .run("mend what the compiler names")?;
        match page_fingerprint(root)? {
            Some(fingerprint) => write(&stamp, fingerprint.as_bytes()),
            None => Err(Failure::new(
                "the build succeeded, but web-client/apps/notes/dist/index.html is not there",
                "see where `npm run build` of apps/notes writes its page",
            )),
        }
    })
}

/// Tells one state of the page's sources and of the page built from them from another; nothing when there is
/// no page.
fn page_fingerprint(root: &Path) -> Result<Option<String>, Failure> {
    // The page names its scripts by their content, so its text tells a page that was built by hand.
    let Ok(page) = std::fs::read(root.join("web-client/apps/notes/dist/index.html")) else {
        return Ok(None);
    };
    let mut hasher = DefaultHasher::new();
    page.hash(&mut hasher);
    for path in project_files(root)?.iter().filter(|path| path.starts_with("web-client/")) {
        path.hash(&mut hasher);
        let contents = std::fs::read(root.join(path)).map_err(|error| {
            Failure::new(format!("{path} could not be read: {error}"), "make the file readable")
        })?;
        contents.hash(&mut hasher);
    }
    Ok(Some(format!("{:016x}", hasher.finish())))
}

fn write(path: &Path, contents: &[u8]) -> Result<(), Failure> {
    // npm makes no folder where there is nothing to install.
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(path, contents)).map_err(|error| {
        Failure::new(format!("{} could not be written: {error}", path.display()), "make the folder writable")
    })
}

/// How much of the workspace a build compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The binary alone.
    Binary,
    /// The binary and all tests: what the test runner will ask for, so that nothing is built twice.
    BinaryAndTests,
}

/// Builds the `corella` binary and gives back where it is.
pub(crate) fn build_corella(steps: &mut Steps, root: &Path, build: Build) -> Result<PathBuf, Stop> {
    // The whole workspace is named, since cargo builds a dependency again when another selection of packages
    // asks it for other features.
    let (title, selection): (&str, &[&str]) = match build {
        Build::Binary => ("the corella binary", &["--bin", "corella"]),
        Build::BinaryAndTests => ("the corella binary and the tests", &["--bins", "--tests"]),
    };
    steps.must(title, || {
        let arguments = ["build", "--workspace"].into_iter().chain(selection.iter().copied());
        Task::new("cargo", root).args(arguments.map(OsString::from)).build_binary("corella")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_run_by_hand_can_be_pasted() {
        let programs = [Program::Chromium, Program::Sqlite];
        let packages: Vec<&str> =
            programs.iter().flat_map(|program| program.debian_packages()).copied().collect();
        insta::assert_snapshot!(apt_line(&packages), @"sudo apt-get update && sudo apt-get install --yes --no-install-recommends chromium fonts-liberation sqlite3");
    }
}
