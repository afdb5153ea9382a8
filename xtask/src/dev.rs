//! `cargo xtask dev`: set-up, then the server in development mode with the notes page.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::report::{Failure, Steps, Stop, note};
use crate::setup::{self, Build};
use crate::workspace;

/// What `cargo xtask dev` is told.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the server listens.
    #[arg(long, value_name = "ADDRESS", env = "CORELLA_LISTEN", default_value = "127.0.0.1:4400")]
    listen: String,
    /// The data folder; target/dev-data of this workspace when not given.
    #[arg(long, value_name = "FOLDER", env = "CORELLA_DATA")]
    data: Option<PathBuf>,
    /// The manifest to serve; schema/examples/notes.json of this workspace when not given.
    #[arg(long, value_name = "FILE", env = "CORELLA_MANIFEST")]
    manifest: Option<PathBuf>,
    /// Further arguments for `corella dev`, handed on as they are.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    rest: Vec<OsString>,
}

/// Does all set-up and runs the server until it is stopped.
pub(crate) fn run(steps: &mut Steps, options: &Options) -> Result<(), Stop> {
    let root = workspace::root();
    setup::install_npm_packages(steps, &root, "web-client")?;
    setup::build_notes_page(steps, &root)?;
    let corella = setup::build_corella(steps, &root, Build::Binary)?;

    let mut command = Command::new(corella);
    command.arg("dev").arg("--listen").arg(&options.listen);
    command.arg("--data").arg(options.data.clone().unwrap_or_else(|| root.join("target/dev-data")));
    command.arg("--manifest");
    command.arg(options.manifest.clone().unwrap_or_else(|| root.join("schema/examples/notes.json")));
    command.args(&options.rest);
    steps.must("corella dev", || {
        note(&format!("the page: http://{}/   (Ctrl-C stops the server)", options.listen));
        serve(command)
    })
}

/// Becomes the server.
///
/// Cargo becomes this program in the same manner, so that one process remains: Ctrl-C and every other signal
/// reach the server itself, and the shell waits until it has stopped in order.
#[cfg(unix)]
fn serve(mut command: Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt as _;

    Err(could_not_start(&command.exec()))
}

/// Runs the server as a child, for want of a way to become it.
#[cfg(not(unix))]
fn serve(mut command: Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| could_not_start(&error))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("the server ended with {status}"), "see what it said above"))
    }
}

fn could_not_start(error: &std::io::Error) -> Failure {
    Failure::new(format!("the corella binary could not be started: {error}"), "run `cargo xtask dev` again")
}
