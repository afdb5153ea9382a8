//! The `corella` binary under test.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use serde_json::Value as Json;

/// The binary's path: `CORELLA_BIN` if that is set, else what `cargo build` makes of the sources.
///
/// It is built once for each run of the tests, also when each test is a process of its own.
///
/// # Panics
/// When it cannot be built.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match env::var_os("CORELLA_BIN") {
        Some(path) => path.into(),
        None => once_per_run(),
    })
}

/// Builds under a lock, and leaves a note for the other processes of the same run.
fn once_per_run() -> PathBuf {
    let Some(run) = env::var_os("NEXTEST_RUN_ID") else { return build() };
    let folder = root().join("target").join("testkit");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let lock = File::create(folder.join("lock")).expect("the target folder can be written");
    lock.lock().expect("files can be locked");
    let note = folder.join("binary");
    let run = run.to_string_lossy();
    let known = fs::read_to_string(&note).unwrap_or_default();
    if let Some((noted, path)) = known.split_once('\n')
        && noted == run
    {
        return path.into();
    }
    let path = build();
    fs::write(&note, format!("{run}\n{}", path.display())).expect("the target folder can be written");
    path
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // All of the workspace, as when the tests were built: another selection has other features, and would build
        // much anew.
        .args(["build", "--workspace", "--bin", "corella", "--message-format", "json"])
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "the corella binary cannot be built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Json>(line).ok())
        // The binary's own unit tests are an executable of the same name.
        .filter(|message| message["target"]["name"] == "corella" && message["profile"]["test"] == false)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .expect("cargo names the executables that it builds")
}
