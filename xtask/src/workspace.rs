//! What the workspace consists of: its root, the files under version control, and its packages.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::process::Task;
use crate::report::Failure;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable for programs that it runs; the other value serves a binary started by hand.
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_owned)
}

/// Where cargo puts what it builds.
///
/// # Errors
///
/// Cargo could not be asked.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }

    let task = Task::new("cargo", root).args(["metadata", "--no-deps", "--format-version", "1"]);
    let json = task.capture("see whether `cargo metadata` can be run by hand")?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| unreadable(&task, &error))?;
    Ok(metadata.target_directory)
}

fn unreadable(task: &Task, error: &serde_json::Error) -> Failure {
    Failure::new(
        format!("what cargo metadata said could not be read: {error}"),
        "use the cargo of the Rust version that Cargo.toml names",
    )
    .command(task.display())
}

/// The files of the project, as paths from the root with forward slashes: those that git tracks and those
/// that it would take up.
///
/// # Errors
///
/// Git is missing, or the folder is not a git repository.
pub(crate) fn project_files(root: &Path) -> Result<Vec<String>, Failure> {
    let listing = Task::new("git", root)
        // In CI the clone may belong to another user, whom git would distrust.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .capture("work in a git clone of the project")?;
    let mut files: Vec<String> = String::from_utf8_lossy(&listing)
        .split('\0')
        .filter(|path| !path.is_empty() && root.join(path).is_file())
        .map(str::to_owned)
        .collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// A package as `cargo metadata` tells of it: one of ours, or one that ours depend on.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    /// Where it was fetched from; nothing for our own.
    pub(crate) source: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Dependency {
    /// Whether what we ship is built with it.
    pub(crate) fn is_shipped(&self) -> bool {
        self.kind.as_deref() != Some("dev")
    }
}

/// All packages that a build for one of `targets` may need; for any target when none is given.
///
/// # Errors
///
/// `Cargo.lock` does not fit the manifests, or a package could not be fetched.
pub(crate) fn packages(root: &Path, targets: &[String]) -> Result<Vec<Package>, Failure> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }

    let task = Task::new("cargo", root)
        .args(["metadata", "--locked", "--format-version", "1"])
        .args(targets.iter().flat_map(|target| ["--filter-platform", target]));
    let json = task.capture(
        "when Cargo.lock is out of date, run `cargo metadata` once without `--locked` and commit it",
    )?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| unreadable(&task, &error))?;
    Ok(metadata.packages)
}
